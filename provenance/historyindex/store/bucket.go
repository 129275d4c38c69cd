package store

import (
	"bytes"
	"fmt"
	"slices"
	"sort"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tallyroot/tallyroot/provenance/historyindex"
)

// maxBucket is how many keys a bucket has at most. One with more is split by the
// next bit, so most have between half as many and as many. It is a hard bound on
// what one key's change or proof costs, whatever keys are thought out: keys whose
// hashes begin alike only make their branch of the tree longer.
const maxBucket = 32

// A worker changes buckets, one after the other, in the order of their keys.
type worker struct {
	it     *pebble.Iterator // over the records, as they are before the growth
	batch  *pebble.Batch
	keys   uint64                 // that are new
	err    error                  // the first; then nothing more is done
	before []historyindex.MapLeaf // of the bucket at hand, as it is in the database
	leaves []historyindex.MapLeaf // as it will be
	record record
	buf    []byte
}

// bucket adds the postings to a bucket, or makes one where there is none. What it
// reads has to give the bucket's hash: so the new root follows from the old one and
// the postings, and never from a row that was damaged.
func (w *worker) bucket(n *node, depth int, postings []posting) *node {
	low, high := bounds(&postings[0].key, depth)
	w.before, w.leaves = w.before[:0], w.leaves[:0]
	there := false // the iterator is at a record of the bucket
	if n != nil {
		w.buf = appendRecordKey(w.buf[:0], &low)
		// Very often the bucket before ended where this one begins.
		if !w.it.Valid() || bytes.Compare(w.it.Key(), w.buf) < 0 {
			w.it.SeekGE(w.buf)
		}
		there = w.within(&high)
	}
	for w.err == nil && (there || len(postings) > 0) {
		// The next key is in the database (-1), has postings (1), or both (0).
		order := 1
		if there && len(postings) > 0 {
			order = bytes.Compare(w.it.Key()[1:], postings[0].key[:])
		} else if there {
			order = -1
		}
		if order >= 0 {
			next := 1
			for next < len(postings) && postings[next].key == postings[0].key {
				next++
			}
			w.change(order == 0, postings[:next])
			postings = postings[next:]
		}
		if order <= 0 {
			w.keep(order < 0)
			w.it.Next()
			there = w.within(&high)
		}
	}
	if w.fail(w.it.Error()); w.err != nil {
		return n
	}
	was, is, err := rehash(w.before, w.leaves, depth)
	w.fail(err)
	if n != nil && was != n.hash {
		w.fail(fmt.Errorf("%w: the %d keys of the bucket at %x give the hash %x, and it has to be %x", ErrDamaged, len(w.before), low, was, n.hash))
	}
	if len(w.leaves) <= maxBucket {
		return w.put(&low, depth, is)
	}
	if n != nil {
		w.delete(appendBucketKey(w.buf[:0], &low, depth))
	}
	return w.split(w.leaves, depth)
}

// rehash gives the hash of a bucket as it was and as it is; that of no keys is zero.
// What is the same in both is hashed once.
func rehash(before, after []historyindex.MapLeaf, depth int) (was, is historyindex.Hash, err error) {
	switch {
	case len(after) == 0:
		return was, is, nil
	case len(after) == 1 && len(before) == 1:
		return before[0].Hash, after[0].Hash, nil
	}
	if len(before) == 0 || slices.Equal(before, after) {
		if is, err = historyindex.MapRoot(after); len(before) > 0 {
			was = is
		}
		return was, is, err
	}
	was0, is0, err := rehash(part(before, depth, 0), part(after, depth, 0), depth+1)
	if err != nil {
		return was, is, err
	}
	was1, is1, err := rehash(part(before, depth, 1), part(after, depth, 1), depth+1)
	return joinHashes(was0, was1, depth), joinHashes(is0, is1, depth), err
}

// part gives those of the leaves in which the bit is 0 or 1.
func part(leaves []historyindex.MapLeaf, bit, value int) []historyindex.MapLeaf {
	cut := sort.Search(len(leaves), func(i int) bool { return historyindex.Bit(&leaves[i].Key, bit) == 1 })
	if value == 0 {
		return leaves[:cut]
	}
	return leaves[cut:]
}

func joinHashes(zero, one historyindex.Hash, bit int) historyindex.Hash {
	none := historyindex.Hash{}
	switch {
	case zero == none:
		return one
	case one == none:
		return zero
	}
	return historyindex.MapNodeHash(zero, one, uint8(bit))
}

// within tells whether the iterator is at a record up to high.
func (w *worker) within(high *historyindex.Hash) bool {
	if !w.it.Valid() {
		return false
	}
	if len(w.it.Key()) != 1+hashSize {
		w.fail(fmt.Errorf("%w: the record %x", ErrDamaged, w.it.Key()))
		return false
	}
	return bytes.Compare(w.it.Key()[1:], high[:]) <= 0
}

// keep takes note of the record at which the iterator is: it was in the bucket, and
// stays as it is or not.
func (w *worker) keep(stays bool) {
	value := w.it.Value()
	leaf := historyindex.MapLeaf{Key: historyindex.Hash(w.it.Key()[1:])}
	if copy(leaf.Hash[:], value) < hashSize {
		w.fail(fmt.Errorf("%w: the record %x has %d bytes", ErrDamaged, w.it.Key(), len(value)))
	}
	w.before = append(w.before, leaf)
	if stays {
		w.leaves = append(w.leaves, leaf)
	}
}

// change adds positions to one key, at whose record the iterator is if it has one.
func (w *worker) change(there bool, postings []posting) {
	key := &postings[0].key
	r := &w.record
	if r.reset(); there {
		if err := r.parse(key, w.it.Value()); err != nil {
			w.fail(err)
			return
		}
	} else {
		w.keys++
	}
	for i := range postings {
		if last, ok := r.last(); ok && postings[i].position <= last {
			w.fail(fmt.Errorf("%w: the position %d of the key %x is there already", ErrDamaged, postings[i].position, *key))
			return
		}
		r.add(postings[i].position, func(n uint64, positions []uint64) {
			var k [1 + hashSize + 8]byte
			w.buf = appendPositions(w.buf[:0], positions)
			w.set(appendChunkKey(k[:0], key, n), w.buf)
		})
	}
	r.leaf = historyindex.MapLeafHash(*key, r.list.Value())
	w.leaves = append(w.leaves, historyindex.MapLeaf{Key: *key, Hash: r.leaf})
	var k [1 + hashSize]byte
	w.buf = r.append(w.buf[:0])
	w.set(appendRecordKey(k[:0], key), w.buf)
}

// split gives the node of depth bits that has the leaves: a bucket, or more than
// one.
func (w *worker) split(leaves []historyindex.MapLeaf, depth int) *node {
	if len(leaves) == 0 || w.err != nil {
		return nil
	}
	if len(leaves) > maxBucket {
		cut := sort.Search(len(leaves), func(i int) bool { return historyindex.Bit(&leaves[i].Key, depth) == 1 })
		zero := w.split(leaves[:cut], depth+1)
		return join(zero, w.split(leaves[cut:], depth+1), depth)
	}
	hash, err := historyindex.MapRoot(leaves)
	w.fail(err)
	return w.put(&leaves[0].Key, depth, hash)
}

// put writes the bucket of the first depth bits of key.
func (w *worker) put(key *historyindex.Hash, depth int, hash historyindex.Hash) *node {
	var value [1 + hashSize]byte
	value[0] = byte(depth)
	copy(value[1:], hash[:])
	w.buf = appendBucketKey(w.buf[:0], key, depth)
	w.set(w.buf, value[:])
	return &node{hash: hash}
}

func (w *worker) set(key, value []byte) { w.fail(w.batch.Set(key, value, nil)) }
func (w *worker) delete(key []byte)     { w.fail(w.batch.Delete(key, nil)) }

func (w *worker) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}
