package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// witnessVariables are those of the script that a witness which it starts gets.
var witnessVariables = []string{"TALLYROOT_WITNESS_LOG_KEY", "TALLYROOT_WITNESS_JSON"}

// startWitness is `witness NAME [FLAG…]`: it runs `tallyroot witness` in the folder
// NAME, on a free port the first time and on the same one afterwards, and sets $NAME
// to its address and $NAME_KEY to its key, quoted for a regular expression.
func startWitness(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: witness NAME [FLAG…]")
	}
	name := args[0]
	listen := "127.0.0.1:0"
	if before, ok := strings.CutPrefix(ts.Getenv(name), "http://"); ok {
		listen = before
	}
	line := startProcess(ts, name, append([]string{"witness", "--data", name, "--name", name + ".example/witness", "--listen", listen}, args[1:]...), witnessVariables)
	said := regexp.MustCompile(`^witness (\S+) listening on (\S+), key (\S+)$`).FindStringSubmatch(line)
	if said == nil || said[1] != name+".example/witness" || !strings.HasPrefix(said[3], said[1]+"+") {
		ts.Fatalf("the witness said %q; on standard error: %s", line, ts.ReadFile(name+".log"))
	}
	ts.Setenv(name, said[2])
	ts.Setenv(name+"_KEY", regexp.QuoteMeta(said[3]))
}

// hangUp is `hangup NAME TEXT`: it sends SIGHUP and waits until the process has
// logged TEXT once more.
func hangUp(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: hangup NAME TEXT")
	}
	count := func() int { return strings.Count(ts.ReadFile(args[0]+".log"), args[1]) }
	before := count()
	ts.Check(ts.Value(serversKey{}).(map[string]*exec.Cmd)[args[0]].Process.Signal(syscall.SIGHUP))
	for end := time.Now().Add(patience); count() == before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			ts.Fatalf("%s did not say %q within %v", args[0], args[1], patience)
		}
	}
}

// writePolicy is `policy FILE LOG K WITNESS…`: the policy of the log whose key is in
// the folder LOG, or of the index log there for LOG/index, which asks for K of the
// witnesses. One that never ran gets an
// address where nobody listens.
func writePolicy(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 {
		ts.Fatalf("usage: policy FILE LOG K WITNESS…")
	}
	var b strings.Builder
	key := args[1] + "/log.vkey"
	if dir, ok := strings.CutSuffix(args[1], "/index"); ok {
		key = dir + "/index.vkey"
	}
	fmt.Fprintf(&b, "log %s", ts.ReadFile(key))
	for _, w := range args[3:] {
		fmt.Fprintf(&b, "witness %s %s %s\n", w, strings.TrimSpace(ts.ReadFile(w+"/witness.vkey")), ts.Getenv(w))
	}
	fmt.Fprintf(&b, "group enough %s %s\nquorum enough\n", args[2], strings.Join(args[3:], " "))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o644))
}

// writeLines is `lines FILE PREFIX SOURCE…`: it puts the prefix before what stands in
// each source.
func writeLines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: lines FILE PREFIX SOURCE…")
	}
	var b strings.Builder
	for _, source := range args[2:] {
		b.WriteString(args[1] + ts.ReadFile(source))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o644))
}

// await is `await URL REGEXP`: it asks until the answer, of any status, matches.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await URL REGEXP")
	}
	want, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	var last string
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		resp, err := http.Get(args[0])
		if err == nil {
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			last = string(body)
		} else {
			last = err.Error()
		}
		if want.MatchString(last) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%s does not answer what matches %s; it answers %s", args[0], args[1], last)
		}
	}
}
