package remote

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/trillian"
	"github.com/transparency-dev/merkle/rfc6962"
	"google.golang.org/grpc/codes"

	"github.com/tallyroot/tallyroot/trillianlog"
)

// entry is the leaf of number i, wherever it is stored.
func entry(i uint64) *trillian.LogLeaf {
	id := sha256.Sum256(fmt.Appendf(nil, "identity %d", i))
	return &trillian.LogLeaf{LeafValue: fmt.Appendf(nil, "entry %d", i), LeafIdentityHash: id[:]}
}

func hash(leaf *trillian.LogLeaf) [32]byte {
	return [32]byte(rfc6962.DefaultHasher.HashLeaf(leaf.LeafValue))
}

// send writes leaves from the index first on, and gives what is said of each.
func send(b *Backend, first uint64, leaves ...*trillian.LogLeaf) ([]string, error) {
	for i, leaf := range leaves {
		leaf.LeafIndex = int64(first) + int64(i)
	}
	response, err := b.Client().AddSequencedLeaves(context.Background(), &trillian.AddSequencedLeavesRequest{LogId: b.TreeID(), Leaves: leaves})
	if err != nil {
		return nil, err
	}
	var said []string
	for _, result := range response.Results {
		said = append(said, fmt.Sprintf("%v %s", codes.Code(result.GetStatus().GetCode()), result.GetStatus().GetMessage()))
	}
	return said, nil
}

const taken = "OK OK"

// store wants all leaves to be taken.
func store(t *testing.T, b *Backend, first uint64, leaves ...*trillian.LogLeaf) {
	t.Helper()
	said, err := send(b, first, leaves...)
	if err != nil || slices.ContainsFunc(said, func(s string) bool { return s != taken }) {
		t.Fatalf("leaves from %d on: %q, %v", first, said, err)
	}
}

// add stores entry(i) at the index i for from ≤ i < to.
func add(t *testing.T, b *Backend, from, to uint64) {
	t.Helper()
	var leaves []*trillian.LogLeaf
	for i := from; i < to; i++ {
		leaves = append(leaves, entry(i))
	}
	if len(leaves) > 0 {
		store(t, b, from, leaves...)
	}
}

// next wants Next to say so.
func next(t *testing.T, b *Backend, want uint64, holes ...uint64) {
	t.Helper()
	got, gotHoles, err := b.Next(t.Context())
	if err != nil || got != want || !slices.Equal(gotHoles, holes) {
		t.Fatalf("Next is %d, %v, %v; want %d, %v", got, gotHoles, err, want, holes)
	}
}

func find(t *testing.T, b *Backend, leaves ...*trillian.LogLeaf) map[[32]byte]trillianlog.Stored {
	t.Helper()
	var ids [][32]byte
	for _, leaf := range leaves {
		ids = append(ids, [32]byte(leaf.LeafIdentityHash))
	}
	found, err := b.Find(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// found wants the leaf to be found at the index.
func found(t *testing.T, b *Backend, at uint64, leaf *trillian.LogLeaf) {
	t.Helper()
	want := trillianlog.Stored{Index: at, LeafHash: hash(leaf)}
	if got := find(t, b, leaf)[[32]byte(leaf.LeafIdentityHash)]; got != want {
		t.Fatalf("found %v, want it at %d", got, at)
	}
}

// finds wants entry(i) to be found at the index i for from ≤ i < to.
func finds(t *testing.T, b *Backend, from, to uint64) {
	t.Helper()
	var leaves []*trillian.LogLeaf
	for i := from; i < to; i++ {
		leaves = append(leaves, entry(i))
	}
	all := find(t, b, leaves...)
	for i, leaf := range leaves {
		want := trillianlog.Stored{Index: from + uint64(i), LeafHash: hash(leaf)}
		if got := all[[32]byte(leaf.LeafIdentityHash)]; got != want {
			t.Fatalf("leaf %d is found as %v", want.Index, got)
		}
	}
}

func findsNone(t *testing.T, b *Backend, leaves ...*trillian.LogLeaf) {
	t.Helper()
	if all := find(t, b, leaves...); len(all) > 0 {
		t.Fatalf("found %v", all)
	}
}

// until waits for what must happen.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("still not: %s", what)
		}
	}
}

// grown waits until the tree has the size.
func grown(t *testing.T, b *Backend, size uint64) {
	t.Helper()
	until(t, fmt.Sprintf("a tree of %d leaves", size), func() bool {
		now, err := b.root(t.Context())
		return err == nil && now.size == size
	})
}

func closeIt(t *testing.T, b *Backend) {
	t.Helper()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}

// failsWith wants Open to fail with these words in the error.
func failsWith(t *testing.T, o Options, words ...string) {
	t.Helper()
	b, err := Open(t.Context(), o)
	if err == nil {
		closeIt(t, b)
		t.Fatalf("it opens; want an error with %q", words)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Fatalf("it says %v; want %q", err, word)
		}
	}
}
