package embedded

import (
	"encoding/binary"
	"time"

	"github.com/google/trillian"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// claim is who has the identities that begin alike: the leaves in the
// database, and those of this transaction.
type claim struct {
	stored []uint64
	staged []uint64
	first  [1]uint64 // staged's room for the usual case
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
