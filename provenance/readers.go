package provenance

import "context"

// maxReaders bounds how many histories and journeys are put together at the same
// time: each may hold MiBs. Others wait for their turn, which none keeps long,
// since no client is waited for in it.
const maxReaders = 4

// turns holds one token for each that has its turn.
type turns chan struct{}

// turn waits for one's turn, as long as ctx lasts; done ends it.
func (r turns) turn(ctx context.Context) (done func(), err error) {
	select {
	case r <- struct{}{}:
		return func() { <-r }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
