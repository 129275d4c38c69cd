package store

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func readAhead(t testing.TB, x *Index, log Log, size int) {
	t.Helper()
	if err := x.ReadAhead(t.Context(), uint64(size), log); err != nil {
		t.Fatal(err)
	}
}

// noted takes note of the entries that are read.
type noted struct {
	*entries
	read []uint64
	fail error // instead of the next entry
}

func (n *noted) Stream(ctx context.Context, first, count uint64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for e, err := range n.entries.Stream(ctx, first, count) {
			if n.fail != nil {
				yield(nil, n.fail)
				return
			}
			n.read = append(n.read, first)
			first++
			if !yield(e, err) {
				return
			}
		}
	}
}

// Each entry is read once, however much of it before its leaf, and nothing of the map
// changes until then.
func TestReadAhead(t *testing.T) {
	for _, run := range []int{0, 70} {
		e := someEntries(100, 900)
		log := &noted{entries: e}
		x := open(t, Options{run: run})
		for _, size := range []int{1, 10, 300, 301, 620, 900} {
			before := int(x.Next())
			for at := before; at < size; at += 40 {
				readAhead(t, x, log, at)
				readAhead(t, x, log, at)
			}
			if int(x.Next()) != before {
				t.Fatalf("%d entries instead of %d, before the leaf", x.Next(), before)
			}
			if before > 0 {
				check(t, x, e, before)
			}
			leaf, err := x.Update(t.Context(), e.at(size), log)
			if err != nil || string(leaf.Text) != e.leaf(t, size) {
				t.Fatalf("at %d: %+v, %v", size, leaf, err)
			}
			if err := x.Publish(leaf.Size()); err != nil {
				t.Fatal(err)
			}
			check(t, x, e, size)
		}
		for i, position := range log.read {
			if position != uint64(i) {
				t.Fatalf("read were %v", log.read)
			}
		}
	}
}

// No more is read than is written at once.
func TestReadAheadIsBounded(t *testing.T) {
	e := someEntries(100, 900)
	log := &noted{entries: e}
	x := open(t, Options{run: 70})
	for range 3 {
		readAhead(t, x, log, 900)
	}
	if len(x.read.postings) < 70 || len(log.read) >= 200 {
		t.Errorf("%d entries with %d postings", len(log.read), len(x.read.postings))
	}
	update(t, x, e, 900)
	check(t, x, e, 900)
}

// What was read ahead counts only where it belongs.
func TestReadAheadOfSomethingElse(t *testing.T) {
	e := someEntries(100, 400)
	for name, between := range map[string]func(x *Index) int{
		"a smaller leaf": func(x *Index) int {
			update(t, x, e, 150)
			return 2
		},
		"a leaf that is followed": func(x *Index) int {
			if err := x.Follow(t.Context(), texts(e.leaf(t, 120)), e); err != nil {
				t.Fatal(err)
			}
			return 2
		},
		"a map that is made again": func(x *Index) int {
			if err := errors.Join(x.Reset(), x.CatchUp(t.Context(), e)); err != nil {
				t.Fatal(err)
			}
			return 1
		},
		"less": func(x *Index) int {
			readAhead(t, x, e, 110)
			readAhead(t, x, e, 50)
			return 1
		},
		"an error of the log": func(x *Index) int {
			err := x.ReadAhead(t.Context(), 250, &noted{entries: e, fail: errPower})
			if !errors.Is(err, errPower) {
				t.Fatal(err)
			}
			return 1
		},
		"a leaf about another log": func(x *Index) int {
			wrong := e.at(300)
			wrong.Root[0]++
			if _, err := x.Update(t.Context(), wrong, e); !errors.Is(err, ErrRoot) {
				t.Fatal(err)
			}
			return 1
		},
	} {
		t.Run(name, func(t *testing.T) {
			x := open(t, Options{})
			update(t, x, e, 100)
			readAhead(t, x, e, 200)
			if err := x.Publish(uint64(between(x))); err != nil {
				t.Fatal(err)
			}
			readAhead(t, x, e, 330)
			if leaf := update(t, x, e, 400); string(leaf.Text) != e.leaf(t, 400) {
				t.Error(leaf)
			}
			check(t, x, e, 400)
		})
	}
}

// Entries of another log that were read ahead do not get into a leaf.
func TestReadAheadOfAnotherLog(t *testing.T) {
	e := someEntries(100, 300)
	x := open(t, Options{})
	update(t, x, e, 100)
	readAhead(t, x, e.with(150, []byte("another one")), 200)
	if _, err := x.Update(t.Context(), e.at(300), e); !errors.Is(err, ErrRoot) {
		t.Fatal(err)
	}
	check(t, x, e, 100)
	if leaf := update(t, x, e, 300); string(leaf.Text) != e.leaf(t, 300) {
		t.Error(leaf)
	}
}

// The power fails after entries were read ahead: the same leaves are made as without.
func TestCrashAfterReadAhead(t *testing.T) {
	e := someEntries(60, 500)
	rng := rand.New(rand.NewPCG(21, 22))
	for _, unsynced := range []int{0, 100} {
		fs := vfs.NewCrashableMem()
		x := open(t, Options{fs: fs, run: 70})
		sizes := []int{100, 220}
		for _, size := range sizes {
			update(t, x, e, size)
		}
		readAhead(t, x, e, 230)
		readAhead(t, x, e, 245)
		left := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: unsynced, RNG: rng})
		recovered(t, Options{fs: left, run: 70}, e, sizes, 2)
	}
}

func TestReadAheadRefused(t *testing.T) {
	e := someEntries(20, 60)
	x := open(t, Options{})
	update(t, x, e, 30)
	if err := x.Reset(); err != nil {
		t.Fatal(err)
	}
	log := &noted{entries: e}
	if err := x.ReadAhead(t.Context(), 50, log); !errors.Is(err, ErrBehind) || !slices.Equal(log.read, nil) {
		t.Errorf("while the map is behind: %v, %v", err, log.read)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if err := x.ReadAhead(t.Context(), 50, log); !errors.Is(err, ErrClosed) {
		t.Errorf("when it is closed: %v", err)
	}
}
