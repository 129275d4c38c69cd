package verify_test

import (
	"testing"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/history"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/jcs"
	"github.com/tallyroot/tallyroot/provenance/verify"
	"github.com/tallyroot/tallyroot/provenance/verify/verifytest"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
)

const (
	origin = "example.org/log"
	gtin   = "https://id.gs1.org/01/09506000134352"
	lot    = gtin + "/10/LOT-7"
	now    = 1_800_000_000 // when its checkpoints are cosigned, and read
)

// A log is a world with two participants.
type log struct {
	*verifytest.World
	farm  *entry.Key // managed
	dairy *entry.Key // own

	last *verifytest.Snapshot // of the log as it was then
}

func newLog(t testing.TB) *log {
	t.Helper()
	l := &log{World: verifytest.New(t, origin)}
	l.farm, l.dairy = l.Managed("farm", ""), l.Own("dairy", "")
	l.Register("farm", []string{"9506000"}, l.farm)
	l.Register("dairy", nil, l.dairy)
	return l
}

// sign appends an entry and gives its position.
func (l *log) sign(v jcs.Value, keys ...*entry.Key) uint64 {
	l.T.Helper()
	return l.Sign(v, keys...)
}

// publish gives the snapshot of the log as it stands, the same one again if it stands
// as it stood.
func (l *log) publish() *verifytest.Snapshot {
	if l.last == nil || l.last.Size != l.Log.Size() {
		l.last = l.Publish(now)
	}
	return l.last
}

func (l *log) receipt(index uint64) []byte { return l.publish().Receipt(index) }

// history is what an honest service answers.
func (l *log) history(kind historyindex.Kind, id string) *history.History {
	return l.publish().History(historyindex.Key{Kind: kind, Identifier: id})
}

// bare is one without those of its signers.
func (l *log) bare(kind historyindex.Kind, id string) history.History {
	return l.publish().Bare(historyindex.Key{Kind: kind, Identifier: id})
}

// trust is that in the log's key alone.
func (l *log) trust() verify.Trust {
	l.T.Helper()
	trust, err := verify.LogKey(l.LogKey.Verifier().String())
	if err != nil {
		l.T.Fatal(err)
	}
	return trust
}

func parsePolicy(t testing.TB, text string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func key(t testing.TB, name string, label string) *entry.Key {
	t.Helper()
	return verifytest.Key(t, name, label)
}

func signed(t testing.TB, origin string, v jcs.Value, keys ...*entry.Key) []byte {
	t.Helper()
	return verifytest.Entry(t, origin, v, keys...)
}

func parse(t testing.TB, s string) jcs.Value {
	t.Helper()
	return verifytest.JSON(t, s)
}

// observed is an event about the lot.
func observed(t testing.TB, id string) jcs.Value {
	return parse(t, `{"type":"ObjectEvent","eventID":"`+id+`","action":"OBSERVE","quantityList":[{"epcClass":"`+lot+`","quantity":1}]}`)
}
