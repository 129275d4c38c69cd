package embedded

import (
	"context"
	"encoding/binary"
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
	"google.golang.org/protobuf/types/known/timestamppb"
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

// claim is who has the identities that begin alike: the leaves in the
// database, and those of this transaction.
type claim struct {
	stored []uint64
	staged []uint64
	first  [1]uint64 // staged's room for the usual case
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

// add stages leaves. One that cannot be stored has a status that says so, and
// does not keep the others from being stored. computed says that the leaf
// hashes are known to be RFC 6962's of the values.
func (t *writeTX) add(leaves []*trillian.LogLeaf, at time.Time, computed bool) ([]*trillian.QueuedLogLeaf, error) {
	if err := t.st.refuseDamage(t.s.disk.dir); err != nil {
		return nil, err
	}
	if len(leaves) > maxBatchLeaves {
		return nil, status.Errorf(codes.InvalidArgument, "%d leaves at once, at most %d are taken", len(leaves), maxBatchLeaves)
	}
	lookup, err := t.s.identities(t.tree.TreeId)
	if err != nil {
		return nil, readError("identities", err)
	}
	defer lookup.close()
	if t.staged == nil {
		t.staged = make(map[uint64]*trillian.LogLeaf, len(leaves))
		t.claims = make(map[[identityPrefix]byte]*claim, len(leaves))
	}
	var (
		res     = make([]*trillian.QueuedLogLeaf, len(leaves))
		results = make([]trillian.QueuedLogLeaf, len(leaves))
		claims  = make([]claim, len(leaves))
		ok      = status.New(codes.OK, "OK").Proto()
		queued  = timestamppb.New(at)
		never   = new(timestamppb.Timestamp)
	)
	for i, leaf := range leaves {
		res[i] = &results[i]
		if len(leaf.LeafIdentityHash) != hashSize || len(leaf.MerkleLeafHash) != hashSize {
			return nil, status.Errorf(codes.FailedPrecondition, "leaves[%d]: identity and leaf hash have %d and %d bytes, want %d",
				i, len(leaf.LeafIdentityHash), len(leaf.MerkleLeafHash), hashSize)
		}
		existing, c, err := t.claim(lookup, leaf, &claims[i])
		if err != nil {
			return nil, err
		}
		if existing == nil {
			if existing, err = t.leaf(uint64(leaf.LeafIndex)); err != nil {
				return nil, err
			}
		}
		if st := judge(leaf, existing, t.st.next); st != nil {
			res[i].Leaf, res[i].Status = existing, st.Proto()
			continue
		}
		res[i].Status = ok
		leaf.QueueTimestamp, leaf.IntegrateTimestamp = queued, never
		if err := t.stage(leaf, c, newLeafRecord(leaf, at, computed)); err != nil {
			return nil, err
		}
	}
	return res, t.writeClaims()
}

// judge says why leaf is not stored; nil if it is to be.
func judge(leaf, existing *trillian.LogLeaf, next uint64) *status.Status {
	switch {
	case existing == nil && leaf.LeafIndex >= 0 && uint64(leaf.LeafIndex)-min(next, uint64(leaf.LeafIndex)) <= maxGap:
		return nil
	case existing == nil:
		return status.Newf(codes.OutOfRange, "index %d is more than %d beyond the last leaf", leaf.LeafIndex, maxGap)
	case string(existing.LeafIdentityHash) != string(leaf.LeafIdentityHash):
		return status.Newf(codes.FailedPrecondition, "conflicting LeafIndex: another leaf is at index %d", leaf.LeafIndex)
	case existing.LeafIndex != leaf.LeafIndex:
		return status.Newf(codes.FailedPrecondition, "conflicting LeafIdentityHash: the leaf at index %d has it", existing.LeafIndex)
	case string(existing.MerkleLeafHash) != string(leaf.MerkleLeafHash):
		return status.Newf(codes.FailedPrecondition, "conflicting leaf: index %d has this identity with another value", leaf.LeafIndex)
	}
	return status.New(codes.AlreadyExists, "the leaf is stored at this index")
}

// claim gives the leaf that has the identity, if there is one, and the claim
// to which leaf is to be added. room is for a new claim.
func (t *writeTX) claim(lookup *identities, leaf *trillian.LogLeaf, room *claim) (*trillian.LogLeaf, *claim, error) {
	prefix := [identityPrefix]byte(leaf.LeafIdentityHash)
	c := t.claims[prefix]
	if c == nil {
		var err error
		c = room
		if c.stored, err = lookup.candidates(leaf.LeafIdentityHash); err != nil {
			return nil, nil, readError("identities", err)
		}
		c.staged = c.first[:0]
		t.claims[prefix] = c
	}
	for _, index := range c.staged {
		if other := t.staged[index]; string(other.LeafIdentityHash) == string(leaf.LeafIdentityHash) {
			return other, c, nil
		}
	}
	existing, err := t.s.withIdentity(t.tree.TreeId, leaf.LeafIdentityHash, c.stored)
	return existing, c, err
}

// stage writes a leaf to the batch, without its identity.
func (t *writeTX) stage(leaf *trillian.LogLeaf, c *claim, r leafRecord) error {
	index := uint64(leaf.LeafIndex)
	op := t.batch.SetDeferred(leafKeySize, r.size())
	putLeafKey(op.Key, t.tree.TreeId, index)
	r.put(op.Value)
	if err := op.Finish(); err != nil {
		return err
	}
	t.staged[index] = leaf
	c.staged = append(c.staged, index)
	t.st.next = max(t.st.next, index+1)
	return nil
}

// writeClaims writes the identities of the staged leaves.
func (t *writeTX) writeClaims() error {
	var value []byte
	for prefix, c := range t.claims {
		if len(c.staged) == 0 {
			continue
		}
		value = value[:0]
		for _, index := range c.stored {
			value = binary.AppendUvarint(value, index)
		}
		for _, index := range c.staged {
			value = binary.AppendUvarint(value, index)
		}
		op := t.batch.SetDeferred(identityKeySize, len(value))
		putIdentityKey(op.Key, t.tree.TreeId, prefix[:])
		copy(op.Value, value)
		if err := op.Finish(); err != nil {
			return err
		}
	}
	return nil
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
