package backendtest

import (
	"context"
	"errors"
	"sync"

	"github.com/google/trillian"
	"google.golang.org/grpc"

	"github.com/tallyroot/tallyroot/trillianlog"
)

// The calls that a log makes to its back end.
const (
	callFind   = "Find"
	callNext   = "Next"
	callAdd    = "AddSequencedLeaves"
	callRoot   = "GetLatestSignedLogRoot"
	callLeaves = "GetLeavesByRange"
	callProof  = "GetConsistencyProof"
)

// faulty is a back end whose calls can be made to fail, before or after they are
// done.
type faulty struct {
	trillianlog.Backend

	mu     sync.Mutex
	before func(call string) error
	after  func(call string) error
	add    addFunc
}

// addFunc does, or does not do, a write.
type addFunc func(ctx context.Context, r *trillian.AddSequencedLeavesRequest, next trillian.TrillianLogClient) (*trillian.AddSequencedLeavesResponse, error)

// inject puts it between the log and its back end. f is set when the log opens.
func (f *faulty) inject(o *trillianlog.Options) {
	f.Backend, o.Backend = o.Backend, f
}

func (f *faulty) set(before, after func(call string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before, f.after = before, after
}

func (f *faulty) setAdd(add addFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.add = add
}

func (f *faulty) hooks() (before, after func(call string) error, add addFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.before, f.after, f.add
}

// through makes a call.
func through[T any](f *faulty, call string, do func() (T, error)) (answer T, err error) {
	before, after, _ := f.hooks()
	if before != nil {
		if err := before(call); err != nil {
			return answer, err
		}
	}
	if answer, err = do(); err != nil {
		return answer, err
	}
	if after != nil {
		if err := after(call); err != nil {
			var none T
			return none, err
		}
	}
	return answer, nil
}

func (f *faulty) Client() trillian.TrillianLogClient { return faultyClient{f.Backend.Client(), f} }

func (f *faulty) Find(ctx context.Context, identities [][32]byte) (map[[32]byte]trillianlog.Stored, error) {
	return through(f, callFind, func() (map[[32]byte]trillianlog.Stored, error) { return f.Backend.Find(ctx, identities) })
}

func (f *faulty) AddNew(ctx context.Context, r *trillian.AddSequencedLeavesRequest) error {
	if _, _, add := f.hooks(); add != nil {
		return errors.ErrUnsupported // it goes to the client
	}
	_, err := through(f, callAdd, func() (any, error) { return nil, f.Backend.AddNew(ctx, r) })
	return err
}

func (f *faulty) Next(ctx context.Context) (next uint64, holes []uint64, err error) {
	next, err = through(f, callNext, func() (uint64, error) {
		var err error
		next, holes, err = f.Backend.Next(ctx)
		return next, err
	})
	return next, holes, err
}

type faultyClient struct {
	trillian.TrillianLogClient
	f *faulty
}

func (c faultyClient) AddSequencedLeaves(ctx context.Context, r *trillian.AddSequencedLeavesRequest, _ ...grpc.CallOption) (*trillian.AddSequencedLeavesResponse, error) {
	return through(c.f, callAdd, func() (*trillian.AddSequencedLeavesResponse, error) {
		if _, _, add := c.f.hooks(); add != nil {
			return add(ctx, r, c.TrillianLogClient)
		}
		return c.TrillianLogClient.AddSequencedLeaves(ctx, r)
	})
}

func (c faultyClient) GetLatestSignedLogRoot(ctx context.Context, r *trillian.GetLatestSignedLogRootRequest, _ ...grpc.CallOption) (*trillian.GetLatestSignedLogRootResponse, error) {
	return through(c.f, callRoot, func() (*trillian.GetLatestSignedLogRootResponse, error) {
		return c.TrillianLogClient.GetLatestSignedLogRoot(ctx, r)
	})
}

func (c faultyClient) GetLeavesByRange(ctx context.Context, r *trillian.GetLeavesByRangeRequest, _ ...grpc.CallOption) (*trillian.GetLeavesByRangeResponse, error) {
	return through(c.f, callLeaves, func() (*trillian.GetLeavesByRangeResponse, error) {
		return c.TrillianLogClient.GetLeavesByRange(ctx, r)
	})
}

func (c faultyClient) GetConsistencyProof(ctx context.Context, r *trillian.GetConsistencyProofRequest, _ ...grpc.CallOption) (*trillian.GetConsistencyProofResponse, error) {
	return through(c.f, callProof, func() (*trillian.GetConsistencyProofResponse, error) {
		return c.TrillianLogClient.GetConsistencyProof(ctx, r)
	})
}
