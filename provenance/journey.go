package provenance

import (
	"context"

	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/journey"
)

// MaxJourneyBytes bounds the entries of a journey, and those of its signers'
// histories, in bytes. How many histories there may be, package journey says.
const MaxJourneyBytes = 8 << 20

// Journey is what the log says of one thing and of everything that it was in,
// of or made from.
type Journey struct {
	ID         string // canonical
	Checkpoint []byte // of the log, signed
	Size       uint64
	// Steps are the entries, by the events' own times and, where those are
	// equal, by their places in the log.
	Steps       []Step
	NotFollowed []string // identifiers at which a bound was met
}

// Step is one entry of a journey.
type Step struct {
	Seen
	Role journey.Role
	// Via is the identifier, of those that the entry names, through which it
	// belongs to the journey.
	Via string
}

// Journey follows a thing through the log, by the rule of package journey: the one
// by which a reader follows it through what JourneyHistories gives.
func (r *Reader) Journey(ctx context.Context, id string) (*Journey, error) {
	if err := checkThing(id); err != nil {
		return nil, err
	}
	q, end, err := r.ask(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	f, err := q.follow(ctx, id, false)
	if err != nil {
		return nil, err
	}
	j := &Journey{ID: f.journey.ID, Checkpoint: q.LogCheckpoint, Size: q.Size, Steps: make([]Step, len(f.journey.Steps)), NotFollowed: identifiers(f.journey.Missed)}
	for i, s := range f.journey.Steps {
		j.Steps[i] = Step{Seen: f.seen(s), Role: s.Role, Via: s.Key.Identifier}
	}
	return j, nil
}

func checkThing(id string) error {
	if _, err := gs1.Canonical(id); err != nil {
		return refuse("id", err.Error(), "a GS1 Digital Link, an EPC URN or another URI")
	}
	return nil
}

// follow follows what id names.
func (q *question) follow(ctx context.Context, id string, forReaders bool) (*followed, error) {
	f := &followed{
		question: q, histories: map[historyindex.Key]*followedHistory{}, entries: map[uint64]located{},
		room: MaxJourneyBytes, forReaders: forReaders,
	}
	var err error
	f.journey, err = journey.Follow(id, f.source(ctx))
	return f, err
}
