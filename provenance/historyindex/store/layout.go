package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tallyroot/tallyroot/provenance/historyindex"
)

// The keys of the map's database. All integers are big-endian.
const (
	headKey   = 'h' // → head
	bucketKey = 'b' // the whole bytes of a bucket's prefix → u8 its bits ‖ the subtree's hash
	recordKey = 'k' // a key of the map → record
	chunkKey  = 'p' // a key of the map ‖ u64 n → its positions n·chunk to (n+1)·chunk-1
	leafKey   = 'l' // u64 number → text: leaves that Follow has taken and not synced yet
)

// formatVersion is the version of the layout. Another version's map is deleted and
// made again.
const formatVersion = 1

const hashSize = len(historyindex.Hash{})

// head is how far the map is.
type head struct {
	next     uint64              // entries that are in it
	keys     uint64              // that it has
	postings uint64              // positions under all keys
	leaves   uint64              // of the index log, that it agreed with or made
	root     historyindex.Hash   // of the map
	log      []historyindex.Hash // the compact range of the log's tree of next entries
	leaf     []byte              // the text of the newest of those leaves; empty: there is none
}

const headSize = 1 + 4*8 + hashSize // without log and leaf

func (h *head) append(dst []byte) []byte {
	dst = append(dst, formatVersion)
	for _, n := range []uint64{h.next, h.keys, h.postings, h.leaves} {
		dst = binary.BigEndian.AppendUint64(dst, n)
	}
	dst = append(dst, h.root[:]...)
	for _, hash := range h.log {
		dst = append(dst, hash[:]...)
	}
	return append(dst, h.leaf...)
}

func parseHead(b []byte) (h head, err error) {
	if len(b) == 0 || b[0] != formatVersion {
		return h, fmt.Errorf("%w: it is not of version %d of the layout", ErrDamaged, formatVersion)
	}
	if len(b) < headSize {
		return h, fmt.Errorf("%w: its head has %d bytes", ErrDamaged, len(b))
	}
	for i, n := range []*uint64{&h.next, &h.keys, &h.postings, &h.leaves} {
		*n = binary.BigEndian.Uint64(b[1+8*i:])
	}
	h.root = historyindex.Hash(b[headSize-hashSize:])
	b = b[headSize:]
	if len(b) < bits.OnesCount64(h.next)*hashSize {
		return h, fmt.Errorf("%w: its head is cut off", ErrDamaged)
	}
	for range bits.OnesCount64(h.next) {
		h.log = append(h.log, historyindex.Hash(b))
		b = b[hashSize:]
	}
	h.leaf = bytes.Clone(b)
	return h, nil
}

// keyRange is what an iterator over all keys of one kind is bounded by.
func keyRange(kind byte) *pebble.IterOptions {
	return &pebble.IterOptions{LowerBound: []byte{kind}, UpperBound: []byte{kind + 1}}
}

func appendRecordKey(dst []byte, key *historyindex.Hash) []byte {
	return append(append(dst, recordKey), key[:]...)
}

func appendChunkKey(dst []byte, key *historyindex.Hash, n uint64) []byte {
	dst = append(append(dst, chunkKey), key[:]...)
	return binary.BigEndian.AppendUint64(dst, n)
}

func appendLeafKey(dst []byte, number uint64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, leafKey), number)
}

// appendBucketKey appends the key of the bucket that has the first depth bits of
// key. No bucket's prefix is another one's, so no two have one key.
func appendBucketKey(dst []byte, key *historyindex.Hash, depth int) []byte {
	low, _ := bounds(key, depth)
	return append(append(dst, bucketKey), low[:(depth+7)/8]...)
}

// bounds gives the first and the last key that begin with the first depth bits of
// key.
func bounds(key *historyindex.Hash, depth int) (low, high historyindex.Hash) {
	low, high = *key, *key
	i := depth / 8
	if i < hashSize {
		rest := byte(0xff) >> (depth % 8)
		low[i] &^= rest
		high[i] |= rest
		for i++; i < hashSize; i++ {
			low[i], high[i] = 0, 0xff
		}
	}
	return low, high
}
