package mysql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	trillianstorage "github.com/google/trillian/storage"
	trillianmysql "github.com/google/trillian/storage/mysql"
)

// sessionLife is how long a session is used, so that one to a server that was
// moved away from does not stay.
const sessionLife = time.Minute

// session is a connection with Trillian's storage on it. What Trillian does there
// in transactions of its own becomes part of the session's transaction: leaves
// and the tree that holds them are committed together, or not at all.
type session struct {
	conn    *sql.Conn
	raw     connection
	born    time.Time
	db      *sql.DB // gives parts of the connection
	storage trillianstorage.LogStorage
	// prepared are the statements that come with every write, by their text.
	prepared map[string]*sql.Stmt
}

// connection is what the driver's connections can do.
type connection interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.NamedValueChecker
}

func newSession(ctx context.Context, db *sql.DB) (*session, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	s := &session{conn: conn, born: time.Now(), prepared: make(map[string]*sql.Stmt)}
	err = conn.Raw(func(raw any) error {
		var ok bool
		if s.raw, ok = raw.(connection); !ok {
			return fmt.Errorf("the driver's %T is not what this program was built for", raw)
		}
		// The next statement always begins a transaction, without being told.
		return s.exec(ctx, "SET autocommit=0")
	})
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	s.db = sql.OpenDB(s)
	s.storage = trillianmysql.NewLogStorage(s.db, nil)
	return s, nil
}

func (s *session) exec(ctx context.Context, statement string) error {
	_, err := s.raw.ExecContext(ctx, statement, nil)
	return err
}

// run executes a statement that comes again. The server reads it once, and its
// values without looking for their ends.
func (s *session) run(ctx context.Context, statement string, args ...any) (sql.Result, error) {
	prepared := s.prepared[statement]
	if prepared == nil {
		var err error
		if prepared, err = s.db.PrepareContext(ctx, statement); err != nil {
			return nil, err
		}
		s.prepared[statement] = prepared
	}
	return prepared.ExecContext(ctx, args...)
}

// close ends the connection. What was not committed is then undone.
func (s *session) close() {
	_ = s.db.Close()
	_ = s.conn.Raw(func(any) error { return driver.ErrBadConn }) // not for the pool
	_ = s.conn.Close()
}

// Connect is part of driver.Connector.
func (s *session) Connect(context.Context) (driver.Conn, error) { return part{s.raw}, nil }

// Driver is part of driver.Connector. Nobody asks for it.
func (s *session) Driver() driver.Driver { return nil }

// part is the session's connection for one who may not end its transaction. The
// parts of one connection take turns.
type part struct{ connection }

func (part) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) { return within{}, nil }

func (part) Close() error { return nil }

// within is a transaction in the session's.
type within struct{}

func (within) Commit() error { return nil }

func (within) Rollback() error { return nil }

// writer has the session on which leaves are written. One at a time uses it.
type writer struct {
	db      *sql.DB
	session *session // nil: none yet, or the last one is over
}

// transaction runs f in a transaction of the session. After an error of f nothing
// is committed; an error of the commit itself leaves that open.
func (w *writer) transaction(ctx context.Context, f func(*session) error) error {
	if w.session != nil && time.Since(w.session.born) > sessionLife {
		w.end()
	}
	for {
		fresh := w.session == nil
		if fresh {
			var err error
			if w.session, err = newSession(ctx, w.db); err != nil {
				return err
			}
		}
		err := f(w.session)
		if err == nil {
			if err = w.session.exec(ctx, "COMMIT"); err != nil {
				w.end()
			}
			return err
		}
		// Any of the server's errors may have ended the transaction there, so after
		// the first one nothing more is sent on this connection but the rollback.
		// That also shows whether the connection has ended, of which Trillian's
		// errors keep no more than the text.
		undone := w.session.exec(ctx, "ROLLBACK")
		if undone == nil {
			return err
		}
		w.end()
		if fresh || ctx.Err() != nil {
			return fmt.Errorf("%w (and to roll back: %w)", err, undone)
		}
		// One that was idle may have ended long ago, and another one is as good.
	}
}

func (w *writer) end() {
	if w.session != nil {
		w.session.close()
		w.session = nil
	}
}
