package backendtest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/trillianlog"
)

// tampered: the root is rebuilt from the leaves before it is signed, so a leaf
// that was changed in the store ends publishing (rule 1).
func tampered(t *testing.T, sub Subject) {
	if sub.Tamper == nil {
		t.Skip("this back end's leaves cannot be changed from here")
	}
	w := NewWorld(t, sub)
	l := w.Open(nil)
	w.Log(l, "before", 5)
	w.Close(l)
	names := make([]string, 300)
	for i := range names {
		names[i] = fmt.Sprintf("lost-%d", i)
	}
	w.store(5, names...)
	s := open(t, sub)
	s.grown(305)
	s.close()
	sub.Tamper(t, 150)
	w.StopsWith(trillianlog.Corrupt)
	w.StopsWith(trillianlog.Corrupt) // and again after the next start
}

// rolledBack: a store that was put back to an older state ends publishing, and
// the last good checkpoint stays (rule 2).
func rolledBack(t *testing.T, sub Subject) {
	if sub.Save == nil {
		t.Skip("this back end cannot be copied from here")
	}
	w := NewWorld(t, sub)
	l := w.Open(nil)
	w.Log(l, "before", 20)
	w.Close(l)
	restore := sub.Save(t)
	l = w.Open(nil)
	w.Log(l, "after", 20)
	w.Close(l)
	restore(t)
	w.StopsWith(trillianlog.RolledBack)
	w.StopsWith(trillianlog.RolledBack)
	// As many leaves as were signed, but others.
	for i := range 20 {
		w.store(uint64(20+i), fmt.Sprintf("forked-%d", i))
	}
	s := open(t, sub)
	s.grown(40)
	s.close()
	w.StopsWith(trillianlog.Forked)
}

// rolledBackOpen is the same under a log that runs.
func rolledBackOpen(t *testing.T, sub Subject) {
	if sub.Save == nil || !sub.RestoreOpen {
		t.Skip("this back end cannot be put back while it is open")
	}
	w := NewWorld(t, sub)
	l := w.Open(nil)
	w.Log(l, "before", 20)
	restore := sub.Save(t)
	w.Log(l, "after", 20)
	restore(t)
	until(t, "the log has stopped", func() bool {
		_ = w.LogOne(l, Leaf("again", "text"))
		return l.Status().Err != nil
	})
	w.Stopped(l, trillianlog.RolledBack)
	if err := l.Status().Err; !strings.Contains(err.Error(), "put the newest one back") {
		t.Errorf("it does not say what to do: %v", err)
	}
	w.Close(l)
	w.StopsWith(trillianlog.RolledBack)
}
