package embedded

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/google/trillian"
)

// childDir is the environment variable that makes the test binary a process
// to kill: it appends to the store in that folder until it dies, and prints
// the size after each batch that was acknowledged.
const childDir = "TALLYROOT_EMBEDDED_CHILD"

func child() {
	ctx := context.Background()
	b, err := Open(ctx, os.Getenv(childDir), Options{Logger: silent})
	if errors.Is(err, ErrInUse) {
		fmt.Println("in use")
		os.Exit(0)
	} else if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	next, _, err := b.Next(ctx)
	for err == nil {
		req := &trillian.AddSequencedLeavesRequest{LogId: b.TreeID()}
		for range 1 + rand.IntN(200) {
			req.Leaves = append(req.Leaves, leaf(next))
			next++
		}
		var resp *trillian.AddSequencedLeavesResponse
		if resp, err = b.Client().AddSequencedLeaves(ctx, req); err != nil {
			break
		}
		for _, r := range resp.Results {
			if r.Status.Code != 0 {
				err = fmt.Errorf("%v", r.Status)
			}
		}
		fmt.Println(next)
	}
	fmt.Println("error", err)
	os.Exit(1)
}

// startChild also wants the child's standard error to stay empty: Trillian's
// klog writes there.
func startChild(t *testing.T, dir string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var noise bytes.Buffer
	cmd.Stderr = &noise
	t.Cleanup(func() {
		if noise.Len() > 0 {
			t.Errorf("on the standard error: %s", &noise)
		}
	})
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

// What was acknowledged before kill -9 is there afterwards, in a tree that is
// whole, and the log goes on.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	var acknowledged uint64
	for round := range 6 {
		cmd, lines := startChild(t, dir)
		batches := 1 + rand.IntN(60)
		for i := 0; lines.Scan(); i++ {
			n, err := strconv.ParseUint(lines.Text(), 10, 64)
			if err != nil {
				t.Fatalf("the child says %q", lines.Text())
			}
			acknowledged = n
			if i == batches {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait()

		b := open(t, dir)
		r := root(t, b)
		if r.TreeSize < acknowledged {
			t.Fatalf("round %d: %d leaves, and %d were acknowledged", round, r.TreeSize, acknowledged)
		}
		var ref reference
		if !bytes.Equal(r.RootHash, ref.root(t, 0, r.TreeSize)) {
			t.Fatalf("round %d: wrong root at size %d", round, r.TreeSize)
		}
		if next, holes, err := b.Next(t.Context()); next != r.TreeSize || len(holes) != 0 || err != nil {
			t.Fatalf("round %d: Next is %d, %v, %v at size %d", round, next, holes, err, r.TreeSize)
		}
		ids := [][32]byte{identity(0), identity(r.TreeSize - 1), identity(r.TreeSize)}
		if found, err := b.Find(t.Context(), ids); err != nil || len(found) != 2 {
			t.Fatalf("round %d: found %v, %v", round, found, err)
		}
		add(t, b, r.TreeSize, r.TreeSize+1)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	cmd, lines := startChild(t, dir)
	var said []string
	for lines.Scan() {
		said = append(said, lines.Text())
	}
	if err := cmd.Wait(); err != nil || strings.Join(said, "\n") != "in use" {
		t.Fatalf("%v; the second process says %q", err, said)
	}
}
