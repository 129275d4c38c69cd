package verify

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/epcis"
	"github.com/tallyroot/tallyroot/provenance/history"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/participant"
)

// A Claim is what can be said of whether anything is missing. It is a short word
// that never changes, the same in every implementation.
type Claim string

const (
	// Complete: nothing of what the log holds is missing, up to the checkpoint's
	// size, and somebody else than the operator has rebuilt the index that says so.
	Complete Claim = "complete"
	// CompleteByOperator: nothing of what the operator's index has is missing.
	// Nobody else vouches for the index.
	CompleteByOperator Claim = "complete-by-operator"
	// Page: the positions are complete, and some of the entries are not here.
	Page Claim = "page"
	// Incomplete: histories to which the journey leads are missing.
	Incomplete Claim = "incomplete"
)

// A HistoryVerdict is what a good history shows.
type HistoryVerdict struct {
	Key   historyindex.Key
	Asked bool // the reader said what it asked for, and this is it
	Anchor
	Positions []uint64 // of all entries under the key, as far as is claimed
	Total     int      // how many they are
	First     int      // how many of them stand before the first of Entries
	Entries   []Judged // in the log's order

	// State is what the operator's statements make of the operator, and of the
	// participants that signed an entry. It is the state of the checkpoint.
	State *participant.State

	// Master is what the statements of a history of kind master come to; nil for
	// the other kinds, and for a page that does not begin with the first entry.
	Master *participant.Master
}

// Judged is one entry that stands in the log, and what is to be made of it.
type Judged struct {
	Index    uint64
	Entry    *entry.Entry
	LeafHash [32]byte

	// Signature says why the entry is unauthenticated; nil if all its signatures
	// hold, which were made with Keys.
	Signature error
	Keys      []entry.Verifier

	DuplicateOf *uint64 // the entry that said the same before; this one has no effect
	WithdrawnBy *uint64 // the error declaration that withdraws it
	Withdraws   *uint64 // the event that this error declaration withdraws; nil if that is not among the entries

	Effect *participant.Effect // of a statement, where the history tells
}

// Counts tells whether the entry is authenticated, no duplicate, and no statement
// without effect. A withdrawn event counts, as one that was withdrawn.
func (j *Judged) Counts() bool {
	return j.Signature == nil && j.DuplicateOf == nil && (j.Effect == nil || j.Effect.Applied)
}

// LeadsOn tells whether what the event says is followed: it counts, and is neither
// withdrawn nor an error declaration.
func (j *Judged) LeadsOn() bool {
	_, declares := epcis.ErrorDeclared(j.Entry.JSON)
	return j.Signature == nil && j.DuplicateOf == nil && j.WithdrawnBy == nil && !declares
}

// Unauthenticated counts the entries whose signatures do not hold.
func (v *HistoryVerdict) Unauthenticated() (n int) {
	for i := range v.Entries {
		if v.Entries[i].Signature != nil {
			n++
		}
	}
	return n
}

// Whole tells whether all entries are here, and not a page of them.
func (v *HistoryVerdict) Whole() bool { return len(v.Entries) == v.Total }

// Claim says whether anything is missing.
func (v *HistoryVerdict) Claim() Claim {
	if !v.Whole() {
		return Page
	}
	return v.Anchor.claim()
}

func (a *Anchor) claim() Claim {
	if a.Independent {
		return Complete
	}
	return CompleteByOperator
}

// History checks a saved history (package history). asked is what the reader
// asked for, in its own words; without an identifier the history's own word is
// taken, and the verdict says so.
func History(saved []byte, asked historyindex.Key, trust Trust) (*HistoryVerdict, error) {
	if err := trust.Check(); err != nil {
		return nil, err
	}
	h, err := history.Decode(saved)
	if err != nil {
		return nil, fail(ErrMalformed, err)
	}
	key, err := keyOf(h)
	if err != nil {
		return nil, err
	}
	if asked.Identifier != "" && canonical(asked) != key {
		return nil, fail(ErrAsked, fmt.Errorf("it is the history of %s, and the question was %s", key, asked))
	}
	operator := h
	if key != operatorKey {
		operator = nil
	}
	for i := range h.Participants {
		inner := &h.Participants[i]
		if !same(h, inner) {
			return nil, &Error{Reason: ErrMixed, History: inner.Kind + " " + inner.ID}
		}
		if operator == nil && inner.Kind == historyindex.Operator.String() {
			operator = inner
		}
	}
	anchor, err := trust.anchor(h, operator)
	if err != nil {
		return nil, err
	}
	r := newReading(trust, anchor)
	entries, err := r.proved(h, key)
	if err != nil {
		return nil, err
	}
	signers, err := r.participants(h, key, entries)
	if err != nil {
		return nil, err
	}
	if err := r.fold(signers); err != nil {
		return nil, err
	}
	r.authenticate(entries)
	return r.verdict(h, key, asked.Identifier != "", entries), nil
}

// participants checks the histories inside of h, and that those are there that
// the signatures of h's entries are judged by.
func (r *reading) participants(h *history.History, key historyindex.Key, entries []Judged) (map[historyindex.Key][]Judged, error) {
	signers := make(map[historyindex.Key][]Judged)
	if tells(key) && len(h.Entries) == len(h.Positions) {
		signers[key] = entries
	}
	seen := make(map[historyindex.Key]bool)
	for i := range h.Participants {
		inner := &h.Participants[i]
		innerKey, err := keyOf(inner)
		if err != nil {
			return nil, err
		}
		problem := ""
		switch {
		case !tells(innerKey):
			problem = "is neither a participant's nor the operator's"
		case seen[innerKey]:
			problem = "stands there twice"
		case len(inner.Entries) != len(inner.Positions):
			problem = "is not whole"
		}
		if problem != "" {
			return nil, fail(ErrParticipants, fmt.Errorf("that of %s %s", innerKey, problem))
		}
		seen[innerKey] = true
		list, err := r.proved(inner, innerKey)
		if err != nil {
			return nil, within(err, innerKey)
		}
		if _, outer := signers[innerKey]; !outer {
			signers[innerKey] = list
		}
	}
	if _, ok := signers[operatorKey]; !ok {
		return nil, fail(ErrParticipants, errors.New("that of the operator is missing"))
	}
	for i := range entries {
		for _, signer := range signersOf(&entries[i]) {
			if _, ok := signers[signer]; !ok {
				return nil, failAt(ErrParticipants, entries[i].Index, fmt.Errorf("that of its signer %s is missing", signer.Identifier))
			}
		}
	}
	return signers, nil
}

// tells tells whether the histories of a kind say who held which keys.
func tells(key historyindex.Key) bool {
	return key.Kind == historyindex.Participant || key == operatorKey
}

// signersOf gives the keys of the participants that an entry names.
func signersOf(j *Judged) (keys []historyindex.Key) {
	for _, id := range j.Entry.Participants {
		if id != entry.Operator {
			keys = append(keys, historyindex.Key{Kind: historyindex.Participant, Identifier: id})
		}
	}
	return keys
}

// verdict says what a history comes to whose entries were authenticated.
func (r *reading) verdict(h *history.History, key historyindex.Key, asked bool, entries []Judged) *HistoryVerdict {
	v := &HistoryVerdict{
		Key: key, Asked: asked, Anchor: *r.anchor, Positions: h.Positions, Total: len(h.Positions), Entries: entries, State: r.state,
	}
	if len(entries) > 0 {
		v.First, _ = slices.BinarySearch(h.Positions, entries[0].Index)
	}
	r.relate(v)
	return v
}
