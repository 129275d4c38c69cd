package mysql

import (
	"bytes"
	"context"
	"database/sql"
	"errors"

	"github.com/google/trillian"
	"github.com/google/trillian/storage/mysql/mysqlpb"
	"github.com/google/trillian/types"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/tallyroot/tallyroot/internal/mysqldb"
)

// edge is the right edge of the tree: its newest root, and the rows of Subtree that
// are not full. Who knows it takes leaves into the tree without reading anything.
// That the root is still the newest is a condition of the statement that stores the
// next one, so with an edge that has become old nothing can be stored.
//
// A write changes it, and it is good again when that write is committed.
type edge struct {
	tree  int64
	head  treeHead
	nodes *compact.Range
	tiles map[tileID]*tile // that are not full
}

// errMoved: the edge's root is not the newest.
var errMoved = errors.New("another process has changed the tree meanwhile")

var treeFactory = &compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}

// readEdge gives nil where an edge is of no use: the tree keeps each version of its
// rows, or what it has does not give its root.
func readEdge(ctx context.Context, from *sql.DB, tree *trillian.Tree) (*edge, error) {
	var settings mysqlpb.StorageOptions
	if tree.StorageSettings.UnmarshalTo(&settings) != nil || settings.SubtreeRevisions {
		return nil, nil
	}
	head, err := readHead(ctx, from, tree.TreeId)
	if err != nil {
		return nil, err
	}
	ids := edgeTiles(head.TreeSize)
	stored, err := readTiles(ctx, from, tree.TreeId, ids)
	if err != nil {
		return nil, err
	}
	e := &edge{tree: tree.TreeId, head: head, tiles: make(map[tileID]*tile)}
	var hashes [][]byte
	for _, id := range ids {
		t, nodes := loadTile(stored[id], id.width(head.TreeSize))
		if t == nil {
			return nil, nil
		}
		e.tiles[id] = t
		hashes = append(hashes, nodes...)
	}
	if e.nodes, err = treeFactory.NewRange(0, head.TreeSize, hashes); err != nil {
		return nil, err
	}
	if root, err := rootHash(e.nodes); err != nil || !bytes.Equal(root, head.RootHash) {
		return nil, err
	}
	return e, nil
}

func rootHash(nodes *compact.Range) ([]byte, error) {
	if nodes.End() == 0 {
		return rfc6962.DefaultHasher.EmptyRoot(), nil
	}
	return nodes.GetRootHash(nil)
}

// grow takes the leaves into the tree and stores what that changes, with a root of
// the time, in nanoseconds since 1970. It gives the root. The leaves follow the
// tree's last one, and the time its root's.
func (e *edge) grow(ctx context.Context, to *session, leaves []*trillian.LogLeaf, at uint64) (*trillian.SignedLogRoot, error) {
	changed, err := e.add(leaves)
	if err != nil {
		return nil, err
	}
	root, err := rootHash(e.nodes)
	if err != nil {
		return nil, err
	}
	if err := writeTiles(ctx, to, e.tree, changed); err != nil {
		return nil, err
	}
	before := e.head
	e.head = treeHead{types.LogRootV1{TreeSize: e.nodes.End(), RootHash: root, TimestampNanos: at}, before.revision + 1}
	if err := e.head.follow(ctx, to, e.tree, before); err != nil {
		return nil, err
	}
	return e.head.signed()
}

// add gives the tiles that the leaves change.
func (e *edge) add(leaves []*trillian.LogLeaf) (map[tileID]*tile, error) {
	changed := make(map[tileID]*tile)
	for _, l := range leaves {
		err := e.nodes.Append(l.MerkleLeafHash, func(node compact.NodeID, hash []byte) {
			id := tileOf(node)
			t := e.tiles[id]
			if t == nil {
				t = new(tile)
				e.tiles[id] = t
			}
			t.set(node.Level%tileLevels, node.Index, hash)
			changed[id] = t
		})
		if err != nil {
			return nil, err
		}
	}
	for id, t := range changed {
		if t.full() {
			delete(e.tiles, id)
		}
	}
	return changed, nil
}

// follow stores the head after the one before it; errMoved if that is not the newest.
func (h treeHead) follow(ctx context.Context, to *session, tree int64, before treeHead) error {
	result, err := to.run(ctx, "INSERT INTO TreeHead(TreeId,TreeHeadTimestamp,TreeSize,RootHash,TreeRevision,RootSignature)"+
		" SELECT TreeId,?,?,?,?,'' FROM TreeHead WHERE TreeId=? AND TreeRevision=? AND TreeHeadTimestamp=? AND TreeSize=? AND RootHash=?",
		h.TimestampNanos, h.TreeSize, h.RootHash, h.revision,
		tree, before.revision, before.TimestampNanos, before.TreeSize, before.RootHash)
	if mysqldb.Duplicate(err) {
		return errMoved // there is one of the new revision
	}
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		return errors.Join(errMoved, err)
	}
	return nil
}
