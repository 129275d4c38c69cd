package indexlog

import (
	"fmt"
	"sync"
	"time"

	"github.com/tallyroot/tallyroot/provenance/historyindex/store"
	"github.com/tallyroot/tallyroot/trillianlog"
)

// Status is how the index log is at a moment.
type Status struct {
	// Err is nil, or the *trillianlog.StopError with which it has stopped for good.
	Err error
	// Publishing is nil, or why publishing does not get on at the moment.
	Publishing error
	// Readable is nil, or why there is no Snapshot: an error that wraps ErrNotServed.
	Readable error

	Published   uint64    // size of the published index checkpoint
	PublishedAt time.Time // zero if nothing is published
	Covered     uint64    // entries of the log that readers are shown
	Behind      uint64    // published entries of the log beyond those
	Stats       store.Stats
}

// Status is for health checks and metrics.
func (l *Log) Status() Status {
	st := Status{Stats: l.index.Stats()}
	if pub := l.published.Load(); pub != nil {
		st.Published, st.PublishedAt = pub.checkpoint.Size, pub.at
	}
	l.mu.RLock()
	if l.served != nil {
		st.Covered = l.served.leaf.Checkpoint.Size
	} else {
		st.Readable = l.notServed()
	}
	l.mu.RUnlock()
	if log, _ := l.options.Log.Published(); log.Size > st.Covered {
		st.Behind = log.Size - st.Covered
	}
	l.condition.mu.Lock()
	defer l.condition.mu.Unlock()
	st.Publishing = l.condition.trouble
	if stopped := l.condition.stopped; stopped != nil {
		st.Err, st.Publishing = stopped, stopped
	}
	return st
}

// notServed says why there is nothing to be read. mu is held.
func (l *Log) notServed() error {
	c := &l.condition
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.making != "":
		return fmt.Errorf("%w: %s, %d of %d entries", ErrNotServed, c.making, l.index.Next(), c.to)
	case c.stopped != nil:
		return fmt.Errorf("%w: %w", ErrNotServed, c.stopped)
	case c.trouble != nil:
		return fmt.Errorf("%w: %w", ErrNotServed, c.trouble)
	case l.unserved != nil:
		return fmt.Errorf("%w: %w", ErrNotServed, l.unserved)
	}
	return fmt.Errorf("%w: no index checkpoint is published", ErrNotServed)
}

// condition is how the publisher gets on, for those who ask.
type condition struct {
	mu      sync.Mutex
	stopped *trillianlog.StopError // why it has ended for good
	trouble error                  // why it does not get on; nil if it does
	stale   bool                   // cosigning again was tried, in vain so far
	since   time.Time              // when the trouble began
	said    time.Time              // when a line told of it
	making  string                 // what takes long; empty: nothing
	to      uint64                 // up to which entry
}

const (
	remindEvery   = time.Minute     // a trouble that lasts is told of again
	progressEvery = 5 * time.Second // and so is what takes long
)

// failed notes a trouble, and tells of it now and then.
func (l *Log) failed(err error) {
	c := &l.condition
	c.mu.Lock()
	now := time.Now()
	if c.trouble == nil {
		c.since = now
	}
	c.trouble = err
	say := now.Sub(c.said) >= remindEvery
	if say {
		c.said = now
	}
	since := c.since
	c.mu.Unlock()
	if say {
		l.logger.Error("the history index does not get on; trying again", "error", err, "since", since)
	}
}

// well notes that there is none.
func (l *Log) well() {
	c := &l.condition
	c.mu.Lock()
	if c.trouble == nil || c.stale {
		c.mu.Unlock()
		return
	}
	lasted := time.Since(c.since).Round(time.Millisecond)
	c.trouble, c.said = nil, time.Time{}
	c.mu.Unlock()
	l.logger.Info("the history index goes on", "after", lasted)
}

// stop ends the publishing for good.
func (l *Log) stop(why *trillianlog.StopError) {
	c := &l.condition
	c.mu.Lock()
	c.stopped = why
	c.mu.Unlock()
	var size uint64
	if pub := l.published.Load(); pub != nil {
		size = pub.checkpoint.Size
	}
	l.logger.Error("THE HISTORY INDEX HAS STOPPED; an operator has to look. The log goes on, and histories stay at the last good index.",
		"reason", string(why.Reason), "detail", why.Detail, "published", size)
}

func (l *Log) stopped() bool {
	l.condition.mu.Lock()
	defer l.condition.mu.Unlock()
	return l.condition.stopped != nil
}

// telling does what may take long, and tells how far it is.
func (l *Log) telling(what string, to uint64, do func() error) error {
	note := func(making string, to uint64) {
		l.condition.mu.Lock()
		l.condition.making, l.condition.to = making, to
		l.condition.mu.Unlock()
	}
	note(what, to)
	defer note("", 0)
	ended := make(chan struct{})
	var telling sync.WaitGroup
	telling.Go(func() {
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				l.logger.Info("the history index: "+what, "next", l.index.Next(), "to", to)
			case <-ended:
				return
			}
		}
	})
	defer telling.Wait()
	defer close(ended)
	return do()
}
