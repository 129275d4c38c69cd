// Package verify checks what a Tallyroot service gave, without asking it or
// anybody else: receipts and saved histories, under a trust policy of the
// reader's own. It does no I/O, and imports no server, database or network code.
//
// What it promises: an entry that it calls included stands in the log, at that
// position, under a checkpoint that the reader's policy trusts; and a signature
// that it says holds was made with a key that held at that position, by the
// statements of the log's operator.
//
// What it never says: that a history is all there is. For that the history
// index has to be proved, and what is checked here does not carry that proof.
package verify

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
	"github.com/tallyroot/tallyroot/trillianlog/receipt"
)

// Trust is what a reader believes before it reads.
type Trust struct {
	// Policy says whose checkpoints are believed: the log's key and the
	// witnesses' quorum.
	Policy *policy.Policy

	// OperatorKey is the verifier key of the log's operator, the present one or a
	// former one. If it is empty, the one in the log's first entry is taken, for
	// which the log's own signature vouches.
	OperatorKey string

	// Now is the reader's clock. A checkpoint that was witnessed more than
	// policy.MaxAhead after it is refused. The zero Time leaves that out.
	Now time.Time

	// MaxAge is how long before Now a checkpoint may have been witnessed. 0 is any
	// time, as befits what was saved long ago.
	MaxAge time.Duration
}

// LogKey is the trust in a log's key alone, with quorum none: the log could show
// another reader another history.
func LogKey(vkey string) (Trust, error) {
	p, err := policy.None(vkey)
	if err != nil {
		return Trust{}, err
	}
	return Trust{Policy: p}, nil
}

// The ways to fail. Each error of this package is an *Error that wraps one.
var (
	ErrPolicy       = errors.New("no trust policy was given")
	ErrMalformed    = errors.New("this is not what it should be")
	ErrCheckpoint   = errors.New("the log's checkpoint is not to be trusted")
	ErrTime         = errors.New("the checkpoint's time is not acceptable")
	ErrAsked        = errors.New("this is about something other than what was asked for")
	ErrOrder        = errors.New("the positions do not strictly increase")
	ErrBeyond       = errors.New("a position is not below the log's size")
	ErrPage         = errors.New("the entries are not those at the positions")
	ErrInclusion    = errors.New("the entry is not what stands in the log at that position")
	ErrEntry        = errors.New("the entry is malformed")
	ErrOrigin       = errors.New("the entry is written for another log")
	ErrKey          = errors.New("the entry does not belong in this history")
	ErrParticipants = errors.New("the signers' histories are not those that are needed")
	ErrGenesis      = errors.New("the log does not begin as it must")
	ErrOperator     = errors.New("the log's operator is not the one that is trusted")
)

// An Error says what is wrong and where.
type Error struct {
	Reason  error  // one of the Err values of this package
	History string // the history inside the one that was read; "" for that one itself
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

func fail(reason, err error) error { return &Error{Reason: reason, Err: err} }

func failAt(reason error, index uint64, err error) error {
	return &Error{Reason: reason, Index: index, AtIndex: true, Err: err}
}

// checkpoint checks a signed checkpoint.
func (t Trust) checkpoint(signed []byte) (policy.Verdict, error) {
	if t.Policy == nil {
		return policy.Verdict{}, fail(ErrPolicy, nil)
	}
	v, err := t.Policy.Check(signed)
	if err != nil {
		return v, fail(ErrCheckpoint, err)
	}
	if !v.Witnessed || t.Now.IsZero() {
		return v, nil
	}
	age := t.MaxAge
	if age == 0 {
		age = 1<<63 - 1
	}
	if err := v.Fresh(t.Now, age); err != nil {
		return v, fail(ErrTime, err)
	}
	return v, nil
}

// included checks that an entry stands in the log at index.
func included(c checkpoint.Checkpoint, index uint64, leafHash [32]byte, proof [][32]byte) error {
	_, err := receipt.Receipt{Index: index, Proof: proof}.Verify(leafHash, func([]byte) (checkpoint.Checkpoint, error) { return c, nil })
	if err != nil {
		return failAt(ErrInclusion, index, err)
	}
	return nil
}

// A ReceiptVerdict is what a good receipt proves: the entry stands in the log.
type ReceiptVerdict struct {
	Entry    *entry.Entry
	Index    uint64
	LeafHash [32]byte
	policy.Verdict
}

// Receipt checks a receipt (https://c2sp.org/tlog-proof) for an entry. It needs
// the entry's bytes: the receipt holds nothing of them but the path from their
// hash to the log's root.
//
// It does not judge the entry's signatures, since the keys that held then stand
// in the log and not in the receipt: History does.
func Receipt(entryBytes, receiptText []byte, trust Trust) (*ReceiptVerdict, error) {
	r, err := receipt.Parse(receiptText)
	if err != nil {
		return nil, fail(ErrMalformed, err)
	}
	v := &ReceiptVerdict{Index: r.Index, LeafHash: entry.LeafHash(entryBytes)}
	if v.Verdict, err = trust.checkpoint(r.Checkpoint); err != nil {
		return nil, err
	}
	if r.Index >= v.Checkpoint.Size {
		return nil, failAt(ErrBeyond, r.Index, fmt.Errorf("the size is %d", v.Checkpoint.Size))
	}
	if err := included(v.Checkpoint, r.Index, v.LeafHash, r.Proof); err != nil {
		return nil, err
	}
	if v.Entry, err = entry.Parse(entryBytes); err != nil {
		return nil, failAt(ErrEntry, r.Index, err)
	}
	if v.Entry.Origin != v.Checkpoint.Origin {
		return nil, failAt(ErrOrigin, r.Index, fmt.Errorf("it names %q, and the log is %q", v.Entry.Origin, v.Checkpoint.Origin))
	}
	return v, nil
}

// String says it for people.
func (v *ReceiptVerdict) String() string {
	return fmt.Sprintf("The entry is in the log %s, at position %d of %d.\n%s\nWhether its signature by %s holds is not judged: a receipt does not carry the keys.",
		v.Checkpoint.Origin, v.Index, v.Checkpoint.Size, witnessed(v.Verdict), strings.Join(v.Entry.Participants, " and "))
}

// witnessed says who vouches for a checkpoint.
func witnessed(v policy.Verdict) string {
	if !v.Witnessed {
		return "The log's own key vouches for that, and no witness (quorum none): it could show other readers another log."
	}
	return fmt.Sprintf("Witnesses vouch for that (%s), the quorum at %s.", strings.Join(v.Witnesses, ", "), v.Time.UTC().Format(time.RFC3339))
}
