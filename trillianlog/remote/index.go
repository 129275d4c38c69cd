package remote

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/tallyroot/tallyroot/trillianlog"
)

// The keys of the index: a letter, and with an identity the identity.
const (
	keyFormat   = 'f' // → formatVersion, the tree's number in 8 bytes
	keyMark     = 'm' // → how many leaves are in, in 8 bytes, and their compact range
	keyIdentity = 'i' // identity → the leaf's index in 8 bytes, its hash
	keyUnshown  = 'u' // index in 8 bytes → identity, leaf hash: see record
)

const (
	formatVersion = 1
	hashSize      = 32
)

// What Pebble may use: its memory does not grow with the log.
const (
	cacheBytes   = 32 << 20
	memtableSize = 8 << 20
	// filterBits makes about one identity in a hundred that is not there cost a
	// read: most that are asked for are not.
	filterBits = 10
	// formatMajor is fixed, so that a newer Pebble does not change what is on the
	// disk behind the operator's back.
	formatMajor = pebble.FormatTableFormatV6
)

// index is the identities of a tree's first leaves, on the disk. A write of add
// is not synced: leaves that a crash takes from it are read from Trillian again,
// since the mark is lost with them. It is not safe for concurrent use.
type index struct {
	db      *pebble.DB
	treeID  int64
	leaves  *compact.Range   // over those that are in
	unshown map[uint64]known // what record has kept
}

var rangeFactory = &compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}

// openIndex opens the index in dir, or makes it. One of another tree is emptied.
func openIndex(dir string, treeID int64, logger *slog.Logger) (*index, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	cache := pebble.NewCache(cacheBytes)
	defer cache.Unref()
	options := &pebble.Options{Cache: cache, MemTableSize: memtableSize, FormatMajorVersion: formatMajor, Logger: pebbleLogger{logger}}
	for i := range options.Levels {
		options.Levels[i].FilterPolicy = bloom.FilterPolicy(filterBits)
	}
	db, err := pebble.Open(dir, options)
	if err != nil {
		return nil, fmt.Errorf("open the index of identities in %s: %w", dir, err)
	}
	x := &index{db: db, treeID: treeID}
	if err := x.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("read the index of identities in %s (the folder may be deleted; it is then made again from Trillian's leaves): %w", dir, err), db.Close())
	}
	return x, nil
}

func (x *index) format() []byte {
	return binary.BigEndian.AppendUint64([]byte{formatVersion}, uint64(x.treeID))
}

func (x *index) load() error {
	format, err := x.read(keyFormat)
	if err != nil {
		return err
	}
	if string(format) != string(x.format()) {
		return x.reset()
	}
	mark, err := x.read(keyMark)
	if err != nil {
		return err
	}
	if len(mark) < 8 || len(mark)%hashSize != 8 {
		return fmt.Errorf("the mark has %d bytes", len(mark))
	}
	var hashes [][]byte
	for b := mark[8:]; len(b) > 0; b = b[hashSize:] {
		hashes = append(hashes, b[:hashSize])
	}
	if x.leaves, err = rangeFactory.NewRange(0, binary.BigEndian.Uint64(mark), hashes); err != nil {
		return err
	}
	return x.loadUnshown()
}

// read copies a value, nil if there is none.
func (x *index) read(key ...byte) ([]byte, error) {
	value, closer, err := x.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	defer closer.Close()
	return append([]byte{}, value...), nil
}

// reset empties the index.
func (x *index) reset() error {
	batch := x.db.NewBatch()
	defer batch.Close()
	empty := rangeFactory.NewEmptyRange(0)
	if err := errors.Join(
		batch.DeleteRange([]byte{keyIdentity}, []byte{keyIdentity + 1}, nil),
		batch.DeleteRange([]byte{keyUnshown}, []byte{keyUnshown + 1}, nil),
		batch.Set([]byte{keyFormat}, x.format(), nil),
		batch.Set([]byte{keyMark}, mark(empty), nil),
	); err != nil {
		return err
	}
	if err := batch.Commit(pebble.NoSync); err != nil {
		return err
	}
	x.leaves, x.unshown = empty, make(map[uint64]known)
	return nil
}

func mark(leaves *compact.Range) []byte {
	b := binary.BigEndian.AppendUint64(nil, leaves.End())
	for _, hash := range leaves.Hashes() {
		b = append(b, hash...)
	}
	return b
}

// next is the index of the first leaf that is not in.
func (x *index) next() uint64 { return x.leaves.End() }

// root is that of the leaves that are in.
func (x *index) root() ([]byte, error) {
	if x.next() == 0 {
		return rfc6962.DefaultHasher.EmptyRoot(), nil
	}
	return x.leaves.GetRootHash(nil)
}

// add takes the next leaves. After an error the index is as on the disk, which
// has all of them or none.
func (x *index) add(leaves []known) error {
	if len(leaves) == 0 {
		return nil
	}
	batch := x.db.NewBatch()
	defer batch.Close()
	grown, err := rangeFactory.NewRange(0, x.next(), append([][]byte(nil), x.leaves.Hashes()...))
	if err != nil {
		return err
	}
	key := make([]byte, 1+hashSize)
	key[0] = keyIdentity
	value := make([]byte, 8+hashSize)
	for i := range leaves {
		copy(key[1:], leaves[i].identity[:])
		binary.BigEndian.PutUint64(value, grown.End())
		copy(value[8:], leaves[i].hash[:])
		if err := batch.Set(key, value, nil); err != nil {
			return err
		}
		if err := grown.Append(leaves[i].hash[:], nil); err != nil {
			return err
		}
	}
	if err := batch.Set([]byte{keyMark}, mark(grown), nil); err != nil {
		return err
	}
	if err := batch.Commit(pebble.NoSync); err != nil {
		return err
	}
	x.leaves = grown
	return nil
}

// find adds to found the leaves that are in and have one of the identities.
func (x *index) find(ctx context.Context, identities [][32]byte, found map[[32]byte]trillianlog.Stored) error {
	// Unlike Get, this also asks the filters of the bottom level.
	it, err := x.db.NewIterWithContext(ctx, &pebble.IterOptions{UseL6Filters: true})
	if err != nil {
		return err
	}
	defer it.Close()
	key := make([]byte, 1+hashSize)
	key[0] = keyIdentity
	for _, id := range identities {
		copy(key[1:], id[:])
		if !it.SeekPrefixGE(key) {
			continue
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if len(value) != 8+hashSize {
			return fmt.Errorf("the entry of an identity has %d bytes", len(value))
		}
		found[id] = trillianlog.Stored{Index: binary.BigEndian.Uint64(value), LeafHash: [32]byte(value[8:])}
	}
	return it.Error()
}

func (x *index) loadUnshown() error {
	it, err := x.db.NewIter(&pebble.IterOptions{LowerBound: []byte{keyUnshown}, UpperBound: []byte{keyUnshown + 1}})
	if err != nil {
		return err
	}
	defer it.Close()
	x.unshown = make(map[uint64]known)
	for ok := it.First(); ok; ok = it.Next() {
		key, value := it.Key(), it.Value()
		if len(key) != 1+8 || len(value) != 2*hashSize {
			return fmt.Errorf("the entry %x of a leaf that was not shown has %d bytes", key, len(value))
		}
		x.unshown[binary.BigEndian.Uint64(key[1:])] = known{identity: [32]byte(value), hash: [32]byte(value[hashSize:])}
	}
	return it.Error()
}

// record keeps leaves that are stored and that Trillian does not show: nothing
// else would tell the next process of them. It is synced. With only it forgets
// the others.
func (x *index) record(leaves map[uint64]known, only bool) error {
	only = only && len(x.unshown) > 0
	if len(leaves) == 0 && !only {
		return nil
	}
	batch := x.db.NewBatch()
	defer batch.Close()
	if only {
		if err := batch.DeleteRange([]byte{keyUnshown}, []byte{keyUnshown + 1}, nil); err != nil {
			return err
		}
	}
	for at, leaf := range leaves {
		key := binary.BigEndian.AppendUint64([]byte{keyUnshown}, at)
		if err := batch.Set(key, append(leaf.identity[:], leaf.hash[:]...), nil); err != nil {
			return err
		}
	}
	if err := batch.Commit(pebble.Sync); err != nil {
		return err
	}
	if only {
		clear(x.unshown)
	}
	maps.Copy(x.unshown, leaves)
	return nil
}

func (x *index) close() error { return x.db.Close() }

// pebbleLogger takes what Pebble has to say.
type pebbleLogger struct{ logger *slog.Logger }

func (l pebbleLogger) Infof(string, ...any) {}

func (l pebbleLogger) Errorf(format string, args ...any) {
	l.logger.Warn("index of identities: " + fmt.Sprintf(format, args...))
}

// Fatalf is where Pebble expects the process to end: a write failed of which it
// cannot say what of it is on the disk.
func (l pebbleLogger) Fatalf(format string, args ...any) {
	l.logger.Error("index of identities: " + fmt.Sprintf(format, args...))
	os.Exit(1)
}
