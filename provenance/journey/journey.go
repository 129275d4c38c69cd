// Package journey is the rule by which a journey is followed: which histories
// tell what happened to one thing, to its lot, to what it was packed in while it
// was packed in it, and to what it was made from until then.
//
// It is pure. A [Source] gives it histories, and it says which other ones they
// lead to. A service follows with what it has stored, a reader with what it has
// verified: since both do it here, a reader asks for nothing that an honest
// service did not give, and finds out when something was left out.
//
// Whoever logs events shapes journeys. So each entry is taken apart once for each
// history, and what is looked at and followed is bounded whatever the events say:
// cycles, and things that were packed and unpacked thousands of times, among them.
package journey

import (
	"cmp"
	"math"
	"slices"

	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/jcs"
)

// The bounds of a journey. What lies beyond is Missed.
const (
	// MaxHistories is how many histories are followed.
	MaxHistories = 256
	// maxTasks bounds the spans that are followed: one thing may be packed and
	// unpacked many times.
	maxTasks = 4 * MaxHistories
	// maxLooks bounds how often an entry is looked at, for all spans together.
	maxLooks = 1 << 20
)

// An Entry of a history.
type Entry struct {
	Index uint64
	JSON  jcs.Value

	// Effect says that the entry counts there: signed, first of its identity, and
	// neither withdrawn nor a withdrawal. Only such an entry leads on.
	Effect bool
}

// A Source gives the history of a key, in the log's order: the whole of it, or
// what there is of it. Its error ends the journey.
type Source func(key historyindex.Key) (entries []Entry, whole bool, err error)

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

// A Journey is what was found.
type Journey struct {
	ID string // canonical

	// Keys are the histories that tell of it, in the order in which they were
	// reached, those too that hold nothing.
	Keys []historyindex.Key

	// Missed are those of Keys that the source did not give whole, and what a
	// bound kept from being followed. If there is any, the journey is incomplete.
	Missed []historyindex.Key

	// Steps are the entries, by the events' own times and, where those are equal,
	// by their places in the log.
	Steps []Step
}

// A Step is one entry of a journey.
type Step struct {
	Index uint64
	Role  Role
	Key   historyindex.Key // of the history through which it belongs to the journey
	Time  int64            // the event's, as Time gives it; NoTime if it has none
}

// Follow follows the thing that id names in any of its spellings. A link with lot
// and serial names the item, and says which lot it is of. The error is the
// source's, or that id is no identifier.
//
// It asks for the histories of the thing and its lot (kind object), of what
// became of it (input) and of what was reported there of no object, should it be
// a place (place). From there on, an item leads to its lot; what a transformation
// put out, to all that was put in, in that entry or in another one of the same
// transformationID; and what was packed into something, to that, from the ADD to
// the DELETE, be it of the thing or of all at once.
func Follow(id string, source Source) (*Journey, error) {
	canonical, err := gs1.Canonical(id)
	if err != nil {
		return nil, err
	}
	f := &follower{
		source: source, journey: &Journey{ID: canonical}, pushed: map[task]bool{}, steps: map[uint64]*Step{},
		histories: map[historyindex.Key]*history{}, missed: map[historyindex.Key]bool{},
	}
	ids := gs1.Identifiers(canonical)
	f.push(task{id: ids[0], role: Self, window: always})
	if len(ids) > 1 {
		f.push(task{id: ids[1], role: Batch, window: always, own: true})
	}
	for len(f.tasks) > 0 {
		t := f.tasks[0]
		f.tasks = f.tasks[1:]
		if err := f.follow(t); err != nil {
			return nil, err
		}
	}
	if err := f.end(historyindex.Key{Kind: historyindex.Input, Identifier: ids[0]}, Use); err != nil {
		return nil, err
	}
	if err := f.end(historyindex.Key{Kind: historyindex.Place, Identifier: ids[0]}, Self); err != nil {
		return nil, err
	}
	return f.finish(), nil
}

// window is a span of the events' own times, both ends included.
type window struct{ from, to int64 }

var always = window{math.MinInt64, math.MaxInt64}

// has tells whether an event belongs to the window. One without a time belongs to
// every one: a journey has rather too much than too little.
func (w window) has(at int64) bool { return at == NoTime || w.from <= at && at <= w.to }

// task is an identifier to follow, during a window.
type task struct {
	id     string
	role   Role
	window window
	own    bool // only what is about the thing itself: the lot of an item, without its other items
}

type follower struct {
	source    Source
	journey   *Journey
	tasks     []task
	pushed    map[task]bool
	steps     map[uint64]*Step
	histories map[historyindex.Key]*history
	missed    map[historyindex.Key]bool
	looks     int
}

// history is one that was read, as its key's identifier is in it.
type history struct {
	key      historyindex.Key
	passages []*passage
	ends     *endings // made when something in it is asked for
}

// miss says that the history of the key is not followed, or not to its end.
func (f *follower) miss(key historyindex.Key) {
	if !f.missed[key] && len(f.missed) < maxTasks {
		f.missed[key] = true
		f.journey.Missed = append(f.journey.Missed, key)
	}
}

// history reads one history, once; an empty one when the bound is met.
func (f *follower) history(key historyindex.Key) (*history, error) {
	if h := f.histories[key]; h != nil {
		return h, nil
	}
	if len(f.histories) >= MaxHistories {
		f.miss(key)
		return &history{key: key}, nil
	}
	entries, whole, err := f.source(key)
	if err != nil {
		return nil, err
	}
	if !whole {
		f.miss(key)
	}
	h := &history{key: key, passages: make([]*passage, len(entries))}
	for i, e := range entries {
		h.passages[i] = passageOf(e, key)
	}
	f.histories[key] = h
	f.journey.Keys = append(f.journey.Keys, key)
	return h, nil
}

// push puts a task in the queue, once.
func (f *follower) push(t task) {
	if t.window.from > t.window.to || f.pushed[t] {
		return
	}
	if len(f.pushed) >= maxTasks {
		f.miss(object(t.id))
		return
	}
	f.pushed[t] = true
	f.tasks = append(f.tasks, t)
}

func object(id string) historyindex.Key {
	return historyindex.Key{Kind: historyindex.Object, Identifier: id}
}

func (f *follower) add(p *passage, role Role, key historyindex.Key) {
	if have := f.steps[p.index]; have != nil {
		if role < have.Role {
			have.Role, have.Key = role, key
		}
		return
	}
	f.steps[p.index] = &Step{Index: p.index, Role: role, Key: key, Time: p.at}
}

// look counts what is looked at of a history; false when the bound is met.
func (f *follower) look(h *history) bool {
	if f.looks += len(h.passages); f.looks > maxLooks {
		f.miss(h.key)
		return false
	}
	return true
}

func (f *follower) follow(t task) error {
	h, err := f.history(object(t.id))
	if err != nil || !f.look(h) {
		return err
	}
	for _, p := range h.passages {
		if !t.window.has(p.at) || t.own && !p.own {
			continue
		}
		f.add(p, t.role, h.key)
		for _, lot := range p.lots {
			f.push(task{lot, max(t.role, Batch), t.window, true})
		}
		if p.output {
			err = f.followInputs(p, t)
		}
		for _, parent := range p.parents {
			if err == nil {
				err = f.followParent(parent, p, t)
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
func (f *follower) followInputs(p *passage, t task) error {
	before := window{math.MinInt64, t.window.to}
	if p.at != NoTime {
		before.to = min(p.at, t.window.to)
	}
	for _, id := range p.inputs {
		f.push(task{id: id, role: Ingredient, window: before})
	}
	for _, id := range p.transformations {
		h, err := f.history(historyindex.Key{Kind: historyindex.Transformation, Identifier: id})
		if err != nil {
			return err
		}
		if !f.look(h) {
			continue
		}
		for _, part := range h.passages {
			f.add(part, Ingredient, h.key)
			for _, input := range part.inputs {
				f.push(task{id: input, role: Ingredient, window: before})
			}
		}
	}
	return nil
}

// followParent goes on with what the passage packed t.id in, until it was taken
// out.
func (f *follower) followParent(parent string, p *passage, t task) error {
	h, err := f.history(object(parent))
	if err != nil {
		return err
	}
	if h.ends == nil {
		h.ends = endingsOf(h.passages, parent)
	}
	inside := t.window
	if p.at != NoTime {
		inside.from = p.at
	}
	inside.to = h.ends.after(t.id, inside)
	f.push(task{id: parent, role: max(t.role, Container), window: inside})
	return nil
}

// end adds a history from which nothing leads on.
func (f *follower) end(key historyindex.Key, role Role) error {
	h, err := f.history(key)
	if err != nil {
		return err
	}
	for _, p := range h.passages {
		f.add(p, role, key)
	}
	return nil
}

func (f *follower) finish() *Journey {
	for _, step := range f.steps {
		f.journey.Steps = append(f.journey.Steps, *step)
	}
	slices.SortFunc(f.journey.Steps, func(a, b Step) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Index, b.Index))
	})
	return f.journey
}
