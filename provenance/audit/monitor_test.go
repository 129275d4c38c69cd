package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/provenance/historyindex"
)

// Each finding is told once, or again after it could not be told, or after it was gone.
func TestMonitor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.grow(20)
	w.Log.Add([]byte("no entry"))
	w.publish()
	clock := time.Unix(now, 0)
	o := w.options()
	o.Now = func() time.Time { return clock }
	o.Watch = map[historyindex.Key]string{keyOf(historyindex.By, "dairy"): "dairy"}
	a, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { a.Close() }()
	deaf := false
	var told []string
	m := &Monitor{Auditor: a, Tell: func(_ context.Context, f *Finding) error {
		if deaf {
			return errors.New("nobody listens")
		}
		name := string(f.Kind)
		if f.Index != nil {
			name += fmt.Sprint(" ", *f.Index)
		}
		told = append(told, name)
		return nil
	}}
	round := func(want ...string) {
		t.Helper()
		told = nil
		if err := m.round(t.Context()); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(told) != fmt.Sprint(want) {
			t.Errorf("told %q, want %q", told, want)
		}
	}
	round("malformed 23")
	round()
	w.Sign(w.event("urn:event:x", 1), w.dairy)
	w.Sign(w.event("urn:event:x", 1), w.dairy)
	w.publish()
	deaf = true
	round()
	deaf = false
	round("entry 24", "entry 25", "duplicate 25")
	round()
	missing := func(log, path string) ([]byte, error, bool) {
		return nil, fs.ErrNotExist, log == "index" && path != "checkpoint"
	}
	w.grow(2) // one is by the dairy
	w.publish()
	w.get = missing
	round("missing 0", "entry 27")
	round()
	// It is the same after a start.
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if a, err = Open(o); err != nil {
		t.Fatal(err)
	}
	m.Auditor = a
	round()
	w.get = nil
	round()
	w.grow(2) // without the dairy
	w.publish()
	w.get = missing
	round("missing 0")
	// Nobody answers.
	w.get = func(log, path string) ([]byte, error, bool) { return nil, errors.New("no answer"), true }
	round()
	clock = clock.Add(DefaultPatience - time.Second)
	round()
	clock = clock.Add(time.Second)
	round("unreachable")
	clock = clock.Add(time.Hour)
	round()
	w.get = nil
	round()
	w.get = func(log, path string) ([]byte, error, bool) { return nil, errors.New("no answer"), true }
	round()
	clock = clock.Add(DefaultPatience)
	round("unreachable")
}

func TestMonitorRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.grow(2)
	w.publish()
	a, err := Open(w.options())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	ctx, cancel := context.WithCancel(t.Context())
	rounds := 0
	m := &Monitor{Auditor: a, Every: time.Millisecond, Audited: func(r *Report, err error) {
		if err != nil || !r.Complete {
			t.Errorf("%v %s", err, r)
		}
		if rounds++; rounds == 3 {
			cancel()
		}
	}}
	if err := m.Run(ctx); err != nil || rounds != 3 {
		t.Errorf("%v after %d rounds", err, rounds)
	}
}
