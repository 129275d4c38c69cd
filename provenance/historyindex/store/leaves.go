package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tallyroot/tallyroot/provenance/historyindex"
)

// A Leaf is one of the index log's.
type Leaf struct {
	Number uint64 // its index in the index log
	Text   []byte // must not be changed
	historyindex.Leaf
}

// Size is that of the smallest index log with the leaf, in which the leaf is the
// last.
func (l Leaf) Size() uint64 { return l.Number + 1 }

func parseLeaf(number uint64, text []byte) (Leaf, error) {
	parsed, err := historyindex.ParseLeaf(text)
	return Leaf{number, text, parsed}, err
}

// leaves is the database of the leaves: the number as eight bytes → the text.
type leaves struct {
	db    *pebble.DB
	count atomic.Uint64
}

func openLeaves(dir string, o *pebble.Options) (*leaves, error) {
	db, err := pebble.Open(dir, o)
	if err != nil {
		return nil, err
	}
	l := &leaves{db: db}
	if err := l.load(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return l, nil
}

func (l *leaves) load() error {
	it, err := l.db.NewIter(nil)
	if err != nil {
		return err
	}
	if it.Last() {
		if len(it.Key()) != 8 {
			return errors.Join(fmt.Errorf("the key %x is not a leaf's", it.Key()), it.Close())
		}
		l.count.Store(binary.BigEndian.Uint64(it.Key()) + 1)
	}
	return errors.Join(it.Error(), it.Close())
}

func (l *leaves) get(number uint64) (Leaf, error) {
	text, closer, err := l.db.Get(binary.BigEndian.AppendUint64(nil, number))
	if errors.Is(err, pebble.ErrNotFound) {
		return Leaf{}, fmt.Errorf("%w: number %d of %d", ErrLeavesLost, number, l.count.Load())
	}
	if err != nil {
		return Leaf{}, fmt.Errorf("read leaf %d of the index log: %w", number, err)
	}
	leaf, err := parseLeaf(number, bytes.Clone(text))
	if err = errors.Join(err, closer.Close()); err != nil {
		return Leaf{}, fmt.Errorf("leaf %d of the index log: %w", number, err)
	}
	return leaf, nil
}

// add writes the next leaf.
func (l *leaves) add(text []byte, durable *pebble.WriteOptions) error {
	number := l.count.Load()
	if err := l.db.Set(binary.BigEndian.AppendUint64(nil, number), text, durable); err != nil {
		return fmt.Errorf("write leaf %d of the index log: %w", number, err)
	}
	l.count.Store(number + 1)
	return nil
}

// sync makes all leaves durable.
func (l *leaves) sync() error {
	if err := l.db.LogData(nil, pebble.Sync); err != nil {
		return fmt.Errorf("write the leaves of the index log: %w", err)
	}
	return nil
}
