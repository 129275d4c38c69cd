package indexverifier

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"os"
	"slices"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/tallyroot/tallyroot/internal/durable"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/historyindex/store"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
)

// saveEvery is after how many leaves the tree is saved: so many have to be read again
// at most.
const saveEvery = 1 << 16

var ranges = compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}

// A tree is the index log's over the leaves that were rebuilt. What it needs to grow
// is saved in a file, so that a start does not read each leaf of many years.
type tree struct {
	file   string
	leaves *store.Index
	grown  *compact.Range
	loaded bool   // it began with the file
	saved  uint64 // leaves in the file
}

// openTree reads the file. A missing or malformed one costs time only.
func openTree(file string, leaves *store.Index) *tree {
	t := &tree{file: file, leaves: leaves, grown: ranges.NewEmptyRange(0)}
	text, err := os.ReadFile(file)
	if err != nil || len(text) < 8 {
		return t
	}
	size, hashes := binary.BigEndian.Uint64(text), text[8:]
	if size > leaves.Leaves() || len(hashes) != bits.OnesCount64(size)*len(historyindex.Hash{}) {
		return t
	}
	var nodes [][]byte
	for node := range slices.Chunk(hashes, len(historyindex.Hash{})) {
		nodes = append(nodes, node)
	}
	if r, err := ranges.NewRange(0, size, nodes); err == nil {
		t.grown, t.loaded, t.saved = r, true, size
	}
	return t
}

// has tells whether the tree of so many leaves has the root. Before it says no, it has
// read every leaf.
func (t *tree) has(root historyindex.Hash, size uint64) (bool, error) {
	if have := t.leaves.Leaves(); size > have {
		return false, fmt.Errorf("there are %d leaves of the index log, and %d are asked for", have, size)
	}
	if t.grown.End() > size {
		t.begin()
	}
	got, err := t.root(size)
	if err == nil && got != root && t.loaded {
		t.begin()
		got, err = t.root(size)
	}
	return got == root, err
}

// begin goes back to the first leaf.
func (t *tree) begin() { t.grown, t.loaded = ranges.NewEmptyRange(0), false }

// root gives the root of so many leaves, not fewer than it has.
func (t *tree) root(size uint64) (historyindex.Hash, error) {
	for t.grown.End() < size {
		leaf, err := t.leaves.Leaf(t.grown.End())
		if err != nil {
			return historyindex.Hash{}, err
		}
		hash := tiles.LeafHash(leaf.Text)
		if err := t.grown.Append(hash[:], nil); err != nil {
			return historyindex.Hash{}, err
		}
	}
	if size >= t.saved+saveEvery {
		if err := t.save(); err != nil {
			return historyindex.Hash{}, err
		}
	}
	root, err := t.grown.GetRootHash(nil)
	if err != nil {
		return historyindex.Hash{}, err
	}
	return historyindex.Hash(root), nil
}

func (t *tree) save() error {
	if t.grown.End() == t.saved {
		return nil
	}
	text := binary.BigEndian.AppendUint64(nil, t.grown.End())
	for _, node := range t.grown.Hashes() {
		text = append(text, node...)
	}
	if err := durable.WriteFile(t.file, text, 0o600); err != nil {
		return fmt.Errorf("save the index log's tree: %w", err)
	}
	t.saved = t.grown.End()
	return nil
}
