// Package pebblelog gives the messages of Pebble, the storage engine, to a program's
// own log.
package pebblelog

import (
	"fmt"
	"log/slog"
	"os"
)

// Logger is a pebble.Logger.
type Logger struct{ To *slog.Logger }

// Infof tells of compactions and the like: details.
func (l Logger) Infof(format string, args ...any) {
	l.To.Debug(fmt.Sprintf(format, args...), "from", "pebble")
}

// Errorf tells of what went wrong and is tried again.
func (l Logger) Errorf(format string, args ...any) {
	l.To.Error(fmt.Sprintf(format, args...), "from", "pebble")
}

// Fatalf ends the process: Pebble calls it when it cannot know any more what is
// on disk. What was acknowledged is there, and the next start reads it.
func (l Logger) Fatalf(format string, args ...any) {
	l.To.Error(fmt.Sprintf(format, args...), "from", "pebble", "fatal", true)
	os.Exit(1)
}
