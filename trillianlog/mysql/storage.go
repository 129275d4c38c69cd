package mysql

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"sync/atomic"
	"time"

	"github.com/google/trillian"
	trillianstorage "github.com/google/trillian/storage"
	trillianmysql "github.com/google/trillian/storage/mysql"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tallyroot/tallyroot/internal/mysqldb"
)

// storage is Trillian's storage.LogStorage for MySQL, except that
// AddSequencedLeaves writes many rows with one statement.
type storage struct {
	trillianstorage.LogStorage
	db           *sql.DB
	maxStatement int // bytes

	// doubt is true while a write may be under way whose outcome was lost.
	doubt atomic.Bool
}

func newStorage(db *sql.DB, maxStatement int) *storage {
	return &storage{LogStorage: trillianmysql.NewLogStorage(db, nil), db: db, maxStatement: maxStatement}
}

// AddSequencedLeaves is part of storage.LogStorage. When the database has one of
// the leaves' identities or indices already, the batch goes Trillian's own way,
// leaf by leaf, which gives each a status.
func (s *storage) AddSequencedLeaves(ctx context.Context, tree *trillian.Tree, leaves []*trillian.LogLeaf, at time.Time) ([]*trillian.QueuedLogLeaf, error) {
	for i, l := range leaves {
		if len(l.LeafIdentityHash) != sha256.Size {
			return nil, status.Errorf(codes.FailedPrecondition, "leaves[%d]: the identity has %d bytes, want %d", i, len(l.LeafIdentityHash), sha256.Size)
		}
	}
	err := s.insert(ctx, tree.TreeId, leaves, at)
	if mysqldb.Duplicate(err) {
		var dropped bool
		dropped, err = s.dropUnsequenced(ctx, tree.TreeId, leaves)
		if err == nil && dropped {
			err = s.insert(ctx, tree.TreeId, leaves, at)
		}
		if err == nil && !dropped || mysqldb.Duplicate(err) {
			var results []*trillian.QueuedLogLeaf
			if results, err = s.LogStorage.AddSequencedLeaves(ctx, tree, leaves, at); err == nil {
				return results, nil
			}
		}
	}
	if err != nil {
		s.doubt.Store(true)
		return nil, err
	}
	ok := status.New(codes.OK, "OK").Proto()
	results := make([]*trillian.QueuedLogLeaf, len(leaves))
	for i := range leaves {
		results[i] = &trillian.QueuedLogLeaf{Status: ok}
	}
	return results, nil
}
