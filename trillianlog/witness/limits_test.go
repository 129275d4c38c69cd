package witness

import (
	"bufio"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tallyroot/tallyroot/trillianlog/witness/witnesstest"
)

func TestLimits(t *testing.T) {
	l := witnesstest.NewLog(t, "log.example/a")
	l.Grow(300)
	b := newBench(t, func(o *Options) { o.MaxRate = 3 }, l)
	if got := b.post(strings.Repeat("x", MaxRequest+1)); got.status != 413 {
		t.Errorf("one byte too many: %+v", got)
	}
	if got := b.post(strings.Repeat("x", MaxRequest)); got.status != 400 {
		t.Errorf("as large as may be: %+v", got)
	}
	// As many steps at once as a second allows.
	statuses := map[int]int{}
	for size := uint64(1); size <= 4; size++ {
		got := b.post(grow(l, size-1, size))
		statuses[got.status]++
		if got.status == 429 && got.header.Get("Retry-After") != "1" {
			t.Errorf("without Retry-After: %+v", got)
		}
	}
	// The bucket fills while the test runs: the fourth may have got through.
	if statuses[200] < 3 || statuses[200]+statuses[429] != 4 {
		t.Errorf("statuses %v", statuses)
	}
}

// Who sends half a request and waits is sent away, and has kept nobody else out.
func TestSlowClient(t *testing.T) {
	l := witnesstest.NewLog(t, "log.example/a")
	l.Grow(3)
	b := newBench(t, func(o *Options) { o.MaxRequests, o.bodyWait = 1, 50*time.Millisecond }, l)
	conn, err := net.Dial("tcp", b.web.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: 100\r\n\r\nold 0\n")
	meanwhile := httptest.NewRecorder() // which has no deadlines
	b.server.ServeHTTP(meanwhile, httptest.NewRequest(http.MethodPost, "/add-checkpoint", strings.NewReader(grow(l, 0, 3))))
	b.cosigned(answer{status: meanwhile.Code, body: meanwhile.Body.String()}, l.Signed(3))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.read(resp); got.status != 408 || !resp.Close {
		t.Errorf("%+v", got)
	}
}

func TestMetrics(t *testing.T) {
	l, quietLog := witnesstest.NewLog(t, "log.example/a"), witnesstest.NewLog(t, "log.example/quiet")
	l.Grow(9)
	b := newBench(t, nil, l, quietLog)
	b.post(grow(l, 0, 5))
	b.post(grow(l, 0, 5))
	b.post(grow(l.Fork(1), 5, 5))
	b.post("hello")
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(b.server); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := family.GetName()
			for _, label := range m.GetLabel() {
				name += " " + label.GetValue()
			}
			got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	want := map[string]float64{
		"tallyroot_witness_requests_total 200": 1, "tallyroot_witness_requests_total 400": 1,
		"tallyroot_witness_requests_total 409": 1, "tallyroot_witness_requests_total 422": 1,
		"tallyroot_witness_cosign_seconds": 1, "tallyroot_witness_forks_total log.example/a": 1,
		"tallyroot_witness_log_size log.example/a": 5, "tallyroot_witness_logs": 2,
		"tallyroot_witness_log_cosigned_timestamp_seconds log.example/a": 1_800_000_000,
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A witness that is busy says so, and answers again afterwards.
func TestBusy(t *testing.T) {
	l := witnesstest.NewLog(t, "log.example/a")
	l.Grow(3)
	entered, leave := make(chan struct{}), make(chan struct{})
	var once sync.Once
	b := newBench(t, func(o *Options) {
		o.MaxRequests = 1
		o.sync = func(*os.File) error {
			once.Do(func() { close(entered) })
			<-leave
			return nil
		}
	}, l)
	first := make(chan answer)
	go func() { first <- b.post(grow(l, 0, 3)) }()
	<-entered
	if got := b.post(grow(l, 0, 3)); got.status != 503 || got.header.Get("Retry-After") != "1" {
		t.Errorf("beyond the limit: %+v", got)
	}
	close(leave)
	b.cosigned(<-first, l.Signed(3))
	b.cosigned(b.post(grow(l, 3, 3)), l.Signed(3))
}
