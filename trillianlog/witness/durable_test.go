package witness

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tallyroot/tallyroot/trillianlog/witness/witnesstest"
)

// lossyDisk remembers what was made durable in one folder, and nothing else: the
// least that a power cut may leave.
type lossyDisk struct {
	content map[uint64][]byte // by inode, as it was at the file's last sync
	names   map[string]uint64 // as they were at the folder's last sync
	fail    int               // syncs from now on that fail
	synced  func()            // called after each sync that does not
}

var errDisk = errors.New("the disk is broken")

func (d *lossyDisk) sync(f *os.File) error {
	if d.fail > 0 {
		d.fail--
		return errDisk
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		d.names = make(map[string]uint64)
		files, err := os.ReadDir(f.Name())
		if err != nil {
			return err
		}
		for _, file := range files {
			info, err := file.Info()
			if err != nil {
				return err
			}
			d.names[file.Name()] = inode(info)
		}
	} else if d.content[inode(info)], err = os.ReadFile(f.Name()); err != nil {
		return err
	}
	if d.synced != nil {
		d.synced()
	}
	return nil
}

func inode(info os.FileInfo) uint64 { return info.Sys().(*syscall.Stat_t).Ino }

// restore makes dir hold what a power cut leaves.
func (d *lossyDisk) restore(t *testing.T, dir string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, inode := range d.names {
		if err := os.WriteFile(filepath.Join(dir, name), d.content[inode], 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A power cut between any two syncs leaves the checkpoint that was answered last, or
// the one that is being stored; what was answered is there for good.
func TestPowerCut(t *testing.T) {
	logs := []*witnesstest.Log{witnesstest.NewLog(t, "log.example/a"), witnesstest.NewLog(t, "log.example/b")}
	disk := &lossyDisk{content: make(map[uint64][]byte)}
	b := newBench(t, func(o *Options) { o.sync = disk.sync }, logs...)
	answered, asked := map[string]uint64{}, map[string]uint64{}
	image := filepath.Join(t.TempDir(), "image")
	moments := 0
	look := func() {
		moments++
		disk.restore(t, image)
		found, err := (&store{dir: image}).load(b.server.key)
		if err != nil {
			t.Fatalf("answered %v, asked %v: %v", answered, asked, err)
		}
		sizes := map[string]uint64{}
		for _, m := range found {
			sizes[m.Origin] = m.Size
		}
		for _, l := range logs {
			if got := sizes[l.Origin]; got < answered[l.Origin] || got > asked[l.Origin] {
				t.Fatalf("%s is at %d; answered %v, asked %v", l.Origin, got, answered, asked)
			}
		}
	}
	disk.synced = look
	for i := range uint64(20) {
		l := logs[i%3%2]
		old := answered[l.Origin]
		asked[l.Origin] = old + 1 + i%5
		l.Grow(asked[l.Origin])
		b.cosigned(b.post(grow(l, old, asked[l.Origin])), l.Signed(asked[l.Origin]))
		answered[l.Origin] = asked[l.Origin]
		look()
	}
	if moments < 60 {
		t.Errorf("only %d moments", moments)
	}
}

// What cannot be stored is not cosigned, whichever sync fails, and the witness goes
// on when the disk does.
func TestWithoutTheDiskNothingIsCosigned(t *testing.T) {
	l := witnesstest.NewLog(t, "log.example/a")
	l.Grow(60)
	disk := &lossyDisk{content: make(map[uint64][]byte)}
	b := newBench(t, func(o *Options) { o.sync = disk.sync }, l)
	fork := l.Fork(1)
	b.cosigned(b.post(grow(l, 0, 3)), l.Signed(3))
	for old := uint64(3); old < 33; old += 3 {
		disk.fail = 1
		if old%2 == 1 { // that of the folder, which follows: the file has its new name by then
			disk.fail, disk.synced = 0, func() { disk.fail, disk.synced = 1, nil }
		}
		if got := b.post(grow(l, old, old+3)); got.status != 500 {
			t.Fatalf("from %d: %+v", old, got)
		}
		disk.fail, disk.synced = 0, nil
		if got := b.get("/" + fileName(l.Origin) + "/checkpoint"); !strings.HasPrefix(got.body, l.At(old).Body()) {
			t.Fatalf("from %d: handed on: %+v", old, got)
		}
		if got := b.post(grow(fork, old, old+3)); got.status != 422 {
			t.Fatalf("from %d: the fork: %+v", old, got)
		}
		b.cosigned(b.post(grow(l, old, old+3)), l.Signed(old+3))
	}
}
