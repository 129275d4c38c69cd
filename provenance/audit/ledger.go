package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/verify"
)

// The rows of a ledger: a letter and what stands beside it.
const (
	headRow        = 'h' // → head
	identityRow    = 'i' // identity → u64 position of the first authenticated entry
	statementRow   = 's' // u64 position → entry: what the participants' state is folded from
	masterRow      = 'm' // hash of an identifier ‖ u64 position → entry: those with effect
	declarationRow = 'd' // u64 position → identity of the event that it withdraws
	findingRow     = 'x' // u64 number → Finding: those about entries, until somebody has them
	knownRow       = 'n' // hash of a finding's identity: somebody has it
)

// ledgerFormat names what is written here.
const ledgerFormat = 1

const (
	ledgerCache    = 32 << 20
	ledgerMemtable = 16 << 20
	filterBits     = 10
)

// A ledger is how far the log was replayed and what came of it, on disk. What one
// window of entries gives is written at once. It is not synced: what a crash takes is
// replayed again, and so is everything if the folder is deleted.
type ledger struct {
	db   *pebble.DB
	mu   sync.Mutex // held while the head is changed; while a replay runs, to read it too
	head ledgerHead
}

type ledgerHead struct {
	Format   int
	Origin   string // of the log; "": nothing was replayed
	Next     uint64 // position of the first entry that was not replayed
	Totals   Counts
	Findings uint64 // numbers that were given
	Began    uint64 // the log's size when it was first read
	Seen     json.RawMessage

	// What the last report that somebody has says.
	ReportedNext   uint64
	ReportedTotals Counts
}

func openLedger(dir string, logger pebble.Logger) (*ledger, error) {
	cache := pebble.NewCache(ledgerCache)
	defer cache.Unref()
	o := &pebble.Options{Cache: cache, MemTableSize: ledgerMemtable, Logger: logger, FormatMajorVersion: pebble.FormatTableFormatV6}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(filterBits) // most identities are new
	}
	db, err := pebble.Open(dir, o)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be opened (one audit or monitor at a time may use it; if it is damaged, delete it, and the log is replayed from its beginning): %w", dir, err)
	}
	l := &ledger{db: db}
	text, err := l.get([]byte{headRow})
	switch {
	case err == nil && text == nil:
		l.head.Format = ledgerFormat
	case err == nil:
		err = json.Unmarshal(text, &l.head)
		if err == nil && l.head.Format != ledgerFormat {
			err = fmt.Errorf("it is of format %d, and this program writes %d", l.head.Format, ledgerFormat)
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s cannot be read; delete it, and the log is replayed from its beginning: %w", dir, err), db.Close())
	}
	return l, nil
}

func (l *ledger) close() error { return l.db.Close() }

// get gives a row; nil if there is none.
func (l *ledger) get(key []byte) ([]byte, error) {
	value, closer, err := l.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return append([]byte{}, value...), closer.Close()
}

// rows gives the rows that begin with a prefix, in order. The slices are valid for one
// turn.
func (l *ledger) rows(prefix []byte) iter.Seq2[[2][]byte, error] {
	return func(yield func([2][]byte, error) bool) {
		it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: prefix})
		if err != nil {
			yield([2][]byte{}, err)
			return
		}
		defer it.Close()
		for it.First(); it.Valid(); it.Next() {
			if !bytes.HasPrefix(it.Key(), prefix) {
				break
			}
			if !yield([2][]byte{it.Key(), it.Value()}, nil) {
				return
			}
		}
		if err := it.Error(); err != nil {
			yield([2][]byte{}, err)
		}
	}
}

func row(letter byte, parts ...[]byte) []byte {
	key := append(make([]byte, 0, 48), letter)
	for _, p := range parts {
		key = append(key, p...)
	}
	return key
}

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// lastNumber reads the number at a row's end.
func lastNumber(key []byte) (uint64, error) {
	if len(key) < 9 {
		return 0, fmt.Errorf("the row %x has no number", key)
	}
	return binary.BigEndian.Uint64(key[len(key)-8:]), nil
}

// first gives the position of the first authenticated entry of an identity.
func (l *ledger) first(identity [32]byte) (index uint64, ok bool, err error) {
	value, err := l.get(row(identityRow, identity[:]))
	if err != nil || value == nil {
		return 0, false, err
	}
	if len(value) != 8 {
		return 0, false, fmt.Errorf("the row of the identity %x has %d bytes, not 8", identity, len(value))
	}
	return binary.BigEndian.Uint64(value), true, nil
}

// entries gives the entries under a prefix, by their positions.
func (l *ledger) entries(prefix []byte) iter.Seq2[positioned, error] {
	return func(yield func(positioned, error) bool) {
		for r, err := range l.rows(prefix) {
			var p positioned
			if err == nil {
				p.index, err = lastNumber(r[0])
			}
			if err == nil {
				p.entry, err = entry.Parse(append([]byte{}, r[1]...))
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

type positioned struct {
	index uint64
	entry *entry.Entry
}

func masterPrefix(identifier string) []byte {
	hash := sha256.Sum256([]byte(identifier))
	return row(masterRow, hash[:])
}

// writeHead adds the head to a batch.
func (l *ledger) writeHead(b *pebble.Batch) error {
	text, err := json.Marshal(&l.head)
	if err != nil {
		return err
	}
	return b.Set([]byte{headRow}, text, nil)
}

// change writes the head, which it may change, and what it adds to the batch.
func (l *ledger) change(change func(b *pebble.Batch) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.head
	b := l.db.NewBatch()
	defer b.Close()
	err := change(b)
	if err == nil {
		err = l.writeHead(b)
	}
	if err == nil {
		err = b.Commit(pebble.NoSync)
	}
	if err != nil {
		l.head = before
		return fmt.Errorf("write what was audited: %w", err)
	}
	return nil
}

// add numbers a finding about an entry and adds it to the batch.
func (l *ledger) add(b *pebble.Batch, f *Finding) error {
	text, err := json.Marshal(f)
	if err != nil {
		return err
	}
	l.head.Findings++
	return b.Set(row(findingRow, number(l.head.Findings)), text, nil)
}

// findings gives those about entries that nobody has yet.
func (l *ledger) findings() (list []Finding, err error) {
	for r, err := range l.rows([]byte{findingRow}) {
		var f Finding
		if err == nil {
			f.number, err = lastNumber(r[0])
		}
		if err == nil {
			err = json.Unmarshal(r[1], &f)
		}
		if err != nil {
			return nil, err
		}
		list = append(list, f)
	}
	return list, nil
}

func knownKey(f *Finding) []byte {
	hash := sha256.Sum256([]byte(f.identity()))
	return row(knownRow, hash[:])
}

// seen gives the checkpoints under which the log was replayed.
func (l *ledger) seen() (*verify.State, error) {
	if l.head.Seen == nil {
		return new(verify.State), nil
	}
	return verify.ParseState(l.head.Seen)
}
