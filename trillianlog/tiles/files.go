package tiles

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// maxParallelSyncs bounds how many files are written and synced at the same time.
// Syncs that wait together share a commit of the file system's journal.
const maxParallelSyncs = 8

const (
	dirMode  = 0o755
	fileMode = 0o644

	tempSuffix    = ".tmp"
	growingSuffix = ".growing"
	partialSuffix = ".p"
)

// readFile reads a whole file of at most max bytes. A file that is missing or
// longer is a *DamageError.
func readFile(name string, max int64) ([]byte, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &DamageError{File: name, Problem: "is missing"}
	}
	if err != nil {
		return nil, fmt.Errorf("tiles: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("tiles: %w", err)
	}
	if info.Size() > max || !info.Mode().IsRegular() {
		return nil, &DamageError{File: name, Problem: fmt.Sprintf("is not a file of at most %d bytes", max)}
	}
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, fmt.Errorf("tiles: read %s: %w", name, err)
	}
	return data, nil
}

// readAt fills b from a place in a file. A history opens a file for each entry, so
// it does not go through os.File, whose preparations cost as much as the reading.
func readAt(name string, b []byte, at int64) error {
	fd, err := retry(func() (int, error) { return unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for len(b) > 0 {
		n, err := retry(func() (int, error) { return unix.Pread(fd, b, at) })
		if err != nil {
			return err
		}
		if n == 0 {
			return io.ErrUnexpectedEOF
		}
		b, at = b[n:], at+int64(n)
	}
	return nil
}

// retry calls again as long as a signal interrupts.
func retry(call func() (int, error)) (int, error) {
	for {
		if n, err := call(); err != unix.EINTR {
			return n, err
		}
	}
}

// A disk makes durable what is written: the content of a file, or the names in a
// folder. Tests put a disk in its place that loses all else.
type disk struct {
	sync func(*os.File) error
}

// writeSynced writes a file and makes its content durable; its folder is not synced.
func (k disk) writeSynced(name string, data []byte) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, fileMode)
	if err != nil {
		return nil, err
	}
	if _, err = f.Write(data); err == nil {
		err = k.sync(f)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// replace puts a new durable content in the place of a file, or leaves the old
// one: at no moment is there neither. The folder is not synced.
func (k disk) replace(name string, data []byte) (*os.File, error) {
	f, err := k.writeSynced(name+tempSuffix, data)
	if err != nil {
		return nil, err
	}
	if err := os.Rename(name+tempSuffix, name); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// syncDir makes the names in a folder durable.
func (k disk) syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	return k.sync(d)
}

// parallel runs the jobs, a bounded number at a time, and joins their errors.
func parallel(jobs []func() error) error {
	if len(jobs) == 1 {
		return jobs[0]()
	}
	errs := make([]error, len(jobs))
	slots := make(chan struct{}, maxParallelSyncs)
	var wg sync.WaitGroup
	for i, job := range jobs {
		slots <- struct{}{}
		wg.Go(func() {
			errs[i] = job()
			<-slots
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// dirs makes folders, and remembers which names in which folders are not durable
// yet. A folder that this process meets for the first time counts as such: who
// made it may have been killed before the sync.
type dirs struct {
	disk    disk
	known   map[string]bool // folders whose own names are durable; the top one is
	pending map[string]bool // folders to be synced
}

func newDirs(top string, k disk) *dirs {
	return &dirs{disk: k, known: map[string]bool{top: true}, pending: map[string]bool{}}
}

// forFile makes the folder of a file that is about to be made or renamed.
func (d *dirs) forFile(name string) error {
	dir := filepath.Dir(name)
	if !d.known[dir] {
		if err := os.MkdirAll(dir, dirMode); err != nil {
			return err
		}
	}
	d.pending[dir] = true
	for ; !d.known[dir]; dir = filepath.Dir(dir) {
		d.pending[filepath.Dir(dir)] = true
	}
	return nil
}

// sync makes everything that is pending durable.
func (d *dirs) sync() error {
	var jobs []func() error
	for dir := range d.pending {
		jobs = append(jobs, func() error { return d.disk.syncDir(dir) })
	}
	if len(jobs) == 0 {
		return nil
	}
	if err := parallel(jobs); err != nil {
		return err
	}
	for dir := range d.pending {
		d.known[dir] = true
	}
	clear(d.pending)
	return nil
}
