package embedded

import (
	"context"

	"github.com/google/trillian"
	"github.com/google/trillian/server"
	"github.com/google/trillian/trees"
	"google.golang.org/grpc"
)

// client is a trillian.TrillianLogClient that calls Trillian's server
// directly. Requests and answers are not copied: a request must not be changed
// before the call returns, and the server fills in its leaves' hashes and
// timestamps. Call options have no meaning and are ignored.
type client struct {
	b      *Backend
	server *server.TrillianLogRPCServer
	tree   *trillian.Tree
}

var _ trillian.TrillianLogClient = (*client)(nil)

// call runs one RPC with the tree in its context, so that the server does not
// read it from the admin storage each time (trees/trees.go).
func call[Req, Resp any](ctx context.Context, c *client, rpc func(context.Context, Req) (Resp, error), req Req) (resp Resp, err error) {
	done, err := c.b.use()
	if err != nil {
		return resp, err
	}
	defer done()
	return rpc(trees.NewContext(ctx, c.tree), req)
}

func (c *client) QueueLeaf(ctx context.Context, req *trillian.QueueLeafRequest, _ ...grpc.CallOption) (*trillian.QueueLeafResponse, error) {
	return call(ctx, c, c.server.QueueLeaf, req)
}

func (c *client) GetInclusionProof(ctx context.Context, req *trillian.GetInclusionProofRequest, _ ...grpc.CallOption) (*trillian.GetInclusionProofResponse, error) {
	return call(ctx, c, c.server.GetInclusionProof, req)
}

func (c *client) GetInclusionProofByHash(ctx context.Context, req *trillian.GetInclusionProofByHashRequest, _ ...grpc.CallOption) (*trillian.GetInclusionProofByHashResponse, error) {
	return call(ctx, c, c.server.GetInclusionProofByHash, req)
}

func (c *client) GetConsistencyProof(ctx context.Context, req *trillian.GetConsistencyProofRequest, _ ...grpc.CallOption) (*trillian.GetConsistencyProofResponse, error) {
	return call(ctx, c, c.server.GetConsistencyProof, req)
}

func (c *client) GetLatestSignedLogRoot(ctx context.Context, req *trillian.GetLatestSignedLogRootRequest, _ ...grpc.CallOption) (*trillian.GetLatestSignedLogRootResponse, error) {
	return call(ctx, c, c.server.GetLatestSignedLogRoot, req)
}

func (c *client) GetEntryAndProof(ctx context.Context, req *trillian.GetEntryAndProofRequest, _ ...grpc.CallOption) (*trillian.GetEntryAndProofResponse, error) {
	return call(ctx, c, c.server.GetEntryAndProof, req)
}

func (c *client) InitLog(ctx context.Context, req *trillian.InitLogRequest, _ ...grpc.CallOption) (*trillian.InitLogResponse, error) {
	return call(ctx, c, c.server.InitLog, req)
}

func (c *client) AddSequencedLeaves(ctx context.Context, req *trillian.AddSequencedLeavesRequest, _ ...grpc.CallOption) (*trillian.AddSequencedLeavesResponse, error) {
	return call(ctx, c, c.server.AddSequencedLeaves, req)
}

func (c *client) GetLeavesByRange(ctx context.Context, req *trillian.GetLeavesByRangeRequest, _ ...grpc.CallOption) (*trillian.GetLeavesByRangeResponse, error) {
	return call(ctx, c, c.server.GetLeavesByRange, req)
}
