package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

var errPower = errors.New("the power has failed")

// recovered opens what a crash has left, and holds that each of the leaves that
// were acknowledged is there, that there is no other than those that e gives at
// sizes, that nothing is served before it is published, and that the index goes on.
func recovered(t *testing.T, o Options, e *entries, sizes []int, acknowledged uint64) {
	t.Helper()
	x := open(t, o)
	defer x.Close()
	count := x.Leaves()
	if count < acknowledged || count > uint64(len(sizes)) {
		t.Fatalf("%d leaves, and %d were acknowledged", count, acknowledged)
	}
	for n := range count {
		if leaf, err := x.Leaf(n); err != nil || string(leaf.Text) != e.leaf(t, sizes[n]) {
			t.Fatalf("leaf %d is %q, %v", n, leaf.Text, err)
		}
	}
	notServed(t, x)
	if x.Behind() {
		if _, err := x.Update(t.Context(), e.at(len(e.all)), e); !errors.Is(err, ErrBehind) {
			t.Fatalf("a leaf although the map is behind: %v", err)
		}
		if err := x.CatchUp(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if count > 0 {
		// All but the newest are published.
		if err := x.Publish(count - 1); err != nil {
			t.Fatal(err)
		}
		notServed(t, x)
		if _, err := x.Update(t.Context(), e.at(len(e.all)), e); !errors.Is(err, ErrUnpublished) {
			t.Fatalf("a leaf after one that is not published: %v", err)
		}
		if leaf, pending, err := x.Pending(); err != nil || !pending || leaf.Number != count-1 {
			t.Fatalf("pending: %+v, %v, %v", leaf, pending, err)
		}
		if err := x.Publish(count); err != nil {
			t.Fatal(err)
		}
		if v, err := x.View(); err == nil {
			v.Close()
			check(t, x, e, sizes[count-1])
		} else if x.Next() == uint64(sizes[count-1]) {
			t.Fatal(err)
		}
	}
	if x.Next() < uint64(len(e.all)) {
		update(t, x, e, len(e.all))
		check(t, x, e, len(e.all))
	}
}

// The power fails between any two steps, with nothing, some or all of what was not
// synced on the disk.
func TestCrashAtEachStep(t *testing.T) {
	e := someEntries(40, 200)
	sizes := []int{50, 100, 180}
	for _, step := range []string{"run computed", "run written", "leaf in the map", "leaf kept"} {
		for nth := 1; nth <= 5; nth++ {
			for _, unsynced := range []int{0, 50, 100} {
				at := 0
				armed := false
				fs := vfs.NewCrashableMem()
				x := open(t, Options{fs: fs, run: 70, fault: func(s string) error {
					if armed && s == step {
						if at++; at == nth {
							return errPower
						}
					}
					return nil
				}})
				update(t, x, e, sizes[0])
				update(t, x, e, sizes[1])
				readAhead(t, x, e, sizes[1]+nth*15)
				armed = true
				_, err := x.Update(t.Context(), e.at(sizes[2]), e)
				if err != nil && !errors.Is(err, errPower) {
					t.Fatal(err)
				}
				acknowledged := uint64(2)
				if err == nil || step == "leaf kept" || step == "leaf in the map" {
					acknowledged = 3
				}
				rng := rand.New(rand.NewPCG(uint64(nth), uint64(unsynced)))
				left := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: unsynced, RNG: rng})
				recovered(t, Options{fs: left, run: 70}, e, sizes, acknowledged)
				if err != nil { // the process lives on, and tries again
					armed = false
					for !errors.Is(err, ErrUnpublished) && err != nil {
						_, err = x.Update(t.Context(), e.at(sizes[2]), e)
					}
					if err := x.Publish(3); err != nil {
						t.Fatal(err)
					}
					check(t, x, e, sizes[2])
				}
				x.Close()
				if nth > at { // there are not so many
					break
				}
			}
		}
	}
}

// The power fails at any moment of a long run, with a map that is deleted on the
// way.
func TestCrashAtAnyMoment(t *testing.T) {
	e := someEntries(60, 600)
	var sizes []int
	for size := 7; size < len(e.all); size += 7 {
		sizes = append(sizes, size)
	}
	rng := rand.New(rand.NewPCG(15, 16))
	for round := range 3 {
		fs := vfs.NewCrashableMem()
		x := open(t, Options{fs: fs, run: 20})
		var acknowledged atomic.Uint64
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			for i, size := range sizes {
				err := x.ReadAhead(ctx, uint64(size-i%4), e)
				if err != nil {
					done <- err
					return
				}
				leaf, err := x.Update(ctx, e.at(size), e)
				if err == nil {
					acknowledged.Store(leaf.Size())
					err = x.Publish(leaf.Size())
				}
				if err == nil && i%30 == 29 {
					if err = x.Reset(); err == nil {
						err = x.CatchUp(ctx, e)
					}
				}
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		target := rng.Uint64N(uint64(len(sizes)))
		for acknowledged.Load() < target {
			time.Sleep(100 * time.Microsecond)
		}
		time.Sleep(time.Duration(rng.Int64N(int64(3 * time.Millisecond))))
		least := acknowledged.Load()
		left := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50 * (round % 3), RNG: rng})
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		x.Close()
		recovered(t, Options{fs: left}, e, sizes, least)
	}
}

// TestKilled kills a real process that makes leaves, again and again.
func TestKilled(t *testing.T) {
	e := someEntries(60, 3000)
	var sizes []int
	for size := 3; size < len(e.all); size += 3 {
		sizes = append(sizes, size)
	}
	dir := filepath.Join(t.TempDir(), "index")
	if os.Getenv("TALLYROOT_TEST_INDEX") != "" {
		makeLeaves(t, os.Getenv("TALLYROOT_TEST_INDEX"), e, sizes)
		return
	}
	least := uint64(0)
	rng := rand.New(rand.NewPCG(17, 18))
	for range 3 {
		child := exec.Command(os.Args[0], "-test.run=^TestKilled$", "-test.v")
		child.Env = append(os.Environ(), "TALLYROOT_TEST_INDEX="+dir)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		enough := least + 20 + rng.Uint64N(40)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if n, ok := strings.CutPrefix(lines.Text(), "acknowledged "); ok {
				if least, err = strconv.ParseUint(n, 10, 64); err != nil {
					t.Fatal(err)
				}
				if least == enough {
					time.Sleep(time.Duration(rng.Int64N(int64(3 * time.Millisecond))))
					child.Process.Kill()
				}
			} else if strings.Contains(lines.Text(), "_test.go:") {
				t.Error(lines.Text())
			}
		}
		child.Wait()
		if t.Failed() {
			return
		}
		x := open(t, Options{Dir: dir, fs: vfs.Default})
		if x.Leaves() < least {
			t.Fatalf("%d leaves, and %d were acknowledged", x.Leaves(), least)
		}
		for n := range x.Leaves() {
			if leaf, err := x.Leaf(n); err != nil || n > least-3 && string(leaf.Text) != e.leaf(t, sizes[n]) {
				t.Fatalf("leaf %d is %q, %v", n, leaf.Text, err)
			}
		}
		x.Close()
	}
	recovered(t, Options{Dir: dir, fs: vfs.Default}, e, sizes, least)
}

func makeLeaves(t *testing.T, dir string, e *entries, sizes []int) {
	x := open(t, Options{Dir: dir, fs: vfs.Default, run: 5})
	if err := x.CatchUp(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if err := x.Publish(x.Leaves()); err != nil {
		t.Fatal(err)
	}
	for _, size := range sizes[x.Leaves():] {
		readAhead(t, x, e, size-1)
		fmt.Println("acknowledged", update(t, x, e, size).Size())
	}
}
