package gateway_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/provenance"
	"github.com/tallyroot/tallyroot/trillianlog/witness"
)

// TestNotIndexed: while no index checkpoint can be published, since the witness of its
// policy is away, histories and journeys are refused for a while, and nothing else is.
func TestNotIndexed(t *testing.T) {
	away, err := witness.NewKey("witness.example/1")
	if err != nil {
		t.Fatal(err)
	}
	h := open(t, nil, func(c *provenance.Config) {
		_, key, err := provenance.MakeKeys(c.Dir, c.Origin, c.Dir+"/last-checkpoint")
		if err != nil {
			t.Fatal(err)
		}
		c.IndexPolicy = fmt.Appendf(nil, "log %s\nwitness one %s http://127.0.0.1:1\nquorum one\n", key, away.Verifier())
	})
	if a := h.log(event(1)); a.Status != http.StatusCreated {
		t.Fatal(a)
	}
	for _, path := range []string{"/v1/history?id=urn:x:1", "/v1/history?kind=operator", "/v1/journey?id=urn:x:1"} {
		a := h.get(path)
		if a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") != "5" || a.Header.Get("Cache-Control") != "no-store" ||
			!strings.Contains(fmt.Sprint(a.object(t)["message"]), "history index") || !strings.Contains(string(a.Body), "NOT_INDEXED") {
			t.Errorf("%s: %v", path, a)
		}
	}
	for path, code := range map[string]int{
		"/v1/history?id=nonsense": 400, "/v1/journey?id=nonsense": 400, "/v1/event?index=1": 200, "/v1/events": 200, "/v1/proof/inclusion?index=0": 200,
		"/log/checkpoint": 200, "/index/checkpoint": 404, "/healthz": 200,
	} {
		if a := h.get(path); a.Status != code {
			t.Errorf("%s: %v, want %d", path, a, code)
		}
	}
}
