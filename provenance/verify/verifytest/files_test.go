package verifytest

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"testing"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/fetch"
)

type source struct{ *Tree }

func (s source) Address(path string) string { return path }

func (s source) Get(_ context.Context, path string, _ int64) ([]byte, error) {
	if data, ok := s.File(path); ok {
		return data, nil
	}
	return nil, fs.ErrNotExist
}

// TestFile reads the files as others do.
func TestFile(t *testing.T) {
	tree := new(Tree)
	for i := range 700 {
		tree.Add(fmt.Append(nil, "leaf ", i))
	}
	for _, size := range []uint64{1, 255, 256, 257, 512, 700} {
		log := fetch.Open(source{tree}, checkpoint.Checkpoint{Origin: "x", Size: size, Root: tree.Root(size)}, fetch.Options{})
		var leaves [][]byte
		for leaf, err := range log.Stream(context.Background(), 0, size) {
			if err != nil {
				t.Fatal(err)
			}
			leaves = append(leaves, slices.Clone(leaf))
		}
		if !slices.EqualFunc(leaves, tree.Leaves[:size], slices.Equal) {
			t.Errorf("at size %d other leaves", size)
		}
	}
	for _, path := range []string{"checkpoint", "tile/0/002.p/189", "tile/0/003", "tile/1/000", "tile/1/000.p/3", "tile/7/000.p/1", "tile/63/000", "tile/entries/002", "tile/entries/x999/x999/999", "", "tile/0/000/x"} {
		if _, ok := tree.File(path); ok {
			t.Errorf("%s is there", path)
		}
	}
}
