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

func TestLacksNodes(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{errors.New("preload did not get all tiles: 1 not found"), true},
		{fmt.Errorf("ask: %w", status.Error(codes.Unknown, "expected 3 nodes from storage but got 2")), true},
		{proto.Unmarshal([]byte("no protobuf"), new(storagepb.SubtreeProto)), true},
		{status.Error(codes.Unavailable, "connection refused"), false},
		{errors.New("Error 1146: table Subtree doesn't exist"), false},
	} {
		if got := LacksNodes(tt.err); got != tt.want {
			t.Errorf("%v: %v", tt.err, got)
		}
	}
}
