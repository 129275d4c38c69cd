package gateway_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/gateway"
	"github.com/tallyroot/tallyroot/provenance"
	"github.com/tallyroot/tallyroot/provenance/credentials"
	secrets "github.com/tallyroot/tallyroot/provenance/credentials/embedded"
	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/embedded"
)

const origin = "log.example.org"

// host is a server on a real Service, listening, with two participants: farm,
// which may describe 0950600…, and shop, which may describe nothing of it.
type host struct {
	t       testing.TB
	URL     string
	addr    string
	dir     string
	change  func(*gateway.Options)
	stops   []func() error
	client  *http.Client
	service *provenance.Service
	logs    *syncBuffer

	admin, farm, shop string // tokens
}

// open starts a host; change may alter its options, and config the service's.
func open(t testing.TB, change func(*gateway.Options), config ...func(*provenance.Config)) *host {
	t.Helper()
	h := &host{t: t, dir: t.TempDir(), logs: &syncBuffer{}, change: change}
	t.Cleanup(func() { h.stop() })
	var f func(*provenance.Config)
	if len(config) > 0 {
		f = config[0]
	}
	h.openService(f)
	admin, err := os.ReadFile(filepath.Join(h.dir, "admin.token"))
	if err != nil {
		t.Fatal(err)
	}
	h.admin = strings.TrimSpace(string(admin))
	h.farm = h.participant("farm", "0950600", "urn:uuid:", "https://example.org/")
	h.shop = h.participant("shop", "0614141")
	h.serve()
	if config == nil {
		h.indexed()
	}
	return h
}

// reopen stops the server and the service and starts both again on the same
// data.
func (h *host) reopen(config func(*provenance.Config)) {
	h.t.Helper()
	h.stop()
	h.openService(config)
	h.serve()
}

func (h *host) openService(config func(*provenance.Config)) {
	h.t.Helper()
	c := provenance.Config{
		Dir: h.dir, Origin: origin, MinFree: 1, IndexEvery: time.Millisecond, Logger: slog.New(slog.DiscardHandler),
		Backend: func(ctx context.Context, dir string) (trillianlog.Backend, error) {
			return embedded.Open(ctx, dir, embedded.Options{Logger: slog.New(slog.DiscardHandler), MinFree: 1})
		},
		Credentials: func(dir string) (credentials.Store, error) {
			return secrets.Open(dir, slog.New(slog.DiscardHandler))
		},
	}
	if config != nil {
		config(&c)
	}
	var err error
	if h.service, err = provenance.Open(context.Background(), c); err != nil {
		h.t.Fatal(err)
	}
	h.stops = append(h.stops, h.service.Close)
}

// serve listens, and gives the host a client of its own.
func (h *host) serve() {
	h.t.Helper()
	o := gateway.Options{Service: h.service, Logger: slog.New(slog.NewTextHandler(h.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	if h.change != nil {
		h.change(&o)
	}
	server, err := gateway.New(o)
	if err != nil {
		h.t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, listener) }()
	transport := &http.Transport{DisableCompression: true}
	h.addr, h.URL = listener.Addr().String(), "http://"+listener.Addr().String()
	if o.TLS != nil {
		h.URL = "https://" + h.addr
		transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	}
	h.client = &http.Client{Transport: transport, Timeout: time.Minute}
	h.stops = append(h.stops, func() error {
		transport.CloseIdleConnections()
		cancel()
		return <-done
	})
}

// indexed waits until histories have all that is published.
func (h *host) indexed() {
	h.t.Helper()
	published, _ := h.service.Published()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		st := h.service.IndexStatus()
		if st.Readable == nil && st.Covered >= published.Size {
			return
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("the index covers %d of %d entries: %+v", st.Covered, published.Size, st)
		}
	}
}

// stop ends what runs, the last first.
func (h *host) stop() {
	for len(h.stops) > 0 {
		last := len(h.stops) - 1
		if err := h.stops[last](); err != nil {
			h.t.Errorf("stop: %v", err)
		}
		h.stops = h.stops[:last]
	}
}

// participant adds one through the service and gives its token.
func (h *host) participant(id string, grants ...string) string {
	h.t.Helper()
	_, token, err := h.service.AddParticipant(context.Background(), provenance.Caller{Admin: true}, provenance.NewParticipant{ID: id, Name: "The " + id, Grants: grants})
	if err != nil {
		h.t.Fatal(err)
	}
	return token.Secret
}

type answer struct {
	Status int
	Header http.Header
	Body   []byte
}

func (a answer) String() string { return fmt.Sprintf("%d %s", a.Status, a.Body) }

// object is the answer's JSON.
func (a answer) object(t testing.TB) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(a.Body, &v); err != nil {
		t.Fatalf("no JSON object: %v in %v", err, a)
	}
	return v
}

// do sends a request; headers are name, value, name, value, ….
func (h *host) do(method, path, token string, body []byte, headers ...string) answer {
	h.t.Helper()
	req, err := http.NewRequest(method, h.URL+path, bytes.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Content-Length" {
			continue
		}
		req.Header.Add(headers[i], headers[i+1])
	}
	return h.send(req)
}

func (h *host) send(req *http.Request) answer {
	h.t.Helper()
	resp, err := h.client.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, b}
}

func (h *host) get(path string, headers ...string) answer {
	h.t.Helper()
	return h.do("GET", path, "", nil, headers...)
}

// log sends one event as the farm.
func (h *host) log(event string) answer {
	h.t.Helper()
	return h.do("POST", "/v1/events", h.farm, []byte(event), "Content-Type", "application/json")
}

// event is a good one, different for each n.
func event(n int) string {
	return fmt.Sprintf(`{"type":"ObjectEvent","eventTime":"2026-03-0%dT10:00:00Z","eventTimeZoneOffset":"+00:00","epcList":["https://id.gs1.org/01/09506000134352/21/S%d"],"action":"OBSERVE","bizStep":"inspecting","readPoint":{"id":"https://id.gs1.org/414/9506000134314"}}`, 1+n%9, n)
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// syncBuffer is a buffer that a logger and a test use at the same time.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
