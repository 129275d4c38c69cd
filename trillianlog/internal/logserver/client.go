// Package logserver runs Trillian's log server in this process, without a
// network in between.
//
// It never copies a request or an answer, and it knows one tree: calls do not
// read the tree from the database.
package logserver

import (
	"context"

	"github.com/google/trillian"
	"github.com/google/trillian/extension"
	"github.com/google/trillian/server"
	"github.com/google/trillian/trees"
	"github.com/google/trillian/util/clock"
	"google.golang.org/grpc"
)

// Client is a trillian.TrillianLogClient that calls Trillian's server directly.
// A request must not be changed before the call returns, and the server fills in
// its leaves' hashes and timestamps. Call options have no meaning and are
// ignored.
type Client struct {
	// Tree is the only one that may be asked for. If it is nil, the server reads
	// the tree that a request names from its storage.
	Tree *trillian.Tree
	// Use is called before each call, done after it. An error is the answer. It
	// may be nil.
	Use func() (done func(), err error)

	server *server.TrillianLogRPCServer
}

var _ trillian.TrillianLogClient = (*Client)(nil)

// New gives a client of a server over the storages in registry.
func New(registry extension.Registry, clock clock.TimeSource) *Client {
	return &Client{server: server.NewTrillianLogRPCServer(registry, clock)}
}

// call runs one RPC with the tree in its context, so that the server does not
// read it from the admin storage each time (trees/trees.go).
func call[Req, Resp any](ctx context.Context, c *Client, rpc func(context.Context, Req) (Resp, error), req Req) (resp Resp, err error) {
	if c.Use != nil {
		done, err := c.Use()
		if err != nil {
			return resp, err
		}
		defer done()
	}
	if c.Tree != nil {
		ctx = trees.NewContext(ctx, c.Tree)
	}
	return rpc(ctx, req)
}
func (c *Client) QueueLeaf(ctx context.Context, req *trillian.QueueLeafRequest, _ ...grpc.CallOption) (*trillian.QueueLeafResponse, error) {
	return call(ctx, c, c.server.QueueLeaf, req)
}

func (c *Client) GetInclusionProof(ctx context.Context, req *trillian.GetInclusionProofRequest, _ ...grpc.CallOption) (*trillian.GetInclusionProofResponse, error) {
	return call(ctx, c, c.server.GetInclusionProof, req)
}

func (c *Client) GetInclusionProofByHash(ctx context.Context, req *trillian.GetInclusionProofByHashRequest, _ ...grpc.CallOption) (*trillian.GetInclusionProofByHashResponse, error) {
	return call(ctx, c, c.server.GetInclusionProofByHash, req)
}

func (c *Client) GetConsistencyProof(ctx context.Context, req *trillian.GetConsistencyProofRequest, _ ...grpc.CallOption) (*trillian.GetConsistencyProofResponse, error) {
	return call(ctx, c, c.server.GetConsistencyProof, req)
}

func (c *Client) GetLatestSignedLogRoot(ctx context.Context, req *trillian.GetLatestSignedLogRootRequest, _ ...grpc.CallOption) (*trillian.GetLatestSignedLogRootResponse, error) {
	return call(ctx, c, c.server.GetLatestSignedLogRoot, req)
}

func (c *Client) GetEntryAndProof(ctx context.Context, req *trillian.GetEntryAndProofRequest, _ ...grpc.CallOption) (*trillian.GetEntryAndProofResponse, error) {
	return call(ctx, c, c.server.GetEntryAndProof, req)
}

func (c *Client) InitLog(ctx context.Context, req *trillian.InitLogRequest, _ ...grpc.CallOption) (*trillian.InitLogResponse, error) {
	return call(ctx, c, c.server.InitLog, req)
}

func (c *Client) AddSequencedLeaves(ctx context.Context, req *trillian.AddSequencedLeavesRequest, _ ...grpc.CallOption) (*trillian.AddSequencedLeavesResponse, error) {
	return call(ctx, c, c.server.AddSequencedLeaves, req)
}

func (c *Client) GetLeavesByRange(ctx context.Context, req *trillian.GetLeavesByRangeRequest, _ ...grpc.CallOption) (*trillian.GetLeavesByRangeResponse, error) {
	return call(ctx, c, c.server.GetLeavesByRange, req)
}
