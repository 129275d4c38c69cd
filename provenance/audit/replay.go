package audit

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/participant"
)

const (
	// defaultWindow is how many entries are judged at a time, about: enough that all
	// processors have some, few enough for the memory.
	defaultWindow = 4096
	// windowBytes is how many bytes the entries of a window have, about. Parsed, an entry
	// takes up to some forty times more.
	windowBytes = 4 << 20
	// chunk is how many of them one processor takes at a time.
	chunk = 256
)

// A replay judges the log's entries in order, a window at a time, beside whoever reads
// them.
type replay struct {
	fed    uint64 // the next entry that is wanted
	parts  chan [][]byte
	window int
	judged func(first uint64, entries [][]byte) error
	done   chan struct{} // closed when nothing is judged any more
	err    error         // why; valid when done is closed
}

func newReplay(next uint64, window int, judge func(first uint64, entries [][]byte) error) *replay {
	r := &replay{fed: next, parts: make(chan [][]byte, 1), window: window, judged: judge, done: make(chan struct{})}
	go r.run(next)
	return r
}

// feed takes entries, the first of which stands at first. Those that it was given
// before are passed over.
func (r *replay) feed(ctx context.Context, first uint64, entries [][]byte) error {
	if first > r.fed {
		return fmt.Errorf("the replay is at entry %d and was given entry %d", r.fed, first)
	}
	if known := r.fed - first; known >= uint64(len(entries)) {
		return nil
	} else {
		entries = entries[known:]
	}
	select {
	case r.parts <- entries:
		r.fed += uint64(len(entries))
		return nil
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close waits until all that was fed is judged.
func (r *replay) close() error {
	close(r.parts)
	<-r.done
	return r.err
}

func (r *replay) run(next uint64) {
	defer close(r.done)
	var entries [][]byte
	size := 0
	flush := func() {
		if r.err == nil && len(entries) > 0 {
			r.err = r.judged(next, entries)
			next += uint64(len(entries))
			entries, size = entries[:0], 0
		}
	}
	for part := range r.parts {
		for _, e := range part {
			entries, size = append(entries, e), size+len(e)
			if len(entries) < r.window && size < windowBytes {
				continue
			}
			if flush(); r.err != nil {
				return
			}
		}
	}
	flush()
}

// An item is one entry on its way.
type item struct {
	index     uint64
	entry     *entry.Entry // nil: the leaf is none
	err       error        // why
	keys      []historyindex.Key
	identity  [32]byte
	identical bool   // there is an identity
	known     bool   // an earlier window has an authenticated entry of that identity,
	first     uint64 // at first
	effect    participant.Effect
	signature error
}

func parse(index uint64, leaf []byte) item {
	it := item{index: index}
	if it.entry, it.err = entry.Parse(leaf); it.err != nil {
		return it
	}
	it.keys = historyindex.Keys(it.entry)
	if identity, err := entry.Identity(it.entry.Participants[0], it.entry.JSON); err == nil {
		it.identity, it.identical = identity, true
	}
	return it
}

// judge replays a window. Statements take effect in order; all else that costs
// something is done on all processors.
func (a *Auditor) judge(first uint64, leaves [][]byte) error {
	items := make([]item, len(leaves))
	inParallel(len(items), func(begin, end int) {
		for i := begin; i < end; i++ {
			items[i] = parse(first+uint64(i), leaves[i])
		}
	})
	for i := range items {
		if it := &items[i]; it.entry != nil && entry.IsStatement(it.entry.JSON) {
			it.effect = a.apply(it.index, it.entry)
		}
	}
	var signatures atomic.Uint64
	var failed atomic.Pointer[error]
	inParallel(len(items), func(begin, end int) {
		var batch participant.Batch
		for i := begin; i < end; i++ {
			if e := items[i].entry; e != nil {
				batch.Add(a.state.At(items[i].index), e)
			}
		}
		n := 0
		for i, judged := 0, batch.Verify(); begin+i < end; i++ {
			it := &items[begin+i]
			if it.entry == nil {
				continue
			}
			it.signature = judged[n].Err
			signatures.Add(uint64(len(judged[n].Keys)))
			n++
			if it.identical && it.signature == nil {
				var err error
				if it.first, it.known, err = a.ledger.first(it.identity); err != nil {
					failed.Store(&err)
				}
			}
		}
	})
	if err := failed.Load(); err != nil {
		a.torn = true
		return *err
	}
	err := a.enter(items, signatures.Load())
	a.torn = err != nil
	return err
}

// apply folds a statement, and looks whether the operator's key is the one that the
// auditor was told.
func (a *Auditor) apply(index uint64, e *entry.Entry) participant.Effect {
	effect := a.state.Apply(index, e)
	if key, ok := a.state.Latest().OperatorKey(); ok && key.String() == a.options.OperatorKey {
		a.operatorSeen = true
	}
	return effect
}

// inParallel does the work on n things, chunk by chunk, on all processors.
func inParallel(n int, work func(begin, end int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), (n+chunk-1)/chunk) {
		wg.Go(func() {
			for {
				begin := int(next.Add(chunk)) - chunk
				if begin >= n {
					return
				}
				work(begin, min(begin+chunk, n))
			}
		})
	}
	wg.Wait()
}
