package trillianlog

import (
	"context"

	"github.com/google/trillian"
)

// Unusable stands for a back end that cannot be opened, say because its files are
// damaged. A log on it serves what is published and takes nothing: it has stopped
// as Corrupt, and err says why.
func Unusable(err error) Backend { return unusable{err} }

type unusable struct{ err error }

// Client is never called: a log on an unusable back end has stopped.
func (unusable) Client() trillian.TrillianLogClient { return nil }

func (u unusable) AddNew(context.Context, *trillian.AddSequencedLeavesRequest) error { return u.err }

func (unusable) TreeID() int64 { return 0 }

func (u unusable) Find(context.Context, [][32]byte) (map[[32]byte]Stored, error) { return nil, u.err }

func (u unusable) Next(context.Context) (uint64, []uint64, error) { return 0, nil, u.err }

func (unusable) Close() error { return nil }
