package logtree

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/trillian/storage/storagepb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

func TestNodes(t *testing.T) {
	for _, tt := range []struct {
		err         error
		lacks, grow bool
	}{
		{nil, false, true},
		{errors.New("preload did not get all tiles: 1 not found"), true, false},
		{fmt.Errorf("ask: %w", status.Error(codes.Unknown, "expected 3 nodes from storage but got 2")), true, false},
		{proto.Unmarshal([]byte("no protobuf"), new(storagepb.SubtreeProto)), true, false},
		{status.Error(codes.Unavailable, "connection refused"), false, true},
		{errors.New("Error 1146: table Subtree doesn't exist"), false, true},
		{errors.New("1: compact range init failed: failed to get 3 nodes, got 2"), false, false},
		{errors.New("1: compact range init failed: root hash mismatch: got 00, want 01"), false, false},
		{errors.New("1: compact range init failed: failed to read tree nodes: driver: bad connection"), false, true},
	} {
		if lacks, cannot := LacksNodes(tt.err), CannotGrow(tt.err); lacks != tt.lacks || cannot == tt.grow {
			t.Errorf("%v: %v, %v", tt.err, lacks, cannot)
		}
	}
}
