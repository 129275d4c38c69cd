package trillianlog

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/trillian"
	"github.com/google/trillian/types"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// DefaultCallTimeout is Options.CallTimeout where that is not set.
const DefaultCallTimeout = 20 * time.Second

// rpc is the back end in this package's words. It bounds every call: one that is
// cut off has an unknown outcome, like any other that fails.
type rpc struct {
	Backend
	timeout time.Duration     // of one call; 0: DefaultCallTimeout
	onError func(call string) // is told of every call that fails; may be nil

	answered atomic.Uint64            // calls that did not fail
	line     atomic.Pointer[callLine] // on which the calls under way hang; nil: none
}

// The names of the calls, for metrics.
const (
	callAdd         = "add"
	callFind        = "find"
	callNext        = "next"
	callRoot        = "root"
	callLeaves      = "leaves"
	callConsistency = "consistency"
)

// Calls are the names that Hooks.OnError gives.
func Calls() []string {
	return []string{callAdd, callFind, callNext, callRoot, callLeaves, callConsistency}
}

type callLine struct {
	context.Context
	cut context.CancelFunc
}

func newLine() *callLine {
	ctx, cut := context.WithCancel(context.Background())
	return &callLine{ctx, cut}
}

// interrupt ends the calls under way. Later ones are not touched.
func (r *rpc) interrupt() {
	if old := r.line.Swap(newLine()); old != nil {
		old.cut()
	}
}

// begin bounds a call; done is called at its end.
func (r *rpc) begin(ctx context.Context) (_ context.Context, done context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(r.timeout, DefaultCallTimeout))
	line := r.line.Load()
	if line == nil {
		return ctx, cancel
	}
	unhook := context.AfterFunc(line, cancel)
	return ctx, func() {
		unhook()
		cancel()
	}
}

// outcome counts a call that has ended.
func (r *rpc) outcome(call string, err error) {
	switch {
	case err == nil:
		r.answered.Add(1)
	case r.onError != nil && !errors.Is(err, context.Canceled) && status.Code(err) != codes.Canceled:
		r.onError(call)
	}
}

// find is Backend.Find.
func (r *rpc) find(ctx context.Context, identities [][32]byte) (map[[32]byte]Stored, error) {
	ctx, done := r.begin(ctx)
	defer done()
	found, err := r.Find(ctx, identities)
	r.outcome(callFind, err)
	if err != nil {
		return nil, fmt.Errorf("look up identities: %w", err)
	}
	return found, nil
}

// next is Backend.Next.
func (r *rpc) next(ctx context.Context) (next uint64, holes []uint64, err error) {
	ctx, done := r.begin(ctx)
	defer done()
	next, holes, err = r.Next(ctx)
	r.outcome(callNext, err)
	if err != nil {
		return 0, nil, fmt.Errorf("ask for the next index: %w", err)
	}
	return next, holes, nil
}

// add writes items at the indices of plan, in rising order. After an error any
// of them may be stored.
func (r *rpc) add(ctx context.Context, items []*item, plan []uint64) error {
	for len(items) > 0 {
		n := 1 // one call takes adjoining indices only
		for n < len(items) && plan[n] == plan[n-1]+1 {
			n++
		}
		if err := r.addRun(ctx, items[:n], plan[0]); err != nil {
			return err
		}
		items, plan = items[n:], plan[n:]
	}
	return nil
}

// addNew writes items that nobody has looked up, from an index on. After ErrTaken
// and errors.ErrUnsupported none of them is stored, after another error any may be.
func (r *rpc) addNew(ctx context.Context, items []*item, first uint64) error {
	ctx, done := r.begin(ctx)
	defer done()
	err := r.AddNew(ctx, r.request(items, first))
	if !refused(err) {
		r.outcome(callAdd, err)
	}
	return err
}

// refused says that nothing was written, for a reason that is no failure.
func refused(err error) bool {
	return errors.Is(err, ErrTaken) || errors.Is(err, errors.ErrUnsupported)
}

func (r *rpc) request(items []*item, first uint64) *trillian.AddSequencedLeavesRequest {
	leaves := make([]trillian.LogLeaf, len(items))
	request := &trillian.AddSequencedLeavesRequest{LogId: r.TreeID(), Leaves: make([]*trillian.LogLeaf, len(items))}
	for i, it := range items {
		leaf := &leaves[i]
		leaf.LeafIndex = int64(first) + int64(i)
		leaf.LeafValue = it.value
		leaf.LeafIdentityHash = it.identity[:]
		request.Leaves[i] = leaf
	}
	return request
}

func (r *rpc) addRun(ctx context.Context, items []*item, first uint64) error {
	ctx, done := r.begin(ctx)
	defer done()
	response, err := r.Client().AddSequencedLeaves(ctx, r.request(items, first))
	r.outcome(callAdd, err)
	if err != nil {
		return err
	}
	if len(response.Results) != len(items) {
		return fmt.Errorf("the back end answered for %d leaves of %d", len(response.Results), len(items))
	}
	for i, result := range response.Results {
		if st := result.GetStatus(); st != nil && st.Code != int32(codes.OK) {
			return fmt.Errorf("index %d: %s: %s", first+uint64(i), codes.Code(st.Code), st.Message)
		}
	}
	return nil
}

// root is what Trillian says that the tree is. It is not believed.
type root struct {
	size uint64
	hash [32]byte
	at   time.Time // that it bears
}

func (r *rpc) root(ctx context.Context) (root, error) {
	ctx, done := r.begin(ctx)
	defer done()
	response, err := r.Client().GetLatestSignedLogRoot(ctx, &trillian.GetLatestSignedLogRootRequest{LogId: r.TreeID()})
	r.outcome(callRoot, err)
	if err != nil {
		return root{}, fmt.Errorf("ask for the tree's root: %w", err)
	}
	var v1 types.LogRootV1
	if err := v1.UnmarshalBinary(response.GetSignedLogRoot().GetLogRoot()); err != nil {
		return root{}, fmt.Errorf("read the tree's root: %w", err)
	}
	answer := root{size: v1.TreeSize, at: time.Unix(0, int64(v1.TimestampNanos))}
	if copy(answer.hash[:], v1.RootHash) != len(answer.hash) || len(v1.RootHash) != len(answer.hash) {
		return root{}, fmt.Errorf("read the tree's root: a hash of %d bytes", len(v1.RootHash))
	}
	return answer, nil
}

// leaves reads integrated leaves from first on, at least one and at most n. A
// leaf that is not what it says it is gives a *StopError.
func (r *rpc) leaves(ctx context.Context, first uint64, n int) (values [][]byte, hashes [][32]byte, err error) {
	ctx, done := r.begin(ctx)
	defer done()
	response, err := r.Client().GetLeavesByRange(ctx, &trillian.GetLeavesByRangeRequest{
		LogId: r.TreeID(), StartIndex: int64(first), Count: int64(n)})
	r.outcome(callLeaves, err)
	if err != nil {
		return nil, nil, fmt.Errorf("read leaves from %d on: %w", first, err)
	}
	if len(response.Leaves) == 0 || len(response.Leaves) > n {
		return nil, nil, fmt.Errorf("read leaves from %d on: %d leaves came for %d", first, len(response.Leaves), n)
	}
	values = make([][]byte, len(response.Leaves))
	hashes = make([][32]byte, len(response.Leaves))
	for i, leaf := range response.Leaves {
		index := first + uint64(i)
		values[i], hashes[i] = leaf.LeafValue, leafHash(leaf.LeafValue)
		switch {
		case leaf.LeafIndex != int64(index):
			return nil, nil, stop(Corrupt, "the back end gives leaf %d where leaf %d was asked for", leaf.LeafIndex, index)
		case !bytes.Equal(leaf.MerkleLeafHash, hashes[i][:]):
			return nil, nil, stop(Corrupt, "leaf %d was changed in the back end: its bytes hash to %x, it was stored as %x", index, hashes[i], leaf.MerkleLeafHash)
		}
	}
	return values, hashes, nil
}

// errInconsistent: a proof by Trillian does not hold.
var errInconsistent = errors.New("the consistency proof by Trillian does not hold")

// consistent checks with a proof by Trillian that the tree with root latest
// begins with the tree of the given size and hash. An error that is
// errInconsistent says that it does not, any other that it is not known.
func (r *rpc) consistent(ctx context.Context, size uint64, hash [32]byte, latest root) error {
	if size == 0 {
		return nil // every tree begins with the empty one
	}
	if size == latest.size {
		if hash != latest.hash {
			return errInconsistent
		}
		return nil
	}
	hashes, err := r.consistencyProof(ctx, size, latest.size)
	if err != nil {
		return err
	}
	if err := proof.VerifyConsistency(rfc6962.DefaultHasher, size, latest.size, hashes, hash[:], latest.hash[:]); err != nil {
		return errInconsistent
	}
	return nil
}

func (r *rpc) consistencyProof(ctx context.Context, from, to uint64) ([][]byte, error) {
	if from == 0 || from == to {
		return nil, nil
	}
	ctx, done := r.begin(ctx)
	defer done()
	response, err := r.Client().GetConsistencyProof(ctx, &trillian.GetConsistencyProofRequest{
		LogId: r.TreeID(), FirstTreeSize: int64(from), SecondTreeSize: int64(to)})
	r.outcome(callConsistency, err)
	if err != nil {
		return nil, fmt.Errorf("ask for the consistency proof from %d to %d: %w", from, to, err)
	}
	if response.Proof == nil {
		// Trillian's answer when it does not know the larger size.
		return nil, fmt.Errorf("ask for the consistency proof from %d to %d: Trillian gave none", from, to)
	}
	return response.Proof.Hashes, nil
}
