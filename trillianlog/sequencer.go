package trillianlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// MaxLeaf is the largest leaf that the log takes, in bytes: an entry
	// bundle writes the length in 16 bits (c2sp.org/tlog-tiles).
	MaxLeaf = math.MaxUint16
	// maxBatchBytes bounds one write to the back end: gRPC's default limit is
	// 4 MiB a message.
	maxBatchBytes = 3 << 20
)

// NoIndex stands in [Stored] for the index of a leaf that has none yet.
const NoIndex = math.MaxUint64

// sequencer is the one writer. It gives each leaf its index and writes it to
// the back end: whatever has gathered while the last batch was being written,
// without a timer.
//
// A leaf goes through three places: a batch in queue, the batch that run
// writes, a batch in unpublished. It is in flying during the first two. When it
// is durable the back end itself finds its identity, so what the log keeps in
// memory does not grow while nothing can be published.
type sequencer struct {
	backend   *rpc
	reserve   func() error
	void      func(index uint64) (Leaf, error)
	hook      func(leaves int, took time.Duration)
	logger    *slog.Logger
	maxBatch  int
	maxLeaves int
	maxBytes  int
	patience  context.Context          // ends when nothing is to be tried again
	onStored  func()                   // wakes the publisher
	taken     func(stored uint64) bool // whether the publisher has come to that many

	// stored is the index after the last leaf that this process knows to be
	// durable.
	stored atomic.Uint64

	// Owned by run.
	next    uint64
	settled bool // next is what the back end would say, and there is no hole

	wake chan struct{} // holds one token while the queue may be non-empty

	mu          sync.Mutex
	queue       []*batch // the last one takes new leaves while it is not full
	flying      map[[32]byte]*item
	leaves      int // in flying
	bytes       int
	refuse      error    // why no leaf is taken any more
	published   uint64   // size of the published checkpoint
	unpublished []*batch // durable, in the order of their writing
	stuck       error    // why no index can be given at the moment
	counts      Counts
}

// Counts are totals since the log was opened.
type Counts struct {
	Batches    uint64 // writes to the back end
	Leaves     uint64 // leaves given an index
	Duplicates uint64 // calls for a leaf that was logged or under way already
	Conflicts  uint64 // items refused because another leaf has the identity
	Unsettled  uint64 // writes whose outcome had to be asked for
}

// add takes all leaves or none.
func (s *sequencer) add(leaves []Leaf) ([]*Ticket, error) {
	tickets := make([]*Ticket, len(leaves))
	bytes := 0
	for i, leaf := range leaves {
		if len(leaf.Value) == 0 || len(leaf.Value) > MaxLeaf {
			return nil, fmt.Errorf("a leaf of %d bytes: the log takes 1 to %d", len(leaf.Value), MaxLeaf)
		}
		bytes += len(leaf.Value)
		tickets[i] = &Ticket{leafHash: leafHash(leaf.Value)}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		return nil, s.refuse
	}
	if s.leaves+len(leaves) > s.maxLeaves || s.bytes+bytes > s.maxBytes {
		return nil, fmt.Errorf("%w: %d leaves of %d bytes in all wait, at most %d of %d bytes may",
			ErrBusy, s.leaves, s.bytes, s.maxLeaves, s.maxBytes)
	}
	for i, leaf := range leaves {
		t := tickets[i]
		if flying, ok := s.flying[leaf.Identity]; ok {
			t.item = flying
			s.counts.Duplicates++
			continue
		}
		t.first = true
		t.item = s.enqueue(leaf, t.leafHash)
	}
	signal(s.wake)
	return tickets, nil
}

// enqueue is called with mu held.
func (s *sequencer) enqueue(leaf Leaf, hash [32]byte) *item {
	var b *batch
	if n := len(s.queue); n > 0 {
		b = s.queue[n-1]
	}
	if b == nil || len(b.items) >= s.maxBatch || b.bytes+len(leaf.Value) > maxBatchBytes {
		b = &batch{done: make(chan struct{})}
		s.queue = append(s.queue, b)
	}
	it := &item{batch: b, identity: leaf.Identity, hash: hash, value: leaf.Value}
	b.items = append(b.items, it)
	b.bytes += len(leaf.Value)
	s.flying[leaf.Identity] = it
	s.leaves++
	s.bytes += len(leaf.Value)
	return it
}

// find says whether the identity is under way.
func (s *sequencer) find(identity [32]byte) (Stored, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it, ok := s.flying[identity]
	if !ok {
		return Stored{}, false
	}
	return Stored{Index: NoIndex, LeafHash: it.hash}, true
}

// run writes batches until the log is closed and the queue is empty, or ctx
// ends.
func (s *sequencer) run(ctx context.Context) {
	for {
		b := s.take(ctx)
		if b == nil {
			return
		}
		start := time.Now()
		fresh, err := s.write(ctx, b)
		s.finish(b, fresh, err)
		if s.hook != nil && err == nil {
			s.hook(fresh, time.Since(start))
		}
	}
}

// take gives the oldest batch, and nil when there will be none.
//
// A batch that is not full is left to gather while the publisher has not come to
// the last one: written now, it would only wait for the publisher later, and
// make the disk write more often.
func (s *sequencer) take(ctx context.Context) *batch {
	for {
		// Those who were answered with the last checkpoint log their next leaf
		// first.
		runtime.Gosched()
		taken := s.taken(s.stored.Load())
		s.mu.Lock()
		if n := len(s.queue); n > 1 || n == 1 && (taken || s.refuse != nil) {
			b := s.queue[0]
			s.queue[0] = nil
			s.queue = s.queue[1:]
			s.mu.Unlock()
			return b
		}
		closing := s.refuse != nil && len(s.queue) == 0
		s.mu.Unlock()
		if closing {
			return nil
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return nil
		}
	}
}

// finish moves a written batch on to where it waits for the publisher, or
// answers it.
func (s *sequencer) finish(b *batch, fresh int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range b.items {
		delete(s.flying, it.identity)
		s.leaves--
		it.value = nil
		if it.err == nil && err == nil {
			b.end = max(b.end, it.index+1)
			if it.stands != it.hash {
				s.counts.Conflicts++
			} else if it.existed {
				s.counts.Duplicates++
			}
		}
	}
	s.bytes -= b.bytes
	b.items = nil
	if err == nil && fresh > 0 {
		s.counts.Batches++
		s.counts.Leaves += uint64(fresh)
	}
	var stopped *StopError
	switch {
	case err != nil:
		b.close(err)
	case b.end <= s.published:
		b.close(nil)
	case errors.As(s.refuse, &stopped):
		b.close(s.refuse)
	default:
		s.unpublished = append(s.unpublished, b)
	}
}

// release answers what a published checkpoint of the size covers.
func (s *sequencer) release(size uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.published = size
	n := 0
	for n < len(s.unpublished) && s.unpublished[n].end <= size {
		s.unpublished[n].close(nil)
		s.unpublished[n] = nil
		n++
	}
	s.unpublished = s.unpublished[n:]
}

// shut makes add refuse with why. A *StopError also answers everything that
// waits, because nothing will be published any more; what is being written is
// answered when that is done. Any other reason lets run empty the queue.
func (s *sequencer) shut(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var stopped *StopError
	if errors.As(s.refuse, &stopped) {
		return
	}
	s.refuse = why
	if errors.As(why, &stopped) {
		s.abandon(why)
	}
	signal(s.wake)
}

// abandon answers everything that waits. It is called with mu held.
func (s *sequencer) abandon(why error) {
	for _, b := range s.queue {
		for _, it := range b.items {
			delete(s.flying, it.identity)
			s.leaves--
		}
		s.bytes -= b.bytes
		b.items = nil
		b.close(why)
	}
	for _, b := range s.unpublished {
		b.close(why)
	}
	s.queue, s.unpublished = nil, nil
}

// write makes the batch durable and gives each item its place. When it returns
// an error, none of the items has been given a place that anybody was told,
// and those whose fate is known not to be "stored" have their own err.
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

// signal puts a token into a channel that holds one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
