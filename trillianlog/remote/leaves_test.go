package remote

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tallyroot/tallyroot/trillianlog"
)

// Whatever the order in which leaves become known, leaves says what a plain map
// of them says.
func TestLeaves(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 0))
		first := random.Uint64N(3)
		l := newLeaves(first)
		all := map[uint64]known{}
		for range 60 {
			at := first + random.Uint64N(20)
			leaf := known{identity: [32]byte{1, byte(at)}, hash: [32]byte{2, byte(at)}, bytes: int(at)}
			if _, ok := all[at]; !ok && at >= l.first {
				all[at] = leaf
			}
			l.put(at, leaf)
			if n := len(l.tail); n > 0 && random.IntN(8) == 0 {
				n = random.IntN(n + 1)
				for i := range uint64(n) {
					delete(all, l.first+i)
				}
				l.drop(n)
			}
			agrees(t, &l, all)
		}
	}
}

func agrees(t *testing.T, l *leaves, all map[uint64]known) {
	t.Helper()
	wantNext, bytes := l.first, 0
	var wantHoles []uint64
	var ids [][32]byte
	want := make(map[[32]byte]trillianlog.Stored)
	for at, leaf := range all {
		wantNext = max(wantNext, at+1)
		ids = append(ids, leaf.identity)
		want[leaf.identity] = trillianlog.Stored{Index: at, LeafHash: leaf.hash}
	}
	adjoin := true
	for at := l.first; at < wantNext; at++ {
		leaf, ok := all[at]
		if adjoin = adjoin && ok; adjoin {
			bytes += leaf.bytes
		}
		if !ok {
			wantHoles = append(wantHoles, at)
		}
	}
	next, holes := l.end()
	if next != wantNext || !slices.Equal(holes, wantHoles) || l.bytes != bytes || len(l.all()) != len(all) {
		t.Fatalf("it ends at %d with the holes %v, and has %d leaves, %d bytes; want %d, %v, %d, %d", next, holes, len(l.all()), l.bytes, wantNext, wantHoles, len(all), bytes)
	}
	found := make(map[[32]byte]trillianlog.Stored)
	l.find(append(ids, [32]byte{9}), found)
	if len(found) != len(want) {
		t.Fatalf("found %v, want %v", found, want)
	}
	for id, stored := range want {
		if found[id] != stored {
			t.Fatalf("found %v, want %v", found[id], stored)
		}
	}
}

// A leaf of which nothing is known but that it is there keeps those behind it
// waiting to be read.
func TestLeavesOfOthers(t *testing.T) {
	l := newLeaves(5)
	l.put(5, known{})
	l.put(6, known{identity: [32]byte{1}, hash: [32]byte{1}})
	if next, holes := l.end(); l.next() != 5 || next != 7 || holes != nil {
		t.Fatalf("next is %d; it ends at %d, %v", l.next(), next, holes)
	}
}
