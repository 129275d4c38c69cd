package gateway_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/trillian"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/tallyroot/tallyroot/gateway"
	v1 "github.com/tallyroot/tallyroot/proto/tallyroot/v1"
	"github.com/tallyroot/tallyroot/provenance"
	"github.com/tallyroot/tallyroot/trillianlog"
)

// gated is a back end whose writes wait while the gate is shut.
type gated struct {
	trillianlog.Backend
	gate chan struct{} // holds a token while it is open
}

func (g *gated) Client() trillian.TrillianLogClient { return &gatedClient{g.Backend.Client(), g.gate} }

type gatedClient struct {
	trillian.TrillianLogClient
	gate chan struct{}
}

func (c *gatedClient) AddSequencedLeaves(ctx context.Context, req *trillian.AddSequencedLeavesRequest, opts ...grpc.CallOption) (*trillian.AddSequencedLeavesResponse, error) {
	select {
	case <-c.gate:
		c.gate <- struct{}{}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return c.TrillianLogClient.AddSequencedLeaves(ctx, req, opts...)
}

// While no checkpoint covers an event its sender has 202, its readers have 404
// and when to come back; then it is there, once.
func TestAcceptedAndFoundLater(t *testing.T) {
	gate := make(chan struct{}, 1)
	gate <- struct{}{}
	h := open(t, nil, func(c *provenance.Config) {
		inner := c.Backend
		c.Backend = func(ctx context.Context, dir string) (trillianlog.Backend, error) {
			b, err := inner(ctx, dir)
			return &gated{b, gate}, err
		}
	})
	<-gate // shut
	a := h.do("POST", "/v1/events?timeout=0.01s", h.farm, []byte(event(1)), "Content-Type", "application/json")
	o := a.object(t)
	if a.Status != http.StatusAccepted || o["eventId"] == "" || o["index"] != nil || o["receipt"] != nil || o["leafHash"] != nil {
		t.Fatal(a)
	}
	batch := h.do("POST", "/v1/events:batch?timeout=0.01s", h.farm, []byte("["+event(2)+",{}]"), "Content-Type", "application/json")
	if batch.Status != http.StatusOK || !strings.HasPrefix(string(batch.Body), `{"results":[{"status":202,`) || !strings.Contains(string(batch.Body), `"status":400`) {
		t.Errorf("%v", batch)
	}
	path := "/v1/event?id=" + url.QueryEscape(o["eventId"].(string))
	missing := h.get(path)
	if missing.Status != http.StatusNotFound || missing.Header.Get("Retry-After") != "1" || missing.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%v %v", missing, missing.Header)
	}
	if never := h.get("/v1/event?id=urn:x:never"); never.Status != http.StatusNotFound || never.Header.Get("Retry-After") != "" {
		t.Errorf("%v %v", never, never.Header)
	}
	gate <- struct{}{} // open
	again := h.log(event(1))
	if again.Status != http.StatusOK || again.object(t)["eventId"] != o["eventId"] {
		t.Errorf("sent again: %v", again)
	}
	if found := h.get(path); found.Status != http.StatusOK || found.object(t)["index"] != again.object(t)["index"] {
		t.Errorf("asked again: %v", found)
	}
}

func TestRateLimits(t *testing.T) {
	h := open(t, func(o *gateway.Options) { o.Limits.TokenRate, o.Limits.TokenBurst = 0.001, 2 })
	for range 2 {
		if a := h.log(event(1)); a.Status >= 300 {
			t.Fatal(a)
		}
	}
	a := h.log(event(1))
	if a.Status != http.StatusTooManyRequests || a.Header.Get("Retry-After") == "" || !strings.Contains(a.refusal(), "token") {
		t.Errorf("%v %v", a, a.Header)
	}
	if a := h.do("POST", "/v1/events", h.shop, []byte("{}"), "Content-Type", "application/json"); a.Status != http.StatusBadRequest {
		t.Errorf("another token: %v", a)
	}
	_, err := v1.NewEventServiceClient(h.dial(insecure.NewCredentials())).LogEvent(as(h.farm), &v1.LogEventRequest{Event: &httpbody.HttpBody{Data: []byte(event(1))}})
	if st := status.Convert(err); st.Code() != codes.ResourceExhausted || !hasRetry(st) {
		t.Errorf("over gRPC: %v %v", err, st.Details())
	}
}

func hasRetry(st *status.Status) bool {
	for _, d := range st.Details() {
		if r, ok := d.(*errdetails.RetryInfo); ok && r.RetryDelay.AsDuration() > 0 {
			return true
		}
	}
	return false
}

// Requests from outside are counted by address; the handler is asked directly,
// since a test's connections all come from the machine itself.
func TestClientRateLimit(t *testing.T) {
	h := open(t, nil)
	server, err := gateway.New(gateway.Options{Service: h.service, Logger: slog.New(slog.DiscardHandler), Limits: gateway.Limits{ClientRate: 0.001, ClientBurst: 2}})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(remote string, grpc bool) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", "/healthz", nil)
		r.RemoteAddr = remote
		if grpc {
			r = httptest.NewRequest("POST", "/tallyroot.v1.EventService/GetEvent", nil)
			r.RemoteAddr, r.ProtoMajor = remote, 2
			r.Header.Set("Content-Type", "application/grpc+proto")
		}
		w := httptest.NewRecorder()
		server.Handler().ServeHTTP(w, r)
		return w
	}
	for i, want := range []int{200, 200, 429} {
		if w := ask("192.0.2.1:1000", false); w.Code != want || want == 429 && w.Header().Get("Retry-After") == "" {
			t.Errorf("request %d: %d %v", i, w.Code, w.Header())
		}
	}
	if w := ask("192.0.2.1:1001", true); w.Code != 200 || w.Header().Get("Grpc-Status") != "8" {
		t.Errorf("over gRPC: %d %v", w.Code, w.Header())
	}
	for range 5 {
		if w := ask("192.0.2.2:1000", false); w.Code != 200 {
			break
		}
		if w := ask("127.0.0.1:1000", false); w.Code != 200 {
			t.Errorf("the machine itself is limited: %d", w.Code)
		}
	}
}

func TestPanicIsAnswered(t *testing.T) {
	pages := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" {
			w.WriteHeader(http.StatusOK)
			w.Write([]byte("begun"))
		}
		panic("a mistake with a " + "secret detail")
	})
	h := open(t, func(o *gateway.Options) { o.Pages = pages })
	a := h.get("/page", "X-Request-Id", "the-panicking-request")
	if a.Status != http.StatusInternalServerError || strings.Contains(string(a.Body), "secret detail") || a.object(t)["message"] == "" {
		t.Errorf("%v", a)
	}
	if log := h.logs.String(); !strings.Contains(log, "secret detail") || !strings.Contains(log, "request=the-panicking-request") || !strings.Contains(log, "server_test.go") {
		t.Errorf("the log does not tell of it:\n%s", log)
	}
	h.get("/late")
	if a := h.get("/metrics"); !strings.Contains(string(a.Body), "tallyroot_panics_total 2") {
		t.Errorf("the panics were not counted:\n%s", a.Body)
	}
	if a := h.get("/healthz"); a.Status != http.StatusOK {
		t.Errorf("afterwards: %v", a)
	}
}

func TestOperation(t *testing.T) {
	var reason error
	registry := prometheus.NewRegistry()
	h := open(t, func(o *gateway.Options) {
		o.Ready = func() error { return reason }
		o.Registry = registry
	})
	if a := h.get("/healthz"); a.Status != http.StatusOK || string(a.Body) != "ok\n" {
		t.Errorf("healthz: %v", a)
	}
	if a := h.get("/readyz"); a.Status != http.StatusOK || !regexp.MustCompile(`^writes: ok\nreads: ok, checkpoint of size 3 published \d+ s ago\nhistories: .+\n$`).Match(a.Body) {
		t.Errorf("readyz: %v", a)
	}
	reason = errors.New("the demo's events are not logged yet")
	for _, path := range []string{"/readyz", "/readyz?of=writes", "/readyz?of=reads", "/readyz?of=histories"} {
		if a := h.get(path); a.Status != http.StatusServiceUnavailable || !strings.HasSuffix(string(a.Body), "\nalso: the demo's events are not logged yet\n") || a.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %v", path, a)
		}
	}
	for _, path := range []string{"/readyz?of=all", "/readyz?of=reads&of=reads"} {
		if a := h.get(path); a.Status != http.StatusBadRequest || !strings.Contains(a.refusal(), "none of reads, writes and histories") {
			t.Errorf("%s: %v", path, a)
		}
	}
	h.log(event(1))
	h.get("/v1/participants/farm/what-nobody-knows")
	h.get("/01/09506000134352/21/S1")
	h.do("BREW", "/pot", "", nil)
	metrics := string(h.get("/metrics").Body)
	for _, want := range []string{
		`tallyroot_requests_total{code="201",method="POST",route="/v1/events"} 1`,
		`tallyroot_requests_total{code="404",method="GET",route="/v1/participants/"} 1`,
		`tallyroot_requests_total{code="404",method="GET",route="page"} 1`,
		`tallyroot_requests_total{code="404",method="other",route="page"} 1`,
		`tallyroot_request_seconds_count{route="/v1/events"} 1`,
		"tallyroot_requests_in_flight 1", "tallyroot_log_published_entries 4", "tallyroot_log_stopped 0", "tallyroot_log_refusing 0", "go_goroutines", "process_resident_memory_bytes",
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("metrics lack %q", want)
		}
	}
	if !regexp.MustCompile(`tallyroot_log_published_timestamp_seconds 1\.\d+e\+09`).MatchString(metrics) {
		t.Error("metrics lack the time of publication")
	}
}

// A server that is told to stop lets the request under way finish.
func TestStopLetsRequestsFinish(t *testing.T) {
	h := open(t, nil)
	entered, leave := make(chan struct{}), make(chan struct{})
	server, err := gateway.New(gateway.Options{Service: h.service, Logger: slog.New(slog.DiscardHandler), Pages: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-leave
		w.Write([]byte("finished"))
	})})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, listener) }()
	answered := make(chan string, 1)
	go func() {
		resp, err := http.Get("http://" + listener.Addr().String() + "/page")
		if err != nil {
			answered <- err.Error()
			return
		}
		defer resp.Body.Close()
		var b bytes.Buffer
		_, _ = b.ReadFrom(resp.Body)
		answered <- b.String()
	}()
	<-entered
	cancel()
	close(leave)
	if got := <-answered; got != "finished" {
		t.Errorf("the request under way: %s", got)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if _, err := net.DialTimeout("tcp", listener.Addr().String(), time.Second); err == nil {
		t.Error("it still listens")
	}
}

func TestHeaderLimit(t *testing.T) {
	h := open(t, func(o *gateway.Options) { o.Limits.HeaderBytes = 4 << 10 })
	if a := h.get("/healthz", "X-Long", strings.Repeat("x", 3<<10)); a.Status != http.StatusOK {
		t.Errorf("3 KiB: %v", a)
	}
	// net/http allows some KiB beyond what it is told.
	for _, head := range []string{
		"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: " + strings.Repeat("x", 20<<10) + "\r\n\r\n",
		"GET /v1/event?id=" + strings.Repeat("x", 20<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		conn, err := net.Dial("tcp", h.addr)
		if err != nil {
			t.Fatal(err)
		}
		// The server closes with bytes unread: the client may see that before
		// the answer, or in its place.
		_, _ = conn.Write([]byte(head))
		answer, _ := io.ReadAll(conn)
		conn.Close()
		if len(answer) > 0 && !bytes.HasPrefix(answer, []byte("HTTP/1.1 431 ")) {
			t.Errorf("20 KiB: %s", answer)
		}
	}
}

func TestAdminBodyLimit(t *testing.T) {
	h := open(t, func(o *gateway.Options) { o.Limits.AdminBytes = 200 })
	for size, want := range map[int]int{200: http.StatusOK, 201: http.StatusRequestEntityTooLarge} {
		body := `{"name":"Farm ` + strings.Repeat("x", 20) + `"}`
		if a := h.do("POST", "/v1/participants", h.admin, []byte(body+strings.Repeat(" ", size-len(body))), "Content-Type", "application/json"); a.Status != want {
			t.Errorf("%d bytes: %v", size, a)
		}
	}
}

// Only a good token has a large body read; the rest have their answer before.
func TestLargeBodyNeedsAGoodToken(t *testing.T) {
	h := open(t, nil)
	for token, want := range map[string]int{"": 401, "wrong": 401, h.farm: 200} {
		body := []byte("[" + strings.Repeat(" ", 1<<20) + "]")
		if a := h.do("POST", "/v1/events:batch", token, body, "Content-Type", "application/json"); a.Status != want {
			t.Errorf("token %.6q: %v", token, a)
		}
	}
	// A client that waits to be asked is answered, and not asked.
	conn, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = conn.Write([]byte("POST /v1/events:batch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer wrong\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 30000000\r\n\r\n"))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("%v, %v", resp, err)
	}
}

func TestBodiesHeldAtTheSameTime(t *testing.T) {
	h := open(t, func(o *gateway.Options) { o.Limits.BodyBytes = 200 << 10 })
	half := "[" + strings.Repeat(" ", 100<<10)
	conn := h.begin("/v1/events:batch", half, 150<<10)
	rest := strings.Repeat(" ", 150<<10-len(half)-1) + "]"
	batch := []byte("[" + strings.Repeat(" ", 120<<10) + "]")
	// The server counts the first when it has its header, which no answer
	// tells: ask until it does.
	var a answer
	for a.Status != http.StatusServiceUnavailable {
		if a = h.do("POST", "/v1/events:batch", h.farm, batch, "Content-Type", "application/json"); a.Status != 200 && a.Status != 503 {
			t.Fatal(a)
		}
	}
	if a.Header.Get("Retry-After") == "" {
		t.Errorf("%v %v", a, a.Header)
	}
	if a := h.log(event(1)); a.Status != http.StatusCreated {
		t.Errorf("a small body beside it: %v", a)
	}
	_, _ = conn.Write([]byte(rest))
	if resp, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%v, %v", resp, err)
	}
	for a.Status != http.StatusOK {
		a = h.do("POST", "/v1/events:batch", h.farm, batch, "Content-Type", "application/json")
	}
}

func TestQueriesAreChecked(t *testing.T) {
	h := open(t, nil)
	for path, want := range map[string]string{
		"/v1/events?partcipant=farm":            "takes limit, participant",
		"/v1/event?index=1&index=2":             "2 times",
		"/v1/event?index=0x1":                   "whole number",
		"/v1/events?limit=ten":                  "whole number",
		"/v1/event?id=%zz":                      "percent-encode",
		"/v1/history?id=urn:x:1&at=1":           "takes id, kind, limit, offset",
		"/v1/proof/inclusion?index=-1":          "whole number",
		"/v1/participants?x=1":                  "no such parameter",
		"/v1/event?event_id=urn:x:1":            "takes id, index, participant",
		"/v1/proof/consistency?from=1&to=":      "whole number",
		"/v1/proof/consistency?from=1&log=tree": "neither log nor index",
	} {
		if a := h.get(path); a.Status != http.StatusBadRequest || !strings.Contains(a.refusal(), want) {
			t.Errorf("%s: %v, want %q", path, a, want)
		}
	}
	for timeout, want := range map[string]int{"10s": 201, "0.5s": 200, "60s": 200, "61s": 400, "-1s": 400, "1m": 400, "10": 400, "": 400, "1e3s": 400, "9999999999s": 400} {
		a := h.do("POST", "/v1/events?timeout="+timeout, h.farm, []byte(event(1)), "Content-Type", "application/json")
		if a.Status != want && !(want < 300 && a.Status < 300) {
			t.Errorf("timeout=%s: %v", timeout, a)
		}
		if a.Status == 400 && !strings.Contains(a.refusal(), "timeout") {
			t.Errorf("timeout=%s: %v", timeout, a)
		}
	}
}
