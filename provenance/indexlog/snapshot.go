package indexlog

import (
	"errors"

	"github.com/tallyroot/tallyroot/provenance/historyindex/store"
)

// ErrNotServed says that there is no index to prove histories with yet, or not since
// the start. What wraps it says why.
var ErrNotServed = errors.New("the history index is not there yet")

// A Snapshot is what histories are proved with at one moment. Everything in it belongs
// together, and none of it may be changed. It is safe for concurrent use until it is
// closed.
type Snapshot struct {
	IndexCheckpoint []byte     // signed, as published
	IndexLeaf       []byte     // the last one that it commits to
	IndexProof      [][32]byte // that the leaf is there: inclusion at size − 1
	LogCheckpoint   []byte     // signed, of the size and root in the leaf
	Size            uint64     // of LogCheckpoint
	View            *store.View
}

// Close lets go of the snapshot, which must not be used any more.
func (s *Snapshot) Close() { s.View.Close() }
