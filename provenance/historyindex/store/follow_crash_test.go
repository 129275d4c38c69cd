package store

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Leaves that are followed are not synced one by one. Whatever a crash leaves of the
// two databases, they agree, and the rest is taken again.
func TestCrashWhileFollowing(t *testing.T) {
	e := someEntries(60, 300)
	var list []string
	for size := 2; size <= len(e.all); size += 2 {
		list = append(list, e.leaf(t, size))
	}
	rng := rand.New(rand.NewPCG(19, 20))
	for range 6 {
		fs := vfs.NewCrashableMem()
		var left *vfs.MemFS
		steps, end := 0, 1+rng.IntN(2*len(list))
		x := open(t, Options{fs: fs, fault: func(string) error {
			if steps++; steps == end {
				left = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
				return errPower
			}
			return nil
		}})
		if err := x.Follow(t.Context(), texts(list...), e); !errors.Is(err, errPower) {
			t.Fatal(err)
		}
		x.Close()
		x = open(t, Options{fs: left})
		if x.Behind() {
			if err := x.CatchUp(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		for n := range x.Leaves() {
			if leaf, err := x.Leaf(n); err != nil || string(leaf.Text) != list[n] {
				t.Fatalf("leaf %d is %q, %v", n, leaf.Text, err)
			}
		}
		if err := x.Follow(t.Context(), texts(list[x.Leaves():]...), e); err != nil {
			t.Fatal(err)
		}
		if err := x.Publish(uint64(len(list))); err != nil {
			t.Fatal(err)
		}
		check(t, x, e, len(e.all))
		x.Close()
	}
}
