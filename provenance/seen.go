package provenance

import (
	"context"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/epcis"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
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

// read gives the history of a key up to size, and of very long ones the beginning
// that fits maxBytes.
func (s *Service) read(ctx context.Context, key historyindex.Key, size uint64, maxBytes int) ([]Seen, error) {
	positions, err := s.projection.Positions(key, size)
	if err != nil {
		return nil, err
	}
	var entries []Seen
	for _, index := range positions {
		e, err := s.entryAt(ctx, index)
		if err != nil {
			return nil, err
		}
		if !historyindex.Has(e.Entry, key) {
			continue // two hashes met in the projection
		}
		if maxBytes -= len(e.bytes); maxBytes < 0 {
			break
		}
		entries = append(entries, Seen{
			Index: index, Entry: e.Entry, Bytes: e.bytes,
			Unauthenticated: s.projection.State().At(index).Verify(e.Entry),
		})
	}
	judge(entries)
	return entries, nil
}

// judge marks duplicates, error declarations, and what they withdraw.
func judge(entries []Seen) {
	first := map[[32]byte]int{}
	for i := range entries {
		e := &entries[i]
		_, e.Declaration = epcis.ErrorDeclared(e.Entry.JSON)
		id, err := entry.Identity(e.Entry.Participants[0], e.Entry.JSON)
		if err != nil || e.Unauthenticated != nil {
			continue
		}
		if _, e.Duplicate = first[id]; !e.Duplicate {
			first[id] = i
		}
	}
	for i := range entries {
		d := &entries[i]
		if !d.Declaration || d.Unauthenticated != nil || d.Duplicate {
			continue
		}
		id, err := entry.Identity(d.Entry.Participants[0], d.Entry.JSON.Without("errorDeclaration"))
		if err != nil {
			continue
		}
		if o, ok := first[id]; ok && epcis.SameButDeclaration(entries[o].Entry.JSON, d.Entry.JSON) {
			entries[o].Withdrawn = d
		}
	}
}
