package store

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tallyroot/tallyroot/provenance/historyindex"
)

// A node is the part of the map below some first bits of the keys: a bucket, or
// two nodes with one bit more. nil stands for a part without keys. Nodes never
// change: a new state of the map shares with the old one what is the same.
//
// Where one of the two sides is nil, the map itself has no node: the hash is the
// other side's.
type node struct {
	hash  historyindex.Hash
	sides [2]*node // nil, nil: a bucket
}

func (n *node) isBucket() bool { return n.sides == [2]*node{} }

// join gives the node of depth bits above two of depth+1 bits.
func join(zero, one *node, depth int) *node {
	switch {
	case zero == nil && one == nil:
		return nil
	case zero == nil:
		return &node{one.hash, [2]*node{nil, one}}
	case one == nil:
		return &node{zero.hash, [2]*node{zero, nil}}
	}
	return &node{historyindex.MapNodeHash(zero.hash, one.hash, uint8(depth)), [2]*node{zero, one}}
}

func (n *node) root() historyindex.Hash {
	if n == nil {
		return historyindex.EmptyMapRoot()
	}
	return n.hash
}

// loadTop builds the top of the tree from the hashes of the buckets.
func loadTop(db *pebble.DB) (*node, error) {
	it, err := db.NewIter(keyRange(bucketKey))
	if err != nil {
		return nil, err
	}
	l := loader{it: it}
	l.next(it.First())
	top := l.load(historyindex.Hash{}, 0)
	if l.err == nil && l.more {
		l.err = fmt.Errorf("%w: the bucket %x is inside of another one", ErrDamaged, it.Key())
	}
	return top, errors.Join(l.err, it.Error(), it.Close())
}

// loader reads the buckets in the order of their keys.
type loader struct {
	it    *pebble.Iterator
	more  bool // a bucket was read that is not in the tree yet:
	low   historyindex.Hash
	depth int
	hash  historyindex.Hash
	err   error
}

func (l *loader) next(valid bool) {
	l.more = false
	if !valid || l.err != nil {
		return
	}
	prefix, value := l.it.Key()[1:], l.it.Value()
	if len(prefix) > hashSize || len(value) != 1+hashSize || len(prefix) != (int(value[0])+7)/8 {
		l.err = fmt.Errorf("%w: the row of the bucket %x", ErrDamaged, prefix)
		return
	}
	l.low = historyindex.Hash{}
	copy(l.low[:], prefix)
	l.depth, l.hash, l.more = int(value[0]), historyindex.Hash(value[1:]), true
}

// load gives the node of the first depth bits of low, if it has a bucket.
func (l *loader) load(low historyindex.Hash, depth int) *node {
	if first, _ := bounds(&l.low, depth); !l.more || first != low {
		return nil
	}
	if l.depth == depth {
		n := &node{hash: l.hash}
		l.next(l.it.Next())
		return n
	}
	if l.depth < depth || depth >= 8*hashSize {
		l.err = fmt.Errorf("%w: the bucket %x is inside of another one", ErrDamaged, l.low)
		l.more = false
		return nil
	}
	zero := l.load(low, depth+1)
	low[depth/8] |= 0x80 >> (depth % 8)
	return join(zero, l.load(low, depth+1), depth)
}
