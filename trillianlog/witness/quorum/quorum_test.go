package quorum_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
	"github.com/tallyroot/tallyroot/trillianlog/witness/quorum"
	"github.com/tallyroot/tallyroot/trillianlog/witness/witnesstest"
)

// The log's publisher calls it.
var _ trillianlog.WitnessFunc = (*quorum.Client)(nil).Cosign

func TestAllCosign(t *testing.T) {
	w := newWorld(t, 3, two, nil)
	start := time.Now()
	for _, size := range []uint64{0, 1, 7, 7, 64, 100} {
		w.mustCosign(size, "w0", "w1", "w2")
	}
	for _, f := range w.fakes {
		// The size that it has cosigned is known, and the connection is kept.
		if got := f.asked(); !slices.Equal(got, []uint64{0, 0, 1, 7, 7, 64}) || f.connections() != 1 {
			t.Errorf("asked from %v, over %d connections", got, f.connections())
		}
	}
	st := w.client.Status()
	if st.Origin != "log.example/a" || st.Met.Before(start) || st.Missed != 0 || st.Err != nil || st.Ahead != nil || len(st.Witnesses) != 3 {
		t.Errorf("status %+v", st)
	}
	for i, f := range st.Witnesses {
		if f.Name != fmt.Sprintf("w%d", i) || f.Size != 100 || f.Cosigned != 6 || f.Failed != 0 || f.Err != nil || f.CosignedAt.Before(start) || f.Time.IsZero() {
			t.Errorf("status %+v", f)
		}
	}
	// As at the next start, when nothing is known of them.
	w.restart(nil)
	w.mustCosign(100, "w0", "w1", "w2")
	for _, f := range w.fakes {
		if got := f.asked(); !slices.Equal(got[6:], []uint64{0, 100}) {
			t.Errorf("after a restart asked from %v", got)
		}
	}
}

// Cosignatures that a checkpoint has already are replaced.
func TestAskedAgainForAPublishedCheckpoint(t *testing.T) {
	w := newWorld(t, 1, "quorum w0\n", nil)
	w.fakes[0].set(func(f *fake) { f.now = time.Now().Add(-time.Hour) })
	signed, err := w.client.Cosign(t.Context(), w.log.Signed(5), w.log.Prover(5))
	if err != nil {
		t.Fatal(err)
	}
	w.fakes[0].set(func(f *fake) { f.now = time.Time{} })
	fresh, err := w.client.Cosign(t.Context(), signed, w.log.Prover(5))
	if err != nil {
		t.Fatal(err)
	}
	v, err := w.policy.Check(fresh)
	if err != nil || time.Since(v.Time) > 30*time.Minute || strings.Count(string(fresh), "— ") != 2 {
		t.Errorf("%v, %v\n%s", v, err, fresh)
	}
}

// A witness that hangs costs the others' quorum nothing, is left behind, and comes
// back at the newest checkpoint.
func TestAStragglerComesBack(t *testing.T) {
	w := newWorld(t, 3, two, func(o *quorum.Options) { o.Grace = -1 })
	hang := make(chan struct{})
	arrived := make(chan struct{}, 1)
	w.fakes[2].set(func(f *fake) {
		f.before = func(http.ResponseWriter, *http.Request) bool {
			arrived <- struct{}{}
			<-hang
			f.before = nil
			return false
		}
	})
	for size := uint64(1); size <= 20; size++ {
		w.mustCosign(size, "w0", "w1")
		if size == 1 {
			<-arrived
		}
	}
	close(hang)
	w.until("up to date", func(st quorum.Status) bool { return st.Witnesses[2].Size == 20 })
	if got := w.fakes[2].asked(); !slices.Equal(got, []uint64{0, 1}) {
		t.Errorf("asked from %v", got)
	}
	w.restart(nil) // with grace: all three
	w.mustCosign(21, "w0", "w1", "w2")
}

// The log's proofs are not asked for any more when Cosign has returned.
func TestNoProofsAfterwards(t *testing.T) {
	w := newWorld(t, 2, "group g any w0 w1\nquorum g\n", func(o *quorum.Options) { o.Grace = -1 })
	if _, err := w.cosign(5); err != nil {
		t.Fatal(err)
	}
	w.until("both", func(st quorum.Status) bool { return st.Witnesses[0].Size == 5 && st.Witnesses[1].Size == 5 })
	hang, arrived := make(chan struct{}), make(chan struct{})
	c := w.log.At(3)
	w.fakes[1].set(func(f *fake) {
		f.before = func(http.ResponseWriter, *http.Request) bool {
			close(arrived)
			<-hang
			f.before = nil
			f.size, f.root = 3, c.Root[:] // from where nobody expected to prove
			return false
		}
	})
	var returned atomic.Bool
	_, err := w.client.Cosign(t.Context(), w.log.Signed(9), func(from uint64) ([][]byte, error) {
		time.Sleep(10 * time.Millisecond) // longer than w0 takes
		if returned.Load() {
			t.Error("asked for a proof afterwards")
		}
		return w.log.Proof(from, 9), nil
	})
	returned.Store(true)
	if err != nil {
		t.Fatal(err)
	}
	<-arrived
	close(hang)
	w.until("asked for in vain", func(quorum.Status) bool {
		return counted(t, w.client, "tallyroot_quorum_answers_total", "result", "behind") == 1
	})
	if st := w.client.Status(); st.Witnesses[1].Err != nil || st.Witnesses[1].Size != 5 {
		t.Errorf("status %+v", st)
	}
	w.restart(nil)
	w.mustCosign(10, "w0", "w1")
}

// One that is gone is named, and the quorum fails closed without it.
func TestFailsClosed(t *testing.T) {
	w := newWorld(t, 3, two, nil)
	w.mustCosign(5, "w0", "w1", "w2")
	w.fakes[0].web.Close()
	w.mustCosign(6, "w1", "w2")
	w.fakes[2].answers(404, "", "")
	w.restart(func(o *quorum.Options) { o.Patience = 300 * time.Millisecond })
	w.until("named", func(quorum.Status) bool {
		_, err := w.cosign(7)
		var failed *quorum.Error
		if !errors.Is(err, policy.ErrQuorum) || !errors.As(err, &failed) || failed.Checkpoint.Size != 7 {
			t.Fatalf("got %v", err)
		}
		for _, want := range []string{"size 7 of log.example/a", "w0 (" + w.fakes[0].web.URL, "refused", "w2 (" + w.fakes[2].web.URL, "does not follow"} {
			if !strings.Contains(err.Error(), want) {
				return false
			}
		}
		return len(failed.Witnesses) == 2
	})
	w.fakes[2].set(func(f *fake) { f.before = nil })
	w.until("back", func(quorum.Status) bool { _, err := w.cosign(8); return err == nil })
}

// Nobody waits for a witness that failed the last time, whatever the grace.
func TestNoGraceForTheFailing(t *testing.T) {
	w := newWorld(t, 3, two, func(o *quorum.Options) { o.Grace = time.Hour })
	w.fakes[1].answers(503, "Retry-After: 30", "")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // before it is asked again
	defer cancel()
	for _, size := range []uint64{5, 6, 7} {
		if _, err := w.client.Cosign(ctx, w.log.Signed(size), w.log.Prover(size)); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.fakes[1].asked(); len(got) != 1 {
		t.Errorf("asked from %v", got)
	}
}

// It gives up early when the quorum cannot be met any more.
func TestGivesUpEarly(t *testing.T) {
	w := newWorld(t, 3, "group g all w0 w1\nquorum g\n", nil)
	release := make(chan struct{})
	w.fakes[1].set(func(f *fake) {
		f.before = func(http.ResponseWriter, *http.Request) bool { <-release; return false }
	})
	defer close(release)
	w.fakes[0].answers(403, "", "")
	_, err := w.cosign(5)
	if err == nil || !strings.Contains(err.Error(), "w1") || !strings.Contains(err.Error(), "no answer yet") {
		t.Errorf("got %v", err)
	}
}

func TestPatienceAndTimeout(t *testing.T) {
	w := newWorld(t, 1, "quorum w0\n", func(o *quorum.Options) { o.Timeout = 20 * time.Millisecond })
	w.fakes[0].set(func(f *fake) {
		f.before = func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true }
	})
	w.failing(5, w.log.Prover(5), "no answer within 20ms", 0)
	w.restart(func(o *quorum.Options) { o.Patience = 20 * time.Millisecond })
	if _, err := w.cosign(5); !errors.Is(err, policy.ErrQuorum) || !strings.Contains(err.Error(), "no answer yet") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.client.Cosign(ctx, w.log.Signed(6), w.log.Prover(6)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if st := w.client.Status(); st.Missed != 1 {
		t.Errorf("who did not wait is counted: %+v", st)
	}
	w.client.Close()
	if _, err := w.cosign(7); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("got %v", err)
	}
}

// Rule 2: a witness that is ahead stops the log, also when others meet the quorum.
func TestAhead(t *testing.T) {
	w := newWorld(t, 3, two, nil)
	w.mustCosign(5, "w0", "w1", "w2")
	w.fakes[1].answers(409, "Content-Type: text/x.tlog.size", "17\n")
	w.until("ahead", func(quorum.Status) bool {
		_, err := w.cosign(6)
		return errors.Is(err, trillianlog.ErrWitnessAhead) && strings.Contains(err.Error(), "size 17") && strings.Contains(err.Error(), "w1")
	})
	if _, err := w.cosign(20); !errors.Is(err, trillianlog.ErrWitnessAhead) {
		t.Errorf("asked again: %v", err)
	}
	if st := w.client.Status(); !errors.Is(st.Ahead, trillianlog.ErrWitnessAhead) {
		t.Errorf("status %+v", st)
	}
	if got := counted(t, w.client, "tallyroot_quorum_ahead", "", ""); got != 1 {
		t.Errorf("the metric is %v", got)
	}
}

// That somebody else brings our own newer checkpoint to a witness is no alarm.
func TestOvertaken(t *testing.T) {
	w := newWorld(t, 2, "group g any w0 w1\nquorum g\n", func(o *quorum.Options) { o.Grace = -1 })
	hang, arrived := make(chan struct{}), make(chan struct{})
	w.fakes[1].set(func(f *fake) {
		f.before = func(http.ResponseWriter, *http.Request) bool {
			close(arrived)
			<-hang
			f.before = nil
			c := w.log.At(9) // that was published meanwhile
			f.size, f.root = 9, c.Root[:]
			return false
		}
	})
	w.mustCosign(5, "w0")
	<-arrived
	w.mustCosign(9, "w0")
	close(hang)
	w.until("up to date", func(st quorum.Status) bool { return st.Witnesses[1].Size == 9 })
	if st := w.client.Status(); st.Ahead != nil || st.Witnesses[1].Failed != 0 {
		t.Errorf("status %+v", st)
	}
	if got := w.fakes[1].asked(); !slices.Equal(got, []uint64{0, 9}) {
		t.Errorf("asked from %v", got)
	}
}

// One that has lost its memory is led to the log again.
func TestForgotten(t *testing.T) {
	w := newWorld(t, 1, "quorum w0\n", nil)
	w.mustCosign(50, "w0")
	c := w.log.At(3)
	for _, forgotten := range []struct {
		size uint64
		root []byte
	}{{3, c.Root[:]}, {0, nil}} {
		w.fakes[0].set(func(f *fake) { f.size, f.root = forgotten.size, forgotten.root })
		w.mustCosign(60, "w0")
	}
}

// What contradicts what was asked for before never leaves.
func TestNeverAsksForTwoHistories(t *testing.T) {
	w := newWorld(t, 1, "quorum w0\n", nil)
	w.mustCosign(50, "w0")
	asked := len(w.fakes[0].asked())
	fork, foreign := w.log.Fork(3), witnesstest.NewLog(t, "log.example/a")
	foreign.Grow(60)
	elsewhere := witnesstest.NewLog(t, "log.example/b")
	elsewhere.Grow(60)
	both := parse(t, w.policy.String()+"log "+elsewhere.Key+"\n")
	broken := []byte(strings.Replace(string(w.log.Signed(60)), "\n60\n", "\n61\n", 1))
	for name, signed := range map[string][]byte{
		"smaller": w.log.Signed(49), "another root": fork.Signed(50), "another key": foreign.Signed(60),
		"another log": elsewhere.Signed(60), "broken": broken, "nothing": nil,
	} {
		if got, err := w.client.Cosign(t.Context(), signed, w.log.Prover(60)); err == nil || !strings.Contains(err.Error(), "ask witnesses: ") {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
	if got := w.fakes[0].asked(); len(got) != asked {
		t.Errorf("asked from %v", got[asked:])
	}
	w.policy = both
	w.restart(nil)
	if _, err := w.client.Cosign(t.Context(), elsewhere.Signed(60), elsewhere.Prover(60)); err == nil || !strings.Contains(err.Error(), `of the log "log.example/b"`) {
		t.Errorf("another log of the policy: %v", err)
	}
}
