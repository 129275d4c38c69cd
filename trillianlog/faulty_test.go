package trillianlog_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/trillian"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tallyroot/tallyroot/trillianlog"
)

// fault is what becomes of a call to a faulty back end.
type fault int

const (
	works fault = iota
	fails       // the call is refused, and does nothing
	loses       // it does its work, and its answer is lost
	hangs       // it does nothing and does not return before its context ends
)

// faulty is a real back end whose calls a test can make fail, each by itself.
type faulty struct {
	trillianlog.Backend
	mu     sync.Mutex
	faults map[string]fault // by the call's name
	calls  map[string]int
}

var errDown = status.Error(codes.Unavailable, "connection refused")

// calls of a Backend, by their names.
var calls = trillianlog.Calls()

func (f *faulty) set(what fault, calls ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, call := range calls {
		f.faults[call] = what
	}
}

func (f *faulty) count() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make(map[string]int)
	for call, n := range f.calls {
		all[call] = n
	}
	return all
}

func through[T any](f *faulty, ctx context.Context, call string, do func() (T, error)) (T, error) {
	f.mu.Lock()
	what := f.faults[call]
	f.calls[call]++
	f.mu.Unlock()
	var none T
	switch what {
	case fails:
		return none, errDown
	case loses:
		if _, err := do(); err != nil {
			return none, err
		}
		return none, errDown
	case hangs:
		<-ctx.Done()
		return none, ctx.Err()
	}
	return do()
}

func (f *faulty) Client() trillian.TrillianLogClient { return faultyClient{f.Backend.Client(), f} }

func (f *faulty) Find(ctx context.Context, identities [][32]byte) (map[[32]byte]trillianlog.Stored, error) {
	return through(f, ctx, "find", func() (map[[32]byte]trillianlog.Stored, error) { return f.Backend.Find(ctx, identities) })
}

func (f *faulty) Next(ctx context.Context) (next uint64, holes []uint64, err error) {
	next, err = through(f, ctx, "next", func() (next uint64, err error) {
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
	return through(c.f, ctx, "add", func() (*trillian.AddSequencedLeavesResponse, error) {
		return c.TrillianLogClient.AddSequencedLeaves(context.WithoutCancel(ctx), r)
	})
}

func (c faultyClient) GetLatestSignedLogRoot(ctx context.Context, r *trillian.GetLatestSignedLogRootRequest, _ ...grpc.CallOption) (*trillian.GetLatestSignedLogRootResponse, error) {
	return through(c.f, ctx, "root", func() (*trillian.GetLatestSignedLogRootResponse, error) {
		return c.TrillianLogClient.GetLatestSignedLogRoot(ctx, r)
	})
}

func (c faultyClient) GetLeavesByRange(ctx context.Context, r *trillian.GetLeavesByRangeRequest, _ ...grpc.CallOption) (*trillian.GetLeavesByRangeResponse, error) {
	return through(c.f, ctx, "leaves", func() (*trillian.GetLeavesByRangeResponse, error) {
		return c.TrillianLogClient.GetLeavesByRange(ctx, r)
	})
}

func (c faultyClient) GetConsistencyProof(ctx context.Context, r *trillian.GetConsistencyProofRequest, _ ...grpc.CallOption) (*trillian.GetConsistencyProofResponse, error) {
	return through(c.f, ctx, "consistency", func() (*trillian.GetConsistencyProofResponse, error) {
		return c.TrillianLogClient.GetConsistencyProof(ctx, r)
	})
}

// openFaulty opens the log on a faulty back end that works so far, and asks it
// often whether it answers. change may be nil.
func (w *world) openFaulty(change func(*trillianlog.Options)) (*trillianlog.Log, *faulty) {
	w.tb.Helper()
	var f *faulty
	l := w.open(func(o *trillianlog.Options) {
		f = &faulty{Backend: o.Backend, faults: make(map[string]fault), calls: make(map[string]int)}
		o.Backend = f
		o.SetProbe(2*time.Millisecond, 500*time.Millisecond)
		if change != nil {
			change(o)
		}
	})
	return l, f
}

// eventually waits for a condition that must come.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("it never came that %s", what)
		}
	}
}

// logAtLast logs leaves one after the other, each as often as it needs.
func (w *world) logAtLast(l *trillianlog.Log, prefix string, n int) {
	w.tb.Helper()
	for i := range n {
		eventually(w.tb, "a leaf is taken", func() bool { return w.logOne(l, leaf(fmt.Sprintf("%s-%d", prefix, i), "text")) == nil })
	}
}

// outcomes are what clients were told of their leaves, each sent once.
type outcomes struct {
	mu       sync.Mutex
	told     map[string]error // by the leaf's value
	unwanted error            // what nobody may be told
}

// send logs one leaf and keeps what its sender was told.
func (o *outcomes) send(w *world, l *trillianlog.Log, leaf trillianlog.Leaf) error {
	err := w.logOne(l, leaf)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.told == nil {
		o.told = make(map[string]error)
	}
	o.told[string(leaf.Value)] = err
	if err != nil && !errors.Is(err, trillianlog.ErrUnavailable) {
		o.unwanted = err
	}
	return err
}

// check compares what clients were told with what is in the log.
func (o *outcomes) check(w *world, l *trillianlog.Log) {
	w.tb.Helper()
	w.check(l)
	w.unique(l)
	if o.unwanted != nil {
		w.tb.Fatalf("somebody was told: %v", o.unwanted)
	}
	c, _ := l.Published()
	entries, err := l.Tiles().Entries(context.Background(), 0, c.Size)
	if err != nil {
		w.tb.Fatal(err)
	}
	there := make(map[string]bool)
	for _, entry := range entries {
		there[string(entry)] = true
	}
	count := map[string]int{}
	for value, err := range o.told {
		switch {
		case err == nil:
			count["acknowledged"]++
			if !there[value] {
				w.tb.Errorf("%q was acknowledged and is not in the log", value)
			}
		case errors.Is(err, trillianlog.ErrUnknown):
			count["unknown"]++
		default:
			count["refused"]++
			if there[value] {
				w.tb.Errorf("%q is in the log, and its sender was told: %v", value, err)
			}
		}
	}
	w.tb.Log(count)
}
