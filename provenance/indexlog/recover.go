package indexlog

import (
	"context"
	"errors"
	"log/slog"

	"github.com/tallyroot/tallyroot/provenance/historyindex/store"
	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
)

// Recover is trillianlog.Recover for an index log whose map and leaves are in dir. The
// Recovery's Backend and Leaves are not looked at. No process may have the index log
// open.
func Recover(ctx context.Context, dir string, r trillianlog.Recovery) (at checkpoint.Checkpoint, err error) {
	index, err := openIndex(dir, slog.Default())
	if err != nil {
		return at, err
	}
	defer func() { err = errors.Join(err, index.Close()) }()
	r.Leaves = leaves{index, r.Tiles}
	return trillianlog.Recover(ctx, r)
}

// leaves are those that are kept, or, where those were lost, the published ones.
type leaves struct {
	kept  *store.Index
	tiles *tiles.Store
}

func (l leaves) Size(context.Context) (uint64, error) {
	published, _ := l.tiles.Checkpoint()
	return max(l.kept.Leaves(), published.Size), nil
}

func (l leaves) Hashes(ctx context.Context, first uint64, n int) ([][32]byte, error) {
	size, err := l.Size(ctx)
	if err != nil {
		return nil, err
	}
	var hashes [][32]byte
	for i := first; i < min(size, first+uint64(n)); i++ {
		if i >= l.kept.Leaves() {
			hash, err := l.tiles.LeafHash(i)
			if err != nil {
				return nil, err
			}
			hashes = append(hashes, hash)
			continue
		}
		leaf, err := l.kept.Leaf(i)
		if err != nil {
			return nil, err
		}
		hashes = append(hashes, tiles.LeafHash(leaf.Text))
	}
	return hashes, nil
}
