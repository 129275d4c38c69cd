package embedded

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/google/trillian"
)

// entries makes leaves that compress like entries do: JSON that repeats
// itself from one to the next, with identifiers, digests and a signature that
// do not.
type entries struct {
	rng  *rand.Rand
	next uint64
}

func newEntries() *entries { return &entries{rng: rand.New(rand.NewPCG(1, 2))} }

func (e *entries) random(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(e.rng.Uint32())
	}
	return base64.StdEncoding.EncodeToString(b)
}

func (e *entries) leaf() *trillian.LogLeaf {
	i := e.next
	e.next++
	v := fmt.Appendf(nil, `tallyroot/entry/v1 log.example.com orchard-%d
{"@context":["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],"action":"OBSERVE","bizLocation":{"id":"https://id.gs1.org/414/%013d"},"bizStep":"shipping","bizTransactionList":[{"bizTransaction":"urn:epcglobal:cbv:bt:5200001000008:PO-%06d","type":"po"}],"disposition":"in_transit","epcList":["https://id.gs1.org/01/09506000134352/21/%d","https://id.gs1.org/01/09506000134352/21/%d"],"eventID":"ni:///sha-256;%x?ver=CBV2.0","eventTime":"2026-11-20T%02d:%02d:%02d.%03dZ","eventTimeZoneOffset":"+00:00","readPoint":{"id":"https://id.gs1.org/414/%013d/254/%d"},"type":"ObjectEvent"}

— log.example.com/managed/orchard-%d %s
`, i%40, e.rng.IntN(500)*7, e.rng.IntN(1e6), e.rng.IntN(1e9), e.rng.IntN(1e9), sha256.Sum256(fmt.Append(nil, i)),
		i/3600%24, i/60%60, i%60, e.rng.IntN(1000), e.rng.IntN(500)*7, e.rng.IntN(20), i%40, e.random(68))
	id := sha256.Sum256(v[:200+i%100])
	copy(id[:8], fmt.Append(nil, i)) // never twice
	id = sha256.Sum256(id[:])
	return &trillian.LogLeaf{LeafIndex: int64(i), LeafValue: v, LeafIdentityHash: id[:]}
}

func (e *entries) request(b *Backend, n int) *trillian.AddSequencedLeavesRequest {
	req := &trillian.AddSequencedLeavesRequest{LogId: b.TreeID()}
	for range n {
		req.Leaves = append(req.Leaves, e.leaf())
	}
	return req
}

// BenchmarkAdd appends batches; each ends with an fsync. ns/op is a batch.
func BenchmarkAdd(b *testing.B) {
	for _, batch := range []int{1, 64, 1000} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			back := open(b, b.TempDir())
			e := newEntries()
			b.ReportAllocs()
			var bytes int
			for b.Loop() {
				b.StopTimer()
				req := e.request(back, batch)
				bytes += len(req.Leaves[0].LeafValue)
				b.StartTimer()
				if _, err := back.Client().AddSequencedLeaves(context.Background(), req); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "leaves/s")
			b.ReportMetric(float64(bytes)/float64(b.N), "B/leaf")
		})
	}
}

// BenchmarkFind looks 1000 identities up that are not there, as the sequencer
// does with every batch.
func BenchmarkFind(b *testing.B) {
	back := open(b, b.TempDir())
	e := newEntries()
	for range 100 {
		if _, err := back.Client().AddSequencedLeaves(context.Background(), e.request(back, 1000)); err != nil {
			b.Fatal(err)
		}
	}
	ids := make([][32]byte, 1000)
	b.ReportAllocs()
	for b.Loop() {
		for i := range ids {
			ids[i][0]++
			ids[i][1] = byte(i)
			ids[i][2] = byte(i >> 8)
		}
		if found, err := back.Find(context.Background(), ids); err != nil || len(found) != 0 {
			b.Fatal(len(found), err)
		}
	}
}

func BenchmarkInclusionProof(b *testing.B) {
	back := open(b, b.TempDir())
	add(b, back, 0, 100_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := back.Client().GetInclusionProof(context.Background(), &trillian.GetInclusionProofRequest{
			LogId: back.TreeID(), LeafIndex: rand.Int64N(100_000), TreeSize: 100_000}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen opens a store of 200,000 entries, and reports what an entry
// costs on the disk.
func BenchmarkOpen(b *testing.B) {
	const n = 200_000
	dir := b.TempDir()
	back := open(b, dir)
	e := newEntries()
	var values int
	for range n / 1000 {
		req := e.request(back, 1000)
		for _, l := range req.Leaves {
			values += len(l.LeafValue)
		}
		if _, err := back.Client().AddSequencedLeaves(context.Background(), req); err != nil {
			b.Fatal(err)
		}
	}
	if err := back.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		back, err := Open(context.Background(), dir, Options{Logger: silent})
		if err != nil {
			b.Fatal(err)
		}
		if err := back.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(values)/n, "B/leaf")
	b.ReportMetric(float64(diskUse(b, dir))/n, "disk-B/leaf")
}

func diskUse(t testing.TB, dir string) (total int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		total += info.Size()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return total
}
