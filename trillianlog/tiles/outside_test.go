package tiles_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const origin = "example.com/log"

// sizes at which the outside implementations look at the folder.
var sizes = []uint64{1, 2, 255, 256, 257, 511, 512, 513, 1000, 65535, 65536, 65536 + 3}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// A log is a folder that grows, and the plain web server over it.
type log struct {
	dir    string
	vkey   string
	url    string
	store  *tiles.Store
	signer note.Signer
}

func newLog(t testing.TB) *log {
	t.Helper()
	skey, vkey, err := note.GenerateKey(zeros{}, origin)
	if err != nil {
		t.Fatal(err)
	}
	l := &log{dir: t.TempDir(), vkey: vkey}
	if l.signer, err = note.NewSigner(skey); err != nil {
		t.Fatal(err)
	}
	if l.store, err = tiles.Open(l.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.store.Close() })
	server := httptest.NewServer(http.FileServer(http.Dir(l.dir)))
	t.Cleanup(server.Close)
	l.url = server.URL
	return l
}

func entry(i uint64) []byte { return fmt.Appendf(nil, "entry %d", i) }

// grow adds entries, a batch at a time, and publishes the checkpoint.
func (l *log) grow(t testing.TB, size uint64) {
	t.Helper()
	for l.store.Size() < size {
		first := l.store.Size()
		batch := make([][]byte, min(size-first, 1000))
		for i := range batch {
			batch[i] = entry(first + uint64(i))
		}
		if err := l.store.Extend(batch, nil); err != nil {
			t.Fatal(err)
		}
	}
	signed, err := checkpoint.Sign(checkpoint.Checkpoint{Origin: origin, Size: size, Root: l.store.RootWith(nil)}, l.signer)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.store.Publish(signed); err != nil {
		t.Fatal(err)
	}
	if err := l.store.Settle(); err != nil {
		t.Fatal(err)
	}
}

// httpTiles reads tiles for x/mod from the web server.
type httpTiles struct{ url string }

func (h httpTiles) Height() int                                  { return 8 }
func (h httpTiles) SaveTiles(list []tlog.Tile, data [][]byte)    {}
func (h httpTiles) ReadTiles(list []tlog.Tile) ([][]byte, error) { return h.read(list) }

func (h httpTiles) read(list []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, t := range list {
		// x/mod names the height as well.
		data, err := get(h.url + "/" + strings.Replace(t.Path(), "tile/8/", "tile/", 1))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func get(url string) ([]byte, error) {
	resp, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, resp.Status)
	}
	return data, err
}

// x/mod's client takes the checkpoint, the tiles and the proofs.
func TestAgainstTlog(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	verifier, err := note.NewVerifier(l.vkey)
	if err != nil {
		t.Fatal(err)
	}
	var older tlog.Tree
	for _, size := range sizes {
		l.grow(t, size)
		signed, err := get(l.url + "/checkpoint")
		if err != nil {
			t.Fatal(err)
		}
		n, err := note.Open(signed, note.VerifierList(verifier))
		if err != nil {
			t.Fatal(err)
		}
		c, err := checkpoint.ParseBody(n.Text)
		if err != nil || c.Size != size {
			t.Fatalf("size %d: %v, %v", size, c, err)
		}
		tree := tlog.Tree{N: int64(c.Size), Hash: tlog.Hash(c.Root)}
		reader := tlog.TileHashReader(tree, httpTiles{l.url})
		for _, i := range []uint64{0, 1, size / 3, size / 2, size - 1} {
			if i >= size {
				continue
			}
			want, err := tlog.ProveRecord(tree.N, int64(i), reader)
			if err != nil {
				t.Fatalf("size %d: x/mod cannot read the tiles for entry %d: %v", size, i, err)
			}
			proof, err := l.store.InclusionProof(i, size)
			if err != nil {
				t.Fatal(err)
			}
			got := make(tlog.RecordProof, len(proof))
			for i, h := range proof {
				got[i] = tlog.Hash(h)
			}
			if err := tlog.CheckRecord(got, tree.N, tree.Hash, int64(i), tlog.RecordHash(entry(i))); err != nil {
				t.Errorf("size %d, entry %d: %v", size, i, err)
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("size %d, entry %d: %v, x/mod proves %v", size, i, got, want)
			}
		}
		if older.N > 0 {
			proof, err := l.store.ConsistencyProof(uint64(older.N), size)
			if err != nil {
				t.Fatal(err)
			}
			got := make(tlog.TreeProof, len(proof))
			for i, h := range proof {
				got[i] = tlog.Hash(h)
			}
			if err := tlog.CheckTree(got, tree.N, tree.Hash, older.N, older.Hash); err != nil {
				t.Errorf("sizes %d and %d: %v", older.N, size, err)
			}
		}
		older = tree
		again, err := tiles.Open(copyDir(t, l.dir))
		if err != nil {
			t.Fatalf("size %d: %v", size, err)
		}
		if root, err := again.Root(size); err != nil || root != c.Root {
			t.Errorf("size %d: opened again, the root is %x, %v", size, root, err)
		}
		again.Close()
	}
}

func copyDir(t testing.TB, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// findFsck gives tessera's fsck: $TALLYROOT_FSCK, else on the PATH, else in
// build/bin of this repository.
func findFsck(t *testing.T) string {
	_, file, _, _ := runtime.Caller(0)
	built := filepath.Join(filepath.Dir(file), "..", "..", "build", "bin", "fsck")
	for _, name := range []string{os.Getenv("TALLYROOT_FSCK"), "tessera-fsck", built} {
		if name == "" {
			continue
		}
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("tessera's fsck is not here: GOBIN=build/bin go install github.com/transparency-dev/tessera/cmd/fsck@v1.0.4, or set TALLYROOT_FSCK")
	return ""
}

// Tessera's own check of a whole log takes the folder, from a plain web server.
func TestFsck(t *testing.T) {
	t.Parallel()
	fsck := findFsck(t)
	l := newLog(t)
	key := filepath.Join(t.TempDir(), "log.vkey")
	if err := os.WriteFile(key, []byte(l.vkey), 0o644); err != nil {
		t.Fatal(err)
	}
	run := func() (string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		out, err := exec.CommandContext(ctx, fsck, "-ui=false", "-storage_url="+l.url+"/", "-public_key="+key).CombinedOutput()
		return string(out), err
	}
	// Its exit status says nothing; this line does.
	const passed = "Successfully fsck'd"
	for _, size := range sizes {
		l.grow(t, size)
		if out, err := run(); err != nil || !strings.Contains(out, passed) {
			t.Fatalf("size %d: %v\n%s", size, err, out)
		}
	}
	// And it does notice.
	name := filepath.Join(l.dir, "tile", "entries", "000")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	data[100] ^= 1
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, _ := run(); strings.Contains(out, passed) {
		t.Errorf("a changed entry was not noticed:\n%s", out)
	}
}
