package fetch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
)

const origin = "log.example.org"

// A written log is one that package tiles wrote.
type written struct {
	store *tiles.Store
	dir   string
	key   note.Signer
}

func write(t testing.TB, size uint64) *written {
	t.Helper()
	secret, _, err := note.GenerateKey(rander{}, origin)
	if err != nil {
		t.Fatal(err)
	}
	key, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s, err := tiles.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	w := &written{s, dir, key}
	w.grow(t, size)
	return w
}

// A rander gives the same bytes each time.
type rander struct{}

func (rander) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

func entryAt(index uint64) []byte {
	return fmt.Appendf(nil, "entry %d %s", index, strings.Repeat("x", int(index%97)))
}

func (w *written) grow(t testing.TB, size uint64) checkpoint.Checkpoint {
	t.Helper()
	var entries [][]byte
	for i := w.store.Size(); i < size; i++ {
		entries = append(entries, entryAt(i))
	}
	if err := w.store.Extend(entries, nil); err != nil {
		t.Fatal(err)
	}
	c := checkpoint.Checkpoint{Origin: origin, Size: size, Root: w.store.RootWith(nil)}
	signed, err := checkpoint.Sign(c, w.key)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.store.Publish(signed); err != nil {
		t.Fatal(err)
	}
	if err := w.store.Settle(); err != nil {
		t.Fatal(err)
	}
	return c
}

// serve answers for the store as a service does.
func (w *written) serve(t testing.TB) Source {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		data, _, err := w.store.File(strings.TrimPrefix(r.URL.Path, "/log/"))
		if errors.Is(err, fs.ErrNotExist) {
			http.NotFound(rw, r)
			return
		}
		if err != nil {
			t.Error(err)
		}
		rw.Write(data)
	}))
	t.Cleanup(server.Close)
	s, err := HTTP(server.URL+"/log/", HTTPOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// read streams and compares with what was written.
func read(t testing.TB, l *Log, first, n uint64) error {
	t.Helper()
	index := first
	for e, err := range l.Stream(t.Context(), first, n) {
		if err != nil {
			return err
		}
		if !bytes.Equal(e, entryAt(index)) {
			t.Fatalf("entry %d is %q", index, e)
		}
		index++
	}
	if index != first+n {
		t.Fatalf("%d entries from %d on, want %d", index-first, first, n)
	}
	return nil
}

func TestStreamAndProofs(t *testing.T) {
	t.Parallel()
	for _, size := range []uint64{1, 2, 255, 256, 257, 700, 65536, 66000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			w := write(t, size)
			for _, source := range []Source{Folder(w.dir), w.serve(t)} {
				signed, err := Checkpoint(t.Context(), source)
				if err != nil {
					t.Fatal(err)
				}
				c, _, err := checkpoint.Parse(signed)
				if err != nil || c.Size != size {
					t.Fatal(c, err)
				}
				l := Open(source, c, Options{CachedTiles: 3})
				if err := l.Check(t.Context()); err != nil {
					t.Fatal(err)
				}
				for _, part := range [][2]uint64{{0, size}, {0, 1}, {size - 1, 1}, {size / 2, size - size/2}, {size, 0}, {size / 3, size / 3}} {
					if err := read(t, l, part[0], part[1]); err != nil {
						t.Fatal(part, err)
					}
				}
				for _, index := range []uint64{0, size / 3, size / 2, size - 1} {
					path, err := l.InclusionProof(t.Context(), index)
					if err != nil {
						t.Fatal(err)
					}
					leaf, err := l.LeafHash(t.Context(), index)
					if err != nil || leaf != tiles.LeafHash(entryAt(index)) {
						t.Fatal(leaf, err)
					}
					if err := proof.VerifyInclusion(rfc6962.DefaultHasher, index, size, leaf[:], slicesOf(path), c.Root[:]); err != nil {
						t.Errorf("entry %d: %v", index, err)
					}
					old, err := w.store.Root(index)
					if err != nil {
						t.Fatal(err)
					}
					if root, err := l.Root(t.Context(), index); err != nil || root != old {
						t.Errorf("the root at %d: %x, want %x; %v", index, root, old, err)
					}
					path, err = l.ConsistencyProof(t.Context(), index, size)
					if err != nil {
						t.Fatal(err)
					}
					if err := c.Follows(checkpoint.Checkpoint{Origin: origin, Size: index, Root: old}, path); err != nil {
						t.Errorf("from %d: %v", index, err)
					}
				}
			}
		})
	}
}

func slicesOf(path []tiles.Hash) (all [][]byte) {
	for i := range path {
		all = append(all, path[i][:])
	}
	return all
}

func TestBeyond(t *testing.T) {
	t.Parallel()
	w := write(t, 300)
	c, _ := w.store.Checkpoint()
	l := Open(Folder(w.dir), c, Options{})
	ctx := t.Context()
	none := Open(Folder(w.dir), checkpoint.Checkpoint{Origin: origin, Root: sha256.Sum256(nil)}, Options{})
	for name, err := range map[string]error{
		"stream":      read(t, l, 299, 2),
		"far":         read(t, l, 1<<63, 1<<63),
		"many":        read(t, l, 1, 1<<64-1),
		"entry":       second(l.Entry(ctx, 300)),
		"leaf":        second(l.LeafHash(ctx, 300)),
		"inclusion":   second(l.InclusionProof(ctx, 300)),
		"consistency": second(l.ConsistencyProof(ctx, 1, 301)),
		"falling":     second(l.ConsistencyProof(ctx, 2, 1)),
		"root":        second(l.Root(ctx, 301)),
		"of none":     second(none.LeafHash(ctx, 0)),
	} {
		if !errors.Is(err, ErrRange) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := none.Check(ctx); err != nil {
		t.Error(err)
	}
	if err := read(t, none, 0, 0); err != nil {
		t.Error(err)
	}
	if err := Open(Folder(w.dir), checkpoint.Checkpoint{Origin: origin}, Options{}).Check(ctx); err == nil {
		t.Error("an empty log with another root passes")
	}
}

func second[T any](_ T, err error) error { return err }

// A log that has grown, and whose partial files are gone, is still read at the
// older checkpoint.
func TestOlderCheckpoint(t *testing.T) {
	t.Parallel()
	w := write(t, 300)
	old, _ := w.store.Checkpoint()
	w.grow(t, 66000)
	for _, name := range []string{"tile/0/001.p", "tile/1/000.p", "tile/entries/001.p"} {
		if err := os.RemoveAll(filepath.Join(w.dir, filepath.FromSlash(name))); err != nil {
			t.Fatal(err)
		}
	}
	if err := read(t, Open(Folder(w.dir), old, Options{}), 0, 300); err != nil {
		t.Error(err)
	}
}

// Whatever is done to a file, it is never believed, and the error names it.
func TestDamage(t *testing.T) {
	t.Parallel()
	w := write(t, 700)
	c, _ := w.store.Checkpoint()
	changes := map[string]func([]byte) []byte{
		"lost":    func([]byte) []byte { return nil },
		"empty":   func([]byte) []byte { return []byte{} },
		"cut":     func(b []byte) []byte { return b[:len(b)-1] },
		"longer":  func(b []byte) []byte { return append(bytes.Clone(b), 0) },
		"flipped": func(b []byte) []byte { b = bytes.Clone(b); b[len(b)/2] ^= 1; return b },
		"huge":    func(b []byte) []byte { return make([]byte, maxBundle+1) },
	}
	for _, path := range []string{"tile/0/000", "tile/0/001", "tile/0/002.p/188", "tile/1/000.p/2", "tile/entries/000", "tile/entries/001", "tile/entries/002.p/188"} {
		good, err := Folder(w.dir).Get(t.Context(), path, maxBundle)
		if err != nil {
			t.Fatal(err)
		}
		for name, change := range changes {
			source := changed{Folder(w.dir), path, change(good)}
			err := read(t, Open(source, c, Options{}), 0, 700)
			var damage *DamageError
			var missing *MissingError
			switch {
			case name == "lost":
				if !errors.As(err, &missing) || !errors.Is(err, fs.ErrNotExist) || missing.File != source.Address(path) {
					t.Errorf("%s %s: %v", path, name, err)
				}
			case !errors.As(err, &damage):
				t.Errorf("%s %s: %v", path, name, err)
			case damage.File != source.Address(path) && damage.File != source.Address("tile/"):
				t.Errorf("%s %s names %s", path, name, damage.File)
			case strings.HasPrefix(path, "tile/entries/") && damage.Index/tiles.Width != uint64(path[len("tile/entries/00")]-'0'):
				t.Errorf("%s %s names the entry %d", path, name, damage.Index)
			}
		}
	}
	other := c
	other.Root[3] ^= 1
	var damage *DamageError
	if err := Open(Folder(w.dir), other, Options{}).Check(t.Context()); !errors.As(err, &damage) {
		t.Errorf("another root: %v", err)
	}
	other = c
	other.Size = 1<<64 - 1
	if err := Open(Folder(w.dir), other, Options{}).Check(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an impossible size: %v", err)
	}
}

// changed is a source with another content of one file; nil: it is not there.
type changed struct {
	Source
	path string
	data []byte
}

func (c changed) Get(ctx context.Context, path string, limit int64) ([]byte, error) {
	switch {
	case path != c.path:
		return c.Source.Get(ctx, path, limit)
	case c.data == nil:
		return nil, fs.ErrNotExist
	case int64(len(c.data)) > limit:
		return nil, ErrTooLarge
	}
	return c.data, nil
}

// Who stops reading leaves nothing running, and who is interrupted is told so.
func TestStop(t *testing.T) {
	t.Parallel()
	w := write(t, 5000)
	c, _ := w.store.Checkpoint()
	counted := &counting{Source: Folder(w.dir)}
	for range Open(counted, c, Options{Parallel: 4}).Stream(t.Context(), 0, 5000) {
		break
	}
	if n, running := counted.n.Load(), counted.running.Load(); n > 20 || running > 0 {
		t.Errorf("%d files were read for one entry; %d are still being read", n, running)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var err error
	n := 0
	for _, err = range Open(counted, c, Options{}).Stream(ctx, 0, 5000) {
		if n++; n == 300 {
			cancel()
		}
	}
	if !errors.Is(err, context.Canceled) || n > 4900 {
		t.Errorf("%d entries, %v", n, err)
	}
}

type counting struct {
	Source
	n, running atomic.Int64
}

func (c *counting) Get(ctx context.Context, path string, limit int64) ([]byte, error) {
	c.n.Add(1)
	c.running.Add(1)
	defer c.running.Add(-1)
	return c.Source.Get(ctx, path, limit)
}

func TestFolderTakesOnlyPathsOfALog(t *testing.T) {
	t.Parallel()
	w := write(t, 3)
	for _, path := range []string{"../checkpoint", "tile/entries/000.growing", "", "/checkpoint", "tile/0/0"} {
		if _, err := Folder(w.dir).Get(t.Context(), path, 100); !errors.Is(err, tiles.ErrPath) {
			t.Errorf("%q: %v", path, err)
		}
	}
	if _, err := Folder(w.dir).Get(t.Context(), "checkpoint", 10); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	if _, err := Checkpoint(t.Context(), changed{Folder(w.dir), "checkpoint", []byte("x")}); !errors.Is(err, checkpoint.ErrMalformed) {
		t.Error(err)
	}
}
