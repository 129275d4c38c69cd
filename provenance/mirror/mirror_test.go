package mirror

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/tallyroot/tallyroot/internal/pebblelog"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/indexlog"
	"github.com/tallyroot/tallyroot/provenance/indexverifier/indexverifiertest"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/fetch"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
)

const origin = "mirrored.example/log"

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func options(t *testing.T, w *indexverifiertest.World) Options {
	t.Helper()
	p, err := policy.None(w.Log.Key)
	if err != nil {
		t.Fatal(err)
	}
	x, err := policy.None(w.Index.Key)
	if err != nil {
		t.Fatal(err)
	}
	return Options{Dir: filepath.Join(t.TempDir(), "mirror"), Policy: p, IndexPolicy: x, Cache: 1 << 20, Logger: quiet, Pebble: pebblelog.Logger{To: quiet}}
}

func open(t *testing.T, o Options) *Mirror {
	t.Helper()
	m, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, m) })
	return m
}

func shut(t *testing.T, m *Mirror) {
	t.Helper()
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

func from(w *indexverifiertest.World) Origin {
	return Origin{Log: fetch.Folder(w.Log.Dir), Index: fetch.Folder(w.Index.Dir)}
}

func copyAll(t *testing.T, m *Mirror, o Origin) Copied {
	t.Helper()
	copied, err := m.Sync(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return copied
}

// same demands that the copy has the files of the world, and proves histories with all
// that belongs to the first size entries.
func same(t *testing.T, m *Mirror, w *indexverifiertest.World, size, leaves int) {
	t.Helper()
	for _, log := range []struct {
		dir   string
		size  int
		files *indexverifiertest.Log
	}{{"log", size, w.Log}, {"index", leaves, w.Index}} {
		copied := fetch.Folder(filepath.Join(m.options.Dir, log.dir))
		signed, err := fetch.Checkpoint(t.Context(), copied)
		if err != nil {
			t.Fatal(err)
		}
		c, _, err := checkpoint.Parse(signed)
		if err != nil || c.Size != uint64(log.size) {
			t.Fatalf("the copy of the %s has %d leaves: %v", log.dir, c.Size, err)
		}
		n := uint64(0)
		for e, err := range fetch.Open(copied, c, fetch.Options{}).Stream(t.Context(), 0, c.Size) {
			if err != nil {
				t.Fatal(err)
			}
			if want, err := log.files.Files.Entry(t.Context(), n); err != nil || !bytes.Equal(e, want) {
				t.Fatalf("the leaf %d of the %s is %q: %v", n, log.dir, e, err)
			}
			n++
		}
	}
	served(t, m, w, size, leaves)
}

// served demands a snapshot of that size.
func served(t *testing.T, m *Mirror, w *indexverifiertest.World, size, leaves int) {
	t.Helper()
	s, err := m.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	index, _, err := checkpoint.Parse(s.IndexCheckpoint)
	if err != nil || index.Size != uint64(leaves) {
		t.Fatalf("the snapshot is at the index checkpoint %v: %v", index, err)
	}
	log, _, err := checkpoint.Parse(s.LogCheckpoint)
	if err != nil || log.Size != uint64(size) || s.Size != log.Size {
		t.Fatalf("the snapshot is at the log checkpoint %v: %v", log, err)
	}
	leaf, err := historyindex.ParseLeaf(s.IndexLeaf)
	if err != nil || leaf.Checkpoint != log {
		t.Fatalf("the leaf %v is about another checkpoint: %v", leaf, err)
	}
	var path [][]byte
	for _, hash := range s.IndexProof {
		path = append(path, hash[:])
	}
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, index.Size-1, index.Size, rfc6962.DefaultHasher.HashLeaf(s.IndexLeaf), path, index.Root[:]); err != nil {
		t.Error(err)
	}
	key := historyindex.Key{Kind: historyindex.Object, Identifier: "urn:example:box-3"}.Hash()
	answer, err := s.View.Prove(key)
	if err != nil || answer.Count != uint64((size+6)/10) {
		t.Fatalf("%d positions of %d entries: %v", answer.Count, size, err)
	}
	if err := answer.Proof.Verify(leaf.MapRoot, key); err != nil {
		t.Error(err)
	}
}

func notServed(t *testing.T, m *Mirror, why error) {
	t.Helper()
	s, err := m.Snapshot()
	if err == nil {
		s.Close()
	}
	if !errors.Is(err, indexlog.ErrNotServed) || !errors.Is(err, why) {
		t.Errorf("what must not be served: %v", err)
	}
}

// A copy is the origin's, grows with it, and needs it no more.
func TestSync(t *testing.T) {
	w := indexverifiertest.New(t, origin)
	w.GrowIndexed(3)
	o := options(t, w)
	m := open(t, o)
	notServed(t, m, ErrEmpty)
	if err := m.Resume(t.Context()); !errors.Is(err, ErrEmpty) {
		t.Errorf("%v", err)
	}
	copyAll(t, m, from(w))
	same(t, m, w, 3, 1)
	held, err := m.Snapshot() // while the copy grows
	if err != nil {
		t.Fatal(err)
	}
	w.GrowIndexed(600)
	w.GrowIndexed(1)
	if c := copyAll(t, m, from(w)); c.Entries != 601 || c.Leaves != 2 || c.Log.Size != 604 || c.Index.Size != 3 {
		t.Errorf("%+v", c)
	}
	same(t, m, w, 604, 3)
	if held.View.Leaf().Size() != 1 {
		t.Error("a snapshot has changed")
	}
	held.Close()
	if c := copyAll(t, m, from(w)); c.Entries != 0 || c.Leaves != 0 {
		t.Errorf("nothing was new: %+v", c)
	}
	shut(t, m)

	o.Policy, o.IndexPolicy = nil, nil // the folder knows them
	m = open(t, o)
	if err := m.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	same(t, m, w, 604, 3)
	w.GrowIndexed(300)
	mirrored := Origin{Log: fetch.Folder(filepath.Join(o.Dir, "log")), Index: fetch.Folder(filepath.Join(o.Dir, "index"))}
	other := open(t, options(t, w))
	copyAll(t, other, mirrored) // a mirror of a mirror
	same(t, other, w, 604, 3)
	copyAll(t, m, from(w))
	same(t, m, w, 904, 4)
}

func TestNoPolicies(t *testing.T) {
	if _, err := Open(Options{Dir: t.TempDir(), Logger: quiet}); !errors.Is(err, ErrEmpty) {
		t.Errorf("%v", err)
	}
}

// Policies that the origin does not meet, and those of another log, leave a folder as it
// was: what was copied is served as before.
func TestRefusedPoliciesAreNotKept(t *testing.T) {
	w, other := indexverifiertest.New(t, origin), indexverifiertest.New(t, "other.example/log")
	w.GrowIndexed(25)
	other.GrowIndexed(25)
	o := options(t, w)
	wrong := options(t, other)
	wrong.Dir = o.Dir
	refused := func(from Origin, o Options, want string) {
		t.Helper()
		m := open(t, o)
		defer shut(t, m)
		if _, err := m.Sync(t.Context(), from); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v", err)
		}
	}
	refused(from(w), wrong, "the key is that of")
	if Made(o.Dir) {
		t.Error("policies that are not the log's were kept")
	}
	m := open(t, o)
	copyAll(t, m, from(w))
	shut(t, m)
	refused(from(w), wrong, "the key is that of")
	refused(from(other), wrong, "copy it into another folder")
	kept := o
	kept.Policy, kept.IndexPolicy = nil, nil
	m = open(t, kept)
	if m.Policy().String() != o.Policy.String() || m.IndexPolicy().String() != o.IndexPolicy.String() {
		t.Errorf("the folder has the policies\n%s\n%s", m.Policy(), m.IndexPolicy())
	}
	if err := m.Resume(t.Context()); err != nil {
		t.Error(err)
	}
}

// A breaking source gives so many files that were not read before, and counts.
type breaking struct {
	fetch.Source
	mu    sync.Mutex
	given map[string]int
	left  int
}

var errBroken = errors.New("broken off")

func (b *breaking) Get(ctx context.Context, path string, limit int64) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if strings.HasPrefix(path, "tile/entries/") {
		if b.left--; b.left < 0 {
			return nil, errBroken
		}
	}
	b.given[path]++
	return b.Source.Get(ctx, path, limit)
}

// A copy that is broken off again and again gets to its end, and asks for little twice.
func TestResume(t *testing.T) {
	w := indexverifiertest.New(t, origin)
	w.GrowIndexed(100)
	o := options(t, w)
	m := open(t, o)
	copyAll(t, m, from(w))
	w.GrowIndexed(12_000)
	source := &breaking{Source: fetch.Folder(w.Log.Dir), given: map[string]int{}}
	tries := 0
	for {
		source.left = 14
		_, err := m.Sync(t.Context(), Origin{Log: source, Index: fetch.Folder(w.Index.Dir)})
		if err == nil {
			break
		}
		if tries++; !errors.Is(err, errBroken) || tries > 20 {
			t.Fatal(err)
		}
		served(t, m, w, 100, 1)
		shut(t, m)
		m = open(t, o)
		if err := m.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		served(t, m, w, 100, 1)
	}
	if tries == 0 {
		t.Error("it was not broken off")
	}
	same(t, m, w, 12_100, 2)
	asked := 0
	for path, n := range source.given {
		if strings.HasPrefix(path, "tile/entries/") && !strings.Contains(path, ".p/") {
			asked += n
		}
	}
	// Those that had been read ahead when it was broken off are lost.
	if most := 12_100/256 + 1 + tries*fetch.DefaultParallel; asked > most {
		t.Errorf("%d bundles were asked for, and at most %d had to be", asked, most)
	}
}

// What stands on the disk beyond the checkpoint is not believed.
func TestResumeDamaged(t *testing.T) {
	w := indexverifiertest.New(t, origin)
	w.GrowIndexed(2000)
	m := open(t, options(t, w))
	for _, file := range []string{"log/tile/0/002", "log/tile/entries/003", "index/tile/0/000"} {
		path := filepath.Join(m.options.Dir, file)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, bytes.Repeat([]byte{1}, 8192), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	copyAll(t, m, from(w))
	same(t, m, w, 2000, 1)
}

// An origin that shows another history is found out, and what was copied stays.
func TestForks(t *testing.T) {
	for name, test := range map[string]struct {
		fork func(w *indexverifiertest.World)
		want error
	}{
		"log": {func(w *indexverifiertest.World) {
			w.Log, w.Index = w.Log.Again(), w.Index.Again()
			entries := w.Entries
			entries[250] = w.Event(250, "urn:example:other")
			w.Entries = nil
			w.Append(entries...)
			w.Publish(w.Leaf(300))
			w.GrowIndexed(100)
		}, ErrForked},
		"log of the same size": {func(w *indexverifiertest.World) {
			w.Log, w.Index = w.Log.Again(), w.Index.Again()
			entries := w.Entries
			entries[250] = w.Event(250, "urn:example:other")
			w.Entries = nil
			w.Append(entries...)
			w.Publish(w.Leaf(300))
		}, ErrForked},
		"shorter log": {func(w *indexverifiertest.World) {
			w.Log, w.Index = w.Log.Again(), w.Index.Again()
			entries := w.Entries[:299]
			entries[250] = w.Event(250, "urn:example:other")
			w.Entries = nil
			w.Append(entries...)
			w.Publish(w.Leaf(299))
		}, ErrForked},
		"index log": {func(w *indexverifiertest.World) {
			w.Index = w.Index.Again()
			w.Publish(w.Leaf(299))
			w.GrowIndexed(100)
		}, ErrForked},
		"older": {func(w *indexverifiertest.World) {
			w.Log, w.Index = w.Log.Again(), w.Index.Again()
			entries := w.Entries[:200]
			w.Entries = nil
			w.Append(entries...)
			w.Publish(w.Leaf(200))
		}, nil},
		"another's": {func(w *indexverifiertest.World) {
			*w = *indexverifiertest.New(t, origin)
			w.GrowIndexed(400)
		}, checkpoint.ErrUnsigned},
		"an entry left out of the index": {func(w *indexverifiertest.World) {
			w.Grow(100)
			w.Publish(w.Leaf(400, 333))
		}, ErrIndex},
		"no leaf": {func(w *indexverifiertest.World) {
			w.Grow(100)
			w.Index.Add([]byte("no leaf"))
		}, ErrIndex},
	} {
		t.Run(name, func(t *testing.T) {
			w := indexverifiertest.New(t, origin)
			w.GrowIndexed(300)
			m := open(t, options(t, w))
			copyAll(t, m, from(w))
			forked := *w
			forked.Entries = bytesClone(w.Entries)
			test.fork(&forked)
			for range 2 {
				_, err := m.Sync(t.Context(), from(&forked))
				if err == nil || test.want != nil && !errors.Is(err, test.want) || test.want == nil && errors.Is(err, ErrForked) {
					t.Fatalf("%v", err)
				}
				served(t, m, w, 300, 1)
			}
		})
	}
}

func bytesClone(list [][]byte) [][]byte { return append([][]byte{}, list...) }

// An index that is not what the log gives is never served, also not after a restart.
func TestIndexLie(t *testing.T) {
	w := indexverifiertest.New(t, origin)
	w.Grow(300)
	w.Publish(w.Leaf(300, 17))
	o := options(t, w)
	m := open(t, o)
	if _, err := m.Sync(t.Context(), from(w)); !errors.Is(err, ErrIndex) {
		t.Fatalf("%v", err)
	}
	notServed(t, m, ErrIndex)
	shut(t, m)
	m = open(t, o)
	if err := m.Resume(t.Context()); !errors.Is(err, ErrIndex) {
		t.Fatalf("%v", err)
	}
	notServed(t, m, ErrIndex)
	if c, _ := m.Tiles().Checkpoint(); c.Size != 300 {
		t.Error("the log was not copied")
	}
}

// A mirror that was interrupted between the two logs goes on serving, without the
// origin.
func TestBetweenLogs(t *testing.T) {
	w := indexverifiertest.New(t, origin)
	w.GrowIndexed(300)
	o := options(t, w)
	m := open(t, o)
	copyAll(t, m, from(w))
	for range 2 {
		w.GrowIndexed(50)
		index := &breaking{Source: fetch.Folder(w.Index.Dir), given: map[string]int{}, left: 1} // for the last leaf
		if _, err := m.Sync(t.Context(), Origin{Log: fetch.Folder(w.Log.Dir), Index: index}); !errors.Is(err, errBroken) {
			t.Fatalf("%v", err)
		}
		served(t, m, w, 300, 1)
		shut(t, m)
		m = open(t, o)
		if err := m.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		served(t, m, w, 300, 1)
	}
	copyAll(t, m, from(w))
	same(t, m, w, 400, 3)
}

// The map may be deleted: it is made again without the origin.
func TestMapDeleted(t *testing.T) {
	for _, deleted := range []string{"index-store", "index-store/map", "index-store/leaves"} {
		t.Run(deleted, func(t *testing.T) {
			w := indexverifiertest.New(t, origin)
			w.GrowIndexed(300)
			w.GrowIndexed(30)
			o := options(t, w)
			m := open(t, o)
			copyAll(t, m, from(w))
			shut(t, m)
			if err := os.RemoveAll(filepath.Join(o.Dir, deleted)); err != nil {
				t.Fatal(err)
			}
			m = open(t, o)
			notServed(t, m, ErrEmpty)
			if err := m.Resume(t.Context()); err != nil {
				t.Fatal(err)
			}
			same(t, m, w, 330, 2)
		})
	}
}

// Whoever keeps something beside the mirror is asked before it serves more.
func TestServing(t *testing.T) {
	w := indexverifiertest.New(t, origin)
	w.GrowIndexed(10)
	o := options(t, w)
	var sizes []uint64
	fail := false
	o.Serving = func(_ context.Context, size uint64) error {
		sizes = append(sizes, size)
		if fail {
			return errBroken
		}
		return nil
	}
	m := open(t, o)
	copyAll(t, m, from(w))
	w.GrowIndexed(10)
	fail = true
	if _, err := m.Sync(t.Context(), from(w)); !errors.Is(err, errBroken) {
		t.Errorf("%v", err)
	}
	served(t, m, w, 10, 1)
	fail = false
	if err := m.Resume(t.Context()); err != nil {
		t.Error(err)
	}
	served(t, m, w, 20, 2)
	if len(sizes) != 3 {
		t.Errorf("%d", sizes)
	}
}
