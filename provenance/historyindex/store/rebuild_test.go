package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tallyroot/tallyroot/provenance/historyindex"
)

// The map is deleted while it is read from, and made again: it has the recorded
// root at every recorded size, and readers notice nothing.
func TestResetUnderLoad(t *testing.T) {
	e := someEntries(200, 900)
	sizes := []int{1, 10, 300, 301, 800}
	x := open(t, Options{run: 100})
	for _, size := range sizes {
		update(t, x, e, size)
	}
	lists := e.lists(800)
	var stop atomic.Bool
	var proofs atomic.Int64
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for !stop.Load() {
				v, err := x.View()
				if err != nil {
					t.Error(err)
					return
				}
				for key, positions := range lists {
					a, err := v.Prove(key)
					got, err2 := v.Positions(key, 0, 1<<20)
					if err != nil || err2 != nil || !slices.Equal(got, positions) || a.Proof.Verify(v.Leaf().MapRoot, key) != nil {
						t.Errorf("%v, %v, %v", err, err2, got)
						v.Close()
						return
					}
					if proofs.Add(1)%64 == 0 {
						break
					}
				}
				v.Close()
			}
		})
	}
	for range 3 {
		before := proofs.Load()
		if err := x.Reset(); err != nil {
			t.Fatal(err)
		}
		if !x.Behind() || x.Next() != 0 || x.Leaves() != uint64(len(sizes)) {
			t.Errorf("after the deletion: behind %v, %d entries, %d leaves", x.Behind(), x.Next(), x.Leaves())
		}
		if err := x.CatchUp(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		for proofs.Load() < before+200 && !t.Failed() {
		}
	}
	stop.Store(true)
	readers.Wait()
	check(t, x, e, 800)
	if x.served != x.newest {
		t.Error("readers have been left at the state from before the deletion")
	}
	update(t, x, e, 900)
	check(t, x, e, 900)
}

// The newest leaf is not published, and the process starts again: the map, which is at
// that leaf, is taken back to the published one, and later goes on.
func TestCatchUpTo(t *testing.T) {
	e := someEntries(200, 900)
	fs := vfs.NewMem()
	x := open(t, Options{fs: fs})
	for _, size := range []int{1, 10, 300} {
		update(t, x, e, size)
	}
	newest, err := x.Update(t.Context(), e.at(800), e)
	if err != nil {
		t.Fatal(err)
	}
	x.Close()
	x = open(t, Options{fs: fs})
	if err := x.Publish(3); err != nil {
		t.Fatal(err)
	}
	notServed(t, x)
	if err := x.CatchUpTo(t.Context(), e, 3); err != nil || x.Next() != 800 {
		t.Fatalf("a map that is beyond the leaf has %d entries, %v", x.Next(), err)
	}
	if err := x.Reset(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := x.CatchUpTo(t.Context(), e, 3); err != nil {
			t.Fatal(err)
		}
		check(t, x, e, 300)
	}
	if !x.Behind() {
		t.Error("it is not behind its newest leaf")
	}
	if _, err := x.Update(t.Context(), e.at(900), e); !errors.Is(err, ErrBehind) {
		t.Errorf("a next leaf before that: %v", err)
	}
	if err := x.Publish(4); err != nil {
		t.Fatal(err)
	}
	check(t, x, e, 300) // until the map is there
	if err := x.CatchUp(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	check(t, x, e, 800)
	if kept, err := x.Leaf(3); err != nil || !bytes.Equal(kept.Text, newest.Text) {
		t.Errorf("the leaf has changed: %q, %v", kept.Text, err)
	}
	update(t, x, e, 900)
	check(t, x, e, 900)
}

// The map's folder is deleted between two starts, whole or with a part of it.
func TestMapDeleted(t *testing.T) {
	e := someEntries(200, 900)
	fs := vfs.NewMem()
	x := open(t, Options{fs: fs})
	for _, size := range []int{1, 10, 300, 800} {
		update(t, x, e, size)
	}
	x.Close()
	if err := fs.RemoveAll("/index/map"); err != nil {
		t.Fatal(err)
	}
	x = open(t, Options{fs: fs})
	if err := x.Publish(4); err != nil {
		t.Fatal(err)
	}
	if _, err := x.View(); !errors.Is(err, ErrNotServed) || !x.Behind() {
		t.Errorf("without a map: %v", err)
	}
	if _, err := x.Update(t.Context(), e.at(900), e); !errors.Is(err, ErrBehind) {
		t.Errorf("a leaf without a map: %v", err)
	}
	if err := x.Follow(t.Context(), texts(e.leaf(t, 900)), e); !errors.Is(err, ErrBehind) {
		t.Errorf("a leaf without a map: %v", err)
	}
	if err := x.CatchUp(t.Context(), newEntries(e.all[:700])); !errors.Is(err, errShort) {
		t.Errorf("with a log that is too short: %v", err)
	}
	if err := x.CatchUp(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	check(t, x, e, 800)
	update(t, x, e, 900)
	check(t, x, e, 900)
}

// A log with other entries than those of then is found out at the first leaf that
// covers one.
func TestDifference(t *testing.T) {
	e := someEntries(200, 500)
	sizes := []int{1, 100, 300, 301, 400}
	x := open(t, Options{run: 50})
	for _, size := range sizes {
		update(t, x, e, size)
	}
	for changed, number := range map[int]uint64{0: 0, 99: 1, 100: 2, 300: 3, 399: 4} {
		other := e.with(changed, e.all[changed+1])
		if err := x.Reset(); err != nil {
			t.Fatal(err)
		}
		for range 2 { // it stays so
			err := x.CatchUp(t.Context(), other)
			size := sizes[number]
			var d *DifferenceError
			if !errors.As(err, &d) || d.Number != number || d.Recorded.String() != e.leaf(t, size) || d.Computed.String() != other.leaf(t, size) {
				t.Errorf("entry %d changed: %v", changed, err)
			}
		}
		check(t, x, e, 400) // what was served still is
		if _, err := x.Update(t.Context(), other.at(500), other); !errors.Is(err, ErrBehind) {
			t.Errorf("a leaf after a difference: %v", err)
		}
	}
	if err := x.Reset(); err != nil {
		t.Fatal(err)
	}
	if err := x.CatchUp(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

// An entry that has been changed in what no key says is found out as well.
func TestDifferenceInText(t *testing.T) {
	e := someEntries(200, 300)
	x := open(t, Options{})
	update(t, x, e, 100)
	update(t, x, e, 300)
	if err := x.Reset(); err != nil {
		t.Fatal(err)
	}
	other := e.with(150, bytes.Replace(e.all[150], []byte("shipping"), []byte("receiving"), 1))
	err := x.CatchUp(t.Context(), other)
	var d *DifferenceError
	if !errors.As(err, &d) || d.Number != 1 || d.Recorded.MapRoot != d.Computed.MapRoot || d.Recorded.Checkpoint.Root == d.Computed.Checkpoint.Root {
		t.Errorf("%v", err)
	}
	if err := x.CatchUp(t.Context(), e); err != nil {
		t.Error(err)
	}
}

// No leaf is made about a checkpoint that is not the *entries'.
func TestRoot(t *testing.T) {
	e := someEntries(200, 300)
	x := open(t, Options{})
	update(t, x, e, 100)
	c := e.at(200)
	c.Root[0] ^= 1
	if _, err := x.Update(t.Context(), c, e); !errors.Is(err, ErrRoot) {
		t.Errorf("another root: %v", err)
	}
	if x.Leaves() != 1 || x.Next() != 100 {
		t.Errorf("%d leaves, %d entries", x.Leaves(), x.Next())
	}
	update(t, x, e, 200)
	check(t, x, e, 200)
}

// lie gives a leaf with another map root.
func (e *entries) lie(t *testing.T, size int) string {
	text := []byte(e.leaf(t, size))
	if digit := &text[len("tallyroot/index/v1\n")]; *digit == '0' {
		*digit = '1'
	} else {
		*digit = '0'
	}
	return string(text)
}

// Who follows takes each leaf only after it has found the same roots.
func TestFollow(t *testing.T) {
	e := someEntries(200, 500)
	x := open(t, Options{run: 100})
	follow := func(list ...string) error { return x.Follow(t.Context(), texts(list...), e) }
	for _, size := range []int{100, 200} {
		had := x.Leaves()
		good := e.leaf(t, size)
		const before = "tallyroot/index/v1\n"
		var d *DifferenceError
		if err := follow(e.lie(t, size), good); !errors.As(err, &d) || d.Number != had || d.Recorded.String() != e.lie(t, size) || d.Computed.String() != good {
			t.Errorf("another root: %v", err)
		}
		if err := follow(strings.Replace(good, before, before+"00", 1), good); !errors.Is(err, historyindex.ErrLeafForm) {
			t.Errorf("no leaf: %v", err)
		}
		if x.Leaves() != had {
			t.Errorf("%d leaves, and there were %d", x.Leaves(), had)
		}
		if err := follow(good); err != nil || x.Leaves() != had+1 {
			t.Fatalf("%d leaves, %v", x.Leaves(), err)
		}
		if err := follow(good); !errors.Is(err, ErrOrder) {
			t.Errorf("the same size again: %v", err)
		}
	}
	// It may follow faster than it is told what is published.
	if err := x.Publish(1); err != nil {
		t.Fatal(err)
	}
	notServed(t, x)
	if err := x.Publish(2); err != nil {
		t.Fatal(err)
	}
	check(t, x, e, 200)
	// A leaf that lies about a larger size leaves the map beyond the true next one.
	if err := follow(e.lie(t, 500)); err == nil {
		t.Error("another root was taken")
	}
	if err := follow(e.leaf(t, 201)); !errors.Is(err, ErrAhead) {
		t.Errorf("a leaf before the map's size: %v", err)
	}
	check(t, x, e, 200)
	if err := x.Reset(); err != nil {
		t.Fatal(err)
	}
	if err := x.CatchUp(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if err := follow(e.leaf(t, 201)); err != nil {
		t.Fatal(err)
	}
	if err := x.Publish(3); err != nil {
		t.Fatal(err)
	}
	check(t, x, e, 201)
}

// counted counts the streams.
type counted struct {
	*entries
	streams int
}

func (c *counted) Stream(ctx context.Context, first, n uint64) iter.Seq2[[]byte, error] {
	c.streams++
	if first+n > uint64(len(c.all)) { // as tiles do
		return func(yield func([]byte, error) bool) { yield(nil, errShort) }
	}
	return c.entries.Stream(ctx, first, n)
}

// Many leaves at once cost few streams, and those before one that is no good are
// taken, whatever is wrong with that one.
func TestFollowMany(t *testing.T) {
	e := someEntries(50, 600)
	var good []string
	for size := 2; size <= 540; size += 2 {
		good = append(good, e.leaf(t, size))
	}
	beyond := e.leaf(t, 542)
	beyond = strings.Replace(beyond, "\n542\n", "\n9999999\n", 1)
	errLost := errors.New("the connection is lost")
	for name, c := range map[string]struct {
		last   iter.Seq2[[]byte, error]
		reason error
	}{
		"beyond the log": {texts(beyond), errShort},
		"malformed":      {texts("no leaf"), historyindex.ErrLeafForm},
		"not larger":     {texts(good[0]), ErrOrder},
		"lost":           {func(yield func([]byte, error) bool) { yield(nil, errLost) }, errLost},
	} {
		for _, n := range []int{1, maxAhead, len(good)} {
			fs := vfs.NewCrashableMem()
			x := open(t, Options{fs: fs})
			log := &counted{entries: e}
			err := x.Follow(t.Context(), func(yield func([]byte, error) bool) {
				for text := range texts(good[:n]...) {
					if !yield(text, nil) {
						return
					}
				}
				c.last(yield)
			}, log)
			if !errors.Is(err, c.reason) || x.Leaves() != uint64(n) {
				t.Fatalf("%s after %d leaves: %d taken, %v", name, n, x.Leaves(), err)
			}
			if limit := n/maxAhead + 1; c.reason != errShort && log.streams > limit {
				t.Errorf("%s after %d leaves: %d streams", name, n, log.streams)
			}
			left := fs.CrashClone(vfs.CrashCloneCfg{})
			x.Close()
			x = open(t, Options{fs: left}) // they are durable
			if err := x.CatchUp(t.Context(), log); err != nil || x.Leaves() != uint64(n) {
				t.Fatalf("%s after %d leaves and a crash: %d, %v", name, n, x.Leaves(), err)
			}
			if err := x.Publish(uint64(n)); err != nil {
				t.Fatal(err)
			}
			check(t, x, e, 2*n)
			x.Close()
		}
	}
}

// Without the leaves' folder the index does not start; with the published leaves
// and the log it is made again.
func TestLeavesLost(t *testing.T) {
	e := someEntries(200, 500)
	fs := vfs.NewMem()
	x := open(t, Options{fs: fs})
	sizes := []int{100, 200, 300}
	for _, size := range sizes {
		update(t, x, e, size)
	}
	x.Close()
	if err := fs.RemoveAll("/index/leaves"); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: "/index", fs: fs, Logger: quiet{}}); !errors.Is(err, ErrLeavesLost) {
		t.Fatalf("without leaves: %v", err)
	}
	if err := fs.RemoveAll("/index/map"); err != nil {
		t.Fatal(err)
	}
	x = open(t, Options{fs: fs})
	if err := x.Publish(3); !errors.Is(err, ErrLeavesLost) {
		t.Errorf("three leaves are published, and none is there: %v", err)
	}
	if err := x.Follow(t.Context(), texts(e.leaf(t, 100), e.leaf(t, 200), e.leaf(t, 300)), e); err != nil {
		t.Fatal(err)
	}
	if err := x.Publish(3); err != nil {
		t.Fatal(err)
	}
	check(t, x, e, 300)
}

// Whatever is changed in the map's files is found out, by Open or by who reads it,
// and the map can be made again.
func TestDamage(t *testing.T) {
	e := someEntries(200, 500)
	first := func(t *testing.T, x *Index, kind byte) (key, value []byte) {
		it, err := x.db.NewIter(keyRange(kind))
		if err != nil {
			t.Fatal(err)
		}
		defer it.Close()
		if !it.First() {
			t.Fatalf("no row of kind %c", kind)
		}
		return bytes.Clone(it.Key()), bytes.Clone(it.Value())
	}
	set := func(t *testing.T, x *Index, key, value []byte) {
		if err := x.db.Set(key, value, pebble.Sync); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(t *testing.T, x *Index, key []byte) {
		if err := x.db.Delete(key, pebble.Sync); err != nil {
			t.Fatal(err)
		}
	}
	change := func(kind byte, f func(value []byte) []byte) func(t *testing.T, x *Index) {
		return func(t *testing.T, x *Index) {
			key, value := first(t, x, kind)
			set(t, x, key, f(value))
		}
	}
	flip := func(i int) func([]byte) []byte {
		return func(b []byte) []byte { b[i] ^= 1; return b }
	}
	cut := func(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:len(b)-n] } }
	longer := func(b []byte) []byte { return append(b, 1) }
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, x *Index)
		opens  bool
	}{
		{"another version", change(headKey, flip(0)), false},
		{"head cut off", change(headKey, func(b []byte) []byte { return b[:headSize-1] }), false},
		{"empty head", change(headKey, func([]byte) []byte { return nil }), false},
		{"another root", change(headKey, flip(headSize-1)), false},
		{"log's tree cut off", change(headKey, func(b []byte) []byte { return b[:headSize+3*hashSize-1] }), false},
		{"another leaf", change(headKey, flip(headSize+3*hashSize+30)), false},
		{"bucket changed", change(bucketKey, flip(5)), false},
		{"bucket of another depth", change(bucketKey, flip(0)), false},
		{"bucket cut off", change(bucketKey, cut(1)), false},
		{"bucket removed", func(t *testing.T, x *Index) { key, _ := first(t, x, bucketKey); remove(t, x, key) }, false},
		{"bucket inside of another", func(t *testing.T, x *Index) {
			_, value := first(t, x, bucketKey)
			set(t, x, []byte{bucketKey, 0, 1}, append([]byte{16}, value[1:]...))
		}, false},
		{"bucket inside of the last one", func(t *testing.T, x *Index) {
			_, value := first(t, x, bucketKey)
			set(t, x, []byte{bucketKey, 0xff, 0xff}, append([]byte{16}, value[1:]...))
		}, false},
		{"buckets without a head", func(t *testing.T, x *Index) { remove(t, x, []byte{headKey}) }, false},
		{"bucket around another", func(t *testing.T, x *Index) {
			_, value := first(t, x, bucketKey)
			set(t, x, []byte{bucketKey}, append([]byte{0}, value[1:]...))
		}, false},
		{"long bucket key", func(t *testing.T, x *Index) { set(t, x, bytes.Repeat([]byte{bucketKey}, 40), nil) }, false},
		{"leaf hash changed", change(recordKey, flip(3)), true},
		{"record cut off", change(recordKey, cut(1)), true},
		{"record without count", change(recordKey, func(b []byte) []byte { return b[:hashSize] }), true},
		{"record goes on", change(recordKey, longer), true},
		{"empty record", change(recordKey, func([]byte) []byte { return nil }), true},
		{"no positions", change(recordKey, func(b []byte) []byte { return append(b[:hashSize], 0) }), true},
		{"record removed", func(t *testing.T, x *Index) { key, _ := first(t, x, recordKey); remove(t, x, key) }, true},
		{"record added", func(t *testing.T, x *Index) {
			key, value := first(t, x, recordKey)
			key[hashSize] ^= 1
			set(t, x, key, value)
		}, true},
		{"too many records", func(t *testing.T, x *Index) {
			key, value := first(t, x, recordKey)
			for i := range 2 * maxBucket {
				key[hashSize] = byte(i)
				set(t, x, key, value)
			}
		}, true},
		{"record with a long key", func(t *testing.T, x *Index) {
			key, value := first(t, x, recordKey)
			set(t, x, append(key, 1), value)
		}, true},
		{"chunk cut off", change(chunkKey, cut(1)), true},
		{"chunk goes on", change(chunkKey, longer), true},
		{"chunk removed", func(t *testing.T, x *Index) { key, _ := first(t, x, chunkKey); remove(t, x, key) }, true},
		{"chunk of another number", func(t *testing.T, x *Index) {
			key, value := first(t, x, chunkKey)
			remove(t, x, key)
			set(t, x, binary.BigEndian.AppendUint64(key[:1+hashSize], 0xffff), value)
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			fs, size := vfs.NewMem(), 400
			x := open(t, Options{fs: fs})
			update(t, x, e, 100)
			update(t, x, e, 400)
			c.damage(t, x)
			x.Close()
			x, err := Open(Options{Dir: "/index", fs: fs, Logger: quiet{}})
			if (err == nil) != c.opens || err != nil && (!errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "may be deleted")) {
				t.Fatalf("open: %v", err)
			}
			if err == nil {
				if err := x.Publish(2); err != nil {
					t.Fatal(err)
				}
				if !findsDamage(t, x, e, 400) {
					t.Error("nobody notices")
				}
				// No leaf is made from it: all keys are read again when all change.
				if _, err := x.Update(t.Context(), e.at(500), e); !errors.Is(err, ErrDamaged) && !strings.HasPrefix(c.name, "chunk") {
					t.Errorf("update: %v", err)
				} else if err == nil {
					if err := x.Publish(3); err != nil {
						t.Fatal(err)
					}
					size = 500
				}
				if err := x.Reset(); err != nil {
					t.Fatal(err)
				}
			} else {
				if err := fs.RemoveAll("/index/map"); err != nil {
					t.Fatal(err)
				}
				x = open(t, Options{fs: fs})
				if err := x.Publish(2); err != nil {
					t.Fatal(err)
				}
			}
			defer x.Close()
			if err := x.CatchUp(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			check(t, x, e, size)
		})
	}
}

// findsDamage reads everything. What is no error has to be right.
func findsDamage(t *testing.T, x *Index, e *entries, size int) (found bool) {
	v := view(t, x)
	defer v.Close()
	for key, positions := range e.lists(size) {
		list := historyindex.ListOf(positions)
		a, err := v.Prove(key)
		if errors.Is(err, ErrDamaged) {
			found = true
		} else if err != nil || a.Proof.Value != list.Value() {
			t.Errorf("%+v, %v", a, err)
		}
		got, err := v.Positions(key, 0, 1<<20)
		if errors.Is(err, ErrDamaged) || err == nil && !slices.Equal(got, positions) {
			found = true // positions are proved by the value, and by nothing here
		} else if err != nil {
			t.Error(err)
		}
	}
	return found
}
