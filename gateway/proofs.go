package gateway

import (
	"context"

	v1 "github.com/tallyroot/tallyroot/proto/tallyroot/v1"
)

// proofs serves tallyroot.v1.LogService.
type proofs struct {
	v1.UnimplementedLogServiceServer
	*Server
}

func (s *proofs) GetInclusionProof(ctx context.Context, req *v1.GetInclusionProofRequest) (*v1.InclusionProof, error) {
	switch {
	case req.Index == nil:
		return nil, fail(ctx, invalid("index", "is missing; write ?index=N&size=N"))
	case req.Size != nil && *req.Size == 0:
		return nil, fail(ctx, invalid("size", "a tree of size 0 has no entries; leave size out for the published one"))
	}
	proof, leafHash, root, size, err := s.service.InclusionProof(*req.Index, req.GetSize())
	if err != nil {
		return nil, fail(ctx, err)
	}
	return &v1.InclusionProof{Index: *req.Index, Size: size, LeafHash: leafHash[:], Proof: hashes(proof), Root: root[:]}, nil
}

func (s *proofs) GetConsistencyProof(ctx context.Context, req *v1.GetConsistencyProofRequest) (*v1.ConsistencyProof, error) {
	switch {
	case req.From == nil:
		return nil, fail(ctx, invalid("from", "is missing; write ?from=N&to=N"))
	case req.To != nil && *req.To < *req.From:
		return nil, fail(ctx, invalid("to", "is smaller than from; the smaller size stands in from"))
	case req.To != nil && *req.To == 0: // and so is from
		return &v1.ConsistencyProof{}, nil
	}
	prove := s.service.ConsistencyProof
	switch req.GetLog() {
	case "", "log":
	case "index":
		prove = s.service.IndexConsistencyProof
	default:
		return nil, fail(ctx, invalid("log", "is neither log nor index"))
	}
	proof, to, err := prove(*req.From, req.GetTo())
	if err != nil {
		return nil, fail(ctx, err)
	}
	return &v1.ConsistencyProof{From: *req.From, To: to, Proof: hashes(proof)}, nil
}
