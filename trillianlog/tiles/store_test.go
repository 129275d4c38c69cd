package tiles

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const testOrigin = "example.com/log"

// testEntry gives the entry at an index: some are empty, their lengths differ.
func testEntry(i uint64) []byte {
	if i%50 == 7 {
		return []byte{}
	}
	return fmt.Appendf(nil, "entry %d %s", i, strings.Repeat("x", int(i*i%97)))
}

func testEntries(first, n uint64) [][]byte {
	entries := make([][]byte, n)
	for i := range entries {
		entries[i] = testEntry(first + uint64(i))
	}
	return entries
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func testSigner(t testing.TB) note.Signer {
	t.Helper()
	skey, _, err := note.GenerateKey(zeros{}, testOrigin)
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sign(t testing.TB, size uint64, root Hash) []byte {
	t.Helper()
	signed, err := checkpoint.Sign(checkpoint.Checkpoint{Origin: testOrigin, Size: size, Root: root}, testSigner(t))
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func mustOpen(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	s.pace = 0 // the partial files are there at once
	return s
}

// publish signs and publishes what is durable.
func publish(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Publish(sign(t, s.Size(), s.RootWith(nil))); err != nil {
		t.Fatal(err)
	}
}

// grow adds and publishes entries up to a size, in one step.
func grow(t testing.TB, s *Store, size uint64) {
	t.Helper()
	if err := s.Extend(testEntries(s.Size(), size-s.Size()), nil); err != nil {
		t.Fatal(err)
	}
	publish(t, s)
}

// reference is the same log in another implementation, golang.org/x/mod/sumdb/tlog.
type reference struct {
	hashes []tlog.Hash
	size   uint64
}

func (r *reference) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		found[i] = r.hashes[x]
	}
	return found, nil
}

func (r *reference) grow(t testing.TB, size uint64) {
	t.Helper()
	for ; r.size < size; r.size++ {
		h, err := tlog.StoredHashes(int64(r.size), testEntry(r.size), r)
		if err != nil {
			t.Fatal(err)
		}
		r.hashes = append(r.hashes, h...)
	}
}

func (r *reference) root(t testing.TB, size uint64) Hash {
	t.Helper()
	h, err := tlog.TreeHash(int64(size), r)
	if err != nil {
		t.Fatal(err)
	}
	return Hash(h)
}

func sameHashes[A, B ~[32]byte](a []A, b []B) bool {
	return slices.EqualFunc(a, b, func(x A, y B) bool { return [32]byte(x) == [32]byte(y) })
}

// check compares everything that a store says of a published size, for a sample of
// indices, with the reference.
func check(t testing.TB, s *Store, r *reference, size uint64, indices []uint64) {
	t.Helper()
	if got, err := s.Root(size); err != nil || got != r.root(t, size) {
		t.Fatalf("size %d: root %x, %v; x/mod says %x", size, got, err, r.root(t, size))
	}
	for _, i := range indices {
		if i < size {
			got, err := s.InclusionProof(i, size)
			want, err2 := tlog.ProveRecord(int64(size), int64(i), r)
			if err != nil || err2 != nil || !sameHashes(got, want) {
				t.Fatalf("inclusion of %d in %d: %x, %v; x/mod says %x, %v", i, size, got, err, want, err2)
			}
			if leaf, err := s.LeafHash(i); err != nil || leaf != LeafHash(testEntry(i)) {
				t.Fatalf("leaf hash of %d: %x, %v", i, leaf, err)
			}
			if e, err := s.Entry(context.Background(), i); err != nil || !bytes.Equal(e, testEntry(i)) {
				t.Fatalf("entry %d: %q, %v", i, e, err)
			}
		}
		if i > 0 && i <= size {
			got, err := s.ConsistencyProof(i, size)
			want, err2 := tlog.ProveTree(int64(size), int64(i), r)
			if err != nil || err2 != nil || !sameHashes(got, want) {
				t.Fatalf("consistency of %d and %d: %x, %v; x/mod says %x, %v", i, size, got, err, want, err2)
			}
		}
	}
}

func TestGrowth(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	if s.Size() != 0 || s.Published() != nil {
		t.Fatalf("a new store has size %d and the checkpoint %q", s.Size(), s.Published())
	}
	if root, err := s.Root(0); err != nil || root != s.RootWith(nil) {
		t.Fatalf("the root of nothing: %x, %v", root, err)
	}
	publish(t, s) // size 0
	var r reference
	random := rand.New(rand.NewPCG(1, 2))
	steps := []uint64{1, 1, 1, 252, 1, 1, 254, 1, 1, 3, 300, 600, 44, 1, 40, 511, 512, 513}
	for _, n := range steps {
		before := s.Size()
		entries := testEntries(before, n)
		leaves := make([]Hash, n)
		for i, e := range entries {
			leaves[i] = LeafHash(e)
		}
		root := s.RootWith(leaves)
		r.grow(t, before+n)
		if want := r.root(t, before+n); root != want {
			t.Fatalf("size %d: RootWith gives %x, x/mod says %x", before+n, root, want)
		}
		if err := s.Extend(entries, leaves); err != nil {
			t.Fatal(err)
		}
		if s.Size() != before+n {
			t.Fatalf("size is %d, want %d", s.Size(), before+n)
		}
		// A witness asks for this before the new checkpoint is published.
		if got, err := s.ConsistencyProof(before, before+n); err != nil {
			t.Fatal(err)
		} else if want, _ := tlog.ProveTree(int64(before+n), int64(max(before, 1)), &r); before > 0 && !sameHashes(got, want) {
			t.Fatalf("consistency of %d and %d: %x, want %x", before, before+n, got, want)
		}
		// Readers see what is published.
		if _, err := s.Root(before + n); !errors.Is(err, ErrRange) {
			t.Fatalf("the root of an unpublished size: %v", err)
		}
		if _, err := s.Entry(context.Background(), before); !errors.Is(err, ErrRange) {
			t.Fatalf("an unpublished entry: %v", err)
		}
		if _, err := s.LeafHash(before); !errors.Is(err, ErrRange) {
			t.Fatalf("an unpublished leaf hash: %v", err)
		}
		publish(t, s)
		size := s.Size()
		indices := []uint64{0, 1, size - 1, size / 2, before, 255, 256, 257, random.Uint64N(size), random.Uint64N(size)}
		check(t, s, &r, size, indices)
		check(t, s, &r, 1+random.Uint64N(size), indices)
	}
	size := s.Size()
	for i := uint64(1); i <= size; i += 7 {
		check(t, s, &r, i, []uint64{0, i / 3, i - 1, i})
	}
}

func TestRanges(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	grow(t, s, 300)
	ctx := context.Background()
	for name, err := range map[string]error{
		"root":                   second(s.Root(301)),
		"inclusion, size":        second(s.InclusionProof(0, 301)),
		"inclusion, index":       second(s.InclusionProof(300, 300)),
		"inclusion, empty tree":  second(s.InclusionProof(0, 0)),
		"consistency, size":      second(s.ConsistencyProof(1, 301)),
		"consistency, backwards": second(s.ConsistencyProof(300, 299)),
		"entry":                  second(s.Entry(ctx, 300)),
		"leaf hash":              second(s.LeafHash(300)),
		"entries, first":         second(s.Entries(ctx, 301, 0)),
		"entries, end":           second(s.Entries(ctx, 1, 300)),
		"entries, overflow":      second(s.Entries(ctx, 1, 1<<64-1)),
	} {
		if !errors.Is(err, ErrRange) {
			t.Errorf("%s: got %v, want ErrRange", name, err)
		}
	}
	for _, from := range []uint64{0, 300} {
		if proof, err := s.ConsistencyProof(from, 300); err != nil || len(proof) != 0 {
			t.Errorf("consistency of %d and 300: %x, %v; want an empty proof", from, proof, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestEntries(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	grow(t, s, 700)
	for _, test := range []struct{ first, n uint64 }{{0, 0}, {0, 1}, {0, 700}, {255, 2}, {256, 256}, {511, 189}, {699, 1}, {700, 0}} {
		got, err := s.Entries(context.Background(), test.first, test.n)
		if err != nil || !slices.EqualFunc(got, testEntries(test.first, test.n), bytes.Equal) {
			t.Errorf("%d entries from %d: %q, %v", test.n, test.first, got, err)
		}
	}
	n := 0
	for e, err := range s.Stream(context.Background(), 100, 600) {
		if err != nil || !bytes.Equal(e, testEntry(100+uint64(n))) {
			t.Fatalf("entry %d: %q, %v", 100+n, e, err)
		}
		if n++; n == 300 {
			break
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Entries(ctx, 0, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
	if _, err := s.Entry(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
}

// The caller may change an entry that it asked for, or gave.
func TestEntriesAreCopied(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	given := testEntries(0, 300)
	if err := s.Extend(given, nil); err != nil {
		t.Fatal(err)
	}
	publish(t, s)
	for _, i := range []uint64{0, 299} {
		clear(given[i])
		e, err := s.Entry(context.Background(), i)
		if err != nil || !bytes.Equal(e, testEntry(i)) {
			t.Fatalf("entry %d: %q, %v", i, e, err)
		}
		clear(e)
		if e, _ = s.Entry(context.Background(), i); !bytes.Equal(e, testEntry(i)) {
			t.Errorf("entry %d was changed through an answer", i)
		}
	}
}

func TestExtendRefuses(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	grow(t, s, 3)
	if err := s.Extend([][]byte{make([]byte, MaxEntrySize+1)}, nil); !errors.Is(err, ErrEntryTooLarge) {
		t.Errorf("an entry of %d bytes: %v", MaxEntrySize+1, err)
	}
	if err := s.Extend([][]byte{make([]byte, 9)}, []Hash{{}}); !errors.Is(err, ErrLeaf) {
		t.Errorf("a wrong leaf hash: %v", err)
	}
	if err := s.Extend([][]byte{make([]byte, 9)}, []Hash{}); err == nil {
		t.Error("fewer leaf hashes than entries were taken")
	}
	if err := s.Extend(nil, nil); err != nil || s.Size() != 3 {
		t.Errorf("no entries: %v, size %d", err, s.Size())
	}
	if err := s.Extend([][]byte{make([]byte, MaxEntrySize)}, nil); err != nil {
		t.Errorf("an entry of %d bytes: %v", MaxEntrySize, err)
	}
	publish(t, s)
	if e, err := s.Entry(context.Background(), 3); err != nil || len(e) != MaxEntrySize {
		t.Errorf("the largest entry has %d bytes, %v", len(e), err)
	}
}

func TestPublishRefuses(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	grow(t, s, 300)
	old := s.Published()
	if err := s.Extend(testEntries(300, 10), nil); err != nil {
		t.Fatal(err)
	}
	root := s.RootWith(nil)
	other := Hash{1}
	for _, test := range []struct {
		name   string
		signed []byte
		want   error
	}{
		{"the old one", old, ErrOrder},
		{"too small", sign(t, 309, root), ErrOrder},
		{"too large", sign(t, 311, root), ErrOrder},
		{"another root", sign(t, 310, other), ErrRoot},
		{"another origin", bytes.ReplaceAll(sign(t, 310, root), []byte("example.com"), []byte("elsewhere.com")), ErrOrder},
		{"no checkpoint", []byte("hello"), checkpoint.ErrMalformed},
	} {
		if err := s.Publish(test.signed); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, err, test.want)
		}
		if !bytes.Equal(s.Published(), old) {
			t.Fatalf("%s: it was published", test.name)
		}
	}
	signed := sign(t, 310, root)
	cosigned := append(slices.Clone(signed), "— witness.example AAAAAAA=\n"...)
	for _, next := range [][]byte{signed, signed, cosigned} {
		if err := s.Publish(next); err != nil {
			t.Fatal(err)
		}
		onDisk, err := os.ReadFile(s.path(CheckpointPath))
		if err != nil || !bytes.Equal(onDisk, next) || !bytes.Equal(s.Published(), next) {
			t.Errorf("published %q, the file holds %q, %v", next, onDisk, err)
		}
	}
}

// File answers every partial width of the published tree, and nothing else.
func TestFile(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	if _, _, err := s.File("checkpoint"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a checkpoint before one is published: %v", err)
	}
	grow(t, s, 256)
	const size = 600
	grow(t, s, size)
	if err := s.Extend(testEntries(size, 300), nil); err != nil { // not published
		t.Fatal(err)
	}
	if data, immutable, err := s.File("checkpoint"); err != nil || immutable || !bytes.Equal(data, s.Published()) {
		t.Errorf("checkpoint: %q, %v, %v", data, immutable, err)
	}
	for index := range uint64(4) {
		for width := 1; width <= Width; width++ {
			tile, immutable, err := s.File(TilePath(0, index, width))
			entries, immutable2, err2 := s.File(EntriesPath(index, width))
			if index*Width+uint64(width) > size {
				if !errors.Is(err, fs.ErrNotExist) || !errors.Is(err2, fs.ErrNotExist) {
					t.Fatalf("tile %d of width %d: %v, %v", index, width, err, err2)
				}
				continue
			}
			if err != nil || err2 != nil || !immutable || !immutable2 {
				t.Fatalf("tile %d of width %d: %v, %v", index, width, err, err2)
			}
			got, err := ParseBundle(entries)
			if err != nil || len(got) != width || len(tile) != 32*width {
				t.Fatalf("tile %d of width %d: %d entries, %d bytes of hashes, %v", index, width, len(got), len(tile), err)
			}
			for i, e := range got {
				if !bytes.Equal(e, testEntry(index*Width+uint64(i))) || LeafHash(e) != Hash(tile[32*i:]) {
					t.Fatalf("tile %d of width %d: wrong at %d", index, width, i)
				}
			}
		}
	}
	for _, path := range []string{
		"tile/1/000", "tile/1/000.p/3", "tile/2/000.p/1", "tile/63/000.p/1", "tile/0/003", "tile/1/001.p/1",
		"tile/entries/002", "tile/entries/002.growing", "", "..", "tile/0/../../checkpoint", "checkpoint.tmp", "/checkpoint",
	} {
		if _, _, err := s.File(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: got %v, want fs.ErrNotExist", path, err)
		}
	}
	if data, _, err := s.File("tile/1/000.p/2"); err != nil || len(data) != 64 {
		t.Errorf("the level above: %d bytes, %v", len(data), err)
	}
}

// diskFiles gives the paths of all files below a folder.
func diskFiles(t testing.TB, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			found = append(found, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// The files of the newest checkpoints stay on disk; older partial ones go.
func TestPartialFilesAreSwept(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	for size := uint64(5); size <= 1000; size += 5 {
		if err := s.Extend(testEntries(s.Size(), 5), nil); err != nil {
			t.Fatal(err)
		}
		if size%10 == 0 {
			publish(t, s)
		}
	}
	want := []string{
		"checkpoint", "checkpoint.spare", "tile/0/000", "tile/0/001", "tile/0/002",
		"tile/0/003.p/202", "tile/0/003.p/212", "tile/0/003.p/222", "tile/0/003.p/232",
		"tile/1/000.p/3",
		"tile/entries/000", "tile/entries/001", "tile/entries/002",
		"tile/entries/003.growing",
		"tile/entries/003.p/202", "tile/entries/003.p/212", "tile/entries/003.p/222", "tile/entries/003.p/232",
	}
	got := diskFiles(t, dir)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("on disk:\n%q\nwant\n%q", got, want)
	}
	// A start leaves those of the published checkpoint.
	s = mustOpen(t, dir)
	want = slices.DeleteFunc(want, func(name string) bool {
		return strings.HasSuffix(name, ".p/202") || strings.HasSuffix(name, ".p/212") || strings.HasSuffix(name, ".p/222")
	})
	got = diskFiles(t, dir)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("after a start:\n%q\nwant\n%q", got, want)
	}
	grow(t, s, 1100)
	for range KeptCheckpoints {
		grow(t, s, s.Size()+1)
	}
	if _, err := os.Stat(filepath.Join(dir, "tile/entries/003.p")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder of a full bundle's partial files is still there: %v", err)
	}
}

// One writer, many readers, each of whom checks what it is given.
func TestConcurrentReaders(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	grow(t, s, 1)
	var r reference
	const end = 3000
	r.grow(t, end)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for i := range 4 {
		readers.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 0))
			for {
				select {
				case <-done:
					return
				default:
				}
				c, _ := s.Checkpoint()
				index := c.Size - 1 - random.Uint64N(min(c.Size, 600))
				proof, err := s.InclusionProof(index, c.Size)
				if err != nil {
					t.Error(err)
					return
				}
				path := make(tlog.RecordProof, len(proof))
				for i := range proof {
					path[i] = tlog.Hash(proof[i])
				}
				e, err := s.Entry(context.Background(), index)
				if err != nil {
					t.Error(err)
					return
				}
				if err := tlog.CheckRecord(path, int64(c.Size), tlog.Hash(c.Root), int64(index), tlog.RecordHash(e)); err != nil {
					t.Errorf("entry %d in %d: %v", index, c.Size, err)
					return
				}
				if _, _, err := s.File(EntriesPath(index/Width, 1+int(index%Width))); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	random := rand.New(rand.NewPCG(9, 9))
	for s.Size() < end {
		grow(t, s, min(end, s.Size()+1+random.Uint64N(70)))
	}
	close(done)
	readers.Wait()
	check(t, s, &r, end, []uint64{0, 1, 2000, end - 1})
}

// Where an index gains a digit group, the files go on in another folder.
func TestThousandthBundle(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := open(dir, disk{sync: func(*os.File) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	s.pace = 0
	const boundary = 1000 * Width
	grow(t, s, boundary-100)
	for _, size := range []uint64{boundary - 1, boundary, boundary + 1, boundary + 300} {
		grow(t, s, size)
		again := mustOpen(t, dir)
		first := uint64(boundary - 600)
		got, err := again.Entries(context.Background(), first, size-first)
		if err != nil || !slices.EqualFunc(got, testEntries(first, size-first), bytes.Equal) {
			t.Fatalf("size %d: %d entries, %v", size, len(got), err)
		}
		proof, err := again.ConsistencyProof(boundary-100, size)
		want, err2 := s.ConsistencyProof(boundary-100, size)
		if err != nil || err2 != nil || !slices.Equal(proof, want) {
			t.Fatalf("size %d: %v, %v", size, err, err2)
		}
	}
	for _, name := range []string{"tile/entries/999", "tile/entries/x001/000", "tile/entries/x001/001.growing", "tile/0/x001/000", "tile/0/x001/001.p/44", "tile/1/003.p/233"} {
		if _, err := os.Stat(s.path(name)); err != nil {
			t.Error(err)
		}
	}
}

// Under load the files of a checkpoint are written now and then; answers do not
// wait for them, what is on disk belongs together, and the last ones are there
// when the store is closed.
func TestFilesFollowNowAndThen(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	s.pace = time.Hour
	grow(t, s, 10)
	for size := uint64(11); size <= 300; size++ {
		grow(t, s, size)
	}
	want := []string{"checkpoint", "tile/0/000", "tile/0/000.p/10", "tile/entries/000", "tile/entries/000.p/10", "tile/entries/001.growing"}
	got := diskFiles(t, dir)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("on disk:\n%q\nwant\n%q", got, want)
	}
	for _, name := range []string{"tile/0/000.p/200", "tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/001.p/44"} {
		if _, _, err := s.File(name); err != nil {
			t.Errorf("%s is not answered: %v", name, err)
		}
	}
	if got := mustOpen(t, copyFolder(t, dir)).published.Load().edge.size; got != 10 {
		t.Errorf("the files are those of size %d", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := mustOpen(t, copyFolder(t, dir)).published.Load().edge.size; got != 300 {
		t.Errorf("after Close the files are those of size %d", got)
	}
	for _, name := range []string{"tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/001.p/44"} {
		if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			t.Error(err)
		}
	}
}

func copyFolder(t *testing.T, dir string) string {
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}
