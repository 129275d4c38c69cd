package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/tallyroot/tallyroot/provenance"
)

var errNoToken = fmt.Errorf("%w: send a token in the header Authorization: Bearer TOKEN", provenance.ErrUnauthenticated)

// caller is who the request's bearer token speaks for; the public without one.
// A token is counted against its rate before it is looked up, so guessing is
// bounded too. The token itself never leaves this function.
func (s *Server) caller(ctx context.Context) (provenance.Caller, error) {
	token, err := bearer(metadata.ValueFromIncomingContext(ctx, "authorization"))
	if err != nil || token == "" {
		return provenance.Caller{}, err
	}
	sum := sha256.Sum256([]byte(token))
	if wait := s.tokenLimit.wait(binary.BigEndian.Uint64(sum[:])); wait > 0 {
		return provenance.Caller{}, problem(codes.ResourceExhausted, "too many requests with this token; wait and send it again", info(reasonRate), retryIn(wait)).Err()
	}
	caller, err := s.service.Authenticate(token)
	if err != nil {
		return provenance.Caller{}, err
	}
	if x := exchangeOf(ctx); x != nil {
		if caller.Admin {
			x.by("(operator)")
		} else {
			x.by(caller.Participant)
		}
	}
	return caller, nil
}

// bearer reads the Authorization headers; "" when there is none.
func bearer(header []string) (token string, err error) {
	if len(header) == 0 {
		return "", nil
	}
	scheme, token, ok := strings.Cut(header[0], " ")
	if len(header) > 1 || !ok || !strings.EqualFold(scheme, "bearer") || token == "" {
		return "", fmt.Errorf("%w: the Authorization header cannot be read; it is written Authorization: Bearer TOKEN", provenance.ErrUnauthenticated)
	}
	return token, nil
}

// admin lets only the operator's token pass.
func (s *Server) admin(ctx context.Context) (provenance.Caller, error) {
	caller, err := s.caller(ctx)
	switch {
	case err != nil:
		return caller, err
	case caller.Admin:
		return caller, nil
	case caller.Participant == "":
		return caller, errNoToken
	}
	return caller, fmt.Errorf("%w: this needs the operator's token (admin.token in the service's data directory), and this is a participant's", provenance.ErrForbidden)
}
