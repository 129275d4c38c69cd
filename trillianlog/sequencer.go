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

// signal puts a token into a channel that holds one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
