package verify

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/participant"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
)

// A Reason is one way to fail. It is a short word that never changes, the same in
// every implementation; Error says it for people.
type Reason string

// The ways to fail. Each error of this package is an *Error that wraps one. Those
// of the index log's checkpoint and of the log's are told apart; what is checked
// when stands in the vectors' README.
const (
	ErrPolicy    Reason = "policy"
	ErrMalformed Reason = "malformed"
	ErrAsked     Reason = "asked"
	ErrMixed     Reason = "mixed"
	ErrTwice     Reason = "twice"

	ErrIndexForm      Reason = "index-form"
	ErrIndexOrigin    Reason = "index-origin"
	ErrIndexSignature Reason = "index-signature"
	ErrIndexUnsigned  Reason = "index-unsigned"
	ErrIndexQuorum    Reason = "index-quorum"
	ErrIndexEmpty     Reason = "index-empty"
	ErrLeafForm       Reason = "leaf-form"
	ErrLeafLog        Reason = "leaf-log"
	ErrLeafInclusion  Reason = "leaf-inclusion"

	ErrLogForm      Reason = "log-form"
	ErrLogOrigin    Reason = "log-origin"
	ErrLogSignature Reason = "log-signature"
	ErrLogUnsigned  Reason = "log-unsigned"
	ErrLogQuorum    Reason = "log-quorum"
	ErrLogLeaf      Reason = "log-leaf"
	ErrStale        Reason = "stale"
	ErrAhead        Reason = "ahead"

	ErrMapKey     Reason = "map-key"
	ErrMapAbsence Reason = "map-absence"
	ErrMapPath    Reason = "map-path"
	ErrMapRoot    Reason = "map-root"
	ErrOrder      Reason = "order"
	ErrBeyond     Reason = "beyond"
	ErrList       Reason = "list"
	ErrPage       Reason = "page"

	ErrInclusion Reason = "inclusion"
	ErrEntry     Reason = "entry"
	ErrOrigin    Reason = "origin"
	ErrKey       Reason = "key"

	ErrParticipants Reason = "participants"
	ErrGenesis      Reason = "genesis"
	ErrOperator     Reason = "operator"

	ErrHidden       Reason = "hidden"
	ErrFork         Reason = "fork"
	ErrInconsistent Reason = "inconsistent"
)

var reasons = map[Reason]string{
	ErrPolicy:    "the trust that was given is none, or contradicts itself",
	ErrMalformed: "this is not what it should be",
	ErrAsked:     "this is about something other than what was asked for",
	ErrMixed:     "its histories are not all proved at one checkpoint",
	ErrTwice:     "a history stands there twice",

	ErrIndexForm:      "the index log's checkpoint is malformed",
	ErrIndexOrigin:    "the index checkpoint is of an index log that is not trusted",
	ErrIndexSignature: "a signature of the index log's checkpoint does not hold",
	ErrIndexUnsigned:  "the index log's key did not sign its checkpoint",
	ErrIndexQuorum:    "too few witnesses cosigned the index log's checkpoint",
	ErrIndexEmpty:     "the index log is empty",
	ErrLeafForm:       "the leaf of the index log is malformed",
	ErrLeafLog:        "the leaf of the index log is about another log",
	ErrLeafInclusion:  "the leaf is not the newest one of the index log",

	ErrLogForm:      "the log's checkpoint is malformed",
	ErrLogOrigin:    "the checkpoint is of a log that is not trusted",
	ErrLogSignature: "a signature of the log's checkpoint does not hold",
	ErrLogUnsigned:  "the log's key did not sign its checkpoint",
	ErrLogQuorum:    "too few witnesses cosigned the log's checkpoint",
	ErrLogLeaf:      "the log's checkpoint is not the one that the index was made from",
	ErrStale:        "the log's checkpoint was not witnessed recently enough",
	ErrAhead:        "the log's checkpoint was witnessed in the future",

	ErrMapKey:     "the index's proof is about another key",
	ErrMapAbsence: "the index's proof does not show that nothing is logged under the key",
	ErrMapPath:    "the index's proof is not a path from a leaf to the root",
	ErrMapRoot:    "the index's proof does not lead to its root",
	ErrOrder:      "the positions do not strictly increase",
	ErrBeyond:     "a position is not below the log's size",
	ErrList:       "the positions are not those that the index has",
	ErrPage:       "the entries are not those at the positions",

	ErrInclusion: "the entry is not what stands in the log at that position",
	ErrEntry:     "the entry is malformed",
	ErrOrigin:    "the entry is written for another log",
	ErrKey:       "the entry does not belong in this history",

	ErrParticipants: "the signers' histories are not those that are needed",
	ErrGenesis:      "the log does not begin as it must",
	ErrOperator:     "the log's operator is not the one that is trusted",

	ErrHidden:       "the history leaves out an entry that the log holds",
	ErrFork:         "the log was shown in two versions",
	ErrInconsistent: "the checkpoints are not proved to be of one log",
}

func (r Reason) Error() string { return reasons[r] }

// An Error says what is wrong and where.
type Error struct {
	Reason  Reason
	History string // which one, of several; "" for the one that was read
	Index   uint64 // the entry's position in the log
	AtIndex bool   // whether there is one
	Err     error  // what else is known; may be nil
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.History != "" {
		b.WriteString("history of " + e.History + ": ")
	}
	if e.AtIndex {
		fmt.Fprintf(&b, "entry %d: ", e.Index)
	}
	b.WriteString(e.Reason.Error())
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap gives the reason and what else is known.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Reason}
	}
	return []error{e.Reason, e.Err}
}

func fail(reason Reason, err error) error { return &Error{Reason: reason, Err: err} }

func failAt(reason Reason, index uint64, err error) error {
	return &Error{Reason: reason, Index: index, AtIndex: true, Err: err}
}

// within says in which history an error is, unless it says so already.
func within(err error, key historyindex.Key) error {
	if e, ok := err.(*Error); ok && e.History == "" {
		e.History = key.String()
	}
	return err
}

// A role is one of the two logs.
type role struct{ form, origin, signature, unsigned, quorum Reason }

var (
	indexRole = role{ErrIndexForm, ErrIndexOrigin, ErrIndexSignature, ErrIndexUnsigned, ErrIndexQuorum}
	logRole   = role{ErrLogForm, ErrLogOrigin, ErrLogSignature, ErrLogUnsigned, ErrLogQuorum}
)

// check judges a signed checkpoint by a policy.
func (r role) check(p *policy.Policy, signed string) (policy.Verdict, error) {
	v, err := p.Check([]byte(signed))
	if err == nil {
		return v, nil
	}
	reason := r.form
	var origin *checkpoint.OriginError
	var signature *checkpoint.SignatureError
	switch {
	case errors.As(err, &origin):
		reason = r.origin
		if exchanged(origin) {
			err = fmt.Errorf("%w; one is the index log of the other: are the two exchanged?", err)
		}
	case errors.As(err, &signature):
		reason = r.signature
	case errors.Is(err, checkpoint.ErrUnsigned):
		reason = r.unsigned
	case errors.Is(err, policy.ErrQuorum):
		reason = r.quorum
	}
	return v, fail(reason, err)
}

// exchanged tells whether one of the two logs is judged by what is for the other.
func exchanged(e *checkpoint.OriginError) bool {
	return slices.ContainsFunc(e.Want, func(want string) bool {
		return want == participant.IndexOrigin(e.Got) || e.Got == participant.IndexOrigin(want)
	})
}

// mapReason tells why a map proof fails.
func mapReason(err error) Reason {
	switch {
	case errors.Is(err, historyindex.ErrProofKey):
		return ErrMapKey
	case errors.Is(err, historyindex.ErrProofAbsence):
		return ErrMapAbsence
	case errors.Is(err, historyindex.ErrProofPath):
		return ErrMapPath
	case errors.Is(err, historyindex.ErrProofRoot):
		return ErrMapRoot
	}
	return ErrMalformed
}
