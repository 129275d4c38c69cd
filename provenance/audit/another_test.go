package audit

import (
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
