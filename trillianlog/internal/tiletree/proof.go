package tiletree

import (
	"crypto/sha256"
	"fmt"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
)

// Folds holds, for each row, the hash of what stands to the right of the last
// complete node of that row, where there is anything: the one node of the row
// that a larger tree would change. Folds[64] is the root.
type Folds [65]Hash

// Fold computes them from the roots of the complete subtrees of 2^row leaves, which
// peak gives for each set bit row of size.
func Fold(size uint64, peak func(row int) (*Hash, error)) (*Folds, error) {
	f := new(Folds)
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
			f[row+1] = NodeHash(p, &f[row])
		}
	}
	if none {
		f[64] = sha256.Sum256(nil)
	}
	return f, nil
}

// Consistency gives the proof that the tree of the first from leaves is a prefix of
// that of the first to (RFC 6962, section 2.1.2), from nodes: the roots of the
// complete subtrees of 2^row leaves that begin at leaf i·2^row.
func Consistency(from, to uint64, node func(row int, i uint64) (Hash, error)) ([]Hash, error) {
	nodes, err := proof.Consistency(from, to)
	if err != nil {
		return nil, err
	}
	return gather(nodes, node)
}

// Inclusion gives the proof that the leaf at index stands in the tree of the first
// size leaves (RFC 6962, section 2.1.1).
func Inclusion(index, size uint64, node func(row int, i uint64) (Hash, error)) ([]Hash, error) {
	nodes, err := proof.Inclusion(index, size)
	if err != nil {
		return nil, err
	}
	return gather(nodes, node)
}

func gather(nodes proof.Nodes, node func(row int, i uint64) (Hash, error)) ([]Hash, error) {
	hashes := make([][]byte, len(nodes.IDs))
	for i, id := range nodes.IDs {
		h, err := node(int(id.Level), id.Index)
		if err != nil {
			return nil, err
		}
		hashes[i] = h[:]
	}
	hashes, err := nodes.Rehash(hashes, rfc6962.DefaultHasher.HashChildren)
	if err != nil {
		return nil, fmt.Errorf("compute the proof: %w", err)
	}
	path := make([]Hash, len(hashes))
	for i, h := range hashes {
		path[i] = Hash(h)
	}
	return path, nil
}
