package mysql

import (
	"context"
	"database/sql"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tallyroot/tallyroot/internal/mysqldb"
	"github.com/tallyroot/tallyroot/trillianlog/internal/logtree"
)

var (
	// ErrClosed is the answer after Close. Its gRPC code is Unavailable.
	ErrClosed = errors.New("the back end is closed")
	// ErrClock is in the error of Open where this machine's clock is too far
	// behind the log's newest tree head.
	ErrClock = errors.New("this machine's clock is behind")
	// ErrUnfit is in the error of Open where the tree cannot hold the log.
	ErrUnfit = logtree.ErrUnfit
	// ErrNoTree is in the error of Open where Options.Existing is set and the log has
	// no tree.
	ErrNoTree = logtree.ErrNoTree
)

// refusal is an error of the database, in a sentence, with a gRPC code: that is
// what callers of a TrillianLogClient look at.
type refusal struct {
	code codes.Code
	err  error
}

func (r *refusal) Error() string { return r.err.Error() }

func (r *refusal) Unwrap() error { return r.err }

// GRPCStatus makes status.Code and status.FromError see the code.
func (r *refusal) GRPCStatus() *status.Status { return status.New(r.code, r.err.Error()) }

// explain gives an error its code and its sentence. One of Trillian's that has a
// code stays as it is.
func explain(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	code := codes.Internal
	switch {
	case errors.Is(err, context.Canceled):
		code = codes.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		code = codes.DeadlineExceeded
	case errors.Is(err, ErrClosed), errors.Is(err, sql.ErrTxDone), mysqldb.Unavailable(err):
		// A transaction is done before its time when its connection ends.
		code = codes.Unavailable
	case errors.Is(err, errMoved), mysqldb.Conflict(err):
		code = codes.Aborted
	}
	return &refusal{code, mysqldb.Explain(err)}
}
