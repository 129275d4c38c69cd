// Package verify checks what a Tallyroot service gave, without asking it or
// anybody else: receipts, saved histories and journeys, under a trust of the
// reader's own. It does no I/O, and imports no server, database or network code.
//
// What it promises: an entry that it calls included stands in the log, at that
// position, under a checkpoint that the reader's policy trusts; a signature that
// it says holds was made with a key that held at that position, by the statements
// of the log's operator; and what it calls complete lacks nothing of what the log
// holds under that key, up to the size that it names.
//
// It calls complete only what somebody else than the operator has rebuilt: the
// index log's quorum must not be met without a cosigner of whom the reader says
// that it is an index-verifier. Otherwise it says that the operator vouches for
// completeness, alone. Without a quorum of the log it says nothing of time. It
// never says that what an entry claims is true.
package verify

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
	"github.com/tallyroot/tallyroot/trillianlog/receipt"
)

// AnyAge, as a MaxAge, takes checkpoints that were witnessed at any time before now.
const AnyAge = time.Duration(1<<63 - 1)

// Trust is what a reader believes before it reads.
type Trust struct {
	// Policy says whose checkpoints are believed: the log's key and the
	// witnesses' quorum.
	Policy *policy.Policy

	// IndexPolicy says the same of the index log. If it is nil, the index log's
	// key in the log's first entry is taken, for which the log's own signature
	// vouches, and no witness.
	IndexPolicy *policy.Policy

	// IndexVerifiers are the verifier keys, among the witnesses of IndexPolicy, of
	// those who cosign an index checkpoint only after they have rebuilt the index
	// from the log. A policy cannot say that of a witness, and neither can a
	// server: it is the reader's own statement. Such a key does nothing else, so
	// none may be a witness of Policy.
	IndexVerifiers []string

	// OperatorKey is the verifier key of the log's operator, the present one or a
	// former one. If it is empty, the one in the log's first entry is taken, for
	// which the log's own signature vouches.
	OperatorKey string

	// Now is the reader's clock. A checkpoint of the log that was witnessed more
	// than policy.MaxAhead after it is refused, or more than MaxAge before. The
	// zero Time leaves that out.
	Now time.Time

	// MaxAge is policy.DefaultMaxAge if it is 0; AnyAge is any time, as befits what
	// was saved long ago. Receipts are of any age if it is 0: what was in the log
	// once is in it for ever.
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

// Check tells whether the trust says what is needed and does not contradict
// itself. All functions that take a Trust begin with it. Its error is an ErrPolicy.
func (t Trust) Check() error {
	if t.Policy == nil {
		return fail(ErrPolicy, errors.New("no policy for the log"))
	}
	for _, vkey := range t.IndexVerifiers {
		is := func(w policy.Witness) bool { return w.Key == vkey }
		if t.IndexPolicy == nil || !slices.ContainsFunc(t.IndexPolicy.Witnesses(), is) {
			return fail(ErrPolicy, fmt.Errorf("the index-verifier %s is no witness of the index log's policy", vkey))
		}
		same := func(w policy.Witness) bool { return publicKey(w.Key) == publicKey(vkey) }
		if slices.ContainsFunc(t.Policy.Witnesses(), same) {
			return fail(ErrPolicy, fmt.Errorf("the key of the index-verifier %s is also a plain witness's of the log; an index-verifier has a key of its own", vkey))
		}
	}
	return nil
}

// publicKey is the part of a vkey behind its name and id.
func publicKey(vkey string) string {
	parts := strings.SplitN(vkey, "+", 3)
	return parts[len(parts)-1]
}

// independent tells whether the index policy's quorum cannot be met without an
// index-verifier.
func (t Trust) independent() bool {
	if t.IndexPolicy == nil || len(t.IndexVerifiers) == 0 {
		return false
	}
	plain := make(map[string]bool)
	for _, w := range t.IndexPolicy.Witnesses() {
		plain[w.Name] = !slices.Contains(t.IndexVerifiers, w.Key)
	}
	return !t.IndexPolicy.Met(func(witness string) bool { return plain[witness] })
}

// rebuilders gives the index-verifiers among those that cosigned.
func (t Trust) rebuilders(v policy.Verdict) (names []string) {
	if t.IndexPolicy == nil {
		return nil
	}
	for _, w := range t.IndexPolicy.Witnesses() {
		if slices.Contains(v.Witnesses, w.Name) && slices.Contains(t.IndexVerifiers, w.Key) {
			names = append(names, w.Name)
		}
	}
	return names
}

// fresh checks the time at which a checkpoint of the log was witnessed.
func (t Trust) fresh(v policy.Verdict, maxAge time.Duration) error {
	if !v.Witnessed || t.Now.IsZero() {
		return nil
	}
	if err := v.Fresh(t.Now, maxAge); err != nil {
		if v.Time.Unix() > t.Now.Unix() {
			return fail(ErrAhead, err)
		}
		return fail(ErrStale, err)
	}
	return nil
}

// maxAge is the age that a history's checkpoint may have.
func (t Trust) maxAge() time.Duration {
	if t.MaxAge == 0 {
		return policy.DefaultMaxAge
	}
	return t.MaxAge
}

// included checks that a leaf stands in the log of the checkpoint at index.
func included(c checkpoint.Checkpoint, index uint64, leafHash [32]byte, proof [][32]byte) error {
	_, err := receipt.Receipt{Index: index, Proof: proof}.Verify(leafHash, func([]byte) (checkpoint.Checkpoint, error) { return c, nil })
	return err
}
