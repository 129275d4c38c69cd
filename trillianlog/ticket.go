package trillianlog

import (
	"context"
	"crypto/sha256"
)

// Ticket stands for one call of [Log.Add].
type Ticket struct {
	item     *item
	leafHash [32]byte
	first    bool // this call brought the item; others joined it
}

// LeafHash is the RFC 6962 hash of the leaf that was given to Add.
func (t *Ticket) LeafHash() [32]byte { return t.leafHash }

// Wait returns when a published checkpoint covers the leaf, or when it is
// certain that none will. Errors: *Conflict, ErrNoSpace, ErrUnavailable,
// *StopError, ErrClosed; or ctx's, and then the leaf is still under way: wait
// again, or log it again later. Any number of goroutines may wait.
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
	case t.item.err != nil:
		return Placed{}, t.item.err
	case t.item.batch.err != nil:
		return Placed{}, t.item.batch.err
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

	// end is the size that a published checkpoint must have to cover the
	// batch. Set by the sequencer when the batch is durable.
	end  uint64
	err  error // set before done is closed
	done chan struct{}
}

func (b *batch) close(err error) {
	b.err = err
	close(b.done)
}

func leafHash(value []byte) (hash [32]byte) {
	h := sha256.New()
	h.Write([]byte{0})
	h.Write(value)
	h.Sum(hash[:0])
	return hash
}
