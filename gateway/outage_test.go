package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/tallyroot/tallyroot/gateway"
	v1 "github.com/tallyroot/tallyroot/proto/tallyroot/v1"
	"github.com/tallyroot/tallyroot/provenance"
	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/outagetest"
)

// openFailing opens a host whose back end fails as it is told.
func openFailing(t testing.TB) (h *host, b *outagetest.Backend) {
	t.Helper()
	h = open(t, nil, func(c *provenance.Config) {
		inner := c.Backend
		c.Backend = func(ctx context.Context, dir string) (trillianlog.Backend, error) {
			real, err := inner(ctx, dir)
			b = outagetest.Wrap(real)
			return b, err
		}
	})
	return h, b
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never came that %s", what)
		}
	}
}

// While the back end is away, whoever writes is told at once, and when to come
// back; whoever reads notices nothing; and it ends by itself.
func TestOutage(t *testing.T) {
	h, b := openFailing(t)
	if a := h.log(event(1)); a.Status != http.StatusCreated {
		t.Fatal(a)
	}
	b.Set(outagetest.Fails)
	eventually(t, "writes are refused", func() bool { return strings.HasPrefix(string(h.get("/readyz").Body), "writes: refused: ") })

	retries := func(a answer) bool {
		return a.Status == http.StatusServiceUnavailable && a.Header.Get("Retry-After") == "2"
	}
	const why = "the log's back end takes nothing now; nothing of this was logged; reading goes on; send it again in 2 s"
	if a := h.log(event(2)); !retries(a) || !strings.Contains(a.refusal(), why) {
		t.Errorf("an event: %v %v", a, a.Header)
	}
	if a := h.do("POST", "/v1/events:batch", h.farm, []byte("["+event(2)+","+event(3)+"]"), "Content-Type", "application/json"); !retries(a) || !strings.Contains(a.refusal(), why) {
		t.Errorf("a batch: %v %v", a, a.Header)
	}
	large := []byte(`[{"type":"` + strings.Repeat("x", 1<<20) + `"}]`)
	if a := h.do("POST", "/v1/events:batch", "a-token-that-nobody-looks-up", large, "Content-Type", "application/json"); !retries(a) {
		t.Errorf("a large batch: %v", a)
	}
	product := `{"type":"tallyroot:Product","identifier":"https://id.gs1.org/01/09506000134352","name":"Pears"}`
	if a := h.log(product); !retries(a) {
		t.Errorf("a statement: %v", a)
	}
	if a := h.do("POST", "/v1/participants", h.admin, []byte(`{"name":"Third"}`), "Content-Type", "application/json"); !retries(a) {
		t.Errorf("a participant: %v", a)
	}
	conn := h.dial(insecure.NewCredentials())
	_, err := v1.NewEventServiceClient(conn).LogEvent(as(h.farm), &v1.LogEventRequest{Event: &httpbody.HttpBody{Data: []byte(event(2))}})
	if st := status.Convert(err); st.Code() != codes.Unavailable || retryOf(st) != 2*time.Second || st.Message() != why {
		t.Errorf("over gRPC: %v %v", err, st.Details())
	}
	_, err = v1.NewEventServiceClient(conn).LogEvents(as(h.farm), &v1.LogEventsRequest{Events: &httpbody.HttpBody{Data: []byte("[" + event(2) + "]")}})
	if st := status.Convert(err); st.Code() != codes.Unavailable || retryOf(st) != 2*time.Second {
		t.Errorf("a batch over gRPC: %v %v", err, st.Details())
	}

	if a := h.get("/readyz"); !strings.HasPrefix(string(a.Body), "writes: refused: the log's back end takes no leaves since 20") || !strings.Contains(string(a.Body), "connection refused\nreads: ok, checkpoint of size 4 published ") {
		t.Errorf("readyz: %v", a)
	}
	if a := h.get("/readyz?of=reads"); a.Status != http.StatusOK {
		t.Errorf("readyz of reads: %v", a)
	}
	a := h.get("/readyz", "Accept", "application/json")
	o := a.object(t)
	writes, reads := o["writes"].(map[string]any), o["reads"].(map[string]any)
	if a.Status != http.StatusServiceUnavailable || o["ready"] != false || writes["ok"] != false || writes["reason"] == "" || reads["ok"] != true || reads["size"] != "4" || reads["publishedAt"] == "" {
		t.Errorf("readyz in JSON: %v", a)
	}

	before := b.Count()
	id := url.QueryEscape("https://id.gs1.org/01/09506000134352/21/S1")
	for _, path := range []string{"/v1/event?index=3", "/v1/events", "/v1/history?id=" + id, "/v1/journey?id=" + id, "/v1/proof/inclusion?index=3",
		"/v1/proof/consistency?from=1", "/log/checkpoint", "/log/tile/0/000.p/4", "/log/tile/entries/000.p/4", "/healthz", "/metrics", "/docs"} {
		if a := h.get(path); a.Status != http.StatusOK {
			t.Errorf("%s: %v", path, a)
		}
	}
	if a := h.do("GET", "/v1/participants", h.admin, nil); a.Status != http.StatusOK {
		t.Errorf("participants: %v", a)
	}
	if a := h.do("POST", "/v1/events:validate", h.farm, []byte(event(2)), "Content-Type", "application/json"); a.Status != http.StatusOK {
		t.Errorf("validate: %v", a)
	}
	for call, n := range b.Count() {
		if call != "root" && n != before[call] { // the log itself asks for the root
			t.Errorf("reads called the back end: %s", call)
		}
	}

	b.Set(outagetest.Works)
	eventually(t, "the service is ready", func() bool { return h.get("/readyz").Status == http.StatusOK })
	if a := h.log(event(2)); a.Status != http.StatusCreated || a.object(t)["index"] != "4" {
		t.Errorf("afterwards: %v", a)
	}
	refused := 0
	for line := range strings.Lines(h.logs.String()) {
		if strings.Contains(line, "status=503") && strings.Contains(line, "level=INFO") {
			refused++
		}
	}
	if refused != 1 {
		t.Errorf("%d lines of requests that were answered 503, want one a minute:\n%s", refused, h.logs)
	}
}

// What was being written when the back end stopped answering is answered long
// before the time that its sender would wait, and logged once when it is sent
// again.
func TestOutageInTheMiddle(t *testing.T) {
	for _, fault := range []outagetest.Fault{outagetest.Fails, outagetest.Loses, outagetest.Hangs} {
		t.Run(fmt.Sprint(fault), func(t *testing.T) {
			t.Parallel()
			h, b := openFailing(t)
			b.Set(fault, "add", "next", "root")
			a := h.do("POST", "/v1/events?timeout=60s", h.farm, []byte(event(1)), "Content-Type", "application/json")
			if a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" || !strings.Contains(a.refusal(), "it is not known whether it was logged") {
				t.Errorf("%v %v", a, a.Header)
			}
			b.Set(outagetest.Works)
			eventually(t, "it is logged", func() bool { a = h.log(event(1)); return a.Status != http.StatusServiceUnavailable })
			if a.Status != http.StatusCreated && a.Status != http.StatusOK || a.object(t)["index"] != "3" {
				t.Errorf("sent again: %v", a)
			}
			if published, _ := h.service.Published(); published.Size != 4 {
				t.Errorf("the log has %d entries, want 4", published.Size)
			}
		})
	}
}

// Entries that cannot be published are taken, and the service is not ready.
func TestNotPublished(t *testing.T) {
	h, b := openFailing(t)
	b.Set(outagetest.Fails, "leaves") // stored, and cannot be read back
	a := h.do("POST", "/v1/events?timeout=0.05s", h.farm, []byte(event(1)), "Content-Type", "application/json")
	if a.Status != http.StatusAccepted {
		t.Errorf("%v", a)
	}
	if a := h.get("/readyz"); a.Status != http.StatusServiceUnavailable || !strings.HasPrefix(string(a.Body), "writes: taken, and not published: ") {
		t.Errorf("readyz: %v", a)
	}
	b.Set(outagetest.Works)
	eventually(t, "the service is ready", func() bool { return h.get("/readyz").Status == http.StatusOK })
}

// After a restart, what was stored before comes first. As long as it cannot be
// published nothing is taken, which is what /readyz says too.
func TestStoredEntriesComeFirst(t *testing.T) {
	h, b := openFailing(t)
	b.Set(outagetest.Fails, "leaves") // stored, and cannot be read back
	if a := h.do("POST", "/v1/events?timeout=0.05s", h.farm, []byte(event(1)), "Content-Type", "application/json"); a.Status != http.StatusAccepted {
		t.Fatal(a)
	}
	h.reopen(func(c *provenance.Config) {
		inner := c.Backend
		c.Backend = func(ctx context.Context, dir string) (trillianlog.Backend, error) {
			real, err := inner(ctx, dir)
			b = outagetest.Wrap(real)
			b.Set(outagetest.Fails, "leaves")
			return b, err
		}
	})
	if a := h.log(event(2)); a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") != "30" {
		t.Errorf("an event: %v %v", a, a.Header)
	}
	if a := h.get("/readyz"); a.Status != http.StatusServiceUnavailable ||
		!strings.HasPrefix(string(a.Body), "writes: refused: entries from before an interruption are published first, and that does not get on: ") || !strings.Contains(string(a.Body), "connection refused\nreads: ok") {
		t.Errorf("readyz: %v", a)
	}
	b.Set(outagetest.Works)
	eventually(t, "the service is ready", func() bool { return h.get("/readyz").Status == http.StatusOK })
	if a := h.log(event(2)); a.Status != http.StatusCreated {
		t.Errorf("afterwards: %v", a)
	}
}

// A service that is started with a policy which its published checkpoint does not
// meet yet proves nothing until it does, and says when to ask again.
func TestThePolicyIsNotMetYet(t *testing.T) {
	h := open(t, nil)
	logged := h.log(event(1))
	if logged.Status != http.StatusCreated {
		t.Fatal(logged)
	}
	h.reopen(func(c *provenance.Config) {
		c.Policy = regexp.MustCompile("http://[0-9.:]+").ReplaceAll(witnessed(t, c), []byte("http://127.0.0.1:1"))
		c.Witnessing = provenance.Witnessing{Timeout: 50 * time.Millisecond, Patience: 50 * time.Millisecond}
	})
	for _, path := range []string{"/v1/event?index=3", "/v1/event?id=" + url.QueryEscape(logged.object(t)["eventId"].(string))} {
		if a := h.get(path); a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") != "5" || !strings.Contains(a.refusal(), "policy") {
			t.Errorf("%s: %v %v", path, a, a.Header)
		}
	}
	if a := h.log(event(1)); a.Status != http.StatusAccepted {
		t.Errorf("sent again: %v", a)
	}
}

// A cause is for the operator: whoever sent the event is not told of hosts and
// folders.
func TestCausesStayInside(t *testing.T) {
	h := open(t, nil, func(c *provenance.Config) { c.MinFree = 1 })
	h.reopen(func(c *provenance.Config) { c.MinFree = 1 << 62 })
	a := h.do("POST", "/v1/events", h.farm, []byte(event(1)), "Content-Type", "application/json", "X-Request-Id", "the-one-without-room")
	if strings.Contains(string(a.Body), h.dir) || !strings.Contains(a.refusal(), "no room for more now") || a.Header.Get("Retry-After") != "30" {
		t.Errorf("%v %v", a, a.Header)
	}
	if log := h.logs.String(); !strings.Contains(log, "request=the-one-without-room") || !strings.Contains(log, h.dir) {
		t.Errorf("the log does not tell why:\n%s", log)
	}
}

func retryOf(st *status.Status) time.Duration {
	for _, d := range st.Details() {
		if r, ok := d.(*errdetails.RetryInfo); ok {
			return r.RetryDelay.AsDuration()
		}
	}
	return 0
}

// Every request has an id, in its answer and in its line: the client's, if it is a
// plain word, over REST and gRPC alike.
func TestRequestIDs(t *testing.T) {
	h := open(t, func(o *gateway.Options) { o.Ready = func() error { return errors.New("not yet") } })
	for sent, kept := range map[string]bool{"the-clients-own-id": true, "": false, "short": false, "with spaces in it": false, strings.Repeat("x", 65): false} {
		a := h.get("/v1/event?index=99", "X-Request-Id", sent)
		id := a.Header.Get("X-Request-Id")
		if len(id) < 8 || (id == sent) != kept {
			t.Errorf("%q is answered %q", sent, id)
		}
		if !strings.Contains(h.logs.String(), "request="+id) {
			t.Errorf("the log has no line of %s", id)
		}
		ctx := metadata.AppendToOutgoingContext(context.Background(), "x-request-id", sent)
		var header, trailer metadata.MD
		index := uint64(99)
		_, err := v1.NewEventServiceClient(h.dial(insecure.NewCredentials())).GetEvent(ctx, &v1.GetEventRequest{Index: &index}, grpc.Header(&header), grpc.Trailer(&trailer))
		if status.Code(err) != codes.NotFound {
			t.Errorf("%v", err)
		}
		id = strings.Join(append(header["x-request-id"], trailer["x-request-id"]...), ",")
		if len(id) < 8 || (id == sent) != kept {
			t.Errorf("over gRPC %q is answered %q", sent, id)
		}
		eventually(t, "the log has a line of "+id, func() bool { return strings.Contains(h.logs.String(), "request="+id) })
	}
}
