package remote

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tallyroot/tallyroot/trillianlog/internal/logtree"
)

// failure is an error of a call, for a person. It keeps the code.
type failure struct {
	text  string
	cause error
}

func (f *failure) Error() string { return f.text }
func (f *failure) Unwrap() error { return f.cause }

// GRPCStatus makes status.Code and status.FromError see the code.
func (f *failure) GRPCStatus() *status.Status { return status.New(status.Code(f.cause), f.text) }

// explain says what went wrong between here and the log server, and what to do.
func explain(err error, address string) error {
	if err == nil {
		return nil
	}
	said := status.Convert(err).Message()
	sentence := func(format string, args ...any) error { return &failure{fmt.Sprintf(format, args...), err} }
	switch code := status.Code(err); {
	case badCertificate(said):
		return sentence("the certificate of Trillian's log server at %s is not accepted, see to it or to the certificate authority given: %s", address, said)
	case notTLS(said):
		return sentence("what listens at %s does not speak TLS: %s", address, said)
	case noHTTP2(said):
		return sentence("what listens at %s does not answer like Trillian's log server; if it asks for TLS, say so, and give the port of its gRPC service: %s", address, said)
	case code == codes.NotFound && strings.HasPrefix(said, "tree ") && strings.HasSuffix(said, " not found"):
		return sentence("Trillian's log server at %s has the tree no more, somebody has deleted it: undelete it with Trillian's deletetree --undelete_tree --log_id, soon, or put the newest copy of its database back (%s)", address, said)
	case code == codes.PermissionDenied && strings.Contains(said, "not allowed for tree type"):
		return sentence("Trillian's log server at %s takes nothing for the tree: set it to ACTIVE with Trillian's updatetree --tree_id --tree_state ACTIVE (%s)", address, said)
	case code == codes.Unavailable:
		return sentence("Trillian's log server at %s does not answer; see whether trillian_log_server runs, and the address: %s", address, said)
	case code == codes.DeadlineExceeded:
		return sentence("Trillian's log server at %s took too long to answer", address)
	case code == codes.Unimplemented:
		return sentence("what listens at %s is not Trillian's log server: %s", address, said)
	case code == codes.Unknown && databaseAway(said):
		return sentence("Trillian's log server at %s does not reach its database: %s", address, said)
	case code == codes.Unknown && strings.Contains(said, "doesn't exist"): // MySQL's error 1146
		return sentence("the database of Trillian's log server at %s has not Trillian's tables; `tallyroot schema apply` makes them: %s", address, said)
	}
	return err
}

// gRPC gives all of these the code Unavailable, and the driver's errors come
// through Trillian as texts, so that texts are all there is to go by.

func badCertificate(said string) bool { return strings.Contains(said, "tls: failed to verify") }

func notTLS(said string) bool { return strings.Contains(said, "first record does not look like a TLS") }

func noHTTP2(said string) bool {
	return strings.Contains(said, "error reading server preface") || strings.Contains(said, "unexpected HTTP status code") || strings.Contains(said, "malformed HTTP")
}

func databaseAway(said string) bool {
	for _, sign := range []string{"dial tcp", "invalid connection", "bad connection", "connection refused", "broken pipe", "EOF"} {
		if strings.Contains(said, sign) {
			return true
		}
	}
	return false
}

// final says that waiting for the server will not help.
func final(err error) bool {
	said := status.Convert(err).Message()
	switch status.Code(err) {
	case codes.Unimplemented, codes.InvalidArgument, codes.PermissionDenied, codes.Unauthenticated:
		return true
	}
	return errors.Is(err, logtree.ErrUnfit) || errors.Is(err, ErrNoTree) || badCertificate(said) || notTLS(said)
}
