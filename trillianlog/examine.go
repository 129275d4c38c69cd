package trillianlog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/trillian"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/tallyroot/tallyroot/trillianlog/internal/logtree"
)

// Between a tree's leaves and its root Trillian stores inner nodes. Damage to them
// changes nothing that was logged, and nothing that is published. But Trillian's
// proofs may fail, which then the leaves themselves replace; and if it concerns the
// nodes from which the tree grows, nothing is ever added again, however often it is
// tried.

// examineAfter is how long leaves are stored and not in the tree before it is
// looked at whether the tree can grow at all.
const examineAfter = time.Second

// begins checks that the tree with root latest begins with the leaves of tree, of
// the given root: by Trillian's proof, or where that fails, by the leaves between.
// Errors are those of rpc.consistent.
func (p *publisher) begins(ctx context.Context, tree *compactRange, root [32]byte, latest root) error {
	err := p.backend.consistent(ctx, tree.End(), root, latest)
	if tree.End() == latest.size || !errors.Is(err, errInconsistent) && !logtree.LacksNodes(err) {
		return err
	}
	whole, err := p.backend.grow(ctx, tree, latest.size)
	if err != nil {
		return err
	}
	if now, err := rootOf(whole); err != nil || now != latest.hash {
		return errors.Join(errInconsistent, err)
	}
	return nil
}

// grow gives the tree with the leaves of the back end up to a size added.
func (r *rpc) grow(ctx context.Context, tree *compactRange, size uint64) (*compactRange, error) {
	grown, err := treeFactory.NewRange(0, tree.End(), cloneHashes(tree.Hashes()))
	for err == nil && grown.End() < size {
		var hashes [][32]byte
		if _, hashes, err = r.leaves(ctx, grown.End(), int(min(size-grown.End(), maxReadLeaves))); err == nil {
			err = appendAll(grown, hashes)
		}
	}
	return grown, err
}

func appendAll(tree *compact.Range, hashes [][32]byte) error {
	for i := range hashes {
		if err := tree.Append(hashes[i][:], nil); err != nil {
			return err
		}
	}
	return nil
}

// examine looks whether Trillian's tree can grow when there is a reason to doubt it:
// it refused leaves, or has not integrated them for a while. It gives a *StopError if
// the tree cannot, and nil if it is not known. known is how many leaves are stored.
func (p *publisher) examine(ctx context.Context, known uint64) error {
	late := known > p.tree.End() && !p.examined && !p.waiting.IsZero() && time.Since(p.waiting) > examineAfter
	if !p.doubt.Load() && !late {
		return nil
	}
	err := p.checkNodes(ctx)
	var stopped *StopError
	if errors.As(err, &stopped) {
		return err
	}
	if err == nil {
		p.doubt.Store(false)
		p.examined = true
	}
	return nil // asked again at the next turn
}

// checkNodes compares the nodes from which Trillian's tree grows with those that
// the leaves give. They are in the proofs for the first leaf and the last.
func (p *publisher) checkNodes(ctx context.Context) error {
	size := p.tree.End()
	if size == 0 {
		return nil
	}
	root, err := p.root()
	if err != nil {
		return err
	}
	for _, index := range []uint64{0, size - 1} {
		_, hashes, err := p.backend.leaves(ctx, index, 1)
		if err != nil {
			return err
		}
		nodes, err := p.backend.inclusionProof(ctx, index, size)
		if err == nil {
			err = proof.VerifyInclusion(rfc6962.DefaultHasher, index, size, hashes[0][:], nodes, root[:])
		} else if !logtree.LacksNodes(err) {
			return err
		}
		if err != nil {
			return stop(Corrupt, "nothing can be added to Trillian's tree of %d leaves any more, because inner nodes that it stores are missing or were changed (%v); "+
				"the leaves are not concerned: restore the newest copy of the store, or carry the leaves into a new one with `tallyroot log copy`", size, err)
		}
	}
	return nil
}

func (r *rpc) inclusionProof(ctx context.Context, index, size uint64) ([][]byte, error) {
	ctx, done := r.begin(ctx)
	defer done()
	response, err := r.Client().GetInclusionProof(ctx, &trillian.GetInclusionProofRequest{
		LogId: r.TreeID(), LeafIndex: int64(index), TreeSize: int64(size)})
	r.outcome(callInclusion, err)
	if err != nil {
		return nil, fmt.Errorf("ask for the inclusion proof of leaf %d in %d: %w", index, size, err)
	}
	if response.Proof == nil {
		return nil, fmt.Errorf("ask for the inclusion proof of leaf %d in %d: Trillian gave none", index, size)
	}
	return response.Proof.Hashes, nil
}
