package main

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

// docs/dependencies.md has one line for each direct dependency, with the version
// that is required.
func TestDependenciesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := modfile.Parse("go.mod", text, nil)
	if err != nil {
		t.Fatal(err)
	}
	required := map[string]string{}
	for _, r := range mod.Require {
		if !r.Indirect {
			required[r.Mod.Path] = r.Mod.Version
		}
	}
	doc, err := os.ReadFile("../../docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for line := range strings.Lines(string(doc)) {
		cells := strings.Split(line, "|")
		if len(cells) < 3 || !strings.Contains(cells[1], ".") {
			continue
		}
		path, version := strings.TrimSpace(cells[1]), strings.TrimSpace(cells[2])
		documented[path] = true
		switch want, ok := required[path]; {
		case !ok:
			t.Errorf("%s is documented, and go.mod does not require it directly: delete its line", path)
		case version != want:
			t.Errorf("%s is documented as %s, and go.mod requires %s: look at what changed and update its line", path, version, want)
		}
		if len(cells) != 8 {
			t.Errorf("%s: its line has %d cells, want 6", path, len(cells)-2)
			continue
		}
		for _, cell := range cells[1:7] {
			if strings.TrimSpace(cell) == "" {
				t.Errorf("%s: a cell is empty", path)
			}
		}
	}
	for path := range required {
		if !documented[path] {
			t.Errorf("go.mod requires %s, and docs/dependencies.md does not say what for", path)
		}
	}
}
