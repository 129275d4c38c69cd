package tiles

import (
	"fmt"
	"math/bits"

	"github.com/tallyroot/tallyroot/trillianlog/internal/tiletree"
)

// Root gives the root hash of the first size entries, which must be published.
// Errors: ErrRange, *DamageError.
func (s *Store) Root(size uint64) (Hash, error) {
	v := s.published.Load()
	if size > v.edge.size {
		return Hash{}, rangeError("size", size, v)
	}
	f, err := s.foldsAt(v, size)
	if err != nil {
		return Hash{}, err
	}
	return f[64], nil
}

func (s *Store) foldsAt(v *view, size uint64) (*tiletree.Folds, error) {
	if size == v.edge.size {
		return v.folds, nil
	}
	return tiletree.Fold(size, func(row int) (*Hash, error) {
		h, err := s.node(v, row, size>>row-1)
		return &h, err
	})
}

// InclusionProof gives the proof that the entry at index stands in the tree of the
// first size entries: from the leaf's sibling to the root's child (RFC 6962,
// section 2.1.1). size must be published. Errors: ErrRange, *DamageError.
func (s *Store) InclusionProof(index, size uint64) ([]Hash, error) {
	return s.AppendInclusionProof(make([]Hash, 0, bits.Len64(size)), index, size)
}

// AppendInclusionProof appends what InclusionProof gives to dst.
func (s *Store) AppendInclusionProof(dst []Hash, index, size uint64) ([]Hash, error) {
	v := s.published.Load()
	if size > v.edge.size {
		return dst, rangeError("size", size, v)
	}
	if index >= size {
		return dst, fmt.Errorf("tiles: %w: the index %d is not below the size %d", ErrRange, index, size)
	}
	f, err := s.foldsAt(v, size)
	if err != nil {
		return dst, err
	}
	for row := 0; (size-1)>>row > 0; row++ {
		switch sibling := index>>row ^ 1; {
		case sibling < size>>row: // complete
			h, err := s.node(v, row, sibling)
			if err != nil {
				return dst, err
			}
			dst = append(dst, h)
		case sibling<<row < size: // the last one, incomplete
			dst = append(dst, f[row])
		}
	}
	return dst, nil
}

// ConsistencyProof gives the proof that the tree of the first from entries is a
// prefix of that of the first to entries (RFC 6962, section 2.1.2). It is empty
// when the sizes are equal or from is 0. to may be any durable size: a witness asks
// for the proof before it is published. Errors: ErrRange, *DamageError.
func (s *Store) ConsistencyProof(from, to uint64) ([]Hash, error) {
	v := s.durable.Load()
	if to > v.edge.size {
		return nil, rangeError("size", to, v)
	}
	if from > to {
		return nil, fmt.Errorf("tiles: %w: the smaller size %d is above the larger one %d", ErrRange, from, to)
	}
	path, err := tiletree.Consistency(from, to, func(row int, i uint64) (Hash, error) { return s.node(v, row, i) })
	if err != nil {
		return nil, fmt.Errorf("tiles: %w", err)
	}
	return path, nil
}
