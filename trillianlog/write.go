package trillianlog

import (
	"context"
	"errors"
	"fmt"

	"github.com/tallyroot/tallyroot/trillianlog/internal/logtree"
)

// write makes the batch durable and gives each item its place, or its own err if
// the back end does not have it. fresh is how many it stored. An error is for the
// whole batch: ErrNoSpace and ErrUnavailable say that nothing of it is stored,
// ErrUnknown and ErrClosed that it is not known what is. A batch that an outage
// has answered is left at the next step.
func (s *sequencer) write(ctx context.Context, b *batch) (fresh int, err error) {
	if s.reserve != nil {
		if err := s.reserve(); err != nil {
			return 0, fmt.Errorf("%w: %w", ErrNoSpace, err)
		}
	}
	known := s.mustLookUp || s.repeats
	missing, err := s.prepare(ctx, b.items, known)
	if err != nil {
		return 0, err
	}
	first := s.next
	fresh, plan := len(missing), indices(nil, first, len(missing))
	for attempt := 1; len(missing) > 0; attempt++ {
		if !s.send(b) {
			return fresh - len(missing), nil
		}
		var failure error
		if known {
			failure = s.backend.add(ctx, missing, plan)
		} else {
			failure = s.backend.addNew(ctx, missing, first)
		}
		if refused(failure) && !known {
			known, s.mustLookUp = true, errors.Is(failure, errors.ErrUnsupported)
			if missing, err = s.prepare(ctx, b.items, known); err != nil {
				return 0, err
			}
			fresh, plan = len(missing), indices(nil, first, len(missing))
			continue
		}
		if failure == nil {
			for i, it := range missing {
				it.index, it.stands = plan[i], it.hash
				s.next = max(s.next, plan[i]+1)
			}
			break
		}
		// Some, all or none of them may be stored. No index is given before
		// the back end has said what it has.
		s.settled = false
		s.count(func(c *Counts) { c.Unsettled++ })
		if say, _ := s.unconfirmed.begin(); say {
			s.logger.Warn("the back end did not confirm a write; asking what it has",
				"error", failure, "first", plan[0], "leaves", len(missing))
		}
		known = true
		err := s.again(func() (err error) {
			missing, plan, err = s.ask(ctx, missing, first)
			return err
		})
		if err != nil {
			return 0, s.fail(ctx, err, ErrUnknown)
		}
		ending := s.patience.Err() != nil
		if attempt < writeAttempts && !ending {
			continue
		}
		why := fmt.Errorf("%w: it refused this one", ErrUnavailable)
		if ending {
			why = ErrClosed
		} else {
			s.refused = failure
		}
		for _, it := range missing {
			it.err = why
		}
		fresh -= len(missing)
		missing = nil
	}
	s.noteStored()
	return fresh, nil
}

// prepare finds out where the log ends, if that is not certain, and which items are
// not stored, if they are to be looked up.
func (s *sequencer) prepare(ctx context.Context, items []*item, lookUp bool) (missing []*item, err error) {
	missing = items
	err = s.again(func() (err error) {
		if !s.settled {
			if err := s.settle(ctx); err != nil {
				return err
			}
		}
		if lookUp {
			missing, err = s.lookUp(ctx, items)
		}
		return err
	})
	if err != nil {
		return nil, s.fail(ctx, err, ErrUnavailable)
	}
	s.repeats = len(missing) < len(items)
	return missing, nil
}

// tidy follows each batch: what a torn write has left must not stay a hole.
func (s *sequencer) tidy(ctx context.Context) {
	refused := s.refused
	s.refused = nil
	switch {
	case logtree.CannotGrow(refused):
		s.onStop(damaged(s.stored.Load(), refused))
	case refused != nil:
		s.leave(fmt.Errorf("%w: %w", errRefused, refused))
	case !s.settled && s.outage.Load() == nil && ctx.Err() == nil:
		var stopped *StopError
		if err := s.settle(ctx); errors.As(err, &stopped) {
			s.onStop(stopped)
		} else if err != nil {
			s.leave(err)
		}
	}
}

// noteStored tells the publisher of leaves that are durable.
func (s *sequencer) noteStored() {
	if s.next > s.stored.Load() {
		s.stored.Store(s.next)
		s.onStored()
	}
}

// writeAttempts is how often a batch is written before its leaves are refused.
const writeAttempts = 4

// fail says why a batch was not written: the log ends, it has to stop, or the back
// end does not answer. That is an outage, and it has answered the batch.
func (s *sequencer) fail(ctx context.Context, err, otherwise error) error {
	var stopped *StopError
	switch {
	case errors.As(err, &stopped):
		return stopped
	case ctx.Err() != nil || s.patience.Err() != nil:
		return fmt.Errorf("%w: %w", ErrClosed, otherwise)
	}
	if s.outage.Load() == nil {
		s.leave(err)
	}
	return fmt.Errorf("%w: %w", otherwise, err)
}

// lookUp fills in the items that are stored, and gives those that are not.
func (s *sequencer) lookUp(ctx context.Context, items []*item) (missing []*item, err error) {
	identities := make([][32]byte, len(items))
	for i, it := range items {
		identities[i] = it.identity
	}
	stored, err := s.backend.find(ctx, identities)
	if err != nil {
		return nil, err
	}
	if len(stored) == 0 {
		return items, nil
	}
	missing = make([]*item, 0, len(items)-len(stored))
	for _, it := range items {
		place, ok := stored[it.identity]
		if !ok {
			missing = append(missing, it)
			continue
		}
		it.index, it.stands, it.existed = place.Index, place.LeafHash, true
	}
	return missing, nil
}

// ask finds out which of the items a write from the index first on has stored, and
// plans indices for the others: at first the holes that it left. After an error
// missing is items.
func (s *sequencer) ask(ctx context.Context, items []*item, first uint64) (missing []*item, plan []uint64, err error) {
	missing, err = s.lookUp(ctx, items)
	if err != nil {
		return items, nil, err
	}
	next, holes, err := s.end(ctx)
	if err != nil {
		return items, nil, err
	}
	s.next = next
	for _, it := range items {
		// Or it was stored by this very call.
		it.existed = it.existed && it.index < first
	}
	return missing, indices(holes, next, len(missing)), nil
}

// end is the back end's Next. A back end that has fewer leaves than it confirmed
// gives a *StopError: an index that was given must not be given again.
func (s *sequencer) end(ctx context.Context) (next uint64, holes []uint64, err error) {
	next, holes, err = s.backend.next(ctx)
	if stored := s.stored.Load(); err == nil && next < stored {
		err = stop(RolledBack, "the back end has %d leaves; %d were stored before: it was restored from an older copy; put the newest one back", next, stored)
	}
	return next, holes, err
}

// settle reads from the back end where the log ends, and fills the holes below
// with leaves that say that they are nothing else.
func (s *sequencer) settle(ctx context.Context) error {
	next, holes, err := s.end(ctx)
	if err != nil {
		return err
	}
	if len(holes) > 0 && s.void == nil {
		return fmt.Errorf("the back end has no leaf at index %d although it has one at %d, and this log has no filler leaf", holes[0], next-1)
	}
	for len(holes) > 0 {
		n := min(len(holes), s.maxBatch)
		if err := s.fill(ctx, holes[:n]); err != nil {
			return err
		}
		holes = holes[n:]
	}
	s.next, s.settled = next, true
	return nil
}

func (s *sequencer) fill(ctx context.Context, holes []uint64) error {
	s.logger.Warn("filling indices that have no leaf", "first", holes[0], "count", len(holes))
	items := make([]*item, len(holes))
	for i, index := range holes {
		leaf, err := s.void(index)
		if err != nil {
			return fmt.Errorf("make the leaf that fills index %d: %w", index, err)
		}
		items[i] = &item{identity: leaf.Identity, hash: leafHash(leaf.Value), value: leaf.Value}
	}
	if err := s.backend.add(ctx, items, holes); err != nil {
		return fmt.Errorf("fill the index %d: %w", holes[0], err)
	}
	return nil
}

// indices gives n indices: those of holes first, then from next on.
func indices(holes []uint64, next uint64, n int) []uint64 {
	plan := make([]uint64, n)
	for i := range plan {
		if i < len(holes) {
			plan[i] = holes[i]
		} else {
			plan[i] = next + uint64(i-min(n, len(holes)))
		}
	}
	return plan
}

func (s *sequencer) count(f func(*Counts)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.counts)
}
