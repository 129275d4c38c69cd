package provenance

import (
	"context"
	"slices"

	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/participant"
)

// Product gives what holds about a product, or about what the identifier is one
// of: for an item or a lot that nobody described, its GTIN's. Nil when nobody
// has said anything.
func (s *Service) Product(ctx context.Context, id string) (*participant.Signed[participant.Product], error) {
	for _, id := range coarser(id) {
		m, err := s.master(ctx, id)
		if err != nil || m.Product != nil {
			return m.Product, err
		}
	}
	return nil, nil
}

// Place gives what holds about a place, or about the place that it is part of.
// Nil when nobody has said anything.
func (s *Service) Place(ctx context.Context, id string) (*participant.Signed[participant.Place], error) {
	for _, id := range coarser(id) {
		m, err := s.master(ctx, id)
		if err != nil || m.Place != nil {
			return m.Place, err
		}
	}
	return nil, nil
}

// master folds the statements about one identifier that a published checkpoint
// covers.
func (s *Service) master(ctx context.Context, id string) (m participant.Master, err error) {
	published, _ := s.log.Published()
	positions, err := s.projection.Positions(historyindex.Key{Kind: historyindex.Master, Identifier: id}, published.Size)
	if err != nil {
		return m, err
	}
	for _, index := range positions {
		e, err := s.entryAt(ctx, index)
		if err != nil {
			return m, err
		}
		m.Apply(id, index, e.Entry, s.projection.State())
	}
	return m, nil
}

// coarser gives the canonical identifier, then what is left when its qualifiers
// fall away: the last first, and each of an item's two identifiers in turn.
func coarser(id string) []string {
	all := slices.Clone(gs1.Identifiers(id))
	for i := 0; i < len(all); i++ {
		link, err := gs1.ParseLink(all[i])
		if err != nil || len(link.Elements) < 2 {
			continue
		}
		link.Elements = link.Elements[:len(link.Elements)-1]
		if parent := link.Canonical(); !slices.Contains(all, parent) {
			all = append(all, parent)
		}
	}
	return all
}
