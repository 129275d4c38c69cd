package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/tallyroot/tallyroot/internal/durable"
	"github.com/tallyroot/tallyroot/provenance"
)

// demoWitnessTime is how long a witness of the demonstration may take to start, and
// to end.
const demoWitnessTime = 30 * time.Second

// demoWitnesses are those that the demonstration starts: processes of this program,
// which end when it does, however it ends.
type demoWitnesses struct {
	file      string // of the policy
	policy    []byte
	processes []*demoWitness
}

type demoWitness struct {
	name, key, url string
	cmd            *exec.Cmd
	input          io.Closer
}

// startDemoWitnesses starts two witnesses of the log in dir, in folders below it, and
// writes the policy that needs both.
func startDemoWitnesses(dir string) (_ *demoWitnesses, err error) {
	logKey, _, err := provenance.MakeKeys(dir, demoOrigin, lastCheckpointFile("", dir))
	if err != nil {
		return nil, err
	}
	d := &demoWitnesses{file: filepath.Join(dir, "policy.txt")}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.end())
		}
	}()
	text := fmt.Sprintf("# What the demonstration's log needs: the cosignatures of both witnesses.\nlog %s\n", logKey)
	for _, name := range []string{"one", "two"} {
		w, err := startDemoWitness(name, filepath.Join(dir, "witnesses", name), logKey)
		if err != nil {
			return nil, fmt.Errorf("start the witness %s: %w", name, err)
		}
		d.processes = append(d.processes, w)
		text += fmt.Sprintf("witness %s %s %s\n", w.name, w.key, w.url)
	}
	d.policy = []byte(text + "group both 2 one two\nquorum both\n")
	return d, durable.WriteFile(d.file, d.policy, 0o644)
}

func startDemoWitness(name, dir, logKey string) (_ *demoWitness, err error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return nil, err
	}
	w := &demoWitness{name: name, cmd: exec.Command(program, "witness", "--end-with-input",
		"--data", dir, "--name", "demo.tallyroot.example/witness-"+name, "--log-key", logKey, "--listen", "127.0.0.1:0")}
	w.cmd.Args[0] = os.Args[0]
	w.cmd.Env = withoutVariables(os.Environ(), witnessPrefix)
	var said strings.Builder
	w.cmd.Stderr = &said
	if w.input, err = w.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	output, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := w.cmd.Start(); err != nil {
		return nil, err
	}
	slow := time.AfterFunc(demoWitnessTime, func() { _ = w.cmd.Process.Kill() })
	defer slow.Stop()
	line, _ := bufio.NewReader(output).ReadString('\n')
	if _, err := fmt.Sscanf(strings.Replace(line, ", key ", " key ", 1), "witness demo.tallyroot.example/witness-"+name+" listening on %s key %s\n", &w.url, &w.key); err != nil {
		ended := w.end()
		return nil, errors.Join(fmt.Errorf("it said %q and %q", line, said.String()), ended)
	}
	return w, nil
}

// withoutVariables leaves those out whose names begin with a prefix.
func withoutVariables(environment []string, prefix string) (rest []string) {
	for _, pair := range environment {
		if !strings.HasPrefix(pair, prefix) {
			rest = append(rest, pair)
		}
	}
	return rest
}

// end lets the witness finish what it works on.
func (w *demoWitness) end() error {
	slow := time.AfterFunc(demoWitnessTime, func() { _ = w.cmd.Process.Kill() })
	defer slow.Stop()
	_ = w.input.Close()
	if err := w.cmd.Wait(); err != nil {
		return fmt.Errorf("the witness %s: %w", w.name, err)
	}
	return nil
}

func (d *demoWitnesses) end() (err error) {
	for _, w := range d.processes {
		err = errors.Join(err, w.end())
	}
	return err
}

// policyText is nil, which is quorum none, where there are no witnesses.
func (d *demoWitnesses) policyText() []byte {
	if d == nil {
		return nil
	}
	return d.policy
}

func (d *demoWitnesses) policyFile() string {
	if d == nil {
		return ""
	}
	return d.file
}

// String says at the start what the policy is, and what it shows.
func (d *demoWitnesses) String() string {
	if d == nil {
		return "Policy: none. No witnesses watch this log; nobody vouches for it but this machine.\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Policy: both of two witnesses, each a process with a memory of its own (%s).\n", d.file)
	for _, w := range d.processes {
		fmt.Fprintf(&b, "  %s  %s  %s\n", w.name, w.url, w.key)
	}
	b.WriteString("Nothing is published that not both have cosigned, and each cosigns only what continues what it has\n" +
		"seen: nobody can be shown another history with both names on it. Here they run on the same machine; in earnest, others run them.\n")
	return b.String()
}
