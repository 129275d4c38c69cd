package provenance

import (
	"context"
	"errors"
	"fmt"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/indexlog"
	"github.com/tallyroot/tallyroot/provenance/participant"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
)

// An Index gives the history index as it was published last: an *indexlog.Log does,
// and whoever has verified a copy of one can.
type Index interface {
	// Snapshot gives the newest state. Whoever gets it closes it. Until there is one,
	// the error is an indexlog.ErrNotServed.
	Snapshot() (*indexlog.Snapshot, error)
}

// A Reader answers what the log holds about an identifier, with all that proves it.
// It reads the history index and the log's tiles and nothing else, so anybody who
// has copies of them gives the same answers, byte for byte. It never writes, and
// needs neither keys nor Trillian nor a database. It is safe for concurrent use.
type Reader struct {
	index    Index
	tiles    *tiles.Store
	state    *participant.State
	verified verified
	turns    turns
}

// ReaderOptions are what a Reader reads.
type ReaderOptions struct {
	// Index is the history index of the log, of which Tiles has all entries that a
	// snapshot covers.
	Index Index
	Tiles *tiles.Store
	// State is the fold of the log's statements. It has at least those that a snapshot
	// covers.
	State *participant.State
}

// NewReader gives a Reader, which has nothing to close.
func NewReader(o ReaderOptions) *Reader {
	return &Reader{index: o.Index, tiles: o.Tiles, state: o.State, turns: make(turns, maxReaders)}
}

// ErrNotIndexed: histories and journeys cannot be proved now, since there is no
// history index yet, or not since the start. Everything else can be read.
var ErrNotIndexed = errors.New("the history index, which proves that nothing is missing, is not there yet: it is being made from the log, or waits for its witnesses. Histories and journeys are answered when it is there; entries, receipts and the log's files are there now")

// A question is answered from one state of the index.
type question struct {
	*Reader
	*indexlog.Snapshot
}

// ask begins a question, when it is its turn. It has to be ended.
func (r *Reader) ask(ctx context.Context) (q *question, end func(), err error) {
	done, err := r.turns.turn(ctx)
	if err != nil {
		return nil, nil, err
	}
	snapshot, err := r.index.Snapshot()
	if err != nil {
		done()
		if errors.Is(err, indexlog.ErrNotServed) {
			err = fmt.Errorf("%w (%w)", ErrNotIndexed, err)
		}
		return nil, nil, err
	}
	return &question{r, snapshot}, func() { snapshot.Close(); done() }, nil
}

// entry reads one entry that the snapshot covers.
func (q *question) entry(ctx context.Context, index uint64) (located, error) {
	b, err := q.bytes(ctx, index)
	if err != nil {
		return located{}, err
	}
	e, err := entry.Parse(b)
	if err != nil {
		return located{}, fmt.Errorf("the entry at index %d: %w", index, err)
	}
	return located{e, index, b}, nil
}

func (q *question) bytes(ctx context.Context, index uint64) ([]byte, error) {
	b, err := q.tiles.Entry(ctx, index)
	if err != nil {
		return nil, fmt.Errorf("read the entry at index %d: %w", index, err)
	}
	return b, nil
}

// positions gives all positions under a key, and what proves that it has these.
func (q *question) positions(key historyindex.Key) ([]uint64, historyindex.Proof, error) {
	hash := key.Hash()
	answer, err := q.View.Prove(hash)
	if err != nil || answer.Count == 0 {
		return nil, answer.Proof, err
	}
	positions, err := q.View.Positions(hash, 0, int(answer.Count))
	return positions, answer.Proof, err
}
