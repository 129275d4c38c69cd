package trillianlog

import (
	"context"
	"crypto/sha256"
	"time"
)

// Ticket stands for one call of [Log.Add].
type Ticket struct {
	item     *item
	leafHash [32]byte
	first    bool // this call brought the item; others joined it
}

// LeafHash is the RFC 6962 hash of the leaf that was given to Add.
func (t *Ticket) LeafHash() [32]byte { return t.leafHash }

// Wait returns when a published checkpoint covers the leaf, when it is certain
// that none will, or when nobody can say for now. Errors: *Conflict, ErrNoSpace,
// ErrUnavailable, *StopError; ErrUnknown, ErrClosed: log it again, to see; or
// ctx's, and then the leaf is still under way: wait again, or log it again later.
// Any number of goroutines may wait.
func (t *Ticket) Wait(ctx context.Context) (Placed, error) {
	select {
	case <-t.item.batch.done:
		return t.outcome()
	default:
	}
	select {
	case <-t.item.batch.done:
		return t.outcome()
	case <-ctx.Done():
		return Placed{}, ctx.Err()
	}
}

func (t *Ticket) outcome() (Placed, error) {
	switch {
	case t.item.batch.err != nil: // first: the sequencer may still be at the item
		return Placed{}, t.item.batch.err
	case t.item.err != nil:
		return Placed{}, t.item.err
	case t.item.stands != t.leafHash:
		return Placed{}, &Conflict{Index: t.item.index}
	}
	return Placed{Index: t.item.index, Existed: t.item.existed || !t.first}, nil
}

// item is one identity on its way. Tickets that bring the same identity while
// it is under way share it; each compares its own leaf hash with the one that
// came to stand.
type item struct {
	batch *batch

	// Set by Add, under Log.mu.
	identity [32]byte
	hash     [32]byte
	value    []byte // nil once the batch is written

	// Set by the sequencer before batch.done is closed.
	index   uint64
	stands  [32]byte // hash of the leaf that stands at index
	existed bool     // it stood there before
	err     error
}

// batch is what is written, and answered, together.
type batch struct {
	items []*item
	bytes int

	// Guarded by sequencer.mu.
	begun    time.Time // when run took it
	sent     bool      // the back end may have got it
	answered bool
	durable  time.Time // when it was

	// end is the size that a published checkpoint must have to cover the
	// batch. Set by the sequencer when the batch is durable.
	end  uint64
	err  error // set before done is closed
	done chan struct{}
}

// answer is called with sequencer.mu held. Only the first answer counts.
func (b *batch) answer(err error) {
	if b.answered {
		return
	}
	b.answered, b.err = true, err
	close(b.done)
}

func leafHash(value []byte) (hash [32]byte) {
	h := sha256.New()
	h.Write([]byte{0})
	h.Write(value)
	h.Sum(hash[:0])
	return hash
}
