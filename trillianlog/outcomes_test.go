package trillianlog_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/outagetest"
)

// calls of a Backend, by their names.
var calls = trillianlog.Calls()

// openFaulty opens the log on a faulty back end that works so far, and asks it
// often whether it answers. change may be nil.
func (w *world) openFaulty(change func(*trillianlog.Options)) (*trillianlog.Log, *outagetest.Backend) {
	w.tb.Helper()
	var f *outagetest.Backend
	l := w.open(func(o *trillianlog.Options) {
		f = outagetest.Wrap(o.Backend)
		o.Backend = f
		o.SetProbe(2*time.Millisecond, 500*time.Millisecond)
		if change != nil {
			change(o)
		}
	})
	return l, f
}

// eventually waits for a condition that must come.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("it never came that %s", what)
		}
	}
}

// logAtLast logs leaves one after the other, each as often as it needs.
func (w *world) logAtLast(l *trillianlog.Log, prefix string, n int) {
	w.tb.Helper()
	for i := range n {
		eventually(w.tb, "a leaf is taken", func() bool { return w.logOne(l, leaf(fmt.Sprintf("%s-%d", prefix, i), "text")) == nil })
	}
}

// outcomes are what clients were told of their leaves, each sent once.
type outcomes struct {
	mu       sync.Mutex
	told     map[string]error // by the leaf's value
	unwanted error            // what nobody may be told
}

// send logs one leaf and keeps what its sender was told.
func (o *outcomes) send(w *world, l *trillianlog.Log, leaf trillianlog.Leaf) error {
	err := w.logOne(l, leaf)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.told == nil {
		o.told = make(map[string]error)
	}
	o.told[string(leaf.Value)] = err
	if err != nil && !errors.Is(err, trillianlog.ErrUnavailable) {
		o.unwanted = err
	}
	return err
}

// check compares what clients were told with what is in the log.
func (o *outcomes) check(w *world, l *trillianlog.Log) {
	w.tb.Helper()
	w.check(l)
	w.unique(l)
	if o.unwanted != nil {
		w.tb.Fatalf("somebody was told: %v", o.unwanted)
	}
	c, _ := l.Published()
	entries, err := l.Tiles().Entries(context.Background(), 0, c.Size)
	if err != nil {
		w.tb.Fatal(err)
	}
	there := make(map[string]bool)
	for _, entry := range entries {
		there[string(entry)] = true
	}
	count := map[string]int{}
	for value, err := range o.told {
		switch {
		case err == nil:
			count["acknowledged"]++
			if !there[value] {
				w.tb.Errorf("%q was acknowledged and is not in the log", value)
			}
		case errors.Is(err, trillianlog.ErrUnknown):
			count["unknown"]++
		default:
			count["refused"]++
			if there[value] {
				w.tb.Errorf("%q is in the log, and its sender was told: %v", value, err)
			}
		}
	}
	w.tb.Log(count)
}
