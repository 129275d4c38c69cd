package historyindex_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/transparency-dev/merkle"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/tallyroot/tallyroot/internal/testdata"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
)

// TestListRoot holds a list's root against two other implementations of RFC 6962.
func TestListRoot(t *testing.T) {
	factory := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	other := factory.NewEmptyRange(0)
	var hashes []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) (list []tlog.Hash, err error) {
		for _, i := range indexes {
			list = append(list, hashes[i])
		}
		return list, nil
	})
	var list historyindex.List
	var positions []uint64
	if list.Root() != sha256.Sum256(nil) {
		t.Error("the root of an empty list is wrong")
	}
	for i := range uint64(300) {
		position := i*i*i*12345 + i
		leaf := binary.BigEndian.AppendUint64(nil, position)
		positions = append(positions, position)
		list.Append(position)
		if err := other.Append(rfc6962.DefaultHasher.HashLeaf(leaf), nil); err != nil {
			t.Fatal(err)
		}
		stored, err := tlog.StoredHashes(int64(i), leaf, reader)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, stored...)
		third, err := tlog.TreeHash(int64(i)+1, reader)
		if err != nil {
			t.Fatal(err)
		}
		want, err := other.GetRootHash(nil)
		root := list.Root()
		if err != nil || !bytes.Equal(root[:], want) || root != historyindex.Hash(third) {
			t.Fatalf("%d positions: %x, not %x (%v)", i+1, root, want, err)
		}
		if made := historyindex.ListOf(positions); made.Root() != root || made.Count != i+1 || list.Count != i+1 {
			t.Fatalf("%d positions at once: %x, not %x", i+1, made.Root(), root)
		}
		if len(list.Hashes) != len(other.Hashes()) {
			t.Fatalf("%d hashes, not %d", len(list.Hashes), len(other.Hashes()))
		}
	}
}

func TestValue(t *testing.T) {
	root := sha256.Sum256([]byte("root"))
	want := sha256.Sum256(append([]byte("tallyroot/index/v1/list\x00\x00\x00\x00\x01\x00\x00\x00\x02"), root[:]...))
	if got := historyindex.Value(1<<32+2, root); got != want {
		t.Errorf("got %x", got)
	}
	list := historyindex.ListOf([]uint64{7})
	if list.Value() != historyindex.Value(1, sha256.Sum256([]byte("\x00\x00\x00\x00\x00\x00\x00\x00\x07"))) {
		t.Error("the value of a list is wrong")
	}
}

// listHasher hashes inner nodes as a List does.
type listHasher struct{ merkle.LogHasher }

func (h listHasher) HashChildren(left, right []byte) []byte {
	if len(left) != 32 || len(right) != 32 { // some vectors have such
		return h.LogHasher.HashChildren(left, right)
	}
	// Three leaves: a complete subtree of two, and one.
	list := historyindex.List{Count: 3, Hashes: []historyindex.Hash{historyindex.Hash(left), historyindex.Hash(right)}}
	root := list.Root()
	return root[:]
}

// TestPublishedTrees holds a list's inner nodes against the published proofs of
// RFC 6962 trees.
func TestPublishedTrees(t *testing.T) {
	hasher := listHasher{rfc6962.DefaultHasher}
	n := 0
	err := filepath.WalkDir(filepath.Join(testdata.Dir(t), "rfc6962"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".json" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var v struct {
			LeafIdx, TreeSize, Size1, Size2 uint64
			Root, LeafHash, Root1, Root2    []byte
			Proof                           [][]byte
			WantErr                         bool
		}
		if err := json.Unmarshal(b, &v); err != nil {
			return err
		}
		switch {
		case v.Root1 == nil && v.Root2 == nil:
			err = proof.VerifyInclusion(hasher, v.LeafIdx, v.TreeSize, v.LeafHash, v.Proof, v.Root)
		case v.Size1 > 0:
			err = proof.VerifyConsistency(hasher, v.Size1, v.Size2, v.Proof, v.Root1, v.Root2)
		default:
			return nil // nothing is hashed
		}
		n++
		if (err != nil) != v.WantErr {
			t.Errorf("%s: %v, wantErr %v", path, err, v.WantErr)
		}
		return nil
	})
	if err != nil || n < 150 {
		t.Errorf("%d vectors, %v", n, err)
	}
}
