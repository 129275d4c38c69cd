package gateway

import (
	"errors"
	"io"
	"net/http"
)

// grpcBody bounds the messages of one gRPC request while they come in. gRPC reads
// a message whole, on a goroutine of its own, before any method can look at it;
// so what is large is counted here, with the bodies of REST, and nothing large is
// read from whoever has no good token.
type grpcBody struct {
	io.ReadCloser
	server *Server
	header http.Header
	read   int64
	held   int64 // of read, what is counted
}

var errLargeUnknown = errors.New("a message of more than 64 KiB needs a good token: send it in the metadata authorization: Bearer TOKEN")

func (b *grpcBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	if b.read <= smallBody {
		return n, err
	}
	if b.held == 0 {
		token, bad := bearer(b.header["Authorization"])
		if bad == nil {
			_, bad = b.server.service.Authenticate(token)
		}
		if bad != nil || token == "" {
			return 0, errLargeUnknown
		}
	}
	if !b.server.bodies.grow(&b.held, b.read) {
		return 0, busy().Err()
	}
	return n, err
}

// give ends the counting, when the answer is sent.
func (b *grpcBody) give() { b.server.bodies.held.Add(-b.held) }
