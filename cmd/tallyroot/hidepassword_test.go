package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const hushDSN = "farm:hush-hush@tcp(127.0.0.1:1)/farm"

func TestWithoutPasswords(t *testing.T) {
	const plain = "farm@tcp(127.0.0.1:1)/farm"
	for _, tt := range []struct {
		args  string // what arrange gives, split at spaces
		left  string
		moved string // VARIABLE=value, split at spaces, in order
	}{
		{"t serve --data d -- x", "t serve --data d -- x", ""},
		{"t serve --mysql " + plain + " --", "t serve --mysql " + plain + " --", ""},
		{"t serve --data d --mysql " + hushDSN + " --verbose --", "t serve --data d --verbose --", "TALLYROOT_MYSQL=" + hushDSN},
		{"t serve -mysql=" + hushDSN + " --", "t serve --", "TALLYROOT_MYSQL=" + hushDSN},
		// The last one counts, and no other one may stay.
		{"t serve --mysql " + hushDSN + " --mysql " + plain, "t serve", "TALLYROOT_MYSQL=" + plain},
		{"t serve --mysql " + plain + " --mysql=" + hushDSN, "t serve", "TALLYROOT_MYSQL=" + hushDSN},
		{"t log copy --from mysql:" + hushDSN + " --to embedded", "t log copy --to embedded", "TALLYROOT_FROM=mysql:" + hushDSN},
		{"t log copy --from mysql:" + hushDSN + " --to=mysql:" + hushDSN, "t log copy", "TALLYROOT_FROM=mysql:" + hushDSN + " TALLYROOT_TO=mysql:" + hushDSN},
		{"t schema apply --mysql " + hushDSN, "t schema apply", "TALLYROOT_MYSQL=" + hushDSN},
		// The value of another flag, an argument, a flag without a value.
		{"t serve --data --mysql --", "t serve --data --mysql --", ""},
		{"t event log -- --mysql " + hushDSN, "t event log -- --mysql " + hushDSN, ""},
		{"t serve --verbose --mysql", "t serve --verbose --mysql", ""},
	} {
		left, variables := withoutPasswords(newApp(), strings.Fields(tt.args))
		var moved []string
		for _, name := range sorted(variables) {
			moved = append(moved, name+"="+variables[name])
		}
		if strings.Join(left, " ") != tt.left || strings.Join(moved, " ") != tt.moved {
			t.Errorf("%s:\n%q and %q", tt.args, left, moved)
		}
	}
}

// A password that somebody writes into the command line is gone from the process
// list while the program runs, and stands in nothing that it prints.
func TestNoPasswordInTheProcessList(t *testing.T) {
	for _, args := range [][]string{
		{"serve", "--data", t.TempDir() + "/d", "--origin", "hush.example/log", "--policy", "none", "--listen", "127.0.0.1:0", "--mysql", hushDSN, "--mysql-wait", "10m"},
		{"schema", "check", "--mysql=" + hushDSN, "--mysql-wait", "10m"},
	} {
		cmd := exec.Command("tallyroot", args...)
		stderr, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// It waits for a database at a port where nobody listens.
		lines := bufio.NewScanner(stderr)
		var said []string
		for lines.Scan() {
			said = append(said, lines.Text())
			if strings.Contains(lines.Text(), "waiting for the database") {
				break
			}
		}
		arguments, readErr := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", cmd.Process.Pid))
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if readErr != nil {
			t.Fatalf("%v; it said %q", readErr, said)
		}
		if strings.Contains(string(arguments), "hush-hush") || !strings.Contains(string(arguments), args[0]) {
			t.Errorf("its arguments are %q", arguments)
		}
		if n := len(slices.DeleteFunc(slices.Clone(said), func(line string) bool { return !strings.Contains(line, "the command line held a password") })); n != 1 {
			t.Errorf("it warned %d times: %q", n, said)
		}
		if strings.Contains(strings.Join(said, "\n"), "hush-hush") {
			t.Errorf("it said %q", said)
		}
	}
}
