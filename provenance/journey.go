package provenance

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/jcs"
)

// The bounds of a journey. What lies beyond is named in NotFollowed.
const (
	MaxJourneyHistories = 256
	MaxJourneyBytes     = 8 << 20
)

// Role says why a step belongs to a journey.
type Role int

// The roles, the closest first: an entry that has several has the first.
const (
	Self       Role = iota // it names the thing itself
	Batch                  // it names the lot that the thing is of
	Container              // it names what the thing was packed in at that time
	Ingredient             // it names what the thing was made from
	Use                    // the thing was used up in it
)

func (r Role) String() string {
	return [...]string{"self", "batch", "container", "ingredient", "use"}[r]
}

// Journey is what the log says of one thing and of everything that it was in,
// of or made from.
type Journey struct {
	ID         string // canonical
	Checkpoint []byte
	Size       uint64
	// Steps are the entries, by the events' own times and, where those are
	// equal, by their places in the log.
	Steps []Step
	// Keys are the histories in which the steps stand, in the order in which
	// they were reached.
	Keys        []historyindex.Key
	NotFollowed []string // identifiers at which a bound was met
}

// Step is one entry of a journey.
type Step struct {
	Seen
	Role Role
	// Via is the identifier, of those that the entry names, through which it
	// belongs to the journey.
	Via  string
	Time time.Time // the event's; zero when it has none that can be read
}

// Journey follows a thing through the log: its own entries and those of its
// lot, of what it was packed in while it was packed in it, and of what it was
// made from until then. It follows only entries that have effect.
func (s *Service) Journey(ctx context.Context, id string) (*Journey, error) {
	canonical, err := gs1.Canonical(id)
	if err != nil {
		return nil, refuse("id", err.Error(), "a GS1 Digital Link, an EPC URN or another URI")
	}
	f := &follower{service: s, journey: &Journey{ID: canonical}, steps: map[uint64]*Step{}, seen: map[historyindex.Key][]Seen{}}
	published, text := s.log.Published()
	f.journey.Size, f.journey.Checkpoint = published.Size, text
	role := Self
	for _, identifier := range gs1.Identifiers(canonical) {
		f.tasks = append(f.tasks, task{identifier, role, always})
		role = Batch
	}
	for len(f.tasks) > 0 {
		t := f.tasks[0]
		f.tasks = f.tasks[1:]
		if err := f.follow(ctx, t); err != nil {
			return nil, err
		}
	}
	// What became of the thing itself ends its journey.
	uses, err := f.history(ctx, historyindex.Key{Kind: historyindex.Input, Identifier: gs1.Identifiers(canonical)[0]})
	if err != nil {
		return nil, err
	}
	for _, e := range uses {
		f.add(e, Use, canonical)
	}
	return f.finish(), nil
}

// window is a span of the events' own times, both ends included.
type window struct{ from, to time.Time }

var always = window{to: time.Unix(1<<40, 0)}

func (w window) has(t time.Time) bool { return !t.Before(w.from) && !t.After(w.to) }

// meet is the span that both have.
func (w window) meet(other window) window {
	if other.from.After(w.from) {
		w.from = other.from
	}
	if other.to.Before(w.to) {
		w.to = other.to
	}
	return w
}

// task is an identifier to follow, during a window.
type task struct {
	id     string
	role   Role
	window window
}

type follower struct {
	service *Service
	journey *Journey
	tasks   []task
	done    []task
	steps   map[uint64]*Step
	seen    map[historyindex.Key][]Seen
	bytes   int
}

// history reads one history, once; nil when a bound is met.
func (f *follower) history(ctx context.Context, key historyindex.Key) ([]Seen, error) {
	if entries, ok := f.seen[key]; ok {
		return entries, nil
	}
	if len(f.seen) >= MaxJourneyHistories || f.bytes >= MaxJourneyBytes {
		if !slices.Contains(f.journey.NotFollowed, key.Identifier) {
			f.journey.NotFollowed = append(f.journey.NotFollowed, key.Identifier)
		}
		return nil, nil
	}
	entries, err := f.service.read(ctx, key, f.journey.Size, MaxJourneyBytes-f.bytes)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		f.bytes += len(e.Bytes)
	}
	f.seen[key] = entries
	f.journey.Keys = append(f.journey.Keys, key)
	return entries, nil
}

// maxTasks bounds the spans that are followed: one thing may be packed and
// unpacked many times.
const maxTasks = 4 * MaxJourneyHistories

func (f *follower) push(t task) {
	if t.window.from.After(t.window.to) || slices.Contains(f.done, t) || slices.Contains(f.tasks, t) {
		return
	}
	if len(f.done)+len(f.tasks) >= maxTasks {
		f.journey.NotFollowed = append(f.journey.NotFollowed, t.id)
		return
	}
	f.tasks = append(f.tasks, t)
}

func (f *follower) add(e Seen, role Role, via string) {
	if have, ok := f.steps[e.Index]; ok {
		if role < have.Role {
			have.Role, have.Via = role, via
		}
		return
	}
	f.steps[e.Index] = &Step{Seen: e, Role: role, Via: via, Time: eventTime(e.Entry.JSON)}
}

func (f *follower) follow(ctx context.Context, t task) error {
	f.done = append(f.done, t)
	entries, err := f.history(ctx, historyindex.Key{Kind: historyindex.Object, Identifier: t.id})
	if err != nil {
		return err
	}
	for _, e := range entries {
		v, at := e.Entry.JSON, eventTime(e.Entry.JSON)
		if !t.window.has(at) {
			continue
		}
		f.add(e, t.role, t.id)
		if !e.HasEffect() {
			continue
		}
		// An item is of its lot: the event names both in one link.
		for _, raw := range objects(v) {
			ids := gs1.Identifiers(raw)
			if len(ids) == 2 && ids[0] == t.id {
				f.push(task{ids[1], max(t.role, Batch), t.window})
			}
		}
		switch typeOf(v) {
		case "TransformationEvent":
			err = f.followInputs(ctx, v, task{t.id, Ingredient, window{t.window.from, at}.meet(t.window)})
		case "AggregationEvent", "AssociationEvent":
			if text(v, "action") == "ADD" && slices.Contains(children(v), t.id) {
				err = f.followParent(ctx, v, task{t.id, max(t.role, Container), window{at, t.window.to}})
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// followInputs goes on with what an event's outputs were made from: its own
// inputs, and those that were logged apart under the same transformationID.
func (f *follower) followInputs(ctx context.Context, v jcs.Value, t task) error {
	if !slices.Contains(outputs(v), t.id) {
		return nil
	}
	before := window{to: t.window.to}
	for _, id := range inputs(v) {
		f.push(task{id, Ingredient, before})
	}
	transformation := text(v, "transformationID")
	if transformation == "" {
		return nil
	}
	for _, id := range gs1.Identifiers(transformation) {
		parts, err := f.history(ctx, historyindex.Key{Kind: historyindex.Transformation, Identifier: id})
		if err != nil {
			return err
		}
		for _, e := range parts {
			f.add(e, t.role, id)
			if e.HasEffect() {
				for _, input := range inputs(e.Entry.JSON) {
					f.push(task{input, Ingredient, before})
				}
			}
		}
	}
	return nil
}

// followParent goes on with what t.id was packed in, until it was taken out.
func (f *follower) followParent(ctx context.Context, v jcs.Value, t task) error {
	for _, parent := range gs1.Identifiers(text(v, "parentID")) {
		if parent == "" {
			continue
		}
		entries, err := f.history(ctx, historyindex.Key{Kind: historyindex.Object, Identifier: parent})
		if err != nil {
			return err
		}
		w := t.window
		for _, e := range entries {
			v, at := e.Entry.JSON, eventTime(e.Entry.JSON)
			if text(v, "action") != "DELETE" || !e.HasEffect() || !w.has(at) || !slices.Contains(gs1.Identifiers(text(v, "parentID")), parent) {
				continue
			}
			// A DELETE that names no children takes all out.
			if out := children(v); len(out) == 0 || slices.Contains(out, t.id) {
				w.to = at
			}
		}
		f.push(task{parent, t.role, w})
	}
	return nil
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

func children(v jcs.Value) []string {
	return identifiers(listed(v, "childEPCs", "childQuantityList"))
}
func inputs(v jcs.Value) []string {
	return identifiers(listed(v, "inputEPCList", "inputQuantityList"))
}
func outputs(v jcs.Value) []string {
	return identifiers(listed(v, "outputEPCList", "outputQuantityList"))
}

// objects gives, as they were sent, the things that an event is about.
func objects(v jcs.Value) []string {
	raw := listed(v, "epcList", "quantityList")
	raw = append(raw, listed(v, "childEPCs", "childQuantityList")...)
	return append(raw, listed(v, "outputEPCList", "outputQuantityList")...)
}
