package indexlog

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/fetch"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
)

// served gives both logs as the service does: the log at /log/, the index log at
// /index/ with the leaf that is not published yet.
func (w *world) served(l *Log) string {
	answer := func(file func(string) ([]byte, bool, error)) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			data, _, err := file(r.URL.Path)
			if errors.Is(err, fs.ErrNotExist) {
				http.NotFound(rw, r)
			} else if err != nil {
				http.Error(rw, err.Error(), http.StatusInternalServerError)
			} else {
				_, _ = rw.Write(data)
			}
		})
	}
	mux := http.NewServeMux()
	mux.Handle("/log/", http.StripPrefix("/log/", answer(w.log.File)))
	mux.Handle("/index/", http.StripPrefix("/index/", answer(l.Tiles().DurableFile)))
	server := httptest.NewServer(mux)
	w.t.Cleanup(server.Close)
	return server.URL
}

// findFsck gives tessera's fsck: $TALLYROOT_FSCK, else on the PATH, else in build/bin of
// this repository.
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

// tileReader reads the index log's tiles for x/mod.
type tileReader struct{ *tiles.Store }

func (r tileReader) Height() int                     { return 8 }
func (r tileReader) SaveTiles([]tlog.Tile, [][]byte) {}
func (r tileReader) ReadTiles(list []tlog.Tile) (all [][]byte, err error) {
	for _, t := range list {
		data, _, err := r.File(strings.Replace(t.Path(), "tile/8/", "tile/", 1))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

// Readers that are not ours take both logs, at several sizes and while the newest leaf
// waits for its checkpoint: tessera's fsck reads all of each, x/mod proves every leaf
// and that each tree continues the one before.
func TestOutsideReaders(t *testing.T) {
	t.Parallel()
	fsck := findFsck(t)
	w := newWorld(t)
	away := w.witnessed()
	l := w.open()
	url := w.served(l)
	for name, key := range map[string]string{"log": w.logKey, "index": w.indexKey} {
		if err := os.WriteFile(w.path(name+".vkey"), []byte(key), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(name string) string {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		// Its exit status says nothing; its line does.
		out, _ := exec.CommandContext(ctx, fsck, "-ui=false", "-storage_url="+url+"/"+name+"/", "-public_key="+w.path(name+".vkey")).CombinedOutput()
		return string(out)
	}
	const passed = "Successfully fsck'd"
	var older tlog.Tree
	for _, size := range []uint64{1, 2, 255, 256, 257} {
		for l.Status().Published < size {
			w.reaches(l, w.add(1, 10).Size)
		}
		for _, name := range []string{"log", "index"} {
			if out := run(name); !strings.Contains(out, passed) {
				t.Fatalf("%s at index size %d:\n%s", name, size, out)
			}
		}
		c, _ := l.Tiles().Checkpoint()
		tree := tlog.Tree{N: int64(c.Size), Hash: tlog.Hash(c.Root)}
		reader := tlog.TileHashReader(tree, tileReader{l.Tiles()})
		for i := range tree.N {
			proof, err := tlog.ProveRecord(tree.N, i, reader)
			if err != nil {
				t.Fatal(err)
			}
			leaf, err := l.index.Leaf(uint64(i))
			if err != nil {
				t.Fatal(err)
			}
			if err := tlog.CheckRecord(proof, tree.N, tree.Hash, i, tlog.RecordHash(leaf.Text)); err != nil {
				t.Errorf("leaf %d at size %d: %v", i, tree.N, err)
			}
		}
		if older.N > 0 {
			proof, err := l.Tiles().ConsistencyProof(uint64(older.N), c.Size)
			if err != nil {
				t.Fatal(err)
			}
			got := make(tlog.TreeProof, len(proof))
			for i, h := range proof {
				got[i] = tlog.Hash(h)
			}
			if err := tlog.CheckTree(got, tree.N, tree.Hash, older.N, older.Hash); err != nil {
				t.Errorf("sizes %d and %d: %v", older.N, tree.N, err)
			}
		}
		older = tree
	}
	away.Store(true)
	w.add(1, 10)
	l.LogPublished()
	w.until(l, "a leaf waits", func(st Status) bool { return st.Publishing != nil })
	if out := run("index"); !strings.Contains(out, passed) {
		t.Errorf("with a leaf that waits:\n%s", out)
	}
	// What an index-verifier is asked to cosign can be read.
	source, err := fetch.HTTP(url+"/index", fetch.HTTPOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pending := checkpoint.Checkpoint{Origin: indexOrigin, Size: l.Tiles().Size(), Root: l.Tiles().RootWith(nil)}
	text, err := fetch.Open(source, pending, fetch.Options{}).Entry(t.Context(), pending.Size-1)
	if err != nil {
		t.Fatal(err)
	}
	if leaf, err := historyindex.ParseLeaf(text); err != nil || leaf.Checkpoint.Size != w.log.Size() {
		t.Errorf("the leaf that waits is %q, %v", text, err)
	}
}
