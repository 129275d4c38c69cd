package vectors

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/history"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/participant"
	"github.com/tallyroot/tallyroot/provenance/verify"
	"github.com/tallyroot/tallyroot/provenance/verify/verifytest"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
)

const (
	origin = "v.example/log"
	gtin   = "https://id.gs1.org/01/09506000134352"

	early = 1_800_000_000 // when the older checkpoints were cosigned, in seconds
	late  = early + 7200  // and the newer
	now   = late + 600    // the reader's clock
)

var (
	witness  = verifytest.NewCosigner("w.example")  // of the log
	second   = verifytest.NewCosigner("w2.example") // another one, whom only some policies know
	rebuilds = verifytest.NewCosigner("iv.example") // an index-verifier
)

func object(id string) historyindex.Key {
	return historyindex.Key{Kind: historyindex.Object, Identifier: id}
}

func keyFor(kind historyindex.Kind, id string) historyindex.Key {
	return historyindex.Key{Kind: kind, Identifier: id}
}

// A world is a log with three participants.
type world struct {
	*verifytest.World
	farm    *entry.Key // own
	mill    *entry.Key // managed
	carrier *entry.Key // own
	events  int
}

func newWorld(t testing.TB) *world {
	w := &world{World: verifytest.New(t, origin)}
	w.LogCosigners = []*verifytest.Cosigner{witness}
	w.IndexCosigners = []*verifytest.Cosigner{rebuilds}
	w.farm, w.mill, w.carrier = w.Own("farm", ""), w.Managed("mill", ""), w.Own("carrier", "")
	w.Register("farm", []string{"9506000"}, w.farm)
	w.Register("mill", nil, w.mill)
	return w
}

// log appends an event of an hour of one day, with the next event id. members
// begins with the type's first letter: O, A, T.
func (w *world) log(hour int, members string, keys ...*entry.Key) uint64 {
	w.T.Helper()
	return w.Log.Add(w.event(hour, members, keys...))
}

func (w *world) event(hour int, members string, keys ...*entry.Key) []byte {
	w.T.Helper()
	w.events++
	kind := map[byte]string{'O': "ObjectEvent", 'A': "AggregationEvent", 'T': "TransformationEvent"}[members[0]]
	v := verifytest.JSON(w.T, fmt.Sprintf(`{"type":%q,"eventID":"urn:e:%d","eventTime":"2026-11-%02dT%02d:00:00Z",%s}`, kind, w.events, 1+hour/24, hour%24, members[1:]))
	return verifytest.Entry(w.T, w.Origin, v, keys...)
}

// trust is what a reader of the world believes in most cases.
func (w *world) trust() M {
	trust := M{
		"logPolicy": w.LogPolicy(), "indexPolicy": w.IndexPolicy(), "operatorKey": w.Operator.Verifier().String(), "now": number(now),
	}
	if len(w.IndexCosigners) > 0 {
		trust["indexVerifiers"] = []any{rebuilds.Verifier()}
	}
	return trust
}

// with gives a trust with other members; nil leaves one out.
func with(trust M, name string, value any) M {
	changed := M{}
	for k, v := range trust {
		changed[k] = v
	}
	if changed[name] = value; value == nil {
		delete(changed, name)
	}
	return changed
}

func asking(trust M, key historyindex.Key) M { return with(trust, "asked", keyJSON(key)) }

// small is the world of most histories: a lot with three entries, another one with
// one.
type small struct {
	*world
	lot   []uint64             // positions of the lot's entries
	other uint64               // of the other lot's
	old   *verifytest.Snapshot // without the last entry
	good  *verifytest.Snapshot // of all
	key   historyindex.Key     // of the history that is changed
}

const (
	lotID   = gtin + "/10/L1"
	otherID = gtin + "/10/L2"

	absentID = "urn:x:never" // of which nothing is logged
)

// newSmall makes the world with its cosigners, or without any, which keeps cases
// small that are not about them.
func newSmall(t testing.TB, cosigned bool) *small {
	s := &small{world: newWorld(t)}
	if !cosigned {
		s.LogCosigners, s.IndexCosigners = nil, nil
	}
	s.lot = append(s.lot, s.log(1, `O"action":"ADD","quantityList":[{"epcClass":"`+lotID+`"}]`, s.mill))
	s.other = s.log(2, `O"action":"ADD","quantityList":[{"epcClass":"`+otherID+`"}]`, s.mill)
	s.lot = append(s.lot, s.log(3, `O"action":"OBSERVE","quantityList":[{"epcClass":"`+lotID+`"}]`, s.mill))
	s.old = s.Publish(early)
	s.lot = append(s.lot, s.log(4, `O"action":"OBSERVE","quantityList":[{"epcClass":"`+lotID+`"}]`, s.mill))
	s.good = s.Publish(late)
	return s
}

// republish gives a newer snapshot, with an index of changed postings.
func (w *world) republish(change func(postings map[historyindex.Key][]uint64)) *verifytest.Snapshot {
	postings := w.Postings(w.Log.Size())
	change(postings)
	return w.PublishIndex(late, postings)
}

// orchard is a whole story: jam from apples, sugar and pectin; one jar of it was
// packed on a pallet, which travelled in a container.
type orchard struct {
	*world
	good *verifytest.Snapshot
}

const (
	jamLot    = gtin + "/10/J1"
	jamItem   = gtin + "/21/7"
	jamLink   = "https://shop.example/01/09506000134352/10/J1/21/7?x=y"
	apples    = "urn:lot:apples"
	sugar     = "urn:lot:sugar"
	pectin    = "urn:lot:pectin"
	pallet    = "urn:epc:id:sscc:9506000.0000000001"
	container = "urn:x:container"
)

func newOrchard(t testing.TB) *orchard {
	o := &orchard{world: newWorld(t)}
	o.Register("carrier", nil, o.carrier)
	o.Sign(participant.Product{Identifier: gtin, Number: 1, Name: "Jam"}.JSON(), o.farm)
	o.log(1, `O"action":"ADD","epcList":["`+apples+`"]`, o.farm)
	o.log(2, `O"action":"ADD","epcList":["`+sugar+`"]`, o.mill)
	o.log(3, `O"action":"ADD","epcList":["`+pectin+`"]`, o.mill)
	o.log(5, `T"transformationID":"urn:t:1","inputEPCList":["`+apples+`"],"outputQuantityList":[{"epcClass":"`+jamLot+`"}]`, o.mill)
	o.log(4, `T"transformationID":"urn:t:1","inputEPCList":["`+sugar+`","`+pectin+`"]`, o.mill)
	o.log(6, `O"action":"ADD","epcList":["`+jamLink+`"]`, o.mill)
	o.log(7, `A"action":"ADD","parentID":"`+pallet+`","childEPCs":["`+jamItem+`"]`, o.mill)
	o.log(8, `O"action":"OBSERVE","epcList":["`+pallet+`"]`, o.mill, o.carrier)
	o.log(9, `A"action":"ADD","parentID":"`+container+`","childEPCs":["`+pallet+`"]`, o.carrier)
	o.log(10, `O"action":"OBSERVE","epcList":["`+container+`"],"sensorElementList":[{"sensorReport":[{"type":"Temperature","value":4.5}]}]`, o.carrier)
	o.log(11, `A"action":"DELETE","parentID":"`+container+`","childEPCs":["`+pallet+`"]`, o.carrier)
	o.log(12, `O"action":"OBSERVE","epcList":["`+container+`"]`, o.carrier)
	o.log(13, `A"action":"DELETE","parentID":"`+pallet+`"`, o.farm)
	o.log(14, `O"action":"OBSERVE","epcList":["`+pallet+`"]`, o.farm)
	o.log(15, `O"action":"OBSERVE","epcList":["`+jamItem+`"]`, o.farm)
	o.log(20, `O"action":"OBSERVE","epcList":["`+apples+`"]`, o.farm)
	o.good = o.Publish(late)
	return o
}

// index changes the index part of a history and of those in it.
func index(h *history.History, change func(*history.Index)) {
	change(&h.Index)
	for i := range h.Participants {
		change(&h.Participants[i].Index)
	}
}

// logCheckpoint puts another checkpoint of the log into a history and those in it.
func logCheckpoint(h *history.History, signed string) {
	h.LogCheckpoint = signed
	for i := range h.Participants {
		h.Participants[i].LogCheckpoint = signed
	}
}

func note(n checkpoint.Note) string { return string(n.Append(nil)) }

// drop takes an entry and its position out of a history.
func drop(h *history.History, i int) {
	h.Positions = slices.Delete(slices.Clone(h.Positions), i, i+1)
	h.Entries = slices.Delete(slices.Clone(h.Entries), i, i+1)
}

// mustTrust gives the trust as the Go verifier takes it.
func mustTrust(m M) verify.Trust {
	trust, _ := trustOf(with(m, "asked", nil))
	return trust
}

func replaced(s, old, new string) string {
	if !strings.Contains(s, old) {
		panic("nothing to replace: " + old)
	}
	return strings.Replace(s, old, new, 1)
}
