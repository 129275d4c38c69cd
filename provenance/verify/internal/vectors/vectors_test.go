package vectors

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

var update = flag.Bool("update", false, "write the vectors")

const folder = "../../../testdata/vectors"

// files are the tables, by the file that they make. In them, a case's verdict has
// only its reason: "" for one that must be good, which the Go verifier completes.
var files = map[string]func(t testing.TB) []Case{
	"histories.json": histories,
	"forms.json":     forms,
	"signers.json":   signers,
	"journeys.json":  journeys,
	"proofs.json":    proofs,
	"receipts.json":  receipts,
	"states.json":    states,
	"entries.json":   entries,
	"keys.json":      keys,
	"json.json":      jsons,
	"crypto.json":    crypto,
	"notes.json":     notes,
	"trees.json":     trees,
}

// complete gives a case as it stands in its file, after holding it against what
// the table wants.
func complete(t testing.TB, c Case) Case {
	want := c.Verdict
	c.Verdict = nil
	line, err := Encode([]Case{c})
	if err != nil {
		t.Fatal(err)
	}
	read, err := Decode(line)
	if err != nil {
		t.Fatal(err)
	}
	c = read[0]
	c.Verdict = Run(c)
	reason, _ := c.Verdict["reason"].(string)
	for name, value := range want {
		if name == "reason" && value != reason || name != "reason" && !reflect.DeepEqual(plain(t, c.Verdict[name]), plain(t, value)) {
			t.Errorf("%s: got %v, want %s %v", c.Name, plain(t, c.Verdict), name, value)
		}
	}
	return c
}

// plain gives a value as it is read from JSON.
func plain(t testing.TB, v any) (out any) {
	b, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestMade holds that the files are those that the tables make.
func TestMade(t *testing.T) {
	for name, table := range files {
		cases := table(t)
		for i := range cases {
			cases[i] = complete(t, cases[i])
		}
		b, err := Encode(cases)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(folder, name)
		if *update {
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if have, err := os.ReadFile(path); err != nil || !bytes.Equal(have, b) {
			t.Errorf("%s is not what the tables make (%v): go test ./provenance/verify/internal/vectors -update", name, err)
		}
	}
}

// TestRun runs every case of every file.
func TestRun(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil || len(paths) < len(files) {
		t.Fatalf("%d files, %v", len(paths), err)
	}
	names := map[string]bool{}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		cases, err := Decode(b)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for _, c := range cases {
			if names[c.Name] {
				t.Errorf("%s: two cases are called %q", path, c.Name)
			}
			names[c.Name] = true
			if got := Run(c); !reflect.DeepEqual(plain(t, got), plain(t, c.Verdict)) {
				t.Errorf("%s\n got %v\nwant %v", c.Name, plain(t, got), c.Verdict)
			}
		}
	}
}
