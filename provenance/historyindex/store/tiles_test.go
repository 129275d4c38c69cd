package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
)

// tiled is a log as files, with a key.
type tiled struct {
	*tiles.Store
	origin string
	signer note.Signer
}

func newTiled(t testing.TB, dir, origin string) *tiled {
	t.Helper()
	skey, _, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	s, err := tiles.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return &tiled{s, origin, signer}
}

// add adds entries and publishes a checkpoint.
func (l *tiled) add(t testing.TB, entries ...[]byte) checkpoint.Checkpoint {
	t.Helper()
	for part := range slices.Chunk(entries, 10_000) {
		if err := l.Extend(part, nil); err != nil {
			t.Fatal(err)
		}
	}
	c := checkpoint.Checkpoint{Origin: l.origin, Size: l.Size(), Root: l.RootWith(nil)}
	signed, err := checkpoint.Sign(c, l.signer)
	if err == nil {
		err = l.Publish(signed)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestTiles goes the whole way: a log's tiles, the index, the index log's tiles;
// and somebody else who has nothing but the two logs' tiles makes the same index.
func TestTiles(t *testing.T) {
	e := someEntries(200, 900)
	dir := t.TempDir()
	log := newTiled(t, filepath.Join(dir, "log"), origin)
	indexLog := newTiled(t, filepath.Join(dir, "index"), origin+"/index")
	x := open(t, Options{})
	for begin, n := 0, 1; begin < len(e.all); n *= 4 {
		end := min(begin+n, len(e.all))
		c := log.add(t, e.all[begin:end]...)
		begin = end
		leaf, err := x.Update(t.Context(), c, log)
		if err != nil {
			t.Fatal(err)
		}
		if leaf.Checkpoint != c {
			t.Errorf("the leaf has the checkpoint %v, not %v", leaf.Checkpoint, c)
		}
		if size := indexLog.add(t, leaf.Text).Size; size != leaf.Size() {
			t.Errorf("leaf %d is entry %d of the index log", leaf.Number, size-1)
		}
		if err := x.Publish(leaf.Size()); err != nil {
			t.Fatal(err)
		}
	}
	other := open(t, Options{})
	if err := other.Follow(t.Context(), indexLog.Stream(t.Context(), 0, indexLog.Size()), log); err != nil {
		t.Fatal(err)
	}
	if err := other.Publish(indexLog.Size()); err != nil {
		t.Fatal(err)
	}
	mine, theirs := view(t, x), view(t, other)
	defer mine.Close()
	defer theirs.Close()
	if !bytes.Equal(mine.Leaf().Text, theirs.Leaf().Text) || mine.Leaf().MapRoot != rootOf(t, e.lists(len(e.all))) {
		t.Errorf("%s\n%s", mine.Leaf().Text, theirs.Leaf().Text)
	}
	// A leaf is an entry like any other: it stands in the index log at size - 1.
	if hash, err := indexLog.LeafHash(indexLog.Size() - 1); err != nil || hash != tiles.LeafHash(mine.Leaf().Text) {
		t.Errorf("%x, %v", hash, err)
	}
	if _, err := x.Update(t.Context(), e.at(1000), log); !errors.Is(err, tiles.ErrRange) {
		t.Errorf("beyond the log: %v", err)
	}
}

// BenchmarkHistory reads histories of 20 entries with all their proofs, of a log of
// 1,000,000 entries about 300,000 things and 50,000 lots, with 16 clients.
func BenchmarkHistory(b *testing.B) {
	const entries, things, lots = 1_000_000, 300_000, 50_000
	dir, err := os.MkdirTemp("", "historyindex")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	log := newTiled(b, filepath.Join(dir, "log"), benchOrigin)
	lot := func(i int) string { return fmt.Sprintf("https://id.gs1.org/01/09506000134352/10/L%05d", i) }
	shape := makeLog(1, 1)[0]
	old := fmt.Sprintf(`"%s","%s","%s"`, thing(0), thing(0), thing(0))
	all := make([][]byte, entries)
	for i := range all {
		all[i] = bytes.Replace(shape, []byte(old), fmt.Appendf(nil, `"%s","%s"`, thing(i*7919%things), lot(i%lots)), 1)
	}
	c := log.add(b, all...)
	all = nil
	x, err := Open(Options{Dir: filepath.Join(dir, "index"), Logger: quiet{}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { x.Close() })
	start := time.Now()
	leaf, err := x.Update(context.Background(), c, log)
	if err == nil {
		err = x.Publish(leaf.Size())
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("the index of %+v was made in %v", x.Stats(), time.Since(start))

	read := func(i int) (bytes int, err error) {
		v, err := x.View()
		if err != nil {
			return 0, err
		}
		defer v.Close()
		key := historyindex.Key{Kind: historyindex.Object, Identifier: lot(i % lots)}.Hash()
		a, err := v.Prove(key)
		if err != nil {
			return 0, err
		}
		positions, err := v.Positions(key, 0, int(a.Count))
		if err != nil || len(positions) != entries/lots {
			return 0, fmt.Errorf("%d positions, %v", len(positions), err)
		}
		bytes = len(a.Proof.Path) * 33
		for _, p := range positions {
			entry, err := log.Entry(context.Background(), p)
			if err != nil {
				return 0, err
			}
			proof, err := log.InclusionProof(p, v.Leaf().Checkpoint.Size)
			if err != nil {
				return 0, err
			}
			bytes += len(entry) + 32*len(proof)
		}
		return bytes, nil
	}
	for i := range lots / 10 { // the caches are warm
		if _, err := read(i * 7919); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("16 clients", func(b *testing.B) {
		b.SetParallelism(16 / runtime.GOMAXPROCS(0))
		b.ReportAllocs()
		var mu sync.Mutex
		var took []time.Duration
		var sent, clients int
		b.RunParallel(func(pb *testing.PB) {
			mu.Lock()
			clients++
			i := clients * 3001
			mu.Unlock()
			var mine []time.Duration
			var size int
			for ; pb.Next(); i += 7919 {
				start := time.Now()
				n, err := read(i)
				if err != nil {
					b.Error(err)
					return
				}
				size += n
				mine = append(mine, time.Since(start))
			}
			mu.Lock()
			took, sent = append(took, mine...), sent+size
			mu.Unlock()
		})
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		b.ReportMetric(float64(len(took))/b.Elapsed().Seconds(), "histories/s")
		b.ReportMetric(float64(sent)/float64(len(took)), "B/history")
	})
}
