package indexverifier

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/tallyroot/tallyroot/internal/pebblelog"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/participant"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/fetch"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
)

const origin = "verified.example/log"

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// A published is a log with its key, as static files in a folder.
type published struct {
	t      testing.TB
	dir    string
	store  *tiles.Store
	key    string
	signer note.Signer
}

func newPublished(t testing.TB, origin string) *published {
	t.Helper()
	secret, key, err := note.GenerateKey(nil, origin)
	if err != nil {
		t.Fatal(err)
	}
	p := &published{t: t, key: key}
	if p.signer, err = note.NewSigner(secret); err != nil {
		t.Fatal(err)
	}
	p.begin(t.TempDir())
	return p
}

// begin goes on with an empty log under the same key.
func (p *published) begin(dir string) {
	p.t.Helper()
	var err error
	p.dir = dir
	if p.store, err = tiles.Open(dir); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { p.store.Close() })
}

// add publishes further entries.
func (p *published) add(entries ...[]byte) (checkpoint.Checkpoint, []byte) {
	p.t.Helper()
	if err := p.store.Extend(entries, nil); err != nil {
		p.t.Fatal(err)
	}
	c := checkpoint.Checkpoint{Origin: p.signer.Name(), Size: p.store.Size(), Root: p.store.RootWith(nil)}
	signed, err := checkpoint.Sign(c, p.signer)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.store.Publish(signed); err != nil {
		p.t.Fatal(err)
	}
	if err := p.store.Settle(); err != nil {
		p.t.Fatal(err)
	}
	return c, signed
}

// A world is a log, its index log, and how an honest operator makes the leaves.
type world struct {
	*testing.T
	log, index *published
	entries    [][]byte
}

func newWorld(t *testing.T) *world {
	return &world{T: t, log: newPublished(t, origin), index: newPublished(t, participant.IndexOrigin(origin))}
}

// logged makes n entries and publishes them.
func (w *world) logged(n int) {
	w.Helper()
	var entries [][]byte
	for range n {
		entries = append(entries, event(len(w.entries)+len(entries), ""))
	}
	w.entries = append(w.entries, entries...)
	w.log.add(entries...)
}

// event is about a thing of its own, a thing that each tenth is about too, and one that
// it may share with others.
func event(i int, also string) []byte {
	if also == "" {
		also = fmt.Sprint("urn:example:pallet-", i%7)
	}
	return fmt.Appendf(nil, `tallyroot/entry/v1 %s farm
{"action":"OBSERVE","epcList":["urn:example:jar-%d","urn:example:box-%d","%s"],"type":"ObjectEvent"}

— %s/managed/farm %s
`, origin, i, i%10, also, origin, base64.StdEncoding.EncodeToString(make([]byte, 68)))
}

// leafOf is the leaf about the first size entries of a log, by the definition. Entries
// that keep refuses are left out of the map.
func (w *world) leafOf(size int, keep func(i int) bool) historyindex.Leaf {
	w.Helper()
	lists := map[historyindex.Hash][]uint64{}
	for i, e := range w.entries[:size] {
		if keep != nil && !keep(i) {
			continue
		}
		keys := historyindex.LeafKeys(e)
		if len(keys) == 0 {
			w.Fatalf("the entry %d has no keys", i)
		}
		for _, key := range keys {
			lists[key] = append(lists[key], uint64(i))
		}
	}
	var leaves []historyindex.MapLeaf
	for key, positions := range lists {
		list := historyindex.ListOf(positions)
		leaves = append(leaves, historyindex.MapLeaf{Key: key, Hash: historyindex.MapLeafHash(key, list.Value())})
	}
	slices.SortFunc(leaves, func(a, b historyindex.MapLeaf) int { return historyindex.CompareHashes(a.Key, b.Key) })
	root, err := historyindex.MapRoot(leaves)
	if err != nil {
		w.Fatal(err)
	}
	logRoot, err := w.log.store.Root(uint64(size))
	if err != nil {
		w.Fatal(err)
	}
	return historyindex.Leaf{MapRoot: root, Checkpoint: checkpoint.Checkpoint{Origin: origin, Size: uint64(size), Root: logRoot}}
}

// indexed publishes the honest leaf about all entries.
func (w *world) indexed() (checkpoint.Checkpoint, []byte) {
	w.Helper()
	return w.index.add(w.leafOf(len(w.entries), nil).Append(nil))
}

// grown does both.
func (w *world) grown(n int) (checkpoint.Checkpoint, []byte) {
	w.Helper()
	w.logged(n)
	return w.indexed()
}

// options are those of a verifier of the world, which does nothing unasked.
func (w *world) options() Options {
	return Options{
		Dir: filepath.Join(w.TempDir(), "rebuilt"), LogKeys: []string{w.log.key}, IndexKeys: []string{w.index.key},
		Log: fetch.Folder(w.log.dir), Index: fetch.Folder(w.index.dir),
		Poll: -1, Cache: 1 << 20, Logger: quiet, Pebble: pebblelog.Logger{To: quiet},
	}
}

func (w *world) open(o Options) *Verifier {
	w.Helper()
	v, err := Open(o)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { w.close(v) })
	return v
}

func (w *world) close(v *Verifier) {
	w.Helper()
	if err := v.Close(); err != nil {
		w.Error(err)
	}
}

// so demands that the verifier has nothing against the checkpoint.
func (w *world) so(v *Verifier, c checkpoint.Checkpoint, signed []byte) {
	w.Helper()
	if err := v.Verify(w.Context(), c, signed); err != nil {
		w.Fatalf("at size %d: %v", c.Size, err)
	}
	if s := v.Status(); s.Leaves < c.Size || s.Err != nil || s.Refuted {
		w.Errorf("%+v", s)
	}
}

// until waits for a condition; the deadline only ends a test that has failed.
func (w *world) until(what string, condition func() bool) {
	w.Helper()
	for end := time.Now().Add(time.Minute); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			w.Fatalf("it does not come to this: %s", what)
		}
	}
}

// A gated source gives nothing before its gate is open, and can fail.
type gated struct {
	fetch.Source
	gate chan struct{} // closed: open
	fail func(path string) error
}

func (g *gated) Get(ctx context.Context, path string, limit int64) ([]byte, error) {
	select {
	case <-g.gate:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if g.fail != nil {
		if err := g.fail(path); err != nil {
			return nil, err
		}
	}
	return g.Source.Get(ctx, path, limit)
}

func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
