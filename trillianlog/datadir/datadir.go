// Package datadir guards the folder in which a log keeps its data: one process
// at a time, and no program older than the one that wrote it.
//
// It never deletes anything and knows nothing of what the folder holds beyond
// the files "lock" and "version".
package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tallyroot/tallyroot/internal/durable"
)

// Version is the layout that this program reads and writes.
const Version = 1

var (
	// ErrLocked: another process has the folder.
	ErrLocked = errors.New("another process is using it")
	// ErrNewer: a newer program wrote the folder.
	ErrNewer = errors.New("a newer version of this program wrote it")
)

// Dir is a folder that this process holds.
type Dir struct {
	path string
	lock *os.File
}

// Path is the folder.
func (d *Dir) Path() string { return d.path }

// Lock creates the folder if need be (mode 0700), takes it for this process and
// checks its version. The lock is the kernel's: it ends with the process,
// however that ends. Errors wrap ErrLocked or ErrNewer.
func Lock(path string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("create the data directory: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data directory: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("data directory %s: %w: stop that one first, or name another directory", path, ErrLocked)
		}
		return nil, fmt.Errorf("lock the data directory %s: %w", path, err)
	}
	d := &Dir{path: path, lock: lock}
	if err := d.checkVersion(); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// Close gives the folder back.
func (d *Dir) Close() error { return d.lock.Close() }

// checkVersion refuses a folder of a newer layout and marks a new one.
func (d *Dir) checkVersion() error {
	name := filepath.Join(d.path, "version")
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		if err := durable.WriteFile(name, fmt.Appendf(nil, "%d\n", Version), 0o600); err != nil {
			return fmt.Errorf("write the data directory's version: %w", err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the data directory's version: %w", err)
	}
	number, found := strings.CutSuffix(string(text), "\n")
	version, err := strconv.ParseUint(number, 10, 31)
	switch {
	case !found || err != nil || version == 0 || number != strconv.FormatUint(version, 10):
		return fmt.Errorf("%s holds %q: want a version such as \"%d\" and a line end", name, text, Version)
	case version > Version:
		return fmt.Errorf("data directory %s: %w: it has layout %d, this program knows up to %d: use the newer program", d.path, ErrNewer, version, Version)
	}
	return nil
}
