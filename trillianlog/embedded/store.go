package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/trillian"
	"github.com/google/trillian/storage"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// store is a trillian storage.LogStorage. AddSequencedLeaves stores leaves and
// does not integrate them; integrator does both.
type store struct {
	disk  *disk
	tiles *tileCache

	// writer is held from the beginning of a read-write transaction to its
	// end: there is one at a time, of logs and of the tree administration.
	writer sync.Mutex

	// states has the committed state of each tree that was used. It is only
	// written with writer held, or to load what is not there yet.
	statesMu sync.Mutex
	states   map[int64]*atomic.Pointer[logState]
}

func newStore(d *disk) *store {
	return &store{disk: d, tiles: newTileCache(cachedTiles), states: make(map[int64]*atomic.Pointer[logState])}
}

// state is where a tree's committed state is kept.
func (s *store) state(tree int64) (*atomic.Pointer[logState], error) {
	if err := s.disk.err(); err != nil {
		return nil, err
	}
	s.statesMu.Lock()
	defer s.statesMu.Unlock()
	if p := s.states[tree]; p != nil {
		return p, nil
	}
	st, err := s.loadState(tree)
	if err != nil {
		return nil, err
	}
	p := new(atomic.Pointer[logState])
	p.Store(st)
	s.states[tree] = p
	return p, nil
}

func (s *store) forget(tree int64) {
	s.statesMu.Lock()
	defer s.statesMu.Unlock()
	delete(s.states, tree)
	s.tiles.drop(tree)
}

// read copies what is stored under key, nil if nothing is.
func (s *store) read(key []byte) ([]byte, error) {
	v, closer, err := s.disk.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	defer closer.Close()
	return append([]byte{}, v...), nil
}

func (s *store) has(key []byte) (bool, error) {
	v, err := s.read(key)
	return v != nil, err
}

// leaf reads one leaf, nil if it is not stored.
func (s *store) leaf(tree int64, index uint64) (*trillian.LogLeaf, error) {
	v, closer, err := s.disk.db.Get(leafKey(tree, index))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	defer closer.Close()
	return parseLeaf(v, index)
}

func leafIndex(key []byte) uint64 { return binary.BigEndian.Uint64(key[9:]) }

// identities looks identities up. It is not safe for concurrent use, and
// cheaper for many look-ups than for one.
type identities struct {
	s    *store
	tree int64
	it   *pebble.Iterator
	key  [identityKeySize]byte
}

func (s *store) identities(tree int64) (*identities, error) {
	// Most identities that are asked for are not there, so the filters of the
	// bottom level earn their place too: Get would not use them.
	it, err := s.disk.db.NewIter(&pebble.IterOptions{UseL6Filters: true})
	if err != nil {
		return nil, err
	}
	return &identities{s: s, tree: tree, it: it}, nil
}

func (l *identities) close() error { return l.it.Close() }

// candidates gives the indices of the stored leaves whose identity begins like
// this one.
func (l *identities) candidates(identity []byte) ([]uint64, error) {
	putIdentityKey(l.key[:], l.tree, identity)
	if !l.it.SeekPrefixGE(l.key[:]) {
		return nil, l.it.Error()
	}
	v, err := l.it.ValueAndErr()
	if err != nil {
		return nil, err
	}
	return parseIndices(v)
}

// CheckDatabaseAccessible is part of storage.ReadOnlyLogStorage.
func (s *store) CheckDatabaseAccessible(context.Context) error { return s.disk.err() }

// GetActiveLogIDs is part of storage.ReadOnlyLogStorage.
func (s *store) GetActiveLogIDs(ctx context.Context) ([]int64, error) {
	var ids []int64
	err := storage.RunInAdminSnapshot(ctx, (*admin)(s), func(tx storage.ReadOnlyAdminTX) error {
		trees, err := tx.ListTrees(ctx, false)
		for _, t := range trees {
			switch t.TreeState {
			case trillian.TreeState_ACTIVE, trillian.TreeState_DRAINING:
				ids = append(ids, t.TreeId)
			}
		}
		return err
	})
	return ids, err
}

// SnapshotForTree is part of storage.ReadOnlyLogStorage. The transaction sees
// one committed state; of leaves that are not integrated it may see newer
// ones. With storage.ErrTreeNeedsInit it gives a transaction all the same.
func (s *store) SnapshotForTree(_ context.Context, tree *trillian.Tree) (storage.ReadOnlyLogTreeTX, error) {
	p, err := s.state(tree.TreeId)
	if err != nil {
		return nil, err
	}
	tx := &readTX{s: s, tree: tree, st: p.Load()}
	if tx.st.root == nil {
		return tx, storage.ErrTreeNeedsInit
	}
	return tx, nil
}

// ReadWriteTransaction is part of storage.LogStorage. It calls f once. When it
// returns nil, what f wrote is durable; otherwise nothing of it is, unless the
// error is ErrBroken.
func (s *store) ReadWriteTransaction(ctx context.Context, tree *trillian.Tree, f storage.LogTXFunc) error {
	return s.update(ctx, tree, func(ctx context.Context, tx *writeTX) error { return f(ctx, tx) })
}

func (s *store) update(ctx context.Context, tree *trillian.Tree, f func(context.Context, *writeTX) error) error {
	s.writer.Lock()
	defer s.writer.Unlock()
	p, err := s.state(tree.TreeId)
	if err != nil {
		return err
	}
	st := *p.Load()
	tx := &writeTX{readTX: readTX{s: s, tree: tree, st: &st}, batch: s.disk.db.NewBatch()}
	lost := false // the batch, to Pebble
	defer func() {
		if !lost {
			_ = tx.batch.Close()
		}
	}()
	if err := f(ctx, tx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return status.FromContextError(err).Err()
	}
	if tx.batch.Empty() {
		return nil
	}
	if err := s.disk.commit(tx.batch); err != nil {
		lost = true
		return err
	}
	for id, t := range tx.full {
		s.tiles.add(cacheKey{tree.TreeId, id}, t)
	}
	p.Store(&st)
	return nil
}

// QueueLeaves is part of storage.LogStorage, for trees that order their leaves
// themselves. There are none here.
func (s *store) QueueLeaves(context.Context, *trillian.Tree, []*trillian.LogLeaf, time.Time) ([]*trillian.QueuedLogLeaf, error) {
	return nil, status.Error(codes.Unimplemented, "QueueLeaves: this storage is for pre-ordered logs; use AddSequencedLeaves")
}

// AddSequencedLeaves is part of storage.LogStorage.
func (s *store) AddSequencedLeaves(ctx context.Context, tree *trillian.Tree, leaves []*trillian.LogLeaf, at time.Time) ([]*trillian.QueuedLogLeaf, error) {
	var res []*trillian.QueuedLogLeaf
	err := s.update(ctx, tree, func(_ context.Context, tx *writeTX) (err error) {
		res, err = tx.add(leaves, at, false)
		return err
	})
	if err != nil {
		return nil, err
	}
	return res, nil
}

// find gives the places of the leaves that have one of the identities.
func (s *store) find(tree int64, ids [][hashSize]byte, found func(identity [hashSize]byte, leaf *trillian.LogLeaf)) error {
	lookup, err := s.identities(tree)
	if err != nil {
		return readError("identities", err)
	}
	defer lookup.close()
	for _, id := range ids {
		at, err := lookup.candidates(id[:])
		if err != nil {
			return readError("identities", err)
		}
		leaf, err := s.withIdentity(tree, id[:], at)
		if err != nil {
			return err
		}
		if leaf != nil {
			found(id, leaf)
		}
	}
	return nil
}

// withIdentity is the leaf at one of the indices that has the identity, nil if
// there is none.
func (s *store) withIdentity(tree int64, identity []byte, at []uint64) (*trillian.LogLeaf, error) {
	for _, index := range at {
		leaf, err := s.leaf(tree, index)
		if err != nil {
			return nil, readError(fmt.Sprintf("leaf %d", index), err)
		}
		if leaf == nil {
			return nil, status.Errorf(codes.DataLoss, "leaf %d has an identity in the store, and no bytes", index)
		}
		if string(leaf.LeafIdentityHash) == string(identity) {
			return leaf, nil
		}
	}
	return nil, nil
}

// holes gives the indices in [from, to) without a leaf.
func (s *store) holes(tree int64, from, to uint64) ([]uint64, error) {
	if from >= to {
		return nil, nil
	}
	it, err := s.disk.db.NewIter(&pebble.IterOptions{LowerBound: leafKey(tree, from), UpperBound: leafKey(tree, to)})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	var out []uint64
	for ok := it.First(); ok; ok = it.Next() {
		for at := leafIndex(it.Key()); from < at; from++ {
			out = append(out, from)
		}
		from++
	}
	return out, it.Error()
}
