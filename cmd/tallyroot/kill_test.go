package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/tallyroot/tallyroot/cmd/tallyroot/internal/client"
	"github.com/tallyroot/tallyroot/provenance/verify"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
)

// killsWanted is how many times TestKill and its like kill; a few times if it is not set.
const killsWanted = "TALLYROOT_KILLS"

// TestKill kills the real service at random moments under load. Whatever it had
// acknowledged is there afterwards, its receipt verifies, and no two checkpoints
// that anybody ever saw contradict each other.
func TestKill(t *testing.T) {
	k := newKilled(t)
	for range kills(t, 3) {
		k.round("the service", k.kill, func() { k.start() })
	}
	k.settle()
}

// kills is how many times each thing is killed.
func kills(t *testing.T, unset int) int {
	text := os.Getenv(killsWanted)
	if text == "" {
		return unset
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q: want a number of kills, at least 1", killsWanted, text)
	}
	return n
}

// newKilled starts a service, with more flags where its log lies elsewhere.
func newKilled(t *testing.T, flags ...string) *killed {
	k := killedIn(t, t.TempDir())
	k.flags = flags
	k.start()
	k.addParticipant()
	return k
}

func killedIn(t *testing.T, dir string) *killed {
	return &killed{t: t, dir: dir, lost: map[int]bool{}, acknowledged: map[int]client.Result{}, checkpoints: map[uint64]checkpoint.Checkpoint{}}
}

// round kills something at a random moment under load, starts it again, and
// checks what was acknowledged meanwhile.
func (k *killed) round(what string, kill func() error, start func()) {
	k.t.Helper()
	before, first := len(k.acknowledged), k.sent
	stop := k.watchIndex()
	k.loadAndKill(1+rand.IntN(400), kill)
	start()
	stop()
	k.t.Logf("%s killed: %d events acknowledged, %d without an answer so far", what, len(k.acknowledged)-before, len(k.lost))
	k.check(first)
	k.checkIndex()
}

func (k *killed) kill() error {
	if err := k.cmd.Process.Kill(); err != nil {
		return err
	}
	_ = k.cmd.Wait()
	return nil
}

// settle sends again what got no answer: each is logged once.
func (k *killed) settle() {
	k.t.Helper()
	lost := slices.Sorted(maps.Keys(k.lost))
	for _, n := range lost {
		k.post(n)
	}
	if len(k.lost) > 0 {
		k.t.Fatalf("%d events are refused that were on their way when something was killed", len(k.lost))
	}
	k.check(0)
	k.checkIndex()
	k.unique()
}

// killed is a service that is killed again and again, and all that it ever said.
type killed struct {
	t      *testing.T
	dir    string
	flags  []string
	policy string // the file of the policy that receipts meet; "": the log's key alone
	cmd    *exec.Cmd
	client *client.Client
	token  string

	mu           sync.Mutex
	sent         int
	lost         map[int]bool          // sent, and no answer came
	acknowledged map[int]client.Result // by the event's number
	checkpoints  map[uint64]checkpoint.Checkpoint
	index        seenIndex
}

// start runs the service until it listens.
func (k *killed) start() {
	k.t.Helper()
	cmd := exec.Command("tallyroot", append([]string{"serve", "--data", filepath.Join(k.dir, "data"), "--listen", "127.0.0.1:0",
		"--origin", "kill.example/log", "--policy", "none", "--index-policy", "none", "--rate-limit", "0"}, k.flags...)...)
	var logs strings.Builder
	cmd.Stderr = &logs
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		k.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	k.cmd = cmd
	k.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, _ := bufio.NewReader(stdout).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !ok {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		k.t.Fatalf("it does not start again; it said %q and %s", line, logs.String())
	}
	go func() { _, _ = io.Copy(io.Discard, stdout) }()
	if k.client, err = client.New(address, k.token); err != nil {
		k.t.Fatal(err)
	}
}

func (k *killed) addParticipant() {
	k.t.Helper()
	admin, err := os.ReadFile(filepath.Join(k.dir, "data", "admin.token"))
	if err != nil {
		k.t.Fatal(err)
	}
	c, err := client.New(k.client.Server(), strings.TrimSpace(string(admin)))
	if err != nil {
		k.t.Fatal(err)
	}
	var out struct{ Token string }
	err = c.JSON(context.Background(), client.Request{Method: http.MethodPost, Path: "/v1/participants"}, participantRequest{Name: "Farm"}, &out)
	if err != nil {
		k.t.Fatal(err)
	}
	k.token = out.Token
	if k.client, err = client.New(k.client.Server(), k.token); err != nil {
		k.t.Fatal(err)
	}
}

func event(n int) []byte {
	return fmt.Appendf(nil, `{"type":"ObjectEvent","eventTime":"2026-09-14T09:00:00Z","eventTimeZoneOffset":"+00:00","action":"OBSERVE","epcList":["urn:example:crate:%d"],"bizStep":"storing"}`, n)
}

// loadAndKill logs events from many connections, and kills once so many were
// acknowledged.
func (k *killed) loadAndKill(answers int, kill func() error) {
	k.t.Helper()
	first := k.sent
	enough := make(chan struct{})
	var wait sync.WaitGroup
	var once sync.Once
	until := len(k.acknowledged) + answers
	for range 16 {
		wait.Go(func() {
			for {
				k.mu.Lock()
				n := k.sent
				k.sent++
				k.lost[n] = true
				k.mu.Unlock()
				if !k.post(n) {
					return
				}
				k.mu.Lock()
				done := len(k.acknowledged) >= until
				k.mu.Unlock()
				if done {
					once.Do(func() { close(enough) })
				}
			}
		})
	}
	gone := make(chan struct{})
	go func() { wait.Wait(); close(gone) }()
	select {
	case <-enough:
	case <-gone:
		k.t.Fatalf("the service refused event %d or later", first)
	}
	if err := kill(); err != nil {
		k.t.Fatal(err)
	}
	<-gone
}

// post logs event n; false when no answer came or it was refused.
func (k *killed) post(n int) bool {
	resp, err := k.client.Do(context.Background(), client.Request{Method: http.MethodPost, Path: "/v1/events", Query: url.Values{"timeout": {"5s"}}, Type: client.TypeJSON, Body: event(n), Once: true})
	if err != nil {
		return false
	}
	var r client.Result
	if err := json.Unmarshal(resp.Body, &r); err != nil || r.Index == nil {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.lost, n)
	k.acknowledged[n] = r
	return true
}

// check compares what was acknowledged, of the events from first on, with what the
// service holds now, and all checkpoints that were ever seen with one another.
func (k *killed) check(first int) {
	k.t.Helper()
	p, err := readPolicy(k.policy, filepath.Join(k.dir, "data", "log.vkey"))
	if err != nil {
		k.t.Fatal(err)
	}
	trust := verify.Trust{Policy: p}
	for n, r := range k.acknowledged {
		if n < first {
			continue
		}
		e, err := k.client.Event(context.Background(), url.Values{"index": {strconv.FormatUint(uint64(*r.Index), 10)}})
		if err != nil {
			k.t.Fatalf("event %d was acknowledged at index %d: %v", n, *r.Index, err)
		}
		for which, text := range map[string]string{"then": r.Receipt, "now": e.Receipt} {
			v, err := verify.Receipt(e.Entry, []byte(text), trust)
			if err != nil {
				k.t.Fatalf("the receipt that event %d has %s: %v", n, which, err)
			}
			if idOf(v.Entry.JSON) != r.EventID || v.Index != uint64(*r.Index) {
				k.t.Fatalf("event %d was acknowledged as %s at %d; there stands %s", n, r.EventID, *r.Index, idOf(v.Entry.JSON))
			}
			k.seen(v.Checkpoint)
		}
	}
	k.consistent()
}

func (k *killed) seen(c checkpoint.Checkpoint) {
	k.t.Helper()
	if have, ok := k.checkpoints[c.Size]; ok && have != c {
		k.t.Fatalf("two checkpoints of size %d: %x and %x", c.Size, have.Root, c.Root)
	}
	k.checkpoints[c.Size] = c
}

// consistent proves each checkpoint that was ever seen to be the beginning of the
// next larger one.
func (k *killed) consistent() {
	k.t.Helper()
	sizes := slices.Sorted(maps.Keys(k.checkpoints))
	for i := 1; i < len(sizes); i++ {
		from, to := k.checkpoints[sizes[i-1]], k.checkpoints[sizes[i]]
		q := url.Values{"from": {fmt.Sprint(from.Size)}, "to": {fmt.Sprint(to.Size)}}
		var out struct{ Proof []string }
		if err := k.client.JSON(context.Background(), client.Request{Method: http.MethodGet, Path: "/v1/proof/consistency", Query: q}, nil, &out); err != nil {
			k.t.Fatal(err)
		}
		hashes := make([][]byte, len(out.Proof))
		for i, text := range out.Proof {
			var err error
			if hashes[i], err = base64.StdEncoding.DecodeString(text); err != nil {
				k.t.Fatal(err)
			}
		}
		if err := proof.VerifyConsistency(rfc6962.DefaultHasher, from.Size, to.Size, hashes, from.Root[:], to.Root[:]); err != nil {
			k.t.Fatalf("the checkpoint of size %d contradicts that of size %d: %v", from.Size, to.Size, err)
		}
	}
}

// unique: no two events were given one place, and each stands in the log once.
func (k *killed) unique() {
	k.t.Helper()
	at := map[client.Uint64]int{}
	for n, r := range k.acknowledged {
		if other, ok := at[*r.Index]; ok {
			k.t.Fatalf("events %d and %d both have index %d", n, other, *r.Index)
		}
		at[*r.Index] = n
		var again client.Event
		err := k.client.JSON(context.Background(), client.Request{Method: http.MethodGet, Path: "/v1/event", Query: url.Values{"id": {r.EventID}}}, nil, &again)
		if err != nil || again.Index != *r.Index || len(again.Others) > 0 {
			k.t.Fatalf("event %d stands at %d and at %d, %v: %v", n, *r.Index, again.Index, again.Others, err)
		}
	}
}
