package remote

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/google/trillian"
	"github.com/transparency-dev/merkle/rfc6962"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// client calls the server, and lets the back end see what it writes and what is
// integrated.
type client struct {
	trillian.TrillianLogClient
	b *Backend
}

// AddSequencedLeaves stores leaves. Other calls of it, of Find and of Next wait
// until it has returned.
func (c *client) AddSequencedLeaves(ctx context.Context, request *trillian.AddSequencedLeavesRequest, options ...grpc.CallOption) (*trillian.AddSequencedLeavesResponse, error) {
	for i, leaf := range request.Leaves {
		if len(leaf.GetLeafIdentityHash()) != hashSize {
			return nil, status.Errorf(codes.InvalidArgument, "leaf %d has an identity of %d bytes, not %d", i, len(leaf.GetLeafIdentityHash()), hashSize)
		}
	}
	b := c.b
	var response *trillian.AddSequencedLeavesResponse
	err := b.locked(ctx, func() (err error) {
		response, err = c.TrillianLogClient.AddSequencedLeaves(ctx, request, options...)
		if err == nil && len(response.Results) != len(request.Leaves) {
			err = fmt.Errorf("the log server answered for %d leaves of %d", len(response.Results), len(request.Leaves))
		}
		if err != nil {
			b.dirty.Store(true)
			b.doubt = request.Leaves
			return err
		}
		b.learn(request.Leaves, response.Results)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return response, nil
}

// GetLatestSignedLogRoot gives the newest root.
func (c *client) GetLatestSignedLogRoot(ctx context.Context, request *trillian.GetLatestSignedLogRootRequest, options ...grpc.CallOption) (*trillian.GetLatestSignedLogRootResponse, error) {
	response, err := c.TrillianLogClient.GetLatestSignedLogRoot(ctx, request, options...)
	if err != nil {
		return nil, err
	}
	if _, err := c.b.readRoot(response); err != nil {
		return nil, err
	}
	return response, nil
}

// What Trillian's server says of a leaf that it did not take
// (storage/mysql/log_storage.go).
const (
	saysIdentityTaken = "conflicting LeafIdentityHash"
	saysIndexTaken    = "conflicting LeafIndex"
)

// learn takes in what became of a write.
func (b *Backend) learn(leaves []*trillian.LogLeaf, results []*trillian.QueuedLogLeaf) {
	empty := b.integrated.Load() == 0
	unshown := make(map[uint64]known)
	put := func(at uint64, leaf known) {
		if next := b.known.next(); at > next || at == next && (empty || leaf.isOther()) {
			unshown[at] = leaf
		}
		b.known.put(at, leaf)
	}
	for i, leaf := range leaves {
		at, mine := uint64(leaf.LeafIndex), knownLeaf(leaf)
		result := results[i].GetStatus()
		if result.GetCode() == int32(codes.OK) {
			put(at, mine)
			delete(b.homeless, mine.identity)
			continue
		}
		b.dirty.Store(true)
		switch said := result.GetMessage(); {
		case strings.Contains(said, saysIndexTaken):
			put(at, known{})
		case strings.Contains(said, saysIdentityTaken):
			if b.homeless[mine.identity].asked {
				result.Code, result.Message = int32(codes.DataLoss), b.sayHomeless(mine.identity)
			}
			b.homeless[mine.identity] = homeless{hash: mine.hash}
		}
	}
	if len(b.known.beyond) > 0 {
		b.dirty.Store(true) // Trillian may show more now
	}
	b.count()
	if err := errors.Join(b.promote(), b.index.record(unshown, false)); err != nil {
		b.dirty.Store(true) // what is stored is stored; sync says it to who asks next
		b.logger.Error("the index of identities cannot be written", "error", err)
	}
}

func knownLeaf(leaf *trillian.LogLeaf) known {
	return known{
		identity: [32]byte(leaf.LeafIdentityHash),
		hash:     [32]byte(rfc6962.DefaultHasher.HashLeaf(leaf.LeafValue)),
		bytes:    len(leaf.LeafValue),
	}
}

// sayHomeless is for the person who can mend it: nothing in Trillian's API can.
func (b *Backend) sayHomeless(identity [32]byte) string {
	return fmt.Sprintf("Trillian refuses this leaf for good, because its database has a row of the same identity in LeafData that stands at no index, half of a write; "+
		"delete that row: DELETE FROM LeafData WHERE TreeId=%[1]d AND LeafIdentityHash=x'%[2]s' AND NOT EXISTS (SELECT 1 FROM SequencedLeafData s WHERE s.TreeId=%[1]d AND s.LeafIdentityHash=x'%[2]s'); "+
		"if that deletes nothing, another leaf of the identity lies behind an index without a leaf, and is found when that is filled",
		b.treeID, hex.EncodeToString(identity[:]))
}
