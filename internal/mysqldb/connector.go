package mysqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
)

// isolation is that for which Trillian's storage is written, and both servers'
// default. The variable of that name differs between them; the statement does not.
const isolation = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"

// connector makes the driver's connections and sees their errors.
type connector struct {
	driver.Connector
	onError func(class string)
}

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	inner, err := c.Connector.Connect(ctx)
	if err != nil {
		c.see(err)
		return nil, err
	}
	mc, ok := inner.(driverConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the driver's %T is not what this program was built for", inner), inner.Close())
	}
	if _, err := mc.ExecContext(ctx, isolation, nil); err != nil {
		c.see(err)
		return nil, errors.Join(err, mc.Close())
	}
	return &conn{driverConn: mc, see: c.see}, nil
}

func (c connector) see(err error) {
	// ErrSkip asks database/sql to go another way: to prepare the statement.
	if err != nil && !errors.Is(err, driver.ErrSkip) {
		c.onError(Class(err))
	}
}

// driverConn is what the driver's connections can do beyond the least.
type driverConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
}

// conn is used by one goroutine at a time.
type conn struct {
	driverConn
	see      func(error)
	readOnly bool // the server takes no writes
}

// note looks at a call's outcome. A server that became read-only was replaced by
// another one: the connection must not go back into the pool.
func (c *conn) note(err error) {
	c.see(err)
	c.readOnly = c.readOnly || isReadOnly(err)
}

func (c *conn) IsValid() bool { return !c.readOnly && c.driverConn.IsValid() }

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	result, err := c.driverConn.ExecContext(ctx, query, args)
	c.note(err)
	return result, err
}

func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := c.driverConn.QueryContext(ctx, query, args)
	c.note(err)
	return rows, err
}

func (c *conn) Ping(ctx context.Context) error {
	err := c.driverConn.Ping(ctx)
	c.note(err)
	return err
}

func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	inner, err := c.driverConn.BeginTx(ctx, opts)
	c.note(err)
	if err != nil {
		return nil, err
	}
	return tx{inner, c}, nil
}

type tx struct {
	driver.Tx
	conn *conn
}

func (t tx) Commit() error {
	err := t.Tx.Commit()
	t.conn.note(err)
	return err
}

func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	inner, err := c.driverConn.PrepareContext(ctx, query)
	c.note(err)
	if err != nil {
		return nil, err
	}
	s, ok := inner.(driverStmt)
	if !ok {
		return inner, nil
	}
	return stmt{s, c}, nil
}

// driverStmt is what the driver's statements can do beyond the least.
type driverStmt interface {
	driver.Stmt
	driver.NamedValueChecker
	driver.StmtExecContext
	driver.StmtQueryContext
}

type stmt struct {
	driverStmt
	conn *conn
}

func (s stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	result, err := s.driverStmt.ExecContext(ctx, args)
	s.conn.note(err)
	return result, err
}

func (s stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := s.driverStmt.QueryContext(ctx, args)
	s.conn.note(err)
	return rows, err
}
