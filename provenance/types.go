package provenance

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tallyroot/tallyroot/provenance/epcis"
)

// Caller is who asks, as its token says. The zero Caller is the public.
type Caller struct {
	Participant string // the participant for which the token speaks; "" for the public and the operator
	Admin       bool   // the operator's token
}

// Submission is one thing to log, as it was sent.
type Submission struct {
	// Body is an EPCIS 2.0 event or a product or place statement in JSON; or,
	// if Signed, an entry (docs/entries.md) under its participant's own key.
	// It must not be changed afterwards.
	Body   []byte
	Signed bool
}

// Logged is the answer to a Submission.
type Logged struct {
	EventID string // of an event; "" for a statement
	// Existed says that the same text had been logged before; the rest is that
	// entry's.
	Existed bool
	// Pending says that the entry is durable or on its way, but that no
	// published checkpoint covered it in time: the fields below are unset. Ask
	// again later, or send it again: it is logged once.
	Pending  bool
	Index    uint64
	LeafHash [32]byte
	Receipt  []byte // C2SP tlog-proof
	Warnings []string
}

// Result is the outcome of one Submission of a batch.
type Result struct {
	Logged
	Err error
}

// Event is one entry, found.
type Event struct {
	EventID     string
	Index       uint64
	LeafHash    [32]byte
	Entry       []byte
	Participant string // the first, whose identity it has
	Receipt     []byte
	Others      []Other // further entries with this event id
}

// Other is another entry with the same event id.
type Other struct {
	Index       uint64
	Participant string
}

// Token tells of a bearer token; Secret only when it has just been made.
type Token struct {
	Participant string
	Number      uint64
	Secret      string
	Created     time.Time
	Expires     time.Time // zero: never
	Revoked     time.Time // zero: it is good
}

// Refused says that what was sent is not taken, and everything that is wrong
// with it. Nothing of it was logged.
type Refused struct {
	Problems []epcis.Problem
}

func (e *Refused) Error() string {
	if len(e.Problems) == 1 {
		return e.Problems[0].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d problems:", len(e.Problems))
	for _, p := range e.Problems {
		b.WriteString("\n  " + p.String())
	}
	return b.String()
}

// problemOf makes one problem of a reason that names no field.
func problemOf(err error) []epcis.Problem {
	return []epcis.Problem{{Wrong: err.Error(), Want: "a statement that the log's rules take (docs/entries.md)"}}
}

func refuse(path, wrong, want string) error {
	return &Refused{Problems: []epcis.Problem{{Path: path, Wrong: wrong, Want: want}}}
}

// TooLarge says that something is over a limit.
type TooLarge struct {
	What        string // such as "the entry"
	Unit        string // such as "bytes"
	Size, Limit int
}

func (e *TooLarge) Error() string {
	return fmt.Sprintf("%s has %d %s; the limit is %d", e.What, e.Size, e.Unit, e.Limit)
}

// Conflict says that another text stands in the log under the same identity.
type Conflict struct {
	What   string // such as the event id
	Index  uint64 // where the other text stands
	Hashed bool   // the id is the event hash of both: they say the same in other forms
}

func (e *Conflict) Error() string {
	if e.Hashed {
		return fmt.Sprintf("%s is logged already, at index %d, written in another way: its event hash is the same, so nothing is left to do; to log it as another event, give it an eventID of its own", e.What, e.Index)
	}
	return fmt.Sprintf("%s is logged already, at index %d, with another text: an event is never changed; give a new event another eventID, or withdraw the old one with an error declaration", e.What, e.Index)
}

// What a caller may be told. Errors of this package wrap them with what and
// where.
var (
	// ErrUnauthenticated: no token, or one that is not good.
	ErrUnauthenticated = errors.New("not authenticated")
	// ErrForbidden: the token is good, but not for this.
	ErrForbidden = errors.New("not allowed")
	// ErrNotFound: nothing stands there.
	ErrNotFound = errors.New("not found")
	// ErrUnderWay: it was taken, and no published checkpoint covers it yet.
	ErrUnderWay = errors.New("taken, but no published checkpoint covers it yet: ask again in a second")
	// ErrExists: the name or number is taken.
	ErrExists = errors.New("taken already")
	// ErrUnavailable: the service cannot take anything now (full disk, a log
	// that stopped, too much under way); send it again later. See Unavailable.
	ErrUnavailable = errors.New("nothing can be logged now")
)

// Unavailable is an ErrUnavailable with what its sender may know.
type Unavailable struct {
	Why   string        // a sentence: what, and what became of what was sent
	After time.Duration // when to send it again
	Err   error         // the cause, for the operator; nil if Why says all
}

func (e *Unavailable) Error() string { return e.Why }

// Unwrap gives ErrUnavailable and the cause.
func (e *Unavailable) Unwrap() []error {
	if e.Err == nil {
		return []error{ErrUnavailable}
	}
	return []error{ErrUnavailable, e.Err}
}
