package verifytest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/fetch"
)

// TestFiles reads the files as others do.
func TestFiles(t *testing.T) {
	tree := new(Tree)
	for i := range 700 {
		tree.Add(fmt.Append(nil, "leaf ", i))
	}
	for _, size := range []uint64{1, 255, 256, 257, 512, 700} {
		dir := t.TempDir()
		for path, data := range tree.Files(size) {
			file := filepath.Join(dir, filepath.FromSlash(path))
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		log := fetch.Open(fetch.Folder(dir), checkpoint.Checkpoint{Origin: "x", Size: size, Root: tree.Root(size)}, fetch.Options{})
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
}
