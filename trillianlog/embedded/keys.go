package embedded

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/trillian"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// The key space. Every key but the two of keyFormat and keyLog begins with its
// kind and the tree's id, all integers big-endian:
//
//	'a' tree                    trillian.Tree, as protobuf
//	'h' tree                    the newest LogRoot, TLS-encoded; one per tree, overwritten
//	'i' tree identity[:16]      the indices of the leaves whose identity begins so, as uvarints
//	'l' tree index              the leaf, see leafRecord
//	'm' name                    what concerns the whole store
//	't' tree level index        a full tile: its 256 hashes
//
// Leaves and what is sorted before and after them go to separate sstables
// (spanPolicy): a leaf's key only ever grows, so the sstables of leaves never
// overlap and sink to the bottom level by being renamed, never rewritten.
const (
	kindTree     = 'a'
	kindHead     = 'h'
	kindIdentity = 'i'
	kindLeaf     = 'l'
	kindMeta     = 'm'
	kindTile     = 't'
)

const (
	hashSize = sha256.Size
	// identityPrefix is how much of an identity hash its key holds. The whole
	// of it stands in the leaf and is compared there, so two identities that
	// begin alike cost a second read, not a wrong answer.
	identityPrefix = 16
)

var (
	keyFormat = []byte{kindMeta, 'f'} // one byte: formatVersion
	keyLog    = []byte{kindMeta, 'l'} // the id of the tree that the back end serves
)

// formatVersion is the version of the layout above.
const formatVersion = 1

func treeKey(kind byte, tree int64) []byte {
	return binary.BigEndian.AppendUint64([]byte{kind}, uint64(tree))
}

const leafKeySize = 1 + 8 + 8

func putLeafKey(dst []byte, tree int64, index uint64) {
	dst[0] = kindLeaf
	binary.BigEndian.PutUint64(dst[1:], uint64(tree))
	binary.BigEndian.PutUint64(dst[9:], index)
}

func leafKey(tree int64, index uint64) []byte {
	k := make([]byte, leafKeySize)
	putLeafKey(k, tree, index)
	return k
}

const identityKeySize = 1 + 8 + identityPrefix

func putIdentityKey(dst []byte, tree int64, identity []byte) {
	dst[0] = kindIdentity
	binary.BigEndian.PutUint64(dst[1:], uint64(tree))
	copy(dst[9:identityKeySize], identity[:identityPrefix])
}

func storedTileKey(tree int64, id tileID) []byte {
	k := append(treeKey(kindTile, tree), id.level)
	return binary.BigEndian.AppendUint64(k, id.index)
}

// after is the smallest key that is larger than every key that begins with
// prefix, which must not end in 0xff.
func after(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		end[i]++
		if end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// A leaf's record is flags, the queue timestamp in nanoseconds (8 bytes), the
// identity hash unless it is the leaf hash, the leaf hash if it is not
// RFC 6962's of the value, the extra data with its length if there is any, and
// the value. The index is the key's, the integration time is not kept (as in
// Trillian's other storages), and the leaf hash is computed when it is read.
const (
	flagOwnHash    = 1 << iota // the leaf hash is stored, not computed
	flagNoIdentity             // the identity is the leaf hash
	flagExtra                  // there is extra data
	flagsKnown     = flagOwnHash | flagNoIdentity | flagExtra
)

const recordHeader = 1 + 8

var errRecord = errors.New("the stored leaf is not in a form that this version knows")

// leafHash is RFC 6962's.
func leafHash(value []byte) (out [hashSize]byte) {
	h := sha256.New()
	h.Write([]byte{0})
	h.Write(value)
	h.Sum(out[:0])
	return out
}

// leafRecord measures and writes one leaf's record.
type leafRecord struct {
	leaf  *trillian.LogLeaf
	at    time.Time
	flags byte
}

// newLeafRecord prepares the record of leaf. computed says that the caller
// knows its MerkleLeafHash to be RFC 6962's of the value.
func newLeafRecord(leaf *trillian.LogLeaf, at time.Time, computed bool) leafRecord {
	r := leafRecord{leaf: leaf, at: at}
	if !computed {
		if h := leafHash(leaf.LeafValue); !bytes.Equal(h[:], leaf.MerkleLeafHash) {
			r.flags |= flagOwnHash
		}
	}
	if bytes.Equal(leaf.LeafIdentityHash, leaf.MerkleLeafHash) {
		r.flags |= flagNoIdentity
	}
	if len(leaf.ExtraData) > 0 {
		r.flags |= flagExtra
	}
	return r
}

func (r leafRecord) size() int {
	n := recordHeader + len(r.leaf.LeafValue)
	if r.flags&flagNoIdentity == 0 {
		n += hashSize
	}
	if r.flags&flagOwnHash != 0 {
		n += hashSize
	}
	if r.flags&flagExtra != 0 {
		n += uvarintSize(uint64(len(r.leaf.ExtraData))) + len(r.leaf.ExtraData)
	}
	return n
}

// put writes the record into dst, which has size() bytes.
func (r leafRecord) put(dst []byte) {
	b := append(dst[:0], r.flags)
	b = binary.BigEndian.AppendUint64(b, uint64(r.at.UnixNano()))
	if r.flags&flagNoIdentity == 0 {
		b = append(b, r.leaf.LeafIdentityHash...)
	}
	if r.flags&flagOwnHash != 0 {
		b = append(b, r.leaf.MerkleLeafHash...)
	}
	if r.flags&flagExtra != 0 {
		b = binary.AppendUvarint(b, uint64(len(r.leaf.ExtraData)))
		b = append(b, r.leaf.ExtraData...)
	}
	_ = append(b, r.leaf.LeafValue...)
}

// parseLeaf reads a record. The leaf shares nothing with it.
func parseLeaf(record []byte, index uint64) (*trillian.LogLeaf, error) {
	b := bytes.Clone(record)
	if len(b) < recordHeader || b[0]&^flagsKnown != 0 {
		return nil, fmt.Errorf("leaf %d: %w", index, errRecord)
	}
	flags, nanos := b[0], int64(binary.BigEndian.Uint64(b[1:]))
	b = b[recordHeader:]
	take := func(n int) []byte {
		v := b[:n:n]
		b = b[n:]
		return v
	}
	leaf := &trillian.LogLeaf{
		LeafIndex:          int64(index),
		QueueTimestamp:     timestamppb.New(time.Unix(0, nanos)),
		IntegrateTimestamp: &timestamppb.Timestamp{},
	}
	fixed := 0
	if flags&flagNoIdentity == 0 {
		fixed += hashSize
	}
	if flags&flagOwnHash != 0 {
		fixed += hashSize
	}
	if len(b) < fixed {
		return nil, fmt.Errorf("leaf %d: %w", index, errRecord)
	}
	if flags&flagNoIdentity == 0 {
		leaf.LeafIdentityHash = take(hashSize)
	}
	if flags&flagOwnHash != 0 {
		leaf.MerkleLeafHash = take(hashSize)
	}
	if flags&flagExtra != 0 {
		n, width := binary.Uvarint(b)
		if width <= 0 || n > uint64(len(b)-width) {
			return nil, fmt.Errorf("leaf %d: %w", index, errRecord)
		}
		take(width)
		leaf.ExtraData = take(int(n))
	}
	leaf.LeafValue = b
	if leaf.MerkleLeafHash == nil {
		h := leafHash(b)
		leaf.MerkleLeafHash = h[:]
	}
	if leaf.LeafIdentityHash == nil {
		leaf.LeafIdentityHash = leaf.MerkleLeafHash
	}
	return leaf, nil
}

func uvarintSize(n uint64) int {
	size := 1
	for ; n >= 0x80; n >>= 7 {
		size++
	}
	return size
}

// parseIndices reads what an identity's key holds.
func parseIndices(value []byte) ([]uint64, error) {
	var out []uint64
	for len(value) > 0 {
		n, width := binary.Uvarint(value)
		if width <= 0 {
			return nil, errors.New("the identity index holds something that is no list of indices")
		}
		out, value = append(out, n), value[width:]
	}
	return out, nil
}
