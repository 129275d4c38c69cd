package main

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// sample is the EPCIS event that is logged, some 600 bytes; each gets a serial
// number, an order and a second of its own.
const sample = `{"@context":["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],"type":"ObjectEvent","eventTime":"2026-04-02T09:15:%02d.000+02:00","eventTimeZoneOffset":"+02:00","epcList":["https://id.gs1.org/01/09506000134352/21/%d"],"action":"OBSERVE","bizStep":"shipping","disposition":"in_transit","readPoint":{"id":"https://id.gs1.org/414/9506000134383"},"bizLocation":{"id":"https://id.gs1.org/414/9506000134383"},"bizTransactionList":[{"type":"po","bizTransaction":"urn:epcglobal:cbv:bt:9506000134383:PO-%d"}],"destinationList":[{"type":"owning_party","destination":"https://id.gs1.org/417/9506000134383"}]}`

var serial atomic.Int64

func event() []byte {
	n := serial.Add(1)
	return fmt.Appendf(nil, sample, n%60, n, n)
}

// figures are what one load gave.
type figures struct {
	rate     float64 // events, or answers, a second
	p50, p99 time.Duration
	n        int
	cpu      time.Duration // of the server, for each event or answer
	own      time.Duration // of the load generator, the same
	database time.Duration // of the database, the same; 0: there is none
}

func (f figures) String() string {
	cpu := fmt.Sprintf("server %4d µs, clients %3d µs", f.cpu.Microseconds(), f.own.Microseconds())
	if f.database > 0 {
		cpu += fmt.Sprintf(", database %4d µs", f.database.Microseconds())
	}
	return fmt.Sprintf("%9.0f/s   p50 %7s   p99 %7s   CPU each: %s   (%d)",
		f.rate, f.p50.Round(10*time.Microsecond), f.p99.Round(10*time.Microsecond), cpu, f.n)
}

// run lets n clients work at once until each says that it is done; work does one
// request and gives how many events it was worth.
func run(s *server, token string, n int, more func() bool, work func(c *client) (int, error)) (figures, error) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var times []time.Duration
	var total int
	var failed error
	begin, cpu, own := time.Now(), s.cpu(), ownCPU()
	for range n {
		wg.Go(func() {
			c, err := dial(s.host, token)
			if err != nil {
				mu.Lock()
				failed = err
				mu.Unlock()
				return
			}
			defer c.close()
			var mine []time.Duration
			count := 0
			for more() {
				start := time.Now()
				k, err := work(c)
				if err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
					break
				}
				mine = append(mine, time.Since(start))
				count += k
			}
			mu.Lock()
			times = append(times, mine...)
			total += count
			mu.Unlock()
		})
	}
	wg.Wait()
	took := time.Since(begin)
	if len(times) == 0 {
		return figures{}, fmt.Errorf("nothing was done: %w", failed)
	}
	slices.Sort(times)
	return figures{
		rate: float64(total) / took.Seconds(),
		p50:  times[len(times)/2], p99: times[len(times)*99/100], n: total,
		cpu: (s.cpu() - cpu) / time.Duration(max(total, 1)),
		own: (ownCPU() - own) / time.Duration(max(total, 1)),
	}, failed
}

// ownCPU is the processor time that this process has used so far.
func ownCPU() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func forTime(d time.Duration) func() bool {
	end := time.Now().Add(d)
	return func() bool { return time.Now().Before(end) }
}

func forCount(n int64) func() bool {
	var done atomic.Int64
	return func() bool { return done.Add(1) <= n }
}

func logOne(c *client) (int, error) {
	status, body, err := c.do("POST", "/v1/events", "application/json", event())
	if err == nil && (status != 201 || !bytes.Contains(body, []byte("tlog-proof"))) {
		err = fmt.Errorf("POST /v1/events: %d %.300s", status, body)
	}
	return 1, err
}

func logBatch(size int) func(c *client) (int, error) {
	return func(c *client) (int, error) {
		batch := []byte{'['}
		for i := range size {
			if i > 0 {
				batch = append(batch, ',')
			}
			batch = append(batch, event()...)
		}
		status, body, err := c.do("POST", "/v1/events:batch", "application/json", append(batch, ']'))
		if err == nil && (status != 200 || bytes.Count(body, []byte("tlog-proof")) != size) {
			err = fmt.Errorf("POST /v1/events:batch: %d, %d receipts: %.300s", status, bytes.Count(body, []byte("tlog-proof")), body)
		}
		return size, err
	}
}

// readProof asks for one of the first n entries with its receipt, or for its
// inclusion proof, in turns and scattered over the log.
func readProof(n int64) func(c *client) (int, error) {
	var turn atomic.Int64
	return func(c *client) (int, error) {
		i := turn.Add(1)
		index := strconv.FormatInt(i*7919%n, 10)
		path, want := "/v1/event?index="+index, "tlog-proof"
		if i%2 == 0 {
			path, want = "/v1/proof/inclusion?index="+index, "leafHash"
		}
		status, body, err := c.do("GET", path, "", nil)
		if err == nil && (status != 200 || !bytes.Contains(body, []byte(want))) {
			err = fmt.Errorf("GET %s: %d %.300s", path, status, body)
		}
		return 1, err
	}
}
