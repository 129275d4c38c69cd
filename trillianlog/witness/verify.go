package witness

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
)

// A question is what Options.Verify is asked: whether the log's checkpoint is so, which
// continues the one of the size old. All requests that ask it at one time share the
// answer: anybody may repeat a checkpoint that waits, and thereby neither fills the
// witness nor delays who sent it first.
type question struct {
	old        uint64
	checkpoint checkpoint.Checkpoint
}

// A verdict is the answer to a question.
type verdict struct {
	there chan struct{} // closed when err is the answer
	err   error         // nil or a *refusal
}

// questions are those of a log that wait for their verdicts. The zero value has none.
type questions struct {
	mu   sync.Mutex
	open map[question]*verdict
}

// join gives the verdict for which all wait who ask q; first is true for the one who
// has to find it.
func (a *questions) join(q question) (v *verdict, first bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if v = a.open[q]; v != nil {
		return v, false
	}
	if a.open == nil {
		a.open = make(map[question]*verdict)
	}
	v = &verdict{make(chan struct{}), later(time.Second, "the verification broke off")}
	a.open[q] = v
	return v, true
}

// settle finds the verdict. A panic lets nobody wait for ever, nor anything pass.
func (a *questions) settle(q question, v *verdict, find func() error) {
	defer func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.open, q)
		close(v.there)
	}()
	v.err = find()
}

// verify waits until Options.Verify has allowed what cosign would cosign. Whoever waits
// leaves its slot to others, and afterwards has one again.
func (s *Server) verify(ctx context.Context, st *state, r Request) error {
	last := st.last.Load()
	if err := s.continues(last, r); err != nil {
		return err
	}
	if last.has(r.Checkpoint) {
		return nil // it was verified before it was cosigned
	}
	<-s.slots
	defer func() { s.slots <- struct{}{} }() // those who have them wait for nobody here
	q := question{r.Old, r.Checkpoint}
	v, first := st.asked.join(q)
	if first {
		st.asked.settle(q, v, func() error { return s.askVerify(st, r) })
	}
	select {
	case <-v.there:
		return v.err
	case <-ctx.Done():
		return later(time.Second, "the witness is busy or closing")
	}
}

// askVerify asks Options.Verify, also when the client goes meanwhile who asked first.
func (s *Server) askVerify(st *state, r Request) error {
	ctx, cancel := context.WithTimeout(s.life, s.options.VerifyWait)
	defer cancel()
	if err := s.take(ctx, st.verify); err != nil {
		return err
	}
	defer give(st.verify)
	// It may have waited for another question, with whose answer this one is settled.
	last := st.last.Load()
	if err := s.continues(last, r); err != nil {
		return err
	}
	if last.has(r.Checkpoint) {
		return nil
	}
	err := s.options.Verify(ctx, r.Checkpoint, r.Note.Append(nil))
	switch {
	case errors.Is(err, ErrRefuted):
		s.metrics.refuted.WithLabelValues(last.Origin).Inc()
		s.logger.Error("A LOG CLAIMS WHAT IS NOT SO; its checkpoint is not cosigned",
			"log", r.Checkpoint.Origin, "size", r.Checkpoint.Size, "error", err)
		return refuse(http.StatusUnprocessableEntity, "%v", err)
	case err != nil:
		s.logger.Info("a checkpoint cannot be verified yet", "log", r.Checkpoint.Origin, "size", r.Checkpoint.Size, "error", err)
		return later(time.Second, "not verified yet: %v", err)
	}
	return nil
}
