package provenance

import (
	"context"
	"slices"
	"sync"

	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/participant"
)

// Product gives what holds about a product, or about what the identifier is one
// of: for an item or a lot that nobody described, its GTIN's. Nil when nobody
// has said anything.
func (s *Service) Product(ctx context.Context, id string) (product *participant.Signed[participant.Product], err error) {
	for _, id := range coarser(id) {
		err := s.master(ctx, id, func(m *participant.Master) { product = m.Product })
		if err != nil || product != nil {
			return product, err
		}
	}
	return nil, nil
}

// Place gives what holds about a place, or about the place that it is part of.
// Nil when nobody has said anything.
func (s *Service) Place(ctx context.Context, id string) (place *participant.Signed[participant.Place], err error) {
	for _, id := range coarser(id) {
		err := s.master(ctx, id, func(m *participant.Master) { place = m.Place })
		if err != nil || place != nil {
			return place, err
		}
	}
	return nil, nil
}

// maxMasters bounds of how many identifiers the statements are remembered.
const maxMasters = 4096

// masters remembers what the statements about identifiers come to, so that each
// statement is read once and not whenever somebody asks.
type masters struct {
	mu    sync.Mutex
	known map[string]*master
}

type master struct {
	mu   sync.Mutex
	next uint64 // the position from which statements were not read yet
	fold participant.Master
}

func (m *masters) of(id string) *master {
	m.mu.Lock()
	defer m.mu.Unlock()
	one := m.known[id]
	if one == nil {
		if m.known == nil || len(m.known) >= maxMasters {
			m.known = make(map[string]*master)
		}
		one = &master{}
		m.known[id] = one
	}
	return one
}

// forget drops an identifier about which nobody has said anything: readers ask
// for any.
func (m *masters) forget(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.known, id)
}

// master folds the statements about one identifier that a published checkpoint
// covers, and lets use see what they come to.
func (s *Service) master(ctx context.Context, id string, use func(*participant.Master)) error {
	published, _ := s.read.Published()
	m := s.masters.of(id)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.next < published.Size {
		positions, err := s.projection.Between(historyindex.Key{Kind: historyindex.Master, Identifier: id}, m.next, published.Size)
		if err != nil {
			return err
		}
		for _, index := range positions {
			e, err := s.entryAt(ctx, index)
			if err != nil {
				return err
			}
			m.fold.Apply(id, index, e.Entry, s.projection.State())
			m.next = index + 1
		}
		if m.next == 0 {
			s.masters.forget(id)
		} else {
			m.next = published.Size
		}
	}
	use(&m.fold)
	return nil
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
