package trillianlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/trillian"
	"github.com/google/trillian/types"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"google.golang.org/grpc/codes"
)

// rpcTimeout bounds one call to Trillian. A call that it cuts off has an
// unknown outcome, like any other that fails.
const rpcTimeout = 30 * time.Second

// rpc is the back end in this package's words.
type rpc struct{ Backend }

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

func (r *rpc) addRun(ctx context.Context, items []*item, first uint64) error {
	ctx, cancel := context.WithTimeout(ctx, rpcTimeout)
	defer cancel()
	leaves := make([]trillian.LogLeaf, len(items))
	request := &trillian.AddSequencedLeavesRequest{LogId: r.TreeID(), Leaves: make([]*trillian.LogLeaf, len(items))}
	for i, it := range items {
		leaf := &leaves[i]
		leaf.LeafIndex = int64(first) + int64(i)
		leaf.LeafValue = it.value
		leaf.LeafIdentityHash = it.identity[:]
		request.Leaves[i] = leaf
	}
	response, err := r.Client().AddSequencedLeaves(ctx, request)
	if err != nil {
		return err
	}
	if len(response.Results) != len(items) {
		return fmt.Errorf("the back end answered for %d leaves of %d", len(response.Results), len(items))
	}
	for i, result := range response.Results {
		if status := result.GetStatus(); status != nil && status.Code != int32(codes.OK) {
			return fmt.Errorf("index %d: %s: %s", first+uint64(i), codes.Code(status.Code), status.Message)
		}
	}
	return nil
}

// root is what Trillian says that the tree is. It is not believed.
type root struct {
	size uint64
	hash [32]byte
}

func (r *rpc) root(ctx context.Context) (root, error) {
	ctx, cancel := context.WithTimeout(ctx, rpcTimeout)
	defer cancel()
	response, err := r.Client().GetLatestSignedLogRoot(ctx, &trillian.GetLatestSignedLogRootRequest{LogId: r.TreeID()})
	if err != nil {
		return root{}, fmt.Errorf("ask for the tree's root: %w", err)
	}
	var v1 types.LogRootV1
	if err := v1.UnmarshalBinary(response.GetSignedLogRoot().GetLogRoot()); err != nil {
		return root{}, fmt.Errorf("read the tree's root: %w", err)
	}
	answer := root{size: v1.TreeSize}
	if copy(answer.hash[:], v1.RootHash) != len(answer.hash) || len(v1.RootHash) != len(answer.hash) {
		return root{}, fmt.Errorf("read the tree's root: a hash of %d bytes", len(v1.RootHash))
	}
	return answer, nil
}

// leaves reads integrated leaves from first on, at least one and at most n. A
// leaf that is not what it says it is gives a *StopError.
func (r *rpc) leaves(ctx context.Context, first uint64, n int) (values [][]byte, hashes [][32]byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, rpcTimeout)
	defer cancel()
	response, err := r.Client().GetLeavesByRange(ctx, &trillian.GetLeavesByRangeRequest{
		LogId: r.TreeID(), StartIndex: int64(first), Count: int64(n)})
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
	ctx, cancel := context.WithTimeout(ctx, rpcTimeout)
	defer cancel()
	response, err := r.Client().GetConsistencyProof(ctx, &trillian.GetConsistencyProofRequest{
		LogId: r.TreeID(), FirstTreeSize: int64(from), SecondTreeSize: int64(to)})
	if err != nil {
		return nil, fmt.Errorf("ask for the consistency proof from %d to %d: %w", from, to, err)
	}
	if response.Proof == nil {
		// Trillian's answer when it does not know the larger size.
		return nil, fmt.Errorf("ask for the consistency proof from %d to %d: Trillian gave none", from, to)
	}
	return response.Proof.Hashes, nil
}
