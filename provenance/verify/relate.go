package verify

import (
	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/epcis"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/participant"
)

// relate says what the authenticated entries of a history make of one another:
// duplicates, withdrawals, and the effect of statements. A statement that has
// effect is no duplicate: one of the same number before it had none.
func (r *reading) relate(v *HistoryVerdict) {
	Relate(v.Entries)
	if v.Key.Kind == historyindex.Master && v.First == 0 {
		v.Master = new(participant.Master)
	}
	for i := range v.Entries {
		j := &v.Entries[i]
		effect, judged := r.effects[j.Index]
		if v.Master != nil && j.Signature == nil {
			effect, judged = v.Master.ApplyVerified(v.Key.Identifier, j.Index, j.Entry, r.state), true
		}
		if !judged {
			continue
		}
		j.Effect = &effect
		if effect.Applied {
			j.DuplicateOf = nil
		}
	}
}

// Relate marks, among entries in the log's order whose Signature was judged, the
// duplicates, the error declarations that withdraw an event, and the events that
// they withdraw. An unauthenticated entry takes no part in it.
func Relate(entries []Judged) {
	seen := make(map[[32]byte]*Judged, len(entries)) // by identity, the first one
	for i := range entries {
		j := &entries[i]
		if j.Signature != nil {
			continue
		}
		if identity, err := entry.Identity(j.Entry.Participants[0], j.Entry.JSON); err == nil {
			if first := seen[identity]; first != nil {
				j.DuplicateOf = &first.Index
				continue
			}
			seen[identity] = j
		}
	}
	for i := range entries {
		if j := &entries[i]; j.Signature == nil && j.DuplicateOf == nil {
			withdraw(j, seen)
		}
	}
}

// withdraw finds the event that j, if it is an error declaration, withdraws: the
// same event by the same first participant, which may stand before it or after.
func withdraw(j *Judged, seen map[[32]byte]*Judged) {
	if _, declares := j.Entry.JSON.Get("errorDeclaration"); !declares || entry.IsStatement(j.Entry.JSON) {
		return
	}
	if _, err := entry.Identity(j.Entry.Participants[0], j.Entry.JSON); err != nil {
		return // it does not say when it was declared
	}
	identity, err := entry.Identity(j.Entry.Participants[0], j.Entry.JSON.Without("errorDeclaration"))
	if err != nil {
		return
	}
	original := seen[identity]
	if original == nil || !epcis.SameButDeclaration(original.Entry.JSON, j.Entry.JSON) {
		return
	}
	j.Withdraws = &original.Index
	if original.WithdrawnBy == nil {
		original.WithdrawnBy = &j.Index
	}
}
