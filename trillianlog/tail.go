package trillianlog

import (
	"context"
	"errors"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
)

// chunk is a run of leaves that was read back, and the tree's root after it.
type chunk struct {
	first  uint64
	values [][]byte
	hashes [][32]byte
	root   [32]byte
}

// tail reads the next leaves and grows the tree by them, if what they give is
// the tree that Trillian says it has.
func (p *publisher) tail(ctx context.Context, latest root) (chunk, error) {
	c := chunk{first: p.tree.End()}
	limit := latest.size
	if c.first < p.bound.Size {
		// Come to stand exactly where the log is bound, to compare.
		limit = min(limit, p.bound.Size)
	}
	end, bytes := c.first, 0
	for end < limit && len(c.values) < maxChunkLeaves && bytes < maxChunkBytes {
		values, hashes, err := p.backend.leaves(ctx, end, int(min(limit-end, maxReadLeaves)))
		if err != nil {
			return chunk{}, err
		}
		for _, value := range values {
			bytes += len(value)
		}
		c.values, c.hashes = append(c.values, values...), append(c.hashes, hashes...)
		end += uint64(len(values))
	}
	grown, err := treeFactory.NewRange(0, c.first, cloneHashes(p.tree.Hashes()))
	if err != nil {
		return chunk{}, err
	}
	if err := appendAll(grown, c.hashes); err != nil {
		return chunk{}, err
	}
	if c.root, err = rootOf(grown); err != nil {
		return chunk{}, err
	}
	switch err := p.begins(ctx, grown, c.root, latest); {
	case errors.Is(err, errInconsistent):
		return chunk{}, stop(Corrupt, "the leaves up to %d give the root %x, which does not agree with the root %x that Trillian states for %d leaves",
			end, c.root, latest.hash, latest.size)
	case err != nil:
		return chunk{}, err
	}
	if end == p.bound.Size && c.root != p.bound.Root {
		return chunk{}, p.forked(c.root)
	}
	p.tree = grown
	return c, nil
}

func (p *publisher) forked(root [32]byte) error {
	return stop(Forked, "the last checkpoint has the root %x at size %d; the back end's leaves give %x", p.bound.Root, p.bound.Size, root)
}

type compactRange = compact.Range

var treeFactory = &compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}

// root is that of all leaves read so far.
func (p *publisher) root() ([32]byte, error) { return rootOf(p.tree) }

func rootOf(tree *compactRange) (hash [32]byte, err error) {
	b, err := tree.GetRootHash(nil)
	if err != nil {
		return hash, err
	}
	if tree.End() == 0 {
		b = rfc6962.DefaultHasher.EmptyRoot()
	}
	copy(hash[:], b)
	return hash, nil
}

func cloneHashes(hashes [][]byte) [][]byte { return append([][]byte(nil), hashes...) }
