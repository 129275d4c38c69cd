package store

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/tallyroot/tallyroot/provenance/historyindex"
)

// chunk is how many positions of a key stand together in one row, once there are
// so many. Those that do not fill a chunk yet stand in the key's record; of the
// list's tree the record has the hashes above whole chunks, and those below are
// computed when they are needed.
const chunk = 8

// A record is what is stored under a key:
//
//	the hash of the key's leaf in the map
//	uvarint: the number of positions
//	the hashes of the list's complete subtrees of whole chunks, the largest first
//	the positions after the last whole chunk
//
// The first of a run of positions is a uvarint, each other one the uvarint of
// its distance from the one before.
type record struct {
	leaf historyindex.Hash
	list historyindex.List
	tail []uint64 // the positions after the last whole chunk
}

func (r *record) reset() {
	r.leaf = historyindex.Hash{}
	r.list.Count, r.list.Hashes = 0, r.list.Hashes[:0]
	r.tail = r.tail[:0]
}

// add adds a position. When it fills a chunk, full is called with its number and
// positions.
func (r *record) add(position uint64, full func(n uint64, positions []uint64)) {
	r.list.Append(position)
	r.tail = append(r.tail, position)
	if len(r.tail) == chunk {
		full(r.list.Count/chunk-1, r.tail)
		r.tail = r.tail[:0]
	}
}

// last is the newest position, when the tail has one.
func (r *record) last() (uint64, bool) {
	if len(r.tail) == 0 {
		return 0, false
	}
	return r.tail[len(r.tail)-1], true
}

// blocks is how many hashes a record of count positions has.
func blocks(count uint64) int { return bits.OnesCount64(count / chunk) }

func (r *record) append(dst []byte) []byte {
	dst = append(dst, r.leaf[:]...)
	dst = binary.AppendUvarint(dst, r.list.Count)
	for _, hash := range r.list.Hashes[:blocks(r.list.Count)] {
		dst = append(dst, hash[:]...)
	}
	return appendPositions(dst, r.tail)
}

// parse reads the record of a key, and sees that its list gives the leaf's hash. It
// keeps nothing of b.
func (r *record) parse(key *historyindex.Hash, b []byte) error {
	r.reset()
	if len(b) < hashSize {
		return fmt.Errorf("%w: a key's record has %d bytes", ErrDamaged, len(b))
	}
	r.leaf = historyindex.Hash(b)
	b = b[hashSize:]
	count, width := binary.Uvarint(b)
	if width <= 0 || count == 0 || len(b)-width < blocks(count)*hashSize {
		return fmt.Errorf("%w: a key's record is cut off", ErrDamaged)
	}
	b = b[width:]
	r.list.Count = count - count%chunk
	for range blocks(count) {
		r.list.Hashes = append(r.list.Hashes, historyindex.Hash(b))
		b = b[hashSize:]
	}
	var err error
	if r.tail, err = parsePositions(r.tail, b, int(count%chunk)); err != nil {
		return err
	}
	for _, p := range r.tail {
		r.list.Append(p)
	}
	if r.leaf != historyindex.MapLeafHash(*key, r.list.Value()) {
		return fmt.Errorf("%w: the list of the key %x is not that of its leaf", ErrDamaged, *key)
	}
	return nil
}

func appendPositions(dst []byte, positions []uint64) []byte {
	before := uint64(0)
	for _, p := range positions {
		dst = binary.AppendUvarint(dst, p-before)
		before = p
	}
	return dst
}

// parsePositions appends the n positions to dst that b holds, and nothing else.
func parsePositions(dst []uint64, b []byte, n int) ([]uint64, error) {
	before := uint64(0)
	for i := range n {
		distance, width := binary.Uvarint(b)
		if width <= 0 || i > 0 && distance == 0 || before+distance < before {
			return dst, fmt.Errorf("%w: a list of positions is not %d rising numbers", ErrDamaged, n)
		}
		before += distance
		dst = append(dst, before)
		b = b[width:]
	}
	if len(b) > 0 {
		return dst, fmt.Errorf("%w: a list of %d positions goes on", ErrDamaged, n)
	}
	return dst, nil
}
