package embedded

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/google/trillian"
	stree "github.com/google/trillian/storage/tree"
	"github.com/google/trillian/types"
	"github.com/tallyroot/tallyroot/trillianlog/embedded/embeddedtest"
	"github.com/transparency-dev/merkle/compact"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// faults is a file system in which tests decide what fails.
type faults struct {
	vfs.FS
	full   atomic.Bool // GetDiskUsage says so
	asked  chan struct{}
	inject atomic.Pointer[func(errorfs.Op) error]
	// stopped is closed when the store says that it stopped.
	stopped chan struct{}
}

func newFaults() *faults {
	f := &faults{asked: make(chan struct{}, 1), stopped: make(chan struct{})}
	f.FS = errorfs.Wrap(vfs.Default, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if inject := f.inject.Load(); inject != nil {
			return (*inject)(op)
		}
		return nil
	}))
	return f
}

func (f *faults) GetDiskUsage(path string) (vfs.DiskUsage, error) {
	if f.full.Load() {
		select {
		case f.asked <- struct{}{}:
		default:
		}
		return vfs.DiskUsage{AvailBytes: 1, TotalBytes: 1 << 30}, nil
	}
	return vfs.DiskUsage{AvailBytes: 1 << 30, TotalBytes: 1 << 30}, nil
}

func (f *faults) on(fail func(errorfs.Op) error) { f.inject.Store(&fail) }

// Handle makes faults a slog.Handler.
func (f *faults) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "stopped after an I/O error") {
		close(f.stopped)
	}
	return nil
}
func (f *faults) Enabled(context.Context, slog.Level) bool { return true }
func (f *faults) WithAttrs([]slog.Attr) slog.Handler       { return f }
func (f *faults) WithGroup(string) slog.Handler            { return f }

func (f *faults) open(t *testing.T, dir string) *Backend {
	t.Helper()
	b, err := Open(t.Context(), dir, Options{Logger: slog.New(f), fs: f})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func tryAdd(b *Backend, i uint64) error {
	_, err := b.Client().AddSequencedLeaves(context.Background(),
		&trillian.AddSequencedLeavesRequest{LogId: b.TreeID(), Leaves: []*trillian.LogLeaf{leaf(i)}})
	return err
}

func TestFullDiskRefusesAppends(t *testing.T) {
	f := newFaults()
	b := f.open(t, t.TempDir())
	add(t, b, 0, 5)
	f.full.Store(true)
	if err := tryAdd(b, 5); !errors.Is(err, ErrNoSpace) || status.Code(err) != codes.ResourceExhausted {
		t.Fatalf("an append to a full disk: %v", err)
	}
	if err := b.Reserve(); !errors.Is(err, ErrNoSpace) {
		t.Errorf("Reserve: %v", err)
	}
	if next, _, err := b.Next(t.Context()); next != 5 || err != nil {
		t.Errorf("Next is %d, %v", next, err)
	}
	f.full.Store(false)
	if err := b.Reserve(); err != nil {
		t.Errorf("Reserve: %v", err)
	}
	add(t, b, 5, 6)
}

// A write that finds no room waits for it, and goes on where it stopped.
func TestWriteWaitsForRoom(t *testing.T) {
	dir := t.TempDir()
	f := newFaults()
	b := f.open(t, dir)
	add(t, b, 0, 5)
	f.on(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileWrite && strings.HasSuffix(op.Path, ".log") {
			f.inject.Store(nil)
			f.full.Store(true)
			return syscall.ENOSPC
		}
		return nil
	})
	done := make(chan error)
	go func() { done <- tryAdd(b, 5) }()
	<-f.asked // the write is waiting
	f.full.Store(false)
	if err := <-done; err != nil {
		t.Fatalf("the append: %v", err)
	}
	add(t, b, 6, 10)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	checkRoot(t, open(t, dir), 10)
}

// A disk that is full when the store is opened is an answer, not a wait.
func TestOpenOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	f := newFaults()
	b := f.open(t, dir)
	add(t, b, 0, 5)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{".log", ""} {
		f.on(func(op errorfs.Op) error {
			if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && op.Kind != errorfs.OpLock && op.Kind != errorfs.OpMkdirAll && strings.HasSuffix(op.Path, suffix) {
				return syscall.ENOSPC
			}
			return nil
		})
		_, err := Open(t.Context(), dir, Options{Logger: silent, fs: f})
		f.inject.Store(nil)
		if !errors.Is(err, ErrNoSpace) {
			t.Errorf("opening without room for %q: %v", suffix, err)
		}
	}
	checkRoot(t, f.open(t, dir), 5)
}

func checkRoot(t *testing.T, b *Backend, size uint64) {
	t.Helper()
	var ref reference
	if r := root(t, b); r.TreeSize != size || !bytes.Equal(r.RootHash, ref.root(t, 0, size)) {
		t.Fatalf("size %d, root %x; want size %d", r.TreeSize, r.RootHash, size)
	}
}

// Whether closing gives a waiting write up.
func TestCloseWhileWaitingForRoom(t *testing.T) {
	dir := t.TempDir()
	f := newFaults()
	b := f.open(t, dir)
	add(t, b, 0, 5)
	f.on(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileWrite && strings.HasSuffix(op.Path, ".log") {
			f.full.Store(true)
			return syscall.ENOSPC
		}
		return nil
	})
	done := make(chan error)
	go func() { done <- tryAdd(b, 5) }()
	<-f.asked
	closed := make(chan error)
	go func() { closed <- b.Close() }()
	if err := <-done; !errors.Is(err, ErrBroken) {
		t.Errorf("the append that was given up: %v", err)
	}
	if err := <-closed; !errors.Is(err, ErrBroken) {
		t.Errorf("closing: %v", err)
	}
	next := t.TempDir()
	embeddedtest.Copy(t, dir, next)
	checkRoot(t, open(t, next), 5)
}

// After a failed fsync nothing is believed until the store is opened again.
func TestFailedSync(t *testing.T) {
	dir := t.TempDir()
	f := newFaults()
	b := f.open(t, dir)
	add(t, b, 0, 300)
	f.on(func(op errorfs.Op) error {
		switch op.Kind {
		case errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
			if strings.HasSuffix(op.Path, ".log") {
				return syscall.EIO
			}
		}
		return nil
	})
	if err := tryAdd(b, 300); !errors.Is(err, ErrBroken) || status.Code(err) != codes.Unavailable {
		t.Fatalf("the append: %v", err)
	}
	f.inject.Store(nil)
	if err := tryAdd(b, 300); !errors.Is(err, ErrBroken) {
		t.Errorf("the next append: %v", err)
	}
	if _, err := b.Client().GetLatestSignedLogRoot(t.Context(), &trillian.GetLatestSignedLogRootRequest{LogId: b.TreeID()}); !errors.Is(err, ErrBroken) {
		t.Errorf("the root: %v", err)
	}
	if _, _, err := b.Next(t.Context()); !errors.Is(err, ErrBroken) {
		t.Errorf("Next: %v", err)
	}
	if err := b.Close(); !errors.Is(err, ErrBroken) {
		t.Fatalf("closing: %v", err)
	}
	again := t.TempDir()
	embeddedtest.Copy(t, dir, again)
	b = open(t, again)
	next, holes, err := b.Next(t.Context())
	if err != nil || len(holes) != 0 || next != 300 && next != 301 {
		t.Fatalf("Next is %d, %v, %v", next, holes, err)
	}
	checkRoot(t, b, next)
	add(t, b, next, next+10)
	checkRoot(t, b, next+10)
}

// fillMemtable appends until the write-ahead log must have changed, or an
// append fails.
func fillMemtable(b *Backend, from uint64) error {
	for i := from; i < from+2*memtableSize/65_536; i++ {
		l := leaf(i)
		l.ExtraData = bytes.Repeat([]byte{1}, 65_536)
		_, err := b.Client().AddSequencedLeaves(context.Background(), &trillian.AddSequencedLeavesRequest{LogId: b.TreeID(), Leaves: []*trillian.LogLeaf{l}})
		if err != nil {
			return err
		}
	}
	return nil
}

// Left to itself, Pebble ends the process when it cannot begin a new
// write-ahead log.
func TestFailedLogChange(t *testing.T) {
	dir := t.TempDir()
	f := newFaults()
	b := f.open(t, dir)
	f.on(func(op errorfs.Op) error {
		if (op.Kind == errorfs.OpCreate || op.Kind == errorfs.OpReuseForWrite) && strings.HasSuffix(op.Path, ".log") {
			return syscall.EIO
		}
		return nil
	})
	if err := fillMemtable(b, 0); !errors.Is(err, ErrBroken) {
		t.Fatalf("appending: %v", err)
	}
	if err := b.Close(); !errors.Is(err, ErrBroken) {
		t.Errorf("closing: %v", err)
	}
	opensAgain(t, dir)
}

// A manifest that cannot be written is found out in the background.
func TestFailedManifest(t *testing.T) {
	dir := t.TempDir()
	f := newFaults()
	b := f.open(t, dir)
	f.on(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileWrite && strings.Contains(op.Path, "MANIFEST") {
			return syscall.EIO
		}
		return nil
	})
	if err := fillMemtable(b, 0); err != nil && !errors.Is(err, ErrBroken) {
		t.Fatal(err)
	}
	<-f.stopped
	if err := tryAdd(b, 0); !errors.Is(err, ErrBroken) {
		t.Errorf("an append: %v", err)
	}
	if err := b.Close(); !errors.Is(err, ErrBroken) {
		t.Errorf("closing: %v", err)
	}
	opensAgain(t, dir)
}

// opensAgain opens a copy of a store that this process has to keep locked.
func opensAgain(t *testing.T, dir string) {
	t.Helper()
	next := t.TempDir()
	embeddedtest.Copy(t, dir, next)
	b := open(t, next)
	r := root(t, b)
	if r.TreeSize == 0 {
		t.Fatal("it is empty")
	}
	checkRoot(t, b, r.TreeSize)
	add(t, b, r.TreeSize, r.TreeSize+1)
}

// A transaction that fails leaves nothing, neither on the disk nor in memory.
func TestFailedTransactionLeavesNothing(t *testing.T) {
	b := open(t, t.TempDir())
	add(t, b, 0, 250)
	boom := errors.New("boom")
	err := b.store.update(t.Context(), b.tree, func(ctx context.Context, tx *writeTX) error {
		var leaves []*trillian.LogLeaf
		var nodes []stree.Node
		for i := uint64(250); i < 300; i++ {
			l := leaf(i)
			l.LeafValue = []byte("not this one")
			h := leafHash(l.LeafValue)
			l.MerkleLeafHash = h[:]
			leaves = append(leaves, l)
			nodes = append(nodes, stree.Node{ID: compact.NewNodeID(0, i), Hash: h[:]})
		}
		if _, err := tx.add(leaves, time.Now(), false); err != nil {
			return err
		}
		if err := tx.SetMerkleNodes(ctx, nodes); err != nil {
			return err
		}
		r, err := (&types.LogRootV1{TreeSize: 300, RootHash: make([]byte, 32)}).MarshalBinary()
		if err != nil {
			return err
		}
		if err := tx.StoreSignedLogRoot(ctx, &trillian.SignedLogRoot{LogRoot: r}); err != nil {
			return err
		}
		return boom
	})
	if err != boom {
		t.Fatal(err)
	}
	checkRoot(t, b, 250)
	add(t, b, 250, 600)
	checkRoot(t, b, 600)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = b.Client().AddSequencedLeaves(ctx, &trillian.AddSequencedLeavesRequest{LogId: b.TreeID(), Leaves: []*trillian.LogLeaf{leaf(600)}})
	if status.Code(err) != codes.Canceled {
		t.Errorf("a cancelled append: %v", err)
	}
	add(t, b, 600, 601)
}

// A root from the future, as after the system's clock was set back, does not
// stop integration, and roots go on getting later.
func TestClockThatStepsBack(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	add(t, b, 0, 3)
	r := root(t, b)
	future := uint64(time.Now().Add(24 * time.Hour).UnixNano())
	r.TimestampNanos = future
	bytes, err := r.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	err = b.store.update(t.Context(), b.tree, func(ctx context.Context, tx *writeTX) error {
		return tx.StoreSignedLogRoot(ctx, &trillian.SignedLogRoot{LogRoot: bytes})
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = open(t, dir)
	last := future
	for i := uint64(3); i < 6; i++ {
		add(t, b, i, i+1)
		r := root(t, b)
		if r.TreeSize != i+1 || r.TimestampNanos <= last {
			t.Fatalf("size %d at %d, after %d", r.TreeSize, r.TimestampNanos, last)
		}
		last = r.TimestampNanos
	}
}

// A rotten block fails the reads that need it, and nothing else.
func TestCorruptFile(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	add(t, b, 0, 5000)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	// The leaves are in the largest sstable, in order.
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil {
		t.Fatal(err)
	}
	var largest string
	var content []byte
	for _, name := range tables {
		c, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(c) > len(content) {
			largest, content = name, c
		}
	}
	content[100] ^= 1
	if err := os.WriteFile(largest, content, 0o600); err != nil {
		t.Fatal(err)
	}
	b = open(t, dir)
	read := func(index int64) error {
		_, err := b.Client().GetLeavesByRange(t.Context(), &trillian.GetLeavesByRangeRequest{LogId: b.TreeID(), StartIndex: index, Count: 1})
		return err
	}
	if err := read(0); status.Code(err) != codes.DataLoss {
		t.Errorf("reading from the rotten block: %v", err)
	}
	if err := read(4990); err != nil {
		t.Errorf("reading from another block: %v", err)
	}
	add(t, b, 5000, 5010)
}
