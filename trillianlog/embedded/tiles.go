package embedded

import (
	"container/list"
	"crypto/sha256"
	"errors"
	"sync"

	"github.com/transparency-dev/merkle/compact"
)

const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
	// tileLevels is enough for any size that fits in 63 bits.
	tileLevels = 8
)

// tileID names a tile: level 0 holds leaf hashes, level n the roots of the
// tiles of level n-1.
type tileID struct {
	level uint8
	index uint64
}

// A tile is 256 hashes and the nodes above them, but for the root: that is in
// the tile above. Once a node is complete it never changes, so a tile that is
// still being filled can be read, up to the reader's tree size, while the
// writer adds to it.
type tile struct {
	nodes [2*tileWidth - 2][hashSize]byte
}

// offset is where the nodes of a height above the tile's bottom row begin.
func offset(height uint) int { return 2*tileWidth - 2*tileWidth>>height }

func (t *tile) node(height uint, i uint64) *[hashSize]byte {
	return &t.nodes[offset(height)+int(i)]
}

// fill computes the nodes above the first width hashes of the bottom row, as
// far as they are complete.
func (t *tile) fill(width int) {
	for height := uint(1); height < tileHeight; height++ {
		for i := range uint64(width >> height) {
			*t.node(height, i) = hashChildren(t.node(height-1, 2*i), t.node(height-1, 2*i+1))
		}
	}
}

// root is the hash of a full tile.
func (t *tile) root() [hashSize]byte {
	return hashChildren(t.node(tileHeight-1, 0), t.node(tileHeight-1, 1))
}

// appendRow appends the bottom row, which is what is stored of a tile.
func (t *tile) appendRow(dst []byte) []byte {
	for i := range tileWidth {
		dst = append(dst, t.nodes[i][:]...)
	}
	return dst
}

var errTile = errors.New("a stored tile has not 256 hashes")

func parseTile(row []byte) (*tile, error) {
	if len(row) != tileWidth*hashSize {
		return nil, errTile
	}
	t := new(tile)
	for i := range tileWidth {
		copy(t.nodes[i][:], row[i*hashSize:])
	}
	t.fill(tileWidth)
	return t, nil
}

// hashChildren is RFC 6962's.
func hashChildren(l, r *[hashSize]byte) [hashSize]byte {
	var b [1 + 2*hashSize]byte
	b[0] = 1
	copy(b[1:], l[:])
	copy(b[1+hashSize:], r[:])
	return sha256.Sum256(b[:])
}

// place says in which tile a node is, and where in it.
func place(id compact.NodeID) (tile tileID, height uint, i uint64) {
	height = id.Level % tileHeight
	perTile := uint(tileHeight) - height
	return tileID{uint8(id.Level / tileHeight), id.Index >> perTile}, height, id.Index & (1<<perTile - 1)
}

// edge is how many tiles of a level are full at a tree size, which is also the
// index of the one that is not, and how many hashes that one has.
func edge(size uint64, level uint8) (index uint64, width int) {
	n := size >> (tileHeight * uint(level))
	return n >> tileHeight, int(n % tileWidth)
}

// tileCache keeps the full tiles that were used last.
type tileCache struct {
	mu    sync.Mutex
	limit int
	order list.List // of cachedTile, the last used in front
	byKey map[cacheKey]*list.Element
}

type cacheKey struct {
	tree int64
	tileID
}

type cachedTile struct {
	key  cacheKey
	tile *tile
}

func newTileCache(limit int) *tileCache {
	return &tileCache{limit: limit, byKey: make(map[cacheKey]*list.Element)}
}

func (c *tileCache) get(key cacheKey) *tile {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byKey[key]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(cachedTile).tile
}

func (c *tileCache) add(key cacheKey, t *tile) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.byKey[key]; e != nil {
		e.Value = cachedTile{key, t}
		c.order.MoveToFront(e)
		return
	}
	c.byKey[key] = c.order.PushFront(cachedTile{key, t})
	if c.order.Len() > c.limit {
		delete(c.byKey, c.order.Remove(c.order.Back()).(cachedTile).key)
	}
}

// drop forgets a tree.
func (c *tileCache) drop(tree int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, e := range c.byKey {
		if key.tree == tree {
			c.order.Remove(e)
			delete(c.byKey, key)
		}
	}
}
