package audit

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/provenance/verify/verifytest"
)

// What is in the folder of another log's audit is not told as this one's.
func TestAnotherLogsFolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.grow(5)
	w.publish()
	o := w.options()
	want(t, once(t, o))
	other := &world{World: verifytest.New(t, "another.example/log")}
	other.publish()
	o.Log, o.Index = files{other, "log"}, files{other, "index"}
	r, err := try(t, o)
	if err == nil || !strings.Contains(err.Error(), "is of the audit of "+origin) {
		t.Error(err)
	}
	if told := r.String(); told != "nothing was audited\n" {
		t.Error(told)
	}
}

// A log that nobody has named is not taken for one that the state file remembers, also
// when the folder of the work is gone.
func TestAnotherLogThanRemembered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.grow(5)
	w.publish()
	state := filepath.Join(t.TempDir(), "seen.json")
	o := w.options()
	o.StateFile = state
	want(t, once(t, o))
	o.Dir = filepath.Join(t.TempDir(), "again")
	want(t, once(t, o))

	other := &world{World: verifytest.New(t, "another.example/log")}
	other.publish()
	o = other.options()
	o.StateFile = state
	r, err := try(t, o)
	if err == nil || !strings.Contains(err.Error(), "seen.json remembers "+origin) || !strings.Contains(err.Error(), "--log-key") {
		t.Error(err)
	}
	if told := r.String(); told != "nothing was audited\n" {
		t.Error(told)
	}
	// Whoever names it means it, and it is remembered too.
	o.Policy = parsePolicy(t, "log "+other.Genesis().LogKey+"\nquorum none\n")
	want(t, once(t, o))
	o.Policy = nil
	want(t, once(t, o))
}
