package indexverifier

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/fetch"
	"github.com/tallyroot/tallyroot/trillianlog/witness"
)

// A job finds out about one index checkpoint. It goes on when nobody waits for it any
// more: to rebuild the index of a large log takes longer than a request may.
type job struct {
	checkpoint checkpoint.Checkpoint
	done       chan struct{} // closed when err is there
	err        error
}

// Verify is what a witness asks before it cosigns: Options.Verify of package witness.
// It is nil if the index checkpoint is what the log's entries give. The checkpoint's
// signature and that it continues the one before are the witness's affair.
//
// An error that wraps witness.ErrRefuted says that it is not so. Any other one says
// that this is not known: the log cannot be read, or there is still work to do when
// ctx ends. The work goes on, and what it has come to counts when Verify is called
// again.
func (v *Verifier) Verify(ctx context.Context, c checkpoint.Checkpoint, signed []byte) error {
	for {
		j, mine := v.start(c, signed)
		if j == nil {
			return errors.New("the index-verifier is closing")
		}
		select {
		case <-j.done:
			if mine {
				return j.err
			}
		case <-ctx.Done():
			s := v.Status()
			return fmt.Errorf("the index is being rebuilt: %d entries and %d leaves are done: %w", s.Entries, s.Leaves, ctx.Err())
		}
	}
}

// start begins the job for a checkpoint, or joins the one that is there; mine is false
// if that is one for another checkpoint, which has to end first. It gives nil when the
// Verifier closes.
func (v *Verifier) start(c checkpoint.Checkpoint, signed []byte) (j *job, mine bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.current != nil {
		return v.current, v.current.checkpoint == c
	}
	if v.closed {
		return nil, false
	}
	j = &job{checkpoint: c, done: make(chan struct{})}
	v.current = j
	v.work.Go(func() {
		err := v.check(v.life, c, signed)
		v.mu.Lock()
		defer v.mu.Unlock()
		v.current, j.err, v.failed = nil, err, err
		v.refuted = v.refuted || errors.Is(err, witness.ErrRefuted)
		close(j.done)
	})
	return j, true
}

// poll looks at the published index checkpoint now and then, from the start on.
func (v *Verifier) poll() {
	tick := time.NewTicker(v.options.Poll)
	defer tick.Stop()
	var told string // the last error
	for {
		err := v.followPublished()
		if err != nil && err.Error() != told && v.life.Err() == nil {
			v.logger.Warn("the published index log cannot be followed", "error", err)
		}
		told = ""
		if err != nil {
			told = err.Error()
		}
		select {
		case <-tick.C:
		case <-v.life.Done():
			return
		}
	}
}

// followPublished does what a request for the published index checkpoint would have
// done, if it is larger than what was rebuilt, or the map is not there.
func (v *Verifier) followPublished() error {
	signed, err := fetch.Checkpoint(v.life, v.options.Index)
	if err != nil {
		return err
	}
	c, err := checkpoint.Open(signed, v.indexKeys...)
	if err != nil {
		return fmt.Errorf("the published index checkpoint: %w", err)
	}
	if c.Size <= v.index.Leaves() && !v.index.Behind() {
		return nil
	}
	return v.Verify(v.life, c, signed)
}
