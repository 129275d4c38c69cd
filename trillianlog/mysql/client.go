package mysql

import (
	"context"

	"github.com/google/trillian"
	"google.golang.org/grpc"

	"github.com/tallyroot/tallyroot/trillianlog/internal/logserver"
)

// maxRangeLeaves bounds the answer of one GetLeavesByRange.
const maxRangeLeaves = 1024

// client is Trillian's server, with two calls that go a shorter or a safer way.
type client struct {
	*logserver.Client
	b *Backend
}

var _ trillian.TrillianLogClient = (*client)(nil)

// GetLatestSignedLogRoot asks for the root with one statement instead of a
// transaction, where no proof is wanted too.
func (c *client) GetLatestSignedLogRoot(ctx context.Context, r *trillian.GetLatestSignedLogRootRequest, opts ...grpc.CallOption) (*trillian.GetLatestSignedLogRootResponse, error) {
	if r.FirstTreeSize != 0 || c.Tree != nil && r.LogId != c.Tree.TreeId {
		return c.Client.GetLatestSignedLogRoot(ctx, r, opts...)
	}
	if c.Use != nil {
		done, err := c.Use()
		if err != nil {
			return nil, err
		}
		defer done()
	}
	head, err := c.b.storage.head(ctx, r.LogId)
	if err != nil {
		return nil, explain(err)
	}
	root, err := head.MarshalBinary()
	if err != nil {
		return nil, explain(err)
	}
	return &trillian.GetLatestSignedLogRootResponse{SignedLogRoot: &trillian.SignedLogRoot{LogRoot: root}}, nil
}

// GetLeavesByRange gives at most maxRangeLeaves leaves; Trillian's storage would
// read any number into memory.
func (c *client) GetLeavesByRange(ctx context.Context, r *trillian.GetLeavesByRangeRequest, opts ...grpc.CallOption) (*trillian.GetLeavesByRangeResponse, error) {
	if r.Count > maxRangeLeaves {
		r = &trillian.GetLeavesByRangeRequest{LogId: r.LogId, StartIndex: r.StartIndex, Count: maxRangeLeaves, ChargeTo: r.ChargeTo}
	}
	return c.Client.GetLeavesByRange(ctx, r, opts...)
}
