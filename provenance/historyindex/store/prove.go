package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tallyroot/tallyroot/provenance/historyindex"
)

// An Answer is what a view has to say about a key.
type Answer struct {
	Proof historyindex.Proof
	Count uint64 // of the key's positions; 0 if it is absent
}

// scratch is what a proof is made in.
type scratch struct {
	leaves  []historyindex.MapLeaf
	values  []byte // the records of the leaves, one after the other
	ends    []int  // where each ends
	above   []historyindex.Step
	record  record
	rowKey  []byte
	rowHigh []byte
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// Prove proves which list of positions the map has for a key, or that it has none.
// The proof was verified against the map root of Leaf. Error: ErrDamaged.
func (v *View) Prove(key historyindex.Hash) (Answer, error) {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	a, err := v.prove(s, key)
	if err == nil {
		if err = a.Proof.Verify(v.state.leaf.MapRoot, key); err != nil {
			err = fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	}
	if err != nil {
		return Answer{}, fmt.Errorf("prove the key %x: %w", key, err)
	}
	return a, nil
}

func (v *View) prove(s *scratch, key historyindex.Hash) (a Answer, err error) {
	n := v.state.top
	if n == nil {
		return Answer{Proof: historyindex.Proof{Empty: true}}, nil
	}
	// To the bucket: by the key's bits, but where there is nothing on the key's side
	// the map has no node.
	s.above = s.above[:0]
	prefix, depth := key, 0
	for ; !n.isBucket(); depth++ {
		side := historyindex.Bit(&key, depth)
		switch other := n.sides[1-side]; {
		case n.sides[side] == nil:
			prefix[depth/8] ^= 0x80 >> (depth % 8)
			side = 1 - side
		case other != nil:
			s.above = append(s.above, historyindex.Step{Bit: uint8(depth), Hash: other.hash})
		}
		n = n.sides[side]
	}
	if err := v.scan(s, &prefix, depth); err != nil {
		return a, err
	}
	at, path, err := historyindex.MapPath(s.leaves, key)
	if err != nil {
		return a, fmt.Errorf("%w: a bucket of %d keys: %w", ErrDamaged, len(s.leaves), err)
	}
	slices.Reverse(s.above)
	begin := 0
	if at > 0 {
		begin = s.ends[at-1]
	}
	found := s.leaves[at].Key
	if err := s.record.parse(&found, s.values[begin:s.ends[at]]); err != nil {
		return a, err
	}
	a.Proof = historyindex.Proof{Present: found == key, Key: found, Value: s.record.list.Value(), Path: append(path, s.above...)}
	if a.Proof.Present {
		a.Count = s.record.list.Count
	}
	return a, nil
}

// scan reads a bucket.
func (v *View) scan(s *scratch, prefix *historyindex.Hash, depth int) error {
	low, high := bounds(prefix, depth)
	s.leaves, s.values, s.ends = s.leaves[:0], s.values[:0], s.ends[:0]
	s.rowKey = appendRecordKey(s.rowKey[:0], &low)
	s.rowHigh = append(appendRecordKey(s.rowHigh[:0], &high), 0)
	it, err := v.state.snapshot.NewIter(&pebble.IterOptions{LowerBound: s.rowKey, UpperBound: s.rowHigh})
	if err != nil {
		return err
	}
	for valid := it.First(); valid; valid = it.Next() {
		value := it.Value()
		if len(it.Key()) != 1+hashSize || len(value) < hashSize || len(s.leaves) == maxBucket {
			return errors.Join(fmt.Errorf("%w: a bucket at %x", ErrDamaged, low), it.Close())
		}
		s.leaves = append(s.leaves, historyindex.MapLeaf{Key: historyindex.Hash(it.Key()[1:]), Hash: historyindex.Hash(value)})
		s.values = append(s.values, value...)
		s.ends = append(s.ends, len(s.values))
	}
	return errors.Join(it.Error(), it.Close())
}

// Positions gives the positions of a key's entries from number offset on, in rising
// order: at most limit of them. There are none if the key is absent. Error:
// ErrDamaged.
func (v *View) Positions(key historyindex.Hash, offset uint64, limit int) ([]uint64, error) {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	positions, err := v.positions(s, key, offset, limit)
	if err != nil {
		return nil, fmt.Errorf("read the positions of the key %x: %w", key, err)
	}
	return positions, nil
}

func (v *View) positions(s *scratch, key historyindex.Hash, offset uint64, limit int) ([]uint64, error) {
	s.rowKey = appendRecordKey(s.rowKey[:0], &key)
	value, closer, err := v.state.snapshot.Get(s.rowKey)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := errors.Join(s.record.parse(&key, value), closer.Close()); err != nil {
		return nil, err
	}
	count := s.record.list.Count
	if offset >= count || limit <= 0 {
		return nil, nil
	}
	n := min(uint64(limit), count-offset)
	skip := int(offset % chunk) // what stands before offset in its chunk
	positions := make([]uint64, 0, uint64(skip)+n+chunk)
	if whole := count / chunk; offset/chunk < whole {
		end := min(whole, (offset+n+chunk-1)/chunk)
		if positions, err = v.chunks(s, &key, positions, offset/chunk, end); err != nil {
			return nil, err
		}
	}
	if uint64(len(positions)) < uint64(skip)+n {
		positions = append(positions, s.record.tail...)
	}
	return positions[skip : uint64(skip)+n], nil
}

// chunks appends the positions of the key's chunks from first on, below end.
func (v *View) chunks(s *scratch, key *historyindex.Hash, positions []uint64, first, end uint64) ([]uint64, error) {
	s.rowKey = appendChunkKey(s.rowKey[:0], key, first)
	s.rowHigh = appendChunkKey(s.rowHigh[:0], key, end)
	it, err := v.state.snapshot.NewIter(&pebble.IterOptions{LowerBound: s.rowKey, UpperBound: s.rowHigh})
	if err != nil {
		return nil, err
	}
	next := first
	for valid := it.First(); valid && err == nil; valid = it.Next() {
		if !bytes.Equal(it.Key()[1+hashSize:], binary.BigEndian.AppendUint64(nil, next)) {
			break
		}
		positions, err = parsePositions(positions, it.Value(), chunk)
		next++
	}
	if err == nil && next != end {
		err = fmt.Errorf("%w: chunk %d of a list is missing", ErrDamaged, next)
	}
	return positions, errors.Join(err, it.Error(), it.Close())
}
