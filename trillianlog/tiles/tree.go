package tiles

import (
	"math/bits"

	"github.com/tallyroot/tallyroot/trillianlog/internal/tiletree"
)

// A Hash is a SHA-256 hash of an RFC 6962 tree.
type Hash = tiletree.Hash

// LeafHash gives the hash of an entry as a leaf (RFC 6962, section 2.1).
func LeafHash(entry []byte) Hash { return tiletree.LeafHash(entry) }

// An edge is the right edge of a tree: the partial tile of each level and the
// partial bundle. All later hashes follow from it. Copies share their tiles, which
// is safe as long as only one of them is added to.
type edge struct {
	size   uint64
	tiles  [tiletree.Levels]*tiletree.Tile // of width size>>(8*level) mod 256; not looked at where that is 0
	bundle bundle
}

// width gives the width of the partial tile of a level; 0: there is none.
func (e *edge) width(level int) int { return tiletree.PartialWidth(e.size, level) }

// add appends a leaf and calls full for each tile that it completes, from level 0
// upwards. The bundle is not touched.
func (e *edge) add(hash Hash, full func(level int, index uint64, t *tiletree.Tile)) {
	for level := 0; ; level++ {
		pos := e.size >> (tiletree.Height * level) % Width
		if pos == 0 {
			e.tiles[level] = new(tiletree.Tile)
		}
		t := e.tiles[level]
		t.Set(pos, hash)
		if pos < Width-1 {
			break
		}
		full(level, tiletree.FullTiles(e.size, level), t)
		hash = t.Root()
	}
	e.size++
}

// peak gives the root of the complete subtree of 2^row leaves in the edge; bit row
// of the size must be set.
func (e *edge) peak(row int) *Hash {
	level, inner := row/tiletree.Height, row%tiletree.Height
	return e.tiles[level].Node(inner, (e.size>>row-1)%(Width>>inner))
}

func (e *edge) folds() *tiletree.Folds {
	f, _ := tiletree.Fold(e.size, func(row int) (*Hash, error) { return e.peak(row), nil })
	return f
}

// rootWith gives the root of the tree that has these leaves after the edge.
func (e *edge) rootWith(leaves []Hash) Hash {
	var peaks [64]Hash
	size := e.size
	for left := size; left != 0; left &= left - 1 {
		row := bits.TrailingZeros64(left)
		peaks[row] = *e.peak(row)
	}
	for _, hash := range leaves {
		row := 0
		for ; size>>row&1 == 1; row++ {
			hash = tiletree.NodeHash(&peaks[row], &hash)
		}
		peaks[row] = hash
		size++
	}
	f, _ := tiletree.Fold(size, func(row int) (*Hash, error) { return &peaks[row], nil })
	return f[64]
}
