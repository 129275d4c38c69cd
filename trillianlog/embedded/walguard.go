package embedded

import (
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// logGuard is a file system that keeps failed operations on the write-ahead
// log, and failed fsyncs of its folder, from Pebble. Where Pebble changes from
// one log to the next it panics over them with its mutexes in a state in which
// not even recover helps. So here the store is declared broken, which lets go
// whoever waits (disk.attempt), and the operation never returns. While a store
// is being opened, errors are what Open answers.
type logGuard struct {
	vfs.FS
	d *disk
}

func isLog(name string) bool { return strings.HasSuffix(name, ".log") }

// never does not return if there is an error.
func (g logGuard) never(err error) error {
	if err != nil && g.d.opened.Load() {
		g.d.fail(err)
		select {}
	}
	return err
}

func (g logGuard) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := g.FS.Create(name, category)
	return g.guard(name, f, err)
}

func (g logGuard) ReuseForWrite(from, to string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := g.FS.ReuseForWrite(from, to, category)
	return g.guard(to, f, err)
}

func (g logGuard) guard(name string, f vfs.File, err error) (vfs.File, error) {
	if !isLog(name) {
		return f, err
	}
	if err := g.never(err); err != nil {
		return nil, err
	}
	return guardedFile{f, g}, nil
}

func (g logGuard) OpenDir(name string) (vfs.File, error) {
	f, err := g.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return guardedFile{f, g}, nil
}

type guardedFile struct {
	vfs.File
	g logGuard
}

func (f guardedFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	return n, f.g.never(err)
}

func (f guardedFile) Sync() error {
	return f.g.never(f.File.Sync())
}

func (f guardedFile) SyncData() error {
	return f.g.never(f.File.SyncData())
}

func (f guardedFile) SyncTo(length int64) (bool, error) {
	full, err := f.File.SyncTo(length)
	return full, f.g.never(err)
}

// Close has nothing to report: what counts was synced before.
func (f guardedFile) Close() error {
	_ = f.File.Close()
	return nil
}
