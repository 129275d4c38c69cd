package trillianlog_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/datadir"
)

const (
	childDir   = "TALLYROOT_TEST_CHILD_DIR"
	childRound = "TALLYROOT_TEST_CHILD_ROUND"
	killsWant  = "TALLYROOT_KILLS" // how many processes TestKill kills; 3 if not set
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := child(dir, os.Getenv(childRound)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child logs leaves from many goroutines until it is killed, and writes a line
// for each receipt that it would have sent to a client.
func child(dir, round string) error {
	lock, err := datadir.Lock(dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	w, err := loadWorld(dir)
	if err != nil {
		return err
	}
	l, err := w.tryOpen(nil)
	if err != nil {
		return err
	}
	defer l.Close()
	var mu sync.Mutex
	var wait sync.WaitGroup
	errs := make(chan error, 32)
	for client := range 32 {
		wait.Go(func() {
			for i := 0; ; i++ {
				if err := childLog(l, leaf(fmt.Sprintf("%s-%d-%d", round, client, i), strings.Repeat("x", client*40)), &mu); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	return <-errs
}

func childLog(l *trillianlog.Log, leaf trillianlog.Leaf, mu *sync.Mutex) error {
	ticket, err := l.Add(leaf)
	if err != nil {
		return err
	}
	placed, err := ticket.Wait(context.Background())
	if err != nil {
		return err
	}
	text, err := l.Receipt(placed.Index)
	if err != nil {
		return err
	}
	b64 := base64.StdEncoding.EncodeToString
	mu.Lock()
	defer mu.Unlock()
	_, err = fmt.Printf("%d %s %s\n", placed.Index, b64(leaf.Value), b64(text))
	return err
}

// saveWorld writes what a child needs to sign as the same log.
func (w *world) save() {
	w.tb.Helper()
	if err := os.WriteFile(w.path("log.key"), []byte(w.skey+"\n"+w.vkey+"\n"), 0o600); err != nil {
		w.tb.Fatal(err)
	}
}

func loadWorld(dir string) (*world, error) {
	w := &world{dir: dir, receipts: make(map[uint64]acknowledged), checkpoints: make(map[uint64]checkpoint.Checkpoint)}
	text, err := os.ReadFile(w.path("log.key"))
	if err != nil {
		return nil, err
	}
	keys := strings.Split(string(text), "\n")
	if len(keys) != 3 {
		return nil, errors.New("log.key has no two lines")
	}
	w.skey, w.vkey = keys[0], keys[1]
	return w, nil
}

// TestKill kills a real process at random moments under load. What it had
// acknowledged is there afterwards and proved; nothing is there twice; and no
// two checkpoints that were ever seen contradict each other.
func TestKill(t *testing.T) {
	kills := 3
	if text := os.Getenv(killsWant); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("%s=%q: want a number of kills, at least 1", killsWant, text)
		}
		kills = n
	}
	w := newWorld(t)
	w.save()
	for round := range kills {
		acknowledged := w.killOne(round, 1+rand.IntN(600))
		// In this process, as the next child would open it.
		l := w.open(nil)
		w.check(l)
		w.close(l)
		c, _ := l.Published()
		t.Logf("kill %d after %d receipts: %d leaves published", round+1, acknowledged, c.Size)
	}
	l := w.open(nil)
	for round := range kills { // every child's first leaf is there once
		if err := w.logOne(l, leaf(fmt.Sprintf("%d-0-0", round), "")); err != nil {
			t.Fatal(err)
		}
	}
	w.check(l)
	w.unique(l)
}

// killOne runs a child, kills it after some receipts and keeps all that it had
// written by then.
func (w *world) killOne(round, receipts int) (kept int) {
	w.tb.Helper()
	self, err := os.Executable()
	if err != nil {
		w.tb.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childDir+"="+w.dir, childRound+"="+strconv.Itoa(round))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		w.tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.tb.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if !w.keepLine(line) {
			break // torn by the kill
		}
		kept++
		switch {
		case kept == 1:
			w.refusesASecondProcess()
		case kept == receipts:
			if err := cmd.Process.Kill(); err != nil {
				w.tb.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.Exited() {
		w.tb.Fatalf("the child ended by itself after %d receipts: %v", kept, err)
	}
	return kept
}

// keepLine reads a child's line; false: it is not a whole one.
func (w *world) keepLine(line string) bool {
	var index uint64
	var value, text string
	if n, err := fmt.Sscanf(line, "%d %s %s", &index, &value, &text); n != 3 || err != nil {
		return false
	}
	v, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return false
	}
	r, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return false
	}
	w.keep(index, v, r)
	return true
}

// refusesASecondProcess is called while a child has the directory (rule 3).
func (w *world) refusesASecondProcess() {
	w.tb.Helper()
	if d, err := datadir.Lock(w.dir); !errors.Is(err, datadir.ErrLocked) {
		w.tb.Fatalf("a second process gets the directory: %v, %v", d, err)
	}
	if l, err := w.tryOpen(nil); err == nil {
		l.Close()
		w.tb.Fatal("a second process opens the store")
	}
}

// unique fails if a leaf stands in the log twice.
func (w *world) unique(l *trillianlog.Log) {
	w.tb.Helper()
	c, _ := l.Published()
	entries, err := l.Tiles().Entries(context.Background(), 0, c.Size)
	if err != nil {
		w.tb.Fatal(err)
	}
	seen := make(map[string]int)
	for i, entry := range entries {
		if before, ok := seen[string(entry)]; ok {
			w.tb.Fatalf("%.40q stands at %d and at %d", entry, before, i)
		}
		seen[string(entry)] = i
	}
}
