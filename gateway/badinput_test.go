package gateway_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/gateway"
	"github.com/tallyroot/tallyroot/provenance"
	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/jcs"
	"github.com/tallyroot/tallyroot/provenance/participant"
)

const contentEntry = "application/vnd.tallyroot.entry"

// own adds a participant that holds its own key.
func (h *host) own(id string) (*entry.Key, string) {
	h.t.Helper()
	key, err := entry.NewKey(rand.Reader, entry.KeyName(origin, "own", id))
	if err != nil {
		h.t.Fatal(err)
	}
	s := participant.Statement{ID: id, Number: 1, Name: "The " + id, Grants: []string{"0950600"}, State: participant.Active, OwnKeys: []string{key.Verifier().String()}}
	s.Prove(origin, key)
	_, token, err := h.service.AddParticipant(context.Background(), provenance.Caller{Admin: true}, provenance.NewParticipant{
		ID: id, Name: s.Name, Grants: s.Grants, OwnKeys: s.OwnKeys, Proofs: s.Proofs,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return key, token.Secret
}

func signed(t *testing.T, origin, event string, participants []string, keys ...*entry.Key) []byte {
	t.Helper()
	v, err := jcs.Parse([]byte(event))
	if err != nil {
		t.Fatal(err)
	}
	b, err := entry.Sign(origin, participants, v.AppendCanonical(nil), keys...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// forged is an entry in the participant's name with a signature by the key,
// whatever name that has.
func forged(t *testing.T, origin, event, participant string, key *entry.Key) []byte {
	t.Helper()
	v, err := jcs.Parse([]byte(event))
	if err != nil {
		t.Fatal(err)
	}
	text, err := entry.Text(origin, []string{participant}, v.AppendCanonical(nil))
	if err != nil {
		t.Fatal(err)
	}
	e := entry.Entry{Text: text, Signatures: []entry.Signature{key.Sign(text)}}
	return e.Append(nil)
}

// with gives event(1) with a member put before its end.
func with(member string) string { return strings.TrimSuffix(event(1), "}") + "," + member + "}" }

// withEntrySize pads an event until its entry has just that many bytes.
func (h *host) withEntrySize(size int) string {
	h.t.Helper()
	event := func(n int) string { return with(`"ex:pad":"` + strings.Repeat("x", n) + `"`) }
	o := h.log(event(1)).object(h.t)
	e := h.get("/v1/event?index=" + o["index"].(string)).object(h.t)
	b, err := base64.StdEncoding.DecodeString(e["entry"].(string))
	if err != nil {
		h.t.Fatal(err)
	}
	return event(1 + size - len(b))
}

// refusal is what the answer says in words and in details, as one text.
func (a answer) refusal() string {
	var v struct {
		Message string
		Details []struct {
			FieldViolations []struct{ Field, Description string }
			Metadata        map[string]string
		}
	}
	if json.Unmarshal(a.Body, &v) != nil {
		return ""
	}
	return fmt.Sprint(v)
}

func TestBadInput(t *testing.T) {
	clock := time.Now
	h := open(t, nil, func(c *provenance.Config) { c.Now = func() time.Time { return clock() } })
	ownKey, ownToken := h.own("orchard")
	otherKey, _ := h.own("dairy")
	impostor, err := entry.NewKey(rand.Reader, ownKey.Name())
	if err != nil {
		t.Fatal(err)
	}

	admin := provenance.Caller{Admin: true}
	revoked, err := h.service.AddToken(t.Context(), admin, "farm", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.service.RevokeToken(admin, "farm", revoked.Number); err != nil {
		t.Fatal(err)
	}
	expired, err := h.service.AddToken(t.Context(), admin, "farm", time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	expiredNow := func() func() { // for one request
		clock = func() time.Time { return time.Now().Add(2 * time.Hour) }
		return func() { clock = time.Now }
	}

	if a := h.log(with(`"eventID":"urn:uuid:00000000-0000-4000-8000-000000000001"`)); a.Status != http.StatusCreated {
		t.Fatal(a)
	}
	identified := func(event string) string {
		return strings.TrimSuffix(event, "}") + `,"eventID":"urn:uuid:00000000-0000-4000-8000-00000000000` + fmt.Sprint(len(event)%10) + `"}`
	}
	keys2049 := func(n int) string {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf(`"urn:x:%d"`, i))
		}
		return strings.Replace(event(1), `"https://id.gs1.org/01/09506000134352/21/S1"`, strings.Join(list, ","), 1)
	}
	const jsonType = "application/json"
	product := func(id string) string {
		return `{"type":"tallyroot:Product","identifier":"` + id + `","name":"Apples"}`
	}

	for _, c := range []struct {
		name        string
		token       string // "": the farm's; "-": none
		path        string // "": /v1/events
		contentType string // "": JSON
		body        string
		want        int
		says        []string // all of it in the refusal
		around      func() func()
	}{
		{name: "not JSON", body: "hello", want: 400, says: []string{"byte 0", "JSON object"}},
		{name: "nothing", body: "", want: 400, says: []string{"JSON"}},
		{name: "cut off", body: event(1)[:40], want: 400, says: []string{"byte 40"}},
		{name: "two values", body: event(1) + event(2), want: 400, says: []string{"byte"}},
		{name: "a JSON array", body: "[1]", want: 400, says: []string{"array"}},
		{name: "no event", body: `{"hello":"world"}`, want: 400, says: []string{"type", "is missing", "ObjectEvent"}},
		{name: "a whole document", body: `{"type":"EPCISDocument"}`, want: 400, says: []string{"/v1/events:batch"}},
		{name: "several mistakes", body: `{"type":"ObjectEvent","eventTime":"yesterday","action":"LOOK","epcList":["nonsense"]}`, want: 400, says: []string{"eventTime", "eventTimeZoneOffset", "action", "epcList[0]"}},
		{name: "wrong check digit", body: strings.Replace(event(1), "09506000134352", "09506000134353", 1), want: 400, says: []string{"epcList[0]", "check digit"}},
		{name: "time without offset", body: strings.Replace(event(1), "T10:00:00Z", "T10:00:00", 1), want: 400, says: []string{"eventTime", "offset"}},
		{name: "duplicate member", body: with(`"action":"OBSERVE"`), want: 400, says: []string{"action"}},
		{name: "invalid UTF-8", body: with("\"ex:a\":\"\xff\""), want: 400, says: []string{"UTF-8"}},
		{name: "lone surrogate", body: with(`"ex:a":"\ud800"`), want: 400, says: []string{"surrogate"}},
		{name: "depth 10,000", body: with(`"ex:a":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)), want: 400, says: []string{"64"}},
		{name: "a number that would change", body: with(`"ex:a":9007199254740993`), want: 400, says: []string{"ex:a"}},
		{name: "2,049 keys", body: keys2049(2048), want: 400, says: []string{"2049", "2048"}},

		{name: "no token", token: "-", body: event(1), want: 401, says: []string{"Authorization: Bearer"}},
		{name: "wrong token", token: h.farm + "x", body: event(1), want: 401, says: []string{"token"}},
		{name: "no token of ours", token: "sesame", body: event(1), want: 401, says: []string{"token"}},
		{name: "revoked token", token: revoked.Secret, body: event(1), want: 401, says: []string{"revoked"}},
		{name: "expired token", token: expired.Secret, body: event(1), want: 401, says: []string{"expired"}, around: expiredNow},
		{name: "operator's token", token: h.admin, body: event(1), want: 403, says: []string{"participant"}},

		{name: "content type", contentType: "text/plain", body: event(1), want: 415, says: []string{"text/plain", "application/json"}},
		{name: "curl's default type", contentType: "application/x-www-form-urlencoded", body: event(1), want: 415, says: []string{"application/json"}},
		{name: "charset", contentType: "application/json; charset=latin1", body: event(1), want: 415, says: []string{"UTF-8"}},
		{name: "NDJSON for one", contentType: "application/x-ndjson", body: event(1), want: 415, says: []string{"application/json"}},
		{name: "an entry in a batch", path: "/v1/events:batch", contentType: contentEntry, body: "x", want: 415, says: []string{"application/x-ndjson"}},

		{name: "body of 1 MiB + 1", body: event(1) + strings.Repeat(" ", 1<<20+1-len(event(1))), want: 413, says: []string{"1048576", "1048577"}},
		{name: "entry of 65,536 bytes", body: h.withEntrySize(65536), want: 413, says: []string{"65535", "65536"}},
		{name: "10,001 events", path: "/v1/events:batch", body: "[" + strings.Repeat("{},", 10_000) + "{}]", want: 413, says: []string{"10000", "10001"}},
		{name: "10,001 lines", path: "/v1/events:batch", contentType: "application/x-ndjson", body: strings.Repeat("{}\n", 10_001), want: 413, says: []string{"10000", "10001"}},
		{name: "a batch that is no array", path: "/v1/events:batch", body: event(1), want: 400, says: []string{"array"}},
		{name: "a broken array", path: "/v1/events:batch", body: "[" + event(1) + "}]", want: 400, says: []string{"byte"}},
		{name: "an endless array", path: "/v1/events:batch", body: "[" + event(1) + ",", want: 400, says: []string{"byte"}},

		{name: "another text, same identity", body: strings.Replace(with(`"eventID":"urn:uuid:00000000-0000-4000-8000-000000000001"`), "OBSERVE", "ADD", 1), want: 409, says: []string{"index", "error declaration"}},
		{name: "somebody else's product", token: h.shop, body: product("https://id.gs1.org/01/09506000134352"), want: 403, says: []string{"grant"}},

		{name: "no entry", token: ownToken, contentType: contentEntry, body: "hello", want: 400, says: []string{"entry"}},
		{name: "signed by another participant's key", token: ownToken, contentType: contentEntry,
			body: string(forged(t, origin, identified(event(2)), "orchard", otherKey)), want: 400, says: []string{"key"}},
		{name: "signed by an unknown key of that name", token: ownToken, contentType: contentEntry,
			body: string(signed(t, origin, identified(event(2)), []string{"orchard"}, impostor)), want: 403, says: []string{"key"}},
		{name: "over another origin", token: ownToken, contentType: contentEntry,
			body: string(forged(t, "other.example.org", identified(event(2)), "orchard", ownKey)), want: 400, says: []string{"other.example.org", origin}},
		{name: "in another's name", token: h.farm, contentType: contentEntry,
			body: string(signed(t, origin, identified(event(2)), []string{"orchard"}, ownKey)), want: 403, says: []string{"orchard", "farm"}},
		{name: "signed without eventID", token: ownToken, contentType: contentEntry,
			body: string(signed(t, origin, event(2), []string{"orchard"}, ownKey)), want: 400, says: []string{"eventID"}},

		{name: "timeout too long", path: "/v1/events?timeout=61s", body: event(1), want: 400, says: []string{"timeout"}},
		{name: "timeout in another spelling", path: "/v1/events?timeout=soon", body: event(1), want: 400, says: []string{"timeout"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, _ := h.service.Published()
			if c.around != nil {
				defer c.around()()
			}
			token, path, contentType := c.token, c.path, c.contentType
			switch token {
			case "":
				token = h.farm
			case "-":
				token = ""
			}
			if path == "" {
				path = "/v1/events"
			}
			if contentType == "" {
				contentType = jsonType
			}
			a := h.do("POST", path, token, []byte(c.body), "Content-Type", contentType)
			if a.Status != c.want {
				t.Fatalf("%d, want %d: %.600s", a.Status, c.want, a.Body)
			}
			says := a.refusal()
			for _, want := range c.says {
				if !strings.Contains(says, want) {
					t.Errorf("does not say %q: %.600s", want, a.Body)
				}
			}
			if c.want == 401 && a.Header.Get("WWW-Authenticate") == "" {
				t.Error("401 without WWW-Authenticate")
			}
			if after, _ := h.service.Published(); after.Size != before.Size {
				t.Errorf("the log grew from %d to %d", before.Size, after.Size)
			}
		})
	}

	// The edges on the good side.
	for name, body := range map[string]string{
		"an entry of 65,535 bytes":   h.withEntrySize(65535),
		"a body of 1 MiB":            event(5) + strings.Repeat(" ", 1<<20-len(event(5))),
		"2,048 keys":                 keys2049(2047),
		"its own signature":          "",
		"depth 64":                   strings.Replace(event(6), `"action"`, `"ex:a":`+strings.Repeat("[", 63)+strings.Repeat("]", 63)+`,"action"`, 1),
		"a product of its own":       product("https://id.gs1.org/01/09506000134352"),
		"an event in the far future": strings.Replace(event(7), "2026-03-08", time.Now().Add(48*time.Hour).Format("2006-01-02"), 1),
	} {
		var a answer
		if name == "its own signature" {
			a = h.do("POST", "/v1/events", ownToken, signed(t, origin, identified(event(2)), []string{"orchard"}, ownKey), "Content-Type", contentEntry)
		} else {
			a = h.log(body)
		}
		if a.Status != http.StatusCreated {
			t.Errorf("%s: %.500s", name, a)
			continue
		}
		if warnings := a.object(t)["warnings"].([]any); strings.Contains(name, "future") && (len(warnings) == 0 || !strings.Contains(fmt.Sprint(warnings), "eventTime")) {
			t.Errorf("%s: no warning: %.300s", name, a)
		}
	}
	a := h.do("POST", "/v1/events:batch", h.farm, []byte("["+strings.Repeat("{},", 9_999)+"{}]"), "Content-Type", jsonType)
	if a.Status != http.StatusOK || len(a.object(t)["results"].([]any)) != 10_000 {
		t.Errorf("10,000 events: %.300s", a)
	}
}

// A key of small order would let anybody sign for its holder.
func TestSmallOrderKeyIsRefused(t *testing.T) {
	h := open(t, nil)
	name := entry.KeyName(origin, "own", "mallory")
	public := append([]byte{1, 1}, make([]byte, 31)...) // the type, and the neutral element
	id := sha256.Sum256(append([]byte(name+"\n"), public...))
	vkey := fmt.Sprintf("%s+%x+%s", name, id[:4], base64.StdEncoding.EncodeToString(public))
	body, _ := json.Marshal(map[string]any{"name": "Mallory", "ownKeys": []string{vkey}})
	a := h.do("POST", "/v1/participants", h.admin, body, "Content-Type", "application/json")
	if a.Status != http.StatusBadRequest || !strings.Contains(a.refusal(), "ownKeys") {
		t.Errorf("%v", a)
	}
}

// What was taken before the disk was full stays, what comes then is refused with
// 503 and logged when it is sent again with room.
func TestFullDisk(t *testing.T) {
	h := open(t, nil)
	if a := h.log(event(1)); a.Status != http.StatusCreated {
		t.Fatal(a)
	}
	h.reopen(func(c *provenance.Config) { c.MinFree = 1 << 62 })
	for _, path := range []string{"/v1/events", "/v1/events:batch"} {
		body := event(2)
		if path == "/v1/events:batch" {
			body = "[" + body + "]"
		}
		a := h.do("POST", path, h.farm, []byte(body), "Content-Type", "application/json")
		status := float64(a.Status)
		if path == "/v1/events:batch" {
			status = a.object(t)["results"].([]any)[0].(map[string]any)["status"].(float64)
		} else if a.Header.Get("Retry-After") == "" {
			t.Errorf("503 without Retry-After: %v", a)
		}
		if status != http.StatusServiceUnavailable {
			t.Errorf("%s: %v", path, a)
		}
	}
	if a := h.get("/readyz"); a.Status != http.StatusServiceUnavailable || !strings.HasPrefix(string(a.Body), "writes: refused: no room") || !strings.Contains(string(a.Body), "\nreads: ok, ") {
		t.Errorf("readyz: %v", a)
	}
	if a := h.get("/readyz?of=reads"); a.Status != http.StatusOK {
		t.Errorf("readyz of reads: %v", a)
	}
	if a := h.get("/v1/event?index=3"); a.Status != http.StatusOK {
		t.Errorf("what was logged before: %v", a)
	}
	h.reopen(nil)
	if a := h.log(event(2)); a.Status != http.StatusCreated || a.object(t)["index"] != "4" {
		t.Errorf("with room again: %v", a)
	}
}

func TestBodyLimitWithoutLength(t *testing.T) {
	h := open(t, func(o *gateway.Options) { o.Limits.EventBytes = 1000 })
	for size, want := range map[int]int{1000: http.StatusCreated, 1001: http.StatusRequestEntityTooLarge} {
		body := event(1) + strings.Repeat(" ", size-len(event(1)))
		req, err := http.NewRequest("POST", h.URL+"/v1/events", struct{ *strings.Reader }{strings.NewReader(body)})
		if err != nil {
			t.Fatal(err)
		}
		req.ContentLength = -1 // chunked
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "bearer "+h.farm)
		if a := h.send(req); a.Status != want {
			t.Errorf("%d bytes: %v", size, a)
		} else if want == 413 && !strings.Contains(a.refusal(), "1000") {
			t.Errorf("the limit is not named: %v", a)
		}
	}
}
