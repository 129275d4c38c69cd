package mysql

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/binary"

	"github.com/google/trillian/storage/storagepb"
	"github.com/transparency-dev/merkle/compact"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// A row of Subtree holds eight levels of the tree, above and beside 256 nodes of
// the lowest of them.
const (
	tileLevels = 8
	tileWidth  = 1 << tileLevels
	lastTier   = 64/tileLevels - 1
)

// tileID names such a row: the tiers count from the leaves up, the tiles of a tier
// from the left.
type tileID struct {
	tier  uint
	index uint64
}

func tileOf(n compact.NodeID) tileID {
	return tileID{n.Level / tileLevels, n.Index >> (tileLevels - n.Level%tileLevels)}
}

// key is the row's SubtreeId: the path from the root of a tree of 2^64 leaves.
func (id tileID) key() []byte {
	return binary.BigEndian.AppendUint64(nil, id.index)[1+id.tier:]
}

// width is how many of the tile's lowest nodes a tree of the size has.
func (id tileID) width(size uint64) int {
	return int(min(size>>(tileLevels*id.tier)-id.index*tileWidth, tileWidth))
}

// edgeTiles are the tiles of a tree of the size that have nodes and are not full,
// from the highest down.
func edgeTiles(size uint64) (ids []tileID) {
	for tier := range uint(lastTier + 1) {
		nodes := size >> (tileLevels * (lastTier - tier))
		if nodes%tileWidth != 0 {
			ids = append(ids, tileID{lastTier - tier, nodes / tileWidth})
		}
	}
	return ids
}

// tile is what a row of Subtree holds, as Trillian writes it (storagepb.SubtreeProto,
// storage/cache/log_tile.go): the lowest nodes, and where they are not 256, also the
// complete ones above. Nodes are only ever added, at the end of what is encoded.
type tile struct {
	lowest, above           []byte // map entries
	lowestCount, aboveCount int
}

func (t *tile) full() bool { return t.lowestCount == tileWidth }

// Fields of SubtreeProto, and of a map's entry.
const (
	fieldPrefix     = 1
	fieldDepth      = 2
	fieldLowest     = 4
	fieldAbove      = 5
	fieldAboveCount = 6
	fieldKey        = 1
	fieldValue      = 2
)

// set adds a node; level is that within the tile.
func (t *tile) set(level uint, index uint64, hash []byte) {
	if level == 0 {
		t.lowest = appendNode(t.lowest, fieldLowest, level, index, hash)
		t.lowestCount++
		return
	}
	t.above = appendNode(t.above, fieldAbove, level, index, hash)
	t.aboveCount++
}

func appendNode(b []byte, field protowire.Number, level uint, index uint64, hash []byte) []byte {
	suffix := nodeKey(level, index)
	b = protowire.AppendTag(b, field, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(4+len(suffix)+len(hash)))
	b = protowire.AppendTag(b, fieldKey, protowire.BytesType)
	b = protowire.AppendString(b, suffix)
	b = protowire.AppendTag(b, fieldValue, protowire.BytesType)
	return protowire.AppendBytes(b, hash)
}

// nodeKey is the path to a node within its tile: its length in bits, and the bits.
func nodeKey(level uint, index uint64) string {
	return base64.StdEncoding.EncodeToString([]byte{byte(tileLevels - level), byte(index << level)})
}

// encode gives the row's Nodes.
func (t *tile) encode(id tileID) []byte {
	b := make([]byte, 0, len(t.lowest)+len(t.above)+32)
	b = protowire.AppendTag(b, fieldPrefix, protowire.BytesType)
	b = protowire.AppendBytes(b, id.key())
	b = protowire.AppendTag(b, fieldDepth, protowire.VarintType)
	b = protowire.AppendVarint(b, tileLevels)
	b = append(b, t.lowest...)
	if !t.full() {
		b = append(b, t.above...)
	}
	b = protowire.AppendTag(b, fieldAboveCount, protowire.VarintType)
	return protowire.AppendVarint(b, uint64(t.aboveCount))
}

// loadTile reads a row's Nodes, of which the lowest are n, fewer than 256. It gives
// the tile and the nodes that cover it, from the left; nil if the row is not that.
func loadTile(row []byte, n int) (*tile, [][]byte) {
	var stored storagepb.SubtreeProto
	if proto.Unmarshal(row, &stored) != nil || len(stored.Leaves) != n {
		return nil, nil
	}
	t, nodes := new(tile), treeFactory.NewEmptyRange(0)
	for i := range n {
		hash := stored.Leaves[nodeKey(0, uint64(i))]
		if hash == nil {
			return nil, nil
		}
		if nodes.Append(hash, func(id compact.NodeID, hash []byte) { t.set(id.Level, id.Index, hash) }) != nil {
			return nil, nil
		}
	}
	return t, nodes.Hashes()
}

// readTiles gives the Nodes of the rows that are there.
func readTiles(ctx context.Context, from *sql.DB, tree int64, ids []tileID) (map[tileID][]byte, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	args, byKey := []any{tree}, make(map[string]tileID)
	for _, id := range ids {
		key := id.key()
		args, byKey[string(key)] = append(args, key), id
	}
	rows, err := from.QueryContext(ctx, "SELECT SubtreeId,Nodes FROM Subtree WHERE TreeId=? AND SubtreeId IN ("+list("?", len(ids))+")", args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	stored := make(map[tileID][]byte)
	for rows.Next() {
		var key, nodes []byte
		if err := rows.Scan(&key, &nodes); err != nil {
			return nil, err
		}
		stored[byKey[string(key)]] = nodes
	}
	return stored, rows.Err()
}

// writeTiles puts the rows in the place of those that were there.
func writeTiles(ctx context.Context, to *session, tree int64, tiles map[tileID]*tile) error {
	var args []any
	for id, t := range tiles {
		args = append(args, tree, id.key(), t.encode(id))
	}
	_, err := to.run(ctx, "INSERT INTO Subtree(TreeId,SubtreeId,Nodes,SubtreeRevision) VALUES "+list("(?,?,?,0)", len(tiles))+
		" ON DUPLICATE KEY UPDATE Nodes=VALUES(Nodes)", args...)
	return err
}
