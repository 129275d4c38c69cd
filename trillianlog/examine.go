package trillianlog

import (
	"context"
	"errors"
	"time"

	"github.com/transparency-dev/merkle/compact"

	"github.com/tallyroot/tallyroot/trillianlog/internal/logtree"
)

// Between a tree's leaves and its root Trillian stores inner nodes. Damage to them
// changes nothing that was logged, and nothing that is published. But Trillian's
// proofs may fail, which then the leaves themselves replace; and if it concerns the
// nodes from which the tree grows, nothing is ever added again, however often it is
// tried.

// examineAfter is how long leaves are stored and not in the tree before it is
// looked at whether the tree can grow at all; less where Options.IntegrationTimeout
// is.
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

// damaged is why a log stops whose tree of that size cannot grow.
func damaged(size uint64, err error) *StopError {
	return stop(Corrupt, "nothing can be added to Trillian's tree of %d leaves any more, because its root, or inner nodes that it stores, are missing or were changed (%v); "+
		"the leaves are not concerned: restore the newest copy of the store, or carry the leaves into a new one with `tallyroot log copy`", size, err)
}

// examine looks whether Trillian's tree can grow when another process has not
// integrated leaves for a while. It gives a *StopError if it cannot, and nil if that
// is not known. known is how many leaves are stored.
func (p *publisher) examine(ctx context.Context, known uint64) error {
	if p.examined || known <= p.tree.End() || p.waiting.IsZero() || time.Since(p.waiting) < min(examineAfter, p.slow) {
		return nil
	}
	err := p.checkNodes(ctx)
	if err != nil {
		err = p.checkNodes(ctx) // what follows is for good
	}
	var stopped *StopError
	if errors.As(err, &stopped) {
		return err
	}
	p.examined = err == nil
	return nil
}

// checkNodes compares the nodes from which Trillian's tree grows, one for each 1 in
// the binary form of its size, with those that the leaves give. All of them, and no
// others, are in the proof that the tree begins with the one without the last of
// them; the first one only if there are three or more.
func (p *publisher) checkNodes(ctx context.Context) error {
	size := p.tree.End()
	from := size & (size - 1)
	if from == 0 {
		return nil
	}
	nodes := p.tree.Hashes()
	older, err := treeFactory.NewRange(0, from, cloneHashes(nodes[:len(nodes)-1]))
	if err != nil {
		return err
	}
	begin, err := rootOf(older)
	if err != nil {
		return err
	}
	whole, err := p.root()
	if err != nil {
		return err
	}
	err = p.backend.consistent(ctx, from, begin, root{size: size, hash: whole})
	if errors.Is(err, errInconsistent) || logtree.LacksNodes(err) {
		return damaged(size, err)
	}
	return err
}
