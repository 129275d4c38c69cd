package mysql

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/trillian"
)

const (
	// insertRows is how many rows one INSERT has at most. More of them make it
	// no faster.
	insertRows = 250
	// preparedRows is up to how many rows each number of them has a statement that
	// stays prepared: what comes in one write from many clients with one entry each.
	preparedRows = 64
	// rowBytes is what a row takes in a statement beside its values.
	rowBytes = 128
)

const (
	insertLeafData  = "INSERT INTO LeafData(TreeId,LeafIdentityHash,LeafValue,ExtraData,QueueTimestampNanos) VALUES"
	insertSequenced = "INSERT INTO SequencedLeafData(TreeId,LeafIdentityHash,MerkleLeafHash,SequenceNumber,IntegrateTimestampNanos) VALUES"
)

// insert writes the leaves with as few statements as possible. A leaf that is
// there in part or whole makes it an error that is mysqldb.Duplicate.
func (s *storage) insert(ctx context.Context, to *session, tree int64, leaves []*trillian.LogLeaf, at time.Time) error {
	// Rows are locked in one order, whoever writes them, so that two cannot wait
	// for each other.
	sorted := slices.SortedFunc(slices.Values(leaves), func(a, b *trillian.LogLeaf) int {
		return bytes.Compare(a.LeafIdentityHash, b.LeafIdentityHash)
	})
	nanos := at.UnixNano()
	data := inserter{to: to, into: insertLeafData, maxBytes: s.maxStatement}
	for _, l := range sorted {
		if err := data.add(ctx, tree, l.LeafIdentityHash, l.LeafValue, l.ExtraData, nanos); err != nil {
			return err
		}
	}
	if err := data.flush(ctx); err != nil {
		return err
	}
	sequenced := inserter{to: to, into: insertSequenced, maxBytes: s.maxStatement}
	for _, l := range leaves {
		if err := sequenced.add(ctx, tree, l.LeafIdentityHash, l.MerkleLeafHash, l.LeafIndex, 0); err != nil {
			return err
		}
	}
	return sequenced.flush(ctx)
}

// inserter gathers rows of five values and writes them together.
type inserter struct {
	to       *session
	into     string
	maxBytes int // of one statement

	rows  int
	bytes int
	args  []any
}

func (i *inserter) add(ctx context.Context, values ...any) error {
	size := rowBytes
	for _, v := range values {
		if b, ok := v.([]byte); ok {
			size += 2 * len(b) // every byte may need to be escaped
		}
	}
	if i.rows == insertRows || i.rows > 0 && i.bytes+size > i.maxBytes {
		if err := i.flush(ctx); err != nil {
			return err
		}
	}
	i.rows, i.bytes, i.args = i.rows+1, i.bytes+size, append(i.args, values...)
	return nil
}

func (i *inserter) flush(ctx context.Context) error {
	if i.rows == 0 {
		return nil
	}
	execute := i.to.db.ExecContext
	if i.rows <= preparedRows || i.rows == insertRows {
		execute = i.to.run
	}
	_, err := execute(ctx, i.into+list("(?,?,?,?,?)", i.rows), i.args...)
	i.rows, i.bytes, i.args = 0, 0, i.args[:0]
	return err
}

// list is one text n times, with commas between.
func list(one string, n int) string { return one + strings.Repeat(","+one, n-1) }

// dropUnsequenced deletes what is stored of the leaves' identities without an
// index. Such a row is half of a leaf: of a table that was restored in part, say.
// Nobody was ever told that it is logged, and while it is there the identity
// could never be.
func (s *storage) dropUnsequenced(ctx context.Context, tree int64, leaves []*trillian.LogLeaf) (dropped bool, err error) {
	for chunk := range slices.Chunk(leaves, lookUpIdentities) {
		n, err := s.dropChunk(ctx, tree, chunk)
		if err != nil {
			return dropped, fmt.Errorf("replace rows without an index: %w", err)
		}
		dropped = dropped || n > 0
	}
	return dropped, nil
}

func (s *storage) dropChunk(ctx context.Context, tree int64, leaves []*trillian.LogLeaf) (int, error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback() }()
	args := []any{tree}
	for _, l := range leaves {
		args = append(args, l.LeafIdentityHash)
	}
	among := " WHERE TreeId=? AND LeafIdentityHash IN (" + list("?", len(leaves)) + ")"
	// Locked first: nobody can give one of them an index before this ends. And
	// both are read as they are now, not as they were when the transaction began.
	stored, err := column[[]byte](ctx, tx, "SELECT LeafIdentityHash FROM LeafData"+among+" FOR UPDATE", args...)
	if err != nil {
		return 0, err
	}
	sequenced, err := column[[]byte](ctx, tx, "SELECT LeafIdentityHash FROM SequencedLeafData"+among+" LOCK IN SHARE MODE", args...)
	if err != nil {
		return 0, err
	}
	has := make(map[string]bool, len(sequenced))
	for _, identity := range sequenced {
		has[string(identity)] = true
	}
	args = args[:1]
	for _, identity := range stored {
		if !has[string(identity)] {
			args = append(args, identity)
		}
	}
	n := len(args) - 1
	if n == 0 {
		return 0, nil
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM LeafData WHERE TreeId=? AND LeafIdentityHash IN ("+list("?", n)+")", args...); err != nil {
		return 0, err
	}
	return n, tx.Commit()
}

// querier is a database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// column reads the one column that a query gives.
func column[T any](ctx context.Context, from querier, query string, args ...any) ([]T, error) {
	rows, err := from.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		var one T
		if err := rows.Scan(&one); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}
