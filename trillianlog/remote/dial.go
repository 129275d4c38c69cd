package remote

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// How the connection to the log server is kept.
const (
	// CallTimeout bounds each call that the caller did not bound.
	CallTimeout = 30 * time.Second
	// connectTimeout bounds one attempt to connect. Calls wait for an attempt
	// that is under way, and fail at once between two.
	connectTimeout = 5 * time.Second
	// firstReconnect is the pause after the first attempt that failed; it grows
	// up to lastReconnect.
	firstReconnect = 100 * time.Millisecond
	lastReconnect  = 500 * time.Millisecond
	// keepaliveTime is longer than the five minutes below which a gRPC server
	// that says nothing else takes pings for an attack.
	keepaliveTime = 6 * time.Minute
	// keepaliveTimeout is how long sent bytes may stay unconfirmed (Linux's
	// TCP_USER_TIMEOUT) before a connection counts as lost.
	keepaliveTimeout = 20 * time.Second
	// maxAnswer bounds one answer: all leaves that are stored and not integrated,
	// and their frames.
	maxAnswer = maxPendingBytes + 16<<20
)

func dial(address string, config *tls.Config) (*grpc.ClientConn, error) {
	host, port, err := net.SplitHostPort(address)
	if err == nil && (host == "" || port == "") {
		err = errors.New("one of the two is missing")
	}
	if err != nil {
		return nil, fmt.Errorf("the address of Trillian's log server must be HOST:PORT, not %q: %w", address, err)
	}
	transport := insecure.NewCredentials()
	if config != nil {
		transport = credentials.NewTLS(config)
	}
	return grpc.NewClient("dns:///"+address,
		grpc.WithTransportCredentials(transport),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: firstReconnect, Multiplier: 2, Jitter: 0.2, MaxDelay: lastReconnect},
			MinConnectTimeout: connectTimeout,
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveTime, Timeout: keepaliveTimeout}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer)),
		grpc.WithUnaryInterceptor(bound(address)),
		grpc.WithDisableServiceConfig(),
		grpc.WithNoProxy(),
		grpc.WithUserAgent("tallyroot"),
	)
}

// bound gives each call an end, and its error a sentence.
func bound(address string) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
		if _, ok := ctx.Deadline(); !ok {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, CallTimeout)
			defer cancel()
		}
		return explain(invoke(ctx, method, request, reply, conn, options...), address)
	}
}
