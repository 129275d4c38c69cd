package provenance

import (
	"context"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/history"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
)

// JourneyHistories gives the histories of a journey (see Journey), all at its
// checkpoint, with which a reader can follow the thing for itself; then, once
// each, those of the operator and of the participants who signed the entries.
// A history that is longer than a page, or than the journey's bound allows, is
// cut, and its identifier is among those that were not followed.
func (s *Service) JourneyHistories(ctx context.Context, id string) (histories []history.History, notFollowed []string, err error) {
	journey, err := s.Journey(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	notFollowed = journey.NotFollowed
	signed := map[string]bool{entry.Operator: true}
	keys := []historyindex.Key{{Kind: historyindex.Operator, Identifier: entry.Operator}}
	add := func(key historyindex.Key) ([]string, error) {
		h, signers, err := s.provenHistory(ctx, key, journey.Size, string(journey.Checkpoint), 0, history.PageLimit)
		if err != nil {
			return nil, err
		}
		if len(h.Entries) < len(h.Positions) {
			notFollowed = append(notFollowed, key.Identifier)
		}
		histories = append(histories, *h)
		return signers, nil
	}
	for _, key := range journey.Keys {
		signers, err := add(key)
		if err != nil {
			return nil, nil, err
		}
		for _, id := range signers {
			if !signed[id] {
				signed[id] = true
				keys = append(keys, historyindex.Key{Kind: historyindex.Participant, Identifier: id})
			}
		}
	}
	for _, key := range keys {
		if _, err := add(key); err != nil {
			return nil, nil, err
		}
	}
	return histories, notFollowed, nil
}
