package provenance

import (
	"context"
	"time"

	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
)

// The bounds of a journey. What lies beyond is named in NotFollowed.
const (
	MaxJourneyHistories = 256
	MaxJourneyBytes     = 8 << 20
)

// Role says why a step belongs to a journey.
type Role int

// The roles, the closest first: an entry that has several has the first.
const (
	Self       Role = iota // it names the thing itself
	Batch                  // it names the lot that the thing is of
	Container              // it names what the thing was packed in at that time
	Ingredient             // it names what the thing was made from
	Use                    // the thing was used up in it
)

func (r Role) String() string {
	return [...]string{"self", "batch", "container", "ingredient", "use"}[r]
}

// Journey is what the log says of one thing and of everything that it was in,
// of or made from.
type Journey struct {
	ID         string // canonical
	Checkpoint []byte
	Size       uint64
	// Steps are the entries, by the events' own times and, where those are
	// equal, by their places in the log.
	Steps []Step
	// Keys are the histories in which the steps stand, in the order in which
	// they were reached.
	Keys        []historyindex.Key
	NotFollowed []string // identifiers at which a bound was met
}

// Step is one entry of a journey.
type Step struct {
	Seen
	Role Role
	// Via is the identifier, of those that the entry names, through which it
	// belongs to the journey.
	Via  string
	Time time.Time // the event's; zero when it has none that can be read
}

// Journey follows a thing through the log: its own entries and those of its
// lot, of what it was packed in while it was packed in it, and of what it was
// made from until then. Of a place it has what was reported there of no object,
// as sensors do. It follows only entries that have effect.
func (s *Service) Journey(ctx context.Context, id string) (*Journey, error) {
	done, err := s.readers.turn(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	return s.journey(ctx, id)
}

func (s *Service) journey(ctx context.Context, id string) (*Journey, error) {
	canonical, err := gs1.Canonical(id)
	if err != nil {
		return nil, refuse("id", err.Error(), "a GS1 Digital Link, an EPC URN or another URI")
	}
	published, text := s.log.Published()
	f := newFollower(s, &Journey{ID: canonical, Size: published.Size, Checkpoint: text})
	ids := gs1.Identifiers(canonical)
	f.push(task{id: ids[0], role: Self, window: always})
	if len(ids) > 1 {
		f.push(task{ids[1], Batch, always, true})
	}
	if err := f.run(ctx); err != nil {
		return nil, err
	}
	// What became of the thing itself ends its journey.
	uses, err := f.history(ctx, historyindex.Key{Kind: historyindex.Input, Identifier: ids[0]})
	if err != nil {
		return nil, err
	}
	for _, e := range uses.entries {
		f.add(e, Use, canonical)
	}
	if err := f.followPlace(ctx, ids[0]); err != nil {
		return nil, err
	}
	return f.finish(), nil
}
