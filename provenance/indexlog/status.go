package indexlog

import (
	"time"

	"github.com/tallyroot/tallyroot/provenance/historyindex/store"
)

// Status is how the index log is at a moment.
type Status struct {
	// Err is nil, or the *trillianlog.StopError with which it has stopped for good.
	Err error
	// Publishing is nil, or why publishing does not get on at the moment.
	Publishing error
	// Readable is nil, or why there is no Snapshot: an error that wraps ErrNotServed.
	Readable error

	Published   uint64    // size of the published index checkpoint
	PublishedAt time.Time // zero if nothing is published
	Covered     uint64    // entries of the log that it covers
	Behind      uint64    // published entries of the log that it does not cover
	Stats       store.Stats
}
