package epcis

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tallyroot/tallyroot/provenance/jcs"
)

// ErrNoEvents says that a JSON value is nothing in which events could stand.
var ErrNoEvents = errors.New("no EPCIS event, document, query document or array of events")

// Events gives the events of doc in its order. doc may be an EPCISDocument, an
// EPCISQueryDocument, an object with an eventList of its own, one event, or an
// array of all these; what else an array or list holds is given as it is, so
// that each is judged for itself.
//
// The document's @context is carried into each event: before the event's own,
// so that both keep their meaning and the event's wins where they disagree.
// The error wraps ErrNoEvents.
func Events(doc jcs.Value) ([]jcs.Value, error) {
	switch doc.Kind() {
	case jcs.Array:
		return eventsOfArray(doc.Items())
	case jcs.Object:
	default:
		return nil, fmt.Errorf("a JSON %s is %w", doc.Kind(), ErrNoEvents)
	}
	list, path, found := eventList(doc)
	if !found {
		kind, _ := doc.Get("type")
		switch kind.Text() {
		case "EPCISDocument":
			return nil, fmt.Errorf("the EPCISDocument has no epcisBody.eventList: %w", ErrNoEvents)
		case "EPCISQueryDocument":
			return nil, fmt.Errorf("the EPCISQueryDocument has no epcisBody.queryResults.resultsBody.eventList: %w", ErrNoEvents)
		}
		return []jcs.Value{doc}, nil
	}
	if list.Kind() != jcs.Array {
		return nil, fmt.Errorf("%s is a JSON %s, not an array: %w", path, list.Kind(), ErrNoEvents)
	}
	context, ok := doc.Get("@context")
	if !ok {
		return list.Items(), nil
	}
	events := make([]jcs.Value, len(list.Items()))
	for i, event := range list.Items() {
		if event.Kind() == jcs.Object {
			event = withContext(event, context)
		}
		events[i] = event
	}
	return events, nil
}

// eventsOfArray takes apart the documents in an array of events; most have none.
func eventsOfArray(items []jcs.Value) ([]jcs.Value, error) {
	documents := false
	for _, item := range items {
		_, _, found := eventList(item)
		documents = documents || found
	}
	if !documents {
		return items, nil
	}
	var events []jcs.Value
	for i, item := range items {
		if item.Kind() != jcs.Object {
			events = append(events, item)
			continue
		}
		more, err := Events(item)
		if err != nil {
			return nil, fmt.Errorf("item %d of the array: %w", i, err)
		}
		events = append(events, more...)
	}
	return events, nil
}

// eventList finds where a document has its events; an event has none, whatever
// its extensions are called.
func eventList(doc jcs.Value) (list jcs.Value, path string, ok bool) {
	if IsEvent(doc) {
		return jcs.Value{}, "", false
	}
	for _, way := range [...]struct {
		path  string
		steps []string
	}{
		{"epcisBody.eventList", []string{"epcisBody", "eventList"}},
		{"epcisBody.queryResults.resultsBody.eventList", []string{"epcisBody", "queryResults", "resultsBody", "eventList"}},
		{"queryResults.resultsBody.eventList", []string{"queryResults", "resultsBody", "eventList"}},
		{"resultsBody.eventList", []string{"resultsBody", "eventList"}},
		{"eventList", []string{"eventList"}},
	} {
		at, ok := doc, true
		for _, step := range way.steps {
			if at, ok = at.Get(step); !ok {
				break
			}
		}
		if ok {
			return at, way.path, true
		}
	}
	// Early drafts had the one event of a document outside any list.
	if body, ok := doc.Get("epcisBody"); ok {
		if event, ok := body.Get("event"); ok {
			return jcs.NewArray(event), "epcisBody.event", true
		}
	}
	return jcs.Value{}, "", false
}

// withContext puts the document's context before the event's own. What stands
// in both is kept once, as the schema demands: of two equal addresses the
// first, since the terms after it may build on it, and of two equal objects
// the last, since it decides.
func withContext(event, context jcs.Value) jcs.Value {
	own, ok := event.Get("@context")
	if !ok || jcs.Equal(own, context) {
		return event.With("@context", context)
	}
	both := contexts(contexts(nil, context), own)
	kept := make([]jcs.Value, 0, len(both))
	for i, entry := range both {
		others := both[i+1:]
		if entry.Kind() == jcs.String {
			others = both[:i]
		}
		if !slices.ContainsFunc(others, func(other jcs.Value) bool { return jcs.Equal(entry, other) }) {
			kept = append(kept, entry)
		}
	}
	return event.With("@context", jcs.NewArray(kept...))
}

func contexts(list []jcs.Value, context jcs.Value) []jcs.Value {
	if context.Kind() == jcs.Array {
		return append(list, context.Items()...)
	}
	return append(list, context)
}
