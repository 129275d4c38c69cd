package indexlog

import (
	"context"
	"errors"
	"time"

	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/historyindex/store"
	"github.com/tallyroot/tallyroot/trillianlog"
)

const (
	firstPause = 50 * time.Millisecond // after what failed; then twice as long each time
	lastPause  = 5 * time.Second
	// lookEvery is how often an index log looks that nobody woke: a checkpoint of the
	// log that was cosigned again is no new one.
	lookEvery = 5 * time.Second
	// readEvery is how often entries are read that the next leaf will be about, before it
	// is due: what is left to read then is what the log has published since.
	readEvery = 100 * time.Millisecond
	// renewRetry is the pause after cosigning again was tried in vain. Meanwhile new
	// leaves are published as ever.
	renewRetry = time.Minute
	// meanwhileTime is for how long the map is made between two attempts to publish.
	meanwhileTime = 20 * time.Second
)

// errCrash is what tests return from fault to end the publisher as a crash would,
// between two steps.
var errCrash = errors.New("crash")

// run works until ctx ends or the index log has to stop.
func (l *Log) run(ctx context.Context) {
	var pause time.Duration
	for ctx.Err() == nil && !l.stopped() {
		wait, wake, err := l.step(ctx)
		if errors.Is(err, errCrash) || ctx.Err() != nil {
			return
		}
		err = l.unlessStopped(err)
		switch {
		case l.stopped():
			continue
		case err != nil:
			l.failed(err)
			pause = min(max(2*pause, firstPause), lastPause)
			wait, wake = pause, nil
		default:
			l.well()
			pause = 0
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-wake:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	l.mend(ctx)
}

// step does what comes next, and says for how long there is nothing to do then, unless
// the channel says otherwise.
func (l *Log) step(ctx context.Context) (wait time.Duration, wake <-chan struct{}, err error) {
	if err := l.restore(ctx); err != nil {
		return 0, nil, err
	}
	if l.pending() {
		if err := l.publish(ctx); err != nil {
			return 0, nil, errors.Join(err, l.meanwhile(ctx))
		}
	}
	if err := l.catchUp(ctx); err != nil {
		return 0, nil, err
	}
	if err := l.refresh(); err != nil {
		return 0, nil, err
	}
	covered, err := l.covered()
	if err != nil {
		return 0, nil, err
	}
	if now, signed := l.options.Log.Published(); signed != nil && now.Size > covered {
		if !time.Now().Before(l.leafAt.Add(l.options.Every)) {
			return 0, nil, l.advance(ctx, now, signed)
		}
		if err := l.index.ReadAhead(ctx, now.Size, l.options.Log); err != nil {
			return 0, nil, err
		}
		wait := time.Until(l.leafAt.Add(l.options.Every))
		return min(max(wait, 0), l.options.Every, readEvery), nil, nil
	}
	if l.due() {
		return 0, nil, l.renew(ctx)
	}
	wait = lookEvery
	if l.renewable() {
		wait = max(min(wait, time.Until(l.renewAt)), 0)
	}
	return wait, l.wake, nil
}

// pending tells whether there is something to publish before the next leaf is made.
func (l *Log) pending() bool {
	pub := l.published.Load()
	return l.index.Leaves() > l.size() || pub != nil && pub.unmet != nil
}

// covered is how many of the log's entries the newest leaf is about.
func (l *Log) covered() (uint64, error) {
	leaves := l.index.Leaves()
	if leaves == 0 {
		return 0, nil
	}
	leaf, err := l.index.Leaf(leaves - 1)
	return leaf.Checkpoint.Size, err
}

// restore takes back from the tiles the published leaves that were lost, each after it
// was computed from the log.
func (l *Log) restore(ctx context.Context) error {
	have, size := l.index.Leaves(), l.size()
	if have >= size {
		return nil
	}
	to, err := l.options.Tiles.Entry(ctx, size-1)
	if err != nil {
		return err
	}
	leaf, err := historyindex.ParseLeaf(to)
	if err != nil {
		return err
	}
	err = l.telling("its leaves are read again from what was published", leaf.Checkpoint.Size, func() error {
		if err := l.index.CatchUp(ctx, l.options.Log); err != nil {
			return err
		}
		return l.index.Follow(ctx, l.options.Tiles.Stream(ctx, have, size-have), l.options.Log)
	})
	if err := l.differs(err); err != nil {
		return err
	}
	return l.show()
}

// catchUp brings the map to the published leaves, if it was deleted or a power failure
// took its end.
func (l *Log) catchUp(ctx context.Context) error {
	if !l.index.Behind() {
		return nil
	}
	to, err := l.covered()
	if err != nil {
		return err
	}
	err = l.telling("its map is made again from the log", to, func() error { return l.index.CatchUp(ctx, l.options.Log) })
	if err := l.differs(err); err != nil {
		return err
	}
	return l.show()
}

// differs makes a reason to stop of a leaf, or a checkpoint, that is not what the
// log's entries give.
func (l *Log) differs(err error) error {
	if errors.Is(err, store.ErrRoot) {
		return stop(trillianlog.Forked, "%v: the index was made of other entries than the log has now; put the log's newest copy back", err)
	}
	if d, ok := errors.AsType[*store.DifferenceError](err); ok {
		return stop(trillianlog.Forked, "%v: either the log's files or the index log's are not those of then; put the right ones back", d)
	}
	return err
}

// meanwhile lets readers have the published index while the next leaf's publication is
// tried in vain.
func (l *Log) meanwhile(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, meanwhileTime)
	defer cancel()
	err := l.serveLast(limited)
	if limited.Err() != nil {
		return nil
	}
	return err
}

// mend does what is left to do for an index log that has stopped: histories stay at
// the last good index.
func (l *Log) mend(ctx context.Context) {
	if err := l.serveLast(ctx); err != nil && ctx.Err() == nil {
		l.logger.Error("the published history index cannot be served", "error", err)
	}
}

// serveLast serves the published index checkpoint if nothing is served and the leaf
// after it cannot be published: it takes a map back that is beyond it. It may be called
// again after ctx has ended, and goes on.
func (l *Log) serveLast(ctx context.Context) error {
	pub := l.published.Load()
	l.mu.RLock()
	served := l.served != nil
	l.mu.RUnlock()
	if served || pub == nil || pub.unmet != nil || l.index.Leaves() < pub.checkpoint.Size {
		return nil
	}
	leaf, err := l.index.Leaf(pub.checkpoint.Size - 1)
	if err != nil {
		return err
	}
	to := leaf.Checkpoint.Size
	if l.index.Next() > to {
		if err := l.index.Reset(); err != nil {
			return err
		}
	}
	err = l.telling("its map is made again as it was published last", to, func() error {
		return l.index.CatchUpTo(ctx, l.options.Log, pub.checkpoint.Size)
	})
	if err != nil {
		return l.differs(err)
	}
	return l.show()
}
