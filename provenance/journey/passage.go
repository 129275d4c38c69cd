package journey

import (
	"math"
	"slices"

	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/jcs"
)

// passage is an entry of a history, and what leads on from it. Members of events
// that are not of EPCIS's form are passed over.
type passage struct {
	index  uint64
	at     int64 // NoTime if it has none
	own    bool  // it is about the identifier itself, and not only about what is of it
	effect bool
	json   jcs.Value
	// Of one that has effect:
	lots            []string // what the identifier is of, as the entry links them
	parents         []string // what it was packed into
	output          bool     // it came out of a transformation of
	inputs          []string // these,
	transformations []string // and of those that were logged apart
}

// passageOf reads what leads on from an entry under the key.
func passageOf(e Entry, key historyindex.Key) *passage {
	v := e.JSON
	p := &passage{index: e.Index, at: NoTime, own: names(v, key.Identifier), effect: e.Effect, json: v}
	if at, ok := Time(text(v, "eventTime")); ok {
		p.at = at
	}
	if !e.Effect {
		return p
	}
	switch key.Kind {
	case historyindex.Transformation:
		p.inputs = inputs(v)
		return p
	case historyindex.Object:
	default:
		return p
	}
	// An item is of its lot: the event names both in one link.
	for _, raw := range objects(v) {
		if ids := gs1.Identifiers(raw); len(ids) == 2 && ids[0] == key.Identifier && !slices.Contains(p.lots, ids[1]) {
			p.lots = append(p.lots, ids[1])
		}
	}
	switch {
	case text(v, "type") == "TransformationEvent" && slices.Contains(outputs(v), key.Identifier):
		p.output, p.inputs = true, inputs(v)
		if id := text(v, "transformationID"); id != "" {
			p.transformations = gs1.Identifiers(id)
		}
	case packs(v) && text(v, "action") == "ADD" && slices.Contains(children(v), key.Identifier):
		p.parents = parents(v)
	}
	return p
}

// endings are the times at which things were taken out of one parent, rising.
type endings struct {
	all   []int64            // a DELETE that names no children takes all out
	child map[string][]int64 // by the thing
}

func endingsOf(passages []*passage, parent string) *endings {
	ends := &endings{child: map[string][]int64{}}
	for _, p := range passages {
		v := p.json
		if !p.effect || p.at == NoTime || !packs(v) || text(v, "action") != "DELETE" || !slices.Contains(parents(v), parent) {
			continue
		}
		out := children(v)
		if len(out) == 0 {
			ends.all = append(ends.all, p.at)
		}
		for _, id := range out {
			ends.child[id] = append(ends.child[id], p.at)
		}
	}
	slices.Sort(ends.all)
	for _, times := range ends.child {
		slices.Sort(times)
	}
	return ends
}

// after is when the thing was first taken out during the window, else its end.
func (e *endings) after(id string, w window) int64 {
	to := int64(math.MaxInt64)
	for _, times := range [][]int64{e.all, e.child[id]} {
		if i, _ := slices.BinarySearch(times, w.from); i < len(times) {
			to = min(to, times[i])
		}
	}
	return min(to, w.to)
}

func text(v jcs.Value, name string) string {
	m, _ := v.Get(name)
	return m.Text()
}

// listed gives the strings of the lists called epcs and the classes of those
// called quantities, as they were sent.
func listed(v jcs.Value, epcs, quantities string) (raw []string) {
	list, _ := v.Get(epcs)
	for _, item := range list.Items() {
		raw = append(raw, item.Text())
	}
	list, _ = v.Get(quantities)
	for _, item := range list.Items() {
		raw = append(raw, text(item, "epcClass"))
	}
	return raw
}

// identifiers gives what the strings name. An empty one, which is also what
// stands for a member that is no string, names nothing that could be followed.
func identifiers(raw []string) (ids []string) {
	for _, r := range raw {
		if r != "" {
			ids = append(ids, gs1.Identifiers(r)...)
		}
	}
	return ids
}

// packs tells whether an event puts things into others or takes them out.
func packs(v jcs.Value) bool {
	t := text(v, "type")
	return t == "AggregationEvent" || t == "AssociationEvent"
}

func parents(v jcs.Value) []string { return identifiers([]string{text(v, "parentID")}) }

func children(v jcs.Value) []string {
	return identifiers(listed(v, "childEPCs", "childQuantityList"))
}

func inputs(v jcs.Value) []string {
	return identifiers(listed(v, "inputEPCList", "inputQuantityList"))
}

func outputs(v jcs.Value) []string {
	return identifiers(listed(v, "outputEPCList", "outputQuantityList"))
}

// names tells whether an event is about the thing itself, and not only about
// others that are of it: what happens to one item of a lot is in the lot's
// history, and is nothing that happened to the lot's other items.
func names(v jcs.Value, id string) bool {
	for _, raw := range append(objects(v), text(v, "parentID")) {
		if ids := gs1.Identifiers(raw); ids[0] == id {
			return true
		}
	}
	return false
}

// objects gives, as they were sent, the things that an event is about.
func objects(v jcs.Value) []string {
	raw := listed(v, "epcList", "quantityList")
	raw = append(raw, listed(v, "childEPCs", "childQuantityList")...)
	return append(raw, listed(v, "outputEPCList", "outputQuantityList")...)
}
