package store

import (
	"errors"
	"fmt"

	"github.com/tallyroot/tallyroot/provenance/historyindex"
)

var (
	// ErrDamaged: the map does not hold what it must. It may be deleted; CatchUp then
	// makes it again.
	ErrDamaged = errors.New("the history index's map is damaged")
	// ErrLeavesLost: there are fewer leaves than were made.
	ErrLeavesLost = errors.New("leaves of the index log are missing")
	// ErrBehind: there are leaves that the map has not come to; CatchUp is needed.
	ErrBehind = errors.New("the history index's map is behind its leaves")
	// ErrAhead: the map has more entries than are asked for.
	ErrAhead = errors.New("the history index's map has more entries already")
	// ErrUnpublished: the newest leaf is not published yet, so there can be no next one.
	ErrUnpublished = errors.New("the newest leaf of the index log is not published yet")
	// ErrOrder: a leaf does not follow the newest one: its log is another one, or not
	// larger.
	ErrOrder = errors.New("the checkpoint does not follow that of the newest leaf")
	// ErrRoot: the checkpoint is not that of the entries that the log gave.
	ErrRoot = errors.New("the checkpoint does not have the root of the log's entries")
	// ErrNotServed: there is nothing to be read: no published state, or not since the
	// start.
	ErrNotServed = errors.New("no index checkpoint is served yet")
	// ErrClosed: the index is closed.
	ErrClosed = errors.New("the history index is closed")
)

// A DifferenceError says that a leaf of the index log is not what the log's entries
// give: who made it was wrong or lied, or the entries are not those of then.
type DifferenceError struct {
	Number   uint64 // of the leaf
	Recorded historyindex.Leaf
	Computed historyindex.Leaf
}

func (e *DifferenceError) Error() string {
	size := e.Recorded.Checkpoint.Size
	if e.Recorded.Checkpoint.Root != e.Computed.Checkpoint.Root {
		return fmt.Sprintf("leaf %d of the index log is about a log whose first %d entries have the root %x; those that were read have %x", e.Number, size, e.Recorded.Checkpoint.Root, e.Computed.Checkpoint.Root)
	}
	return fmt.Sprintf("leaf %d of the index log says that the first %d entries give the map root %x, and they give %x", e.Number, size, e.Recorded.MapRoot, e.Computed.MapRoot)
}
