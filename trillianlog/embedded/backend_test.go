package embedded

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"

	"github.com/google/trillian"
	"github.com/google/trillian/types"
	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/embedded/embeddedtest"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	xtlog "golang.org/x/mod/sumdb/tlog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func open(t testing.TB, dir string) *Backend {
	t.Helper()
	b, err := Open(t.Context(), dir, Options{Logger: silent})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func value(i uint64) []byte { return fmt.Appendf(nil, "entry %d", i) }

func identity(i uint64) [32]byte { return sha256.Sum256(fmt.Appendf(nil, "identity %d", i)) }

func leaf(i uint64) *trillian.LogLeaf {
	id := identity(i)
	return &trillian.LogLeaf{LeafIndex: int64(i), LeafValue: value(i), LeafIdentityHash: id[:]}
}

// add adds leaves [from, to) and wants each to be taken.
func add(t testing.TB, b *Backend, from, to uint64) {
	t.Helper()
	for from < to {
		n := min(to-from, 1000)
		req := &trillian.AddSequencedLeavesRequest{LogId: b.TreeID()}
		for i := from; i < from+n; i++ {
			req.Leaves = append(req.Leaves, leaf(i))
		}
		resp, err := b.Client().AddSequencedLeaves(context.Background(), req)
		if err != nil {
			t.Fatalf("adding leaves from %d: %v", from, err)
		}
		for i, r := range resp.Results {
			if c := codes.Code(r.GetStatus().GetCode()); c != codes.OK {
				t.Fatalf("leaf %d: %v %s", from+uint64(i), c, r.Status.Message)
			}
		}
		from += n
	}
}

func root(t testing.TB, b *Backend) types.LogRootV1 {
	t.Helper()
	resp, err := b.Client().GetLatestSignedLogRoot(context.Background(), &trillian.GetLatestSignedLogRootRequest{LogId: b.TreeID()})
	if err != nil {
		t.Fatal(err)
	}
	var r types.LogRootV1
	if err := r.UnmarshalBinary(resp.SignedLogRoot.LogRoot); err != nil {
		t.Fatal(err)
	}
	return r
}

// reference computes roots with x/mod's implementation.
type reference struct{ hashes []xtlog.Hash }

func (r *reference) ReadHashes(indexes []int64) ([]xtlog.Hash, error) {
	out := make([]xtlog.Hash, len(indexes))
	for i, at := range indexes {
		out[i] = r.hashes[at]
	}
	return out, nil
}

func (r *reference) root(t testing.TB, from, to uint64) []byte {
	t.Helper()
	for i := from; i < to; i++ {
		h, err := xtlog.StoredHashes(int64(i), value(i), r)
		if err != nil {
			t.Fatal(err)
		}
		r.hashes = append(r.hashes, h...)
	}
	h, err := xtlog.TreeHash(int64(to), r)
	if err != nil {
		t.Fatal(err)
	}
	return h[:]
}

// sizes are around the edges of tiles; 66,000 has a full tile of level 1.
var sizes = []uint64{1, 2, 3, 255, 256, 257, 511, 512, 1000, 1024, 65_535, 65_536, 65_537, 66_000}

func TestRootsAreThoseOfAnotherImplementation(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	if r := root(t, b); r.TreeSize != 0 || !bytes.Equal(r.RootHash, rfc6962.DefaultHasher.EmptyRoot()) {
		t.Fatalf("a new log has size %d, root %x", r.TreeSize, r.RootHash)
	}
	var ref reference
	var size, last uint64
	for _, next := range sizes {
		add(t, b, size, next)
		want := ref.root(t, size, next)
		size = next
		r := root(t, b)
		if r.TreeSize != size || !bytes.Equal(r.RootHash, want) {
			t.Fatalf("size %d, root %x; want size %d, root %x", r.TreeSize, r.RootHash, size, want)
		}
		if r.TimestampNanos <= last {
			t.Errorf("size %d: time %d is not after %d", size, r.TimestampNanos, last)
		}
		last = r.TimestampNanos
		// The same after it was opened again, with the edge rebuilt.
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		b = open(t, dir)
		if again := root(t, b); !bytes.Equal(again.RootHash, want) || again.TreeSize != size {
			t.Fatalf("after opening again: size %d, root %x", again.TreeSize, again.RootHash)
		}
		if err := b.Reserve(); err != nil {
			t.Fatalf("after opening again: %v", err)
		}
	}
	checkProofs(t, b, &ref)
}

// checkProofs verifies proofs at many sizes with transparency-dev/merkle.
func checkProofs(t *testing.T, b *Backend, ref *reference) {
	ctx := context.Background()
	roots := map[uint64][]byte{}
	for _, size := range sizes {
		h, err := xtlog.TreeHash(int64(size), ref)
		if err != nil {
			t.Fatal(err)
		}
		roots[size] = h[:]
	}
	for _, size := range sizes {
		for _, index := range []uint64{0, 1, size / 3, size / 2, size - 1} {
			if index >= size {
				continue
			}
			resp, err := b.Client().GetInclusionProof(ctx, &trillian.GetInclusionProofRequest{
				LogId: b.TreeID(), LeafIndex: int64(index), TreeSize: int64(size)})
			if err != nil {
				t.Fatalf("inclusion of %d in %d: %v", index, size, err)
			}
			h := rfc6962.DefaultHasher.HashLeaf(value(index))
			if err := proof.VerifyInclusion(rfc6962.DefaultHasher, index, size, h, resp.Proof.Hashes, roots[size]); err != nil {
				t.Errorf("inclusion of %d in %d: %v", index, size, err)
			}
		}
		for _, from := range sizes {
			if from > size {
				break
			}
			resp, err := b.Client().GetConsistencyProof(ctx, &trillian.GetConsistencyProofRequest{
				LogId: b.TreeID(), FirstTreeSize: int64(from), SecondTreeSize: int64(size)})
			if err != nil {
				t.Fatalf("consistency of %d and %d: %v", from, size, err)
			}
			if err := proof.VerifyConsistency(rfc6962.DefaultHasher, from, size, resp.Proof.Hashes, roots[from], roots[size]); err != nil {
				t.Errorf("consistency of %d and %d: %v", from, size, err)
			}
		}
	}
}

func TestLeavesComeBack(t *testing.T) {
	b := open(t, t.TempDir())
	add(t, b, 0, 300)
	extra := leaf(300)
	extra.ExtraData = []byte("beside")
	sendOne(t, b, extra, codes.OK)
	same := &trillian.LogLeaf{LeafIndex: 301, LeafValue: value(301)} // identity = leaf hash
	sendOne(t, b, same, codes.OK)

	resp, err := b.Client().GetLeavesByRange(t.Context(), &trillian.GetLeavesByRangeRequest{LogId: b.TreeID(), StartIndex: 0, Count: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if len(resp.Leaves) != 302 {
		t.Fatalf("%d leaves, want 302", len(resp.Leaves))
	}
	for i, l := range resp.Leaves {
		i := uint64(i)
		id := identity(i)
		wantID, wantExtra := id[:], ""
		h := rfc6962.DefaultHasher.HashLeaf(value(i))
		if i == 300 {
			wantExtra = "beside"
		} else if i == 301 {
			wantID = h
		}
		if l.LeafIndex != int64(i) || !bytes.Equal(l.LeafValue, value(i)) || !bytes.Equal(l.LeafIdentityHash, wantID) ||
			!bytes.Equal(l.MerkleLeafHash, h) || string(l.ExtraData) != wantExtra || l.QueueTimestamp.AsTime().Year() < 2020 {
			t.Fatalf("leaf %d came back as %v", i, l)
		}
	}
}

func sendOne(t testing.TB, b *Backend, l *trillian.LogLeaf, want codes.Code) *trillian.QueuedLogLeaf {
	t.Helper()
	resp, err := b.Client().AddSequencedLeaves(context.Background(),
		&trillian.AddSequencedLeavesRequest{LogId: b.TreeID(), Leaves: []*trillian.LogLeaf{l}})
	if err != nil {
		t.Fatal(err)
	}
	r := resp.Results[0]
	if got := codes.Code(r.GetStatus().GetCode()); got != want {
		t.Fatalf("leaf %d: %v %q, want %v", l.LeafIndex, got, r.Status.GetMessage(), want)
	}
	return r
}

func TestDuplicatesAndConflicts(t *testing.T) {
	b := open(t, t.TempDir())
	add(t, b, 0, 10)
	before := root(t, b)

	tests := []struct {
		name   string
		change func(*trillian.LogLeaf)
		want   codes.Code
		at     int64 // the stored leaf that is given back
	}{
		{"the same again", func(*trillian.LogLeaf) {}, codes.AlreadyExists, 3},
		{"identity with another value", func(l *trillian.LogLeaf) { l.LeafValue = []byte("other") }, codes.FailedPrecondition, 3},
		{"index with another identity", func(l *trillian.LogLeaf) { l.LeafIdentityHash = bytes.Repeat([]byte{9}, 32) }, codes.FailedPrecondition, 3},
		{"identity at another index", func(l *trillian.LogLeaf) { l.LeafIndex = 10 }, codes.FailedPrecondition, 3},
		{"identity at another taken index", func(l *trillian.LogLeaf) { l.LeafIndex = 5 }, codes.FailedPrecondition, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := leaf(3)
			tt.change(l)
			r := sendOne(t, b, l, tt.want)
			if r.Leaf.GetLeafIndex() != tt.at || !bytes.Equal(r.Leaf.GetLeafValue(), value(3)) {
				t.Errorf("gave back %v", r.Leaf)
			}
			if r := root(t, b); r.TreeSize != before.TreeSize || !bytes.Equal(r.RootHash, before.RootHash) {
				t.Errorf("the tree changed to size %d", r.TreeSize)
			}
		})
	}

	t.Run("twice in one batch", func(t *testing.T) {
		second := leaf(10)
		second.LeafIndex = 11
		resp, err := b.Client().AddSequencedLeaves(t.Context(), &trillian.AddSequencedLeavesRequest{LogId: b.TreeID(),
			Leaves: []*trillian.LogLeaf{leaf(10), second}})
		if err != nil {
			t.Fatal(err)
		}
		if c := codes.Code(resp.Results[0].Status.Code); c != codes.OK {
			t.Errorf("the first: %v", c)
		}
		if c := codes.Code(resp.Results[1].Status.Code); c != codes.FailedPrecondition {
			t.Errorf("the second: %v", c)
		}
	})
	t.Run("identity of the wrong length", func(t *testing.T) {
		l := leaf(11)
		l.LeafIdentityHash = l.LeafIdentityHash[:31]
		_, err := b.Client().AddSequencedLeaves(t.Context(), &trillian.AddSequencedLeavesRequest{LogId: b.TreeID(), Leaves: []*trillian.LogLeaf{l}})
		if status.Code(err) != codes.FailedPrecondition {
			t.Errorf("%v", err)
		}
	})
}

// Identities that begin alike share a key.
func TestIdentitiesThatBeginAlike(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	ids := make([][32]byte, 6)
	for i := range ids {
		ids[i] = identity(0)
		ids[i][31] = byte(i)
	}
	put := func(from, to int) {
		req := &trillian.AddSequencedLeavesRequest{LogId: b.TreeID()}
		for i := from; i < to; i++ {
			l := leaf(uint64(i))
			l.LeafIdentityHash = ids[i][:]
			req.Leaves = append(req.Leaves, l)
		}
		resp, err := b.Client().AddSequencedLeaves(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range resp.Results {
			if r.Status.Code != 0 {
				t.Fatalf("leaf %d: %v", from+i, r.Status)
			}
		}
	}
	put(0, 3)
	put(3, 5)
	found, err := b.Find(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 5 {
		t.Errorf("found %d, want 5", len(found))
	}
	for i, id := range ids[:5] {
		if found[id].Index != uint64(i) {
			t.Errorf("identity %d is at %d", i, found[id].Index)
		}
	}
	again := leaf(5)
	again.LeafIdentityHash = ids[4][:]
	sendOne(t, b, again, codes.FailedPrecondition)
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	add(t, b, 0, 2000)
	for range 2 { // from the memtable, then from sstables
		found, err := b.Find(t.Context(), [][32]byte{identity(7), identity(1999), identity(2000), {}})
		if err != nil {
			t.Fatal(err)
		}
		want := map[[32]byte]trillianlog.Stored{}
		for _, i := range []uint64{7, 1999} {
			want[identity(i)] = trillianlog.Stored{Index: i, LeafHash: [32]byte(rfc6962.DefaultHasher.HashLeaf(value(i)))}
		}
		if len(found) != len(want) {
			t.Errorf("found %v, want %v", found, want)
		}
		for id, w := range want {
			if found[id] != w {
				t.Errorf("found %v, want %v", found[id], w)
			}
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		b = open(t, dir)
	}
}

func TestGaps(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	next := func(want uint64, holes ...uint64) {
		t.Helper()
		n, h, err := b.Next(t.Context())
		if err != nil || n != want || fmt.Sprint(h) != fmt.Sprint(holes) {
			t.Errorf("Next is %d, %v, %v; want %d, %v", n, h, err, want, holes)
		}
	}
	next(0)
	add(t, b, 0, 3)
	next(3)
	add(t, b, 4, 6)
	add(t, b, 8, 600)
	next(600, 3, 6, 7)
	if r := root(t, b); r.TreeSize != 3 {
		t.Fatalf("size %d, want 3", r.TreeSize)
	}
	// A leaf behind a gap counts as taken, also after opening again.
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = open(t, dir)
	next(600, 3, 6, 7)
	if found, err := b.Find(t.Context(), [][32]byte{identity(9)}); err != nil || found[identity(9)].Index != 9 {
		t.Errorf("found %v, %v", found, err)
	}
	add(t, b, 3, 4)
	if r := root(t, b); r.TreeSize != 6 {
		t.Fatalf("size %d, want 6", r.TreeSize)
	}
	add(t, b, 6, 8)
	var ref reference
	if r := root(t, b); r.TreeSize != 600 || !bytes.Equal(r.RootHash, ref.root(t, 0, 600)) {
		t.Fatalf("size %d, want 600", r.TreeSize)
	}
	next(600)

	sendOne(t, b, leaf(600+maxGap+1), codes.OutOfRange)
	sendOne(t, b, leaf(600+maxGap), codes.OK)
	next(600+maxGap+1, sequence(600, 600+maxGap)...)
}

func sequence(from, to uint64) []uint64 {
	var out []uint64
	for ; from < to; from++ {
		out = append(out, from)
	}
	return out
}

// More leaves wait behind a gap than one integration or one read takes.
func TestLongGap(t *testing.T) {
	b := open(t, t.TempDir())
	const n = integrateAtOnce*2 + 100
	add(t, b, 1, n)
	add(t, b, 0, 1)
	var ref reference
	if r := root(t, b); r.TreeSize != n || !bytes.Equal(r.RootHash, ref.root(t, 0, n)) {
		t.Fatalf("size %d, want %d", r.TreeSize, n)
	}
	add(t, b, n, n+300)
	if r := root(t, b); !bytes.Equal(r.RootHash, ref.root(t, n, n+300)) {
		t.Fatalf("size %d: wrong root", r.TreeSize)
	}
}

func TestFlippedLeafIsSeen(t *testing.T) {
	for _, tt := range []struct {
		name    string
		index   uint64
		damaged bool // the leaf is in the right edge, which is rebuilt from it
	}{{"in a full tile", 100, false}, {"in the right edge", 290, true}} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			b := open(t, dir)
			add(t, b, 0, 300)
			want := root(t, b)
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			embeddedtest.FlipLeaf(t, dir, tt.index)
			b = open(t, dir)
			resp, err := b.Client().GetLeavesByRange(t.Context(), &trillian.GetLeavesByRangeRequest{LogId: b.TreeID(), Count: 300})
			if err != nil {
				t.Fatal(err)
			}
			var hashes []xtlog.Hash
			ref := &reference{}
			for i, l := range resp.Leaves {
				hs, err := xtlog.StoredHashes(int64(i), l.LeafValue, ref)
				if err != nil {
					t.Fatal(err)
				}
				ref.hashes = append(ref.hashes, hs...)
				hashes = append(hashes, xtlog.RecordHash(l.LeafValue))
				if h := xtlog.RecordHash(l.LeafValue); !bytes.Equal(h[:], l.MerkleLeafHash) {
					t.Errorf("leaf %d is served with a hash that is not its own", i)
				}
			}
			rebuilt, err := xtlog.TreeHash(int64(len(hashes)), ref)
			if err != nil {
				t.Fatal(err)
			}
			if got := root(t, b); !bytes.Equal(got.RootHash, want.RootHash) {
				t.Fatalf("the stored root changed")
			}
			if bytes.Equal(rebuilt[:], want.RootHash) {
				t.Error("the changed leaf gives the same root")
			}
			if err := b.Reserve(); errors.Is(err, ErrDamaged) != tt.damaged {
				t.Errorf("Reserve: %v", err)
			}
			if tt.damaged {
				_, err := b.Client().AddSequencedLeaves(t.Context(), &trillian.AddSequencedLeavesRequest{LogId: b.TreeID(), Leaves: []*trillian.LogLeaf{leaf(300)}})
				if !errors.Is(err, ErrDamaged) || status.Code(err) != codes.DataLoss {
					t.Errorf("an append to it: %v", err)
				}
			}
		})
	}
}

func TestSecondOpenIsRefused(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	_, err := Open(t.Context(), dir, Options{Logger: silent})
	if !errors.Is(err, ErrInUse) || !bytes.Contains([]byte(err.Error()), []byte(dir)) {
		t.Fatalf("%v", err)
	}
	add(t, b, 0, 1)
}

func TestClosed(t *testing.T) {
	b := open(t, t.TempDir())
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
	if _, err := b.Client().GetLatestSignedLogRoot(t.Context(), &trillian.GetLatestSignedLogRootRequest{LogId: b.TreeID()}); !errors.Is(err, ErrClosed) || status.Code(err) != codes.Unavailable {
		t.Errorf("an RPC: %v", err)
	}
	if _, _, err := b.Next(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("Next: %v", err)
	}
	if _, err := b.Find(t.Context(), nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Find: %v", err)
	}
}
