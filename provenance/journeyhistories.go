package provenance

import (
	"context"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/history"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
)

// positionSize is what a history's position takes in JSON, at most, in bytes.
const positionSize = 24

// JourneyHistories gives the histories of a journey (see Journey), all at its
// checkpoint, with which a reader can follow the thing for itself; then, once
// each, those of the operator and of the participants who signed the entries.
// A history that is longer than a page, or than the journey's bound allows, is
// cut or left out, and its identifier is among those that were not followed.
func (s *Service) JourneyHistories(ctx context.Context, id string) (histories []history.History, notFollowed []string, err error) {
	done, err := s.readers.turn(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer done()
	journey, err := s.journey(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	missed := map[string]bool{}
	miss := func(id string) {
		if !missed[id] {
			missed[id] = true
			notFollowed = append(notFollowed, id)
		}
	}
	for _, id := range journey.NotFollowed {
		miss(id)
	}
	signed := map[string]bool{entry.Operator: true}
	signers := []historyindex.Key{{Kind: historyindex.Operator, Identifier: entry.Operator}}
	room := 0
	add := func(key historyindex.Key) ([]string, error) {
		if room <= 0 {
			miss(key.Identifier)
			return nil, nil
		}
		h, by, err := s.provenHistory(ctx, key, journey.Size, string(journey.Checkpoint), 0, history.PageLimit, room)
		if err != nil {
			return nil, err
		}
		if len(h.Entries) < len(h.Positions) {
			miss(key.Identifier)
		}
		if room -= positionSize * len(h.Positions); room <= 0 {
			miss(key.Identifier) // not even the list of its places has room
			return nil, nil
		}
		for _, e := range h.Entries {
			room -= len(e.Entry)
		}
		histories = append(histories, *h)
		return by, nil
	}
	room = 2 * MaxJourneyBytes // what was read on the way, and the positions
	for _, key := range journey.Keys {
		by, err := add(key)
		if err != nil {
			return nil, nil, err
		}
		for _, id := range by {
			if !signed[id] {
				signed[id] = true
				signers = append(signers, historyindex.Key{Kind: historyindex.Participant, Identifier: id})
			}
		}
	}
	room = MaxJourneyBytes // the signers' statements
	for _, key := range signers {
		if _, err := add(key); err != nil {
			return nil, nil, err
		}
	}
	return histories, notFollowed, nil
}
