package embedded

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var (
	// ErrInUse is what Open answers when another process, or another part of
	// this one, has the store.
	ErrInUse = errors.New("the store is in use")
	// ErrNoSpace is what an append is refused with while the file system has
	// less than Options.MinFree. Nothing was written; it may be tried again.
	// Its gRPC code is ResourceExhausted.
	ErrNoSpace = errors.New("the disk is full")
	// ErrBroken is the answer to everything after an I/O error that leaves it
	// open whether the last write is on the disk. Only opening the store again
	// settles that. Its gRPC code is Unavailable.
	ErrBroken = errors.New("the store has stopped after an I/O error")
	// ErrDamaged is what an append is refused with when the stored leaves do
	// not give the stored root. Reads go on. Its gRPC code is DataLoss.
	ErrDamaged = errors.New("the store is damaged")
	// ErrUnreadable is the answer to a read that the disk, or a checksum of the
	// store's files, refused. Its gRPC code is DataLoss.
	ErrUnreadable = errors.New("the store cannot be read")
	// ErrClosed is the answer after Close. Its gRPC code is Unavailable.
	ErrClosed = errors.New("the store is closed")
	// ErrFormat is what Open answers for a folder that holds something else,
	// or was written by a version of this package that it does not know.
	ErrFormat = errors.New("the folder's format is not known")
)

// refusal is one of the errors above with its reason. It is a gRPC status too,
// since that is what callers of a TrillianLogClient look at.
type refusal struct {
	what   error
	code   codes.Code
	detail string
	cause  error
}

func refuse(what error, code codes.Code, cause error, format string, args ...any) *refusal {
	return &refusal{what, code, fmt.Sprintf(format, args...), cause}
}

func (r *refusal) Error() string {
	s := r.what.Error() + ": " + r.detail
	if r.cause != nil {
		s += " (" + r.cause.Error() + ")"
	}
	return s
}

func (r *refusal) Unwrap() []error {
	if r.cause == nil {
		return []error{r.what}
	}
	return []error{r.what, r.cause}
}

// GRPCStatus makes status.Code and status.FromError see the code.
func (r *refusal) GRPCStatus() *status.Status { return status.New(r.code, r.Error()) }

// readError is what a failed read of the database becomes.
func readError(what string, err error) error {
	// Pebble says on further lines what only its own report can show.
	reason, _, _ := strings.Cut(err.Error(), "\n")
	return refuse(ErrUnreadable, codes.DataLoss, nil, "reading %s failed: %s", what, reason)
}
