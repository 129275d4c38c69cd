package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
)

const origin = benchOrigin

// entries is a log in memory, and what the index must make of it.
type entries struct {
	all  [][]byte
	keys [][]historyindex.Hash // of each entry
	mu   sync.Mutex
	made map[int]historyindex.Leaf // by size
}

var errShort = errors.New("the log is not so long")

func (e *entries) Stream(ctx context.Context, first, n uint64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for i := first; i < first+n; i++ {
			if i >= uint64(len(e.all)) {
				yield(nil, errShort)
				return
			}
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			if !yield(e.all[i], nil) {
				return
			}
		}
	}
}

func newEntries(all [][]byte) *entries {
	e := &entries{all: all, made: map[int]historyindex.Leaf{}}
	for _, leaf := range all {
		e.keys = append(e.keys, historyindex.LeafKeys(leaf))
	}
	return e
}

// someEntries are events about so many things, and now and then a leaf that is no
// entry.
func someEntries(things, n int) *entries {
	all := makeLog(things, n)
	for i := 5; i < n; i += 37 {
		all[i] = []byte("no entry")
	}
	return newEntries(all)
}

// with gives the log with another entry.
func (e *entries) with(i int, entry []byte) *entries {
	all := slices.Clone(e.all)
	all[i] = entry
	return newEntries(all)
}

// lists gives the positions of each key in the first size entries.
func (e *entries) lists(size int) map[historyindex.Hash][]uint64 {
	lists := map[historyindex.Hash][]uint64{}
	for i, keys := range e.keys[:size] {
		for _, key := range keys {
			lists[key] = append(lists[key], uint64(i))
		}
	}
	return lists
}

// leaf gives the leaf about the first size entries, made from the definition.
func (e *entries) leaf(t testing.TB, size int) string {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	leaf, ok := e.made[size]
	if !ok {
		leaf = historyindex.Leaf{MapRoot: rootOf(t, e.lists(size)), Checkpoint: e.at(size)}
		e.made[size] = leaf
	}
	return leaf.String()
}

// at gives the checkpoint of the first size entries.
func (e *entries) at(size int) checkpoint.Checkpoint {
	factory := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	tree := factory.NewEmptyRange(0)
	c := checkpoint.Checkpoint{Origin: origin, Size: uint64(size), Root: sha256.Sum256(nil)}
	for i := range size {
		// Sizes beyond the log are for what must be refused.
		if err := tree.Append(rfc6962.DefaultHasher.HashLeaf(e.all[i%len(e.all)]), nil); err != nil {
			panic(err)
		}
	}
	if root, err := tree.GetRootHash(nil); err == nil && size > 0 {
		c.Root = historyindex.Hash(root)
	}
	return c
}

func rootOf(t testing.TB, lists map[historyindex.Hash][]uint64) historyindex.Hash {
	t.Helper()
	var leaves []historyindex.MapLeaf
	for key, positions := range lists {
		list := historyindex.ListOf(positions)
		leaves = append(leaves, historyindex.MapLeaf{Key: key, Hash: historyindex.MapLeafHash(key, list.Value())})
	}
	slices.SortFunc(leaves, func(a, b historyindex.MapLeaf) int { return historyindex.CompareHashes(a.Key, b.Key) })
	root, err := historyindex.MapRoot(leaves)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// texts gives leaves as somebody else has them.
func texts(list ...string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, text := range list {
			if !yield([]byte(text), nil) {
				return
			}
		}
	}
}

func open(t testing.TB, o Options) *Index {
	t.Helper()
	o.Logger = quiet{}
	o.Cache = 1 << 20
	if o.Dir == "" {
		o.Dir = "/index"
	}
	if o.fs == nil {
		o.fs = vfs.NewMem()
	}
	x, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

// update makes a leaf and publishes it.
func update(t testing.TB, x *Index, e *entries, size int) Leaf {
	t.Helper()
	leaf, err := x.Update(t.Context(), e.at(size), e)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Publish(leaf.Size()); err != nil {
		t.Fatal(err)
	}
	return leaf
}

func view(t testing.TB, x *Index) *View {
	t.Helper()
	v, err := x.View()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func notServed(t testing.TB, x *Index) {
	t.Helper()
	v, err := x.View()
	if err == nil {
		v.Close()
	}
	if !errors.Is(err, ErrNotServed) {
		t.Fatalf("what must not be served yet: %v", err)
	}
}

// check holds what readers see against the first size entries.
func check(t testing.TB, x *Index, e *entries, size int) {
	t.Helper()
	v := view(t, x)
	defer v.Close()
	checkView(t, v, e, size)
}

func checkView(t testing.TB, v *View, e *entries, size int) {
	t.Helper()
	if got, want := string(v.Leaf().Text), e.leaf(t, size); got != want || v.Leaf().String() != want {
		t.Fatalf("the leaf is\n%s, and not\n%s", got, want)
	}
	lists := e.lists(size)
	root := v.Leaf().MapRoot
	checked := 0
	for key, positions := range lists { // in another order each time
		if checked++; checked > 50 {
			break
		}
		a, err := v.Prove(key)
		if err != nil {
			t.Fatal(err)
		}
		list := historyindex.ListOf(positions)
		if !a.Proof.Present || a.Count != uint64(len(positions)) || a.Proof.Value != list.Value() {
			t.Fatalf("%x: %+v, and there are %d positions", key, a, len(positions))
		}
		if err := a.Proof.Verify(root, key); err != nil {
			t.Fatal(err)
		}
		for _, page := range [][2]int{{0, len(positions)}, {0, 1}, {len(positions) / 2, 9}, {len(positions) - 1, 1 << 30}, {len(positions), 5}} {
			want := positions[page[0]:min(page[0]+page[1], len(positions))]
			got, err := v.Positions(key, uint64(page[0]), page[1])
			if err != nil || !slices.Equal(got, want) {
				t.Fatalf("%x: %d positions from %d: %v, %v; want %v", key, page[1], page[0], got, err, want)
			}
		}
	}
	for i := range 10 {
		key := sha256.Sum256([]byte{byte(i), byte(size)})
		a, err := v.Prove(key)
		if err != nil || a.Proof.Present || a.Count != 0 {
			t.Fatalf("%x, which is absent: %+v, %v", key, a, err)
		}
		if err := a.Proof.Verify(root, key); err != nil {
			t.Fatal(err)
		}
		if positions, err := v.Positions(key, 0, 10); err != nil || len(positions) > 0 {
			t.Fatalf("%x, which is absent: %v, %v", key, positions, err)
		}
	}
}

// checkBuckets holds the shape of the top against its definition: a bucket is a
// largest part of the map with at most maxBucket keys.
func checkBuckets(t testing.TB, x *Index, keys []historyindex.Hash) {
	t.Helper()
	slices.SortFunc(keys, historyindex.CompareHashes)
	var walk func(n *node, depth int, keys []historyindex.Hash)
	walk = func(n *node, depth int, keys []historyindex.Hash) {
		if (n == nil) != (len(keys) == 0) {
			t.Fatalf("depth %d: node %v for %d keys", depth, n, len(keys))
		}
		if n == nil {
			return
		}
		if n.isBucket() != (len(keys) <= maxBucket) {
			t.Fatalf("depth %d: %d keys, bucket: %v", depth, len(keys), n.isBucket())
		}
		if n.isBucket() {
			return
		}
		cut := 0
		for cut < len(keys) && historyindex.Bit(&keys[cut], depth) == 0 {
			cut++
		}
		walk(n.sides[0], depth+1, keys[:cut])
		walk(n.sides[1], depth+1, keys[cut:])
	}
	walk(x.top, 0, keys)
}

func shuffled[T any](rng *rand.Rand, list []T) []T {
	rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

func keysOf(lists map[historyindex.Hash][]uint64) (keys []historyindex.Hash) {
	for key := range lists {
		keys = append(keys, key)
	}
	return keys
}

func describe(sizes []int) string { return fmt.Sprint("leaves at ", sizes) }
