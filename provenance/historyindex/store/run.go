package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"runtime"
	"slices"
	"sync"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
)

const (
	// maxRun is from how many postings on a run is written, and ReadAhead reads no
	// more: the fewer runs, the fewer buckets are computed again and again. One takes
	// some 50 MB of memory, most of it while it is written.
	maxRun = 1 << 17
	// parseRun is how many entries are parsed at a time.
	parseRun = 512
)

// A run is what is written to the map at once: entries that follow one another.
type run struct {
	postings []posting
	hashes   []historyindex.Hash // of the entries, as leaves of the log
	end      uint64              // the position after the last one
}

// begin is the position of the first one.
func (r *run) begin() uint64 { return r.end - uint64(len(r.hashes)) }

// gather reads entries up to size, or until they have enough postings. It begins with
// those that were read ahead.
func (f *feed) gather(size uint64, enough int) (*run, error) {
	r := f.begun
	f.begun = nil
	if r == nil {
		r = &run{end: f.next, postings: make([]posting, 0, min(4*(size-f.next), uint64(enough)))}
	}
	var entries [][]byte
	for f.next < size && len(r.postings) < enough {
		entries = entries[:0]
		for f.next < size && len(entries) < min(parseRun, enough) {
			e, err := f.read(size)
			if err != nil {
				return nil, err
			}
			entries = append(entries, e)
		}
		for _, e := range parse(entries) {
			for _, key := range e.keys {
				r.postings = append(r.postings, posting{key, r.end})
			}
			r.hashes = append(r.hashes, e.hash)
			r.end++
		}
	}
	return r, nil
}

// parsed is what the index has of an entry.
type parsed struct {
	keys []historyindex.Hash
	hash historyindex.Hash
}

// parse works on all processors.
func parse(entries [][]byte) []parsed {
	all := make([]parsed, len(entries))
	part := max(32, (len(entries)+runtime.GOMAXPROCS(0)-1)/runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for begin := 0; begin < len(entries); begin += part {
		end := min(begin+part, len(entries))
		work := func() {
			for i := begin; i < end; i++ {
				all[i] = parsed{historyindex.LeafKeys(entries[i]), entry.LeafHash(entries[i])}
			}
		}
		if end == len(entries) {
			work()
		} else {
			wg.Go(work)
		}
	}
	wg.Wait()
	return all
}

// sortPostings sorts by key and position.
func sortPostings(postings []posting) {
	slices.SortFunc(postings, func(a, b posting) int {
		// The first eight bytes nearly always decide.
		if c := cmp.Compare(binary.BigEndian.Uint64(a.key[:]), binary.BigEndian.Uint64(b.key[:])); c != 0 {
			return c
		}
		return cmp.Or(bytes.Compare(a.key[:], b.key[:]), cmp.Compare(a.position, b.position))
	})
}
