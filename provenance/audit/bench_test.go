package audit

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/historyindex/store"
	"github.com/tallyroot/tallyroot/provenance/verify/verifytest"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/fetch"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
)

// BenchmarkAudit audits a log of AUDIT_ENTRIES entries (100,000 unless that is said)
// about a third as many things, by 50 participants, with a leaf of the index log for
// every 10,000 entries, from a folder: that which AUDIT_LOG names, if it has one already.
func BenchmarkAudit(b *testing.B) {
	entries := 100_000
	if s := os.Getenv("AUDIT_ENTRIES"); s != "" {
		var err error
		if entries, err = strconv.Atoi(s); err != nil {
			b.Fatal(err)
		}
	}
	dir := b.TempDir()
	if kept := os.Getenv("AUDIT_LOG"); kept != "" {
		dir = kept
	}
	if _, err := os.Stat(filepath.Join(dir, "log", "checkpoint")); err != nil {
		writeLogs(b, dir, entries)
	}
	var read, most uint64
	for b.Loop() {
		o := Options{
			Log: fetch.Folder(filepath.Join(dir, "log")), Index: fetch.Folder(filepath.Join(dir, "index")),
			Dir: filepath.Join(b.TempDir(), "audit"), Logger: quiet{}, IndexWait: time.Nanosecond,
		}
		a, err := Open(o)
		if err != nil {
			b.Fatal(err)
		}
		a.progress.tell = func(uint64, uint64) {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapInuse)
		}
		r, err := a.Round(b.Context())
		if err != nil || !r.Complete || len(r.Findings) > 0 {
			b.Fatal(err, r)
		}
		read += r.Next
		if err := a.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(read), "ns/entry")
	b.ReportMetric(float64(most)/1e6, "MB-heap")
}

// writeLogs writes both logs as files.
func writeLogs(b *testing.B, dir string, entries int) {
	b.Helper()
	w := newWorld(b)
	var keys []*entry.Key
	for i := range 50 {
		id := fmt.Sprint("farm-", i)
		keys = append(keys, w.Managed(id, ""))
		w.Register(id, []string{"9506000"}, keys[i])
	}
	log, index := newTiles(b, filepath.Join(dir, "log")), newTiles(b, filepath.Join(dir, "index"))
	made, err := store.Open(store.Options{Dir: filepath.Join(b.TempDir(), "index"), Logger: quiet{}})
	if err != nil {
		b.Fatal(err)
	}
	defer made.Close()
	publish := func(s *tiles.Store, key *entry.Key) checkpoint.Checkpoint {
		c := checkpoint.Checkpoint{Origin: key.Name(), Size: s.Size(), Root: s.RootWith(nil)}
		n := verifytest.Signed(c.Body(), key, now)
		if err := s.Publish(n.Append(nil)); err != nil {
			b.Fatal(err)
		}
		return c
	}
	batch := w.Log.Leaves
	for next := len(batch); ; {
		if err := log.Extend(batch, nil); err != nil {
			b.Fatal(err)
		}
		leaf, err := made.Update(b.Context(), publish(log, w.LogKey), log)
		if err == nil {
			err = index.Extend([][]byte{leaf.Text}, nil)
		}
		if err == nil {
			publish(index, w.IndexKey)
			err = made.Publish(leaf.Size())
		}
		if err != nil {
			b.Fatal(err)
		}
		if next >= entries {
			break
		}
		batch = make([][]byte, min(10_000, entries-next))
		var wg sync.WaitGroup
		for part := range runtime.GOMAXPROCS(0) {
			wg.Go(func() {
				for i := part; i < len(batch); i += runtime.GOMAXPROCS(0) {
					n := next + i
					v := verifytest.JSON(b, fmt.Sprintf(`{"@context":["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],"action":"OBSERVE","bizLocation":{"id":"urn:epc:id:sgln:9506000.00001.0"},"bizStep":"shipping","disposition":"in_transit","epcList":["https://id.gs1.org/01/09506000134352/21/S%07d"],"eventID":"urn:uuid:00000000-0000-4000-8000-%012d","eventTime":"2026-11-20T10:11:12.000Z","eventTimeZoneOffset":"+01:00","quantityList":[{"epcClass":"https://id.gs1.org/01/09506000134352/10/LOT-%d","quantity":7,"uom":"KGM"}],"readPoint":{"id":"urn:epc:id:sgln:9506000.00000.0"},"type":"ObjectEvent"}`, n*7919%(entries/3), n, n%(entries/20)))
					batch[i] = verifytest.Entry(b, origin, v, keys[n%len(keys)])
				}
			})
		}
		wg.Wait()
		next += len(batch)
	}
	for _, s := range []*tiles.Store{log, index} {
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func newTiles(b *testing.B, dir string) *tiles.Store {
	s, err := tiles.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	return s
}
