package historyindex_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
)

// TestDocumentedExample makes the example of docs/history-index.md, against which
// other implementations are written, from the entries of docs/entries.md, and holds
// that it stands there.
func TestDocumentedExample(t *testing.T) {
	entries, err := os.ReadFile("../../docs/entries.md")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("../../docs/history-index.md")
	if err != nil {
		t.Fatal(err)
	}
	lists := map[historyindex.Key][]uint64{}
	factory := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	log := factory.NewEmptyRange(0)
	for i, m := range regexp.MustCompile("(?s)```\n(tallyroot/entry/v1 example.org/log .*?)```").FindAllSubmatch(entries, -1) {
		e, err := entry.Parse(m[1])
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range historyindex.Keys(e) {
			lists[key] = append(lists[key], uint64(i))
		}
		if err := log.Append(rfc6962.DefaultHasher.HashLeaf(m[1]), nil); err != nil {
			t.Fatal(err)
		}
	}
	if log.End() != 3 || len(lists) != 6 {
		t.Fatalf("%d entries and %d keys", log.End(), len(lists))
	}
	want := func(format string, args ...any) {
		t.Helper()
		if line := fmt.Sprintf(format, args...); !strings.Contains(string(doc), line+"\n") {
			t.Errorf("docs/history-index.md lacks\n%s", line)
		}
	}
	var leaves []historyindex.MapLeaf
	values := map[historyindex.Hash]historyindex.Hash{}
	for key, positions := range lists {
		list := historyindex.ListOf(positions)
		hash := key.Hash()
		values[hash] = list.Value()
		leaf := historyindex.MapLeafHash(hash, list.Value())
		leaves = append(leaves, historyindex.MapLeaf{Key: hash, Hash: leaf})
		want("| `%d` `%s` | `%x` | %s | `%x` | `%x` |", key.Kind, key.Identifier, hash,
			strings.ReplaceAll(strings.Trim(fmt.Sprint(positions), "[]"), " ", ", "), list.Value(), leaf)
	}
	slices.SortFunc(leaves, func(a, b historyindex.MapLeaf) int { return historyindex.CompareHashes(a.Key, b.Key) })
	// The tree, from the definition.
	var draw func(leaves []historyindex.MapLeaf, indent string) historyindex.Hash
	draw = func(leaves []historyindex.MapLeaf, indent string) historyindex.Hash {
		if len(leaves) == 1 {
			want("%skey %x…", indent, leaves[0].Key[:4])
			return leaves[0].Hash
		}
		bit := 0
		for historyindex.Bit(&leaves[0].Key, bit) == historyindex.Bit(&leaves[len(leaves)-1].Key, bit) {
			bit++
		}
		cut := slices.IndexFunc(leaves, func(l historyindex.MapLeaf) bool { return historyindex.Bit(&l.Key, bit) == 1 })
		root, err := historyindex.MapRoot(leaves)
		if err != nil {
			t.Fatal(err)
		}
		want("%sr = %d  %x", indent, bit, root)
		if historyindex.MapNodeHash(draw(leaves[:cut], indent+"    "), draw(leaves[cut:], indent+"    "), uint8(bit)) != root {
			t.Error("the tree is not that of the root")
		}
		return root
	}
	root := draw(leaves, "")
	for _, identifier := range []string{"farm", "dairy"} {
		key := historyindex.Key{Kind: historyindex.By, Identifier: identifier}.Hash()
		at, path, err := historyindex.MapPath(leaves, key)
		if err != nil {
			t.Fatal(err)
		}
		p := historyindex.Proof{Present: leaves[at].Key == key, Key: leaves[at].Key, Value: values[leaves[at].Key], Path: path}
		if err := p.Verify(root, key); err != nil || p.Present != (identifier == "farm") {
			t.Errorf("%s: present %v, %v", identifier, p.Present, err)
		}
		want("key `%x`", key)
		want("%s", strings.NewReplacer(`,"value"`, ",\n \"value\"", `,"path"`, ",\n \"path\"", `},{`, "},\n  {").Replace(string(p.AppendJSON(nil))))
	}
	logRoot, err := log.GetRootHash(nil)
	if err != nil {
		t.Fatal(err)
	}
	leaf := historyindex.Leaf{MapRoot: root, Checkpoint: checkpoint.Checkpoint{Origin: "example.org/log", Size: 3, Root: historyindex.Hash(logRoot)}}
	want("```\n%s```", leaf)
	want("leaf hash `%x`", rfc6962.DefaultHasher.HashLeaf([]byte(leaf.String())))
	node := func(prefix string, numbers ...uint64) historyindex.Hash {
		b := []byte(prefix)
		for _, n := range numbers {
			b = binary.BigEndian.AppendUint64(b, n)
		}
		return sha256.Sum256(b)
	}
	zero, one := node("\x00", 0), node("\x00", 1)
	both := sha256.Sum256(append(append([]byte{1}, zero[:]...), one[:]...))
	want("SHA-256(0x00 ‖ u64 0) = `%x`  ", zero)
	want("SHA-256(0x00 ‖ u64 1) = `%x`  ", one)
	want("root = `%x`", both)
	if list := historyindex.ListOf([]uint64{0, 1}); list.Root() != both {
		t.Error("the example's list is not the definition's")
	}
}
