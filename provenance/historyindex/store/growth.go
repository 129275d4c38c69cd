package store

import (
	"errors"
	"math/bits"
	"runtime"
	"sort"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tallyroot/tallyroot/provenance/historyindex"
)

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

// grow gives the tree that has the postings too, the rows that have changed, and
// how many keys are new. The postings are sorted by key and position.
func grow(db *pebble.DB, top *node, postings []posting) (*node, *pebble.Batch, uint64, error) {
	g := &growth{db: db, forks: bits.Len(uint(runtime.GOMAXPROCS(0) - 1))}
	if g.forks > 0 {
		g.forks += 2 // more parts than processors: some are done sooner than others
	}
	top = g.grow(g.worker(), top, 0, postings)
	size := 0
	for _, w := range g.workers {
		size += w.batch.Len()
	}
	all := db.NewBatchWithSize(size)
	var keys uint64
	var errs []error
	for _, w := range g.workers {
		keys += w.keys
		errs = append(errs, w.err, all.Apply(w.batch, nil), w.batch.Close())
		if w.it != nil {
			errs = append(errs, w.it.Close())
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
