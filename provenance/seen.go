package provenance

import (
	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/epcis"
	"github.com/tallyroot/tallyroot/provenance/verify"
)

// Seen is an entry of a history and what it counts for there.
type Seen struct {
	Index uint64
	Entry *entry.Entry
	Bytes []byte
	// Unauthenticated says why the signatures do not hold at this position; nil
	// when they do.
	Unauthenticated error
	// Duplicate says that an earlier entry has the same identity.
	Duplicate bool
	// Withdrawn is the entry, an error declaration, that takes this event back;
	// nil when none does.
	Withdrawn *Seen
	// Declaration says that the entry is an error declaration: it withdraws an
	// event and reports none.
	Declaration bool
}

// HasEffect tells whether the entry counts: signed, first of its identity, and
// neither withdrawn nor a withdrawal.
func (e Seen) HasEffect() bool {
	return e.Unauthenticated == nil && !e.Duplicate && e.Withdrawn == nil && !e.Declaration
}

// see judges the entries of a history, which stand in the log's order.
func (q *question) see(entries []located) []Seen {
	seen := make([]Seen, len(entries))
	judged := make([]verify.Judged, len(entries))
	for i, e := range entries {
		judged[i] = verify.Judged{Index: e.index, Entry: e.Entry, Signature: q.verified.check(q.state, e)}
	}
	verify.Relate(judged)
	at := make(map[uint64]*Seen, len(entries))
	for i, j := range judged {
		seen[i] = Seen{Index: j.Index, Entry: j.Entry, Bytes: entries[i].bytes, Unauthenticated: j.Signature, Duplicate: j.DuplicateOf != nil}
		_, seen[i].Declaration = epcis.ErrorDeclared(j.Entry.JSON)
		at[j.Index] = &seen[i]
	}
	for i, j := range judged {
		if j.WithdrawnBy != nil {
			seen[i].Withdrawn = at[*j.WithdrawnBy]
		}
	}
	return seen
}
