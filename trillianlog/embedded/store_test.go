package embedded

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/trillian"
	"github.com/google/trillian/storage"
	"github.com/google/trillian/types"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Readers see whole trees while a writer fills the tiles that they read.
func TestReadersBesideAWriter(t *testing.T) {
	b := open(t, t.TempDir())
	add(t, b, 0, 10)
	ctx := context.Background()
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for n := range 3 {
		readers.Go(func() {
			for i := n; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := readOnce(ctx, b, i); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for at := uint64(10); at < 3000; at += 37 {
		add(t, b, at, at+37)
	}
	close(stop)
	readers.Wait()
}

func readOnce(ctx context.Context, b *Backend, i int) error {
	resp, err := b.Client().GetLatestSignedLogRoot(ctx, &trillian.GetLatestSignedLogRootRequest{LogId: b.TreeID()})
	if err != nil {
		return err
	}
	var r types.LogRootV1
	if err := r.UnmarshalBinary(resp.SignedLogRoot.LogRoot); err != nil {
		return err
	}
	index := uint64(i) * 7919 % r.TreeSize
	p, err := b.Client().GetInclusionProof(ctx, &trillian.GetInclusionProofRequest{LogId: b.TreeID(), LeafIndex: int64(index), TreeSize: int64(r.TreeSize)})
	if err != nil {
		return err
	}
	h := rfc6962.DefaultHasher.HashLeaf(value(index))
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, index, r.TreeSize, h, p.Proof.Hashes, r.RootHash); err != nil {
		return fmt.Errorf("leaf %d at size %d: %w", index, r.TreeSize, err)
	}
	_, _, err = b.Next(ctx)
	return err
}

func TestUnknownFolders(t *testing.T) {
	set := func(key, value []byte) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			db, err := pebble.Open(dir, &pebble.Options{FormatMajorVersion: formatMajor, LoggerAndTracer: pebbleSilence{}})
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Set(key, value, pebble.Sync); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, tt := range []struct {
		name  string
		first bool // there is a store already
		make  func(*testing.T, string)
		want  string
	}{
		{"another database", false, set([]byte("k"), []byte("v")), "no store of a log"},
		{"a newer version", true, set(keyFormat, []byte{formatVersion + 1}), "newer"},
		{"no version", true, set(keyFormat, nil), "version"},
		{"no tree", true, set(keyLog, nil), "which tree"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if tt.first {
				if err := open(t, dir).Close(); err != nil {
					t.Fatal(err)
				}
			}
			tt.make(t, dir)
			for range 2 { // the second time shows that the first let go of it
				_, err := Open(t.Context(), dir, Options{Logger: silent})
				if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), dir) {
					t.Fatalf("%v", err)
				}
			}
		})
	}
}

type pebbleSilence struct{ pebble.LoggerAndTracer }

func (pebbleSilence) Infof(string, ...any)                   {}
func (pebbleSilence) Errorf(string, ...any)                  {}
func (pebbleSilence) Eventf(context.Context, string, ...any) {}
func (pebbleSilence) IsTracingEnabled(context.Context) bool  { return false }

// Between the making of the tree and of its first root there may be a crash.
func TestTreeIsInitialisedLater(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	if err := b.store.disk.db.Delete(treeKey(kindHead, b.TreeID()), pebble.Sync); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = open(t, dir)
	add(t, b, 0, 3)
	checkRoot(t, b, 3)
}

// Leaves that are gone while the root is not are no reason to begin again.
func TestLostLeaves(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	add(t, b, 0, 512)
	for i := uint64(500); i < 512; i++ {
		if err := b.store.disk.db.Delete(leafKey(b.TreeID(), i), pebble.Sync); err != nil {
			t.Fatal(err)
		}
	}
	_, err := b.Client().GetLeavesByRange(t.Context(), &trillian.GetLeavesByRangeRequest{LogId: b.TreeID(), StartIndex: 490, Count: 50})
	if status.Code(err) != codes.DataLoss {
		t.Errorf("reading lost leaves: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = open(t, dir)
	if err := b.Reserve(); !errors.Is(err, ErrDamaged) {
		t.Errorf("Reserve: %v", err)
	}
	if err := tryAdd(b, 500); !errors.Is(err, ErrDamaged) {
		t.Errorf("an append: %v", err)
	}
}

func TestHardDeleteLeavesNothing(t *testing.T) {
	s := testStore(t)
	ctx := t.Context()
	a := (*admin)(s)
	withLeaf := func() *trillian.Tree {
		tree, err := storage.CreateTree(ctx, a, &trillian.Tree{TreeState: trillian.TreeState_ACTIVE,
			TreeType: trillian.TreeType_PREORDERED_LOG, MaxRootDuration: durationpb.New(0)})
		if err != nil {
			t.Fatal(err)
		}
		l := leaf(0)
		h := leafHash(l.LeafValue)
		l.MerkleLeafHash = h[:]
		if _, err := s.AddSequencedLeaves(ctx, tree, []*trillian.LogLeaf{l}, time.Now()); err != nil {
			t.Fatal(err)
		}
		return tree
	}
	kept, gone := withLeaf(), withLeaf()
	if _, err := storage.SoftDeleteTree(ctx, a, gone.TreeId); err != nil {
		t.Fatal(err)
	}
	if ids, err := s.GetActiveLogIDs(ctx); err != nil || len(ids) != 1 || ids[0] != kept.TreeId {
		t.Errorf("active logs: %v, %v", ids, err)
	}
	if err := storage.HardDeleteTree(ctx, a, gone.TreeId); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SnapshotForTree(ctx, gone); status.Code(err) != codes.NotFound {
		t.Errorf("a deleted tree: %v", err)
	}
	it, err := s.disk.db.NewIter(&pebble.IterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	keys := 0
	for ok := it.First(); ok; ok = it.Next() {
		keys++
		if !bytes.Contains(it.Key(), treeKey(kindTree, kept.TreeId)[1:]) {
			t.Errorf("left over: %x", it.Key())
		}
	}
	if keys != 3 { // tree, identity, leaf
		t.Errorf("%d keys of the other tree, want 3", keys)
	}
}

func TestTileCacheIsBounded(t *testing.T) {
	c := newTileCache(3)
	key := func(i uint64) cacheKey { return cacheKey{1, tileID{0, i}} }
	for i := range uint64(4) {
		c.add(key(i), new(tile))
		c.get(key(0))
	}
	for i, want := range []bool{true, false, true, true} {
		if got := c.get(key(uint64(i))) != nil; got != want {
			t.Errorf("tile %d is there: %t, want %t", i, got, want)
		}
	}
	c.drop(1)
	if c.order.Len() != 0 || len(c.byKey) != 0 {
		t.Error("drop left tiles")
	}
}

// The place of a node, against the definition: its leaves are those below it.
func TestPlace(t *testing.T) {
	for level := range uint(20) {
		for _, index := range []uint64{0, 1, 2, 127, 128, 255, 256, 1000} {
			id, height, i := place(compact.NewNodeID(level, index))
			// The node's first hash in the tile's bottom row, in that level's numbering.
			first := id.index*tileWidth + i<<height
			if uint(id.level) != level/8 || height != level%8 || first != index<<height || i >= tileWidth>>height {
				t.Errorf("node (%d, %d) is in %v at (%d, %d)", level, index, id, height, i)
			}
		}
	}
}

func TestAfter(t *testing.T) {
	for prefix, want := range map[string]string{"a": "b", "a\x00": "a\x01", "a\xff": "b", "a\xff\xff": "b"} {
		if got := after([]byte(prefix)); string(got) != want {
			t.Errorf("after(%q) is %q, want %q", prefix, got, want)
		}
	}
}

// Trillian's package log adds one flag; nothing else may.
func TestFlags(t *testing.T) {
	flag.VisitAll(func(f *flag.Flag) {
		if !strings.HasPrefix(f.Name, "test.") && f.Name != "tree_ids_with_no_ephemeral_nodes" {
			t.Errorf("flag %s", f.Name)
		}
	})
}

func FuzzLeafRecord(f *testing.F) {
	f.Add([]byte("value"), []byte(nil), []byte(nil), int64(1), true)
	f.Add([]byte(""), []byte("extra"), bytes.Repeat([]byte{1}, 32), int64(math.MaxInt64), false)
	f.Fuzz(func(t *testing.T, value, extra, identity []byte, nanos int64, own bool) {
		h := leafHash(value)
		if own {
			h[0] ^= 1
		}
		if len(identity) != hashSize {
			identity = h[:]
		}
		leaf := &trillian.LogLeaf{LeafIndex: 7, LeafValue: value, ExtraData: extra, LeafIdentityHash: identity, MerkleLeafHash: h[:]}
		r := newLeafRecord(leaf, time.Unix(0, nanos), false)
		b := make([]byte, r.size())
		r.put(b)
		got, err := parseLeaf(b, 7)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.LeafValue, value) || !bytes.Equal(got.ExtraData, extra) || !bytes.Equal(got.LeafIdentityHash, identity) ||
			!bytes.Equal(got.MerkleLeafHash, h[:]) || got.QueueTimestamp.AsTime().UnixNano() != nanos || got.LeafIndex != 7 {
			t.Fatalf("%v came back as %v", leaf, got)
		}
	})
}

// What is on the disk may be anything: an answer or an error.
func FuzzStored(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8})
	f.Add(append([]byte{flagExtra | flagNoIdentity, 0, 0, 0, 0, 0, 0, 0, 0}, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		if leaf, err := parseLeaf(b, 1); (leaf == nil) == (err == nil) {
			t.Error("a leaf and an error, or neither")
		}
		if _, err := parseTile(b); err == nil && len(b) != tileWidth*hashSize {
			t.Errorf("a tile of %d bytes", len(b))
		}
		if at, err := parseIndices(b); err == nil && len(at) == 0 && len(b) > 0 {
			t.Error("no index in something")
		}
	})
}
