package embedded

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/trillian"
	"github.com/google/trillian/types"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// logState is what is known of one tree without asking the disk. The one that
// readers see equals what is durable: a writer changes a copy and puts it in
// place after its commit.
type logState struct {
	root *trillian.SignedLogRoot // nil: the tree is not initialised
	size uint64                  // of root
	time uint64                  // of root, nanoseconds since 1970
	next uint64                  // no leaf is stored at this index or a later one
	// edge has the tiles that are not full at size, nil where there are no
	// hashes beyond the full ones.
	edge [tileLevels]*tile
	// damage says why the stored leaves do not give root, if so.
	damage error
}

func (st *logState) refuseDamage(dir string) error {
	if st.damage == nil {
		return nil
	}
	return refuse(ErrDamaged, codes.DataLoss, st.damage,
		"the stored leaves of %s do not give the stored root at size %d; restore the folder from a copy that is not older than the last checkpoint", dir, st.size)
}

var errNoTree = errors.New("no such tree")

// loadState reads a tree's state, rebuilding the right edge from the leaves
// and full tiles.
func (s *store) loadState(tree int64) (*logState, error) {
	if ok, err := s.has(treeKey(kindTree, tree)); err != nil {
		return nil, readError("the tree", err)
	} else if !ok {
		return nil, status.Errorf(codes.NotFound, "tree %d: %v", tree, errNoTree)
	}
	st := new(logState)
	var err error
	if st.next, err = s.lastLeaf(tree); err != nil {
		return nil, readError("the last leaf", err)
	}
	head, err := s.read(treeKey(kindHead, tree))
	if err != nil {
		return nil, readError("the root", err)
	}
	if head == nil {
		return st, nil
	}
	var root types.LogRootV1
	if err := root.UnmarshalBinary(head); err != nil {
		return nil, readError("the root", err)
	}
	st.root = &trillian.SignedLogRoot{LogRoot: head}
	st.size, st.time = root.TreeSize, root.TimestampNanos
	if st.next < st.size {
		st.damage = fmt.Errorf("the last stored leaf is %d, and the tree has %d", int64(st.next)-1, st.size)
	} else if err := s.loadEdge(tree, st); err != nil {
		st.damage = err
	} else if st.size > 0 {
		st.damage = s.checkRoot(tree, st, root.RootHash)
	}
	if st.damage != nil {
		s.disk.logger.Error("store: the stored leaves do not give the stored root; nothing can be appended",
			"dir", s.disk.dir, "tree", tree, "size", st.size, "err", st.damage)
	}
	return st, nil
}

// lastLeaf is the index after the last stored leaf's.
func (s *store) lastLeaf(tree int64) (uint64, error) {
	prefix := treeKey(kindLeaf, tree)
	it, err := s.disk.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return 0, err
	}
	defer it.Close()
	if !it.Last() {
		return 0, it.Error()
	}
	return leafIndex(it.Key()) + 1, it.Error()
}

// loadEdge fills st.edge: the leaf hashes after the last full tile, and above
// them the roots of full tiles.
func (s *store) loadEdge(tree int64, st *logState) error {
	for level := range uint8(tileLevels) {
		index, width := edge(st.size, level)
		if width == 0 {
			continue
		}
		t := new(tile)
		for i := range uint64(width) {
			at := index*tileWidth + i
			if level == 0 {
				leaf, err := s.leaf(tree, at)
				if err != nil {
					return err
				}
				if leaf == nil {
					return fmt.Errorf("leaf %d is missing", at)
				}
				if copy(t.node(0, i)[:], leaf.MerkleLeafHash) != hashSize {
					return fmt.Errorf("leaf %d: %w", at, errRecord)
				}
				continue
			}
			child, err := s.fullTile(tree, tileID{level - 1, at})
			if err != nil {
				return err
			}
			*t.node(0, i) = child.root()
		}
		t.fill(width)
		st.edge[level] = t
	}
	return nil
}

func (s *store) checkRoot(tree int64, st *logState, want []byte) error {
	ids := compact.RangeNodes(0, st.size, nil)
	hashes := make([][]byte, len(ids))
	for i, id := range ids {
		h, err := s.node(tree, st, nil, id)
		if err != nil {
			return err
		}
		hashes[i] = h
	}
	r, err := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewRange(0, st.size, hashes)
	if err != nil {
		return err
	}
	got, err := r.GetRootHash(nil)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("they give %x at size %d, and %x is stored", got, st.size, want)
	}
	return nil
}

// node is a node's hash at the size of st. fresh has tiles that are not yet
// committed.
func (s *store) node(tree int64, st *logState, fresh map[tileID]*tile, id compact.NodeID) ([]byte, error) {
	// The test for overflow comes first: Coverage shifts.
	if id.Level >= 63 || id.Index >= st.size>>id.Level {
		return nil, status.Errorf(codes.NotFound, "no node at level %d, index %d in a tree of %d leaves", id.Level, id.Index, st.size)
	}
	tid, height, i := place(id)
	t := fresh[tid]
	if t == nil {
		if index, _ := edge(st.size, tid.level); tid.index == index {
			if t = st.edge[tid.level]; t == nil {
				return nil, status.Errorf(codes.DataLoss, "the node at level %d, index %d is not stored", id.Level, id.Index)
			}
		} else {
			var err error
			if t, err = s.fullTile(tree, tid); err != nil {
				return nil, status.Error(codes.DataLoss, err.Error())
			}
		}
	}
	// A slice of the tile itself: nodes never change, and no caller writes.
	return t.node(height, i)[:], nil
}

func (s *store) fullTile(tree int64, id tileID) (*tile, error) {
	key := cacheKey{tree, id}
	if t := s.tiles.get(key); t != nil {
		return t, nil
	}
	row, err := s.read(storedTileKey(tree, id))
	if err != nil {
		return nil, fmt.Errorf("tile %d of level %d: %w", id.index, id.level, err)
	}
	if row == nil {
		return nil, fmt.Errorf("tile %d of level %d is missing", id.index, id.level)
	}
	t, err := parseTile(row)
	if err != nil {
		return nil, fmt.Errorf("tile %d of level %d: %w", id.index, id.level, err)
	}
	s.tiles.add(key, t)
	return t, nil
}
