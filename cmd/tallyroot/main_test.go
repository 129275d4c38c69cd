package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/tallyroot/tallyroot/internal/mariadb"
)

func TestMain(m *testing.M) {
	testscript.Main(withDatabase{m}, map[string]func(){"tallyroot": main})
}

// withDatabase stops the database that the tests shared.
type withDatabase struct{ m *testing.M }

func (w withDatabase) Run() int { return mariadb.Main(w.m) }

// TestScripts drives the real program: testdata/script has one file for each
// thing that it can do.
func TestScripts(t *testing.T) {
	p := scriptParams()
	addDatabases(t, &p)
	testscript.Run(t, p)
}

func scriptParams() testscript.Params {
	return testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			for _, name := range append(append(serveVariables, witnessVariables...), "TALLYROOT_SERVER", "TALLYROOT_TOKEN") {
				env.Setenv(name, "")
			}
			// The race detector waits a second at the end of each process.
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			env.Values[serversKey{}] = make(map[string]*exec.Cmd)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve":       startServer,
			"end":         endServer,
			"setenv-json": setenvJSON,
			"mode":        checkMode,
			"flip":        flipByte,
			"events":      writeEvents,
			"debug-url":   findDebugURL,
			"witness":     startWitness,
			"hangup":      hangUp,
			"policy":      writePolicy,
			"lines":       writeLines,
			"await":       await,
		},
	}
}

type serversKey struct{}

// serveVariables are those of the script that a server which it starts gets.
var serveVariables = []string{"TALLYROOT_MYSQL", passwordVariable, "TALLYROOT_TRILLIAN"}

// patience bounds how long a script waits for a server; it only ends a test that
// has failed.
const patience = 2 * time.Minute

// startServer is `serve NAME [FLAG…]`: it runs `tallyroot serve` on a free port
// with its data in the folder NAME, and sets $NAME to its address once it says
// that it listens.
func startServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: serve NAME [FLAG…]")
	}
	name := args[0]
	flags := append([]string{"serve", "--data", ts.MkAbs(name), "--listen", "127.0.0.1:0",
		"--origin", name + ".example/log", "--policy", "none", "--index-policy", "none"}, args[1:]...)
	url, ok := strings.CutPrefix(startProcess(ts, name, flags, serveVariables), "listening on ")
	if !ok {
		ts.Fatalf("the server does not say where it listens; on standard error: %s", ts.ReadFile(name+".log"))
	}
	ts.Setenv(name, url)
}

// startProcess runs tallyroot with the flags and with those variables of the script,
// and gives the first line that it prints. `end NAME` ends it.
func startProcess(ts *testscript.TestScript, name string, flags, variables []string) (line string) {
	cmd := exec.Command("tallyroot", flags...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = os.Environ()
	for _, variable := range variables {
		cmd.Env = append(cmd.Env, variable+"="+ts.Getenv(variable))
	}
	logs, err := os.OpenFile(ts.MkAbs(name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	ts.Check(err)
	cmd.Stderr = logs
	stdout, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	servers := ts.Value(serversKey{}).(map[string]*exec.Cmd)
	servers[name] = cmd
	ts.Defer(func() {
		if servers[name] == cmd {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
		logs.Close()
	})
	first := make(chan string, 1)
	go func() {
		s := bufio.NewScanner(stdout)
		s.Scan()
		first <- s.Text()
		_, _ = io.Copy(io.Discard, stdout)
	}()
	select {
	case line = <-first:
	case <-time.After(patience):
		ts.Fatalf("%s printed nothing within %v", name, patience)
	}
	return line
}

// endServer is `end NAME [TERM|KILL]`: it ends a server. After TERM the exit
// code has to be 0.
func endServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: end NAME [TERM|KILL]")
	}
	servers := ts.Value(serversKey{}).(map[string]*exec.Cmd)
	cmd := servers[args[0]]
	if cmd == nil {
		ts.Fatalf("no server is named %s", args[0])
	}
	sig := syscall.SIGTERM
	if len(args) > 1 && args[1] == "KILL" {
		sig = syscall.SIGKILL
	}
	ts.Check(cmd.Process.Signal(sig))
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		delete(servers, args[0])
		if sig == syscall.SIGTERM && err != nil {
			said, _ := os.ReadFile(ts.MkAbs(args[0] + ".log"))
			ts.Fatalf("the server ended with %v; on standard error: %s", err, said)
		}
	case <-time.After(patience):
		ts.Fatalf("the server did not end within %v", patience)
	}
}

// setenvJSON is `setenv-json NAME FILE MEMBER`: it sets $NAME to a member of the
// JSON object in FILE, and fails if that is not a string.
func setenvJSON(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: setenv-json NAME FILE MEMBER")
	}
	text, err := memberOf(ts.ReadFile(args[1]), args[2])
	ts.Check(err)
	ts.Setenv(args[0], text)
}

// checkMode is `mode FILE OCTAL`.
func checkMode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode FILE OCTAL")
	}
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if have := fmt.Sprintf("%04o", info.Mode().Perm()); have != args[1] {
		ts.Fatalf("%s has mode %s, not %s", filepath.Base(args[0]), have, args[1])
	}
}

// flipByte is `flip FILE TEXT`: it changes one bit of the first byte of TEXT
// where that stands in FILE.
func flipByte(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip FILE TEXT")
	}
	file := ts.MkAbs(args[0])
	b, err := os.ReadFile(file)
	ts.Check(err)
	i := strings.Index(string(b), args[1])
	if i < 0 {
		ts.Fatalf("%s holds no %q", args[0], args[1])
	}
	b[i] ^= 1
	ts.Check(os.WriteFile(file, b, 0o644))
}

// writeEvents is `events FILE N`: it writes N events, a line each.
func writeEvents(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: events FILE N")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"type":"ObjectEvent","eventTime":"2026-09-14T09:00:00.000+02:00","eventTimeZoneOffset":"+02:00","epcList":["urn:example:crate-%d"],"action":"OBSERVE","bizStep":"receiving"}`+"\n", i)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o644))
}

// findDebugURL is `debug-url NAME VARIABLE`: it sets the variable to where the
// server said that its profiles are.
func findDebugURL(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: debug-url NAME VARIABLE")
	}
	for line := range strings.Lines(ts.ReadFile(args[0] + ".log")) {
		if _, url, ok := strings.Cut(strings.TrimSpace(line), "msg=profiles url="); ok {
			ts.Setenv(args[1], url)
			return
		}
	}
	ts.Fatalf("%s does not say where its profiles are", args[0])
}
