package compose_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/internal/compose"
)

// documented finds the one command for the database's container in
// docs/compose.md that ends in that way: where its output goes, or its input
// comes from.
func documented(t *testing.T, ending string) []string {
	t.Helper()
	text, err := os.ReadFile(root + "/docs/compose.md")
	if err != nil {
		t.Fatal(err)
	}
	all := regexp.MustCompile(`(?m)^docker compose exec (?:-T )?mysql sh -c '([^']*)'`+ending+`$`).FindAllSubmatch(text, -1)
	if len(all) != 1 {
		t.Fatalf("docs/compose.md has %d commands for the database that end with %q", len(all), ending)
	}
	return []string{"sh", "-c", string(all[0][1])}
}

func inDatabase(t *testing.T, topology *compose.Topology, in io.Reader, argv []string) []byte {
	t.Helper()
	out, err := topology.Exec(patient(t), "mysql", in, argv...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// dump makes a backup of the database, as docs/compose.md says.
func dump(t *testing.T, topology *compose.Topology) []byte {
	t.Helper()
	return inDatabase(t, topology, nil, documented(t, " > tallyroot.sql"))
}

// restore puts a backup back, as docs/compose.md says.
func restore(t *testing.T, topology *compose.Topology, dump []byte) {
	t.Helper()
	for _, name := range []string{"tallyroot", "log-server", "log-signer"} {
		if err := topology.Stop(name); err != nil {
			t.Fatal(err)
		}
	}
	inDatabase(t, topology, bytes.NewReader(dump), documented(t, " < tallyroot.sql"))
	for _, name := range []string{"schema", "log-server", "log-signer", "tallyroot"} {
		if err := topology.Start(patient(t), name); err != nil {
			t.Fatal(err)
		}
	}
}

// changePasswords does in the database what docs/compose.md says.
func changePasswords(t *testing.T, topology *compose.Topology, environment map[string]string) {
	t.Helper()
	text, err := os.ReadFile(root + "/docs/compose.md")
	if err != nil {
		t.Fatal(err)
	}
	statements := regexp.MustCompile(`(?m)^SET PASSWORD FOR (\S+) = PASSWORD\('…'\);`).FindAllSubmatch(text, -1)
	if len(statements) != 2 {
		t.Fatalf("docs/compose.md has %d statements SET PASSWORD", len(statements))
	}
	quote := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	var in strings.Builder
	for _, m := range statements {
		password := environment["MYSQL_PASSWORD"]
		if strings.HasPrefix(string(m[1]), "root@") {
			password = environment["MYSQL_ROOT_PASSWORD"]
		}
		in.WriteString(strings.ReplaceAll(string(m[0]), "…", quote.Replace(password)) + "\n")
	}
	inDatabase(t, topology, strings.NewReader(in.String()), documented(t, ""))
}

// documentedRun gives the command line of the one `docker compose run` in
// docs/compose.md with that command of tallyroot.
func documentedRun(t *testing.T, command string) []string {
	t.Helper()
	text, err := os.ReadFile(root + "/docs/compose.md")
	if err != nil {
		t.Fatal(err)
	}
	all := regexp.MustCompile(`(?m)^docker compose run --rm tallyroot (`+command+`.*)$`).FindAllSubmatch(text, -1)
	if len(all) != 1 {
		t.Fatalf("docs/compose.md has %d commands %s", len(all), command)
	}
	return append([]string{"tallyroot"}, strings.Fields(string(all[0][1]))...)
}

// empty removes everything that tallyroot has in one of its folders.
func empty(t *testing.T, topology *compose.Topology, folder string) {
	t.Helper()
	path, err := topology.Path("tallyroot", folder)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(path)
	if err != nil || len(entries) == 0 {
		t.Fatalf("%s holds nothing: %v", path, err)
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(path, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
}
