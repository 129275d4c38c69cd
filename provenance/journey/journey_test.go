package journey_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/jcs"
	"github.com/tallyroot/tallyroot/provenance/journey"
)

// A log is entries, indexed by their keys.
type log struct {
	t       testing.TB
	entries []journey.Entry
	asked   []historyindex.Key
}

func (l *log) add(json string) {
	l.t.Helper()
	v, err := jcs.Parse([]byte(json))
	if err != nil {
		l.t.Fatalf("%v: %s", err, json)
	}
	l.entries = append(l.entries, journey.Entry{Index: uint64(len(l.entries)), JSON: v, Effect: true})
}

func (l *log) event(minute int, kind, members string) {
	l.t.Helper()
	l.add(fmt.Sprintf(`{"type":"%s","eventTime":"2026-11-01T%02d:%02d:00Z",%s}`, kind, minute/60, minute%60, members))
}

func (l *log) history(key historyindex.Key) (entries []journey.Entry, whole bool, err error) {
	l.asked = append(l.asked, key)
	for _, e := range l.entries {
		if historyindex.Has(&entry.Entry{Participants: []string{"farm"}, JSON: e.JSON}, key) {
			entries = append(entries, e)
		}
	}
	return entries, true, nil
}

func (l *log) follow(id string) *journey.Journey {
	l.t.Helper()
	j, err := journey.Follow(id, l.history)
	if err != nil {
		l.t.Fatal(err)
	}
	if !slices.Equal(j.Keys, l.asked) {
		l.t.Errorf("keys %v, asked for %v", j.Keys, l.asked)
	}
	return j
}

func names(keys []historyindex.Key) (list []string) {
	for _, k := range keys {
		list = append(list, k.String())
	}
	return list
}

func TestFollow(t *testing.T) {
	l := &log{t: t}
	l.event(0, "ObjectEvent", `"action":"ADD","epcList":["urn:x:milk"]`)                                                             // 0
	l.event(2, "TransformationEvent", `"inputEPCList":["urn:x:milk"],"outputEPCList":["urn:x:cheese"],"transformationID":"urn:t:1"`) // 1
	l.event(1, "TransformationEvent", `"inputEPCList":["urn:x:salt"],"transformationID":"urn:t:1"`)                                  // 2
	l.event(3, "AggregationEvent", `"action":"ADD","parentID":"urn:x:box","childEPCs":["urn:x:cheese"]`)                             // 3
	l.event(4, "ObjectEvent", `"action":"OBSERVE","epcList":["urn:x:box"]`)                                                          // 4
	l.event(5, "AggregationEvent", `"action":"DELETE","parentID":"urn:x:box"`)                                                       // 5
	l.event(6, "ObjectEvent", `"action":"OBSERVE","epcList":["urn:x:box"]`)                                                          // 6: no more
	l.event(7, "TransformationEvent", `"inputEPCList":["urn:x:cheese"],"outputEPCList":["urn:x:sandwich"]`)                          // 7
	l.event(8, "ObjectEvent", `"action":"OBSERVE","epcList":["urn:x:milk"]`)                                                         // 8: too late
	j := l.follow("urn:x:cheese")
	want := []string{"object urn:x:cheese", "transformation urn:t:1", "object urn:x:box", "object urn:x:milk", "object urn:x:salt", "input urn:x:cheese", "place urn:x:cheese"}
	if got := names(j.Keys); !slices.Equal(got, want) || len(j.Missed) > 0 {
		t.Errorf("keys %q, missed %v", got, j.Missed)
	}
	var steps []string
	for _, s := range j.Steps {
		steps = append(steps, fmt.Sprintf("%d %s", s.Index, s.Role))
	}
	if want := []string{"0 ingredient", "2 ingredient", "1 self", "3 self", "4 container", "5 container", "7 use"}; !slices.Equal(steps, want) {
		t.Errorf("got  %q\nwant %q", steps, want)
	}
}

func TestNoEffectLeadsNowhere(t *testing.T) {
	l := &log{t: t}
	l.event(1, "TransformationEvent", `"inputEPCList":["urn:x:milk"],"outputEPCList":["urn:x:cheese"]`)
	l.event(2, "AggregationEvent", `"action":"ADD","parentID":"urn:x:box","childEPCs":["urn:x:cheese"]`)
	l.event(3, "AggregationEvent", `"action":"DELETE","parentID":"urn:x:box","childEPCs":["urn:x:cheese"]`)
	l.event(4, "ObjectEvent", `"action":"OBSERVE","epcList":["urn:x:box"]`)
	l.entries[0].Effect, l.entries[2].Effect = false, false
	j := l.follow("urn:x:cheese")
	if got := names(j.Keys); slices.Contains(got, "object urn:x:milk") || !slices.Contains(got, "object urn:x:box") || len(j.Steps) != 4 {
		t.Errorf("keys %q, %d steps", got, len(j.Steps))
	}
}

func TestSource(t *testing.T) {
	broken := errors.New("broken")
	if _, err := journey.Follow("urn:x:1", func(historyindex.Key) ([]journey.Entry, bool, error) { return nil, false, broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if _, err := journey.Follow("no identifier", nil); err == nil {
		t.Error("what is no identifier is followed")
	}
	j, err := journey.Follow("urn:x:1", func(historyindex.Key) ([]journey.Entry, bool, error) { return nil, false, nil })
	if err != nil || !slices.Equal(j.Missed, j.Keys) || len(j.Keys) != 3 {
		t.Errorf("nothing is whole: %+v, %v", j, err)
	}
}

// TestBounds holds that what is followed ends, and that a journey says where it did
// not go on.
func TestBounds(t *testing.T) {
	for _, c := range []struct {
		name   string
		fill   func(l *log)
		missed bool
	}{
		{"as many histories as there may be", func(l *log) {
			for i := range journey.MaxHistories - 3 { // the thing's own, its use and its place
				l.event(1, "TransformationEvent", fmt.Sprintf(`"inputEPCList":["urn:x:in:%d"],"outputEPCList":["urn:x:1"]`, i))
			}
		}, false},
		{"one history more", func(l *log) {
			for i := range journey.MaxHistories - 2 {
				l.event(1, "TransformationEvent", fmt.Sprintf(`"inputEPCList":["urn:x:in:%d"],"outputEPCList":["urn:x:1"]`, i))
			}
		}, true},
		{"boxes in boxes without end", func(l *log) {
			for i := range 2 * journey.MaxHistories {
				l.event(i%1400, "AggregationEvent", fmt.Sprintf(`"action":"ADD","parentID":"urn:x:%d","childEPCs":["urn:x:%d"]`, i+2, i+1))
			}
		}, true},
		{"a circle", func(l *log) {
			for range 3 {
				l.event(1, "AggregationEvent", `"action":"ADD","parentID":"urn:x:2","childEPCs":["urn:x:1"]`)
				l.event(1, "AggregationEvent", `"action":"ADD","parentID":"urn:x:1","childEPCs":["urn:x:2"]`)
				l.event(1, "TransformationEvent", `"inputEPCList":["urn:x:1","urn:x:2"],"outputEPCList":["urn:x:1","urn:x:2"]`)
			}
		}, false},
		{"in and out thousands of times", func(l *log) {
			for i := range 1400 {
				l.event(i, "AggregationEvent", `"action":"ADD","parentID":"urn:x:2","childEPCs":["urn:x:1"]`)
				l.event(i, "AggregationEvent", `"action":"DELETE","parentID":"urn:x:2","childEPCs":["urn:x:1"]`)
			}
		}, true},
	} {
		l := &log{t: t}
		c.fill(l)
		j := l.follow("urn:x:1")
		if (len(j.Missed) > 0) != c.missed || len(j.Keys) > journey.MaxHistories {
			t.Errorf("%s: %d histories, %d missed", c.name, len(j.Keys), len(j.Missed))
		}
	}
}

func FuzzFollow(f *testing.F) {
	f.Add(`{"type":"TransformationEvent","inputEPCList":["urn:x:1"],"outputEPCList":["urn:x:1"],"eventTime":"2026-11-01T00:00:00Z"}`, `{"type":"AggregationEvent","action":"ADD","parentID":"urn:x:2","childEPCs":["urn:x:1"]}`)
	f.Fuzz(func(t *testing.T, a, b string) {
		l := &log{t: t}
		for _, json := range []string{a, b} {
			v, err := jcs.Parse([]byte(json))
			if err != nil {
				return
			}
			l.entries = append(l.entries, journey.Entry{Index: uint64(len(l.entries)), JSON: v, Effect: true})
		}
		l.follow("urn:x:1")
	})
}

func FuzzTime(f *testing.F) {
	f.Add("2026-11-01T00:00:00Z")
	f.Add("2026-11-01T00:00:00.123456789+14:00")
	f.Fuzz(func(t *testing.T, s string) {
		if micros, ok := journey.Time(s); ok && micros == journey.NoTime {
			t.Errorf("%q is read as no time", s)
		}
	})
}
