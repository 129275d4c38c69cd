// Package projection keeps what is computed from the log's leaves for answers that
// have to be as new as the log: who signed which entries, which have an identity or an
// event id, which describe a thing, and the state of the participants. What can wait
// for the history index, and be proved, stands there and not here. It is a pure
// function of the leaves, in order; its folder may be deleted and is then made again
// from the log.
//
// Nothing here is proof of anything. An answer names positions; who reads them
// fetches the entries and proves them against a checkpoint.
package projection

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/participant"
)

// The keys of the store: a letter and what stands beside it. Hashes are cut to
// hashSize bytes: who reads the entries finds out if two met.
const (
	cursorKey    = 'c' // → u64: the position after the last one applied
	formatKey    = 'f' // → format
	identityKey  = 'i' // identity ‖ u64 position
	postingKey   = 'k' // hash of a key of kind by or master ‖ u64 position
	eventKey     = 'e' // hash of an eventID ‖ u64 position
	statementKey = 's' // u64 position → entry: what the participants' state is folded from
	hashSize     = 16
)

// format names what is written here. A folder of another one is emptied, and
// computed again.
const format = "3"

const (
	cacheSize    = 32 << 20
	memTableSize = 16 << 20
)

// Projection is safe for one caller of Apply and many readers.
type Projection struct {
	db    *pebble.DB
	next  atomic.Uint64
	state *participant.State
}

// Open opens, or makes, the projection in dir.
func Open(dir string, logger pebble.Logger) (*Projection, error) {
	cache := pebble.NewCache(cacheSize)
	defer cache.Unref()
	db, err := pebble.Open(dir, &pebble.Options{
		Cache: cache, MemTableSize: memTableSize, Logger: logger, FormatMajorVersion: pebble.FormatNewest,
	})
	if err != nil {
		return nil, fmt.Errorf("open the projections in %s: %w", dir, err)
	}
	p := &Projection{db: db, state: participant.NewState()}
	if err := p.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("read the projections in %s (they may be deleted; they are then made again from the log): %w", dir, err), db.Close())
	}
	return p, nil
}

func (p *Projection) load() error {
	if err := p.checkFormat(); err != nil {
		return err
	}
	value, closer, err := p.db.Get([]byte{cursorKey})
	if errors.Is(err, pebble.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	defer closer.Close()
	if len(value) != 8 {
		return fmt.Errorf("the cursor has %d bytes, not 8", len(value))
	}
	p.next.Store(binary.BigEndian.Uint64(value))
	it, err := p.db.NewIter(&pebble.IterOptions{LowerBound: []byte{statementKey}, UpperBound: []byte{statementKey + 1}})
	if err != nil {
		return err
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		if len(it.Key()) != 9 {
			return fmt.Errorf("the key %x of a statement has %d bytes, not 9", it.Key(), len(it.Key()))
		}
		e, err := entry.Parse(append([]byte(nil), it.Value()...))
		if err != nil {
			return fmt.Errorf("the statement %x: %w", it.Key(), err)
		}
		p.state.Apply(binary.BigEndian.Uint64(it.Key()[1:]), e)
	}
	return it.Error()
}

func (p *Projection) checkFormat() error {
	have, closer, err := p.db.Get([]byte{formatKey})
	if err == nil {
		same := string(have) == format
		if err := closer.Close(); err != nil || same {
			return err
		}
	} else if !errors.Is(err, pebble.ErrNotFound) {
		return err
	}
	batch := p.db.NewBatch()
	defer batch.Close()
	if err := batch.DeleteRange([]byte{0}, []byte{0xff}, nil); err != nil {
		return err
	}
	if err := batch.Set([]byte{formatKey}, []byte(format), nil); err != nil {
		return err
	}
	return batch.Commit(pebble.Sync)
}

// Next is the position of the first leaf that Apply has not seen.
func (p *Projection) Next() uint64 { return p.next.Load() }

// Apply adds leaves, the first of which stands at position first; those that it
// has seen already are passed over. It is not synced: leaves that are lost in a
// crash come again, since the cursor is lost with them.
func (p *Projection) Apply(ctx context.Context, first uint64, leaves [][]byte) error {
	batch := p.db.NewBatch()
	defer batch.Close()
	next := p.next.Load()
	if first > next {
		return fmt.Errorf("the projection stands at %d and cannot go on at %d", next, first)
	}
	type statement struct {
		index uint64
		entry *entry.Entry
	}
	var statements []statement
	key := make([]byte, 0, 1+hashSize+8)
	for i, leaf := range leaves {
		index := first + uint64(i)
		if index < next {
			continue
		}
		e, err := entry.Parse(leaf)
		if err != nil {
			continue // no entry of ours: it has no keys
		}
		for _, k := range keysOf(e) {
			h := k.Hash()
			key = posting(key[:0], postingKey, h[:], index)
			if err := batch.Set(key, nil, nil); err != nil {
				return err
			}
		}
		if id, ok := e.JSON.Get("eventID"); ok {
			h := sha256.Sum256([]byte(id.Text()))
			key = posting(key[:0], eventKey, h[:], index)
			if err := batch.Set(key, nil, nil); err != nil {
				return err
			}
		}
		if id, err := entry.Identity(e.Participants[0], e.JSON); err == nil {
			key = posting(key[:0], identityKey, id[:], index)
			if err := batch.Set(key, nil, nil); err != nil {
				return err
			}
		}
		switch e.Type() {
		case entry.TypeGenesis, entry.TypeParticipant, entry.TypeOperator:
			if err := batch.Set(binary.BigEndian.AppendUint64([]byte{statementKey}, index), leaf, nil); err != nil {
				return err
			}
			statements = append(statements, statement{index, e})
		}
	}
	end := first + uint64(len(leaves))
	if end <= next {
		return nil
	}
	if err := batch.Set([]byte{cursorKey}, binary.BigEndian.AppendUint64(nil, end), nil); err != nil {
		return err
	}
	if err := batch.Commit(pebble.NoSync); err != nil {
		return fmt.Errorf("write the projections: %w", err)
	}
	for _, s := range statements {
		p.state.Apply(s.index, s.entry)
	}
	p.next.Store(end)
	return nil
}

// keysOf are those of an entry's keys that are kept here: of kind by and master.
func keysOf(e *entry.Entry) []historyindex.Key {
	keys := make([]historyindex.Key, 0, entry.MaxParticipants+1)
	for _, id := range e.Participants {
		keys = append(keys, historyindex.Key{Kind: historyindex.By, Identifier: id})
	}
	if t := e.Type(); t == entry.TypeProduct || t == entry.TypePlace {
		for _, k := range historyindex.Keys(e) {
			if k.Kind == historyindex.Master {
				keys = append(keys, k)
			}
		}
	}
	return keys
}

func posting(dst []byte, letter byte, hash []byte, index uint64) []byte {
	dst = append(dst, letter)
	dst = append(dst, hash[:hashSize]...)
	return binary.BigEndian.AppendUint64(dst, index)
}

// State is the fold of the statements that Apply has seen.
func (p *Projection) State() *participant.State { return p.state }

// Between gives the positions from first on, below end, of the entries that have the
// key, which is of kind by or master, in rising order. A few may be there that have it
// not: read the entry.
func (p *Projection) Between(key historyindex.Key, first, end uint64) ([]uint64, error) {
	h := key.Hash()
	return p.scan(postingKey, h[:], first, end, 0, false)
}

// Newest gives at most limit of those below size, the newest first.
func (p *Projection) Newest(key historyindex.Key, size uint64, limit int) ([]uint64, error) {
	h := key.Hash()
	return p.scan(postingKey, h[:], 0, size, limit, true)
}

// Events gives the positions below size of the entries with that eventID: the
// newest limit of them, the newest first.
func (p *Projection) Events(eventID string, size uint64, limit int) ([]uint64, error) {
	h := sha256.Sum256([]byte(eventID))
	return p.scan(eventKey, h[:], 0, size, limit, true)
}

// First gives the position below size of the first entry that has the identity.
// Rarely it is another one's: read the entry.
func (p *Projection) First(identity [32]byte, size uint64) (index uint64, found bool, err error) {
	positions, err := p.scan(identityKey, identity[:], 0, size, 1, false)
	if len(positions) == 0 {
		return 0, false, err
	}
	return positions[0], true, err
}

// scan reads the positions under one hash from first on, below end, rising or
// falling: at most limit of them, or with 0 all.
func (p *Projection) scan(letter byte, hash []byte, first, end uint64, limit int, falling bool) ([]uint64, error) {
	it, err := p.db.NewIter(&pebble.IterOptions{LowerBound: posting(nil, letter, hash, first), UpperBound: posting(nil, letter, hash, end)})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	var positions []uint64
	step, ok := it.Next, it.First
	if falling {
		step, ok = it.Prev, it.Last
	}
	for more := ok(); more && (limit == 0 || len(positions) < limit); more = step() {
		k := it.Key()
		positions = append(positions, binary.BigEndian.Uint64(k[len(k)-8:]))
	}
	return positions, it.Error()
}

// Close writes what is not on disk yet and releases the folder.
func (p *Projection) Close() error { return p.db.Close() }
