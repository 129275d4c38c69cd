package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestDemoWitnesses: a log that began without witnesses goes on with two, which are
// started again with it and end with it, however it ends.
func TestDemoWitnesses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	d := startDemo(t, "--data", dir, "--json")
	plain := d.result()
	if plain.Policy != "" {
		t.Errorf("%+v", plain)
	}
	if said := d.end(); said != "" {
		t.Errorf("it also said %q", said)
	}

	d = startDemo(t, "--data", dir, "--witnesses", "--json")
	r := d.result()
	if r.Policy != filepath.Join(dir, "policy.txt") || r.Logged != 0 {
		t.Errorf("%+v", r)
	}
	waitReady(t, r.URL)
	if _, body := get(t, r.URL+"/readyz"); !strings.Contains(body, "\nwitnesses: one: ok; two: ok\n") {
		t.Errorf("/readyz: %s", body)
	}
	// Journeys are shown with the witnesses' signatures a moment after the log has them.
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if _, page := get(t, r.Page); strings.Contains(page, "Witnessed by <bdi>one, two</bdi>") {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the page does not say who witnessed the log")
		}
	}
	for _, file := range []string{"5.entry", "5.tlog-proof"} {
		_, body := get(t, r.URL+"/entry/"+file)
		if err := os.WriteFile(filepath.Join(dir, file), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command("tallyroot", "verify", filepath.Join(dir, "5.tlog-proof"), "--entry", filepath.Join(dir, "5.entry"), "--policy", r.Policy, "--json").Output()
	var found finding
	if err == nil {
		err = json.Unmarshal(out, &found)
	}
	if err != nil || found.Quorum != "met" || strings.Join(found.Witnesses, " ") != "one two" || found.Time == nil {
		t.Fatalf("verify: %v: %s", err, out)
	}
	// The whole claim, since another process has rebuilt the index.
	out, err = exec.Command("tallyroot", "verify", r.Page, "--policy", r.Policy, "--index-policy", r.IndexPolicy, "--index-verifier", r.IndexVerifier).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Complete up to entry") || !strings.Contains(string(out), "rebuilt from the log by verifier") {
		t.Errorf("verify the journey: %v: %s", err, out)
	}
	if err := d.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = d.cmd.Wait()

	// The witnesses end when they see that it has, a moment later.
	d = startDemo(t, "--data", dir, "--witnesses")
	said, err := readUntil(d, "listening on ")
	for end := time.Now().Add(patience); err != nil; said, err = readUntil(d, "listening on ") {
		_ = d.cmd.Wait()
		if !strings.Contains(d.stderr.String(), "another process") || time.Now().After(end) {
			t.Fatalf("%v; on standard error: %s", err, d.stderr.String())
		}
		time.Sleep(20 * time.Millisecond)
		d = startDemo(t, "--data", dir, "--witnesses")
	}
	for _, want := range []string{"Policy: both of two witnesses", "demo.tallyroot.example/witness-two+", "--policy " + r.Policy} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q: %s", want, said)
		}
	}
	d.end()
}

// readUntil gives what the demonstration says up to a line that begins so.
func readUntil(d *runningDemo, prefix string) (said string, err error) {
	for {
		line, err := d.stdout.ReadString('\n')
		said += line
		if err != nil || strings.HasPrefix(line, prefix) {
			return said, err
		}
	}
}
