package audit

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
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
		writeLogs(b, dir, entries, 10_000)
	}
	var read, most uint64
	for b.Loop() {
		a, err := Open(folderOptions(dir, filepath.Join(b.TempDir(), "audit")))
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
