package gateway_test

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/history"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/receipt"
)

func names(m map[string]any) []string {
	var list []string
	for name := range m {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

func TestLogAndReadBack(t *testing.T) {
	h := open(t, nil)
	first := h.log(event(1))
	if first.Status != http.StatusCreated {
		t.Fatal(first)
	}
	o := first.object(t)
	if want := []string{"eventId", "index", "leafHash", "receipt", "warnings"}; !slices.Equal(names(o), want) {
		t.Errorf("members %q, want %q", names(o), want)
	}
	// 64-bit numbers are strings, bytes base64, receipts text.
	index, ok := o["index"].(string)
	if !ok {
		t.Fatalf("index is %T", o["index"])
	}
	leafHash, err := base64.StdEncoding.Strict().DecodeString(o["leafHash"].(string))
	if err != nil || len(leafHash) != 32 {
		t.Fatalf("leafHash: %v", o["leafHash"])
	}
	r, err := receipt.Parse([]byte(o["receipt"].(string)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Verify([32]byte(leafHash), func(b []byte) (checkpoint.Checkpoint, error) {
		c, _, err := checkpoint.Parse(b)
		return c, err
	}); err != nil {
		t.Fatal(err)
	}

	again := h.log(event(1))
	if again.Status != http.StatusOK || again.object(t)["index"] != index {
		t.Errorf("the same text again: %v", again)
	}

	id := o["eventId"].(string)
	for _, path := range []string{
		"/v1/event?id=" + url.QueryEscape(id),
		"/v1/event?id=" + url.QueryEscape(id) + "&participant=farm",
		"/v1/event?index=" + index,
	} {
		a := h.get(path)
		if a.Status != http.StatusOK {
			t.Fatalf("%s: %v", path, a)
		}
		e := a.object(t)
		if e["index"] != index || e["eventId"] != id || e["leafHash"] != o["leafHash"] || e["participant"] != "farm" || len(e["others"].([]any)) != 0 {
			t.Errorf("%s: %v", path, a)
		}
		b, err := base64.StdEncoding.DecodeString(e["entry"].(string))
		if err != nil {
			t.Fatal(err)
		}
		if got := entry.LeafHash(b); string(got[:]) != string(leafHash) {
			t.Errorf("%s: the entry has another leaf hash", path)
		}
		if _, err := receipt.Parse([]byte(e["receipt"].(string))); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}

	list := h.get("/v1/events?participant=farm&limit=5").object(t)["events"].([]any)
	if len(list) != 1 || list[0].(map[string]any)["index"] != index {
		t.Errorf("list: %v", list)
	}
	if _, ok := list[0].(map[string]any)["receipt"]; ok {
		t.Error("a list has receipts")
	}

	a := h.get("/v1/proof/inclusion?index=" + index)
	if a.Status != http.StatusOK || a.object(t)["leafHash"] != o["leafHash"] {
		t.Errorf("inclusion: %v", a)
	}
	a = h.get("/v1/proof/consistency?from=1&to=" + index)
	if a.Status != http.StatusOK || a.object(t)["to"] != index || len(a.object(t)["proof"].([]any)) == 0 {
		t.Errorf("consistency: %v", a)
	}
}

func TestHistoryIsTheSavedForm(t *testing.T) {
	h := open(t, nil)
	for n := range 3 {
		if a := h.log(event(n)); a.Status != http.StatusCreated {
			t.Fatal(a)
		}
	}
	h.log(`{"type":"ObjectEvent","eventTime":"2026-03-05T10:00:00Z","eventTimeZoneOffset":"+00:00","epcList":["urn:epc:id:sgtin:950600.0013435.S1"],"action":"OBSERVE","bizStep":"shipping"}`)
	h.indexed()
	a := h.get("/v1/history?id=" + url.QueryEscape("https://shop.example.com/01/09506000134352/21/S1"))
	if a.Status != http.StatusOK {
		t.Fatal(a)
	}
	saved, err := history.Decode(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	if saved.ID != "https://id.gs1.org/01/09506000134352/21/S1" || saved.Kind != "object" || len(saved.Positions) != 2 || len(saved.Entries) != 2 || len(saved.Participants) != 2 {
		t.Errorf("%+v", saved)
	}
	if want := string(saved.Append(nil)); want != string(a.Body) {
		t.Errorf("the answer differs from the saved form:\n%s\n%s", a.Body, want)
	}

	absent := h.get("/v1/history?kind=input&id=" + url.QueryEscape("https://id.gs1.org/01/09506000134352/21/NONE"))
	if absent.Status != http.StatusOK {
		t.Fatal(absent)
	}
	o := absent.object(t)
	if len(o["positions"].([]any)) != 0 || len(o["entries"].([]any)) != 0 || o["logCheckpoint"] == "" {
		t.Errorf("absent: %v", absent)
	}
	if proof := o["mapProof"].(map[string]any); proof["present"] != false || proof["key"] == "" {
		t.Errorf("the absence is not proved: %v", proof)
	}

	// Up to 1,000 entries come whole, more in pages.
	var more bytes.Buffer
	for n := range 997 {
		more.WriteString(event(10+n) + "\n")
	}
	page := func() (positions, entries int) {
		if a := h.do("POST", "/v1/events:batch", h.farm, more.Bytes(), "Content-Type", "application/x-ndjson"); a.Status != http.StatusOK {
			t.Fatal(a)
		}
		h.indexed()
		o := h.get("/v1/history?kind=by&id=farm&offset=1&limit=2").object(t)
		return len(o["positions"].([]any)), len(o["entries"].([]any))
	}
	more.Truncate(bytes.LastIndexByte(more.Bytes()[:more.Len()-1], '\n') + 1)
	if positions, entries := page(); positions != 1000 || entries != 1000 {
		t.Errorf("1,000 entries: %d and %d", positions, entries)
	}
	more.Reset()
	more.WriteString(event(2000) + "\n")
	if positions, entries := page(); positions != 1001 || entries != 2 {
		t.Errorf("1,001 entries: %d and %d", positions, entries)
	}

	journey := h.get("/v1/journey?id=" + url.QueryEscape("https://id.gs1.org/01/09506000134352/21/S1"))
	if journey.Status != http.StatusOK {
		t.Fatal(journey)
	}
	j := journey.object(t)
	if !slices.Equal(names(j), []string{"histories", "notFollowed"}) {
		t.Errorf("members %q", names(j))
	}
	participants := map[any]int{}
	checkpoints := map[any]bool{}
	for _, one := range j["histories"].([]any) {
		m := one.(map[string]any)
		checkpoints[m["logCheckpoint"]] = true
		if m["kind"] == "participant" {
			participants[m["id"]]++
		}
		if _, ok := m["participants"]; ok {
			t.Error("a history of a journey has participants of its own")
		}
	}
	if participants["farm"] != 1 || len(checkpoints) != 1 {
		t.Errorf("participants %v, %d checkpoints", participants, len(checkpoints))
	}
}

func TestBatch(t *testing.T) {
	h := open(t, nil)
	bad := `{"type":"ObjectEvent"}`
	for n, c := range []struct{ contentType, body string }{
		{"application/json", " [ " + event(1) + " , " + bad + ",\n" + event(2) + ", 7 ] \n"},
		{"application/x-ndjson", event(1) + "\n" + bad + "\r\n\n" + event(2) + "\n7"},
		{"application/ndjson", event(1) + "\n" + bad + "\n" + event(2) + "\n7\n"},
		{"application/json", "\n" + event(1) + " \r\n" + bad + "\n" + event(2) + "\n7"},
	} {
		a := h.do("POST", "/v1/events:batch?timeout=9.5s", h.farm, []byte(c.body), "Content-Type", c.contentType)
		if a.Status != http.StatusOK {
			t.Fatal(a)
		}
		results := a.object(t)["results"].([]any)
		if len(results) != 4 {
			t.Fatalf("%d results", len(results))
		}
		for i, want := range []float64{201, 400, 201, 400} {
			r := results[i].(map[string]any)
			if n > 0 && want == 201 {
				want = 200 // the same again
			}
			if r["status"] != want {
				t.Errorf("%s: result %d: %v, want %v", c.contentType, i, r, want)
			}
			if _, failed := r["error"]; failed != (want == 400) {
				t.Errorf("%s: result %d: %v", c.contentType, i, r)
			}
			if _, logged := r["receipt"]; logged != (want != 400) {
				t.Errorf("%s: result %d: %v", c.contentType, i, r)
			}
		}
	}
	if a := h.do("POST", "/v1/events:batch", h.farm, []byte("[]"), "Content-Type", "application/json"); a.Status != 200 || string(a.Body) != `{"results":[]}` {
		t.Errorf("an empty batch: %v", a)
	}
}

func TestValidateLogsNothing(t *testing.T) {
	h := open(t, nil)
	before, _ := h.service.Published()
	for _, c := range []struct {
		contentType, body string
		want              []float64
	}{
		{"application/json", event(1), []float64{200}},
		{"application/ld+json; charset=UTF-8", event(1), []float64{200}},
		{"application/json", "\n [" + event(1) + "," + event(2) + `,{"type":"X"}]`, []float64{200, 200, 400}},
		{"application/x-ndjson", event(1) + "\n{}\n", []float64{200, 400}},
		{"application/json", "not JSON", []float64{400}},
		{"application/vnd.tallyroot.entry", "[not an entry]", []float64{400}},
	} {
		a := h.do("POST", "/v1/events:validate", h.farm, []byte(c.body), "Content-Type", c.contentType)
		if a.Status != http.StatusOK {
			t.Errorf("%s: %v", c.body, a)
			continue
		}
		results := a.object(t)["results"].([]any)
		if len(results) != len(c.want) {
			t.Errorf("%s: %v", c.body, a)
			continue
		}
		for i, want := range c.want {
			r := results[i].(map[string]any)
			if r["status"] != want {
				t.Errorf("%s: %v", c.body, r)
			}
			if _, ok := r["index"]; ok {
				t.Errorf("%s: has an index: %v", c.body, r)
			}
		}
	}
	if after, _ := h.service.Published(); after.Size != before.Size {
		t.Errorf("the log grew from %d to %d", before.Size, after.Size)
	}
}

func TestParticipants(t *testing.T) {
	h := open(t, nil)
	a := h.do("POST", "/v1/participants", h.admin, []byte(`{"name":"Green Valley Farm","grants":["0614141"]}`), "Content-Type", "application/json")
	if a.Status != http.StatusOK {
		t.Fatal(a)
	}
	o := a.object(t)
	p := o["participant"].(map[string]any)
	if p["id"] != "green-valley-farm" || p["state"] != "active" || p["number"] != "1" || o["token"] == "" {
		t.Errorf("%v", a)
	}
	if a := h.do("POST", "/v1/participants", h.admin, []byte(`{"name":"Green Valley Farm"}`), "Content-Type", "application/json"); a.Status != http.StatusConflict {
		t.Errorf("a taken id: %v", a)
	}
	if a := h.do("POST", "/v1/participants", h.admin, []byte(`{"name":"木"}`), "Content-Type", "application/json"); a.Status != http.StatusBadRequest {
		t.Errorf("a name that gives no id: %v", a)
	}
	if a := h.do("POST", "/v1/participants", h.admin, []byte(`{"title":"X"}`), "Content-Type", "application/json"); a.Status != http.StatusBadRequest {
		t.Errorf("an unknown field: %v", a)
	}

	token := o["token"].(string)
	log := func(token string) int {
		return h.do("POST", "/v1/events", token, []byte(event(3)), "Content-Type", "application/json").Status
	}
	if code := log(token); code != http.StatusCreated {
		t.Errorf("the first token: %d", code)
	}
	a = h.do("POST", "/v1/participants/green-valley-farm/tokens", h.admin, []byte(`{"expires":"2099-01-01T00:00:00Z"}`), "Content-Type", "application/json")
	if a.Status != http.StatusOK || a.object(t)["number"] != "2" || a.object(t)["expires"] != "2099-01-01T00:00:00Z" {
		t.Fatal(a)
	}
	second := a.object(t)["token"].(string)
	if a = h.do("POST", "/v1/participants/green-valley-farm/tokens/1:revoke", h.admin, nil); a.Status != http.StatusOK || a.object(t)["revoked"] == nil {
		t.Fatal(a)
	}
	if code := log(token); code != http.StatusUnauthorized {
		t.Errorf("the revoked token: %d", code)
	}
	if code := log(second); code != http.StatusOK {
		t.Errorf("the second token: %d", code)
	}
	if a = h.do("POST", "/v1/participants/green-valley-farm:disable", h.admin, []byte("{}"), "Content-Type", "application/json"); a.Status != http.StatusOK || a.object(t)["state"] != "disabled" {
		t.Fatal(a)
	}
	if code := log(second); code != http.StatusForbidden && code != http.StatusUnauthorized {
		t.Errorf("after disabling: %d", code)
	}
	list := h.do("GET", "/v1/participants", h.admin, nil)
	if list.Status != http.StatusOK || len(list.object(t)["participants"].([]any)) != 3 {
		t.Errorf("%v", list)
	}
	for _, token := range []string{h.farm, ""} {
		want := http.StatusForbidden
		if token == "" {
			want = http.StatusUnauthorized
		}
		for _, c := range []struct{ method, path string }{
			{"GET", "/v1/participants"}, {"POST", "/v1/participants"}, {"POST", "/v1/participants/farm:disable"},
			{"POST", "/v1/participants/farm/tokens"}, {"POST", "/v1/participants/farm/tokens/1:revoke"},
		} {
			if a := h.do(c.method, c.path, token, nil); a.Status != want {
				t.Errorf("%s %s: %v, want %d", c.method, c.path, a, want)
			}
		}
	}
	for _, path := range []string{"/v1/participants/nobody:disable", "/v1/participants/nobody/tokens", "/v1/participants/farm/tokens/9:revoke"} {
		if a := h.do("POST", path, h.admin, nil); a.Status != http.StatusNotFound {
			t.Errorf("%s: %v", path, a)
		}
	}
}
