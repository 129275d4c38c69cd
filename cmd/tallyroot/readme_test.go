package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// block finds the parts of README.md that are run: a comment that names each,
// and the fenced text behind it.
var block = regexp.MustCompile("(?s)<!-- run: (\\w+) -->\n```(\\w+)\n(.*?)```\n")

// TestReadme runs the client samples of README.md as they stand there, in their
// order, against a service of their own.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	needs := map[string]string{"curl": "curl", "python": "python3", "grpcurl": "grpcurl", "check": "sh", "audit": "sh"}
	var script, files strings.Builder
	script.WriteString(`serve data
exec tallyroot participant add 'Green Valley Farm' --grant 9506000 --server $data --token-file data/admin.token --json
cp stdout farm.json
setenv-json TALLYROOT_TOKEN farm.json token
env TALLYROOT_SERVER=$data
`)
	seen := map[string]bool{}
	for _, m := range block.FindAllStringSubmatch(string(text), -1) {
		name, language, body := m[1], m[2], m[3]
		program, known := needs[name]
		if !known || seen[name] {
			t.Fatalf("README.md has an unknown or second block %q", name)
		}
		seen[name] = true
		if _, err := exec.LookPath(program); err != nil {
			t.Logf("README.md's block %q is not run: %s is not installed", name, program)
			continue
		}
		interpreter := "bash"
		if language == "python" {
			interpreter = "python3"
		}
		fmt.Fprintf(&files, "-- block.%s --\n%s", name, strings.ReplaceAll(body, "./tallyroot ", "tallyroot "))
		fmt.Fprintf(&script, "exec %s block.%s\n", interpreter, name)
		switch name {
		case "curl":
			script.WriteString("cp stdout answer.json\nsetenv-json EVENT answer.json eventId\nsetenv-json RECEIPT answer.json receipt\n")
		case "python":
			script.WriteString("stdout 'at index [0-9]+'\nexists event.tlog-proof\n")
		case "grpcurl":
			script.WriteString("stdout 'tlog-proof'\n")
		case "check":
			script.WriteString("stdout 'good|holds|verified'\n")
		case "audit":
			script.WriteString("stdout '^nothing is wrong$'\nexists seen.json\n")
		}
	}
	for name := range needs {
		if !seen[name] {
			t.Errorf("README.md has no block %q", name)
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "readme.txtar"), []byte(script.String()+files.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	p := scriptParams()
	p.Dir = dir
	testscript.Run(t, p)
}
