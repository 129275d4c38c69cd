package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/pressly/goose/v3/database"
)

// lockWait is how long one Apply waits for another.
const lockWait = 10 * time.Minute

// The lock is the server's, for this database. It ends with its connection, and
// its name has at most 64 characters.
const (
	lockName = "CONCAT('tallyroot_schema.', LEFT(SHA2(DATABASE(), 256), 32))"
	// getLock waits a second: longer, and the connection's own limit ends it.
	getLock = "SELECT COALESCE(GET_LOCK(" + lockName + ", 1), 0)"
	release = "SELECT COALESCE(RELEASE_LOCK(" + lockName + "), 0)"
)

// locker is goose's lock.SessionLocker: one Apply at a time.
type locker struct{ report func(string) }

// SessionLock takes the lock, and makes the table of versions whole, which goose
// itself leaves half-made when it is cut off.
func (l locker) SessionLock(ctx context.Context, conn *sql.Conn) error {
	end := time.Now().Add(lockWait)
	for waited := false; ; waited = true {
		var got bool
		if err := conn.QueryRowContext(ctx, getLock).Scan(&got); err != nil {
			return fmt.Errorf("take the schema's lock: %w", err)
		}
		if got {
			break
		}
		if time.Now().After(end) {
			return fmt.Errorf("another process has been changing the schema for %v: see what it does, or end it, and try again", lockWait)
		}
		if !waited {
			l.report("wait for another process that is changing the schema")
		}
	}
	if err := l.prepare(ctx, conn); err != nil {
		return errors.Join(err, l.SessionUnlock(context.WithoutCancel(ctx), conn))
	}
	return nil
}

func (l locker) prepare(ctx context.Context, conn *sql.Conn) error {
	have, err := look(ctx, conn)
	if err != nil {
		return err
	}
	// Trillian's statements name no engine, and a server's default may be one
	// without transactions.
	if _, err := conn.ExecContext(ctx, "SET SESSION default_storage_engine = "+engine); err != nil {
		return err
	}
	store, err := database.NewStore(database.DialectMySQL, versionTable)
	if err != nil {
		return err
	}
	if !have.has(versionStep) {
		if err := store.CreateVersionTable(ctx, conn); err != nil {
			return err
		}
		l.report(versionStep.words())
	}
	// goose wants the zeroth version in its table.
	if _, err := store.GetMigration(ctx, conn, 0); errors.Is(err, database.ErrVersionNotFound) {
		return store.Insert(ctx, conn, database.InsertRequest{})
	} else if err != nil {
		return err
	}
	return nil
}

func (l locker) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	var had bool
	return conn.QueryRowContext(ctx, release).Scan(&had)
}
