package audit

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/historyindex/store"
	"github.com/tallyroot/tallyroot/provenance/verify"
	"github.com/tallyroot/tallyroot/trillianlog/fetch"
)

// A Kind is one way in which a log can be found wrong. It is a short word that never
// changes.
type Kind string

// What was found about a log or its index log.
const (
	// Checkpoint: what is published as one is none that the policy takes.
	Checkpoint Kind = "checkpoint"
	// Stale: the newest checkpoint was witnessed too long ago, or in the future.
	Stale Kind = "stale"
	// Fork: two checkpoints are not of one log. The Evidence is both.
	Fork Kind = "fork"
	// RolledBack: the newest checkpoint is smaller than one seen before.
	RolledBack Kind = "rolled-back"
	// Damaged: a file does not hold what the checkpoint commits to.
	Damaged Kind = "damaged"
	// Missing: a file that the checkpoint commits to is not there.
	Missing Kind = "missing"
	// Genesis: the log's first entry does not say whose log it is, or says another.
	Genesis Kind = "genesis"
	// Operator: the key that the auditor was given never was the operator's.
	Operator Kind = "operator"
	// IndexLeaf: a leaf of the index log is not what the log's entries give.
	IndexLeaf Kind = "index-leaf"
	// IndexBehind: the index log does not follow the log.
	IndexBehind Kind = "index-behind"
	// Unreachable: the log could not be read for a long time. Monitor alone says it.
	Unreachable Kind = "unreachable"
)

// What was found about one entry. It stands in the log without effect.
const (
	// Malformed: a leaf is no entry.
	Malformed Kind = "malformed"
	// Unauthenticated: a signature does not hold at the entry's position.
	Unauthenticated Kind = "unauthenticated"
	// Duplicate: the same was said before.
	Duplicate Kind = "duplicate"
	// Ineffective: a statement or an error declaration breaks a rule.
	Ineffective Kind = "ineffective"
	// Keys: an event has no key under which it could be found, or an entry has too
	// many of them.
	Keys Kind = "keys"
)

// What is for somebody to know, and nothing wrong by itself.
const (
	// Recovery: a participant's own keys were changed on the operator's word alone.
	Recovery Kind = "recovery"
	// Entry: there is a new entry about what is watched.
	Entry Kind = "entry"
)

// A Finding is one thing that was found.
type Finding struct {
	Kind    Kind   `json:"kind"`
	Log     string `json:"log"`     // the origin of the log, or of the index log
	Problem string `json:"problem"` // a sentence

	Index        *uint64  `json:"index,string,omitempty"` // of the entry or leaf
	Type         string   `json:"type,omitempty"`         // of the entry
	Participants []string `json:"participants,omitempty"` // who signed it, as it says
	EventID      string   `json:"eventId,omitempty"`
	About        string   `json:"about,omitempty"`              // what a statement is about
	DuplicateOf  *uint64  `json:"duplicateOf,string,omitempty"` // the first one
	Watched      []string `json:"watched,omitempty"`            // what of it is watched
	File         string   `json:"file,omitempty"`
	// Evidence are signed checkpoints that show it to others.
	Evidence []string `json:"evidence,omitempty"`

	number uint64 // in the ledger, from 1; 0: it is found anew each time
	name   string // tells apart what is found anew each time
}

// Wrong tells whether the finding is of something wrong.
func (f *Finding) Wrong() bool { return f.Kind != Recovery && f.Kind != Entry }

func (f *Finding) Error() string {
	var b strings.Builder
	switch {
	case f.Index == nil:
		fmt.Fprintf(&b, "%s: ", f.Log)
	case f.Kind == IndexLeaf:
		fmt.Fprintf(&b, "leaf %d of %s: ", *f.Index, f.Log)
	default:
		fmt.Fprintf(&b, "entry %d of %s: ", *f.Index, f.Log)
	}
	b.WriteString(f.Problem)
	return b.String()
}

// identity tells findings apart over several rounds.
func (f *Finding) identity() string {
	if f.name != "" {
		return string(f.Kind) + " " + f.Log + " " + f.name
	}
	if f.Index != nil {
		return fmt.Sprintf("%s %s %d", f.Kind, f.Log, *f.Index)
	}
	return string(f.Kind) + " " + f.Log
}

// found gives the finding that an error is; nil if it says that something could not
// be found out. origin is that of the log that was read.
func found(err error, origin string) *Finding {
	var f *Finding
	if errors.As(err, &f) {
		return f
	}
	var damage *fetch.DamageError
	if errors.As(err, &damage) {
		return &Finding{Kind: Damaged, Log: damage.Checkpoint.Origin, File: damage.File, Index: &damage.Index, Problem: damage.Error(), name: damage.File}
	}
	var missing *fetch.MissingError
	if errors.As(err, &missing) {
		return &Finding{Kind: Missing, Log: missing.Checkpoint.Origin, File: missing.File, Index: &missing.Index, Problem: missing.Error(), name: missing.File}
	}
	var fork *verify.ForkError
	if errors.As(err, &fork) {
		return &Finding{Kind: Fork, Log: origin, Problem: err.Error() + "; keep both checkpoints: with the log's signature they are evidence", Evidence: []string{fork.Seen, fork.Now}, name: fork.Now}
	}
	var different *store.DifferenceError
	if errors.As(err, &different) {
		return &Finding{Kind: IndexLeaf, Log: origin, Index: &different.Number, Problem: different.Error()}
	}
	if errors.Is(err, store.ErrOrder) || errors.Is(err, historyindex.ErrLeafForm) {
		return &Finding{Kind: IndexLeaf, Log: origin, Problem: err.Error()}
	}
	return nil
}
