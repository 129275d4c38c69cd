package trillianlog_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/trillian"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"google.golang.org/grpc"

	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/embedded"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
	"github.com/tallyroot/tallyroot/trillianlog/receipt"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
)

const (
	origin = "log.example/test"
)

// world is a data directory and what a test has seen of its log.
type world struct {
	tb   testing.TB
	dir  string
	skey string
	vkey string

	store *tiles.Store // the last one opened

	mu          sync.Mutex
	receipts    map[uint64]acknowledged // by index
	checkpoints map[uint64]checkpoint.Checkpoint
}

type acknowledged struct {
	value   []byte
	receipt []byte
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	skey, vkey, err := note.GenerateKey(nil, origin)
	if err != nil {
		tb.Fatal(err)
	}
	return &world{tb: tb, dir: tb.TempDir(), skey: skey, vkey: vkey,
		receipts: make(map[uint64]acknowledged), checkpoints: make(map[uint64]checkpoint.Checkpoint)}
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

// options are those of a log on the real parts. change may be nil.
func (w *world) options(change func(*trillianlog.Options)) (trillianlog.Options, error) {
	signer, err := note.NewSigner(w.skey)
	if err != nil {
		return trillianlog.Options{}, err
	}
	p, err := policy.None(w.vkey)
	if err != nil {
		return trillianlog.Options{}, err
	}
	if w.store != nil { // of a log that crashed: its timer must not write beside the next one
		if err := w.store.Settle(); err != nil {
			return trillianlog.Options{}, err
		}
	}
	store, err := tiles.Open(w.path("log"))
	if err != nil {
		return trillianlog.Options{}, err
	}
	w.store = store
	if w.tb != nil { // a child to be killed has none
		w.tb.Cleanup(func() { _ = store.Settle() })
	}
	backend, err := embedded.Open(context.Background(), w.path("store"), embedded.Options{Logger: quiet})
	if err != nil {
		return trillianlog.Options{}, err
	}
	o := trillianlog.Options{
		Backend: backend, Tiles: store, Last: trillianlog.FileLastCheckpoint(w.path("last-checkpoint")),
		Origin: origin, Signer: signer, Policy: p, Void: void, Logger: quiet,
	}
	if change != nil {
		change(&o)
	}
	return o, nil
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// tryOpen opens the log, and closes the back end if that fails.
func (w *world) tryOpen(change func(*trillianlog.Options)) (*trillianlog.Log, error) {
	o, err := w.options(change)
	if err != nil {
		return nil, err
	}
	l, err := trillianlog.Open(context.Background(), o)
	if err != nil {
		return nil, errors.Join(err, o.Backend.Close())
	}
	return l, nil
}

func (w *world) open(change func(*trillianlog.Options)) *trillianlog.Log {
	w.tb.Helper()
	l, err := w.tryOpen(change)
	if err != nil {
		w.tb.Fatal(err)
	}
	w.tb.Cleanup(func() { l.Close() })
	return l
}

func (w *world) close(l *trillianlog.Log) {
	w.tb.Helper()
	if err := l.Close(); err != nil {
		w.tb.Fatal(err)
	}
	if err := w.store.Settle(); err != nil {
		w.tb.Fatal(err)
	}
}

// leaf is one whose identity follows from name and whose value from both.
func leaf(name, text string) trillianlog.Leaf {
	return trillianlog.Leaf{Value: []byte(name + ": " + text), Identity: sha256.Sum256([]byte(name))}
}

func void(index uint64) (trillianlog.Leaf, error) {
	return leaf(fmt.Sprintf("void %d", index), "nothing"), nil
}

// log adds leaves one after the other and keeps their receipts.
func (w *world) log(l *trillianlog.Log, prefix string, n int) {
	w.tb.Helper()
	for i := range n {
		if err := w.logOne(l, leaf(fmt.Sprintf("%s-%d", prefix, i), "text")); err != nil {
			w.tb.Fatal(err)
		}
	}
}

func (w *world) logOne(l *trillianlog.Log, leaf trillianlog.Leaf) error {
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
	w.keep(placed.Index, leaf.Value, text)
	return nil
}

func (w *world) keep(index uint64, value, text []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.receipts[index] = acknowledged{value, text}
}

// check is the whole: every receipt that was ever acknowledged verifies, its
// leaf still stands there, and all checkpoints ever seen are prefixes of the
// published one.
func (w *world) check(l *trillianlog.Log) {
	w.tb.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	p, err := policy.None(w.vkey)
	if err != nil {
		w.tb.Fatal(err)
	}
	now, signed := l.Published()
	if signed != nil {
		if _, err := p.Check(signed); err != nil {
			w.tb.Fatalf("published checkpoint: %v", err)
		}
		w.checkpoints[now.Size] = w.same(now)
	}
	for index, ack := range w.receipts {
		r, err := receipt.Parse(ack.receipt)
		if err != nil {
			w.tb.Fatalf("receipt of leaf %d: %v", index, err)
		}
		c, err := r.Verify(rfcLeafHash(ack.value), p.Open)
		if err != nil {
			w.tb.Fatalf("receipt of leaf %d: %v", index, err)
		}
		w.checkpoints[c.Size] = w.same(c)
		if value, err := l.Tiles().Entry(context.Background(), index); err != nil || string(value) != string(ack.value) {
			w.tb.Fatalf("leaf %d is now %q (%v), it was acknowledged as %q", index, value, err, ack.value)
		}
		if _, err := l.ReceiptOf(index, rfcLeafHash(ack.value)); err != nil {
			w.tb.Fatalf("new receipt of leaf %d: %v", index, err)
		}
	}
	for size, c := range w.checkpoints {
		if size > now.Size {
			w.tb.Fatalf("a checkpoint of size %d was seen, the published one has %d", size, now.Size)
		}
		path, err := l.Tiles().ConsistencyProof(size, now.Size)
		if err != nil {
			w.tb.Fatal(err)
		}
		hashes := make([][]byte, len(path))
		for i := range path {
			hashes[i] = path[i][:]
		}
		if err := proof.VerifyConsistency(rfc6962.DefaultHasher, size, now.Size, hashes, c.Root[:], now.Root[:]); err != nil {
			w.tb.Fatalf("checkpoint %d is no prefix of checkpoint %d: %v", size, now.Size, err)
		}
	}
}

// same fails if another checkpoint of the size was seen.
func (w *world) same(c checkpoint.Checkpoint) checkpoint.Checkpoint {
	if old, ok := w.checkpoints[c.Size]; ok && old != c {
		w.tb.Fatalf("two histories: %q and %q", old.Body(), c.Body())
	}
	return c
}

func rfcLeafHash(value []byte) (hash [32]byte) {
	copy(hash[:], rfc6962.DefaultHasher.HashLeaf(value))
	return hash
}

// copyDir copies a folder's files, as a backup would.
func copyDir(tb testing.TB, from, to string) {
	tb.Helper()
	if err := os.RemoveAll(to); err != nil {
		tb.Fatal(err)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		tb.Fatal(err)
	}
}

// flaky is a back end whose calls a test can make fail.
type flaky struct {
	trillianlog.Backend
	add  func(ctx context.Context, request *trillian.AddSequencedLeavesRequest, next trillian.TrillianLogClient) (*trillian.AddSequencedLeavesResponse, error)
	next func(ctx context.Context) error
}

func (f *flaky) Client() trillian.TrillianLogClient {
	return &flakyClient{f.Backend.Client(), f}
}

func (f *flaky) Next(ctx context.Context) (uint64, []uint64, error) {
	if f.next != nil {
		if err := f.next(ctx); err != nil {
			return 0, nil, err
		}
	}
	return f.Backend.Next(ctx)
}

type flakyClient struct {
	trillian.TrillianLogClient
	f *flaky
}

func (c *flakyClient) AddSequencedLeaves(ctx context.Context, request *trillian.AddSequencedLeavesRequest, _ ...grpc.CallOption) (*trillian.AddSequencedLeavesResponse, error) {
	if c.f.add == nil {
		return c.TrillianLogClient.AddSequencedLeaves(ctx, request)
	}
	return c.f.add(ctx, request, c.TrillianLogClient)
}
