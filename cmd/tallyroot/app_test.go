package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// memberOf is a string member of a JSON object.
func memberOf(text, name string) (string, error) {
	var object map[string]any
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		return "", err
	}
	s, ok := object[name].(string)
	if !ok {
		return "", fmt.Errorf("%s is %T, not a string", name, object[name])
	}
	return s, nil
}

// eachCommand calls f for every command of the tree, with the words that name it.
func eachCommand(app *cli.App, f func(path []string, c *cli.Command)) {
	var walk func([]string, []*cli.Command)
	walk = func(path []string, commands []*cli.Command) {
		for _, c := range commands {
			p := append(path[:len(path):len(path)], c.Name)
			f(p, c)
			walk(p, c.Subcommands)
		}
	}
	walk(nil, app.Commands)
}

func TestEveryCommandHasHelpAndJSON(t *testing.T) {
	app := newApp()
	eachCommand(app, func(path []string, c *cli.Command) {
		name := strings.Join(path, " ")
		help := helpOf(t, path)
		if !strings.Contains(help, "Example") || !strings.Contains(help, "  tallyroot "+path[0]) {
			t.Errorf("%s --help shows no example:\n%s", name, help)
		}
		for _, line := range strings.Split(help, "\n") {
			if n := len([]rune(line)); n > 140 && !strings.HasPrefix(strings.TrimSpace(line), "--") {
				t.Errorf("%s --help has a line of %d characters: %s", name, n, line)
			}
		}
		if c.Usage == "" {
			t.Errorf("%s has no one-line description", name)
		}
		if len(c.Subcommands) > 0 {
			return
		}
		has := map[string]bool{}
		for _, f := range c.Flags {
			for _, n := range f.Names() {
				has[n] = true
			}
		}
		if !has["json"] {
			t.Errorf("%s has no --json", name)
		}
		// verify reads from a server what everybody may.
		if has["server"] != has["token-file"] && name != "verify" {
			t.Errorf("%s has only one of --server and --token-file", name)
		}
	})
}

// Each of serve's settings can be said by a variable of the same name.
func TestEveryFlagOfServeHasAVariable(t *testing.T) {
	for _, f := range serveCommand().Flags {
		name := f.Names()[0]
		if have := f.(cli.DocGenerationFlag).GetEnvVars(); len(have) != 1 || have[0] != "TALLYROOT_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_")) {
			t.Errorf("--%s: %q", name, have)
		}
	}
}

// unsetenv takes a variable out of the environment until the test ends: help
// shows what it says.
func unsetenv(t *testing.T, name string) {
	if value, ok := os.LookupEnv(name); ok {
		t.Setenv(name, value) // puts it back
		os.Unsetenv(name)
	}
}

func helpOf(t *testing.T, path []string) string {
	t.Helper()
	unsetenv(t, "TALLYROOT_SERVER")
	var out bytes.Buffer
	app := newApp()
	app.Writer = &out
	args, err := arrange(app, append(append([]string{"tallyroot"}, path...), "--help"))
	if err == nil {
		err = app.Run(args)
	}
	if err != nil {
		t.Fatalf("%v --help: %v", path, err)
	}
	return out.String()
}

// One name of a flag means one thing: arrange needs to know whether a value
// follows before it knows the command.
func TestFlagsAgree(t *testing.T) {
	takes := map[string]bool{}
	eachCommand(newApp(), func(path []string, c *cli.Command) {
		for _, f := range c.Flags {
			value := f.(cli.DocGenerationFlag).TakesValue()
			for _, name := range f.Names() {
				if have, seen := takes[name]; seen && have != value {
					t.Errorf("%v: --%s takes a value in one command and none in another", path, name)
				}
				takes[name] = value
			}
		}
	})
}

// In every command, each flag may stand before the command, before the
// arguments and behind them.
func TestFlagsStandAnywhere(t *testing.T) {
	eachCommand(newApp(), func(path []string, c *cli.Command) {
		if len(c.Subcommands) > 0 {
			return
		}
		for _, f := range c.Flags {
			name := f.Names()[0]
			flag := []string{"--" + name}
			if f.(cli.DocGenerationFlag).TakesValue() {
				flag = append(flag, valueFor(f))
			}
			cmd, args := path, []string{"first", "-", "help"}
			for where, line := range map[string][]string{
				"before the command":    join(flag, cmd, args),
				"between":               join(cmd, flag, args),
				"among the arguments":   join(cmd, args[:1], flag, args[1:]),
				"behind the arguments":  join(cmd, args, flag),
				"before a double dash":  join(cmd, flag, []string{"--"}, args),
				"as one word, in front": join(cmd, []string{strings.Join(flag, "=")}, args),
			} {
				set, got, err := parse(line)
				if err != nil {
					t.Errorf("%v --%s %s: %v", path, name, where, err)
				} else if !set[name] || strings.Join(got, " ") != strings.Join(args, " ") {
					t.Errorf("%v --%s %s: set %v, arguments %q", path, name, where, set[name], got)
				}
			}
		}
	})
}

func join(parts ...[]string) []string {
	var out []string
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// valueFor is a value that the flag takes.
func valueFor(f cli.Flag) string {
	switch f.(type) {
	case *cli.DurationFlag:
		return "7s"
	case *cli.IntFlag, *cli.Int64Flag, *cli.Uint64Flag, *cli.Float64Flag:
		return "7"
	}
	return "-value" // a value may begin with a hyphen
}

// parse runs a command line with actions that only look at what arrived.
func parse(line []string) (set map[string]bool, args []string, err error) {
	app := newApp()
	eachCommand(app, func(_ []string, c *cli.Command) {
		if len(c.Subcommands) > 0 {
			return
		}
		c.Action = func(ctx *cli.Context) error {
			set, args = map[string]bool{}, ctx.Args().Slice()
			for _, f := range c.Flags {
				set[f.Names()[0]] = ctx.IsSet(f.Names()[0])
			}
			return nil
		}
	})
	argv, err := arrange(app, append([]string{"tallyroot"}, line...))
	if err != nil {
		return nil, nil, err
	}
	return set, args, app.Run(argv)
}

func TestArrange(t *testing.T) {
	for _, test := range []struct{ line, want string }{
		{"", "--"},
		{"--version", "--version --"},
		{"event", "event --"},
		{"help event log", "event log --help"},
		{"event log a b -h --json", "event log --help"},
		{"event log -- --json -", "event log -- --json -"},
		{"event log a --unknown b", "event log --unknown -- a b"},
		{"event log a --server=x b", "event log --server=x -- a b"},
		{"event log --server -- a", "event log --server -- -- a"},
		{"event nosuch --json", "event --json -- nosuch"},
	} {
		got, err := arrange(newApp(), append([]string{"tallyroot"}, strings.Fields(test.line)...))
		if err != nil {
			t.Errorf("%q: %v", test.line, err)
		} else if have := strings.Join(got[1:], " "); have != test.want {
			t.Errorf("%q: have %q, want %q", test.line, have, test.want)
		}
	}
	if _, err := arrange(newApp(), []string{"tallyroot", "event", "log", "a", "--server"}); err == nil {
		t.Error("a flag without its value was taken")
	}
}

func TestExitCodes(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	for _, test := range []struct {
		line []string
		want int
	}{
		{[]string{"--help"}, exitOK},
		{[]string{"help", "verify"}, exitOK},
		{[]string{"nosuch"}, exitUsage},
		{[]string{"verify"}, exitUsage},
		{[]string{"verify", "--nosuch"}, exitUsage},
		{[]string{"verify", "x", "--log-key"}, exitUsage},
		{[]string{"verify", missing, "--log-key", missing}, exitUsage},
		{[]string{"event", "show", "x", "--server", "http://127.0.0.1:1"}, exitFailed},
	} {
		cmd := exec.Command("tallyroot", test.line...)
		out, err := cmd.CombinedOutput()
		if have := cmd.ProcessState.ExitCode(); have != test.want {
			t.Errorf("%q ends with %d (%v), want %d; it said %s", test.line, have, err, test.want, out)
		}
	}
}
