package trillianlog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/google/trillian"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
)

// copiedLeaf is a leaf as a back end has it.
type copiedLeaf struct {
	value    []byte
	hash     [32]byte
	identity [32]byte
}

// copied reads integrated leaves from first on, at least one and at most n, with
// their identities.
func (r *rpc) copied(ctx context.Context, first uint64, n int) ([]copiedLeaf, error) {
	ctx, done := r.begin(ctx)
	defer done()
	response, err := r.Client().GetLeavesByRange(ctx, &trillian.GetLeavesByRangeRequest{
		LogId: r.TreeID(), StartIndex: int64(first), Count: int64(n)})
	if err != nil {
		return nil, fmt.Errorf("read leaves from %d on: %w", first, err)
	}
	if len(response.Leaves) == 0 || len(response.Leaves) > n {
		return nil, fmt.Errorf("read leaves from %d on: %d leaves came for %d", first, len(response.Leaves), n)
	}
	leaves := make([]copiedLeaf, len(response.Leaves))
	for i, leaf := range response.Leaves {
		index, hash := first+uint64(i), leafHash(leaf.LeafValue)
		switch {
		case leaf.LeafIndex != int64(index):
			return nil, fmt.Errorf("%w: leaf %d came where leaf %d was asked for", ErrAltered, leaf.LeafIndex, index)
		case !bytes.Equal(leaf.MerkleLeafHash, hash[:]):
			return nil, fmt.Errorf("%w: leaf %d was changed: its bytes hash to %x, it was stored as %x", ErrAltered, index, hash, leaf.MerkleLeafHash)
		case len(leaf.LeafIdentityHash) != sha256.Size:
			return nil, fmt.Errorf("%w: leaf %d has an identity of %d bytes", ErrAltered, index, len(leaf.LeafIdentityHash))
		}
		leaves[i] = copiedLeaf{leaf.LeafValue, hash, [32]byte(leaf.LeafIdentityHash)}
	}
	return leaves, nil
}

// A tape is a log from its beginning up to some leaf: its tree, and a hash over
// the identities, which the tree does not commit to.
type tape struct {
	tree       *compactRange
	identities [32]byte
	marks      []checkpoint.Checkpoint // still to come, in rising order
}

func newTape(marks []checkpoint.Checkpoint) tape {
	t := tape{tree: treeFactory.NewEmptyRange(0), marks: marks}
	for len(t.marks) > 0 && t.marks[0].Size == 0 {
		t.marks = t.marks[1:]
	}
	return t
}

func (t *tape) size() uint64 { return t.tree.End() }

// clone gives a tape that grows by itself.
func (t *tape) clone() (tape, error) {
	tree, err := treeFactory.NewRange(0, t.tree.End(), cloneHashes(t.tree.Hashes()))
	return tape{tree, t.identities, t.marks}, err
}

// add takes the next leaf. ErrAltered says that the leaves up to it do not give
// the root of a mark.
func (t *tape) add(leaf copiedLeaf) error {
	if err := t.tree.Append(leaf.hash[:], nil); err != nil {
		return err
	}
	t.identities = sha256.Sum256(append(t.identities[:], leaf.identity[:]...))
	for len(t.marks) > 0 && t.marks[0].Size == t.size() {
		root, err := rootOf(t.tree)
		if err != nil {
			return err
		}
		if root != t.marks[0].Root {
			return fmt.Errorf("%w: the first %d give the root %x; a checkpoint of that size says %x", ErrAltered, t.size(), root, t.marks[0].Root)
		}
		t.marks = t.marks[1:]
	}
	return nil
}

// checkpoint says what the tape holds.
func (t *tape) checkpoint(origin string) (checkpoint.Checkpoint, error) {
	root, err := rootOf(t.tree)
	return checkpoint.Checkpoint{Origin: origin, Size: t.size(), Root: root}, err
}
