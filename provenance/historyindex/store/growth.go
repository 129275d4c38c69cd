package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/bits"
	"runtime"
	"sort"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tallyroot/tallyroot/provenance/historyindex"
)

// maxBucket is how many keys a bucket has at most. One with more is split by the
// next bit, so most have between half as many and as many. It is a hard bound on
// what one key's change or proof costs, whatever keys are thought out: keys whose
// hashes begin alike only make their branch of the tree longer.
const maxBucket = 32

// minFork is from how many postings on the two sides of a node are worked on at
// the same time.
const minFork = 256

// A posting is one position of one key.
type posting struct {
	key      historyindex.Hash
	position uint64
}

// A growth adds postings to a map. The map itself stays as it is: what changes is
// in batch, and in the tree that grow gives.
type growth struct {
	db      *pebble.DB
	forks   int // down to this depth
	mu      sync.Mutex
	workers []*worker
}

// A worker changes buckets, one after the other, in the order of their keys.
type worker struct {
	it     *pebble.Iterator // over the records, as they are before the growth
	batch  *pebble.Batch
	keys   uint64 // that are new
	err    error  // the first; then nothing more is done
	leaves []historyindex.MapLeaf
	record record
	buf    []byte
}

// grow gives the tree that has the postings too, the rows that have changed, and
// how many keys are new. The postings are sorted by key and position.
func grow(db *pebble.DB, top *node, postings []posting) (*node, *pebble.Batch, uint64, error) {
	g := &growth{db: db, forks: bits.Len(uint(runtime.GOMAXPROCS(0) - 1))}
	if g.forks > 0 {
		g.forks += 2 // more parts than processors: some are done sooner than others
	}
	top = g.grow(g.worker(), top, 0, postings)
	all := g.workers[0].batch
	var keys uint64
	var errs []error
	for i, w := range g.workers {
		keys += w.keys
		errs = append(errs, w.err)
		if w.it != nil {
			errs = append(errs, w.it.Close())
		}
		if i > 0 {
			errs = append(errs, all.Apply(w.batch, nil), w.batch.Close())
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, nil, 0, errors.Join(err, all.Close())
	}
	return top, all, keys, nil
}

func (g *growth) worker() *worker {
	w := &worker{batch: g.db.NewBatch()}
	w.it, w.err = g.db.NewIter(keyRange(recordKey))
	g.mu.Lock()
	g.workers = append(g.workers, w)
	g.mu.Unlock()
	return w
}

// grow gives the node of depth bits that has the postings too, all of which are
// under these bits.
func (g *growth) grow(w *worker, n *node, depth int, postings []posting) *node {
	if len(postings) == 0 || w.err != nil {
		return n
	}
	if n == nil || n.isBucket() {
		return w.bucket(n, depth, postings)
	}
	cut := sort.Search(len(postings), func(i int) bool { return historyindex.Bit(&postings[i].key, depth) == 1 })
	if depth >= g.forks || len(postings) < minFork {
		zero := g.grow(w, n.sides[0], depth+1, postings[:cut])
		return join(zero, g.grow(w, n.sides[1], depth+1, postings[cut:]), depth)
	}
	var zero *node
	var wg sync.WaitGroup
	wg.Go(func() { zero = g.grow(g.worker(), n.sides[0], depth+1, postings[:cut]) })
	one := g.grow(w, n.sides[1], depth+1, postings[cut:])
	wg.Wait()
	return join(zero, one, depth)
}

// bucket adds the postings to a bucket, or makes one where there is none.
func (w *worker) bucket(n *node, depth int, postings []posting) *node {
	low, high := bounds(&postings[0].key, depth)
	w.leaves = w.leaves[:0]
	there := false // the iterator is at a record of the bucket
	if n != nil {
		w.buf = appendRecordKey(w.buf[:0], &low)
		// Very often the bucket before ended where this one begins.
		if !w.it.Valid() || bytes.Compare(w.it.Key(), w.buf) < 0 {
			w.it.SeekGE(w.buf)
		}
		there = w.within(&high)
	}
	for there || len(postings) > 0 {
		order := 1
		if there && len(postings) > 0 {
			order = bytes.Compare(w.it.Key()[1:], postings[0].key[:])
		} else if there {
			order = -1
		}
		if order < 0 {
			w.keep()
		} else {
			next := 1
			for next < len(postings) && postings[next].key == postings[0].key {
				next++
			}
			w.change(order == 0, postings[:next])
			postings = postings[next:]
		}
		if w.err != nil {
			return n
		}
		if order <= 0 {
			w.it.Next()
			there = w.within(&high)
		}
	}
	if w.err == nil {
		w.err = w.it.Error()
	}
	if n != nil && len(w.leaves) > maxBucket {
		w.delete(appendBucketKey(w.buf[:0], &low, depth))
	}
	return w.split(w.leaves, depth)
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

// keep takes the key at which the iterator is, as it is.
func (w *worker) keep() {
	value := w.it.Value()
	if len(value) < hashSize {
		w.fail(fmt.Errorf("%w: the record %x has %d bytes", ErrDamaged, w.it.Key(), len(value)))
		return
	}
	w.leaves = append(w.leaves, historyindex.MapLeaf{Key: historyindex.Hash(w.it.Key()[1:]), Hash: historyindex.Hash(value)})
}

// change adds positions to one key, at whose record the iterator is if it has one.
func (w *worker) change(there bool, postings []posting) {
	key := &postings[0].key
	r := &w.record
	if r.reset(); there {
		if err := r.parse(w.it.Value()); err != nil {
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
	if err != nil {
		w.fail(fmt.Errorf("%w: %w", ErrDamaged, err))
		return nil
	}
	var value [1 + hashSize]byte
	value[0] = byte(depth)
	copy(value[1:], hash[:])
	w.buf = appendBucketKey(w.buf[:0], &leaves[0].Key, depth)
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
