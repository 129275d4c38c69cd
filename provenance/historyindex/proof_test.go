package historyindex_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/jcs"
)

// changes gives every proof that is one change away.
func changes(rng *rand.Rand, p historyindex.Proof) map[string]historyindex.Proof {
	all := map[string]historyindex.Proof{}
	add := func(name string, change func(p *historyindex.Proof)) {
		changed := p
		changed.Path = slices.Clone(p.Path)
		change(&changed)
		all[name] = changed
	}
	flip := func(h *historyindex.Hash, bit int) { h[bit/8] ^= 0x80 >> (bit % 8) }
	add("present or absent", func(p *historyindex.Proof) { p.Present = !p.Present })
	add("empty or not", func(p *historyindex.Proof) { p.Empty = !p.Empty })
	add("nothing but empty", func(p *historyindex.Proof) { *p = historyindex.Proof{Empty: !p.Empty} })
	for bit := range 256 {
		add(fmt.Sprint("bit of the key ", bit), func(p *historyindex.Proof) { flip(&p.Key, bit) })
		add(fmt.Sprint("bit of the value ", bit), func(p *historyindex.Proof) { flip(&p.Value, bit) })
	}
	for i := range p.Path {
		add(fmt.Sprint("hash of step ", i), func(p *historyindex.Proof) { flip(&p.Path[i].Hash, rng.IntN(256)) })
		for other := range 256 {
			if uint8(other) != p.Path[i].Bit {
				add(fmt.Sprint("step ", i, " at ", other), func(p *historyindex.Proof) { p.Path[i].Bit = uint8(other) })
			}
		}
		add(fmt.Sprint("without step ", i), func(p *historyindex.Proof) { p.Path = slices.Delete(p.Path, i, i+1) })
		add(fmt.Sprint("cut at step ", i), func(p *historyindex.Proof) { p.Path = p.Path[:i] })
		add(fmt.Sprint("twice step ", i), func(p *historyindex.Proof) { p.Path = slices.Insert(p.Path, i, p.Path[i]) })
		if i > 0 {
			add(fmt.Sprint("swapped steps ", i), func(p *historyindex.Proof) { p.Path[i], p.Path[i-1] = p.Path[i-1], p.Path[i] })
			add(fmt.Sprint("swapped hashes ", i), func(p *historyindex.Proof) {
				p.Path[i].Hash, p.Path[i-1].Hash = p.Path[i-1].Hash, p.Path[i].Hash
			})
		}
	}
	for _, bit := range []uint8{0, 1, 100, 255} {
		add(fmt.Sprint("another step at the leaf, bit ", bit), func(p *historyindex.Proof) {
			p.Path = slices.Insert(p.Path, 0, historyindex.Step{Bit: bit})
		})
		add(fmt.Sprint("another step at the root, bit ", bit), func(p *historyindex.Proof) {
			p.Path = append(p.Path, historyindex.Step{Bit: bit})
		})
	}
	return all
}

// Any single change to a proof makes it fail.
func TestChangedProofsFail(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	reasons := []error{historyindex.ErrProofForm, historyindex.ErrProofKey, historyindex.ErrProofPath, historyindex.ErrProofAbsence, historyindex.ErrProofRoot}
	seen := map[error]int{}
	for name, pairs := range keySets(rng) {
		if name == "the longest path" || len(pairs) > 40 {
			continue
		}
		root := rootOf(t, pairs)
		keys := asked(rng, pairs)
		rng.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		for _, key := range keys[:min(len(keys), 3)] {
			p := prove(t, pairs, key)
			if err := p.Verify(root, key); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for what, changed := range changes(rng, p) {
				err := changed.Verify(root, key)
				if err == nil {
					t.Errorf("%s: %x: changed in its %s, it holds", name, key, what)
				}
				for _, reason := range reasons {
					if errors.Is(err, reason) {
						seen[reason]++
					}
				}
			}
			for bit := range 256 {
				other, wrong := key, root
				other[bit/8] ^= 0x80 >> (bit % 8)
				wrong[bit/8] ^= 0x80 >> (bit % 8)
				if p.Verify(wrong, key) == nil {
					t.Errorf("%s: holds for another root", name)
				}
				if p.Present && p.Verify(root, other) == nil {
					t.Errorf("%s: holds for another key", name)
				}
			}
		}
	}
	for _, reason := range reasons {
		if seen[reason] == 0 {
			t.Errorf("no change fails with %q", reason)
		}
	}
}

// No proof of absence can be made for a key that is there: not from any leaf of
// the map with its true path.
func TestNoAbsenceOfWhatIsThere(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for name, pairs := range keySets(rng) {
		if len(pairs) > 40 {
			continue
		}
		root := rootOf(t, pairs)
		for _, there := range pairs[:min(len(pairs), 10)] {
			for _, other := range pairs {
				p := prove(t, pairs, historyindex.Hash(other.Key))
				p.Present = false
				if err := p.Verify(root, historyindex.Hash(there.Key)); !errors.Is(err, historyindex.ErrProofAbsence) {
					t.Fatalf("%s: %x is absent by the leaf of %x: %v", name, there.Key, other.Key, err)
				}
			}
		}
	}
}

func TestProofJSON(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	for name, pairs := range keySets(rng) {
		for _, key := range asked(rng, pairs)[:min(3, len(pairs)+1)] {
			p := prove(t, pairs, key)
			text := p.AppendJSON(nil)
			v, err := jcs.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			back, err := historyindex.ParseProof(v)
			if err != nil || !reflect.DeepEqual(back, p) {
				t.Fatalf("%s: %s: %v", name, text, err)
			}
		}
	}
	fixed := historyindex.Proof{Present: true, Key: historyindex.Hash{1}, Value: historyindex.Hash{2}, Path: []historyindex.Step{{Bit: 255, Hash: historyindex.Hash{3}}, {Bit: 0}}}
	const want = `{"present":true,"key":"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","value":"AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","path":[{"bit":255,"hash":"AwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},{"bit":0,"hash":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}]}`
	if got := string(fixed.AppendJSON(nil)); got != want {
		t.Errorf("got %s", got)
	}
	empty := historyindex.Proof{Empty: true}
	if got := string(empty.AppendJSON(nil)); got != `{"present":false,"key":"","value":"","path":[]}` {
		t.Errorf("got %s", got)
	}
	for _, change := range [][2]string{
		{`"present":true`, `"present":"true"`},
		{`"present":true,`, ``},
		{`{"present"`, `{"more":1,"present"`},
		{`"AQAA`, `"AQA`},
		{`AAA="`, `AAB="`},
		{`"value":"Ag`, `"value":"","x":"Ag`},
		{`{"bit":255,`, `{"bit":256,`},
		{`{"bit":255`, `{"bat":255`},
		{`{"bit":0,`, `{"bit":-0.5,`},
		{`{"bit":0,`, `{"bit":"0",`},
		{`{"bit":0,`, `{"side":1,"bit":0,`},
		{`,"path":[`, `,"path":[7,`},
	} {
		bad := strings.Replace(want, change[0], change[1], 1)
		v, err := jcs.Parse([]byte(bad))
		if err != nil || bad == want {
			t.Fatalf("%s: %v", bad, err)
		}
		if _, err := historyindex.ParseProof(v); !errors.Is(err, historyindex.ErrProofForm) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	long := `{"present":true,"key":"` + want[23:67] + `","value":"` + want[23:67] + `","path":[` + strings.TrimSuffix(strings.Repeat(`{"bit":1,"hash":"`+want[23:67]+`"},`, historyindex.MaxPath+1), ",") + `]}`
	v, err := jcs.Parse([]byte(long))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := historyindex.ParseProof(v); !errors.Is(err, historyindex.ErrProofForm) {
		t.Errorf("a path of %d steps: %v", historyindex.MaxPath+1, err)
	}
	if _, err := historyindex.ParseProof(jcs.NewString("no object")); !errors.Is(err, historyindex.ErrProofForm) {
		t.Error(err)
	}
}

func FuzzParseProof(f *testing.F) {
	f.Add(`{"present":false,"key":"","value":"","path":[]}`)
	f.Add(`{"present":true,"key":"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","value":"AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","path":[{"bit":255,"hash":"AwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		v, err := jcs.Parse([]byte(text))
		if err != nil {
			return
		}
		p, err := historyindex.ParseProof(v)
		if err != nil {
			return
		}
		again, err := jcs.Parse(p.AppendJSON(nil))
		if err != nil || !jcs.Equal(again, v) {
			t.Errorf("%s becomes %s: %v", text, p.AppendJSON(nil), err)
		}
		_ = p.Verify(historyindex.Hash{}, historyindex.Hash{})
	})
}
