package trillianlog

import (
	"errors"
	"fmt"
)

// What a caller of [Log.Add] and [Ticket.Wait] decides on.
var (
	// ErrBusy: more leaves wait to be written than Options.MaxQueue or
	// MaxQueueBytes allows, or to be published than MaxUnpublished. Nothing was
	// logged; ask again in a moment.
	ErrBusy = errors.New("the log is busy: too many leaves wait")
	// ErrNoSpace: Options.Reserve says that there is no room. Nothing was
	// logged; appends go on by themselves when there is room again.
	ErrNoSpace = errors.New("no room for more leaves")
	// ErrUnavailable: the back end does not answer, or refused the leaf and said
	// afterwards that it does not have it. Unless ErrUnknown is there too, nothing
	// was logged; ask again in a second.
	ErrUnavailable = errors.New("the log's back end takes no leaves")
	// ErrUnknown: the back end stopped answering while it was given the leaf. Log
	// it again when it answers: the identity makes that safe.
	ErrUnknown = errors.New("it is not known whether it stored this one")
	// ErrClosed: the log is closed or closing. For a leaf that was on its way
	// the outcome is unknown: log it again, the identity makes that safe.
	ErrClosed = errors.New("the log is closed")
	// ErrStopped: the log has stopped publishing for good, see [StopError].
	ErrStopped = errors.New("the log has stopped publishing")
	// ErrNotPublished: no published checkpoint covers the index yet.
	ErrNotPublished = errors.New("not covered by a published checkpoint yet")
	// ErrUnmet: the published checkpoint does not meet the policy. It was published
	// under another one, and is cosigned again.
	ErrUnmet = errors.New("the published checkpoint does not meet the policy yet")
	// ErrTaken is the answer of Backend.AddNew where an identity or an index is taken.
	ErrTaken = errors.New("the back end has a leaf of one of these identities or indices already")
	// ErrWitnessAhead is what Options.Witness wraps when a witness has seen a
	// larger checkpoint of this log than the one it was asked to cosign. The
	// log then stops for good.
	ErrWitnessAhead = errors.New("a witness has seen a larger checkpoint of this log")
)

// Conflict says that another leaf stands under the identity.
type Conflict struct {
	Index uint64 // where the other leaf stands
}

func (c *Conflict) Error() string {
	return fmt.Sprintf("another leaf with the same identity stands at index %d", c.Index)
}

// Reason says why a log stopped publishing for good.
type Reason string

// The reasons. None goes away by itself: an operator has to look.
const (
	// RolledBack: the back end has fewer leaves than were signed.
	RolledBack Reason = "rolled back"
	// Forked: the leaves do not give a root that was signed.
	Forked Reason = "forked"
	// Corrupt: leaves and Trillian's root do not belong together.
	Corrupt Reason = "corrupt"
	// LastCheckpointBehind: the last-checkpoint store is older than the
	// published checkpoint.
	LastCheckpointBehind Reason = "last checkpoint behind"
	// LastCheckpointTaken: somebody else has changed the last-checkpoint
	// store: another process publishes this log.
	LastCheckpointTaken Reason = "last checkpoint taken"
	// WitnessAhead: a witness has seen a larger checkpoint than ours.
	WitnessAhead Reason = "witness ahead"
)

// StopError is why a log stopped publishing. It wraps [ErrStopped].
type StopError struct {
	Reason Reason
	Detail string // what differs from what, and what to do
}

func (e *StopError) Error() string {
	return fmt.Sprintf("%v (%s): %s", ErrStopped, e.Reason, e.Detail)
}

// Unwrap makes errors.Is(err, ErrStopped) hold.
func (e *StopError) Unwrap() error { return ErrStopped }

func stop(reason Reason, format string, args ...any) *StopError {
	return &StopError{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}
