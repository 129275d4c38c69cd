package backendtest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"

	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
	"github.com/tallyroot/tallyroot/trillianlog/receipt"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
)

// Origin is that of the logs that World makes.
const Origin = "log.example/test"

// World is a log on a back end, and what a test has seen of it. Its methods end
// the test when something is not as it must be.
type World struct {
	T       testing.TB
	Subject Subject

	dir   string
	skey  string
	vkey  string
	tiles *tiles.Store // the last one opened

	mu          sync.Mutex
	receipts    map[uint64]acknowledged // by index
	checkpoints map[uint64]checkpoint.Checkpoint
}

type acknowledged struct{ value, receipt []byte }

// NewWorld makes a log's keys and folder.
func NewWorld(t testing.TB, s Subject) *World {
	t.Helper()
	skey, vkey, err := note.GenerateKey(nil, Origin)
	if err != nil {
		t.Fatal(err)
	}
	return &World{T: t, Subject: s, dir: t.TempDir(), skey: skey, vkey: vkey,
		receipts: make(map[uint64]acknowledged), checkpoints: make(map[uint64]checkpoint.Checkpoint)}
}

// Open opens the log. change, which may be nil, changes what it is made of.
func (w *World) Open(change func(*trillianlog.Options)) *trillianlog.Log {
	w.T.Helper()
	l, err := w.TryOpen(change)
	if err != nil {
		w.T.Fatal(err)
	}
	w.T.Cleanup(func() { _ = l.Close() })
	return l
}

// TryOpen opens the log, and closes the back end if that fails.
func (w *World) TryOpen(change func(*trillianlog.Options)) (*trillianlog.Log, error) {
	w.T.Helper()
	signer, err := note.NewSigner(w.skey)
	if err != nil {
		w.T.Fatal(err)
	}
	p := w.policy()
	w.settle()
	store, err := tiles.Open(filepath.Join(w.dir, "log"))
	if err != nil {
		w.T.Fatal(err)
	}
	w.tiles = store
	w.T.Cleanup(func() { _ = store.Settle() })
	o := trillianlog.Options{
		Backend: w.Subject.Open(w.T), Tiles: store, Last: trillianlog.FileLastCheckpoint(filepath.Join(w.dir, "last-checkpoint")),
		Origin: Origin, Signer: signer, Policy: p, Void: Void, Logger: Quiet,
	}
	if change != nil {
		change(&o)
	}
	l, err := trillianlog.Open(context.Background(), o)
	if err != nil {
		return nil, errors.Join(err, o.Backend.Close())
	}
	return l, nil
}

func (w *World) policy() *policy.Policy {
	p, err := policy.None(w.vkey)
	if err != nil {
		w.T.Fatal(err)
	}
	return p
}

// settle ends what an earlier log of the world may still be writing.
func (w *World) settle() {
	if w.tiles == nil {
		return
	}
	if err := w.tiles.Settle(); err != nil {
		w.T.Fatal(err)
	}
}

// Close closes the log.
func (w *World) Close(l *trillianlog.Log) {
	w.T.Helper()
	if err := l.Close(); err != nil {
		w.T.Fatal(err)
	}
	w.settle()
}

// Leaf is one whose identity follows from name and whose value from both.
func Leaf(name, text string) trillianlog.Leaf {
	return trillianlog.Leaf{Value: []byte(name + ": " + text), Identity: sha256.Sum256([]byte(name))}
}

// Void is what fills an index of a World's log.
func Void(index uint64) (trillianlog.Leaf, error) {
	return Leaf(fmt.Sprintf("void %d", index), "nothing"), nil
}

// Log adds n leaves one after the other and keeps their receipts.
func (w *World) Log(l *trillianlog.Log, prefix string, n int) {
	w.T.Helper()
	for i := range n {
		if err := w.LogOne(l, Leaf(fmt.Sprintf("%s-%d", prefix, i), "text")); err != nil {
			w.T.Fatal(err)
		}
	}
}

// LogOne logs a leaf and keeps its receipt. It may be called by many goroutines.
func (w *World) LogOne(l *trillianlog.Log, leaf trillianlog.Leaf) error {
	ticket, err := l.Add(leaf)
	if err != nil {
		return err
	}
	placed, err := ticket.Wait(context.Background())
	if err != nil {
		return err
	}
	text, err := l.Receipt(placed.Index)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.receipts[placed.Index] = acknowledged{leaf.Value, text}
	return nil
}

// Check is the whole: every receipt that was ever acknowledged verifies, its leaf
// still stands there and nowhere else, and all checkpoints ever seen are prefixes
// of the published one.
func (w *World) Check(l *trillianlog.Log) {
	w.T.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.policy()
	now, signed := l.Published()
	if signed != nil {
		if _, err := p.Check(signed); err != nil {
			w.T.Fatalf("published checkpoint: %v", err)
		}
		w.see(now)
	}
	for index, ack := range w.receipts {
		r, err := receipt.Parse(ack.receipt)
		if err != nil {
			w.T.Fatalf("receipt of leaf %d: %v", index, err)
		}
		c, err := r.Verify(leafHash(ack.value), p.Open)
		if err != nil {
			w.T.Fatalf("receipt of leaf %d: %v", index, err)
		}
		w.see(c)
		if value, err := l.Tiles().Entry(context.Background(), index); err != nil || string(value) != string(ack.value) {
			w.T.Fatalf("leaf %d is now %q (%v), it was acknowledged as %q", index, value, err, ack.value)
		}
		if _, err := l.ReceiptOf(index, leafHash(ack.value)); err != nil {
			w.T.Fatalf("new receipt of leaf %d: %v", index, err)
		}
	}
	w.checkOnce(l, now.Size)
	for size, c := range w.checkpoints {
		if size > now.Size {
			w.T.Fatalf("a checkpoint of size %d was seen, the published one has %d", size, now.Size)
		}
		path, err := l.Tiles().ConsistencyProof(size, now.Size)
		if err != nil {
			w.T.Fatal(err)
		}
		hashes := make([][]byte, len(path))
		for i := range path {
			hashes[i] = path[i][:]
		}
		if err := proof.VerifyConsistency(rfc6962.DefaultHasher, size, now.Size, hashes, c.Root[:], now.Root[:]); err != nil {
			w.T.Fatalf("checkpoint %d is no prefix of checkpoint %d: %v", size, now.Size, err)
		}
	}
}

// checkOnce wants no leaf to stand at two indices.
func (w *World) checkOnce(l *trillianlog.Log, size uint64) {
	w.T.Helper()
	if size == 0 {
		return
	}
	entries, err := l.Tiles().Entries(context.Background(), 0, size)
	if err != nil {
		w.T.Fatal(err)
	}
	at := make(map[string]int, len(entries))
	for i, entry := range entries {
		if first, ok := at[string(entry)]; ok {
			w.T.Fatalf("%q was logged twice, at %d and %d", entry, first, i)
		}
		at[string(entry)] = i
	}
}

// see fails if another checkpoint of the size was seen.
func (w *World) see(c checkpoint.Checkpoint) {
	if old, ok := w.checkpoints[c.Size]; ok && old != c {
		w.T.Fatalf("two histories: %q and %q", old.Body(), c.Body())
	}
	w.checkpoints[c.Size] = c
}

// StopsWith opens the log and expects it to serve what is published, to publish
// nothing and to take nothing, for the given reason.
func (w *World) StopsWith(reason trillianlog.Reason) {
	w.T.Helper()
	l := w.Open(nil)
	w.Stopped(l, reason)
	w.Close(l)
}

// Stopped waits until the open log has stopped for the reason, and expects what
// StopsWith does.
func (w *World) Stopped(l *trillianlog.Log, reason trillianlog.Reason) {
	w.T.Helper()
	before, _ := l.Published()
	until(w.T, "the log has stopped", func() bool { return l.Status().Err != nil })
	_, err := l.Add(Leaf("too late", "text"))
	for _, err := range []error{err, l.Status().Err} {
		var stopped *trillianlog.StopError
		if !errors.As(err, &stopped) || stopped.Reason != reason || !errors.Is(err, trillianlog.ErrStopped) {
			w.T.Fatalf("it says %v, want %q", err, reason)
		}
	}
	if st := l.Status(); st.Publishing == nil || st.Writable == nil {
		w.T.Fatalf("status %+v", st)
	}
	if after, _ := l.Published(); after != before {
		w.T.Fatalf("%d leaves were published before, %d are now", before.Size, after.Size)
	}
	w.Check(l)
}
