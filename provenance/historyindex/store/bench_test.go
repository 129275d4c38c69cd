package store

import (
	"context"
	"encoding/base64"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

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

// filled gives an index that has about so many keys.
func filled(b *testing.B, things int) (*Index, uint64) {
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
	size := uint64(things)
	extend(b, x, makeLog(things, things), size)
	return x, size
}

func extend(b testing.TB, x *Index, log Log, size uint64) {
	b.Helper()
	leaf, err := x.Update(context.Background(), checkpoint.Checkpoint{Origin: benchOrigin, Size: size}, log)
	if err == nil {
		err = x.Publish(leaf.Size())
	}
	if err != nil {
		b.Fatal(err)
	}
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
func BenchmarkUpdate(b *testing.B) {
	const events = 10_000
	for _, things := range sizes {
		b.Run(fmt.Sprint(things), func(b *testing.B) {
			x, size := filled(b, things)
			log := makeLog(things, 20*events)
			written := x.db.Metrics()
			before := written.Total().TableBytesFlushed + written.Total().TableBytesCompacted + written.WAL.BytesWritten
			start := cpu()
			b.ReportAllocs()
			for b.Loop() {
				size += events
				extend(b, x, log, size)
			}
			n := float64(b.N)
			written = x.db.Metrics()
			after := written.Total().TableBytesFlushed + written.Total().TableBytesCompacted + written.WAL.BytesWritten
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/n/events, "ns/event")
			b.ReportMetric((cpu()-start).Seconds()/n*100/float64(runtime.NumCPU()), "%machine@10k/s")
			b.ReportMetric(float64(after-before)/n/events, "written-B/event")
			b.ReportMetric(float64(x.Stats().DiskBytes)/float64(x.Stats().Postings), "disk-B/posting")
		})
	}
}

func BenchmarkProve(b *testing.B) {
	for _, things := range sizes {
		x, _ := filled(b, things)
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
