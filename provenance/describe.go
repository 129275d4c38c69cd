package provenance

import (
	"context"
	"math"
	"slices"
	"sync"

	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/participant"
)

// Product gives what holds about a product, or about what the identifier is one
// of: for an item or a lot that nobody described, its GTIN's. Nil when nobody
// has said anything.
func (s *Service) Product(ctx context.Context, id string) (*participant.Signed[participant.Product], error) {
	return s.masters.product(ctx, id)
}

// Place gives what holds about a place, or about the place that it is part of.
// Nil when nobody has said anything.
func (s *Service) Place(ctx context.Context, id string) (*participant.Signed[participant.Place], error) {
	return s.masters.place(ctx, id)
}

// Product is as Service.Product, up to the newest snapshot.
func (r *Reader) Product(ctx context.Context, id string) (*participant.Signed[participant.Product], error) {
	return r.masters.product(ctx, id)
}

// Place is as Service.Place, up to the newest snapshot.
func (r *Reader) Place(ctx context.Context, id string) (*participant.Signed[participant.Place], error) {
	return r.masters.place(ctx, id)
}

// maxMasters bounds of how many identifiers the statements are remembered.
const maxMasters = 4096

// masters remembers what the statements about identifiers come to, so that each
// statement is read once and not whenever somebody asks.
type masters struct {
	// statements gives those under the key of which a master does not know yet, and by
	// which state they are to be judged.
	statements func(ctx context.Context, key historyindex.Key, known *master) ([]located, *participant.State, error)

	mu    sync.Mutex
	known map[string]*master
}

type master struct {
	mu   sync.Mutex
	read uint64 // how many statements were read
	next uint64 // the position behind the last one, if there is any
	fold participant.Master
}

func (m *masters) product(ctx context.Context, id string) (product *participant.Signed[participant.Product], err error) {
	for _, id := range coarser(id) {
		err := m.look(ctx, id, func(m *participant.Master) { product = m.Product })
		if err != nil || product != nil {
			return product, err
		}
	}
	return nil, nil
}

func (m *masters) place(ctx context.Context, id string) (place *participant.Signed[participant.Place], err error) {
	for _, id := range coarser(id) {
		err := m.look(ctx, id, func(m *participant.Master) { place = m.Place })
		if err != nil || place != nil {
			return place, err
		}
	}
	return nil, nil
}

// look folds the statements about one identifier, and lets use see what they come to.
func (m *masters) look(ctx context.Context, id string, use func(*participant.Master)) error {
	one := m.of(id)
	one.mu.Lock()
	defer one.mu.Unlock()
	statements, state, err := m.statements(ctx, historyindex.Key{Kind: historyindex.Master, Identifier: id}, one)
	if err != nil {
		return err
	}
	for _, e := range statements {
		one.fold.Apply(id, e.index, e.Entry, state)
		one.read++
		one.next = e.index + 1
	}
	if one.read == 0 {
		m.forget(id)
	}
	use(&one.fold)
	return nil
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

// newMasters gives those of the statements that a published checkpoint covers.
func (s *Service) newMasters() *masters {
	return &masters{statements: func(ctx context.Context, key historyindex.Key, known *master) (list []located, _ *participant.State, err error) {
		published, _ := s.read.Published()
		positions, err := s.projection.Between(key, known.next, published.Size)
		if err != nil {
			return nil, nil, err
		}
		for _, index := range positions {
			e, err := s.entryAt(ctx, index)
			if err != nil {
				return nil, nil, err
			}
			list = append(list, e)
		}
		return list, s.projection.State(), nil
	}}
}

// newMasters gives those of the statements that a snapshot covers.
func (r *Reader) newMasters() *masters {
	return &masters{statements: func(ctx context.Context, key historyindex.Key, known *master) (list []located, _ *participant.State, err error) {
		q, err := r.open(ctx)
		if err != nil {
			return nil, nil, err
		}
		defer q.Close()
		positions, err := q.View.Positions(key.Hash(), known.read, math.MaxInt)
		if err != nil {
			return nil, nil, err
		}
		for _, index := range positions {
			e, err := q.entry(ctx, index)
			if err != nil {
				return nil, nil, err
			}
			list = append(list, e)
		}
		return list, q.state, nil
	}}
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
