package tiles

import (
	"crypto/sha256"
	"math/bits"
)

// A Hash is a SHA-256 hash of an RFC 6962 tree.
type Hash = [sha256.Size]byte

// levels is how many levels of tiles a tree of 2^64 entries has.
const levels = 64 / tileHeight

// LeafHash gives the hash of an entry as a leaf (RFC 6962, section 2.1).
func LeafHash(entry []byte) Hash {
	var buf [2048]byte // most entries are shorter: no allocation for them
	if len(entry) < len(buf) {
		return sha256.Sum256(buf[:1+copy(buf[1:], entry)])
	}
	h := sha256.New()
	h.Write([]byte{0})
	h.Write(entry)
	var leaf Hash
	h.Sum(leaf[:0])
	return leaf
}

// nodeHash gives the hash of an inner node.
func nodeHash(left, right *Hash) Hash {
	var buf [1 + 2*sha256.Size]byte
	buf[0] = 1
	copy(buf[1:], left[:])
	copy(buf[1+sha256.Size:], right[:])
	return sha256.Sum256(buf[:])
}

// A tile is a tile together with the tree above its hashes: nine rows, the first
// of 256 hashes and the last of one. Hashes are added from left to right and
// never change, so a reader that looks only at nodes whose hashes were there
// before needs no lock while the writer adds.
type tile [2*Width - 1]Hash

// node gives the i-th hash of a row; row 0 is what the tile's file holds.
func (t *tile) node(row int, i uint64) *Hash {
	return &t[2*Width-2*Width>>row+int(i)]
}

// set adds the hash at pos and all nodes that it completes.
func (t *tile) set(pos uint64, hash Hash) {
	*t.node(0, pos) = hash
	for row := 0; pos&1 == 1; row++ {
		parent := nodeHash(t.node(row, pos-1), t.node(row, pos))
		pos >>= 1
		*t.node(row+1, pos) = parent
	}
}

// root is the hash of a full tile, which stands in the level above.
func (t *tile) root() Hash { return *t.node(tileHeight, 0) }

// appendHashes appends the first width hashes: the content of the tile's file.
func (t *tile) appendHashes(dst []byte, width int) []byte {
	for i := range width {
		dst = append(dst, t[i][:]...)
	}
	return dst
}

// parseTile expands the hashes of a tile's file.
func parseTile(data []byte, width int) *tile {
	t := new(tile)
	for i := range width {
		t.set(uint64(i), Hash(data[i*sha256.Size:]))
	}
	return t
}

// An edge is the right edge of a tree: the partial tile of each level and the
// partial bundle. All later hashes follow from it. Copies share their tiles, which
// is safe as long as only one of them is added to.
type edge struct {
	size   uint64
	tiles  [levels]*tile // of width size>>(8*level) mod 256; not looked at where that is 0
	bundle bundle
}

// width gives the width of the partial tile of a level; 0: there is none.
func (e *edge) width(level int) int { return partialWidth(e.size, level) }

func partialWidth(size uint64, level int) int {
	return int(size >> (tileHeight * level) % Width)
}

// fullTiles gives the number of full tiles of a level, which is also the index of
// its partial one.
func fullTiles(size uint64, level int) uint64 { return size >> (tileHeight * (level + 1)) }

// add appends a leaf and calls full for each tile that it completes, from level 0
// upwards. The bundle is not touched.
func (e *edge) add(hash Hash, full func(level int, index uint64, t *tile)) {
	for level := 0; ; level++ {
		pos := e.size >> (tileHeight * level) % Width
		if pos == 0 {
			e.tiles[level] = new(tile)
		}
		t := e.tiles[level]
		t.set(pos, hash)
		if pos < Width-1 {
			break
		}
		full(level, fullTiles(e.size, level), t)
		hash = t.root()
	}
	e.size++
}

// peak gives the root of the complete subtree of 2^row leaves in the edge; bit row
// of the size must be set.
func (e *edge) peak(row int) *Hash {
	level, inner := row/tileHeight, row%tileHeight
	return e.tiles[level].node(inner, (e.size>>row-1)%(Width>>inner))
}

// folds holds, for each row, the hash of what stands to the right of the last
// complete node of that row, where there is anything: the one node of the row
// that a larger tree would change. folds[64] is the root.
type folds [65]Hash

// fold computes them from the peaks, which peak gives for each set bit of size.
func fold(size uint64, peak func(row int) (*Hash, error)) (*folds, error) {
	f := new(folds)
	none := true
	for row := range 64 {
		f[row+1] = f[row]
		if size>>row&1 == 0 {
			continue
		}
		p, err := peak(row)
		if err != nil {
			return nil, err
		}
		if none {
			f[row+1], none = *p, false
		} else {
			f[row+1] = nodeHash(p, &f[row])
		}
	}
	if none {
		f[64] = sha256.Sum256(nil)
	}
	return f, nil
}

func (e *edge) folds() *folds {
	f, _ := fold(e.size, func(row int) (*Hash, error) { return e.peak(row), nil })
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
			hash = nodeHash(&peaks[row], &hash)
		}
		peaks[row] = hash
		size++
	}
	f, _ := fold(size, func(row int) (*Hash, error) { return &peaks[row], nil })
	return f[64]
}
