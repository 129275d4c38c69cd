package provenance

import (
	"context"
	"fmt"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/history"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
)

// History gives the entries under one key with all that package verify checks: the
// proof that the history index has these positions or none, an inclusion proof of
// each entry, and the histories of the operator and of those who signed. All of it
// is proved at one checkpoint of each log, those of the newest snapshot.
//
// The positions are always the whole list, and so are the entries up to
// history.PageLimit of them; of a longer list it gives at most limit (0 or more
// than history.PageLimit: that many), from offset on, which must be below its length.
func (r *Reader) History(ctx context.Context, kind historyindex.Kind, id string, offset uint64, limit int) (*history.History, error) {
	key, err := historyKey(kind, id)
	if err != nil {
		return nil, err
	}
	q, end, err := r.ask(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	h, err := q.history(ctx, key, offset, limit)
	if err != nil {
		return nil, err
	}
	by := newSigners()
	if err := by.of(h.Entries); err != nil {
		return nil, err
	}
	for _, key := range by.keys {
		p, err := q.history(ctx, key, 0, history.PageLimit)
		if err != nil {
			return nil, err
		}
		h.Participants = append(h.Participants, *p)
	}
	return h, nil
}

// historyKey makes a key of what a reader asks for.
func historyKey(kind historyindex.Kind, id string) (historyindex.Key, error) {
	switch kind {
	case historyindex.By, historyindex.Participant:
		if id != entry.Operator {
			if err := entry.ParticipantID(id); err != nil {
				return historyindex.Key{}, refuse("id", err.Error(), "the id of a participant")
			}
		}
	case historyindex.Operator:
		id = entry.Operator
	default:
		canonical, err := gs1.Canonical(id)
		if err != nil {
			return historyindex.Key{}, refuse("id", err.Error(), "a GS1 Digital Link, an EPC URN or another URI")
		}
		// A link with lot and serial names two things; the item is meant.
		id = gs1.Identifiers(canonical)[0]
	}
	return historyindex.Key{Kind: kind, Identifier: id}, nil
}

// history gives a history without its participants.
func (q *question) history(ctx context.Context, key historyindex.Key, offset uint64, limit int) (*history.History, error) {
	positions, proof, err := q.positions(key)
	if err != nil {
		return nil, err
	}
	page := positions
	if len(positions) > history.PageLimit {
		if limit <= 0 || limit > history.PageLimit {
			limit = history.PageLimit
		}
		if offset >= uint64(len(positions)) {
			return nil, refuse("offset", fmt.Sprintf("is %d, and the history has %d entries", offset, len(positions)), "less than that")
		}
		page = positions[offset:]
		page = page[:min(limit, len(page))]
	}
	h := q.frame(key, positions, proof, len(page))
	for _, index := range page {
		b, err := q.bytes(ctx, index)
		if err != nil {
			return nil, err
		}
		proof, err := q.prove(index)
		if err != nil {
			return nil, err
		}
		h.Entries = append(h.Entries, history.Entry{Index: index, Entry: b, Proof: proof})
	}
	return h, nil
}

// frame gives a history that has everything but its entries.
func (q *question) frame(key historyindex.Key, positions []uint64, proof historyindex.Proof, entries int) *history.History {
	return &history.History{
		ID: key.Identifier, Kind: key.Kind.String(), LogCheckpoint: string(q.LogCheckpoint), Positions: positions,
		Index:   history.Index{Checkpoint: string(q.IndexCheckpoint), Leaf: string(q.IndexLeaf), LeafProof: q.IndexProof, MapProof: proof},
		Entries: make([]history.Entry, 0, entries),
	}
}

// prove proves that the log has the entry at index.
func (q *question) prove(index uint64) ([][32]byte, error) {
	proof, err := q.tiles.InclusionProof(index, q.Size)
	if err != nil {
		return nil, fmt.Errorf("prove the entry at index %d: %w", index, err)
	}
	return proof, nil
}

var operatorKey = historyindex.Key{Kind: historyindex.Operator, Identifier: entry.Operator}

// signers gathers the keys of those who signed entries, the operator's first, each
// once.
type signers struct {
	keys []historyindex.Key
	have map[string]bool // by participant
}

func newSigners() *signers {
	return &signers{keys: []historyindex.Key{operatorKey}, have: map[string]bool{entry.Operator: true}}
}

func (s *signers) of(entries []history.Entry) error {
	for _, e := range entries {
		participants, err := entry.Signers(e.Entry)
		if err != nil {
			return fmt.Errorf("the entry at index %d: %w", e.Index, err)
		}
		for _, id := range participants {
			if !s.have[id] {
				s.have[id] = true
				s.keys = append(s.keys, historyindex.Key{Kind: historyindex.Participant, Identifier: id})
			}
		}
	}
	return nil
}
