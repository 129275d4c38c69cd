// Package tiletree is the arithmetic of a Merkle tree (RFC 6962) that is kept as
// tiles of 256 hashes: for those who write tiles and for those who read them.
//
// It reads and writes nothing, and compares nothing with anything: whether a tile
// is the right one is for its caller to find out.
package tiletree

import "crypto/sha256"

const (
	// Width is the number of hashes in a full tile: 2^Height.
	Width  = 256
	Height = 8
	// Levels is how many levels of tiles a tree of 2^64 entries has.
	Levels = 64 / Height
)

// A Hash is a SHA-256 hash of an RFC 6962 tree.
type Hash = [sha256.Size]byte

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

// NodeHash gives the hash of an inner node.
func NodeHash(left, right *Hash) Hash {
	var buf [1 + 2*sha256.Size]byte
	buf[0] = 1
	copy(buf[1:], left[:])
	copy(buf[1+sha256.Size:], right[:])
	return sha256.Sum256(buf[:])
}

// A Tile is a tile together with the tree above its hashes: nine rows, the first
// of 256 hashes and the last of one. Hashes are added from left to right and
// never change, so a reader that looks only at nodes whose hashes were there
// before needs no lock while the writer adds.
type Tile [2*Width - 1]Hash

// ParseTile expands the first width hashes of a tile's file, which must have them.
func ParseTile(data []byte, width int) *Tile {
	t := new(Tile)
	for i := range width {
		t.Set(uint64(i), Hash(data[i*sha256.Size:]))
	}
	return t
}

// Node gives the i-th hash of a row; row 0 is what the tile's file holds.
func (t *Tile) Node(row int, i uint64) *Hash {
	return &t[2*Width-2*Width>>row+int(i)]
}

// Set adds the hash at pos and all nodes that it completes.
func (t *Tile) Set(pos uint64, hash Hash) {
	*t.Node(0, pos) = hash
	for row := 0; pos&1 == 1; row++ {
		parent := NodeHash(t.Node(row, pos-1), t.Node(row, pos))
		pos >>= 1
		*t.Node(row+1, pos) = parent
	}
}

// Root is the hash of a full tile, which stands in the level above.
func (t *Tile) Root() Hash { return *t.Node(Height, 0) }

// AppendHashes appends the first width hashes: the content of the tile's file.
func (t *Tile) AppendHashes(dst []byte, width int) []byte {
	for i := range width {
		dst = append(dst, t[i][:]...)
	}
	return dst
}

// PartialWidth gives the number of hashes in a level's partial tile; 0: there is none.
func PartialWidth(size uint64, level int) int {
	return int(size >> (Height * level) % Width)
}

// FullTiles gives the number of full tiles of a level, which is also the index of
// its partial one.
func FullTiles(size uint64, level int) uint64 { return size >> (Height * (level + 1)) }

// Place says where the i-th node of a row stands: in the tile of a level and index,
// in one of its rows.
func Place(row int, i uint64) (level int, index uint64, inner int, at uint64) {
	level, inner = row/Height, row%Height
	perTile := uint64(Width >> inner)
	return level, i / perTile, inner, i % perTile
}
