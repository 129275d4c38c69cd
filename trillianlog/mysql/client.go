package mysql

import (
	"context"

	"github.com/google/trillian"
	"google.golang.org/grpc"

	"github.com/tallyroot/tallyroot/trillianlog/internal/logserver"
)

// maxRangeLeaves and maxRangeBytes bound the answer of one GetLeavesByRange.
const (
	maxRangeLeaves = 1024
	maxRangeBytes  = 16 << 20
)

// client is Trillian's server, with two calls that go a shorter way.
type client struct {
	*logserver.Client
	b *Backend
}

var _ trillian.TrillianLogClient = (*client)(nil)

// GetLatestSignedLogRoot asks for the root with one statement instead of a
// transaction, or none.
func (c *client) GetLatestSignedLogRoot(ctx context.Context, r *trillian.GetLatestSignedLogRootRequest, opts ...grpc.CallOption) (*trillian.GetLatestSignedLogRootResponse, error) {
	if r.FirstTreeSize != 0 || c.Tree != nil && r.LogId != c.Tree.TreeId {
		return c.Client.GetLatestSignedLogRoot(ctx, r, opts...) // a proof, or an error
	}
	return short(c, func() (*trillian.GetLatestSignedLogRootResponse, error) {
		root, err := c.b.storage.latest(ctx, r.LogId)
		return &trillian.GetLatestSignedLogRootResponse{SignedLogRoot: root}, err
	})
}

// GetLeavesByRange reads with one statement, or two, instead of a transaction: leaves
// that a root covers do not change after it. It gives at most maxRangeLeaves, and none
// after maxRangeBytes.
func (c *client) GetLeavesByRange(ctx context.Context, r *trillian.GetLeavesByRangeRequest, opts ...grpc.CallOption) (*trillian.GetLeavesByRangeResponse, error) {
	if c.Tree == nil || r.LogId != c.Tree.TreeId || r.StartIndex < 0 || r.Count <= 0 {
		return c.Client.GetLeavesByRange(ctx, r, opts...) // an error
	}
	return short(c, func() (*trillian.GetLeavesByRangeResponse, error) {
		count := min(uint64(r.Count), maxRangeLeaves)
		root, size, err := c.b.storage.covering(ctx, r.LogId, uint64(r.StartIndex)+count)
		if err != nil {
			return nil, err
		}
		response := &trillian.GetLeavesByRangeResponse{SignedLogRoot: root}
		if uint64(r.StartIndex) < size {
			count = min(count, size-uint64(r.StartIndex))
			response.Leaves, err = c.b.storage.leaves(ctx, r.LogId, uint64(r.StartIndex), count)
		}
		return response, err
	})
}

// short is what logserver does around a call.
func short[Resp any](c *client, do func() (Resp, error)) (resp Resp, err error) {
	if c.Use != nil {
		done, err := c.Use()
		if err != nil {
			return resp, err
		}
		defer done()
	}
	if resp, err = do(); err != nil {
		var none Resp
		return none, explain(err)
	}
	return resp, nil
}
