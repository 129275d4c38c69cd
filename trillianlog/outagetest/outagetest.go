// Package outagetest makes a real back end fail on purpose, for tests of what
// stands above it: each kind of call by itself, in the ways in which a network and
// a database fail.
package outagetest

import (
	"context"
	"maps"
	"sync"

	"github.com/google/trillian"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tallyroot/tallyroot/trillianlog"
)

// Fault is what becomes of a call.
type Fault int

const (
	Works Fault = iota
	Fails       // the call is refused, and does nothing
	Loses       // it does its work, and its answer is lost
	Hangs       // it does nothing, and returns when its context ends
)

// Backend is a back end whose calls fail as it is told, at first none.
type Backend struct {
	trillianlog.Backend
	mu     sync.Mutex
	faults map[string]Fault // by the call's name, one of trillianlog.Calls
	calls  map[string]int
}

// Wrap makes a Backend of a real one.
func Wrap(b trillianlog.Backend) *Backend {
	return &Backend{Backend: b, faults: make(map[string]Fault), calls: make(map[string]int)}
}

var errDown = status.Error(codes.Unavailable, "connection refused")

// Set says what becomes of those calls from now on; without any, of all.
func (f *Backend) Set(what Fault, calls ...string) {
	if len(calls) == 0 {
		calls = trillianlog.Calls()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, call := range calls {
		f.faults[call] = what
	}
}

// Count is how often each call was made.
func (f *Backend) Count() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.calls)
}

func through[T any](f *Backend, ctx context.Context, call string, do func() (T, error)) (T, error) {
	f.mu.Lock()
	what := f.faults[call]
	f.calls[call]++
	f.mu.Unlock()
	var none T
	switch what {
	case Fails:
		return none, errDown
	case Loses:
		if _, err := do(); err != nil {
			return none, err
		}
		return none, errDown
	case Hangs:
		<-ctx.Done()
		return none, ctx.Err()
	}
	return do()
}

// Client is the real one's, failing.
func (f *Backend) Client() trillian.TrillianLogClient { return client{f.Backend.Client(), f} }

// Find is the real one's, or fails.
func (f *Backend) Find(ctx context.Context, identities [][32]byte) (map[[32]byte]trillianlog.Stored, error) {
	return through(f, ctx, "find", func() (map[[32]byte]trillianlog.Stored, error) { return f.Backend.Find(ctx, identities) })
}

// AddNew is the real one's, or fails.
func (f *Backend) AddNew(ctx context.Context, r *trillian.AddSequencedLeavesRequest) error {
	_, err := through(f, ctx, "add", func() (any, error) {
		return nil, f.Backend.AddNew(context.WithoutCancel(ctx), r)
	})
	return err
}

// Next is the real one's, or fails.
func (f *Backend) Next(ctx context.Context) (next uint64, holes []uint64, err error) {
	next, err = through(f, ctx, "next", func() (next uint64, err error) {
		next, holes, err = f.Backend.Next(ctx)
		return next, err
	})
	return next, holes, err
}

type client struct {
	trillian.TrillianLogClient
	f *Backend
}

func (c client) AddSequencedLeaves(ctx context.Context, r *trillian.AddSequencedLeavesRequest, _ ...grpc.CallOption) (*trillian.AddSequencedLeavesResponse, error) {
	// What is lost was done: a transaction may commit although its client is gone.
	return through(c.f, ctx, "add", func() (*trillian.AddSequencedLeavesResponse, error) {
		return c.TrillianLogClient.AddSequencedLeaves(context.WithoutCancel(ctx), r)
	})
}

func (c client) GetLatestSignedLogRoot(ctx context.Context, r *trillian.GetLatestSignedLogRootRequest, _ ...grpc.CallOption) (*trillian.GetLatestSignedLogRootResponse, error) {
	return through(c.f, ctx, "root", func() (*trillian.GetLatestSignedLogRootResponse, error) {
		return c.TrillianLogClient.GetLatestSignedLogRoot(ctx, r)
	})
}

func (c client) GetLeavesByRange(ctx context.Context, r *trillian.GetLeavesByRangeRequest, _ ...grpc.CallOption) (*trillian.GetLeavesByRangeResponse, error) {
	return through(c.f, ctx, "leaves", func() (*trillian.GetLeavesByRangeResponse, error) {
		return c.TrillianLogClient.GetLeavesByRange(ctx, r)
	})
}

func (c client) GetConsistencyProof(ctx context.Context, r *trillian.GetConsistencyProofRequest, _ ...grpc.CallOption) (*trillian.GetConsistencyProofResponse, error) {
	return through(c.f, ctx, "consistency", func() (*trillian.GetConsistencyProofResponse, error) {
		return c.TrillianLogClient.GetConsistencyProof(ctx, r)
	})
}
