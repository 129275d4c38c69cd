package mirror

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/historyindex/store"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/fetch"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
)

// A Copied is what a Sync came to.
type Copied struct {
	Log, Index checkpoint.Checkpoint // that the mirror has now
	Entries    uint64                // of the log that are new
	Leaves     uint64                // of the index log that are new
}

// Finding tells whether an error of Sync says that the origin shows what is not so, or
// not what the policies ask for; others say that it could not be found out.
func Finding(err error) bool {
	other, forged := new(checkpoint.OriginError), new(checkpoint.SignatureError)
	for _, found := range []error{ErrForked, ErrIndex, checkpoint.ErrUnsigned, policy.ErrQuorum} {
		if errors.Is(err, found) {
			return true
		}
	}
	return errors.As(err, &other) || errors.As(err, &forged)
}

// Sync copies what is new at the origin, makes the map, and serves it. After an error
// everything that was copied stays; the next call goes on from there.
//
// Errors: ErrForked, ErrIndex, those of policy.Policy's Check; see Finding.
func (m *Mirror) Sync(ctx context.Context, o Origin) (Copied, error) {
	before, _ := m.log.Checkpoint()
	beforeIndex, _ := m.index.Checkpoint()
	t, err := m.target(ctx, o)
	if err == nil {
		err = m.keepPolicies(ctx, o, t)
	}
	if err == nil {
		err = m.copy(ctx, m.logCopy(o.Log, t))
	}
	if err == nil {
		err = m.copy(ctx, m.indexCopy(o.Index, t))
	}
	if err == nil {
		err = m.Resume(ctx)
	}
	if err != nil {
		return Copied{}, m.failed(err)
	}
	return Copied{t.log, t.index, t.log.Size - before.Size, t.index.Size - beforeIndex.Size}, nil
}

// A target is a pair that is to be copied, and which meets the policies.
type target struct {
	log, index checkpoint.Checkpoint
	signed     pair
}

// How often, and after which time, two checkpoints are asked for that go together: a log
// that grows may have published one between the answers.
const (
	pairAttempts = 5
	pairPause    = time.Second
)

// target asks the origin what there is to copy.
func (m *Mirror) target(ctx context.Context, o Origin) (t target, err error) {
	for attempt := range pairAttempts {
		if attempt > 0 {
			select {
			case <-time.After(pairPause):
			case <-ctx.Done():
				return t, ctx.Err()
			}
		}
		if t.signed, err = o.pair(ctx); err != nil {
			return t, err
		}
		if t.index, err = m.options.IndexPolicy.Open(t.signed.index); err != nil {
			return t, fmt.Errorf("the origin's index checkpoint: %w", err)
		}
		if t.log, err = m.options.Policy.Open(t.signed.log); err != nil {
			return t, fmt.Errorf("the origin's log checkpoint: %w", err)
		}
		if t.index.Size == 0 {
			return t, errors.New("the origin has no history index yet")
		}
		var leaf historyindex.Leaf
		if leaf, err = lastLeaf(ctx, o.Index, t.index); err != nil {
			return t, err
		}
		if leaf.Checkpoint == t.log {
			return t, nil
		}
		err = fmt.Errorf("the origin's index checkpoint of size %d is about its log of %d entries, and it gives the log's checkpoint of %d: ask again", t.index.Size, leaf.Checkpoint.Size, t.log.Size)
	}
	return t, err
}

func lastLeaf(ctx context.Context, source fetch.Source, c checkpoint.Checkpoint) (historyindex.Leaf, error) {
	text, err := fetch.Open(source, c, fetch.Options{}).Entry(ctx, c.Size-1)
	if err != nil {
		return historyindex.Leaf{}, err
	}
	leaf, err := historyindex.ParseLeaf(text)
	if err != nil {
		return leaf, fmt.Errorf("leaf %d of the origin's index log: %w: %w", c.Size-1, ErrIndex, err)
	}
	return leaf, nil
}

func (m *Mirror) logCopy(source fetch.Source, t target) copying {
	return copying{"entries", "log", "log", m.log, source, t.log, t.signed.log, m.publishLog}
}

func (m *Mirror) indexCopy(source fetch.Source, t target) copying {
	return copying{"leaves", "index log", "index", m.index, source, t.index, t.signed.index, func(signed []byte) error {
		return errors.Join(m.index.Publish(signed), m.index.Settle())
	}}
}

// Resume makes the map of what was copied, and serves it. It needs no origin. Without
// anything to do it is quick.
//
// Errors: ErrEmpty; ErrIndex, if the index log is not what the log gives.
func (m *Mirror) Resume(ctx context.Context) error {
	if c, _ := m.index.Checkpoint(); c.Size == 0 {
		return m.failed(ErrEmpty)
	}
	if err := m.makeMap(ctx); err != nil {
		return m.failed(err)
	}
	return m.serve(ctx)
}

func (m *Mirror) makeMap(ctx context.Context) error {
	log := told{m.log, m}
	err := m.store.CatchUp(ctx, log)
	if errors.Is(err, store.ErrAhead) {
		if err = m.store.Reset(); err == nil {
			err = m.store.CatchUp(ctx, log)
		}
	}
	if err != nil {
		return fmt.Errorf("%w; if it stays so, stop the mirror and delete %s", err, m.path("index-store"))
	}
	published, _ := m.index.Checkpoint()
	have := m.store.Leaves()
	if have >= published.Size {
		return nil
	}
	follow := func() error {
		have := m.store.Leaves()
		return m.store.Follow(ctx, m.index.Stream(ctx, have, published.Size-have), log)
	}
	if err = follow(); errors.Is(err, store.ErrAhead) {
		if err = errors.Join(m.store.Reset(), m.store.CatchUp(ctx, log)); err == nil {
			err = follow()
		}
	}
	different := new(store.DifferenceError)
	if errors.As(err, &different) || errors.Is(err, store.ErrOrder) || errors.Is(err, historyindex.ErrLeafForm) {
		return fmt.Errorf("%w: %w", ErrIndex, err)
	}
	return err
}

// told is the copied log, which tells how far the map is.
type told struct {
	*tiles.Store
	mirror *Mirror
}

func (l told) Stream(ctx context.Context, first, n uint64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		size, done := l.Size(), first
		for e, err := range l.Store.Stream(ctx, first, n) {
			if done++; done%progressEvery == 0 || done == size {
				l.mirror.options.Progress(Progress{"map", done, size})
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// progressEvery is after how many entries progress is told.
const progressEvery = 4096
