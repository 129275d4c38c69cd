package historyindex

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"sort"
)

// ErrUnsorted says that the leaves of a map do not strictly rise by key.
var ErrUnsorted = errors.New("the leaves of the map do not strictly rise by key")

// EmptyMapRoot is the root of a map without keys.
func EmptyMapRoot() Hash { return sha256.Sum256(nil) }

// MapLeafHash is the hash of a map's leaf. An inner node's is of one byte more,
// so the one can never be taken for the other.
func MapLeafHash(key, value Hash) Hash {
	var b [2 * sha256.Size]byte
	copy(b[:], key[:])
	copy(b[sha256.Size:], value[:])
	return sha256.Sum256(b[:])
}

// MapNodeHash is the hash of a map's inner node. All keys below it begin with the
// same bit bits; that of number bit is 0 in those on the left and 1 in those on
// the right. The first bit of a key is number 0, the highest of its first byte.
func MapNodeHash(left, right Hash, bit uint8) Hash {
	var b [2*sha256.Size + 1]byte
	copy(b[:], left[:])
	copy(b[sha256.Size:], right[:])
	b[2*sha256.Size] = bit
	return sha256.Sum256(b[:])
}

// A MapLeaf is a leaf of a map as the nodes above see it.
type MapLeaf struct {
	Key  Hash
	Hash Hash // MapLeafHash of the key and its value
}

// MapRoot gives the root of the map that has these leaves, or of the subtree, if
// they are all that the map has under some first bits. They must strictly rise by
// key (ErrUnsorted).
func MapRoot(leaves []MapLeaf) (Hash, error) {
	if len(leaves) == 0 {
		return EmptyMapRoot(), nil
	}
	// Left siblings that wait for their right one, whose keys are yet to come; the
	// bits strictly rise.
	type waiting struct {
		hash Hash
		bit  int
	}
	var few [64]waiting // enough for all but ill-chosen keys
	stack := few[:0]
	node := leaves[0].Hash
	for i := 1; i < len(leaves); i++ {
		bit := firstDifference(&leaves[i-1].Key, &leaves[i].Key)
		if bit == keyBits || Bit(&leaves[i].Key, bit) == 0 {
			return Hash{}, fmt.Errorf("%w: %x follows %x", ErrUnsorted, leaves[i].Key, leaves[i-1].Key)
		}
		for n := len(stack) - 1; n >= 0 && stack[n].bit > bit; n-- {
			node = MapNodeHash(stack[n].hash, node, uint8(stack[n].bit))
			stack = stack[:n]
		}
		stack = append(stack, waiting{node, bit})
		node = leaves[i].Hash
	}
	for n := len(stack) - 1; n >= 0; n-- {
		node = MapNodeHash(stack[n].hash, node, uint8(stack[n].bit))
	}
	return node, nil
}

// MapPath follows a key's bits from the root of the map, or subtree, to a leaf. It
// gives the place of the leaf, which is the key's own if the key is there, and the
// path up from it. There must be a leaf; they must strictly rise by key
// (ErrUnsorted).
func MapPath(leaves []MapLeaf, key Hash) (at int, path []Step, err error) {
	if len(leaves) == 0 {
		return 0, nil, errors.New("a map without leaves has no path")
	}
	low, high := 0, len(leaves)
	for high-low > 1 {
		bit := firstDifference(&leaves[low].Key, &leaves[high-1].Key)
		if bit == keyBits {
			return 0, nil, ErrUnsorted
		}
		right := low + sort.Search(high-low, func(i int) bool { return Bit(&leaves[low+i].Key, bit) == 1 })
		if right == low || right == high {
			return 0, nil, ErrUnsorted
		}
		sibling := leaves[right:high]
		if Bit(&key, bit) == 1 {
			sibling = leaves[low:right]
			low = right
		} else {
			high = right
		}
		hash, err := MapRoot(sibling)
		if err != nil {
			return 0, nil, err
		}
		path = append(path, Step{uint8(bit), hash})
	}
	for i, j := 0, len(path)-1; i < j; i, j = i+1, j-1 {
		path[i], path[j] = path[j], path[i]
	}
	return low, path, nil
}

// keyBits is the number of bits of a key.
const keyBits = 8 * sha256.Size

// Bit gives the bit of a key that has that number, 0 to 255.
func Bit(key *Hash, number int) int { return int(key[number/8]>>(7-number%8)) & 1 }

// firstDifference gives the number of the first bit in which the keys differ, or
// keyBits.
func firstDifference(a, b *Hash) int {
	for i := 0; i < sha256.Size; i += 8 {
		if d := binary.BigEndian.Uint64(a[i:]) ^ binary.BigEndian.Uint64(b[i:]); d != 0 {
			return 8*i + bits.LeadingZeros64(d)
		}
	}
	return keyBits
}

// CompareHashes orders hashes bytewise, which is the order of a map's leaves.
func CompareHashes(a, b Hash) int { return bytes.Compare(a[:], b[:]) }
