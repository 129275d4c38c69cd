package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tallyroot/tallyroot/internal/durable"
	"github.com/tallyroot/tallyroot/provenance"
)

// demoWitnessTime is how long a witness of the demonstration may take to start, and
// to end.
const demoWitnessTime = 30 * time.Second

// demoWitnesses are the cosigners that the demonstration starts: processes of this
// program, which end when it does, however it ends.
type demoWitnesses struct {
	policyFile, indexPolicyFile string
	policy, indexPolicy         []byte
	processes                   []*demoWitness
}

type demoWitness struct {
	name, key, url string
	cmd            *exec.Cmd
	input          io.Closer
}

// demoIndexVerifier is the index-verifier's name in the index policy.
const demoIndexVerifier = "verifier"

// startDemoWitnesses starts, in folders below dir, two witnesses of the log in dir and
// of its index log, and an index-verifier, which reads both at url once somebody serves
// there. It writes the policies that need all of them.
func startDemoWitnesses(dir, url string) (_ *demoWitnesses, err error) {
	logKey, indexKey, err := provenance.MakeKeys(dir, demoOrigin, lastCheckpointFile("", dir))
	if err != nil {
		return nil, err
	}
	d := &demoWitnesses{policyFile: filepath.Join(dir, "policy.txt"), indexPolicyFile: filepath.Join(dir, "index-policy.txt")}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.end())
		}
	}()
	for _, w := range []struct {
		name  string
		flags []string
	}{
		{"one", []string{"witness", "--log-key", logKey, "--log-key", indexKey}},
		{"two", []string{"witness", "--log-key", logKey, "--log-key", indexKey}},
		{demoIndexVerifier, []string{"index-verifier", "--log-key", logKey, "--index-key", indexKey, "--url", url}},
	} {
		process, err := startDemoWitness(w.name, filepath.Join(dir, "witnesses", w.name), w.flags)
		if err != nil {
			return nil, fmt.Errorf("start the witness %s: %w", w.name, err)
		}
		d.processes = append(d.processes, process)
	}
	d.policy = demoPolicy("What the demonstration's log needs: the cosignatures of both witnesses.", logKey, d.processes[:2])
	d.indexPolicy = demoPolicy("What its history index needs: those, and that of the one that rebuilds the index.", indexKey, d.processes)
	return d, errors.Join(durable.WriteFile(d.policyFile, d.policy, 0o644), durable.WriteFile(d.indexPolicyFile, d.indexPolicy, 0o644))
}

// demoPolicy asks for the cosignatures of all.
func demoPolicy(comment, logKey string, witnesses []*demoWitness) []byte {
	var lines, names string
	for _, w := range witnesses {
		lines += fmt.Sprintf("witness %s %s %s\n", w.name, w.key, w.url)
		names += " " + w.name
	}
	return fmt.Appendf(nil, "# %s\nlog %s\n%sgroup everybody all%s\nquorum everybody\n", comment, logKey, lines, names)
}

func startDemoWitness(name, dir string, flags []string) (_ *demoWitness, err error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return nil, err
	}
	command, fullName := flags[0], "demo.tallyroot.example/witness-"+name
	w := &demoWitness{name: name, cmd: exec.Command(program, append(flags, "--end-with-input", "--data", dir, "--name", fullName, "--listen", "127.0.0.1:0")...)}
	w.cmd.Args[0] = os.Args[0]
	w.cmd.Env = withoutVariables(os.Environ(), witnessPrefix, indexVerifierPrefix)
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
	if _, err := fmt.Sscanf(strings.Replace(line, ", key ", " key ", 1), command+" "+fullName+" listening on %s key %s\n", &w.url, &w.key); err != nil {
		ended := w.end()
		return nil, errors.Join(fmt.Errorf("it said %q and %q", line, said.String()), ended)
	}
	return w, nil
}

// withoutVariables leaves those out whose names begin with one of the prefixes.
func withoutVariables(environment []string, prefixes ...string) []string {
	return slices.DeleteFunc(environment, func(pair string) bool {
		return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(pair, prefix) })
	})
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

// use puts the policies into a configuration. Without witnesses it stays as it is,
// which is quorum none.
func (d *demoWitnesses) use(c *serverConfig) {
	if d != nil {
		c.Log.Policy, c.Log.IndexPolicy, c.IndexVerifiers = d.policy, d.indexPolicy, []string{demoIndexVerifier}
	}
}

// tell puts the policies' files into what programs are told.
func (d *demoWitnesses) tell(r *demoResult) {
	if d != nil {
		r.Policy, r.IndexPolicy, r.IndexVerifier = d.policyFile, d.indexPolicyFile, demoIndexVerifier
	}
}

// flags are those with which `tallyroot verify` trusts them.
func (d *demoWitnesses) flags() string {
	return fmt.Sprintf("--policy %s --index-policy %s --index-verifier %s", d.policyFile, d.indexPolicyFile, demoIndexVerifier)
}

// String says at the start what the policies are, and what they show.
func (d *demoWitnesses) String() string {
	if d == nil {
		return "Policy: none. No witnesses watch this log; nobody vouches for it but this machine.\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Policy: both of two witnesses (%s),\nand for the history index an index-verifier too (%s).\nEach is a process with a memory of its own:\n", d.policyFile, d.indexPolicyFile)
	for _, w := range d.processes {
		fmt.Fprintf(&b, "  %s  %s  %s\n", w.name, w.url, w.key)
	}
	b.WriteString("Nothing is published that not all of them have cosigned. The witnesses cosign only what continues what they\n" +
		"have seen: nobody can be shown another history with both names on it. The index-verifier reads the whole log and\n" +
		"computes the index itself: nothing can be left out of a history behind its back. Here they run on the same\n" +
		"machine; in earnest, others run them.\n")
	return b.String()
}
