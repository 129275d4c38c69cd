package backendtest

import (
	"fmt"
	"testing"

	"github.com/tallyroot/tallyroot/trillianlog"
)

// damagedTree: nodes of Trillian's tree are changed or lost. All that is in
// the tree is published. Nothing can be added, and the log stops over that instead
// of trying again for ever.
func damagedTree(t *testing.T, sub Subject, remove bool) {
	if sub.Damage == nil {
		t.Skip("the tree of this back end cannot be damaged from here")
	}
	w := NewWorld(t, sub)
	l := w.Open(nil)
	w.Log(l, "before", 5)
	w.Close(l)
	names := make([]string, 300)
	for i := range names {
		names[i] = fmt.Sprintf("unpublished-%d", i)
	}
	w.store(5, names...)
	s := open(t, sub)
	s.grown(305)
	s.close()
	sub.Damage(t, 304, remove)
	l = w.Open(nil) // Trillian has no proof that its tree only grew
	until(t, "all that is in the tree is published", func() bool {
		published, _ := l.Published()
		return published.Size == 305
	})
	until(t, "the log has stopped", func() bool {
		_, _ = l.Add(Leaf("never in the tree", "text"))
		return l.Status().Err != nil
	})
	w.Stopped(l, trillianlog.Corrupt)
	w.Close(l)
}
