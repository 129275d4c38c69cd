package remote

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tallyroot/tallyroot/internal/mariadb"
	"github.com/tallyroot/tallyroot/internal/stock"
	"github.com/tallyroot/tallyroot/trillianlog/backendtest"
)

type part interface {
	Kill() error
	Start() error
}

// The log server, the signer and the database are killed under load, one after
// the other, and started again. The log goes on by itself, and what was
// acknowledged is there once.
func TestKill(t *testing.T) {
	s := own(t, mariadb.Own(t), stock.Options{})
	w := backendtest.NewWorld(t, s.subject(t))
	l := w.Open(nil)
	var stop atomic.Bool
	var logged atomic.Uint64
	const clients = 8
	var all sync.WaitGroup
	for client := range clients {
		all.Go(func() {
			for i := 0; !stop.Load(); i++ {
				if err := w.Insist(l, backendtest.Leaf(fmt.Sprintf("%d-%d", client, i), "text")); err != nil {
					t.Errorf("leaf %d of client %d: %v", i, client, err)
					return
				}
				logged.Add(1)
			}
		})
	}
	more := func() {
		from := logged.Load()
		until(t, "the log goes on", func() bool { return logged.Load() > from+100 || t.Failed() })
	}
	more()
	untaken := func() bool { return l.Status().Writable != nil }
	unpublished := func() bool { st := l.Status(); return st.Stored >= st.Published+clients }
	for _, tt := range []struct {
		name  string
		part  part
		hurts func() bool
	}{
		{"server", s.servers.Server, untaken},
		{"signer", s.servers.Signer, unpublished},
		{"database", s.db, untaken},
	} {
		if err := tt.part.Kill(); err != nil {
			t.Fatal(err)
		}
		until(t, "the log feels that the "+tt.name+" is away", tt.hurts)
		if err := tt.part.Start(); err != nil {
			t.Fatal(err)
		}
		more()
	}
	stop.Store(true)
	all.Wait()
	w.Check(l)
	w.Close(l)
	l = w.Open(nil)
	w.Log(l, "after", 3)
	w.Check(l)
}
