package provenance_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/provenance"
	"github.com/tallyroot/tallyroot/provenance/credentials"
	secrets "github.com/tallyroot/tallyroot/provenance/credentials/embedded"
	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/participant"
	"github.com/tallyroot/tallyroot/provenance/verify"
	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/embedded"
)

const origin = "test.example/log"

func open(t *testing.T, dir string) *provenance.Service {
	t.Helper()
	s, err := provenance.Open(t.Context(), config(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func config(t *testing.T, dir string) provenance.Config {
	logger := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	return provenance.Config{
		Dir: dir, Origin: origin, MinFree: 1, IndexEvery: time.Millisecond,
		Backend: func(ctx context.Context, dir string) (trillianlog.Backend, error) {
			return embedded.Open(ctx, dir, embedded.Options{})
		},
		Credentials: func(dir string) (credentials.Store, error) { return secrets.Open(dir, logger) },
		Logger:      logger,
	}
}

var admin = provenance.Caller{Admin: true}

// indexed waits until histories have all that is published.
func indexed(t *testing.T, s *provenance.Service) {
	t.Helper()
	published, _ := s.Published()
	eventually(t, "the index covers the log", func() bool {
		st := s.IndexStatus()
		return st.Readable == nil && st.Covered >= published.Size
	})
}

// add makes a participant and gives it as a caller.
func add(t *testing.T, s *provenance.Service, name string, grants ...string) provenance.Caller {
	t.Helper()
	info, token, err := s.AddParticipant(t.Context(), admin, provenance.NewParticipant{Name: name, Grants: grants})
	if err != nil {
		t.Fatal(err)
	}
	caller, err := s.Authenticate(token.Secret)
	if err != nil || caller.Participant != info.ID {
		t.Fatalf("the new token of %s gives %+v, %v", info.ID, caller, err)
	}
	return caller
}

func event(serial int, more string) provenance.Submission {
	return provenance.Submission{Body: fmt.Appendf(nil, `{"@context":["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],"type":"ObjectEvent","eventTime":"2026-04-02T09:15:00.000+02:00","eventTimeZoneOffset":"+02:00","epcList":["https://id.gs1.org/01/09506000134352/21/%d"],"action":"OBSERVE","bizStep":"shipping"%s}`, serial, more)}
}

func mustLog(t *testing.T, s *provenance.Service, by provenance.Caller, sub provenance.Submission) provenance.Logged {
	t.Helper()
	logged, err := s.Log(t.Context(), by, sub)
	if err != nil {
		t.Fatalf("%s\n%v", sub.Body, err)
	}
	return logged
}

func TestLogAndReadBack(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	farm := add(t, s, "Green Valley Farm")
	logged := mustLog(t, s, farm, event(1, ""))
	if logged.Existed || logged.Pending || !strings.HasPrefix(logged.EventID, "ni:///sha-256;") || logged.Index != 2 {
		t.Errorf("logged %+v", logged)
	}
	again := mustLog(t, s, farm, event(1, ""))
	if !again.Existed || again.Index != logged.Index || again.EventID != logged.EventID {
		t.Errorf("the same text again: %+v", again)
	}
	var conflict *provenance.Conflict
	if _, err := s.Log(t.Context(), farm, event(1, `,"recordTime":"2026-04-03T00:00:00Z"`)); !errors.As(err, &conflict) || conflict.Index != logged.Index || !conflict.Hashed {
		t.Errorf("another text with the same event hash: %v", err)
	}

	found, err := s.Event(t.Context(), logged.EventID, "")
	if err != nil || found.Index != logged.Index || found.Participant != "green-valley-farm" {
		t.Fatalf("found %+v, %v", found, err)
	}
	key, err := os.ReadFile(filepath.Join(dir, "log.vkey"))
	if err != nil {
		t.Fatal(err)
	}
	trust, err := verify.LogKey(strings.TrimSpace(string(key)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verify.Receipt(found.Entry, logged.Receipt, trust); err != nil {
		t.Errorf("the receipt does not verify: %v", err)
	}
	indexed(t, s)
	h, err := s.History(t.Context(), historyindex.Object, "urn:epc:id:sgtin:9506000.013435.1", 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Positions) != 1 || h.Positions[0] != logged.Index || len(h.Participants) != 2 {
		t.Errorf("history %+v", h)
	}
	if _, err := verify.History(h.Append(nil), historyindex.Key{Kind: historyindex.Object, Identifier: "urn:epc:id:sgtin:9506000.013435.1"}, trust); err != nil {
		t.Errorf("the history does not verify: %v", err)
	}

	// All of it is there after a restart, and the log goes on.
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	if again := mustLog(t, s, farm, event(1, "")); !again.Existed || again.Index != logged.Index {
		t.Errorf("after a restart: %+v", again)
	}
	if next := mustLog(t, s, farm, event(2, "")); next.Index != logged.Index+1 {
		t.Errorf("after a restart the next is %+v", next)
	}

	given := `,"eventID":"urn:uuid:5c2b4e90-1234-4abc-9876-1f2c3d4e5f63"`
	mustLog(t, s, farm, event(3, given))
	if _, err := s.Log(t.Context(), farm, event(4, given)); !errors.As(err, &conflict) || conflict.Hashed {
		t.Errorf("another event with the same eventID: %v", err)
	}
}

func TestProjectionsCanBeDeleted(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	farm := add(t, s, "Farm")
	var last provenance.Logged
	for i := range 20 {
		last = mustLog(t, s, farm, event(i, ""))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "projections")); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	if found, err := s.Event(t.Context(), last.EventID, "farm"); err != nil || found.Index != last.Index {
		t.Errorf("found %+v, %v", found, err)
	}
	if events, err := s.Recent(t.Context(), "farm", 5); err != nil || len(events) != 5 || events[0].Index != last.Index {
		t.Errorf("recent: %+v, %v", events, err)
	}
}

func TestRefused(t *testing.T) {
	s := open(t, t.TempDir())
	farm := add(t, s, "Farm", "0950600")
	for _, c := range []struct{ body, want string }{
		{`not JSON`, "byte 0"},
		{`[]`, "not an object"},
		{`{"a":1}`, "type"},
		{`{"type":"EPCISDocument"}`, "batch"},
		{`{"type":"ObjectEvent","type":"ObjectEvent"}`, "twice"},
		{`{"type":"tallyroot:Genesis"}`, "type"},
		{`{"type":"tallyroot:Participant","id":"farm"}`, "type"},
		{strings.Replace(string(event(1, "").Body), "09506000134352", "09506000134353", 1), "epcList[0]"},
		{strings.Replace(string(event(1, "").Body), "09:15:00.000+02:00", "09:15:00.000", 1), "eventTime"},
		{`{"type":"tallyroot:Product","identifier":"https://id.gs1.org/01/09506000134352"}`, "name"},
		{`{"type":"tallyroot:Product","identifier":"nothing","name":"x"}`, "identifier"},
	} {
		_, err := s.Log(t.Context(), farm, provenance.Submission{Body: []byte(c.body)})
		var refused *provenance.Refused
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.80s: got %v, want a refusal that says %q", c.body, err, c.want)
		}
		if _, err := s.Validate(t.Context(), farm, provenance.Submission{Body: []byte(c.body)}); err == nil {
			t.Errorf("%.80s: Validate takes what Log refuses", c.body)
		}
	}
	_, err := s.Log(t.Context(), farm, provenance.Submission{Body: []byte(`{"type":"tallyroot:Product","identifier":"https://id.gs1.org/01/04012345123456","name":"somebody else's"}`)})
	if !errors.Is(err, provenance.ErrForbidden) {
		t.Errorf("a statement about somebody else's product: %v", err)
	}
	if _, err := s.Log(t.Context(), provenance.Caller{}, event(1, "")); !errors.Is(err, provenance.ErrUnauthenticated) {
		t.Errorf("no token: %v", err)
	}
	if _, err := s.Log(t.Context(), admin, event(1, "")); !errors.Is(err, provenance.ErrForbidden) {
		t.Errorf("the operator's token: %v", err)
	}
	if checkpoint, _ := s.Published(); checkpoint.Size != 2 {
		t.Errorf("something refused was logged: %d entries", checkpoint.Size)
	}
}

// TestLimits holds the limits of an entry at their edges.
func TestLimits(t *testing.T) {
	s := open(t, t.TempDir())
	farm := add(t, s, "Farm")
	keys := func(n int) provenance.Submission {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf(`"urn:x:%d"`, i)
		}
		return provenance.Submission{Body: fmt.Appendf(nil, `{"type":"ObjectEvent","eventTime":"2026-04-02T09:15:00Z","eventTimeZoneOffset":"+00:00","epcList":[%s],"action":"OBSERVE"}`, strings.Join(list, ","))}
	}
	// One key is the participant's.
	mustLog(t, s, farm, keys(historyindex.MaxKeys-1))
	if _, err := s.Log(t.Context(), farm, keys(historyindex.MaxKeys)); err == nil || !strings.Contains(err.Error(), "2049 identifiers; the limit is 2048") {
		t.Errorf("2,049 keys: %v", err)
	}
	note := func(n int) provenance.Submission { return event(7, `,"example:note":"`+strings.Repeat("x", n)+`"`) }
	first := mustLog(t, s, farm, event(6, `,"example:note":""`))
	e, err := s.EventAt(t.Context(), first.Index)
	if err != nil {
		t.Fatal(err)
	}
	room := entry.MaxSize - len(e.Entry)
	mustLog(t, s, farm, note(room))
	var large *provenance.TooLarge
	if _, err := s.Log(t.Context(), farm, note(room+1)); !errors.As(err, &large) || large.Size != entry.MaxSize+1 || large.Limit != entry.MaxSize {
		t.Errorf("one byte too many: %v", err)
	}
	// What is small when it is sent, and very large in memory, is not read.
	many := event(8, `,"example:list":[`+strings.Repeat("0,", entry.MaxSize)+`0]`)
	if _, err := s.Log(t.Context(), farm, many); !errors.As(err, &large) || large.Unit == "bytes" {
		t.Errorf("many values: %v", err)
	}
}

func TestBatch(t *testing.T) {
	s := open(t, t.TempDir())
	farm := add(t, s, "Farm", "0950600")
	subs := []provenance.Submission{
		event(1, ""), event(2, ""), {Body: []byte(`{}`)}, event(1, ""), event(3, ""),
		{Body: []byte(`{"type":"tallyroot:Product","identifier":"https://id.gs1.org/01/09506000134352","name":"Pears"}`)},
	}
	results := s.LogBatch(t.Context(), farm, subs)
	for i, want := range []struct {
		index   uint64
		existed bool
	}{{2, false}, {3, false}, {}, {2, true}, {4, false}, {5, false}} {
		if i == 2 {
			if results[i].Err == nil {
				t.Error("the empty object was taken")
			}
			continue
		}
		if r := results[i]; r.Err != nil || r.Index != want.index || r.Existed != want.existed || len(r.Receipt) == 0 {
			t.Errorf("%d: %+v, want %+v", i, r, want)
		}
	}
	product, err := s.Product(t.Context(), "https://id.gs1.org/01/09506000134352/10/L/21/5")
	if err != nil || product == nil || product.Statement.Name != "Pears" {
		t.Errorf("the item's product: %+v, %v", product, err)
	}
}

func TestStatementsAreNumbered(t *testing.T) {
	s := open(t, t.TempDir())
	farm := add(t, s, "Farm", "0950600")
	say := func(name string) provenance.Logged {
		return mustLog(t, s, farm, provenance.Submission{Body: []byte(`{"type":"tallyroot:Product","identifier":"https://example.com/01/09506000134352","name":"` + name + `"}`)})
	}
	first, second := say("Pears"), say("Better pears")
	if first.Index == second.Index || second.Existed {
		t.Errorf("%+v, then %+v", first, second)
	}
	if again := say("Better pears"); !again.Existed || again.Index != second.Index {
		t.Errorf("the same again: %+v", again)
	}
	if back := say("Pears"); back.Existed {
		t.Errorf("back to the first name: %+v", back)
	}
	product, err := s.Product(t.Context(), "https://id.gs1.org/01/09506000134352")
	if err != nil || product.Statement.Name != "Pears" || product.Statement.Number != 3 {
		t.Errorf("%+v, %v", product, err)
	}
}

func TestErrorDeclaration(t *testing.T) {
	s := open(t, t.TempDir())
	farm, other := add(t, s, "Farm"), add(t, s, "Other")
	const declared = `,"errorDeclaration":{"declarationTime":"2026-04-05T00:00:00Z","reason":"did_not_occur"}`
	id := mustLog(t, s, farm, event(1, "")).EventID
	if _, err := s.Log(t.Context(), farm, event(1, `,"eventID":"`+id+`","disposition":"in_transit"`+declared)); err == nil || !strings.Contains(err.Error(), "errorDeclaration") {
		t.Errorf("a declaration for another event: %v", err)
	}
	// Somebody else's declaration is taken, and withdraws nothing.
	mustLog(t, s, other, event(1, `,"eventID":"`+id+`"`+declared))
	indexed(t, s)
	journey, err := s.Journey(t.Context(), "https://id.gs1.org/01/09506000134352/21/1")
	if err != nil || journey.Steps[0].Withdrawn != nil {
		t.Errorf("withdrawn by somebody else: %v", err)
	}
	mustLog(t, s, farm, event(1, `,"eventID":"`+id+`"`+declared))
	indexed(t, s)
	if journey, err = s.Journey(t.Context(), "https://id.gs1.org/01/09506000134352/21/1"); err != nil {
		t.Fatal(err)
	}
	if len(journey.Steps) != 3 || journey.Steps[0].Withdrawn == nil || journey.Steps[0].HasEffect() {
		t.Errorf("not withdrawn: %+v", journey.Steps)
	}
}

func TestParticipants(t *testing.T) {
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	c := config(t, t.TempDir())
	c.Now = func() time.Time { return now }
	s, err := provenance.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	farm := add(t, s, "Żółta Farma")
	if farm.Participant != "zolta-farma" {
		t.Errorf("the slug is %q", farm.Participant)
	}
	if _, _, err := s.AddParticipant(t.Context(), admin, provenance.NewParticipant{Name: "Zolta farma"}); !errors.Is(err, provenance.ErrExists) || !strings.Contains(err.Error(), "--id") {
		t.Errorf("a taken id: %v", err)
	}
	if _, _, err := s.AddParticipant(t.Context(), admin, provenance.NewParticipant{Name: "農場"}); err == nil || !strings.Contains(err.Error(), "--id") {
		t.Errorf("a name without a slug: %v", err)
	}
	if _, _, err := s.AddParticipant(t.Context(), farm, provenance.NewParticipant{Name: "x"}); !errors.Is(err, provenance.ErrForbidden) {
		t.Errorf("added by a participant: %v", err)
	}

	token, err := s.AddToken(t.Context(), admin, farm.Participant, now.Add(time.Hour))
	if err != nil || token.Number != 2 {
		t.Fatalf("%+v, %v", token, err)
	}
	now = now.Add(time.Hour)
	if _, err := s.Authenticate(token.Secret); !errors.Is(err, provenance.ErrUnauthenticated) || !strings.Contains(err.Error(), "expired") {
		t.Errorf("an expired token: %v", err)
	}
	fresh, err := s.AddToken(t.Context(), admin, farm.Participant, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.RevokeToken(admin, farm.Participant, fresh.Number); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Authenticate(fresh.Secret); !errors.Is(err, provenance.ErrUnauthenticated) || !strings.Contains(err.Error(), "revoked") {
		t.Errorf("a revoked token: %v", err)
	}
	wrong := fresh.Secret[:len(fresh.Secret)-4] + "AAAA"
	for _, bad := range []string{wrong, "x", "tallyroot_nobody_1_" + strings.Repeat("A", 43), strings.Repeat("x", 10000)} {
		if _, err := s.Authenticate(bad); !errors.Is(err, provenance.ErrUnauthenticated) || strings.Contains(err.Error(), "revoked") {
			t.Errorf("%.40s: %v", bad, err)
		}
	}

	mustLog(t, s, farm, event(1, ""))
	if info, err := s.DisableParticipant(t.Context(), admin, farm.Participant); err != nil || info.Active {
		t.Errorf("%+v, %v", info, err)
	}
	if _, err := s.Log(t.Context(), farm, event(2, "")); !errors.Is(err, provenance.ErrForbidden) {
		t.Errorf("a disabled participant logs: %v", err)
	}
}

func TestOneProcessAtATime(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	if _, err := provenance.Open(t.Context(), config(t, dir)); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("a second service on one directory: %v", err)
	}
}

func TestWrongOriginAndLostKey(t *testing.T) {
	dir := t.TempDir()
	if err := open(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	c := config(t, dir)
	c.Origin = "other.example/log"
	if _, err := provenance.Open(t.Context(), c); err == nil || !strings.Contains(err.Error(), origin) {
		t.Errorf("under another name: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "log.key")); err != nil {
		t.Fatal(err)
	}
	if _, err := provenance.Open(t.Context(), config(t, dir)); err == nil || !strings.Contains(err.Error(), "log.key is missing") {
		t.Errorf("without its key: %v", err)
	}
}

func TestSecretsAreForTheOwnerAlone(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	for _, name := range []string{"log.key", "index.key", "operator.key", "admin.token"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	for _, name := range []string{"log.vkey", "index.vkey", "operator.vkey"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || bytes.Count(text, []byte("\n")) != 1 {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}

// A lost folder of keys and tokens costs the participants new tokens, and nothing
// of what they logged.
func TestLostTokensAndKeys(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	farm := add(t, s, "Farm")
	before := mustLog(t, s, farm, event(1, ""))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "private")); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	if _, err := s.Log(t.Context(), farm, event(2, "")); !errors.Is(err, provenance.ErrForbidden) {
		t.Errorf("logged without a key: %v", err)
	}
	token, err := s.AddToken(t.Context(), admin, farm.Participant, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.Authenticate(token.Secret)
	if err != nil || again != farm {
		t.Fatalf("%+v, %v", again, err)
	}
	mustLog(t, s, again, event(2, ""))
	// The same text under another key is still the same event.
	if same := mustLog(t, s, again, event(1, "")); !same.Existed || same.Index != before.Index {
		t.Errorf("logged again: %+v", same)
	}
}

// A signed statement that would stand in the log without effect is refused.
func TestSignedStatementsAreNumberedToo(t *testing.T) {
	s := open(t, t.TempDir())
	key, err := entry.NewKey(rand.Reader, entry.KeyName(origin, entry.RoleOwn, "farm"))
	if err != nil {
		t.Fatal(err)
	}
	st := participant.Statement{ID: "farm", Number: 1, Name: "Farm", Grants: []string{"0950600"}, OwnKeys: []string{key.Verifier().String()}, State: participant.Active}
	st.Prove(origin, key)
	if _, _, err := s.AddParticipant(t.Context(), admin, provenance.NewParticipant{ID: "farm", Name: "Farm", Grants: st.Grants, OwnKeys: st.OwnKeys, Proofs: st.Proofs}); err != nil {
		t.Fatal(err)
	}
	farm := provenance.Caller{Participant: "farm"}
	say := func(number uint64, name string) (provenance.Logged, error) {
		p := participant.Product{Identifier: "https://id.gs1.org/01/09506000134352", Number: number, Name: name}
		signed, err := entry.Sign(origin, []string{"farm"}, p.JSON().Canonical(), key)
		if err != nil {
			t.Fatal(err)
		}
		return s.Log(t.Context(), farm, provenance.Submission{Body: signed, Signed: true})
	}
	if _, err := say(2, "Pears"); err == nil || !strings.Contains(err.Error(), "number") {
		t.Errorf("number 2 before 1: %v", err)
	}
	if _, err := say(1, "Pears"); err != nil {
		t.Error(err)
	}
	if again, err := say(1, "Pears"); err != nil || !again.Existed {
		t.Errorf("the same again: %+v, %v", again, err)
	}
	var conflict *provenance.Conflict
	if _, err := say(1, "Apples"); !errors.As(err, &conflict) {
		t.Errorf("number 1 with another text: %v", err)
	}
	if _, err := say(2, "Apples"); err != nil {
		t.Error(err)
	}
}
