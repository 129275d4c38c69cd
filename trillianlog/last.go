package trillianlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/tallyroot/tallyroot/internal/durable"
)

// LastCheckpoint remembers the text of the last checkpoint that the log bound
// itself to, whether or not it came to sign and publish it. It is what stands
// between the log and a second history, so it must not be restored together
// with the back end: it lives elsewhere.
//
// Load and Swap are linearisable, also between processes. A Swap that returns
// nil survives a crash of the machine.
type LastCheckpoint interface {
	// Load gives the text, or ErrNoLastCheckpoint if there has been none.
	Load(ctx context.Context) ([]byte, error)
	// Swap replaces old by new. A nil old stands for none. If the store holds
	// anything but old, Swap changes nothing and returns an error that wraps
	// ErrLastCheckpointChanged. After any other error it may hold old or new.
	Swap(ctx context.Context, old, new []byte) error
}

var (
	// ErrNoLastCheckpoint: the store holds no checkpoint.
	ErrNoLastCheckpoint = errors.New("no last checkpoint")
	// ErrLastCheckpointChanged: the store does not hold what Swap expected.
	ErrLastCheckpointChanged = errors.New("the last checkpoint was changed by somebody else")
)

// maxLastCheckpoint bounds the text: an origin, a size and a root.
const maxLastCheckpoint = 4096

// FileLastCheckpoint keeps the last checkpoint in a file. Every Swap writes the
// text to FILE.spare, syncs it, exchanges the two names in one step and syncs the
// folder. Processes take turns by a lock on FILE.lock.
func FileLastCheckpoint(path string) LastCheckpoint { return fileLast(path) }

type fileLast string

func (f fileLast) Load(context.Context) ([]byte, error) {
	text, err := os.ReadFile(string(f))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w in %s", ErrNoLastCheckpoint, f)
	case err != nil:
		return nil, fmt.Errorf("read the last checkpoint: %w", err)
	case len(text) == 0 || len(text) > maxLastCheckpoint:
		return nil, fmt.Errorf("%s holds %d bytes, which is no checkpoint's text", f, len(text))
	}
	return text, nil
}

func (f fileLast) Swap(ctx context.Context, old, new []byte) (err error) {
	lock, err := os.OpenFile(string(f)+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("lock the last checkpoint: %w", err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("lock the last checkpoint: %w", err)
	}
	now, err := f.Load(ctx)
	if err != nil && !errors.Is(err, ErrNoLastCheckpoint) {
		return err
	}
	if !bytes.Equal(now, old) {
		return fmt.Errorf("%w: %s holds %q, not %q", ErrLastCheckpointChanged, f, now, old)
	}
	if err := durable.Replace(string(f), new, 0o600, durable.SyncData); err != nil {
		return fmt.Errorf("write the last checkpoint: %w", err)
	}
	return nil
}
