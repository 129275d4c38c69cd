package embedded

import (
	"bytes"
	"context"
	"testing"

	"github.com/google/trillian"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// What the package comment says is left out says so itself.
func TestLeftOut(t *testing.T) {
	b := open(t, t.TempDir())
	add(t, b, 0, 3)
	ctx := t.Context()
	_, err := b.Client().QueueLeaf(ctx, &trillian.QueueLeafRequest{LogId: b.TreeID(), Leaf: leaf(3)})
	if status.Code(err) != codes.InvalidArgument {
		t.Errorf("QueueLeaf: %v", err)
	}
	h := leafHash(value(1))
	_, err = b.Client().GetInclusionProofByHash(ctx, &trillian.GetInclusionProofByHashRequest{LogId: b.TreeID(), LeafHash: h[:], TreeSize: 3})
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("GetInclusionProofByHash: %v", err)
	}
	if _, err := b.store.QueueLeaves(ctx, b.tree, nil, b.tree.CreateTime.AsTime()); status.Code(err) != codes.Unimplemented {
		t.Errorf("QueueLeaves: %v", err)
	}
}

func TestOtherCalls(t *testing.T) {
	b := open(t, t.TempDir())
	add(t, b, 0, 300)
	ctx := t.Context()
	r := root(t, b)
	resp, err := b.Client().GetEntryAndProof(ctx, &trillian.GetEntryAndProofRequest{LogId: b.TreeID(), LeafIndex: 270, TreeSize: 300})
	if err != nil {
		t.Fatal(err)
	}
	h := rfc6962.DefaultHasher.HashLeaf(value(270))
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, 270, 300, h, resp.Proof.Hashes, r.RootHash); err != nil || !bytes.Equal(resp.Leaf.LeafValue, value(270)) {
		t.Errorf("GetEntryAndProof: %v, %q", err, resp.Leaf.LeafValue)
	}
	if _, err := b.Client().InitLog(ctx, &trillian.InitLogRequest{LogId: b.TreeID()}); status.Code(err) != codes.AlreadyExists {
		t.Errorf("InitLog: %v", err)
	}
	if _, err := b.Client().GetLatestSignedLogRoot(ctx, &trillian.GetLatestSignedLogRootRequest{LogId: b.TreeID() + 1}); err == nil {
		t.Error("another tree has a root")
	}
	// Trillian answers a size that is too large with its root and no proof.
	large, err := b.Client().GetInclusionProof(ctx, &trillian.GetInclusionProofRequest{LogId: b.TreeID(), LeafIndex: 1, TreeSize: 301})
	if err != nil || large.Proof != nil {
		t.Errorf("a proof at a size to come: %v, %v", large.GetProof(), err)
	}
}

func TestBatchLimit(t *testing.T) {
	b := open(t, t.TempDir())
	batch := func(from, n uint64) error {
		req := &trillian.AddSequencedLeavesRequest{LogId: b.TreeID()}
		for i := range n {
			req.Leaves = append(req.Leaves, leaf(from+i))
		}
		_, err := b.Client().AddSequencedLeaves(context.Background(), req)
		return err
	}
	if err := batch(0, maxBatchLeaves+1); status.Code(err) != codes.InvalidArgument {
		t.Errorf("one more than the limit: %v", err)
	}
	if err := batch(0, maxBatchLeaves); err != nil {
		t.Fatalf("the limit: %v", err)
	}
	checkRoot(t, b, maxBatchLeaves)

	// Reading has the same limit.
	if err := batch(maxBatchLeaves, 10); err != nil {
		t.Fatal(err)
	}
	resp, err := b.Client().GetLeavesByRange(t.Context(), &trillian.GetLeavesByRangeRequest{LogId: b.TreeID(), Count: maxRangeLeaves + 5})
	if err != nil || len(resp.Leaves) != maxRangeLeaves {
		t.Fatalf("%d leaves, %v; want %d", len(resp.Leaves), err, maxRangeLeaves)
	}
}

func TestRangeStopsAtBytes(t *testing.T) {
	b := open(t, t.TempDir())
	const size = 1 << 20
	for i := range uint64(maxRangeBytes/size + 2) {
		l := leaf(i)
		l.LeafValue = bytes.Repeat([]byte{byte(i)}, size)
		sendOne(t, b, l, codes.OK)
	}
	resp, err := b.Client().GetLeavesByRange(t.Context(), &trillian.GetLeavesByRangeRequest{LogId: b.TreeID(), Count: 100})
	if err != nil || len(resp.Leaves) != maxRangeBytes/size {
		t.Fatalf("%d leaves, %v; want %d", len(resp.Leaves), err, maxRangeBytes/size)
	}
}
