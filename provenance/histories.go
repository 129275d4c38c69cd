package provenance

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/history"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
)

// History gives the entries under one key, at the published checkpoint, each
// with its inclusion proof, and the histories of those who signed them. The
// positions are always the whole list, and so are the entries up to
// history.PageLimit of them; of a longer list it gives at most limit (0 or more
// than history.PageLimit: that many), from offset on.
func (s *Service) History(ctx context.Context, kind historyindex.Kind, id string, offset uint64, limit int) (*history.History, error) {
	key, err := historyKey(kind, id)
	if err != nil {
		return nil, err
	}
	done, err := s.readers.turn(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	published, checkpoint := s.log.Published()
	h, signers, err := s.provenHistory(ctx, key, published.Size, string(checkpoint), offset, limit, math.MaxInt)
	if err != nil {
		return nil, err
	}
	keys := []historyindex.Key{{Kind: historyindex.Operator, Identifier: entry.Operator}}
	for _, id := range signers {
		if id != entry.Operator {
			keys = append(keys, historyindex.Key{Kind: historyindex.Participant, Identifier: id})
		}
	}
	for _, key := range keys {
		p, _, err := s.provenHistory(ctx, key, published.Size, string(checkpoint), 0, history.PageLimit, math.MaxInt)
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

// provenHistory gives the history without its participants, and who signed the
// entries that it holds: those of the page that fit maxBytes.
func (s *Service) provenHistory(ctx context.Context, key historyindex.Key, size uint64, checkpoint string, offset uint64, limit, maxBytes int) (*history.History, []string, error) {
	positions, err := s.projection.Positions(key, size)
	if err != nil {
		return nil, nil, err
	}
	h := &history.History{ID: key.Identifier, Kind: key.Kind.String(), LogCheckpoint: checkpoint, Positions: positions}
	page := positions
	if len(positions) > history.PageLimit {
		if limit <= 0 || limit > history.PageLimit {
			limit = history.PageLimit
		}
		page = positions[min(offset, uint64(len(positions))):]
		page = page[:min(limit, len(page))]
	}
	var signers []string
	for _, index := range page {
		e, err := s.entryAt(ctx, index)
		if err != nil {
			return nil, nil, err
		}
		if maxBytes -= len(e.bytes); maxBytes < 0 {
			break
		}
		proof, err := s.tiles.InclusionProof(index, size)
		if err != nil {
			return nil, nil, fmt.Errorf("prove the entry at index %d: %w", index, err)
		}
		h.Entries = append(h.Entries, history.Entry{Index: index, Entry: e.bytes, Proof: proof})
		for _, id := range e.Participants {
			if !slices.Contains(signers, id) {
				signers = append(signers, id)
			}
		}
	}
	return h, signers, nil
}
