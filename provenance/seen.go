package provenance

import (
	"context"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/epcis"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
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

// minEntrySize is less than any entry has, in bytes: a signature alone takes as
// much.
const minEntrySize = 92

// read gives the history of a key up to size, and of very long ones the beginning
// that fits maxBytes; whole says which.
func (s *Service) read(ctx context.Context, key historyindex.Key, size uint64, maxBytes int) (seen []Seen, whole bool, err error) {
	positions, err := s.projection.Oldest(key, size, maxBytes/minEntrySize+1)
	if err != nil {
		return nil, false, err
	}
	whole = true
	var judged []verify.Judged
	for _, index := range positions {
		e, err := s.entryAt(ctx, index)
		if err != nil {
			return nil, false, err
		}
		if !historyindex.Has(e.Entry, key) {
			continue // two hashes met in the projection
		}
		if maxBytes -= len(e.bytes); maxBytes < 0 {
			whole = false
			break
		}
		judged = append(judged, verify.Judged{Index: index, Entry: e.Entry, Signature: s.VerifyAt(index, e.Entry)})
		seen = append(seen, Seen{Index: index, Entry: e.Entry, Bytes: e.bytes})
	}
	verify.Relate(judged)
	at := make(map[uint64]*Seen, len(seen))
	for i := range seen {
		at[seen[i].Index] = &seen[i]
	}
	for i, j := range judged {
		e := &seen[i]
		e.Unauthenticated, e.Duplicate = j.Signature, j.DuplicateOf != nil
		_, e.Declaration = epcis.ErrorDeclared(j.Entry.JSON)
		if j.WithdrawnBy != nil {
			e.Withdrawn = at[*j.WithdrawnBy]
		}
	}
	return seen, whole, nil
}
