package participant_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/jcs"
	"github.com/tallyroot/tallyroot/provenance/participant"
)

// TestDocumentedExample makes the example of docs/entries.md, against which
// other implementations are written, and holds that it stands there and that the
// state takes it.
func TestDocumentedExample(t *testing.T) {
	doc, err := os.ReadFile("../../docs/entries.md")
	if err != nil {
		t.Fatal(err)
	}
	l := newLog(t)
	own := own(t, "farm", 4)
	s := participant.Statement{ID: "farm", Number: 1, Name: "Green Farm", OwnKeys: vkeys(own), Grants: []string{"9506000"}, State: participant.Active}
	s.Prove(origin, own)
	v, err := jcs.Parse([]byte(`{"action":"OBSERVE","epcList":["https://id.gs1.org/01/09506000134352/10/L/21/S"],"eventID":"urn:x:1","eventTime":"2026-01-02T03:04:05Z","eventTimeZoneOffset":"+00:00","type":"ObjectEvent"}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []*entry.Entry{signed(t, genesis(t).JSON(), operatorKey(t, 3)), signed(t, s.JSON(), operatorKey(t, 3)), signed(t, v, own)} {
		if e.Type() == entry.TypeParticipant {
			l.apply(nil, e.JSON, operatorKey(t, 3))
		}
		if err := l.state.At(map[string]uint64{entry.TypeParticipant: 1, "ObjectEvent": 2}[e.Type()]).Verify(e); err != nil {
			t.Error(err)
		}
		b := e.Append(nil)
		identity, err := entry.Identity(e.Participants[0], e.JSON)
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("```\n%s```\n\nleaf hash `%x`  \nidentity `%x`\n", b, entry.LeafHash(b), identity)
		for _, k := range historyindex.Keys(e) {
			want += fmt.Sprintf("\n- `%d` `%s` → `%x`", k.Kind, k.Identifier, k.Hash())
		}
		if !strings.Contains(string(doc), want+"\n") {
			t.Errorf("docs/entries.md lacks\n%s", want)
		}
	}
	for _, line := range []string{operatorKey(t, 3).Verifier().String(), own.Verifier().String(), string(participant.ProofText(origin, s.JSON()))} {
		if !strings.Contains(string(doc), line+"\n") && !strings.Contains(string(doc), "`"+line+"`") && !strings.Contains(string(doc), "```\n"+line+"```") {
			t.Errorf("docs/entries.md lacks\n%s", line)
		}
	}
}
