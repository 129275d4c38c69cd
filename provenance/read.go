package provenance

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/jcs"
	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
)

// located is an entry and the place where it stands.
type located struct {
	*entry.Entry
	index uint64
	bytes []byte
}

// entryAt reads one entry that a published checkpoint covers.
func (s *Service) entryAt(ctx context.Context, index uint64) (located, error) {
	if published, _ := s.read.Published(); index >= published.Size {
		return located{}, fmt.Errorf("%w: no entry stands at index %d; the log has %d entries", ErrNotFound, index, published.Size)
	}
	b, err := s.tiles.Entry(ctx, index)
	if err != nil {
		return located{}, fmt.Errorf("read the entry at index %d: %w", index, err)
	}
	e, err := entry.Parse(b)
	if err != nil {
		return located{}, fmt.Errorf("the entry at index %d: %w", index, err)
	}
	return located{e, index, b}, nil
}

// EventAt gives the entry at index.
func (s *Service) EventAt(ctx context.Context, index uint64) (Event, error) {
	e, err := s.entryAt(ctx, index)
	if err != nil {
		return Event{}, err
	}
	return s.event(e)
}

func (s *Service) event(e located) (Event, error) {
	receipt, err := s.read.Receipt(e.index)
	if errors.Is(err, trillianlog.ErrUnmet) {
		return Event{}, unavailable(err)
	}
	return Event{
		EventID:     aboutOf(e.Entry),
		Index:       e.index,
		LeafHash:    entry.LeafHash(e.bytes),
		Entry:       e.bytes,
		Participant: e.Participants[0],
		Receipt:     receipt,
	}, err
}

// aboutOf is the eventID of an event, and what a statement is about.
func aboutOf(e *entry.Entry) string {
	for _, name := range []string{"eventID", "identifier", "id"} {
		if v, ok := e.JSON.Get(name); ok {
			return v.Text()
		}
	}
	return ""
}

const (
	// maxOthers bounds how many further entries of one event id are named.
	maxOthers = 100
	// maxSearched bounds how many entries of one event id are read to answer one
	// question: anybody may use an id of anybody's.
	maxSearched = 500
)

// Event gives the newest entry with that eventID, or of that participant if one
// is named, and where the others stand. For the identifier of a product or
// place it gives the newest statement. ErrUnderWay when the event was taken and
// no published checkpoint covers it yet.
func (s *Service) Event(ctx context.Context, id, participant string) (Event, error) {
	published, _ := s.read.Published()
	positions, err := s.projection.Events(id, published.Size, maxSearched)
	if err != nil {
		return Event{}, err
	}
	if len(positions) == 0 {
		if canonical, err := gs1.Canonical(id); err == nil {
			positions, err = s.projection.Newest(historyindex.Key{Kind: historyindex.Master, Identifier: canonical}, published.Size, maxSearched)
			if err != nil {
				return Event{}, err
			}
		}
	}
	var newest *located
	var others []Other
	for _, index := range positions {
		e, err := s.entryAt(ctx, index)
		if err != nil {
			return Event{}, err
		}
		if newest == nil && (participant == "" || e.Participants[0] == participant) {
			newest = &e
		} else if len(others) < maxOthers {
			others = append(others, Other{index, e.Participants[0]})
		}
		if newest != nil && len(others) == maxOthers {
			break
		}
	}
	if newest == nil && len(positions) == maxSearched {
		// There are more of others' than were read.
		if newest, err = s.findOriginal(ctx, id, participant); err != nil {
			return Event{}, err
		}
	}
	if newest == nil {
		if s.underWay.has(id) {
			return Event{}, fmt.Errorf("the event %s: %w", id, ErrUnderWay)
		}
		return Event{}, fmt.Errorf("%w: no event with the id %q%s is in the log", ErrNotFound, id, by(participant))
	}
	event, err := s.event(*newest)
	event.Others = others
	return event, err
}

func by(participant string) string {
	if participant == "" {
		return ""
	}
	return " by " + participant
}

// maxRecentBytes bounds the entries of one answer of Recent; one is always given.
const maxRecentBytes = 8 << 20

// Recent gives the newest entries, the newest first, of one participant or, if
// none is named, of the whole log: limit of them, or those that fit
// maxRecentBytes. Receipts are left out.
func (s *Service) Recent(ctx context.Context, participant string, limit int) ([]Event, error) {
	published, _ := s.read.Published()
	var positions []uint64
	if participant == "" {
		for i := published.Size; i > 0 && len(positions) < limit; i-- {
			positions = append(positions, i-1)
		}
	} else {
		var err error
		key := historyindex.Key{Kind: historyindex.By, Identifier: participant}
		if positions, err = s.projection.Newest(key, published.Size, limit); err != nil {
			return nil, err
		}
	}
	events := make([]Event, 0, len(positions))
	room := maxRecentBytes
	for _, index := range positions {
		e, err := s.entryAt(ctx, index)
		if err != nil {
			return nil, err
		}
		if room -= len(e.bytes); room < 0 && len(events) > 0 {
			break
		}
		events = append(events, Event{EventID: aboutOf(e.Entry), Index: index, LeafHash: entry.LeafHash(e.bytes), Entry: e.bytes, Participant: e.Participants[0]})
	}
	return events, nil
}

// findOriginal gives the event of that id by that participant, no error
// declaration; nil when no published checkpoint covers one.
func (s *Service) findOriginal(ctx context.Context, eventID, participant string) (*located, error) {
	identity, err := entry.Identity(participant, jcs.NewObject(jcs.Member{Name: "eventID", Value: jcs.NewString(eventID)}))
	if err != nil {
		return nil, nil // nothing can have an empty id
	}
	published, _ := s.read.Published()
	index, found, err := s.projection.First(identity, published.Size)
	if err != nil || !found {
		return nil, err
	}
	e, err := s.entryAt(ctx, index)
	if err != nil || e.Participants[0] != participant || aboutOf(e.Entry) != eventID {
		return nil, err
	}
	return &e, nil
}

// InclusionProof proves the entry at index in the tree of that size, which a
// published checkpoint must cover; size 0 means the published one.
func (s *Service) InclusionProof(index, size uint64) (proof [][32]byte, leafHash, root [32]byte, atSize uint64, err error) {
	if size, err = s.publishedSize(size); err != nil {
		return
	}
	if index >= size {
		err = fmt.Errorf("%w: the tree of size %d has no entry at index %d", ErrNotFound, size, index)
		return
	}
	atSize = size
	if proof, err = s.tiles.InclusionProof(index, size); err != nil {
		return
	}
	if leafHash, err = s.tiles.LeafHash(index); err != nil {
		return
	}
	root, err = s.tiles.Root(size)
	return
}

// ConsistencyProof proves that the tree of size from is the beginning of that
// of size to; to 0 means the published one.
func (s *Service) ConsistencyProof(from, to uint64) (proof [][32]byte, toSize uint64, err error) {
	published, _ := s.read.Published()
	return consistencyProof(s.tiles, published.Size, from, to)
}

// IndexConsistencyProof is ConsistencyProof of the index log.
func (s *Service) IndexConsistencyProof(from, to uint64) (proof [][32]byte, toSize uint64, err error) {
	published, _ := s.index.tiles.Checkpoint()
	return consistencyProof(s.index.tiles, published.Size, from, to)
}

func consistencyProof(log *tiles.Store, published, from, to uint64) (proof [][32]byte, toSize uint64, err error) {
	if to, err = sizeUpTo(to, published); err != nil {
		return nil, 0, err
	}
	if from > to {
		return nil, 0, refuse("from", fmt.Sprintf("%d is larger than to, %d", from, to), "the smaller size first")
	}
	proof, err = log.ConsistencyProof(from, to)
	return proof, to, err
}

func (s *Service) publishedSize(size uint64) (uint64, error) {
	published, _ := s.read.Published()
	return sizeUpTo(size, published.Size)
}

// sizeUpTo gives a size that somebody asks for: 0 is the published one.
func sizeUpTo(size, published uint64) (uint64, error) {
	switch {
	case size == 0:
		return published, nil
	case size > published:
		return 0, fmt.Errorf("%w: no tree of size %d is published yet; the log has %d entries", ErrNotFound, size, published)
	}
	return size, nil
}

// maxUnderWay bounds the ids that underWay remembers. Of further ones it is not
// told that they are on their way; they are all the same.
const maxUnderWay = 1 << 16

// underWay remembers the ids of events whose answer was Pending, until their
// outcome is known.
type underWay struct {
	mu  sync.Mutex
	ids map[[32]byte]bool
}

// add remembers id until its ticket is settled. One that was sent again is
// remembered once: while nothing can be published, people send again and again.
func (u *underWay) add(id string, ticket *trillianlog.Ticket) {
	key := sha256.Sum256([]byte(id))
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ids[key] || len(u.ids) >= maxUnderWay {
		return
	}
	if u.ids == nil {
		u.ids = map[[32]byte]bool{}
	}
	u.ids[key] = true
	go func() {
		_, _ = ticket.Wait(context.Background())
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(u.ids, key)
	}()
}

func (u *underWay) has(id string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.ids[sha256.Sum256([]byte(id))]
}
