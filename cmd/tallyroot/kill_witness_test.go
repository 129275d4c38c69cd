package main

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
)

// TestKillWitnesses kills witnesses and the service at random moments under load.
// What was acknowledged stays, no two checkpoints contradict each other, what the
// witnesses have seen among them, and each receipt meets the policy.
func TestKillWitnesses(t *testing.T) {
	k := killedIn(t, t.TempDir())
	data := filepath.Join(k.dir, "data")
	if out, err := exec.Command("tallyroot", "log", "key", "--data", data, "--origin", "kill.example/log").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	// Both logs have the same witnesses.
	keys := filepath.Join(k.dir, "keys.txt")
	var logs []string
	for _, name := range []string{"log.vkey", "index.vkey"} {
		key, err := readOneLine(filepath.Join(data, name))
		if err != nil {
			t.Fatal(err)
		}
		logs = append(logs, "log "+key+"\n")
	}
	write := func(file, text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(keys, strings.Join(logs, ""))
	var witnesses []*killedWitness
	var rest string
	for _, name := range []string{"one", "two", "three"} {
		w := &killedWitness{t: t, name: name, dir: filepath.Join(k.dir, name), logKey: keys, listen: "127.0.0.1:0"}
		w.start()
		witnesses = append(witnesses, w)
		rest += fmt.Sprintf("witness %s %s http://%s\n", name, w.key, w.listen)
	}
	rest += "group enough 2 one two three\nquorum enough\n"
	k.policy = filepath.Join(k.dir, "policy.txt")
	indexPolicy := filepath.Join(k.dir, "index-policy.txt")
	write(k.policy, logs[0]+rest)
	write(indexPolicy, logs[1]+rest)
	k.flags = []string{"--policy", k.policy, "--index-policy", indexPolicy}
	k.start()
	k.addParticipant()
	for i := range kills(t, 2) {
		w := witnesses[i%len(witnesses)]
		k.round("a witness, and then the service", func() error {
			if err := w.kill(); err != nil {
				return err
			}
			if err := k.more(100); err != nil { // the others are enough
				return err
			}
			w.start()
			return errors.Join(k.more(100), k.kill())
		}, k.start)
		k.round("the service and two witnesses", func() error {
			for _, w := range witnesses[:2] {
				if err := w.kill(); err != nil {
					return err
				}
			}
			return k.kill()
		}, func() {
			for _, w := range witnesses[:2] {
				w.start()
			}
			k.start()
		})
		for _, w := range witnesses {
			k.seen(w.newest("kill.example/log"))
			k.index.saw(t, w.newest("kill.example/log/index"))
		}
		k.consistent()
	}
	k.settle()
}

// more waits until so many more events are acknowledged.
func (k *killed) more(n int) error {
	count := func() int {
		k.mu.Lock()
		defer k.mu.Unlock()
		return len(k.acknowledged)
	}
	until := count() + n
	for end := time.Now().Add(patience); count() < until; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("no %d more events are acknowledged within %v", n, patience)
		}
	}
	return nil
}

// killedWitness is a witness that is killed again and again, always at one address.
type killedWitness struct {
	t                 *testing.T
	name, dir, logKey string
	listen, key       string
	cmd               *exec.Cmd
}

func (w *killedWitness) start() {
	w.t.Helper()
	w.cmd = exec.Command("tallyroot", "witness", "--data", w.dir, "--name", w.name+".example/w", "--log-key", w.logKey, "--listen", w.listen)
	stdout, err := w.cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	cmd := w.cmd
	w.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, _ := bufio.NewReader(stdout).ReadString('\n')
	said := regexp.MustCompile(`^witness \S+ listening on http://(\S+), key (\S+)\n$`).FindStringSubmatch(line)
	if said == nil || w.key != "" && w.key != said[2] {
		w.t.Fatalf("the witness said %q", line)
	}
	w.listen, w.key = said[1], said[2]
}

func (w *killedWitness) kill() error {
	if err := w.cmd.Process.Kill(); err != nil {
		return err
	}
	_ = w.cmd.Wait()
	return nil
}

// newest is what it has cosigned last of a log.
func (w *killedWitness) newest(origin string) checkpoint.Checkpoint {
	w.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		resp, err := http.Get(fmt.Sprintf("http://%s/%x/checkpoint", w.listen, sha256.Sum256([]byte(origin))))
		if err != nil {
			w.t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if c, _, parseErr := checkpoint.Parse(text); err == nil && parseErr == nil {
			return c
		}
		if time.Now().After(end) {
			w.t.Fatalf("%s: %s", resp.Status, text)
		}
	}
}
