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
	if err := os.WriteFile(path, make([]byte, 4097), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := last.Load(ctx); err == nil {
		t.Fatal("4,097 bytes are taken for a checkpoint")
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
