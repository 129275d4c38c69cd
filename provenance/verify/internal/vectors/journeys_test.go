package vectors

import (
	"slices"
	"testing"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/history"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/participant"
	"github.com/tallyroot/tallyroot/provenance/verify/verifytest"
)

const (
	jar   = "urn:x:jar"
	honey = "urn:x:honey"
	box   = "urn:x:box"
)

// A trip is a journey through a world, and one change to it. By the want, reason is
// "" for one that is good; missing and steps are held against it if they are there:
// "kind id", and "position role".
type trip struct {
	name, what     string
	tell           func(w *world)
	asked          string
	change         func(w *world, good *verifytest.Snapshot, j *history.Journey, trust *M)
	reason         string
	missing, steps []string
}

// jarred is a jar of honey in a box: positions 3 to 6.
func jarred(w *world) {
	w.log(1, `O"action":"ADD","epcList":["`+honey+`"]`, w.mill)
	w.log(2, `T"inputEPCList":["`+honey+`"],"outputEPCList":["`+jar+`"]`, w.mill)
	w.log(3, `A"action":"ADD","parentID":"`+box+`","childEPCs":["`+jar+`"]`, w.mill)
	w.log(4, `O"action":"OBSERVE","epcList":["`+box+`"]`, w.mill)
}

func as(change func(j *history.Journey)) func(*world, *verifytest.Snapshot, *history.Journey, *M) {
	return func(_ *world, _ *verifytest.Snapshot, j *history.Journey, _ *M) { change(j) }
}

// lacking leaves a history out.
func lacking(key historyindex.Key) func(*world, *verifytest.Snapshot, *history.Journey, *M) {
	return as(func(j *history.Journey) {
		before := len(j.Histories)
		j.Histories = slices.DeleteFunc(j.Histories, func(h history.History) bool { return h.ID == key.Identifier && h.Kind == key.Kind.String() })
		if len(j.Histories) != before-1 {
			panic("no such history: " + key.String())
		}
	})
}

// at changes one history.
func at(key historyindex.Key, change func(good *verifytest.Snapshot, h *history.History)) func(*world, *verifytest.Snapshot, *history.Journey, *M) {
	return func(_ *world, good *verifytest.Snapshot, j *history.Journey, _ *M) {
		change(good, find(j, key))
	}
}

func find(j *history.Journey, key historyindex.Key) *history.History {
	for i := range j.Histories {
		if h := &j.Histories[i]; h.ID == key.Identifier && h.Kind == key.Kind.String() {
			return h
		}
	}
	panic("no such history: " + key.String())
}

func asks(id any) func(*world, *verifytest.Snapshot, *history.Journey, *M) {
	return func(_ *world, _ *verifytest.Snapshot, _ *history.Journey, trust *M) {
		if id == nil {
			*trust = with(*trust, "asked", nil)
			return
		}
		*trust = asking(*trust, object(id.(string)))
	}
}

var transformed = keyFor(historyindex.Transformation, "urn:t:1")

// apart is a jar of honey and sugar, whose inputs were logged apart: positions 3 to
// 6.
func apart(w *world) {
	w.log(1, `O"action":"ADD","epcList":["`+honey+`"]`, w.mill)
	w.log(2, `O"action":"ADD","epcList":["`+sugar+`"]`, w.mill)
	w.log(4, `T"transformationID":"urn:t:1","inputEPCList":["`+honey+`"],"outputEPCList":["`+jar+`"]`, w.mill)
	w.log(3, `T"transformationID":"urn:t:1","inputEPCList":["`+sugar+`"]`, w.mill)
}

// orchardTrips go through the whole story of the orchard.
var orchardTrips = []trip{
	{name: "a jar of jam", what: "Asked for by a link with lot and serial: its lot, what it was made from, what it was packed in while it was.",
		steps: []string{"5 ingredient", "6 ingredient", "7 ingredient", "8 batch", "9 ingredient", "10 self", "11 self", "12 container", "13 container", "14 container", "15 container", "17 container", "19 self"}},
}

var trips = []trip{
	{name: "a jar of honey", what: "Made from honey, packed in a box.", tell: jarred, steps: []string{"3 ingredient", "4 self", "5 self", "6 container"}},
	{name: "an ingredient is left out", what: "The honey's history.", tell: jarred, change: lacking(object(honey)), reason: "incomplete", missing: []string{"object urn:x:honey"}},
	{name: "the box is left out", what: "What it was packed in.", tell: jarred, change: lacking(object(box)), reason: "incomplete", missing: []string{"object urn:x:box"}},
	{name: "what became of it is left out", what: "Whether it was used up is not shown.", tell: jarred, change: lacking(keyFor(historyindex.Input, jar)), reason: "incomplete", missing: []string{"input urn:x:jar"}},
	{name: "what was reported there is left out", what: "Were it a place: nothing shows that nothing was.", tell: jarred, change: lacking(keyFor(historyindex.Place, jar)), reason: "incomplete", missing: []string{"place urn:x:jar"}},
	{name: "the thing itself is left out", what: "Its own history.", tell: jarred, change: lacking(object(jar)), reason: "incomplete", missing: []string{"object urn:x:jar"}, steps: []string{}},
	{name: "another thing was asked for", what: "A good journey of a jar, where the honey was asked for.", tell: jarred, change: asks(honey), reason: "incomplete",
		missing: []string{"input urn:x:honey", "place urn:x:honey"}},
	{name: "no identifier was asked for", what: "The question is none.", tell: jarred, change: asks("a jar of honey"), reason: "asked"},
	{name: "signer left out", what: "Nobody's entries can be judged.", tell: jarred, change: lacking(about(historyindex.Participant, "mill")), reason: "incomplete", missing: []string{"participant mill"},
		steps: []string{"4 self", "5 self"}},
	{name: "operator left out", what: "Nothing can be judged.", tell: jarred, change: lacking(aboutOperator), reason: "participants"},
	{name: "no histories", what: "It is empty.", tell: jarred, change: as(func(j *history.Journey) { j.Histories = nil }), reason: "participants"},
	{name: "history twice", what: "Each stands there once.", tell: jarred, change: as(func(j *history.Journey) { j.Histories = append(j.Histories, j.Histories[1]) }), reason: "twice"},
	{name: "more than is needed", what: "Whatever else is there is checked, and does no harm.", tell: jarred, change: func(_ *world, good *verifytest.Snapshot, j *history.Journey, _ *M) {
		j.Histories = append(j.Histories, good.Bare(object("urn:x:never")))
	}},
	{name: "more than is needed, and that is wrong", what: "Whatever else is there is checked.", tell: jarred, change: func(_ *world, good *verifytest.Snapshot, j *history.Journey, _ *M) {
		more := good.Bare(object("urn:x:never"))
		more.Index.MapProof.Value[0] ^= 1
		j.Histories = append(j.Histories, more)
	}, reason: "map-root"},
	{name: "the service says that it did not follow", what: "What it says is not asked: the journey is whole.", tell: jarred, change: as(func(j *history.Journey) { j.NotFollowed = []string{honey} })},
	{name: "the ingredient is said to be unknown", what: "Another leaf, said to show that nothing is logged of the honey.", tell: jarred, change: at(object(honey), func(good *verifytest.Snapshot, h *history.History) {
		h.Index.MapProof = good.MapProof(object(box))
		h.Index.MapProof.Present = false
		h.Positions, h.Entries = nil, nil
	}), reason: "map-absence"},
	{name: "an ingredient's entry is left out", what: "With its position.", tell: jarred, change: at(object(honey), func(_ *verifytest.Snapshot, h *history.History) { drop(h, 0) }), reason: "list"},
	{name: "an ingredient's entry is withheld", what: "Its position is there.", tell: jarred, change: at(object(honey), func(_ *verifytest.Snapshot, h *history.History) { h.Entries = nil }), reason: "page"},
	{name: "an ingredient's history at an older checkpoint", what: "Good in itself, and older than the rest.", tell: jarred, change: func(w *world, _ *verifytest.Snapshot, j *history.Journey, _ *M) {
		w.log(9, `O"action":"OBSERVE","epcList":["`+honey+`"]`, w.mill)
		older := *find(j, object(honey))
		*j = *w.Publish(late).Journey(jar, mustTrust(w.trust()))
		*find(j, object(honey)) = older
	}, reason: "mixed"},
	{name: "beginning with another kind, and not asked", what: "Nothing says what it is about.", tell: jarred, change: func(w *world, good *verifytest.Snapshot, j *history.Journey, trust *M) {
		slices.Reverse(j.Histories)
		*trust = with(*trust, "asked", nil)
	}, reason: "malformed"},

	{name: "inputs logged apart", what: "What was put in is followed from both entries.", tell: apart, steps: []string{"3 ingredient", "4 ingredient", "5 self", "6 ingredient"}},
	{name: "inputs logged apart and hidden", what: "The transformation's other entry is not shown: its transformationID's history is left out.", tell: apart, change: lacking(transformed),
		reason: "incomplete", missing: []string{"transformation urn:t:1"}},
	{name: "inputs logged apart, their entry left out", what: "It is taken out of the transformationID's history.", tell: apart,
		change: at(transformed, func(_ *verifytest.Snapshot, h *history.History) { drop(h, 1) }), reason: "list"},
	{name: "an ingredient that was logged apart is left out", what: "The sugar.", tell: apart, change: lacking(object(sugar)), reason: "incomplete", missing: []string{"object urn:lot:sugar"}},
	{name: "a container's container is left out", what: "What the box was in.", tell: func(w *world) {
		jarred(w)
		w.log(5, `A"action":"ADD","parentID":"`+container+`","childEPCs":["`+box+`"]`, w.mill)
		w.log(6, `O"action":"OBSERVE","epcList":["`+container+`"]`, w.mill)
	}, change: lacking(object(container)), reason: "incomplete", missing: []string{"object urn:x:container"}},
	{name: "a countersigner's history is left out", what: "Without the farm's keys, what it signed does not count, and leads nowhere.", tell: func(w *world) {
		w.log(1, `T"inputEPCList":["`+honey+`"],"outputEPCList":["`+jar+`"]`, w.mill, w.farm)
	}, change: lacking(aboutFarm), reason: "incomplete", missing: []string{"participant farm"}, steps: []string{"3 self"}},
	{name: "asked by another spelling", what: "A link of another domain, with lot and serial, and a query; the item's events do not name the lot.", asked: jamLink, tell: func(w *world) {
		w.log(1, `O"action":"ADD","epcList":["urn:epc:id:sgtin:9506000.013435.7"]`, w.mill)
		w.log(2, `O"action":"ADD","quantityList":[{"epcClass":"`+jamLot+`"}]`, w.mill)
	}, steps: []string{"3 self", "4 batch"}},
	{name: "not asked", what: "The thing of the first history is taken.", tell: jarred, change: asks(nil)},

	// What leads on, and what does not.
	{name: "an error declaration for another event", what: "It differs from the transformation, so it does not withdraw it, and hides no ingredient.", tell: func(w *world) {
		jarred(w)
		w.events = 1
		w.log(2, `T"inputEPCList":["`+honey+`2"],"outputEPCList":["`+jar+`"],"errorDeclaration":{"declarationTime":"2026-11-30T00:00:00Z"}`, w.mill)
	}, steps: []string{"3 ingredient", "4 self", "5 self", "6 container", "7 self"}},
	{name: "a transformation that was withdrawn", what: "Its inputs are not followed.", tell: func(w *world) {
		jarred(w)
		w.events = 1
		w.log(2, `T"inputEPCList":["`+honey+`"],"outputEPCList":["`+jar+`"],"errorDeclaration":{"declarationTime":"2026-11-30T00:00:00Z"}`, w.mill)
	}, steps: []string{"4 self", "5 self", "6 container", "7 self"}},
	{name: "taken out by one whose signature does not hold", what: "It is still in the box.", tell: func(w *world) {
		jarred(w)
		w.log(4, `A"action":"DELETE","parentID":"`+box+`","childEPCs":["`+jar+`"]`, w.Managed("mill", "stolen"))
		w.log(5, `O"action":"OBSERVE","epcList":["`+box+`"]`, w.mill)
	}, steps: []string{"3 ingredient", "4 self", "5 self", "6 container", "7 self", "8 container"}},
	{name: "another one taken out", what: "It is still in the box.", tell: func(w *world) {
		jarred(w)
		w.log(4, `A"action":"DELETE","parentID":"`+box+`","childEPCs":["`+jar+`2"]`, w.mill)
		w.log(5, `O"action":"OBSERVE","epcList":["`+box+`"]`, w.mill)
	}, steps: []string{"3 ingredient", "4 self", "5 self", "6 container", "7 container", "8 container"}},
	{name: "in and out, twice", what: "What happens to the box in between does not happen to the jar. Times are compared, not their texts.", tell: func(w *world) {
		w.events++
		pack := func(action, time string) {
			w.timed("AggregationEvent", time, `"action":"`+action+`","parentID":"`+box+`","childEPCs":["`+jar+`"]`)
		}
		look := func(time string) { w.timed("ObjectEvent", time, `"action":"OBSERVE","epcList":["`+box+`"]`) }
		pack("ADD", "2026-11-01T10:00:00+02:00")    // 3: 08:00
		look("2026-11-01T09:00:00Z")                // 4: in it
		pack("DELETE", "2026-11-01T07:30:00-02:00") // 5: 09:30
		look("2026-11-01T09:30:00.0000001Z")        // 6: less than a microsecond later counts as then
		look("2026-11-01T09:30:00.000001Z")         // 7: out of it
		look("2026-11-01T09:59:59.999999999Z")      // 8: out of it
		pack("ADD", "2026-11-01T12:00:00.5+02:00")  // 9: 10:00:00.5
		look("2026-11-01T10:00:00.4Z")              // 10: out of it
		look("2026-11-01T10:00:00.50Z")             // 11: in it
		look("2027-01-01T00:00:00Z")                // 12: in it
	}, steps: []string{"3 self", "4 container", "5 self", "6 container", "9 self", "11 container", "12 container"}},
	{name: "times that are none", what: "An event without a time belongs to every span, and ends none.", tell: func(w *world) {
		w.timed("ObjectEvent", "2026-11-01T09:00:00Z", `"action":"OBSERVE","epcList":["`+honey+`"]`)                                 // 3
		w.timed("TransformationEvent", "yesterday", `"inputEPCList":["`+honey+`"],"outputEPCList":["`+jar+`"]`)                      // 4
		w.timed("AggregationEvent", "2026-13-01T00:00:00Z", `"action":"ADD","parentID":"`+box+`","childEPCs":["`+jar+`"]`)           // 5
		w.timed("AggregationEvent", "2026-11-01T8:00:00Z", `"action":"DELETE","parentID":"`+box+`","childEPCs":["`+jar+`"]`)         // 6
		w.timed("ObjectEvent", "2026-11-01T09:00:00", `"action":"OBSERVE","epcList":["`+box+`"]`)                                    // 7
		w.timed("ObjectEvent", "2026-11-01T09:00:00,5Z", `"action":"OBSERVE","epcList":["`+box+`"]`)                                 // 8
		w.timed("AggregationEvent", "2026-11-01T10:00:00Z", `"action":"DELETE","parentID":"`+box+`"`)                                // 9: ends it
		w.timed("ObjectEvent", "2026-11-01T11:00:00Z", `"action":"OBSERVE","epcList":["`+box+`"]`)                                   // 10: not in it
		w.timed("ObjectEvent", "2026-11-01T23:00:00+14:01", `"action":"OBSERVE","epcList":["`+box+`"]`)                              // 11: that offset is none
		w.timed("ObjectEvent", "2026-11-02T01:00:00.000000000000001+14:00", `"action":"OBSERVE","epcList":["`+box+`"]`)              // 12: 11:00
		w.timed("AssociationEvent", "2026-11-01T00:00:00Z", `"action":"ADD","parentID":"urn:x:sensor","childEPCs":["`+honey+`"]`)    // 13
		w.timed("ObjectEvent", "2026-11-03T00:00:00Z", `"action":"OBSERVE","epcList":["urn:x:sensor"]`)                              // 14
		w.timed("AggregationEvent", "2026-11-03T00:00:00Z", `"action":"OBSERVE","parentID":"urn:x:seen","childEPCs":["`+honey+`"]`)  // 15
		w.timed("AggregationEvent", "2026-11-01T00:00:00Z", `"action":"ADD","parentID":"","childEPCs":["`+honey+`"]`)                // 16
		w.timed("AggregationEvent", "2026-11-01T00:00:00Z", `"action":["ADD"],"parentID":"urn:x:no","childEPCs":["`+honey+`"]`)      // 17
		w.timed("AggregationEvent", "2026-11-01T00:00:00Z", `"action":"ADD","parentID":["urn:x:no"],"childEPCs":[7,"`+honey+`",{}]`) // 18
	}, steps: []string{"3 ingredient", "4 self", "5 self", "6 self", "7 container", "8 container", "9 container", "11 container", "13 ingredient", "14 ingredient", "15 ingredient", "16 ingredient", "17 ingredient", "18 ingredient"}},
	{name: "a time that is none, in a span", what: "What happened to the box at no time may have happened while the jar was in it.", tell: func(w *world) {
		w.timed("AggregationEvent", "2026-11-01T08:00:00Z", `"action":"ADD","parentID":"`+box+`","childEPCs":["`+jar+`"]`)
		w.timed("ObjectEvent", "", `"action":"OBSERVE","epcList":["`+box+`"]`)
		w.timed("ObjectEvent", "2026-11-01T07:00:00Z", `"action":"OBSERVE","epcList":["`+box+`"]`)
	}, steps: []string{"3 self", "4 container"}},
	{name: "a circle", what: "The jar is in the box, the box is in the jar, and the jar is made from itself.", tell: func(w *world) {
		w.log(1, `T"inputEPCList":["`+jar+`"],"outputEPCList":["`+jar+`"]`, w.mill)
		w.log(2, `A"action":"ADD","parentID":"`+box+`","childEPCs":["`+jar+`"]`, w.mill)
		w.log(3, `A"action":"ADD","parentID":"`+jar+`","childEPCs":["`+box+`"]`, w.mill)
	}, steps: []string{"3 self", "4 self", "5 self"}},
	{name: "an item of a lot", what: "What happened to the lot's other items is not of its journey; what happened to the lot is.", asked: gtin + "/21/1", tell: func(w *world) {
		lot := gtin + "/10/L"
		w.log(1, `O"action":"ADD","quantityList":[{"epcClass":"`+lot+`"}]`, w.mill)        // 3
		w.log(2, `O"action":"ADD","epcList":["`+lot+`/21/1"]`, w.mill)                     // 4
		w.log(3, `O"action":"ADD","epcList":["`+lot+`/21/2"]`, w.mill)                     // 5
		w.log(4, `O"action":"OBSERVE","epcList":["`+lot+`/21/1","`+lot+`/21/2"]`, w.mill)  // 6
		w.log(5, `O"action":"OBSERVE","epcList":["`+lot+`","`+lot+`/21/2"]`, w.mill)       // 7
		w.log(6, `O"action":"OBSERVE","epcList":["urn:epc:class:lgtin:9506000.013435.L"]`, // 8
			w.mill)
	}, steps: []string{"3 batch", "4 self", "6 self", "7 batch", "8 batch"}},
	{name: "a lot", what: "All its items are it.", asked: gtin + "/10/L", tell: func(w *world) {
		lot := gtin + "/10/L"
		w.log(1, `O"action":"ADD","epcList":["`+lot+`/21/1"]`, w.mill)
		w.log(2, `A"action":"ADD","parentID":"`+box+`","childEPCs":["`+lot+`/21/2"]`, w.mill)
		w.log(3, `O"action":"OBSERVE","epcList":["`+box+`"]`, w.mill)
		w.log(4, `O"action":"OBSERVE","epcList":["`+gtin+`/21/1"]`, w.mill)
	}, steps: []string{"3 self", "4 self", "5 container"}},
	{name: "a second entry of one identity", what: "It says that the jar was made from something else, and leads nowhere.", tell: func(w *world) {
		jarred(w)
		w.events = 1
		w.log(2, `T"inputEPCList":["`+honey+`2"],"outputEPCList":["`+jar+`"]`, w.mill)
	}, steps: []string{"3 ingredient", "4 self", "5 self", "6 container", "7 self"}},
	{name: "used up", what: "What became of it, and where sensors reported, were it a place.", asked: honey, tell: func(w *world) {
		jarred(w)
		w.log(9, `O"action":"OBSERVE","readPoint":{"id":"`+honey+`"},"sensorElementList":[{"sensorReport":[{"type":"Temperature","value":4.5}]}]`, w.mill)
	}, steps: []string{"3 self", "4 use", "7 self"}},
	{name: "nothing logged", what: "Three proofs of absence.", asked: "urn:x:never", tell: jarred, steps: []string{}},
	{name: "signed by a participant who was disabled", what: "What it signed after that leads nowhere.", tell: func(w *world) {
		w.Sign(participant.Statement{ID: "mill", Number: 2, Name: "Mill", State: participant.Disabled}.JSON(), w.Operator)
		jarred(w)
	}, steps: []string{"5 self", "6 self"}},
}

// timed logs an event with a time as it is given.
func (w *world) timed(kind, time, members string) {
	w.events++
	v := verifytest.JSON(w.T, `{"type":"`+kind+`","eventID":"urn:e:`+number(uint64(w.events))+`","eventTime":"`+time+`",`+members+`}`)
	w.Sign(v, w.mill)
}

func journeys(t testing.TB) (cases []Case) {
	add := func(trip trip, w *world, good *verifytest.Snapshot, asked string) {
		trust := asking(w.trust(), object(asked))
		j := good.Journey(asked, mustTrust(trust))
		if trip.change != nil {
			trip.change(w, good, j, &trust)
		}
		c := complete(t, Case{
			Name: "journey: " + trip.name, What: trip.what, Input: M{"kind": "journey", "saved": string(j.Append(nil))}, Trust: trust,
			Verdict: M{"reason": trip.reason},
		})
		words := func(member, a, b string) (words []string) {
			items, _ := c.Verdict[member].([]any)
			for _, item := range items {
				words = append(words, item.(M)[a].(string)+" "+item.(M)[b].(string))
			}
			return words
		}
		if got := words("missing", "kind", "id"); trip.missing != nil && !slices.Equal(got, trip.missing) {
			t.Errorf("%s: missing %q, want %q", trip.name, got, trip.missing)
		}
		if got := words("steps", "index", "role"); trip.steps != nil && !slices.Equal(got, trip.steps) {
			t.Errorf("%s: steps %q, want %q", trip.name, got, trip.steps)
		}
		cases = append(cases, c)
	}
	for _, trip := range orchardTrips {
		o := newOrchard(t)
		add(trip, o.world, o.good, jamLink)
	}
	for _, trip := range trips {
		w := newWorld(t)
		w.LogCosigners, w.IndexCosigners = nil, nil
		trip.tell(w)
		if trip.asked == "" {
			trip.asked = jar
		}
		add(trip, w, w.Publish(late), trip.asked)
	}
	for _, f := range []struct{ name, what, old, new string }{
		{"participants inside", "A journey's histories have none of their own.", `"kind":"operator"`, `"kind":"operator","participants":[]`},
		{"an unknown member", "The format does not have it.", `"notFollowed":[]`, `"notFollowed":[],"complete":true`},
		{"notFollowed of numbers", "They are identifiers.", `"notFollowed":[]`, `"notFollowed":[1]`},
		{"no notFollowed", "It must be there.", `,"notFollowed":[]`, ``},
	} {
		w := &world{World: verifytest.New(t, origin)}
		trust := asking(w.trust(), object(absentID))
		j := &history.Journey{Histories: []history.History{w.Publish(late).Bare(keyFor(historyindex.Operator, entry.Operator))}}
		saved := []byte(replaced(string(j.Append(nil)), f.old, f.new))
		cases = append(cases, Case{Name: "journey: " + f.name, What: f.what, Input: put(M{"kind": "journey"}, "saved", saved), Trust: trust, Verdict: M{"reason": "malformed"}})
	}
	return cases
}
