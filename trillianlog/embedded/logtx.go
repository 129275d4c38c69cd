package embedded

import (
	"context"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/trillian"
	"github.com/google/trillian/storage"
	stree "github.com/google/trillian/storage/tree"
	"github.com/google/trillian/types"
	"github.com/transparency-dev/merkle/compact"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// readTX is a storage.ReadOnlyLogTreeTX.
type readTX struct {
	s    *store
	tree *trillian.Tree
	st   *logState
}

// Commit is part of storage.ReadOnlyLogTreeTX. What was read is worth nothing
// if the store broke meanwhile.
func (t *readTX) Commit(context.Context) error { return t.s.disk.err() }

// Close is part of storage.ReadOnlyLogTreeTX. There is nothing to release.
func (t *readTX) Close() error { return nil }

// LatestSignedLogRoot is part of storage.ReadOnlyLogTreeTX.
func (t *readTX) LatestSignedLogRoot(context.Context) (*trillian.SignedLogRoot, error) {
	if t.st.root == nil {
		return nil, storage.ErrTreeNeedsInit
	}
	return t.st.root, nil
}

// GetMerkleNodes is part of storage.ReadOnlyLogTreeTX.
func (t *readTX) GetMerkleNodes(_ context.Context, ids []compact.NodeID) ([]stree.Node, error) {
	return t.nodes(ids, nil)
}

func (t *readTX) nodes(ids []compact.NodeID, fresh map[tileID]*tile) ([]stree.Node, error) {
	nodes := make([]stree.Node, len(ids))
	for i, id := range ids {
		h, err := t.s.node(t.tree.TreeId, t.st, fresh, id)
		if err != nil {
			return nil, err
		}
		nodes[i] = stree.Node{ID: id, Hash: h}
	}
	return nodes, nil
}

// GetLeavesByHash is part of storage.ReadOnlyLogTreeTX.
func (t *readTX) GetLeavesByHash(context.Context, [][]byte, bool) ([]*trillian.LogLeaf, error) {
	return nil, status.Error(codes.Unimplemented, "GetLeavesByHash: this storage has no index of leaf hashes; ask by identity (Find) or by index")
}

// GetLeavesByRange is part of storage.ReadOnlyLogTreeTX. It gives at most
// maxRangeLeaves, and ends after the leaf with which it reaches maxRangeBytes.
func (t *readTX) GetLeavesByRange(ctx context.Context, start, count int64) ([]*trillian.LogLeaf, error) {
	from, to, err := t.span(start, count)
	if err != nil {
		return nil, err
	}
	it, err := t.s.disk.db.NewIter(&pebble.IterOptions{LowerBound: leafKey(t.tree.TreeId, from), UpperBound: leafKey(t.tree.TreeId, to)})
	if err != nil {
		return nil, readError("leaves", err)
	}
	defer it.Close()
	c := collector{st: t.st, next: from, to: to}
	for ok := it.First(); ok && !c.done(); ok = it.Next() {
		if leafIndex(it.Key()) != c.next {
			break
		}
		v, err := it.ValueAndErr()
		if err != nil {
			return nil, readError(fmt.Sprintf("leaf %d", c.next), err)
		}
		leaf, err := parseLeaf(v, c.next)
		if err != nil {
			return nil, status.Error(codes.DataLoss, err.Error())
		}
		c.add(leaf)
		if err := ctx.Err(); err != nil {
			return nil, status.FromContextError(err).Err()
		}
	}
	if err := it.Error(); err != nil {
		return nil, readError(fmt.Sprintf("leaf %d", c.next), err)
	}
	return c.result()
}

// span checks a range as Trillian's other storages do: a LOG tree has no
// leaves beyond its size.
func (t *readTX) span(start, count int64) (from, to uint64, err error) {
	if count <= 0 {
		return 0, 0, status.Errorf(codes.InvalidArgument, "invalid count %d, want > 0", count)
	}
	if start < 0 {
		return 0, 0, status.Errorf(codes.InvalidArgument, "invalid start %d, want >= 0", start)
	}
	from = uint64(start)
	to = from + uint64(min(count, maxRangeLeaves)) // no overflow: start is at most 2^63-1
	if t.tree.TreeType == trillian.TreeType_LOG {
		if from >= t.st.size {
			return 0, 0, status.Errorf(codes.OutOfRange, "invalid start %d, want < tree size %d", start, t.st.size)
		}
		to = min(to, t.st.size)
	}
	return from, to, nil
}

// collector gathers a run of leaves.
type collector struct {
	st       *logState
	next, to uint64
	bytes    int
	leaves   []*trillian.LogLeaf
}

func (c *collector) add(leaf *trillian.LogLeaf) {
	c.leaves = append(c.leaves, leaf)
	c.bytes += len(leaf.LeafValue) + len(leaf.ExtraData)
	c.next++
}

func (c *collector) done() bool { return c.next == c.to || c.bytes >= maxRangeBytes }

// result is the leaves, or an error if one is missing that the tree has.
func (c *collector) result() ([]*trillian.LogLeaf, error) {
	if !c.done() && c.next < c.st.size {
		return nil, status.Errorf(codes.DataLoss, "leaf %d is missing from the store, and the tree has %d leaves", c.next, c.st.size)
	}
	return c.leaves, nil
}

// writeTX is a storage.LogTreeTX. It sees what it wrote.
type writeTX struct {
	readTX // st is the transaction's own copy
	batch  *pebble.Batch

	staged map[uint64]*trillian.LogLeaf
	claims map[[identityPrefix]byte]*claim
	// fresh has every tile that the transaction changed, full those of them
	// that it wrote.
	fresh, full map[tileID]*tile
}

// GetMerkleNodes is part of storage.ReadOnlyLogTreeTX.
func (t *writeTX) GetMerkleNodes(_ context.Context, ids []compact.NodeID) ([]stree.Node, error) {
	return t.nodes(ids, t.fresh)
}

// GetLeavesByRange is part of storage.ReadOnlyLogTreeTX.
func (t *writeTX) GetLeavesByRange(ctx context.Context, start, count int64) ([]*trillian.LogLeaf, error) {
	if len(t.staged) == 0 {
		return t.readTX.GetLeavesByRange(ctx, start, count)
	}
	from, to, err := t.span(start, count)
	if err != nil {
		return nil, err
	}
	c := collector{st: t.st, next: from, to: to}
	for !c.done() {
		leaf, err := t.leaf(c.next)
		if err != nil {
			return nil, err
		}
		if leaf == nil {
			break
		}
		c.add(leaf)
	}
	return c.result()
}

// leaf is a leaf that is staged or stored, nil if there is none.
func (t *writeTX) leaf(index uint64) (*trillian.LogLeaf, error) {
	if leaf := t.staged[index]; leaf != nil || index >= t.st.next {
		return leaf, nil
	}
	leaf, err := t.s.leaf(t.tree.TreeId, index)
	if err != nil {
		return nil, readError(fmt.Sprintf("leaf %d", index), err)
	}
	return leaf, nil
}

// DequeueLeaves is part of storage.LogTreeTX. A LOG tree has no queue here.
func (t *writeTX) DequeueLeaves(ctx context.Context, limit int, _ time.Time) ([]*trillian.LogLeaf, error) {
	if t.tree.TreeType != trillian.TreeType_PREORDERED_LOG {
		return nil, nil
	}
	return t.GetLeavesByRange(ctx, int64(t.st.size), int64(limit))
}

// UpdateSequencedLeaves is part of storage.LogTreeTX, for LOG trees.
func (t *writeTX) UpdateSequencedLeaves(context.Context, []*trillian.LogLeaf) error {
	return status.Error(codes.Unimplemented, "UpdateSequencedLeaves: this storage is for pre-ordered logs")
}

// SetMerkleNodes is part of storage.LogTreeTX. Nodes are those of perfect
// subtrees, which never change.
func (t *writeTX) SetMerkleNodes(_ context.Context, nodes []stree.Node) error {
	if t.fresh == nil {
		t.fresh = make(map[tileID]*tile)
	}
	for _, n := range nodes {
		if n.ID.Level >= tileHeight*tileLevels || len(n.Hash) != hashSize {
			return status.Errorf(codes.InvalidArgument, "node at level %d has %d bytes", n.ID.Level, len(n.Hash))
		}
		id, height, i := place(n.ID)
		to := t.fresh[id]
		if to == nil {
			// Written in place: readers look at nothing beyond their size.
			if index, _ := edge(t.st.size, id.level); id.index == index {
				to = t.st.edge[id.level]
			}
			if to == nil {
				to = new(tile)
			}
			t.fresh[id] = to
		}
		copy(to.node(height, i)[:], n.Hash)
	}
	return nil
}

// StoreSignedLogRoot is part of storage.LogTreeTX. The nodes that the new size
// needs have been set before: tiles that it fills are written now.
func (t *writeTX) StoreSignedLogRoot(_ context.Context, root *trillian.SignedLogRoot) error {
	var r types.LogRootV1
	if err := r.UnmarshalBinary(root.LogRoot); err != nil {
		return status.Errorf(codes.InvalidArgument, "the root cannot be read: %v", err)
	}
	for id, row := range t.fresh {
		index, _ := edge(r.TreeSize, id.level)
		if id.index >= index || t.full[id] != nil {
			continue
		}
		if err := t.batch.Set(storedTileKey(t.tree.TreeId, id), row.appendRow(make([]byte, 0, tileWidth*hashSize)), nil); err != nil {
			return err
		}
		if t.full == nil {
			t.full = make(map[tileID]*tile)
		}
		t.full[id] = row
	}
	for level := range uint8(tileLevels) {
		old, _ := edge(t.st.size, level)
		index, width := edge(r.TreeSize, level)
		to := t.fresh[tileID{level, index}]
		if to == nil && index == old {
			to = t.st.edge[level]
		}
		if width == 0 {
			to = nil
		}
		t.st.edge[level] = to
	}
	t.st.root = &trillian.SignedLogRoot{LogRoot: append([]byte{}, root.LogRoot...)}
	t.st.size, t.st.time = r.TreeSize, r.TimestampNanos
	return t.batch.Set(treeKey(kindHead, t.tree.TreeId), root.LogRoot, nil)
}
