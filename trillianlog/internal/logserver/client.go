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
	"google.golang.org/grpc/status"
)

// Client is a trillian.TrillianLogClient that calls Trillian's server directly.
// A request must not be changed before the call returns, and the server fills in
// its leaves' hashes and timestamps. Call options have no meaning and are
// ignored.
type Client struct {
	// Tree is the only one that may be asked for. If it is nil, the server reads
	// the tree that a request names from its storage.
	Tree *trillian.Tree
	// Use is called before each call, done when the server has ended it. An error
	// is the answer. It may be nil.
	Use func() (done func(), err error)
	// Explain gives the answer to a call for the error that the server has for
	// it. It may be nil.
	Explain func(error) error
	// Abandon is for a storage that does not always notice that a context has
	// ended. If it is set, the caller gets its answer then, and the server goes
	// on by itself; Abandon is called before.
	Abandon func()

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
	done := func() {}
	if c.Use != nil {
		if done, err = c.Use(); err != nil {
			return resp, err
		}
	}
	if c.Tree != nil {
		ctx = trees.NewContext(ctx, c.Tree)
	}
	run := func() (Resp, error) {
		defer done()
		resp, err := rpc(ctx, req)
		if err != nil && c.Explain != nil {
			err = c.Explain(err)
		}
		return resp, err
	}
	if c.Abandon == nil {
		return run()
	}
	type answer struct {
		resp Resp
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		resp, err := run()
		answered <- answer{resp, err}
	}()
	select {
	case a := <-answered:
		return a.resp, a.err
	case <-ctx.Done():
		c.Abandon()
		return resp, status.FromContextError(ctx.Err()).Err()
	}
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
