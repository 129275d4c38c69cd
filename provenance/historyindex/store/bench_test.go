package store

import (
	"context"
	"encoding/base64"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
)

const benchOrigin = "bench.example/log"

// made is a log of made-up events: each names three things out of so many, and one
// of 50 participants has signed it. After the last of them it begins anew.
type made [][]byte

func makeLog(things, n int) made {
	signature := base64.StdEncoding.EncodeToString(make([]byte, 68))
	rng := rand.New(rand.NewPCG(1, 2))
	m := make(made, n)
	for i := range m {
		by := fmt.Sprint("farm-", i%50)
		m[i] = fmt.Appendf(make([]byte, 0, 640), `tallyroot/entry/v1 %s %s
{"@context":["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],"action":"OBSERVE","bizStep":"shipping","epcList":["%s","%s","%s"],"eventTime":"2026-11-20T10:11:12.000Z","eventTimeZoneOffset":"+01:00","readPoint":{"id":"urn:epc:id:sgln:9506000.00000.0"},"type":"ObjectEvent"}

— %s/managed/%s %s
`, benchOrigin, by, thing(rng.IntN(things)), thing(rng.IntN(things)), thing(rng.IntN(things)), benchOrigin, by, signature)
	}
	return m
}

func (m made) Stream(_ context.Context, first, n uint64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for i := first; i < first+n; i++ {
			if !yield(m[i%uint64(len(m))], nil) {
				return
			}
		}
	}
}

func thing(i int) string { return fmt.Sprintf("https://id.gs1.org/01/09506000134352/21/S%07d", i) }

func thingKey(i int) historyindex.Hash {
	return historyindex.Key{Kind: historyindex.Object, Identifier: thing(i)}.Hash()
}

// growing is an index and its log, which get more and more entries.
type growing struct {
	*Index
	log    made
	hashes [][]byte // of log
	tree   *compact.Range
}

// use goes on with another log's entries.
func (g *growing) use(log made) {
	g.log, g.hashes = log, make([][]byte, len(log))
	for i := range log {
		g.hashes[i] = rfc6962.DefaultHasher.HashLeaf(log[i])
	}
}

// next gives the checkpoint after n more entries.
func (g *growing) next(b *testing.B, n int) checkpoint.Checkpoint {
	for range n {
		if err := g.tree.Append(g.hashes[g.tree.End()%uint64(len(g.hashes))], nil); err != nil {
			b.Fatal(err)
		}
	}
	root, err := g.tree.GetRootHash(nil)
	if err != nil {
		b.Fatal(err)
	}
	return checkpoint.Checkpoint{Origin: benchOrigin, Size: g.tree.End(), Root: historyindex.Hash(root)}
}

func (g *growing) extend(b *testing.B, c checkpoint.Checkpoint) {
	leaf, err := g.Update(context.Background(), c, g.log)
	if err == nil {
		err = g.Publish(leaf.Size())
	}
	if err != nil {
		b.Fatal(err)
	}
}

func empty(b *testing.B) *growing {
	b.Helper()
	dir, err := os.MkdirTemp("", "historyindex")
	if err != nil {
		b.Fatal(err)
	}
	x, err := Open(Options{Dir: dir, Logger: quiet{}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { x.Close(); os.RemoveAll(dir) })
	factory := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	return &growing{Index: x, tree: factory.NewEmptyRange(0)}
}

// filled gives an index that has nearly all of so many things.
func filled(b *testing.B, things int) *growing {
	b.Helper()
	g := empty(b)
	g.use(makeLog(things, things))
	g.extend(b, g.next(b, things))
	return g
}

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

var sizes = []int{10_000, 100_000, 1_000_000}

// BenchmarkUpdate adds 10,000 entries and a leaf.
func BenchmarkUpdate(b *testing.B) { benchmarkUpdate(b, 10_000) }

// BenchmarkUpdateOne adds one entry and a leaf.
func BenchmarkUpdateOne(b *testing.B) { benchmarkUpdate(b, 1) }

func benchmarkUpdate(b *testing.B, events int) {
	for _, things := range sizes {
		b.Run(fmt.Sprint(things), func(b *testing.B) {
			g := filled(b, things)
			g.use(makeLog(things, 200_000))
			written := g.written()
			var used time.Duration
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				c := g.next(b, events)
				b.StartTimer()
				start := cpu()
				g.extend(b, c)
				used += cpu() - start
			}
			n := float64(b.N * events)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/n, "ns/event")
			b.ReportMetric(float64(used.Nanoseconds())/n, "cpu-ns/event")
			b.ReportMetric(float64(g.written()-written)/n, "written-B/event")
			b.ReportMetric(float64(g.Stats().DiskBytes)/float64(g.Stats().Postings), "disk-B/posting")
		})
	}
}

// BenchmarkCatchUp makes a map again that has a leaf for each of 5,000 entries.
func BenchmarkCatchUp(b *testing.B) {
	const leaves = 5000
	g := empty(b)
	g.use(makeLog(10_000, leaves))
	for range leaves {
		g.extend(b, g.next(b, 1))
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := g.Reset(); err != nil {
			b.Fatal(err)
		}
		if err := g.CatchUp(context.Background(), g.log); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*leaves), "ns/leaf")
}

// BenchmarkOpen opens an index.
func BenchmarkOpen(b *testing.B) {
	for _, things := range sizes {
		b.Run(fmt.Sprint(things), func(b *testing.B) {
			g := filled(b, things)
			for b.Loop() {
				if err := g.Close(); err != nil {
					b.Fatal(err)
				}
				x, err := Open(g.options)
				if err != nil {
					b.Fatal(err)
				}
				g.Index = x
			}
			g.Close()
		})
	}
}

// written is how many bytes went to the map's files.
func (g *growing) written() uint64 {
	m := g.db.Metrics()
	return m.Total().TableBytesFlushed + m.Total().TableBytesCompacted + m.WAL.BytesWritten
}

func BenchmarkProve(b *testing.B) {
	for _, things := range sizes {
		x := filled(b, things)
		for _, kind := range []string{"present", "absent"} {
			b.Run(fmt.Sprint(things, "/", kind), func(b *testing.B) {
				v, err := x.View()
				if err != nil {
					b.Fatal(err)
				}
				defer v.Close()
				b.ReportAllocs()
				steps := 0
				i := 0
				for b.Loop() {
					i++
					n := i * 7919 % things
					if kind == "absent" {
						n += things
					}
					a, err := v.Prove(thingKey(n))
					if err != nil {
						b.Fatal(err)
					}
					steps += len(a.Proof.Path)
				}
				b.ReportMetric(float64(steps)/float64(b.N), "steps")
			})
		}
		x.Close()
	}
}

type quiet struct{}

func (quiet) Infof(string, ...any)              {}
func (quiet) Errorf(string, ...any)             {}
func (quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
