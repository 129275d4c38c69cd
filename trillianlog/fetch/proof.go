package fetch

import (
	"context"
	"fmt"

	"github.com/tallyroot/tallyroot/trillianlog/internal/tiletree"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
)

// Check reads the right edge and compares it with the checkpoint's root: the first
// thing that shows whether the files are those of the checkpoint.
func (l *Log) Check(ctx context.Context) error {
	if l.checkpoint.Size == 0 {
		if root, _ := tiletree.Fold(0, nil); root[64] != l.checkpoint.Root {
			return fmt.Errorf("the checkpoint of %s has the size 0 and not the empty tree's root", l.checkpoint.Origin)
		}
		return nil
	}
	_, err := l.rightEdge(ctx)
	return err
}

// Root gives the root hash of the first size entries.
func (l *Log) Root(ctx context.Context, size uint64) (tiles.Hash, error) {
	if size > l.checkpoint.Size {
		return tiles.Hash{}, l.beyond("size", size)
	}
	if size == l.checkpoint.Size {
		return l.checkpoint.Root, nil
	}
	folds, err := tiletree.Fold(size, func(row int) (*tiles.Hash, error) {
		h, err := l.node(ctx, row, size>>row-1)
		return &h, err
	})
	if err != nil {
		return tiles.Hash{}, err
	}
	return folds[64], nil
}

// LeafHash gives the leaf hash of an entry.
func (l *Log) LeafHash(ctx context.Context, index uint64) (tiles.Hash, error) {
	if index >= l.checkpoint.Size {
		return tiles.Hash{}, l.beyond("entry", index)
	}
	return l.node(ctx, 0, index)
}

// InclusionProof gives the proof that an entry stands in the tree of the checkpoint
// (RFC 6962, section 2.1.1).
func (l *Log) InclusionProof(ctx context.Context, index uint64) ([]tiles.Hash, error) {
	if index >= l.checkpoint.Size {
		return nil, l.beyond("entry", index)
	}
	return tiletree.Inclusion(index, l.checkpoint.Size, l.nodes(ctx))
}

// ConsistencyProof gives the proof that the tree of the first from entries is a
// prefix of that of the first to (RFC 6962, section 2.1.2).
func (l *Log) ConsistencyProof(ctx context.Context, from, to uint64) ([]tiles.Hash, error) {
	if to > l.checkpoint.Size {
		return nil, l.beyond("size", to)
	}
	if from > to {
		return nil, fmt.Errorf("%w: the smaller size %d is above the larger one %d", ErrRange, from, to)
	}
	return tiletree.Consistency(from, to, l.nodes(ctx))
}

func (l *Log) nodes(ctx context.Context) func(row int, i uint64) (tiles.Hash, error) {
	return func(row int, i uint64) (tiles.Hash, error) { return l.node(ctx, row, i) }
}
