package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

var update = flag.Bool("update", false, "write the reference in docs/cli.md anew")

// docs/cli.md ends with the help of every command. Write it anew with
//
//	go test ./cmd/tallyroot -run TestReference -update
func TestReference(t *testing.T) {
	const file, heading = "../../docs/cli.md", "## Every command\n"
	doc, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, have, ok := strings.Cut(string(doc), heading)
	if !ok {
		t.Fatalf("%s has no heading %q", file, heading)
	}
	var b strings.Builder
	eachCommand(newApp(), func(path []string, c *cli.Command) {
		if len(c.Subcommands) == 0 {
			fmt.Fprintf(&b, "\n### %s\n\n```\n%s\n```\n", strings.Join(path, " "), strings.TrimSpace(helpOf(t, path)))
		}
	})
	want := b.String()
	if have == want {
		return
	}
	if !*update {
		t.Fatalf("%s is not what the commands' help says; go test ./cmd/tallyroot -run TestReference -update writes it", file)
	}
	if err := os.WriteFile(file, []byte(head+heading+want), 0o644); err != nil {
		t.Fatal(err)
	}
}
