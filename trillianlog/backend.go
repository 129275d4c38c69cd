package trillianlog

import (
	"context"

	"github.com/google/trillian"
)

// Backend is one way to run Trillian. Everything that the log needs beyond
// Trillian's own RPCs stands here: Trillian has no call that says which
// identities are stored, nor one that says where a pre-ordered tree ends when
// leaves are not integrated yet.
//
// A Backend is safe for concurrent use, and every call returns soon after its
// context has ended. It must have exactly one sequencer
// (one [Log]) at a time; what happens when there are two is its own affair:
// no answer of it is believed before the publisher has rebuilt the root.
type Backend interface {
	// Client is Trillian's API to a PREORDERED_LOG tree. When
	// AddSequencedLeaves returns without an error, the leaves whose status is
	// OK are durable.
	Client() trillian.TrillianLogClient
	// AddNew is AddSequencedLeaves for leaves that nobody has looked up. Where one of
	// their identities or indices is taken, none of them is stored, and the error is
	// ErrTaken. A back end that cannot see to that gives errors.ErrUnsupported for
	// everything.
	AddNew(ctx context.Context, leaves *trillian.AddSequencedLeavesRequest) error
	// TreeID is the tree's number in Client's calls.
	TreeID() int64
	// Find gives the place of each stored leaf, integrated or not, that has
	// one of the identities. Those that no stored leaf has are left out.
	Find(ctx context.Context, identities [][32]byte) (map[[32]byte]Stored, error)
	// Next gives the first index such that neither it nor any later one has a
	// stored leaf, integrated or not, and the indices below it without a leaf
	// (holes), in rising order.
	Next(ctx context.Context) (next uint64, holes []uint64, err error)
	// Close releases the back end. No other method may be called after it.
	Close() error
}

// Stored says where a leaf stands and what it is.
type Stored struct {
	Index    uint64
	LeafHash [32]byte // RFC 6962: SHA-256(0x00 ‖ value)
}

// Leaf is what is logged: the bytes, and the identity under which the log
// takes them once. Two leaves of one identity are the same leaf if their bytes
// are the same, and a [Conflict] otherwise.
//
// The log keeps Value without copying it: it must not be changed afterwards.
type Leaf struct {
	Value    []byte
	Identity [32]byte
}

// Placed is the outcome of logging a leaf: a published checkpoint covers
// Index.
type Placed struct {
	Index uint64
	// Existed says that the same leaf was logged, or on its way, before this
	// call. It is then that one's place.
	Existed bool
}
