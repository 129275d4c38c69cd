package embedded

import (
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// logGuard is a file system that keeps failed operations on the write-ahead
// log, and failed fsyncs of its folder, from Pebble. Where Pebble changes from
// one log to the next it panics over them with its mutexes in a state in which
// not even recover helps. So here the store is declared broken, which lets go
// whoever waits (disk.attempt), and the operation never returns.
type logGuard struct {
	vfs.FS
	d *disk
}

func isLog(name string) bool { return strings.HasSuffix(name, ".log") }

// never reports a failure and does not return from it.
func (g logGuard) never(err error) {
	if err != nil {
		g.d.fail(err)
		select {}
	}
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
	// Opening a store makes a log too, and an error there is an answer.
	if g.d.opened.Load() {
		g.never(err)
	} else if err != nil {
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
	f.g.never(err)
	return n, nil
}

func (f guardedFile) Sync() error {
	f.g.never(f.File.Sync())
	return nil
}

func (f guardedFile) SyncData() error {
	f.g.never(f.File.SyncData())
	return nil
}

func (f guardedFile) SyncTo(length int64) (bool, error) {
	full, err := f.File.SyncTo(length)
	f.g.never(err)
	return full, nil
}

// Close has nothing to report: what counts was synced before.
func (f guardedFile) Close() error {
	_ = f.File.Close()
	return nil
}
