package gateway

import (
	"context"
	"net/http"
	"strings"

	"google.golang.org/grpc"

	v1 "github.com/tallyroot/tallyroot/proto/tallyroot/v1"
	"github.com/tallyroot/tallyroot/provenance"
)

// A mirror has what can be read, knows no tokens, and takes nothing. Whoever asks for
// more is told so, whether or not he sends a token or what could be logged.

// asksForMore tells whether a REST request is one that a mirror has no answer to.
func asksForMore(r *http.Request) bool {
	return r.Method == http.MethodPost || strings.HasPrefix(r.URL.Path, "/v1/participants")
}

// readingAlone answers RPCs that a mirror has no answer to.
func readingAlone(ctx context.Context, req any, call *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	service, name, _ := strings.Cut(strings.TrimPrefix(call.FullMethod, "/"), "/")
	if service == v1.ParticipantService_ServiceDesc.ServiceName ||
		service == v1.EventService_ServiceDesc.ServiceName && name != "GetEvent" && name != "ListEvents" {
		return nil, statusOf(provenance.ErrMirror).Err()
	}
	return next(ctx, req)
}
