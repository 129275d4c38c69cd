package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/trillian"
	trillianstorage "github.com/google/trillian/storage"
	"github.com/google/trillian/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/tallyroot/tallyroot/trillianlog"
)

const (
	// lookUpIdentities is how many identities are asked for at once. Beyond 200
	// the servers no longer look into the index to plan the query, but guess
	// (eq_range_index_dive_limit).
	lookUpIdentities = 192
	// maxHoles is how many indices may be empty below the last leaf. There are
	// some after a write that went wrong; so many are a database that lost rows.
	maxHoles = 1 << 16
)

// find gives the places of the leaves that have one of the identities.
func (s *storage) find(ctx context.Context, tree int64, identities [][32]byte, found map[[32]byte]trillianlog.Stored) error {
	args := make([]any, 1, len(identities)+1)
	args[0] = tree
	for i := range identities {
		args = append(args, identities[i][:])
	}
	rows, err := s.db.QueryContext(ctx, "SELECT LeafIdentityHash,SequenceNumber,MerkleLeafHash FROM SequencedLeafData"+
		" WHERE TreeId=? AND LeafIdentityHash IN ("+list("?", len(identities))+")", args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var identity, hash sql.RawBytes
	for rows.Next() {
		var at trillianlog.Stored
		if err := rows.Scan(&identity, &at.Index, &hash); err != nil {
			return err
		}
		if len(identity) != len([32]byte{}) || len(hash) != len(at.LeafHash) {
			return fmt.Errorf("leaf %d has an identity of %d bytes and a leaf hash of %d", at.Index, len(identity), len(hash))
		}
		copy(at.LeafHash[:], hash)
		found[[32]byte(identity)] = at
	}
	return rows.Err()
}

// next is the index after the last stored leaf, and the indices from the tree's
// size on that have none: every leaf below was there when it was integrated.
func (s *storage) next(ctx context.Context, tree int64) (next uint64, holes []uint64, err error) {
	head, err := s.head(ctx, tree)
	if err != nil {
		return 0, nil, err
	}
	// Only what is not integrated yet, and it comes one row at a time.
	rows, err := s.db.QueryContext(ctx, "SELECT SequenceNumber FROM SequencedLeafData WHERE TreeId=? AND SequenceNumber>=? ORDER BY SequenceNumber", tree, head.TreeSize)
	if err != nil {
		return 0, nil, err
	}
	defer rows.Close()
	for next = head.TreeSize; rows.Next(); next++ {
		var at uint64
		if err := rows.Scan(&at); err != nil {
			return 0, nil, err
		}
		if uint64(len(holes))+at-next > maxHoles {
			return 0, nil, fmt.Errorf("the database has a leaf at index %d, and of the %d from %d on it has lost more than %d: restore it from a backup", at, at-head.TreeSize, head.TreeSize, maxHoles)
		}
		for ; next < at; next++ {
			holes = append(holes, next)
		}
	}
	return next, holes, rows.Err()
}

// settle waits for a write whose outcome was lost, of this process or of one that
// was killed: the server may still commit what nobody waits for. Its rows are
// locked until then.
func (s *storage) settle(ctx context.Context, tree int64) (err error) {
	if !s.doubt.Swap(false) {
		return nil
	}
	defer func() {
		if err != nil {
			s.doubt.Store(true)
		}
	}()
	head, err := s.head(ctx, tree)
	if err != nil {
		return err
	}
	_, err = column[uint64](ctx, s.db, "SELECT COUNT(*) FROM SequencedLeafData WHERE TreeId=? AND SequenceNumber>=? LOCK IN SHARE MODE", tree, head.TreeSize)
	return err
}

// leaves reads adjoining leaves of the tree. If one is missing it gives those
// before it, and an error if that is none.
func (s *storage) leaves(ctx context.Context, tree int64, from, count uint64) ([]*trillian.LogLeaf, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT s.SequenceNumber,s.MerkleLeafHash,s.LeafIdentityHash,l.LeafValue,l.ExtraData,l.QueueTimestampNanos,s.IntegrateTimestampNanos"+
		" FROM SequencedLeafData s JOIN LeafData l ON l.TreeId=s.TreeId AND l.LeafIdentityHash=s.LeafIdentityHash"+
		" WHERE s.TreeId=? AND s.SequenceNumber>=? AND s.SequenceNumber<? ORDER BY s.SequenceNumber", tree, from, from+count)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := make([]*trillian.LogLeaf, 0, count)
	for bytes := 0; bytes < maxRangeBytes && rows.Next(); {
		var l trillian.LogLeaf
		var queued, integrated int64
		if err := rows.Scan(&l.LeafIndex, &l.MerkleLeafHash, &l.LeafIdentityHash, &l.LeafValue, &l.ExtraData, &queued, &integrated); err != nil {
			return nil, err
		}
		if uint64(l.LeafIndex) != from+uint64(len(all)) {
			break
		}
		l.QueueTimestamp, l.IntegrateTimestamp = timestamppb.New(time.Unix(0, queued)), timestamppb.New(time.Unix(0, integrated))
		all, bytes = append(all, &l), bytes+len(l.LeafValue)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, status.Errorf(codes.DataLoss, "the database has no leaf %d, which is in the tree: restore it from a backup", from)
	}
	return all, nil
}

// treeHead is the newest root that Trillian has stored.
type treeHead struct {
	types.LogRootV1
	revision int64
}

func (h treeHead) signed() (*trillian.SignedLogRoot, error) {
	root, err := h.MarshalBinary()
	return &trillian.SignedLogRoot{LogRoot: root}, err
}

// head reads it. Without one the error is Trillian's ErrTreeNeedsInit.
func (s *storage) head(ctx context.Context, tree int64) (treeHead, error) {
	return readHead(ctx, s.db, tree)
}

func readHead(ctx context.Context, from *sql.DB, tree int64) (h treeHead, err error) {
	err = from.QueryRowContext(ctx, "SELECT TreeHeadTimestamp,TreeSize,RootHash,TreeRevision FROM TreeHead WHERE TreeId=? ORDER BY TreeHeadTimestamp DESC LIMIT 1", tree).
		Scan(&h.TimestampNanos, &h.TreeSize, &h.RootHash, &h.revision)
	if errors.Is(err, sql.ErrNoRows) {
		return h, trillianstorage.ErrTreeNeedsInit
	}
	return h, err
}
