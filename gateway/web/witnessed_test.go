package web_test

import (
	"fmt"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/provenance"
	"github.com/tallyroot/tallyroot/trillianlog/witness"
)

// The pages say who witnessed the log, and when, or that too few did.
func TestWitnessed(t *testing.T) {
	dir := t.TempDir()
	key, _, err := provenance.MakeKeys(dir, origin, dir+"/last-checkpoint")
	if err != nil {
		t.Fatal(err)
	}
	w, err := witness.Open(witness.Options{Dir: t.TempDir(), Name: "witness.example/1", Logs: []witness.Log{{Key: key}}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	at := httptest.NewServer(w)
	defer at.Close()
	policy := fmt.Sprintf("log %s\nwitness <b>one %s %s\nquorum <b>one\n", key, w.Verifier(), at.URL)
	s := openIn(t, dir, []byte(policy))
	index := s.log(s.farm, map[string]any{"epcList": []any{"https://id.gs1.org/01/09506000134352/10/LOT-7"}})
	day := time.Now().UTC().Format("2 January 2006, ")
	for page, texts := range map[string][]string{
		"/01/09506000134352/10/LOT-7":   {"Witnessed by <bdi>&lt;b&gt;one</bdi> on " + day, "as far as you trust the witnesses", "--policy policy.txt --index-policy index-policy.txt", "witness &lt;b&gt;one " + "witness.example/1&#43;"},
		"/01/09506000134352/10/OTHER":   {"Nothing logged yet", "(<bdi>&lt;b&gt;one</bdi>; enough of them on " + day},
		fmt.Sprintf("/entry/%d", index): {"enough of them on " + day, "as far as you trust them", ".entry --policy policy.txt"},
		"/":                             {"enough of them on " + day},
	} {
		a := s.get(page)
		a.holds(t, append(texts, "your device")...)
		a.lacks(t, "No independent witnesses", "log.vkey", "<b>")
	}
	if err := s.service.Close(); err != nil {
		t.Fatal(err)
	}

	// Another policy, whose witness is not there.
	other, err := witness.NewKey("witness.example/2")
	if err != nil {
		t.Fatal(err)
	}
	s = openIn(t, dir, []byte(fmt.Sprintf("log %s\nwitness two %s http://127.0.0.1:1\nquorum two\n", key, other.Verifier())))
	a := s.get("/01/09506000134352/10/LOT-7")
	a.holds(t, "Not witnessed by as many as", "Fewer witnesses have cosigned")
	a.lacks(t, "Witnessed by", "No independent witnesses")
}
