package backendtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/trillian"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"google.golang.org/grpc/codes"

	"github.com/tallyroot/tallyroot/trillianlog"
)

func empty(t *testing.T, sub Subject) {
	s := open(t, sub)
	for range 2 {
		s.next(0)
		if root := s.root(); root.TreeSize != 0 || !bytes.Equal(root.RootHash, rfc6962.DefaultHasher.EmptyRoot()) {
			t.Fatalf("size %d, root %x", root.TreeSize, root.RootHash)
		}
		for _, ids := range [][][32]byte{nil, {identity(0)}} {
			if found, err := s.Find(t.Context(), ids); err != nil || len(found) != 0 {
				t.Fatalf("found %v, %v", found, err)
			}
		}
		s.reopen()
	}
}

// sizes lie around the edges of Trillian's subtrees.
var sizes = []uint64{1, 2, 3, 255, 256, 257, 512, 1300}

func rootsAndProofs(t *testing.T, sub Subject) {
	s := open(t, sub)
	var ref reference
	roots := make(map[uint64][]byte)
	var size, last uint64
	for _, next := range sizes {
		s.add(size, next)
		root := s.grown(next)
		ref.is(t, root, size)
		if root.TimestampNanos <= last {
			t.Errorf("size %d: its time %d is not after %d", next, root.TimestampNanos, last)
		}
		size, last, roots[next] = next, root.TimestampNanos, root.RootHash
	}
	s.reopen()
	ref.is(t, s.root(), size)
	for _, size := range sizes {
		for _, index := range []uint64{0, size / 3, size - 1} {
			response, err := s.Client().GetInclusionProof(t.Context(), &trillian.GetInclusionProofRequest{
				LogId: s.TreeID(), LeafIndex: int64(index), TreeSize: int64(size)})
			if err != nil {
				t.Fatalf("inclusion of %d in %d: %v", index, size, err)
			}
			hash := leafHash(value(index))
			if err := proof.VerifyInclusion(rfc6962.DefaultHasher, index, size, hash[:], response.GetProof().GetHashes(), roots[size]); err != nil {
				t.Errorf("inclusion of %d in %d: %v", index, size, err)
			}
		}
		for _, from := range sizes {
			if from > size {
				break
			}
			response, err := s.Client().GetConsistencyProof(t.Context(), &trillian.GetConsistencyProofRequest{
				LogId: s.TreeID(), FirstTreeSize: int64(from), SecondTreeSize: int64(size)})
			if err != nil {
				t.Fatalf("consistency of %d and %d: %v", from, size, err)
			}
			if err := proof.VerifyConsistency(rfc6962.DefaultHasher, from, size, response.GetProof().GetHashes(), roots[from], roots[size]); err != nil {
				t.Errorf("consistency of %d and %d: %v", from, size, err)
			}
		}
	}
}

func leavesComeBack(t *testing.T, sub Subject) {
	const n = 600
	s := open(t, sub)
	s.add(0, n)
	s.grown(n)
	for range 2 {
		got := s.leaves(0, n+100)
		if len(got) != n {
			t.Fatalf("%d leaves came, want %d", len(got), n)
		}
		for i, l := range got {
			id, hash := identity(uint64(i)), leafHash(value(uint64(i)))
			if l.LeafIndex != int64(i) || !bytes.Equal(l.LeafValue, value(uint64(i))) ||
				!bytes.Equal(l.LeafIdentityHash, id[:]) || !bytes.Equal(l.MerkleLeafHash, hash[:]) {
				t.Fatalf("leaf %d came back as %v", i, l)
			}
		}
		s.reopen()
	}
}

// refused: what is there is never replaced, and what is refused leaves nothing.
func refused(t *testing.T, sub Subject) {
	s := open(t, sub)
	s.add(0, 10)
	var ref reference
	ref.is(t, s.grown(10), 0)
	tests := []struct {
		name   string
		change func(*trillian.LogLeaf)
	}{
		{"the same again", func(*trillian.LogLeaf) {}},
		{"an identity with another value", func(l *trillian.LogLeaf) { l.LeafValue = []byte("other") }},
		{"an index with another identity", func(l *trillian.LogLeaf) { l.LeafIdentityHash = bytes.Repeat([]byte{9}, 32) }},
		{"an identity at a new index", func(l *trillian.LogLeaf) { l.LeafIndex = 10 }},
		{"an identity at another one's index", func(l *trillian.LogLeaf) { l.LeafIndex = 5 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &subject{sub, s.Backend, t}
			l := leaf(3)
			tt.change(l)
			if code := s.send(l)[0]; code == codes.OK {
				t.Error("it is taken")
			}
			s.next(10)
			if got := s.leaves(3, 1); len(got) != 1 || !bytes.Equal(got[0].LeafValue, value(3)) {
				t.Errorf("leaf 3 is now %v", got)
			}
			if id := [32]byte(l.LeafIdentityHash); id != identity(3) {
				if found, err := s.Find(t.Context(), [][32]byte{id}); err != nil || len(found) != 0 {
					t.Errorf("found %v, %v", found, err)
				}
			}
		})
	}
	t.Run("some of a batch", func(t *testing.T) {
		s := &subject{sub, s.Backend, t}
		old, twice := leaf(3), leaf(10)
		old.LeafIndex, twice.LeafIndex = 11, 12
		got := s.send(leaf(10), old, twice, leaf(13))
		if got[0] != codes.OK || got[1] == codes.OK || got[2] == codes.OK || got[3] != codes.OK {
			t.Fatalf("got %v", got)
		}
		s.next(14, 11, 12)
		s.add(11, 13)
		ref.is(t, s.grown(14), 10)
	})
}

// addNew stores all or nothing.
func addNew(t *testing.T, sub Subject) {
	s := open(t, sub)
	s.add(0, 3)
	try := func(leaves ...*trillian.LogLeaf) error {
		return s.AddNew(t.Context(), &trillian.AddSequencedLeavesRequest{LogId: s.TreeID(), Leaves: leaves})
	}
	if errors.Is(try(leaf(3)), errors.ErrUnsupported) {
		s.next(3)
		t.Skip("this back end has leaves looked up first")
	}
	s.next(4)
	repeated, again, taken := leaf(1), leaf(4), leaf(7)
	repeated.LeafIndex, again.LeafIndex, taken.LeafIndex = 5, 5, 3
	for name, leaves := range map[string][]*trillian.LogLeaf{
		"a stored identity":    {leaf(4), repeated, leaf(6)},
		"a stored leaf":        {leaf(3), leaf(4)},
		"an index":             {taken, leaf(4)},
		"an identity, twofold": {leaf(4), again},
	} {
		if err := try(leaves...); !errors.Is(err, trillianlog.ErrTaken) {
			t.Errorf("%s: %v", name, err)
		}
		s.next(4)
		if found, err := s.Find(t.Context(), [][32]byte{identity(4), identity(6), identity(7)}); err != nil || len(found) != 0 {
			t.Errorf("%s: found %v, %v", name, found, err)
		}
	}
	if err := try(leaf(4), leaf(5)); err != nil {
		t.Fatal(err)
	}
	s.next(6)
	var ref reference
	ref.is(t, s.grown(6), 0)
}

func find(t *testing.T, sub Subject) {
	const n = 700
	s := open(t, sub)
	s.add(0, n)
	// Identities that begin, or end, like a stored one.
	like := [][32]byte{identity(7), identity(7), {}}
	like[0][31]++
	like[1][0]++
	for range 2 {
		var ids [][32]byte
		for i := range uint64(3 * n) {
			ids = append(ids, identity(i))
		}
		found, err := s.Find(t.Context(), append(ids, like...))
		if err != nil {
			t.Fatal(err)
		}
		if len(found) != n {
			t.Fatalf("found %d of %d", len(found), n)
		}
		for i := range uint64(n) {
			if got, want := found[identity(i)], (trillianlog.Stored{Index: i, LeafHash: leafHash(value(i))}); got != want {
				t.Fatalf("leaf %d is found as %v, want %v", i, got, want)
			}
		}
		s.reopen()
	}
}

func gaps(t *testing.T, sub Subject) {
	s := open(t, sub)
	s.next(0)
	s.add(0, 3)
	s.next(3)
	s.add(8, 300) // out of order
	s.add(4, 6)
	s.next(300, 3, 6, 7)
	// A leaf behind a gap is not integrated, and counts as taken all the same,
	// also after opening again.
	s.grown(3)
	for range 2 {
		found, err := s.Find(t.Context(), [][32]byte{identity(9), identity(6)})
		if err != nil || len(found) != 1 || found[identity(9)].Index != 9 {
			t.Fatalf("found %v, %v", found, err)
		}
		s.reopen()
		s.next(300, 3, 6, 7)
	}
	s.add(3, 4)
	s.grown(6)
	s.add(6, 8)
	var ref reference
	ref.is(t, s.grown(300), 0)
	s.next(300)
	s.add(300, 310)
	ref.is(t, s.grown(310), 300)
}

// longGap: more leaves wait behind a gap than one write has.
func longGap(t *testing.T, sub Subject) {
	const n = 2500
	s := open(t, sub)
	s.add(1, n)
	s.next(n, 0)
	s.add(0, 1)
	var ref reference
	ref.is(t, s.grown(n), 0)
	s.next(n)
}

func limits(t *testing.T, sub Subject) {
	s := open(t, sub)
	// As large as the log makes them: 3 MiB at once, of the largest leaves.
	var leaves []*trillian.LogLeaf
	for i, bytes := uint64(0), 0; bytes+trillianlog.MaxLeaf <= 3<<20; i++ {
		l := leaf(i)
		l.LeafValue = fill(i, trillianlog.MaxLeaf)
		leaves, bytes = append(leaves, l), bytes+len(l.LeafValue)
	}
	n := uint64(len(leaves))
	one := leaf(n)
	one.LeafValue = []byte{0}
	for i, code := range s.send(append(leaves, one)...) {
		if code != codes.OK {
			t.Fatalf("leaf %d: %v", i, code)
		}
	}
	s.grown(n + 1)
	for i := range n {
		if got := s.leaves(i, 1); len(got) != 1 || !bytes.Equal(got[0].LeafValue, fill(i, trillianlog.MaxLeaf)) {
			t.Fatalf("leaf %d came back otherwise", i)
		}
	}
	if got := s.leaves(n, 1); len(got) != 1 || !bytes.Equal(got[0].LeafValue, []byte{0}) {
		t.Fatalf("the smallest leaf came back as %v", got)
	}
}

// fill gives a value in which every byte occurs.
func fill(i uint64, size int) []byte {
	b := make([]byte, size)
	for j := range b {
		b[j] = byte(i) + byte(j)
	}
	return b
}

// contexts: a call whose context has ended gives an error, and harms nothing.
func contexts(t *testing.T, sub Subject) {
	s := open(t, sub)
	s.add(0, 5)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Client().AddSequencedLeaves(ended, &trillian.AddSequencedLeavesRequest{LogId: s.TreeID(), Leaves: []*trillian.LogLeaf{leaf(5)}}); err == nil {
		t.Error("a write whose caller has gone is done")
	}
	// Under way, any outcome is right that all answers agree on in the end.
	for range 20 {
		next, _, err := s.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		_, err = s.Client().AddSequencedLeaves(ctx, &trillian.AddSequencedLeavesRequest{LogId: s.TreeID(), Leaves: []*trillian.LogLeaf{leaf(next)}})
		cancel()
		until(t, "Find and Next agree", func() bool {
			found, findErr := s.Find(t.Context(), [][32]byte{identity(next)})
			after, holes, nextErr := s.Next(t.Context())
			if findErr != nil || nextErr != nil || len(holes) > 0 || err == nil && len(found) == 0 {
				t.Fatalf("found %v, %v; next %d, %v, %v; the write said %v", found, findErr, after, holes, nextErr, err)
			}
			return after == next+uint64(len(found))
		})
	}
	next, _, err := s.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.add(next, next+3)
	var ref reference
	ref.is(t, s.grown(next+3), 0)
}

// concurrent: readers beside the writer see what was acknowledged.
func concurrent(t *testing.T, sub Subject) {
	const rounds, batch = 20, 30
	s := open(t, sub)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			if err := s.readUntil(done); err != nil {
				t.Error(err)
			}
		})
	}
	for i := range uint64(rounds) {
		s.add(i*batch, (i+1)*batch)
		s.next((i + 1) * batch)
		found, err := s.Find(t.Context(), [][32]byte{identity(i * batch), identity((i+1)*batch - 1)})
		if err != nil || len(found) != 2 {
			t.Errorf("found %v, %v", found, err)
		}
	}
	close(done)
	readers.Wait()
	var ref reference
	ref.is(t, s.grown(rounds*batch), 0)
}

func (s *subject) readUntil(done chan struct{}) error {
	var size uint64
	for {
		select {
		case <-done:
			return nil
		default:
		}
		next, holes, err := s.Next(context.Background())
		if err != nil || len(holes) > 0 {
			return fmt.Errorf("next: %d, %v, %w", next, holes, err)
		}
		root, err := rootOf(s.Backend)
		if err != nil {
			return err
		}
		if root.TreeSize < size {
			return fmt.Errorf("the tree shrank from %d leaves to %d", size, root.TreeSize)
		}
		if size = root.TreeSize; size == 0 {
			continue
		}
		found, err := s.Find(context.Background(), [][32]byte{identity(size - 1)})
		if err != nil || found[identity(size-1)].Index != size-1 {
			return fmt.Errorf("the last leaf of %d is found as %v, %w", size, found, err)
		}
		hash := leafHash(value(size - 1))
		response, err := s.Client().GetInclusionProof(context.Background(), &trillian.GetInclusionProofRequest{
			LogId: s.TreeID(), LeafIndex: int64(size - 1), TreeSize: int64(size)})
		if err != nil {
			return err
		}
		if err := proof.VerifyInclusion(rfc6962.DefaultHasher, size-1, size, hash[:], response.GetProof().GetHashes(), root.RootHash); err != nil {
			return err
		}
	}
}
