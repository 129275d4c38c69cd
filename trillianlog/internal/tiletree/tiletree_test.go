package tiletree

import (
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// Roots and proofs are those of another implementation.
func TestProofs(t *testing.T) {
	t.Parallel()
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			hashes[i] = stored[index]
		}
		return hashes, nil
	})
	const most = 300
	for i := range int64(most) {
		more, err := tlog.StoredHashes(i, []byte{byte(i), byte(i >> 8)}, reader)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, more...)
	}
	node := func(row int, i uint64) (Hash, error) {
		return Hash(stored[tlog.StoredHashIndex(row, int64(i))]), nil
	}
	for _, size := range []uint64{0, 1, 2, 3, 7, 8, 100, 255, 256, 257, most} {
		folds, err := Fold(size, func(row int) (*Hash, error) {
			h, err := node(row, size>>row-1)
			return &h, err
		})
		if err != nil {
			t.Fatal(err)
		}
		want, err := tlog.TreeHash(int64(size), reader)
		if err != nil {
			t.Fatal(err)
		}
		if size > 0 && folds[64] != Hash(want) {
			t.Errorf("the root of %d: %x, want %x", size, folds[64], want)
		}
		for _, index := range []uint64{0, 1, size / 2, size - 1} {
			if size == 0 || index >= size {
				continue
			}
			proof, err := Inclusion(index, size, node)
			if err != nil {
				t.Fatal(err)
			}
			record := make(tlog.RecordProof, len(proof))
			for i, h := range proof {
				record[i] = tlog.Hash(h)
			}
			if err := tlog.CheckRecord(record, int64(size), want, int64(index), tlog.RecordHash([]byte{byte(index), byte(index >> 8)})); err != nil {
				t.Errorf("entry %d of %d: %v", index, size, err)
			}
			old, err := tlog.TreeHash(int64(index+1), reader)
			if err != nil {
				t.Fatal(err)
			}
			if proof, err = Consistency(index+1, size, node); err != nil {
				t.Fatal(err)
			}
			tree := make(tlog.TreeProof, len(proof))
			for i, h := range proof {
				tree[i] = tlog.Hash(h)
			}
			if err := tlog.CheckTree(tree, int64(size), want, int64(index+1), old); err != nil {
				t.Errorf("%d to %d: %v", index+1, size, err)
			}
		}
	}
}

func TestLRU(t *testing.T) {
	t.Parallel()
	c := NewLRU[int, string](2)
	c.Put(1, "one")
	c.Put(2, "two")
	c.Put(1, "uno")
	c.Put(3, "three") // forgets 2
	if _, ok := c.Get(2); ok || c.Len() != 2 {
		t.Errorf("2 is still there, of %d", c.Len())
	}
	if v, ok := c.Get(1); !ok || v != "uno" {
		t.Errorf("1 is %q, %v", v, ok)
	}
	c.Put(4, "four") // forgets 3: 1 was asked for
	if _, ok := c.Get(3); ok {
		t.Error("3 is still there")
	}
	if _, ok := c.Get(1); !ok {
		t.Error("1 is gone")
	}
}
