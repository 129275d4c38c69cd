package trillianlog_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tallyroot/tallyroot/trillianlog"
)

func TestFileLastCheckpoint(t *testing.T) {
	path := filepath.Join(t.TempDir(), "last")
	last := trillianlog.FileLastCheckpoint(path)
	ctx := t.Context()
	if _, err := last.Load(ctx); !errors.Is(err, trillianlog.ErrNoLastCheckpoint) {
		t.Fatalf("got %v", err)
	}
	swap := func(old, new string, want error) {
		t.Helper()
		var o []byte
		if old != "" {
			o = []byte(old)
		}
		if err := last.Swap(ctx, o, []byte(new)); !errors.Is(err, want) {
			t.Fatalf("%q to %q: %v", old, new, err)
		}
	}
	load := func(want string) {
		t.Helper()
		// As another process sees it.
		if got, err := trillianlog.FileLastCheckpoint(path).Load(ctx); err != nil || string(got) != want {
			t.Fatalf("holds %q, %v, want %q", got, err, want)
		}
	}
	swap("x", "a", trillianlog.ErrLastCheckpointChanged)
	swap("", "a long one", nil)
	load("a long one")
	swap("", "b", trillianlog.ErrLastCheckpointChanged)
	swap("a long one", "b", nil)
	load("b")
	swap("a long one", "c", trillianlog.ErrLastCheckpointChanged)
	swap("b", "a longer one than before", nil)
	load("a longer one than before")
	swap("a longer one than before", "d", nil)
	load("d") // nothing of a longer text is left behind it
	swap("d", "d", nil)
	load("d")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	swap("d", "e", trillianlog.ErrLastCheckpointChanged)
	// A text alone is taken, and followed by the next.
	if err := os.WriteFile(path, []byte("by hand"), 0o600); err != nil {
		t.Fatal(err)
	}
	load("by hand")
	swap("by hand", "f", nil)
	load("f")
	swap("f", "g", nil)
	load("g")
	for _, size := range []int{0, 3969, 8191, 8192, 8193, 1 << 20} {
		if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := last.Load(ctx); err == nil {
			t.Fatalf("%d zeros are taken for a checkpoint", size)
		}
	}
	if err := last.Swap(ctx, nil, make([]byte, 3969)); err == nil {
		t.Fatal("a text of 3,969 bytes was taken")
	}
}

// A write that was cut off leaves the text before it, wherever it was cut; and
// what is damaged is never taken for a text.
func TestFileLastCheckpointCutOff(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "last")
	last := trillianlog.FileLastCheckpoint(path)
	texts := []string{"log.example\n1\none\n", "log.example\n2\nanother, longer\n", "log.example\n3\nthree\n", "log.example\n4\nfour\n"}
	var old []byte
	var before []byte
	for i, text := range texts {
		if err := last.Swap(t.Context(), old, []byte(text)); err != nil {
			t.Fatal(err)
		}
		after, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for cut := 0; i > 0 && cut < len(after); cut++ {
			if cut > 0 && before[cut-1] == after[cut-1] {
				continue // the same as the cut before
			}
			torn := append(append([]byte(nil), after[:cut]...), before[cut:]...)
			name := filepath.Join(dir, "torn")
			if err := os.WriteFile(name, torn, 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := trillianlog.FileLastCheckpoint(name).Load(t.Context())
			if err != nil || string(got) != texts[i-1] && string(got) != text {
				t.Fatalf("swap %d cut at %d: %q, %v", i, cut, got, err)
			}
		}
		old, before = []byte(text), after
	}
	for at := range 400 {
		damaged := append([]byte(nil), before...)
		damaged[at] ^= 1
		damaged[at+4096] ^= 1
		name := filepath.Join(dir, "damaged")
		if err := os.WriteFile(name, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := trillianlog.FileLastCheckpoint(name).Load(t.Context())
		if err == nil && string(got) != texts[2] && string(got) != texts[3] {
			t.Fatalf("damaged at %d: %q", at, got)
		}
	}
}

// Of those who swap the same text at the same time, one wins.
func TestFileLastCheckpointIsACompareAndSwap(t *testing.T) {
	path := filepath.Join(t.TempDir(), "last")
	const rounds, rivals = 20, 8
	if err := trillianlog.FileLastCheckpoint(path).Swap(t.Context(), nil, []byte("round 0 of nobody")); err != nil {
		t.Fatal(err)
	}
	for round := range rounds {
		old, err := trillianlog.FileLastCheckpoint(path).Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var wait sync.WaitGroup
		var won atomic.Int32
		for rival := range rivals {
			wait.Go(func() {
				err := trillianlog.FileLastCheckpoint(path).Swap(t.Context(), old, fmt.Appendf(nil, "round %d of %d", round+1, rival))
				if err == nil {
					won.Add(1)
				} else if !errors.Is(err, trillianlog.ErrLastCheckpointChanged) {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d of %d win", won.Load(), rivals)
		}
	}
}
