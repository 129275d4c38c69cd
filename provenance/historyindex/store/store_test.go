package store

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tallyroot/tallyroot/provenance/historyindex"
)

// The map is the same whatever the steps in which it has grown, and after each
// start.
func TestUpdate(t *testing.T) {
	e := someEntries(300, 600)
	for _, sizes := range [][]int{{600}, {1, 2, 40, 41, 599, 600}, {400, 401, 600}} {
		fs := vfs.NewMem()
		x := open(t, Options{fs: fs})
		for i, size := range sizes {
			leaf := update(t, x, e, size)
			if leaf.Number != uint64(i) || leaf.Size() != uint64(i+1) || string(leaf.Text) != e.leaf(t, size) {
				t.Fatalf("%s: leaf %d is %+v", describe(sizes), i, leaf)
			}
			check(t, x, e, size)
			checkBuckets(t, x, keysOf(e.lists(size)))
			if i%2 == 1 {
				if err := x.Close(); err != nil {
					t.Fatal(err)
				}
				x = open(t, Options{fs: fs})
				notServed(t, x)
				if err := x.Publish(leaf.Size()); err != nil {
					t.Fatal(err)
				}
				check(t, x, e, size)
			}
		}
		lists := e.lists(600)
		postings := 0
		for _, positions := range lists {
			postings += len(positions)
		}
		if s := x.Stats(); s.Entries != 600 || s.Keys != uint64(len(lists)) || s.Postings != uint64(postings) || s.Leaves != uint64(len(sizes)) || s.DiskBytes == 0 {
			t.Errorf("%+v; there are %d keys and %d postings", s, len(lists), postings)
		}
		for i, size := range sizes {
			if leaf, err := x.Leaf(uint64(i)); err != nil || string(leaf.Text) != e.leaf(t, size) {
				t.Errorf("leaf %d: %+v, %v", i, leaf, err)
			}
		}
		if _, err := x.Leaf(uint64(len(sizes))); !errors.Is(err, ErrLeavesLost) {
			t.Errorf("a leaf that is not there: %v", err)
		}
	}
}

// Keys of every kind of likeness, a few at a time: the top of the tree and its
// buckets are those of the definition, and every proof holds.
func TestGrow(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	random := func() (h historyindex.Hash) {
		for i := range h {
			h[i] = byte(rng.Uint32())
		}
		return h
	}
	for _, shared := range []int{0, 3, 20, 64, 200, 245} {
		var keys []historyindex.Hash
		prefix := random()
		for range 250 {
			key := random()
			for bit := range shared {
				mask := byte(0x80) >> (bit % 8)
				key[bit/8] = key[bit/8]&^mask | prefix[bit/8]&mask
			}
			keys = append(keys, key)
		}
		keys = append(keys, random(), random(), historyindex.Hash{}, historyindex.Hash(bytes.Repeat([]byte{0xff}, 32)))
		last := keys[0]
		last[31] ^= 1
		keys = append(keys, last)
		slices.SortFunc(keys, historyindex.CompareHashes)
		keys = shuffled(rng, slices.Compact(keys))

		fs := vfs.NewMem()
		x := open(t, Options{fs: fs})
		lists := map[historyindex.Hash][]uint64{}
		position := uint64(0)
		for done := 0; done < len(keys); {
			n := min(1+rng.IntN(60), len(keys)-done)
			var postings []posting
			for _, key := range keys[done : done+n] {
				postings = append(postings, posting{key, position})
				lists[key] = append(lists[key], position)
				position++
			}
			for range rng.IntN(40) { // some of those that are there
				if key := keys[rng.IntN(done+1)]; lists[key] != nil {
					postings = append(postings, posting{key, position})
					lists[key] = append(lists[key], position)
					position++
				}
			}
			done += n
			grown(t, x, postings, position)
			if root := rootOf(t, lists); x.top.root() != root {
				t.Fatalf("%d bits shared, %d keys: the root is %x, not %x", shared, done, x.top.root(), root)
			}
		}
		checkBuckets(t, x, slices.Clone(keys))
		loaded, err := loadTop(x.db)
		if err != nil || !sameTop(loaded, x.top) {
			t.Fatalf("%d bits shared: the loaded top is another one (%v)", shared, err)
		}
		checkProofs(t, x, lists)
	}
}

// grown adds postings as an update does, and no leaf.
func grown(t *testing.T, x *Index, postings []posting, end uint64) {
	t.Helper()
	sortPostings(postings)
	top, batch, keys, err := grow(x.db, x.top, postings)
	if err != nil {
		t.Fatal(err)
	}
	h := *x.reached.Load()
	h.next, h.keys, h.root = end, h.keys+keys, top.root()
	if err := x.commit(batch, &h, top, pebble.NoSync); err != nil {
		t.Fatal(err)
	}
}

// checkProofs makes the proofs at the map as it is.
func checkProofs(t *testing.T, x *Index, lists map[historyindex.Hash][]uint64) {
	t.Helper()
	snapshot := x.db.NewSnapshot()
	defer snapshot.Close()
	v := &View{x, &state{top: x.top, snapshot: snapshot, leaf: Leaf{Leaf: historyindex.Leaf{MapRoot: x.top.root()}}}}
	for key, positions := range lists {
		list := historyindex.ListOf(positions)
		if a, err := v.Prove(key); err != nil || !a.Proof.Present || a.Proof.Value != list.Value() {
			t.Fatalf("%x: %+v, %v", key, a, err)
		}
		for bit := len(lists) % 23; bit < 256; bit += 23 {
			near := key
			near[bit/8] ^= 0x80 >> (bit % 8)
			if a, err := v.Prove(near); err != nil || a.Proof.Present != (lists[near] != nil) {
				t.Fatalf("%x: %+v, %v", near, a, err)
			}
		}
	}
}

func sameTop(a, b *node) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.hash == b.hash && sameTop(a.sides[0], b.sides[0]) && sameTop(a.sides[1], b.sides[1])
}

// Lists of every length around whole chunks, each added to in one step and in many.
func TestLongLists(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	x := open(t, Options{})
	lists := map[historyindex.Hash][]uint64{}
	position := uint64(0)
	add := func(key historyindex.Hash, n int) {
		var postings []posting
		for range n {
			postings = append(postings, posting{key, position})
			lists[key] = append(lists[key], position)
			position += 1 + rng.Uint64N(1<<rng.IntN(50)) // of few and of many bytes
		}
		grown(t, x, postings, position)
	}
	for n := 1; n <= 5*chunk+1; n++ {
		add(historyindex.Hash{byte(n)}, n)
	}
	for n := range 3*chunk + 1 {
		add(historyindex.Hash{0xff}, 1)
		add(historyindex.Hash{0xfe}, n%(2*chunk)+1)
	}
	if root := rootOf(t, lists); x.top.root() != root {
		t.Fatalf("the root is %x, not %x", x.top.root(), root)
	}
	checkProofs(t, x, lists)
	snapshot := x.db.NewSnapshot()
	defer snapshot.Close()
	v := &View{x, &state{top: x.top, snapshot: snapshot}}
	for key, positions := range lists {
		for offset := range len(positions) + 2 {
			for limit := range 2*chunk + 2 {
				from := min(offset, len(positions))
				want := positions[from:min(from+limit, len(positions))]
				if got, err := v.Positions(key, uint64(offset), limit); err != nil || !slices.Equal(got, want) {
					t.Fatalf("%d positions from %d of %d: %v, %v; want %v", limit, offset, len(positions), got, err, want)
				}
			}
		}
	}
}

// Readers stay at what is published while the next leaf is pending, and a view
// stays at what it was opened with.
func TestPublish(t *testing.T) {
	e := someEntries(50, 300)
	x := open(t, Options{})
	notServed(t, x)
	if _, pending, err := x.Pending(); pending || err != nil {
		t.Errorf("an empty index: pending %v, %v", pending, err)
	}
	update(t, x, e, 100)
	old := view(t, x)
	defer old.Close()
	leaf, err := x.Update(t.Context(), e.at(200), e)
	if err != nil {
		t.Fatal(err)
	}
	if pending, ok, err := x.Pending(); err != nil || !ok || !bytes.Equal(pending.Text, leaf.Text) || pending.Number != 1 {
		t.Errorf("pending: %+v, %v, %v", pending, ok, err)
	}
	check(t, x, e, 100)
	if _, err := x.Update(t.Context(), e.at(300), e); !errors.Is(err, ErrUnpublished) {
		t.Errorf("a leaf after one that is not published: %v", err)
	}
	if err := x.Publish(1); err != nil { // again
		t.Error(err)
	}
	check(t, x, e, 100)
	if err := x.Publish(3); !errors.Is(err, ErrLeavesLost) {
		t.Errorf("publish what is not there: %v", err)
	}
	if err := x.Publish(2); err != nil {
		t.Fatal(err)
	}
	check(t, x, e, 200)
	update(t, x, e, 300)
	check(t, x, e, 300)
	checkView(t, old, e, 100)
	for _, bad := range []int{300, 299, 0} {
		if _, err := x.Update(t.Context(), e.at(bad), e); !errors.Is(err, ErrOrder) {
			t.Errorf("a leaf at %d after one at 300: %v", bad, err)
		}
	}
	c := e.at(301)
	c.Origin = "another.example/log"
	if _, err := x.Update(t.Context(), c, e); !errors.Is(err, ErrOrder) {
		t.Errorf("a leaf of another log: %v", err)
	}
	if x.Leaves() != 3 {
		t.Errorf("%d leaves", x.Leaves())
	}
}

// What goes wrong while a leaf is made leaves none, and the next call goes on.
func TestUpdateFails(t *testing.T) {
	e := someEntries(50, 300)
	x := open(t, Options{})
	update(t, x, e, 100)
	if _, err := x.Update(t.Context(), e.at(301), e); !errors.Is(err, errShort) {
		t.Errorf("a log that is too short: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := x.Update(ended, e.at(300), e); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
	if _, ok, err := x.Pending(); ok || err != nil || x.Leaves() != 1 || x.Next() != 100 {
		t.Errorf("%d leaves, pending %v, %v", x.Leaves(), ok, err)
	}
	check(t, x, e, 100)
	update(t, x, e, 300)
	check(t, x, e, 300)
}

func TestClose(t *testing.T) {
	e := someEntries(50, 100)
	x := open(t, Options{})
	update(t, x, e, 100)
	v := view(t, x)
	done := make(chan error)
	go func() { done <- x.Close() }()
	for {
		if other, err := x.View(); err == nil {
			other.Close()
			continue
		} else if !errors.Is(err, ErrClosed) {
			t.Fatal(err)
		}
		break
	}
	func() {
		defer v.Close()
		checkView(t, v, e, 100) // Close waits for it
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	_, updateErr := x.Update(t.Context(), e.at(101), e)
	followErr := x.Follow(t.Context(), texts(), e)
	_, leafErr := x.Leaf(0)
	_, _, pendingErr := x.Pending()
	for name, err := range map[string]error{
		"update": updateErr, "follow": followErr, "leaf": leafErr, "pending": pendingErr,
		"catch up": x.CatchUp(t.Context(), e), "reset": x.Reset(), "publish": x.Publish(1),
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s := x.Stats(); s != (Stats{}) {
		t.Errorf("%+v", s)
	}
	if err := x.Close(); err != nil {
		t.Error(err)
	}
}

func FuzzPositions(f *testing.F) {
	f.Add([]byte{1, 2, 3, 0x80, 1}, 4)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		n &= 2*chunk - 1
		positions, err := parsePositions(nil, b, n)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Error(err)
			}
			return
		}
		again, err := parsePositions(nil, appendPositions(nil, positions), n)
		if err != nil || !slices.Equal(again, positions) {
			t.Errorf("%v becomes %v, %v", positions, again, err)
		}
		for i := 1; i < n; i++ {
			if positions[i] <= positions[i-1] {
				t.Errorf("%v", positions)
			}
		}
	})
}
