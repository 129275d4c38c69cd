package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// An answer is what the test service says to one request.
type answer struct {
	status int
	header map[string]string
	body   string
}

// script serves the answers one after the other, the last one for ever, and
// counts the requests. The client's pauses are recorded, not waited for.
func script(t *testing.T, answers ...answer) (c *Client, requests *int, pauses *[]time.Duration) {
	t.Helper()
	requests, pauses = new(int), new([]time.Duration)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := answers[min(*requests, len(answers)-1)]
		*requests++
		for name, value := range a.header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(a.status)
		_, _ = w.Write([]byte(a.body))
	}))
	t.Cleanup(s.Close)
	c, err := New(s.URL+"/", "secret")
	if err != nil {
		t.Fatal(err)
	}
	c.pause = func(_ context.Context, d time.Duration) error {
		*pauses = append(*pauses, d)
		return nil
	}
	return c, requests, pauses
}

func TestTriesAgain(t *testing.T) {
	busy := answer{status: 503, header: map[string]string{"Retry-After": "3"}, body: `{"code":14,"message":"the disk is full"}`}
	good := answer{status: 200, body: `{}`}
	for name, test := range map[string]struct {
		answers  []answer
		once     bool
		requests int
		status   int // of the error; 0: none
	}{
		"good at once":                    {answers: []answer{good}, requests: 1},
		"busy, then good":                 {answers: []answer{busy, busy, good}, requests: 3},
		"busy is safe to try once more":   {answers: []answer{busy, good}, once: true, requests: 2},
		"busy for ever":                   {answers: []answer{busy}, requests: Attempts, status: 503},
		"a gateway failed":                {answers: []answer{{status: 502}, good}, requests: 2},
		"a gateway failed in what is new": {answers: []answer{{status: 502}, good}, once: true, requests: 1, status: 502},
		"wrong stays wrong":               {answers: []answer{{status: 400}, good}, requests: 1, status: 400},
	} {
		t.Run(name, func(t *testing.T) {
			c, requests, pauses := script(t, test.answers...)
			_, err := c.Do(context.Background(), Request{Method: "GET", Path: "/v1/x", Once: test.once})
			var e *Error
			if errors.As(err, &e) != (test.status != 0) || (e != nil && e.Status != test.status) {
				t.Errorf("the error is %v", err)
			}
			if *requests != test.requests {
				t.Errorf("%d requests, want %d", *requests, test.requests)
			}
			for _, p := range *pauses {
				if test.answers[0].header != nil && p != 3*time.Second {
					t.Errorf("it waited %v, and the service said 3 s", p)
				}
				if p <= 0 || p > longestPause {
					t.Errorf("it waited %v", p)
				}
			}
		})
	}
}

func TestErrorSaysEachField(t *testing.T) {
	c, _, _ := script(t, answer{status: 400, body: `{"code":3,"message":"2 problems","details":[{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[
		{"field":"eventTime","description":"has no offset; want 2026-09-14T09:00:00Z"},{"field":"epcList[0]","description":"the check digit is 3; want 2"},{"description":"it names nothing"}]}]}`})
	_, err := c.Do(context.Background(), Request{Method: "POST", Path: "/v1/events"})
	for _, want := range []string{"2 problems", "\n  eventTime: has no offset", "\n  epcList[0]: the check digit", "\n  it names nothing"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

// What stands before a service may answer anything.
func TestErrorOfAnother(t *testing.T) {
	c, _, _ := script(t, answer{status: 404, body: "<html><body>nginx</body></html>"})
	_, err := c.Do(context.Background(), Request{Method: "GET", Path: "/v1/x"})
	if err == nil || err.Error() != "the service answered 404 Not Found" {
		t.Errorf("the error is %v", err)
	}
	c, _, _ = script(t, answer{status: 200, body: "<html>"})
	if err := c.JSON(context.Background(), Request{Method: "GET", Path: "/v1/x"}, nil, &struct{}{}); err == nil || !strings.Contains(err.Error(), "is this a Tallyroot service") {
		t.Errorf("the error is %v", err)
	}
}

// The token goes to the service and to no other: not behind a redirect to
// another host, and not into an error.
func TestTokenStays(t *testing.T) {
	var seen string
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.Header.Get("Authorization") }))
	defer other.Close()
	elsewhere := strings.Replace(other.URL, "127.0.0.1", "localhost", 1)
	c, _, _ := script(t, answer{status: 307, header: map[string]string{"Location": elsewhere}})
	_, err := c.Do(context.Background(), Request{Method: "GET", Path: "/v1/x"})
	if seen != "" || (err != nil && strings.Contains(err.Error(), "secret")) {
		t.Errorf("the token went to another host (%q) or into the error %v", seen, err)
	}
}

func TestEventIsWaitedFor(t *testing.T) {
	soon := answer{status: 404, header: map[string]string{"Retry-After": "1"}, body: `{"code":5,"message":"not yet"}`}
	c, requests, _ := script(t, soon, soon, answer{status: 200, body: `{"entry":"YQ==","index":"7"}`})
	e, err := c.Event(context.Background(), url.Values{"id": {"x"}})
	if err != nil || e.Index != 7 || *requests != 3 {
		t.Errorf("%+v, %v after %d requests", e, err, *requests)
	}
	c, requests, _ = script(t, answer{status: 404, body: `{"code":5,"message":"no such event"}`})
	if _, err := c.Event(context.Background(), url.Values{"id": {"x"}}); err == nil || *requests != 1 {
		t.Errorf("an event that is not there: %v after %d requests", err, *requests)
	}
}

func TestResultsFitTheEvents(t *testing.T) {
	c, _, _ := script(t, answer{status: 200, body: `{"results":[{"status":201}]}`})
	if _, err := c.Log(context.Background(), [][]byte{[]byte("{}"), []byte("{}")}); err == nil {
		t.Error("one result for two events was taken")
	}
}

func TestUint64(t *testing.T) {
	for text, want := range map[string]Uint64{`"18446744073709551615"`: 1<<64 - 1, `7`: 7, `"0"`: 0} {
		var u Uint64
		if err := json.Unmarshal([]byte(text), &u); err != nil || u != want {
			t.Errorf("%s gives %d, %v", text, u, err)
		}
	}
	for _, text := range []string{`"-1"`, `1.5`, `"x"`, `"18446744073709551616"`, `true`} {
		if err := json.Unmarshal([]byte(text), new(Uint64)); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
}

func TestAddress(t *testing.T) {
	for _, bad := range []string{"", "localhost:8080", "ftp://example.org", "http://", "://"} {
		if _, err := New(bad, ""); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	if _, err := New("http://127.0.0.1", "two words"); err == nil {
		t.Error("a token of two words was taken")
	}
	c, err := New("https://example.org/base/?x#y", "")
	if err != nil || c.Server() != "https://example.org/base" {
		t.Errorf("%v, %v", c.Server(), err)
	}
}

// What the service says of an error is shown to programs as it came.
func TestStatusAsItCame(t *testing.T) {
	const text = `{"code":6,"message":"m","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"CONFLICT","metadata":{"index":"9"}},{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"a","description":"b"}]}]}`
	var s Status
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	if f := s.Fields(); len(f) != 1 || f[0] != (Field{"a", "b"}) {
		t.Errorf("fields %v", f)
	}
	if got, err := json.Marshal(s); err != nil || string(got) != text {
		t.Errorf("printed %s, %v", got, err)
	}
	own := Status{Message: "m", Details: []Detail{{FieldViolations: []Field{{"a", "b"}}}}}
	const want = `{"message":"m","details":[{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"a","description":"b"}]}]}`
	if got, err := json.Marshal(own); err != nil || string(got) != want {
		t.Errorf("printed %s, %v", got, err)
	}
}
