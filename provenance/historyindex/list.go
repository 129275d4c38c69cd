package historyindex

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

const listPrefix = "tallyroot/index/v1/list\x00"

// Value is what the map holds under a key: the hash of listPrefix, the number of
// the key's entries as eight bytes, and the root of their positions' List.
func Value(count uint64, root Hash) Hash {
	var b [len(listPrefix) + 8 + sha256.Size]byte
	copy(b[:], listPrefix)
	binary.BigEndian.PutUint64(b[len(listPrefix):], count)
	copy(b[len(listPrefix)+8:], root[:])
	return sha256.Sum256(b[:])
}

// A List is the positions of a key's entries as an RFC 6962 tree, whose leaves
// are the positions as eight bytes, big-endian. It holds the compact range of the
// tree: what is needed to add to it and to compute its root. The zero List is
// empty.
type List struct {
	Count  uint64 // of positions
	Hashes []Hash // of the complete subtrees, one for each bit set in Count, the largest first
}

// ListOf gives the list of the positions. They must rise strictly, which is not
// checked.
func ListOf(positions []uint64) List {
	l := List{Hashes: make([]Hash, 0, bits.Len(uint(len(positions))))}
	for _, p := range positions {
		l.Append(p)
	}
	return l
}

// Append adds a position, which must be above all that are there.
func (l *List) Append(position uint64) {
	var leaf [1 + 8]byte
	binary.BigEndian.PutUint64(leaf[1:], position)
	hash := sha256.Sum256(leaf[:])
	for c := l.Count; c&1 == 1; c >>= 1 {
		last := len(l.Hashes) - 1
		hash = listNode(&l.Hashes[last], &hash)
		l.Hashes = l.Hashes[:last]
	}
	l.Hashes = append(l.Hashes, hash)
	l.Count++
}

// Root gives the tree's root.
func (l *List) Root() Hash {
	last := len(l.Hashes) - 1
	if last < 0 {
		return sha256.Sum256(nil)
	}
	root := l.Hashes[last]
	for i := last - 1; i >= 0; i-- {
		root = listNode(&l.Hashes[i], &root)
	}
	return root
}

// Value is what the map holds under the key of the list, which must not be empty.
func (l *List) Value() Hash { return Value(l.Count, l.Root()) }

func listNode(left, right *Hash) Hash {
	var b [1 + 2*sha256.Size]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[1+sha256.Size:], right[:])
	return sha256.Sum256(b[:])
}
