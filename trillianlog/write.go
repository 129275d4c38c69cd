package trillianlog

import (
	"context"
	"fmt"
)

// write makes the batch durable and gives each item its place, or its own err if
// the back end does not have it. fresh is how many it stored. An error is for the
// whole batch: ErrNoSpace and ErrUnavailable say that nothing of it is stored,
// ErrClosed that it is not known what is.
func (s *sequencer) write(ctx context.Context, b *batch) (fresh int, err error) {
	if s.reserve != nil {
		if err := s.reserve(); err != nil {
			return 0, fmt.Errorf("%w: %w", ErrNoSpace, err)
		}
	}
	if !s.settled {
		if err := s.settle(ctx); err != nil {
			return 0, unavailable(ctx, err)
		}
	}
	missing, err := s.lookUp(ctx, b.items)
	if err != nil {
		return 0, unavailable(ctx, err)
	}
	fresh = len(missing)
	plan := indices(nil, s.next, len(missing))
	for attempt := 1; len(missing) > 0; attempt++ {
		failure := s.backend.add(ctx, missing, plan)
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
		s.logger.Warn("the back end did not confirm a write; asking what it has",
			"error", failure, "first", plan[0], "leaves", len(missing))
		missing, plan, err = s.ask(ctx, missing)
		if err != nil {
			return 0, fmt.Errorf("%w: %v", ErrClosed, err)
		}
		if attempt == writeAttempts {
			for _, it := range missing {
				it.err = unavailable(ctx, failure)
			}
			fresh -= len(missing)
			missing = nil
		}
	}
	if !s.settled {
		// What is left of a torn write must not stay a hole.
		if err := s.settle(ctx); err != nil {
			s.logger.Warn("the back end's leaves are not in order yet", "error", err)
		}
	}
	if s.next > s.stored.Load() {
		s.stored.Store(s.next)
		s.onStored()
	}
	return fresh, nil
}

// writeAttempts is how often a batch is written before its leaves are refused.
const writeAttempts = 4

// unavailable is why nothing of a batch was written.
func unavailable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %v", ErrClosed, err)
	}
	return fmt.Errorf("%w: %v", ErrUnavailable, err)
}

// lookUp fills in the items that are stored, and gives those that are not.
func (s *sequencer) lookUp(ctx context.Context, items []*item) (missing []*item, err error) {
	identities := make([][32]byte, len(items))
	for i, it := range items {
		identities[i] = it.identity
	}
	stored, err := s.backend.Find(ctx, identities)
	if err != nil {
		return nil, fmt.Errorf("look up identities: %w", err)
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

// ask finds out, for as long as it takes, which of the items a write has
// stored, and plans indices for the others: first the holes that it left.
func (s *sequencer) ask(ctx context.Context, items []*item) (missing []*item, plan []uint64, err error) {
	var pause backoff
	for {
		var holes []uint64
		var next uint64
		missing, err = s.lookUp(ctx, items)
		if err == nil {
			next, holes, err = s.backend.Next(ctx)
		}
		s.setStuck(err)
		if err == nil {
			s.next = next
			for _, it := range items {
				// Stored by this very call, not before it.
				it.existed = false
			}
			return missing, indices(holes, next, len(missing)), nil
		}
		s.logger.Error("the back end does not say what it has stored", "error", err)
		if err := pause.wait(s.patience); err != nil {
			return nil, nil, err
		}
	}
}

func (s *sequencer) setStuck(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stuck = err
}

// settle reads from the back end where the log ends, and fills the holes below
// with leaves that say that they are nothing else.
func (s *sequencer) settle(ctx context.Context) error {
	next, holes, err := s.backend.Next(ctx)
	if err != nil {
		return fmt.Errorf("ask for the next index: %w", err)
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
