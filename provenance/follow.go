package provenance

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/jcs"
)

// Anybody may ask for a journey, and whoever logs events shapes it. So each
// entry is taken apart once, and what is looked at and followed is bounded
// whatever the events say: cycles, and things that were packed and unpacked
// thousands of times, among them.
const (
	// maxTasks bounds the spans that are followed: one thing may be packed and
	// unpacked many times.
	maxTasks = 4 * MaxJourneyHistories
	// maxLooks bounds how often an entry is looked at, for all spans together.
	maxLooks = 1 << 20
)

// window is a span of the events' own times, both ends included, in microseconds
// since 1970.
type window struct{ from, to int64 }

var always = window{math.MinInt64, math.MaxInt64}

func (w window) has(at int64) bool { return w.from <= at && at <= w.to }

// task is an identifier to follow, during a window.
type task struct {
	id     string
	role   Role
	window window
	own    bool // only what is about the thing itself: the lot of an item, without its other items
}

type follower struct {
	service   *Service
	journey   *Journey
	tasks     []task
	pushed    map[task]bool
	steps     map[uint64]*Step
	histories map[historyindex.Key]*followed
	missed    map[string]bool // what stands in NotFollowed
	bytes     int
	looks     int
}

// followed is a history that was read, as the key's identifier is in it.
type followed struct {
	entries []*passage
	ends    *endings // made when something in it is asked for
}

// passage is an entry and what leads on from it.
type passage struct {
	Seen
	time time.Time
	at   int64
	own  bool // it is about the identifier itself, and not only about what is of it
	// Of one that has effect:
	lots           []string // what the identifier is of, as the entry links them
	parents        []string // what it was packed into
	output         bool     // it came out of a transformation of
	inputs         []string // these,
	transformation string   // and of those that were logged apart
}

func newFollower(s *Service, j *Journey) *follower {
	return &follower{
		service: s, journey: j, pushed: map[task]bool{}, steps: map[uint64]*Step{},
		histories: map[historyindex.Key]*followed{}, missed: map[string]bool{},
	}
}

func (f *follower) run(ctx context.Context) error {
	for len(f.tasks) > 0 {
		t := f.tasks[0]
		f.tasks = f.tasks[1:]
		if err := f.follow(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// miss says that a bound kept the journey from following the identifier.
func (f *follower) miss(id string) {
	if !f.missed[id] && len(f.missed) < maxTasks {
		f.missed[id] = true
		f.journey.NotFollowed = append(f.journey.NotFollowed, id)
	}
}

// history reads one history, once; an empty one when a bound is met.
func (f *follower) history(ctx context.Context, key historyindex.Key) (*followed, error) {
	if h := f.histories[key]; h != nil {
		return h, nil
	}
	if len(f.histories) >= MaxJourneyHistories || f.bytes >= MaxJourneyBytes {
		f.miss(key.Identifier)
		return &followed{}, nil
	}
	entries, whole, err := f.service.read(ctx, key, f.journey.Size, MaxJourneyBytes-f.bytes)
	if err != nil {
		return nil, err
	}
	if !whole {
		f.miss(key.Identifier)
	}
	h := &followed{entries: make([]*passage, len(entries))}
	for i, e := range entries {
		f.bytes += len(e.Bytes)
		h.entries[i] = passageOf(e, key)
	}
	f.histories[key] = h
	f.journey.Keys = append(f.journey.Keys, key)
	return h, nil
}

// passageOf reads what leads on from an entry under the key.
func passageOf(e Seen, key historyindex.Key) *passage {
	v := e.Entry.JSON
	p := &passage{Seen: e, time: eventTime(v)}
	p.at, p.own = p.time.UnixMicro(), names(v, key.Identifier)
	if !e.HasEffect() {
		return p
	}
	if key.Kind == historyindex.Transformation {
		p.inputs = inputs(v)
		return p
	}
	// An item is of its lot: the event names both in one link.
	for _, raw := range objects(v) {
		if ids := gs1.Identifiers(raw); len(ids) == 2 && ids[0] == key.Identifier && !slices.Contains(p.lots, ids[1]) {
			p.lots = append(p.lots, ids[1])
		}
	}
	switch {
	case typeOf(v) == "TransformationEvent" && slices.Contains(outputs(v), key.Identifier):
		p.output, p.inputs, p.transformation = true, inputs(v), text(v, "transformationID")
	case packs(v) && text(v, "action") == "ADD" && slices.Contains(children(v), key.Identifier):
		p.parents = parents(v)
	}
	return p
}

// push puts a task in the queue, once.
func (f *follower) push(t task) {
	if t.window.from > t.window.to || f.pushed[t] {
		return
	}
	if len(f.pushed) >= maxTasks {
		f.miss(t.id)
		return
	}
	f.pushed[t] = true
	f.tasks = append(f.tasks, t)
}

func (f *follower) add(e *passage, role Role, via string) {
	if have := f.steps[e.Index]; have != nil {
		if role < have.Role {
			have.Role, have.Via = role, via
		}
		return
	}
	f.steps[e.Index] = &Step{Seen: e.Seen, Role: role, Via: via, Time: e.time}
}

func (f *follower) follow(ctx context.Context, t task) error {
	h, err := f.history(ctx, historyindex.Key{Kind: historyindex.Object, Identifier: t.id})
	if err != nil {
		return err
	}
	if f.looks += len(h.entries); f.looks > maxLooks {
		f.miss(t.id)
		return nil
	}
	for _, e := range h.entries {
		if !t.window.has(e.at) || t.own && !e.own {
			continue
		}
		f.add(e, t.role, t.id)
		for _, lot := range e.lots {
			f.push(task{lot, max(t.role, Batch), t.window, true})
		}
		if e.output {
			err = f.followInputs(ctx, e, min(e.at, t.window.to))
		}
		for _, parent := range e.parents {
			if err == nil {
				err = f.followParent(ctx, parent, task{id: t.id, role: max(t.role, Container), window: window{e.at, t.window.to}})
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// followInputs goes on with what was made into an event's outputs before then:
// its own inputs, and those that were logged apart under the same
// transformationID.
func (f *follower) followInputs(ctx context.Context, e *passage, then int64) error {
	before := window{math.MinInt64, then}
	for _, id := range e.inputs {
		f.push(task{id: id, role: Ingredient, window: before})
	}
	if e.transformation == "" {
		return nil
	}
	for _, id := range gs1.Identifiers(e.transformation) {
		parts, err := f.history(ctx, historyindex.Key{Kind: historyindex.Transformation, Identifier: id})
		if err != nil {
			return err
		}
		if f.looks += len(parts.entries); f.looks > maxLooks {
			f.miss(id)
			continue
		}
		for _, part := range parts.entries {
			f.add(part, Ingredient, id)
			for _, input := range part.inputs {
				f.push(task{id: input, role: Ingredient, window: before})
			}
		}
	}
	return nil
}

// followParent goes on with what child.id was packed in, until it was taken out.
func (f *follower) followParent(ctx context.Context, parent string, child task) error {
	h, err := f.history(ctx, historyindex.Key{Kind: historyindex.Object, Identifier: parent})
	if err != nil {
		return err
	}
	if h.ends == nil {
		h.ends = endingsOf(h.entries, parent)
	}
	f.push(task{id: parent, role: child.role, window: window{child.window.from, h.ends.after(child.id, child.window)}})
	return nil
}

// followPlace adds what was reported at a place without naming an object. Few
// things are places: the key is read, and named, only where something stands.
func (f *follower) followPlace(ctx context.Context, id string) error {
	key := historyindex.Key{Kind: historyindex.Place, Identifier: id}
	if first, err := f.service.projection.Oldest(key, f.journey.Size, 1); err != nil || len(first) == 0 {
		return err
	}
	h, err := f.history(ctx, key)
	if err != nil {
		return err
	}
	for _, e := range h.entries {
		f.add(e, Self, id)
	}
	return nil
}

// endings are the times at which things were taken out of one parent, rising.
type endings struct {
	all   []int64            // a DELETE that names no children takes all out
	child map[string][]int64 // by the thing
}

func endingsOf(entries []*passage, parent string) *endings {
	ends := &endings{child: map[string][]int64{}}
	for _, e := range entries {
		v := e.Entry.JSON
		if !e.HasEffect() || !packs(v) || text(v, "action") != "DELETE" || !slices.Contains(parents(v), parent) {
			continue
		}
		out := children(v)
		if len(out) == 0 {
			ends.all = append(ends.all, e.at)
		}
		for _, id := range out {
			ends.child[id] = append(ends.child[id], e.at)
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
	for _, times := range [][]int64{e.all, e.child[id]} {
		if i, _ := slices.BinarySearch(times, w.from); i < len(times) {
			w.to = min(w.to, times[i])
		}
	}
	return w.to
}

func (f *follower) finish() *Journey {
	for _, step := range f.steps {
		f.journey.Steps = append(f.journey.Steps, *step)
	}
	slices.SortFunc(f.journey.Steps, func(a, b Step) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Index, b.Index))
	})
	return f.journey
}

// What follows reads members of events; those that are not of EPCIS's form are
// passed over.

func typeOf(v jcs.Value) string { return text(v, "type") }

func text(v jcs.Value, name string) string {
	m, _ := v.Get(name)
	return m.Text()
}

func eventTime(v jcs.Value) time.Time {
	t, err := time.Parse(time.RFC3339, text(v, "eventTime"))
	if err != nil {
		return time.Time{}
	}
	return t
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

func identifiers(raw []string) (ids []string) {
	for _, r := range raw {
		ids = append(ids, gs1.Identifiers(r)...)
	}
	return ids
}

// packs tells whether an event puts things into others or takes them out.
func packs(v jcs.Value) bool {
	t := typeOf(v)
	return t == "AggregationEvent" || t == "AssociationEvent"
}

func parents(v jcs.Value) []string {
	if parent := text(v, "parentID"); parent != "" {
		return gs1.Identifiers(parent)
	}
	return nil
}
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
