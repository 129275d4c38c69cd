package embedded

import (
	"context"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/trillian"
	"github.com/google/trillian/storage"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// admin is the store's trillian storage.AdminStorage.
type admin store

// CheckDatabaseAccessible is part of storage.AdminStorage.
func (a *admin) CheckDatabaseAccessible(context.Context) error { return a.disk.err() }

// Snapshot is part of storage.AdminStorage.
func (a *admin) Snapshot(context.Context) (storage.ReadOnlyAdminTX, error) {
	if err := a.disk.err(); err != nil {
		return nil, err
	}
	snap := a.disk.db.NewSnapshot()
	return &adminTX{s: (*store)(a), from: snap, closer: snap.Close}, nil
}

// ReadWriteTransaction is part of storage.AdminStorage. It calls f once.
func (a *admin) ReadWriteTransaction(ctx context.Context, f storage.AdminTXFunc) error {
	return a.update(ctx, func(ctx context.Context, tx *adminTX) error { return f(ctx, tx) })
}

func (a *admin) update(ctx context.Context, f func(context.Context, *adminTX) error) error {
	a.writer.Lock()
	defer a.writer.Unlock()
	if err := a.disk.err(); err != nil {
		return err
	}
	b := a.disk.db.NewIndexedBatch()
	tx := &adminTX{s: (*store)(a), from: b, batch: b, closer: b.Close}
	defer tx.Close()
	if err := f(ctx, tx); err != nil {
		return err
	}
	if b.Empty() {
		return nil
	}
	if err := a.disk.commit(b); err != nil {
		tx.closed = true // the batch is Pebble's now
		return err
	}
	for _, id := range tx.gone {
		(*store)(a).forget(id)
	}
	return nil
}

// adminTX is a storage.AdminTX.
type adminTX struct {
	s      *store
	from   pebble.Reader
	batch  *pebble.Batch // nil in a snapshot
	closer func() error
	closed bool
	gone   []int64 // the trees that are deleted
}

// Commit is part of storage.ReadOnlyAdminTX.
func (t *adminTX) Commit() error {
	if err := t.Close(); err != nil {
		return err
	}
	return t.s.disk.err()
}

// Close is part of storage.ReadOnlyAdminTX. It may be called again.
func (t *adminTX) Close() error {
	if t.closed {
		return nil
	}
	t.closed = true
	return t.closer()
}

// GetTree is part of storage.ReadOnlyAdminTX.
func (t *adminTX) GetTree(_ context.Context, id int64) (*trillian.Tree, error) {
	v, closer, err := t.from.Get(treeKey(kindTree, id))
	if err == pebble.ErrNotFound {
		return nil, status.Errorf(codes.NotFound, "tree %d: %v", id, errNoTree)
	} else if err != nil {
		return nil, readError("the tree", err)
	}
	defer closer.Close()
	return parseTree(v)
}

func parseTree(b []byte) (*trillian.Tree, error) {
	tree := new(trillian.Tree)
	if err := proto.Unmarshal(b, tree); err != nil {
		return nil, readError("a tree", err)
	}
	return tree, nil
}

// ListTrees is part of storage.ReadOnlyAdminTX.
func (t *adminTX) ListTrees(_ context.Context, includeDeleted bool) ([]*trillian.Tree, error) {
	it, err := t.from.NewIter(&pebble.IterOptions{LowerBound: []byte{kindTree}, UpperBound: []byte{kindTree + 1}})
	if err != nil {
		return nil, readError("trees", err)
	}
	defer it.Close()
	var trees []*trillian.Tree
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return nil, readError("trees", err)
		}
		tree, err := parseTree(v)
		if err != nil {
			return nil, err
		}
		if includeDeleted || !tree.Deleted {
			trees = append(trees, tree)
		}
	}
	if err := it.Error(); err != nil {
		return nil, readError("trees", err)
	}
	return trees, nil
}

func (t *adminTX) put(tree *trillian.Tree) error {
	b, err := proto.Marshal(tree)
	if err != nil {
		return fmt.Errorf("tree %d: %w", tree.TreeId, err)
	}
	return t.batch.Set(treeKey(kindTree, tree.TreeId), b, nil)
}

// CreateTree is part of storage.AdminWriter.
func (t *adminTX) CreateTree(ctx context.Context, tree *trillian.Tree) (*trillian.Tree, error) {
	if err := storage.ValidateTreeForCreation(ctx, tree); err != nil {
		return nil, err
	}
	if err := noSettings(tree); err != nil {
		return nil, err
	}
	id, err := storage.NewTreeID()
	if err != nil {
		return nil, err
	}
	created := proto.Clone(tree).(*trillian.Tree)
	now := timestamppb.New(time.Now())
	created.TreeId, created.CreateTime, created.UpdateTime = id, now, now
	return created, t.put(created)
}

// UpdateTree is part of storage.AdminWriter.
func (t *adminTX) UpdateTree(ctx context.Context, id int64, change func(*trillian.Tree)) (*trillian.Tree, error) {
	tree, err := t.GetTree(ctx, id)
	if err != nil {
		return nil, err
	}
	before := proto.Clone(tree).(*trillian.Tree)
	change(tree)
	if err := storage.ValidateTreeForUpdate(ctx, before, tree); err != nil {
		return nil, err
	}
	if err := noSettings(tree); err != nil {
		return nil, err
	}
	tree.UpdateTime = timestamppb.New(time.Now())
	return tree, t.put(tree)
}

// SoftDeleteTree is part of storage.AdminWriter.
func (t *adminTX) SoftDeleteTree(ctx context.Context, id int64) (*trillian.Tree, error) {
	return t.setDeleted(ctx, id, true)
}

// UndeleteTree is part of storage.AdminWriter.
func (t *adminTX) UndeleteTree(ctx context.Context, id int64) (*trillian.Tree, error) {
	return t.setDeleted(ctx, id, false)
}

func (t *adminTX) setDeleted(ctx context.Context, id int64, deleted bool) (*trillian.Tree, error) {
	tree, err := t.mustBeDeleted(ctx, id, !deleted)
	if err != nil {
		return nil, err
	}
	tree.Deleted, tree.DeleteTime = deleted, nil
	if deleted {
		tree.DeleteTime = timestamppb.New(time.Now())
	}
	return tree, t.put(tree)
}

// HardDeleteTree is part of storage.AdminWriter.
func (t *adminTX) HardDeleteTree(ctx context.Context, id int64) error {
	if _, err := t.mustBeDeleted(ctx, id, true); err != nil {
		return err
	}
	for _, kind := range []byte{kindTree, kindHead, kindIdentity, kindLeaf, kindTile} {
		prefix := treeKey(kind, id)
		if err := t.batch.DeleteRange(prefix, after(prefix), nil); err != nil {
			return err
		}
	}
	t.gone = append(t.gone, id)
	return nil
}

func (t *adminTX) mustBeDeleted(ctx context.Context, id int64, want bool) (*trillian.Tree, error) {
	tree, err := t.GetTree(ctx, id)
	if err != nil {
		return nil, err
	}
	if tree.Deleted != want {
		return nil, status.Errorf(codes.FailedPrecondition, "tree %d: deleted is %t, want %t", id, tree.Deleted, want)
	}
	return tree, nil
}

func noSettings(tree *trillian.Tree) error {
	if tree.StorageSettings != nil {
		return status.Error(codes.InvalidArgument, "storage_settings: this storage has none")
	}
	return nil
}
