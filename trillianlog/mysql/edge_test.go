package mysql

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"
	"testing"

	"github.com/google/trillian"
	"github.com/google/trillian/storage/cache"
	"github.com/google/trillian/storage/mysql/mysqlpb"
	"github.com/google/trillian/storage/storagepb"
	"github.com/google/trillian/storage/tree"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// A tree that grows by an edge has the rows that Trillian's own code gives it, and
// each row gives the edge back.
func TestEdgeIsTrillians(t *testing.T) {
	ours := &edge{nodes: treeFactory.NewEmptyRange(0), tiles: make(map[tileID]*tile)}
	theirs := make(map[string][]byte) // rows of Subtree
	nodes := treeFactory.NewEmptyRange(0)
	index := uint64(0)
	for _, n := range []int{1, 1, 2, 3, 60, 188, 1, 1, 255, 256, 257, 1000, 63_500, 9, 2, 1, 300, 255, 20_000} {
		var leaves []*trillian.LogLeaf
		changed := make(map[compact.NodeID][]byte)
		for range n {
			hash := sha256.Sum256(binary.BigEndian.AppendUint64(nil, index))
			leaves = append(leaves, &trillian.LogLeaf{LeafIndex: int64(index), MerkleLeafHash: hash[:]})
			index++
			if err := nodes.Append(hash[:], func(id compact.NodeID, hash []byte) { changed[id] = hash }); err != nil {
				t.Fatal(err)
			}
		}
		trilliansRows(t, theirs, changed)
		tiles, err := ours.add(leaves)
		if err != nil {
			t.Fatal(err)
		}
		for id, tile := range tiles {
			var got, want storagepb.SubtreeProto
			if err := proto.Unmarshal(tile.encode(id), &got); err != nil {
				t.Fatal(err)
			}
			if err := proto.Unmarshal(theirs[string(id.key())], &want); err != nil {
				t.Fatal(err)
			}
			if !proto.Equal(&got, &want) {
				t.Fatalf("size %d: tile %v has %d and %d nodes, %d noted; Trillian's %d and %d, %d noted", index, id,
					len(got.Leaves), len(got.InternalNodes), got.InternalNodeCount, len(want.Leaves), len(want.InternalNodes), want.InternalNodeCount)
			}
		}
		// What a new process would read.
		ids := edgeTiles(index)
		if len(ids) != len(ours.tiles) {
			t.Fatalf("size %d: the edge has %d tiles, want %v", index, len(ours.tiles), ids)
		}
		var hashes [][]byte
		for _, id := range ids {
			tile, part := loadTile(theirs[string(id.key())], id.width(index))
			if tile == nil || string(tile.encode(id)) != string(ours.tiles[id].encode(id)) {
				t.Fatalf("size %d: tile %v does not come back", index, id)
			}
			hashes = append(hashes, part...)
		}
		if !slices.EqualFunc(hashes, nodes.Hashes(), slices.Equal) {
			t.Fatalf("size %d: the nodes do not come back", index)
		}
	}
}

// trilliansRows has Trillian's storage/cache put the nodes into the rows.
func trilliansRows(t *testing.T, rows map[string][]byte, nodes map[compact.NodeID][]byte) {
	t.Helper()
	var list []tree.Node
	for _, id := range slices.SortedFunc(maps.Keys(nodes), func(a, b compact.NodeID) int { return int(a.Level) - int(b.Level) }) {
		list = append(list, tree.Node{ID: id, Hash: nodes[id]})
	}
	c := cache.NewLogSubtreeCache(rfc6962.DefaultHasher)
	err := c.SetNodes(list, func(ids [][]byte) (stored []*storagepb.SubtreeProto, err error) {
		for _, id := range ids {
			if row, ok := rows[string(id)]; ok {
				tile := new(storagepb.SubtreeProto)
				if err := proto.Unmarshal(row, tile); err != nil {
					return nil, err
				}
				if tile.Prefix == nil {
					tile.Prefix = []byte{}
				}
				stored = append(stored, tile)
			}
		}
		return stored, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	tiles, err := c.UpdatedTiles()
	if err != nil {
		t.Fatal(err)
	}
	for _, tile := range tiles {
		if rows[string(tile.Prefix)], err = proto.Marshal(tile); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLoadTileRefuses(t *testing.T) {
	tile := new(tile)
	for i := range uint64(3) {
		tile.set(0, i, make([]byte, sha256.Size))
	}
	row := tile.encode(tileID{0, 7})
	for name, c := range map[string]struct {
		row []byte
		n   int
	}{
		"no row":         {nil, 3},
		"a broken row":   {row[:len(row)-5], 3},
		"too few nodes":  {row, 4},
		"too many nodes": {row, 2},
	} {
		if got, _ := loadTile(c.row, c.n); got != nil {
			t.Errorf("%s: taken", name)
		}
	}
	if got, _ := loadTile(row, 3); got == nil {
		t.Error("a sound one is not taken")
	}
}

// Of a tree that keeps each version of its rows, none may be replaced.
func TestNoEdgeWithRevisions(t *testing.T) {
	settings, err := anypb.New(&mysqlpb.StorageOptions{SubtreeRevisions: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, settings := range []*anypb.Any{nil, settings} {
		if e, err := readEdge(t.Context(), nil, &trillian.Tree{StorageSettings: settings}); e != nil || err != nil {
			t.Errorf("%v: %v, %v", settings, e, err)
		}
	}
}
