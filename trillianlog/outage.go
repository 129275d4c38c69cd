package trillianlog

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// probeEvery is how often the back end is asked whether it answers, so that
	// one that went, hangs or came back is noticed without anybody's leaf.
	probeEvery = time.Second
	// probeTimeout bounds one such question.
	probeTimeout = 2 * time.Second
	// stalledPart is the part of Options.CallTimeout after which a write counts
	// as stalled: nothing more is taken until it has ended.
	stalledPart = 4
	// attempts is how often the back end is asked for what a batch needs before
	// it counts as away. A connection that broke is another one at the second.
	attempts = 3
)

// probe is how often the back end is asked, and how long its answer may take.
type probe struct{ every, timeout time.Duration }

// outage is a time in which the back end does not do what the log needs. While
// it lasts nothing is taken: who brings a leaf is told so at once.
type outage struct {
	since   time.Time
	refusal error         // what Add answers
	over    chan struct{} // closed when leaves are taken again

	cause error // the newest; guarded by sequencer.mu
}

// errRefused is the cause of an outage in which the back end answers and did not
// take the last write. Only a write can show that it takes them again, so the next
// one is let through after a pause.
var errRefused = errors.New("it refused a write")

func newOutage(now time.Time) *outage {
	return &outage{since: now, over: make(chan struct{}),
		refusal: fmt.Errorf("%w since %s", ErrUnavailable, now.UTC().Format(time.RFC3339))}
}

// status says more than refusal: the cause is for the operator.
func (o *outage) status() error { return fmt.Errorf("%w: %w", o.refusal, o.cause) }

// lost is the answer for a leaf that was being written when the outage began.
func (o *outage) lost() error { return fmt.Errorf("%w, and %w", o.refusal, ErrUnknown) }

// leave begins an outage, or notes another cause for the present one. It answers
// all that is not durable yet: what was sent to the back end with ErrUnknown, the
// rest with ErrUnavailable, and none of the rest will be sent.
func (s *sequencer) leave(cause error) {
	s.mu.Lock()
	if s.stopped() {
		s.mu.Unlock()
		return
	}
	if s.away == nil {
		since := time.Now()
		if s.trial != nil {
			since = s.trial.since // it never ended
		}
		s.away, s.answers, s.trial = newOutage(since), false, nil
		s.outage.Store(s.away)
		s.drop(s.away.refusal)
		if b := s.writing; b != nil && b.sent {
			b.answer(s.away.lost())
		} else if b != nil {
			b.answer(s.away.refusal)
		}
	}
	s.away.cause = cause
	s.mu.Unlock()
	signal(s.wake)
	if say, since := s.trouble.begin(); say {
		s.logger.Error("the back end takes no leaves; they are refused until it does", "error", cause, "since", since)
	}
}

// regain looks for the end of an outage: it finds out what the back end has, and
// takes leaves again if it says so.
func (s *sequencer) regain(ctx context.Context) {
	s.settled = false
	err := s.settle(ctx)
	if err == nil {
		_, err = s.backend.find(ctx, [][32]byte{{}})
	}
	var stopped *StopError
	switch {
	case errors.As(err, &stopped):
		s.onStop(stopped)
		return
	case err != nil:
		s.leave(err)
		return
	}
	s.resumed.Store(s.next) // before anything is taken, see Log.Resumed
	s.mu.Lock()
	o := s.away
	s.away = nil
	s.outage.Store(nil)
	refused := errors.Is(o.cause, errRefused)
	if refused {
		s.trial = o
	}
	s.mu.Unlock()
	close(o.over)
	s.noteStored()
	s.onStored() // also when there is nothing new: the publisher compares
	if refused {
		return
	}
	if ended, lasted := s.trouble.end(); ended {
		s.logger.Info("the back end answers again; leaves are taken", "after", lasted)
	}
}

// watch asks the back end whether it answers until ctx ends. It begins an outage
// when it does not, and wakes run when it does again.
func (s *sequencer) watch(ctx context.Context) {
	var pause backoff
	for {
		wait, suspect := s.probe.every, s.suspect
		if s.trouble.open() {
			wait, suspect = min(pause.next(), wait), nil
		} else {
			pause = backoff{}
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-suspect:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return
		}
		if !s.look(ctx) {
			return
		}
	}
}

// look asks once, and says whether to ask again later.
func (s *sequencer) look(ctx context.Context) bool {
	err := s.silent(ctx)
	if err == nil && s.mute {
		s.backend.interrupt() // what still hangs on a connection to nowhere
	}
	s.mute = err != nil
	s.mu.Lock()
	stopped, away := s.stopped(), s.away != nil
	var writing time.Duration
	if s.writing != nil && !away {
		writing = time.Since(s.writing.begun)
	}
	if err == nil && away {
		s.answers = true
		signal(s.wake)
	}
	s.mu.Unlock()
	switch {
	case stopped || ctx.Err() != nil:
		return false
	case err != nil:
		s.leave(err)
		s.backend.interrupt()
	case writing > s.stall:
		s.leave(fmt.Errorf("a write has been under way for %v", writing.Round(time.Millisecond)))
	}
	return true
}

// silent is nil if the back end answers. It asks twice before it says that it does
// not, and an answer to any other call counts.
func (s *sequencer) silent(ctx context.Context) error {
	answered := s.backend.answered.Load()
	for attempt := 1; ; attempt++ {
		short, cancel := context.WithTimeout(ctx, s.probe.timeout)
		_, err := s.backend.root(short)
		cancel()
		if s.backend.answered.Load() != answered {
			return nil
		}
		if attempt == 2 || s.outage.Load() != nil {
			return err
		}
		select {
		case <-time.After(firstPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// again does what a batch needs of the back end, a few times if that fails, but
// not during an outage.
func (s *sequencer) again(do func() error) error {
	var pause backoff
	for attempt := 1; ; attempt++ {
		if o := s.outage.Load(); o != nil {
			return o.refusal // another call would only hang
		}
		err := do()
		var stopped *StopError
		if err == nil || errors.As(err, &stopped) || attempt == attempts {
			return err
		}
		if pause.wait(s.patience) != nil {
			return err
		}
	}
}
