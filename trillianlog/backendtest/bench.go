package backendtest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/trillianlog"
)

// BenchmarkAppend measures a log on the back end: 64 clients at a time, each
// with so many leaves of 850 bytes at once, from Add to their checked receipts.
func BenchmarkAppend(b *testing.B, s Subject, atOnce int) {
	const clients, size = 64, 850
	l := NewWorld(b, s).Open(nil)
	filler := make([]byte, size-24)
	for i := range filler {
		filler[i] = "0123456789abcdef"[i%16]
	}
	var next atomic.Int64
	var wait sync.WaitGroup
	times := make([][]time.Duration, clients)
	b.ResetTimer()
	for c := range clients {
		wait.Go(func() {
			leaves := make([]trillianlog.Leaf, atOnce)
			for {
				first := next.Add(int64(atOnce)) - int64(atOnce)
				if first >= int64(b.N) {
					return
				}
				for i := range leaves {
					leaves[i] = Leaf(fmt.Sprintf("%020d", first+int64(i)), string(filler))
				}
				start := time.Now()
				if err := appendAll(l, leaves); err != nil {
					b.Error(err)
					return
				}
				times[c] = append(times[c], time.Since(start))
			}
		})
	}
	wait.Wait()
	b.StopTimer()
	all := slices.Concat(times...)
	slices.Sort(all)
	if len(all) == 0 {
		return
	}
	counts := l.Status().Counts
	b.ReportMetric(float64(counts.Leaves)/b.Elapsed().Seconds(), "appends/s")
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "ms-p50")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "ms-p99")
	b.ReportMetric(float64(counts.Leaves)/float64(counts.Batches), "leaves/write")
}

func appendAll(l *trillianlog.Log, leaves []trillianlog.Leaf) error {
	tickets, err := l.AddAll(leaves)
	if err != nil {
		return err
	}
	for _, ticket := range tickets {
		placed, err := ticket.Wait(context.Background())
		if err != nil {
			return err
		}
		if _, err := l.ReceiptOf(placed.Index, ticket.LeafHash()); err != nil {
			return err
		}
	}
	return nil
}
