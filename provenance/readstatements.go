package provenance

import (
	"context"
	"sync"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/participant"
)

// statements are the fold of what the operator said, by which signatures are judged.
type statements struct {
	given bool // it is somebody else's, and never behind

	mu    sync.Mutex
	state *participant.State
	read  uint64 // of the operator's entries
}

// byOperator is the key of the operator's entries: all that can have an effect on
// who holds which keys are among them.
var byOperator = historyindex.Key{Kind: historyindex.By, Identifier: entry.Operator}

// statementsAtOnce is how many positions are asked for at a time.
const statementsAtOnce = 1000

// at gives the state, which has all that the question's snapshot covers. Later
// statements in it do not matter: a signature is judged by those before it.
func (s *statements) at(ctx context.Context, q *question) (*participant.State, error) {
	if s.given {
		return s.state, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == nil {
		s.state = participant.NewState()
	}
	for hash := byOperator.Hash(); ; {
		positions, err := q.View.Positions(hash, s.read, statementsAtOnce)
		if err != nil || len(positions) == 0 {
			return s.state, err
		}
		for _, index := range positions {
			e, err := q.entry(ctx, index)
			if err != nil {
				return nil, err
			}
			s.state.Apply(index, e.Entry)
			s.read++
		}
	}
}
