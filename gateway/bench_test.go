package gateway_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tallyroot/tallyroot/gateway"
)

// quiet is how a server runs that nobody debugs.
func quiet(o *gateway.Options) { o.Logger = slog.New(slog.DiscardHandler) }

// BenchmarkLogEvent is POST /v1/events by 64 keep-alive clients, to the
// receipt; the clients run in the same process.
func BenchmarkLogEvent(b *testing.B) {
	h := open(b, quiet)
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range 64 {
		wg.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				req, _ := http.NewRequest("POST", h.URL+"/v1/events", bytes.NewReader([]byte(event(int(n)))))
				req.Header.Set("Authorization", "Bearer "+h.farm)
				req.Header.Set("Content-Type", "application/json")
				resp, err := client.Do(req)
				if err != nil {
					b.Error(err)
					return
				}
				body, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if resp.StatusCode != http.StatusCreated {
					b.Errorf("%d %s", resp.StatusCode, body)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkInclusionProof reads proofs back in the same way.
func BenchmarkInclusionProof(b *testing.B) {
	h := open(b, quiet)
	var batch bytes.Buffer
	for n := range 2000 {
		fmt.Fprintf(&batch, "%s\n", event(n))
	}
	if a := h.do("POST", "/v1/events:batch", h.farm, batch.Bytes(), "Content-Type", "application/x-ndjson"); a.Status != http.StatusOK {
		b.Fatal(a)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range 64 {
		wg.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				resp, err := client.Get(fmt.Sprintf("%s/v1/proof/inclusion?index=%d", h.URL, n%2000))
				if err != nil {
					b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					b.Errorf("%d", resp.StatusCode)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "proofs/s")
}

// BenchmarkHistory reads histories of 20 entries, with all proofs and those of their
// signers, through the handler alone.
func BenchmarkHistory(b *testing.B) {
	const things, each = 1000, 20
	h := open(b, quiet)
	for round := range each {
		var batch bytes.Buffer
		for n := range things {
			fmt.Fprintf(&batch, `{"type":"ObjectEvent","eventTime":"2026-03-05T10:00:%02dZ","eventTimeZoneOffset":"+00:00","epcList":["urn:x:thing:%d"],"action":"OBSERVE"}`+"\n", round, n)
		}
		if a := h.do("POST", "/v1/events:batch", h.farm, batch.Bytes(), "Content-Type", "application/x-ndjson"); a.Status != http.StatusOK {
			b.Fatal(a)
		}
	}
	h.indexed()
	server, err := gateway.New(gateway.Options{Service: h.service, Logger: slog.New(slog.DiscardHandler), Limits: gateway.Limits{ClientRate: -1}})
	if err != nil {
		b.Fatal(err)
	}
	for name, encoding := range map[string]string{"plain": "identity", "gzip": "gzip"} {
		b.Run(name, func(b *testing.B) {
			var n int
			b.ReportAllocs()
			for b.Loop() {
				n++
				r := httptest.NewRequest("GET", fmt.Sprint("/v1/history?id=urn:x:thing:", n*7919%things), nil)
				r.Header.Set("Accept-Encoding", encoding)
				w := httptest.NewRecorder()
				server.Handler().ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					b.Fatal(w.Code, w.Body)
				}
			}
		})
	}
}
