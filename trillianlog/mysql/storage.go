package mysql

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/trillian"
	trillianstorage "github.com/google/trillian/storage"
	trillianmysql "github.com/google/trillian/storage/mysql"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tallyroot/tallyroot/internal/mysqldb"
	"github.com/tallyroot/tallyroot/trillianlog"
)

// storage is Trillian's storage.LogStorage for MySQL, except that
// AddSequencedLeaves writes many rows with one statement.
type storage struct {
	trillianstorage.LogStorage
	db           *sql.DB
	maxStatement int // bytes

	turn   chan struct{} // holds a token while this process writes
	writer writer        // of who has the turn

	// doubt is true while a write may be under way whose outcome was lost.
	doubt atomic.Bool
}

func newStorage(db *sql.DB, maxStatement int) *storage {
	return &storage{
		LogStorage: trillianmysql.NewLogStorage(db, nil), db: db, maxStatement: maxStatement,
		turn: make(chan struct{}, 1), writer: writer{db: db},
	}
}

// take waits for the turn to write. done gives it up.
func (s *storage) take(ctx context.Context) (done func(), err error) {
	select {
	case s.turn <- struct{}{}:
		return func() { <-s.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// AddSequencedLeaves is part of storage.LogStorage.
func (s *storage) AddSequencedLeaves(ctx context.Context, tree *trillian.Tree, leaves []*trillian.LogLeaf, at time.Time) ([]*trillian.QueuedLogLeaf, error) {
	results, _, err := s.add(ctx, tree, leaves, at, func(*session) error { return nil })
	return results, err
}

// onlyNew is the key of contexts under which a write is refused where an identity or
// an index is taken.
type onlyNew struct{}

// add writes the leaves, and does what then does in the same transaction. When
// the database has one of their identities or indices already, the batch goes
// Trillian's own way, leaf by leaf, which gives each a status; then is not called
// for what that stores, and together is false. Under onlyNew the error is
// trillianlog.ErrTaken instead.
func (s *storage) add(ctx context.Context, tree *trillian.Tree, leaves []*trillian.LogLeaf, at time.Time, then func(*session) error) (results []*trillian.QueuedLogLeaf, together bool, err error) {
	for i, l := range leaves {
		if len(l.LeafIdentityHash) != sha256.Size {
			return nil, false, status.Errorf(codes.FailedPrecondition, "leaves[%d]: the identity has %d bytes, want %d", i, len(l.LeafIdentityHash), sha256.Size)
		}
	}
	done, err := s.take(ctx)
	if err != nil {
		return nil, false, err
	}
	defer done()
	defer func() {
		if err != nil && !errors.Is(err, trillianlog.ErrTaken) {
			s.doubt.Store(true)
		}
	}()
	write := func() error {
		return s.writer.transaction(ctx, func(session *session) error {
			if err := s.insert(ctx, session, tree.TreeId, leaves, at); err != nil {
				return err
			}
			return then(session)
		})
	}
	if err = write(); errors.Is(err, errMoved) {
		err = write()
	}
	if mysqldb.Duplicate(err) && ctx.Value(onlyNew{}) != nil {
		return nil, false, fmt.Errorf("%w: %w", trillianlog.ErrTaken, err)
	}
	if mysqldb.Duplicate(err) {
		var dropped bool
		if dropped, err = s.dropUnsequenced(ctx, tree.TreeId, leaves); err != nil {
			return nil, false, err
		}
		if dropped {
			err = write()
		}
		if !dropped || mysqldb.Duplicate(err) {
			results, err = s.LogStorage.AddSequencedLeaves(ctx, tree, leaves, at)
			return results, false, err
		}
	}
	if err != nil {
		return nil, false, err
	}
	ok := status.New(codes.OK, "OK").Proto()
	results = make([]*trillian.QueuedLogLeaf, len(leaves))
	for i := range leaves {
		results[i] = &trillian.QueuedLogLeaf{Status: ok}
	}
	return results, true, nil
}
