package tiles

import (
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// A lossyDisk remembers what was made durable and nothing else: a file's content
// as it was at its last sync, a folder's names as they were at the folder's. It is
// the least that a power failure may leave.
type lossyDisk struct {
	top    string
	synced func() // called after each sync, one at a time

	mu      sync.Mutex
	content map[uint64][]byte            // by inode
	names   map[string]map[string]uint64 // by folder: the inode of each name; 0 for a folder
}

func newLossyDisk(top string) *lossyDisk {
	return &lossyDisk{top: top, content: map[uint64][]byte{}, names: map[string]map[string]uint64{}}
}

func (l *lossyDisk) sync(f *os.File) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.IsDir() {
		data := make([]byte, info.Size())
		if _, err := f.ReadAt(data, 0); err != nil && len(data) > 0 {
			return err
		}
		l.content[inode(info)] = data
	} else {
		found, err := os.ReadDir(f.Name())
		if err != nil {
			return err
		}
		names := map[string]uint64{}
		for _, entry := range found {
			info, err := entry.Info()
			if err != nil {
				return err
			}
			names[entry.Name()] = 0
			if !info.IsDir() {
				names[entry.Name()] = inode(info)
			}
		}
		l.names[f.Name()] = names
	}
	l.synced()
	return nil
}

func inode(info os.FileInfo) uint64 { return info.Sys().(*syscall.Stat_t).Ino }

// image gives what the disk holds after a power failure now.
func (l *lossyDisk) image() snapshot {
	snap := snapshot{}
	var walk func(dir, rel string)
	walk = func(dir, rel string) {
		for name, inode := range l.names[dir] {
			if inode == 0 {
				walk(filepath.Join(dir, name), rel+name+"/")
			} else {
				snap[rel+name] = l.content[inode]
			}
		}
	}
	walk(l.top, "")
	return snap
}

// At every moment between two syncs, what is durable is enough to open the log at
// the checkpoint that was last published, or at the one that is being published.
func TestDurableAtEverySync(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := newLossyDisk(dir)
	var published, next uint64
	moments := 0
	l.synced = func() {
		moments++
		image := l.image().restore(t)
		s, err := Open(image)
		if err != nil {
			t.Errorf("between %d and %d: %v", published, next, err)
			return
		}
		size := s.Size()
		s.Close()
		if size != published && size != next {
			t.Errorf("between %d and %d: opened at size %d", published, next, size)
		}
		if size > 0 {
			if err := readAll(image, size); err != nil {
				t.Errorf("between %d and %d: %v", published, next, err)
			}
		}
	}
	s, err := open(dir, disk{sync: l.sync})
	if err != nil {
		t.Fatal(err)
	}
	s.pace = 0
	for i, size := range []uint64{1, 20, 255, 256, 257, 300, 512, 520, 800, 1100, 1101, 1280, 1290} {
		next = size
		if i%4 == 3 { // as after a crash: the growing file is written anew
			if s, err = open(dir, disk{sync: l.sync}); err != nil {
				t.Fatal(err)
			}
			s.pace = 0
		}
		if i%3 == 2 { // in two steps
			if err := s.Extend(testEntries(s.Size(), (size-s.Size())/2), nil); err != nil {
				t.Fatal(err)
			}
		}
		grow(t, s, size)
		published = size
		l.synced()
	}
	if moments < 60 {
		t.Errorf("only %d syncs", moments)
	}
}
