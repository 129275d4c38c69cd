package historyindex_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/internal/testdata"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
)

type pair struct{ Key, Value []byte }

// A naive map is made from the definition alone: keys are strings of the digits 0
// and 1, and the tree is built by going down from the root.
type naive map[string][]byte // bits of a key → value

func digits(key []byte) string {
	var b strings.Builder
	for _, c := range key {
		fmt.Fprintf(&b, "%08b", c)
	}
	return b.String()
}

func undigits(bits string) (key historyindex.Hash) {
	for i := range bits {
		key[i/8] = key[i/8]<<1 | bits[i]&1
	}
	return key
}

func makeNaive(pairs []pair) naive {
	m := naive{}
	for _, p := range pairs {
		m[digits(p.Key)] = p.Value
	}
	return m
}

// shared gives how many digits all keys begin with.
func (m naive) shared() int {
	prefix, first := "", true
	for bits := range m {
		if first {
			prefix, first = bits, false
		}
		for !strings.HasPrefix(bits, prefix) {
			prefix = prefix[:len(prefix)-1]
		}
	}
	return len(prefix)
}

func (m naive) split() (r int, sides [2]naive) {
	r = m.shared()
	sides = [2]naive{{}, {}}
	for bits, value := range m {
		sides[bits[r]-'0'][bits] = value
	}
	return r, sides
}

func (m naive) root() []byte {
	h := sha256.New()
	if len(m) == 1 {
		for bits, value := range m {
			key := undigits(bits)
			h.Write(key[:])
			h.Write(value)
		}
	} else if len(m) > 1 {
		r, sides := m.split()
		h.Write(sides[0].root())
		h.Write(sides[1].root())
		h.Write([]byte{byte(r)})
	}
	return h.Sum(nil)
}

// prove goes down by the key's digits.
func (m naive) prove(key historyindex.Hash) historyindex.Proof {
	if len(m) == 0 {
		return historyindex.Proof{Empty: true}
	}
	if len(m) == 1 {
		for bits, value := range m {
			found := undigits(bits)
			return historyindex.Proof{Present: found == key, Key: found, Value: historyindex.Hash(value)}
		}
	}
	r, sides := m.split()
	side := digits(key[:])[r] - '0'
	p := sides[side].prove(key)
	p.Path = append(p.Path, historyindex.Step{Bit: uint8(r), Hash: historyindex.Hash(sides[1-side].root())})
	return p
}

// leavesOf gives what the package computes with, sorted.
func leavesOf(pairs []pair) []historyindex.MapLeaf {
	leaves := make([]historyindex.MapLeaf, len(pairs))
	for i, p := range pairs {
		key := historyindex.Hash(p.Key)
		leaves[i] = historyindex.MapLeaf{Key: key, Hash: historyindex.MapLeafHash(key, historyindex.Hash(p.Value))}
	}
	slices.SortFunc(leaves, func(a, b historyindex.MapLeaf) int { return historyindex.CompareHashes(a.Key, b.Key) })
	return leaves
}

func rootOf(t *testing.T, pairs []pair) historyindex.Hash {
	t.Helper()
	root, err := historyindex.MapRoot(leavesOf(pairs))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// prove makes the proof for a key with MapPath.
func prove(t *testing.T, pairs []pair, key historyindex.Hash) historyindex.Proof {
	t.Helper()
	if len(pairs) == 0 {
		return historyindex.Proof{Empty: true}
	}
	leaves := leavesOf(pairs)
	at, path, err := historyindex.MapPath(leaves, key)
	if err != nil {
		t.Fatal(err)
	}
	p := historyindex.Proof{Present: leaves[at].Key == key, Key: leaves[at].Key, Path: path}
	for _, pair := range pairs {
		if bytes.Equal(pair.Key, p.Key[:]) {
			p.Value = historyindex.Hash(pair.Value)
		}
	}
	return p
}

// keySets are sets of keys that are unlike each other.
func keySets(rng *rand.Rand) map[string][]pair {
	random := func() []byte {
		b := make([]byte, 32)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	with := func(n, prefixBits int) []pair {
		prefix := random()
		set := map[string]bool{}
		var pairs []pair
		for len(pairs) < n {
			key := random()
			for bit := range prefixBits {
				mask := byte(0x80) >> (bit % 8)
				key[bit/8] = key[bit/8]&^mask | prefix[bit/8]&mask
			}
			if !set[string(key)] {
				set[string(key)] = true
				pairs = append(pairs, pair{key, random()})
			}
		}
		return pairs
	}
	sets := map[string][]pair{"empty": nil}
	for _, n := range []int{1, 2, 3, 7, 40, 150} {
		sets[fmt.Sprint(n, " random")] = with(n, 0)
		for _, bits := range []int{1, 8, 31, 64, 200, 247} {
			sets[fmt.Sprint(n, " sharing ", bits)] = with(n, bits)
		}
	}
	last := random()
	other := slices.Clone(last)
	other[31] ^= 1
	sets["differ in the last bit"] = []pair{{last, random()}, {other, random()}}
	first := slices.Clone(last)
	first[0] ^= 0x80
	sets["differ in the first bit"] = []pair{{last, random()}, {first, random()}}
	// Each differs from the last one in one bit alone: the longest path there is.
	var comb []pair
	for bit := range 256 {
		key := slices.Clone(last)
		key[bit/8] ^= 0x80 >> (bit % 8)
		comb = append(comb, pair{key, random()})
	}
	sets["the longest path"] = append(comb, pair{last, random()})
	sets["two groups"] = append(with(20, 240), with(20, 240)...)
	return sets
}

// asked are keys to ask a map for: all that it has, and others that are near them
// and far from them.
func asked(rng *rand.Rand, pairs []pair) []historyindex.Hash {
	keys := []historyindex.Hash{{}}
	for _, p := range pairs {
		key := historyindex.Hash(p.Key)
		keys = append(keys, key)
		for range 3 {
			near, bit := key, rng.IntN(256)
			near[bit/8] ^= 0x80 >> (bit % 8)
			keys = append(keys, near)
		}
		keys = append(keys, sha256.Sum256(key[:]))
	}
	return keys
}

func TestMapIsTheDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for name, pairs := range keySets(rng) {
		m := makeNaive(pairs)
		root := rootOf(t, pairs)
		if !bytes.Equal(root[:], m.root()) {
			t.Errorf("%s: the root is %x, by the definition %x", name, root, m.root())
		}
		keys := asked(rng, pairs)
		rng.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		for _, key := range keys[:min(len(keys), 25)] {
			got, want := prove(t, pairs, key), m.prove(key)
			if got.Present != want.Present || got.Empty != want.Empty || got.Key != want.Key || got.Value != want.Value || !slices.Equal(got.Path, want.Path) {
				t.Fatalf("%s: the proof for %x is\n%+v, by the definition\n%+v", name, key, got, want)
			}
			if _, has := m[digits(key[:])]; has != got.Present {
				t.Errorf("%s: %x present: %v", name, key, got.Present)
			}
			if err := got.Verify(root, key); err != nil {
				t.Errorf("%s: %x: %v", name, key, err)
			}
		}
	}
}

// TestPublishedMaps holds the map against its published vectors.
func TestPublishedMaps(t *testing.T) {
	dir := filepath.Join(testdata.Dir(t), "mpt")
	type vector struct {
		Label       string
		Leaves      []pair
		Root, Proof []byte
		Target      int `json:"target_index"`
	}
	read := func(name string) (all []vector) {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(b) {
			var v vector
			if err := json.Unmarshal(line, &v); err != nil {
				t.Fatal(err)
			}
			all = append(all, v)
		}
		return all
	}
	roots, inclusions := read("mpt_root_kats.jsonl"), read("mpt_inclusion_kats.jsonl")
	if len(roots) != 24 || len(inclusions) != 36 {
		t.Errorf("%d and %d vectors", len(roots), len(inclusions))
	}
	for _, v := range roots {
		if root := rootOf(t, v.Leaves); !bytes.Equal(root[:], v.Root) {
			t.Errorf("%s: the root is %x, not %x", v.Label, root, v.Root)
		}
		if !bytes.Equal(makeNaive(v.Leaves).root(), v.Root) {
			t.Errorf("%s: the test's own map is wrong", v.Label)
		}
	}
	for _, v := range inclusions {
		target := v.Leaves[v.Target]
		p := prove(t, v.Leaves, historyindex.Hash(target.Key))
		b := append([]byte("mptproof\x01"), target.Value...)
		for _, s := range p.Path {
			b = append(append(b, s.Bit), s.Hash[:]...)
		}
		if !p.Present || !bytes.Equal(b, v.Proof) {
			t.Errorf("%s: the proof is %x, not %x", v.Label, b, v.Proof)
		}
		if err := p.Verify(historyindex.Hash(v.Root), historyindex.Hash(target.Key)); err != nil {
			t.Errorf("%s: %v", v.Label, err)
		}
	}
}

func TestUnsorted(t *testing.T) {
	pairs := keySets(rand.New(rand.NewPCG(3, 4)))["7 random"]
	leaves := leavesOf(pairs)
	for name, bad := range map[string][]historyindex.MapLeaf{
		"a key twice": {leaves[0], leaves[1], leaves[1], leaves[2]},
		"falling":     {leaves[0], leaves[2], leaves[1]},
	} {
		if _, err := historyindex.MapRoot(bad); !errors.Is(err, historyindex.ErrUnsorted) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// MapPath sees what is on its way.
	for _, bad := range [][]historyindex.MapLeaf{{leaves[0], leaves[0]}, {leaves[5], leaves[0]}} {
		if _, _, err := historyindex.MapPath(bad, leaves[0].Key); !errors.Is(err, historyindex.ErrUnsorted) {
			t.Errorf("%v", err)
		}
	}
	if _, _, err := historyindex.MapPath(nil, leaves[0].Key); err == nil {
		t.Error("an empty map has a path")
	}
}
