package trillianlog_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tallyroot/tallyroot/trillianlog"
)

// BenchmarkAppend is one leaf from Add to its checked receipt, by 64 clients at
// a time, durable.
func BenchmarkAppend(b *testing.B) {
	const clients, size = 64, 850
	w := newWorld(b)
	l := w.open(nil)
	filler := make([]byte, size-24)
	for i := range filler {
		filler[i] = 'x'
	}
	var next atomic.Int64
	var wait sync.WaitGroup
	times := make([][]time.Duration, clients)
	b.ReportAllocs()
	b.ResetTimer()
	cpu := cpuTime(b)
	for c := range clients {
		wait.Go(func() {
			for {
				i := next.Add(1)
				if i > int64(b.N) {
					return
				}
				value := leaf(fmt.Sprintf("%020d", i), string(filler))
				start := time.Now()
				ticket, err := l.Add(value)
				if err != nil {
					b.Error(err)
					return
				}
				placed, err := ticket.Wait(context.Background())
				if err != nil {
					b.Error(err)
					return
				}
				if _, err := l.ReceiptOf(placed.Index, ticket.LeafHash()); err != nil {
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
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "ms-p50")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "ms-p99")
	// All of it: clients, sequencer, publisher, Trillian and Pebble.
	b.ReportMetric(float64((cpuTime(b)-cpu).Microseconds())/float64(b.N), "cpu-µs/append")
	counts := l.Status().Counts
	b.ReportMetric(float64(counts.Leaves)/float64(counts.Batches), "leaves/batch")
}

// cpuTime is what this process has used so far, in user and kernel.
func cpuTime(b *testing.B) time.Duration {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkReceipt is one receipt of a published leaf, checked.
func BenchmarkReceipt(b *testing.B) {
	w := newWorld(b)
	l := w.open(nil)
	const leaves = 5000
	var all []trillianlog.Leaf
	for i := range leaves {
		all = append(all, leaf(fmt.Sprintf("r-%d", i), "text"))
	}
	tickets, err := l.AddAll(all)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := tickets[leaves-1].Wait(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := l.Receipt(uint64(i) % leaves); err != nil {
			b.Fatal(err)
		}
	}
}
