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

// sequencer is the one writer. It gives each leaf its index and writes it to
// the back end: whatever has gathered while the last batch was being written,
// without a timer.
//
// A leaf goes through three places: a batch in queue, the batch that run
// writes, a batch in unpublished. It is in flying during the first two. When it
// is durable the back end itself finds its identity, so what the log keeps in
// memory does not grow while nothing can be published.
type sequencer struct {
	backend        *rpc
	reserve        func() error
	void           func(index uint64) (Leaf, error)
	hooks          Hooks
	logger         *slog.Logger
	maxBatch       int
	maxLeaves      int
	maxBytes       int
	maxUnpublished int
	probe          probe                    // how the back end is asked whether it answers
	stall          time.Duration            // after which a write counts as stalled
	patience       context.Context          // ends when nothing is to be tried again
	onStored       func()                   // wakes the publisher
	onStop         func(*StopError)         // ends the log's publishing and appending
	taken          func(stored uint64) bool // whether the publisher has come to that many

	// stored is the index after the last leaf that this process knows to be
	// durable.
	stored atomic.Uint64
	// resumed is what it was when the back end was last asked for all that it has.
	resumed atomic.Uint64

	// Owned by run.
	next    uint64
	settled bool  // next is what the back end would say, and there is no hole
	refused error // why the back end has not taken the last write
	repeats bool  // the last batch had leaves that were stored before
	// mustLookUp: the back end takes no leaves that were not looked up.
	mustLookUp bool
	mute       bool            // owned by watch: the back end did not answer when last asked
	released   []time.Duration // owned by release

	wake    chan struct{} // holds one token while there may be work
	suspect chan struct{} // holds one token when a call has failed

	trouble     complaint              // that the back end takes no leaves
	unconfirmed complaint              // that writes had an unknown outcome
	outage      atomic.Pointer[outage] // away, for readers without mu

	mu          sync.Mutex
	queue       []*batch // the last one takes new leaves while it is not full
	writing     *batch   // what run writes
	flying      map[[32]byte]*item
	leaves      int // in flying
	bytes       int
	refuse      error    // why no leaf is taken any more
	published   uint64   // size of the published checkpoint
	unpublished []*batch // durable, in the order of their writing
	away        *outage  // nil while the back end takes leaves
	answers     bool     // it is away, and has answered since
	trial       *outage  // it refused the last write, and the next one is let through
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
	if s.away != nil {
		return nil, s.away.refusal
	}
	if err := s.behind(); err != nil {
		return nil, err
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

// behind is nil unless too much waits for the publisher. It is called with mu held.
func (s *sequencer) behind() error {
	if n := len(s.unpublished); n >= s.maxUnpublished {
		return fmt.Errorf("%w: %d writes wait for a checkpoint, at most %d may", ErrBusy, n, s.maxUnpublished)
	}
	return nil
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

// run writes batches until the log is closed and the queue is empty, or ctx
// ends.
func (s *sequencer) run(ctx context.Context) {
	for {
		b, more := s.take(ctx)
		switch {
		case !more:
			return
		case b == nil:
			s.regain(ctx)
			continue
		}
		fresh, err := s.write(ctx, b)
		var stopped *StopError
		if errors.As(err, &stopped) {
			s.onStop(stopped)
		}
		s.finish(b, fresh, err)
		s.tidy(ctx)
	}
}

// take gives the oldest batch, nil when the back end answers again after an
// outage, and false when there will be no more.
//
// A batch that is not full is left to gather while the publisher has not come to
// the last one: written now, it would only wait for the publisher later, and
// make the disk write more often.
func (s *sequencer) take(ctx context.Context) (b *batch, more bool) {
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
			b.begun, s.writing = time.Now(), b
			s.mu.Unlock()
			return b, true
		}
		closing := s.refuse != nil && len(s.queue) == 0
		back := s.away != nil && s.answers
		s.answers = false
		s.mu.Unlock()
		switch {
		case closing:
			return nil, false
		case back:
			return nil, true
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return nil, false
		}
	}
}

// send says that the batch goes to the back end now; false: it was answered, and
// must not.
func (s *sequencer) send(b *batch) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.answered {
		return false
	}
	b.sent = true
	return true
}

// finish moves a written batch on to where it waits for the publisher, or
// answers it.
func (s *sequencer) finish(b *batch, fresh int, err error) {
	now := time.Now()
	if err == nil && fresh > 0 {
		if s.hooks.OnBatch != nil {
			s.hooks.OnBatch(fresh, now.Sub(b.begun))
		}
		if s.outage.Load() == nil {
			if ended, lasted := s.trouble.end(); ended {
				s.logger.Info("the back end takes leaves again", "after", lasted)
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && fresh > 0 {
		s.trial = nil
	}
	s.writing = nil
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
	b.items, b.durable = nil, now
	if err == nil && fresh > 0 {
		s.counts.Batches++
		s.counts.Leaves += uint64(fresh)
	}
	var stopped *StopError
	switch {
	case b.answered:
	case err != nil:
		b.answer(err)
	case b.end <= s.published:
		b.answer(nil)
	case errors.As(s.refuse, &stopped):
		b.answer(s.refuse)
	default:
		s.unpublished = append(s.unpublished, b)
	}
}

// release answers what a published checkpoint of the size covers.
func (s *sequencer) release(size uint64) {
	now := time.Now()
	s.released = s.released[:0]
	s.mu.Lock()
	s.published = size
	n := 0
	for n < len(s.unpublished) && s.unpublished[n].end <= size {
		s.unpublished[n].answer(nil)
		s.released = append(s.released, now.Sub(s.unpublished[n].durable))
		s.unpublished[n] = nil
		n++
	}
	s.unpublished = s.unpublished[n:]
	s.mu.Unlock()
	if s.hooks.OnProvable != nil {
		for _, took := range s.released {
			s.hooks.OnProvable(took)
		}
	}
}

// shut makes add refuse with why. A *StopError also answers everything that
// waits, because nothing will be published any more; what is being written is
// answered when that is done. Any other reason lets run empty the queue.
func (s *sequencer) shut(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped() {
		return
	}
	s.refuse = why
	if s.stopped() {
		s.abandon(why)
	}
	signal(s.wake)
}

// stopped says whether the log has stopped for good. It is called with mu held.
func (s *sequencer) stopped() bool {
	var stopped *StopError
	return errors.As(s.refuse, &stopped)
}

// abandon answers everything that waits. It is called with mu held.
func (s *sequencer) abandon(why error) {
	s.drop(why)
	for _, b := range s.unpublished {
		b.answer(why)
	}
	s.unpublished = nil
}

// drop answers what waits to be written, and never was. It is called with mu
// held.
func (s *sequencer) drop(why error) {
	for _, b := range s.queue {
		for _, it := range b.items {
			delete(s.flying, it.identity)
			s.leaves--
		}
		s.bytes -= b.bytes
		b.items = nil
		b.answer(why)
	}
	s.queue = nil
}

// signal puts a token into a channel that holds one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
