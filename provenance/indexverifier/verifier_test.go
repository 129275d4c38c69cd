package indexverifier

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/indexverifier/indexverifiertest"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/fetch"
	"github.com/tallyroot/tallyroot/trillianlog/witness"
)

// What is so is verified, at each size, again, and by one that knows nothing yet.
func TestVerify(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	v := w.open(o)
	if err := v.Verify(t.Context(), checkpoint.Checkpoint{Origin: origin + "/index"}, nil); err != nil {
		t.Errorf("an empty index log: %v", err)
	}
	first, signedFirst := w.GrowIndexed(3)
	w.so(v, first, signedFirst)
	w.so(v, first, signedFirst)
	for _, n := range []int{1, 300, 7} {
		c, signed := w.GrowIndexed(n)
		w.so(v, c, signed)
	}
	w.Grow(5) // the log is ahead of the index
	c, signed := w.Index.Add()
	w.so(v, c, signed)
	w.so(v, first, signedFirst)
	w.so(v, c, signed)
	w.close(v)

	v = w.open(o)
	w.so(v, c, signed)
	c, signed = w.GrowIndexed(20)
	w.so(v, c, signed)

	w.so(w.open(w.options()), c, signed)
}

// It gets to the published checkpoint by itself.
func TestPoll(t *testing.T) {
	w := newWorld(t)
	for range 5 {
		w.GrowIndexed(30)
	}
	o := w.options()
	o.Poll = 1
	v := w.open(o)
	w.until("5 leaves", func() bool { return v.Status().Leaves == 5 })
	w.GrowIndexed(10)
	w.until("6 leaves", func() bool { return v.Status().Leaves == 6 })
	if s := v.Status(); s.Entries != 160 || s.Refuted {
		t.Errorf("%+v", s)
	}
}

// Whoever asks is not kept waiting; the work goes on, and counts when he asks again.
func TestNotYet(t *testing.T) {
	w := newWorld(t)
	w.GrowIndexed(300)
	c, signed := w.GrowIndexed(100)
	o := w.options()
	gate := make(chan struct{})
	o.Log = &gated{Source: o.Log, gate: gate}
	v := w.open(o)
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := v.Verify(ctx, c, signed); err == nil || errors.Is(err, witness.ErrRefuted) {
			t.Fatalf("before it can read the log: %v", err)
		}
	}
	if !v.Status().Working {
		t.Error("nobody works")
	}
	close(gate)
	w.until("2 leaves", func() bool { return v.Status().Leaves == 2 })
	w.so(v, c, signed)
}

// What cannot be read, or does not fit a signed checkpoint, refutes nothing.
func TestCannotTell(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(w *world, o *Options)
		want  string
	}{
		"no log": {func(w *world, o *Options) { o.Log = fetch.Folder(w.TempDir()) }, "checkpoint"},
		"log of another": {func(w *world, o *Options) {
			other := indexverifiertest.NewLog(w.T, origin)
			other.Add(w.Entries...)
			o.Log = fetch.Folder(other.Dir)
		}, "not signed by the log's key"},
		"log not so far": {func(w *world, o *Options) {
			short := w.Log.Again()
			short.Add(w.Entries[:200]...)
			o.Log = fetch.Folder(short.Dir)
		}, "beyond the checkpoint"},
		"changed entry": {func(w *world, _ *Options) {
			path := filepath.Join(w.Log.Dir, "tile/entries/000")
			text := strings.Replace(read(w.T, path), "jar-17", "jar-18", 1)
			if err := errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, []byte(text), 0o600)); err != nil {
				w.Fatal(err)
			}
		}, "holds other bytes for the entry 17"},
		"no index leaves": {func(w *world, o *Options) { o.Index = fetch.Folder(w.TempDir()) }, "is not there"},
		"index leaves of another": {func(w *world, o *Options) {
			other := indexverifiertest.NewLog(w.T, origin+"/index")
			other.Add(w.Leaf(100).Append(nil), w.Leaf(400).Append(nil))
			o.Index = fetch.Folder(other.Dir)
		}, "is not what the checkpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.GrowIndexed(300)
			c, signed := w.GrowIndexed(100)
			o := w.options()
			good := o
			test.spoil(w, &o)
			v := w.open(o)
			err := v.Verify(t.Context(), c, signed)
			if err == nil || errors.Is(err, witness.ErrRefuted) || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("%v", err)
			}
			if s := v.Status(); s.Refuted || s.Err == nil {
				t.Errorf("%+v", s)
			}
			if name == "changed entry" {
				return
			}
			// It was not led astray.
			w.close(v)
			w.so(w.open(good), c, signed)
		})
	}
}

// What is not so is refuted, again and after a restart, and the proof is kept.
func TestRefuted(t *testing.T) {
	for name, test := range map[string]struct {
		lie  func(w *world) []byte
		want string
	}{
		"an entry left out":     {func(w *world) []byte { return w.Leaf(400, 350).Append(nil) }, "give the map root"},
		"an old entry left out": {func(w *world) []byte { return w.Leaf(400, 0).Append(nil) }, "give the map root"},
		"an older map": {func(w *world) []byte {
			l := w.Leaf(400)
			l.MapRoot = w.Leaf(399).MapRoot
			return l.Append(nil)
		}, "give the map root"},
		"an empty map": {func(w *world) []byte {
			l := w.Leaf(400)
			l.MapRoot = historyindex.EmptyMapRoot()
			return l.Append(nil)
		}, "give the map root"},
		"a log that was never signed": {func(w *world) []byte { l := w.Leaf(400); l.Checkpoint.Root[0] ^= 1; return l.Append(nil) }, "is about a log whose first 400 entries"},
		"the log of another": {func(w *world) []byte {
			l := w.Leaf(400)
			l.Checkpoint.Origin = "other.example/log"
			return l.Append(nil)
		}, "does not follow"},
		"the same size again":          {func(w *world) []byte { return w.Leaf(300).Append(nil) }, "does not follow"},
		"no leaf":                      {func(w *world) []byte { return []byte("no leaf") }, "malformed leaf"},
		"a leaf with something behind": {func(w *world) []byte { return w.Leaf(400).Append(nil)[:100] }, "malformed leaf"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			good, signedGood := w.GrowIndexed(300)
			o := w.options()
			v := w.open(o)
			w.so(v, good, signedGood)
			w.Grow(100)
			c, signed := w.Index.Add(test.lie(w))
			refute := func(c checkpoint.Checkpoint, signed []byte) {
				t.Helper()
				if err := v.Verify(t.Context(), c, signed); !errors.Is(err, witness.ErrRefuted) || !strings.Contains(err.Error(), test.want) {
					t.Fatalf("%v", err)
				}
			}
			refute(c, signed)
			refute(c, signed)
			w.close(v)
			v = w.open(o)
			if !v.Status().Refuted {
				t.Error("it forgot")
			}
			refute(c, signed)
			refuted := filepath.Join(o.Dir, refutedDir)
			if read(t, filepath.Join(refuted, "index-checkpoint")) != string(signed) || read(t, filepath.Join(refuted, "log-checkpoint")) != string(w.Log.Files.Published()) {
				t.Error("the proof is not that of the lie")
			}
			// What follows such a leaf is refuted too.
			more, signedMore := w.GrowIndexed(10)
			refute(more, signedMore)
			// What was so is so still.
			if err := v.Verify(t.Context(), good, signedGood); err != nil {
				t.Error(err)
			}
		})
	}
}

// The first leaf is held against the log's name too.
func TestFirstLeafOfAnother(t *testing.T) {
	w := newWorld(t)
	w.Grow(10)
	leaf := w.Leaf(10)
	leaf.Checkpoint.Origin = "other.example/log"
	c, signed := w.Index.Add(leaf.Append(nil))
	if err := w.open(w.options()).Verify(t.Context(), c, signed); !errors.Is(err, witness.ErrRefuted) {
		t.Errorf("%v", err)
	}
}

// Two index logs under one key, and two logs under one key.
func TestForks(t *testing.T) {
	w := newWorld(t)
	first, signedFirst := w.GrowIndexed(300)
	o := w.options()
	v := w.open(o)
	w.so(v, first, signedFirst)
	w.Grow(100)
	honest := w.Leaf(400).Append(nil)
	c, signed := w.Index.Add(honest)
	w.so(v, c, signed)

	fork := w.Index.Again()
	forked, signedFork := fork.Add(w.Leaf(300).Append(nil), w.Leaf(399).Append(nil))
	if err := v.Verify(t.Context(), forked, signedFork); !errors.Is(err, witness.ErrRefuted) || !strings.Contains(err.Error(), "forked") {
		t.Errorf("%v", err)
	}
	if got := read(t, filepath.Join(o.Dir, refutedDir, "followed")); got != string(signed) {
		t.Errorf("the other half of the proof is %s", got)
	}

	if err := v.Verify(t.Context(), c, signed); err != nil {
		t.Error(err)
	}
	w.Log = w.Log.Again()
	w.Entries[200] = w.Event(200, "urn:example:other")
	w.Log.Add(w.Entries...)
	w.close(v)
	o.Log = fetch.Folder(w.Log.Dir)
	v = w.open(o)
	if err := v.Verify(t.Context(), c, signed); !errors.Is(err, witness.ErrRefuted) || !strings.Contains(err.Error(), "leaf 1 of the index log is about the first 400 entries") {
		t.Errorf("%v", err)
	}
}

// A mixture of two forks of the log is neither.
func TestMixedLogs(t *testing.T) {
	w := newWorld(t)
	first, signedFirst := w.GrowIndexed(300)
	o := w.options()
	v := w.open(o)
	w.so(v, first, signedFirst)
	w.close(v)
	w.Grow(100)
	mixed := w.Leaf(400) // of the old entries, and of those that the fork has too
	fork := w.Log.Again()
	entries := append([][]byte{w.Event(0, "urn:example:other")}, w.Entries[1:]...)
	fork.Add(entries...)
	c, signed := w.Index.Add(mixed.Append(nil))
	o.Log = fetch.Folder(fork.Dir)
	v = w.open(o)
	if err := v.Verify(t.Context(), c, signed); !errors.Is(err, witness.ErrRefuted) {
		t.Errorf("%v", err)
	}
}

// What was rebuilt may be deleted or damaged, whole or in part.
func TestRebuildAgain(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, dir string){
		"all":      func(t *testing.T, dir string) { remove(t, dir) },
		"index":    func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "index")) },
		"map":      func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "index", "map")) },
		"leaves":   func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "index", "leaves")) },
		"tree":     func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "tree")) },
		"bad tree": func(t *testing.T, dir string) { flip(t, filepath.Join(dir, "tree")) },
		"no tree":  func(t *testing.T, dir string) { write(t, filepath.Join(dir, "tree"), "something else") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			o := w.options()
			v := w.open(o)
			c, signed := w.GrowIndexed(100)
			w.so(v, c, signed)
			c, signed = w.GrowIndexed(200)
			w.so(v, c, signed)
			w.close(v)
			damage(t, o.Dir)
			v = w.open(o)
			w.so(v, c, signed)
			c, signed = w.GrowIndexed(10)
			w.so(v, c, signed)
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func flip(t *testing.T, path string) {
	t.Helper()
	text := []byte(read(t, path))
	text[len(text)-1] ^= 1
	write(t, path, string(text))
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The entries of a leaf that was begun with, and never came to be the next one, are
// taken back.
func TestBegunLeaf(t *testing.T) {
	w := newWorld(t)
	first, signedFirst := w.GrowIndexed(1)
	var wide [][]byte // so many keys that the map takes them in more than one go
	for i := range 800 {
		var things []string
		for j := range 300 {
			things = append(things, fmt.Sprint("urn:example:", j, `","urn:example:also-`, i%10))
		}
		wide = append(wide, w.Event(1+i, strings.Join(things, `","`)))
	}
	w.Append(wide...)
	other := w.Index.Again() // its last leaf was never published
	c, signed := other.Add([]byte(w.Leaf(1).String()), w.Leaf(801).Append(nil))

	o := w.options()
	good := o
	open := make(chan struct{})
	close(open)
	o.Index = fetch.Folder(other.Dir)
	o.Log = &gated{Source: o.Log, gate: open, fail: func(path string) error {
		if path == "tile/entries/003.p/33" {
			return errors.New("broken off")
		}
		return nil
	}}
	v := w.open(o)
	if err := v.Verify(t.Context(), c, signed); err == nil || !strings.Contains(err.Error(), "broken off") {
		t.Fatalf("%v", err)
	}
	if s := v.Status(); s.Leaves != 1 || s.Entries <= 10 || s.Entries >= 801 {
		t.Fatalf("it has not begun with the leaf: %+v", s)
	}
	w.close(v)
	v = w.open(good)
	w.so(v, first, signedFirst)
	c, signed = w.Index.Add(w.Leaf(10).Append(nil))
	w.so(v, c, signed)
	c, signed = w.Publish(w.Leaf(len(w.Entries)))
	w.so(v, c, signed)
}

// Keys that do not belong together are refused at the start.
func TestKeys(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(o *Options){
		"no log key":        func(o *Options) { o.LogKeys = nil },
		"no index key":      func(o *Options) { o.IndexKeys = nil },
		"no key":            func(o *Options) { o.LogKeys = []string{"key"} },
		"the log's twice":   func(o *Options) { o.IndexKeys = o.LogKeys },
		"the index's twice": func(o *Options) { o.LogKeys = o.IndexKeys },
		"two logs":          func(o *Options) { o.LogKeys = append(o.LogKeys, indexverifiertest.NewLog(t, "other.example/log").Key) },
	} {
		o := w.options()
		change(&o)
		if v, err := Open(o); err == nil {
			v.Close()
			t.Errorf("%s: taken", name)
		}
	}
}
