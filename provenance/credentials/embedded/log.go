package embedded

import (
	"fmt"
	"log/slog"
	"os"
)

// pebbleLog gives Pebble's messages to the service's log.
type pebbleLog struct{ to *slog.Logger }

func (l pebbleLog) Infof(format string, args ...any) {
	l.to.Debug(fmt.Sprintf(format, args...), "from", "pebble")
}

func (l pebbleLog) Errorf(format string, args ...any) {
	l.to.Error(fmt.Sprintf(format, args...), "from", "pebble")
}

// Fatalf ends the process: Pebble calls it when it cannot know any more what is
// on disk. What was acknowledged is there, and the next start reads it.
func (l pebbleLog) Fatalf(format string, args ...any) {
	l.to.Error(fmt.Sprintf(format, args...), "from", "pebble", "fatal", true)
	os.Exit(1)
}
