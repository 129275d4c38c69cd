package trillianlog

import "time"

// Hooks are told what the log does, for metrics. Any may be nil. They are called
// by the goroutines that do the work, so they must not block.
type Hooks struct {
	// OnBatch: one write has made new leaves durable, which took so long.
	OnBatch func(leaves int, took time.Duration)
	// OnPublish: a checkpoint was published, so long after the back end stated its
	// tree.
	OnPublish func(size uint64, took time.Duration)
	// OnProvable: a published checkpoint covers what one write has made durable so
	// long ago.
	OnProvable func(took time.Duration)
	// OnError: a call to the back end has failed. call is one of Calls.
	OnError func(call string)
}
