package compose_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// fiveLines are those of README.md that lead from the demo to the compose file.
func fiveLines(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(root + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)\n## From the demo to a service, in five lines\n.*?\n```sh\n(.*?)\n```\n").FindSubmatch(text)
	if m == nil {
		t.Fatal("README.md has no such section")
	}
	lines := strings.Split(string(m[1]), "\n")
	if len(lines) != 5 {
		t.Fatalf("there are %d lines", len(lines))
	}
	return lines
}

// fillIn does what README.md's first three lines say, with sed for an editor, and
// gives the variables of the .env that comes of it.
func fillIn(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	example, err := os.ReadFile(root + "/.env.example")
	if err != nil {
		t.Fatal(err)
	}
	editor := "#!/bin/sh\nexec sed -i 's/^TALLYROOT_ORIGIN=$/&log.example.com/; s|^TALLYROOT_PUBLIC_URL=$|&https://id.example.com|; s/^TALLYROOT_POLICY=$/&none/' \"$1\"\n"
	for name, text := range map[string]string{".env.example": string(example), "editor": editor} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-euc", strings.Join(fiveLines(t)[:3], "\n"))
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "EDITOR=./editor")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	file := filepath.Join(dir, ".env")
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf(".env has the mode %o", info.Mode().Perm())
	}
	environment, err := dotenv.GetEnvFromFile(map[string]string{}, []string{file})
	if err != nil {
		t.Fatal(err)
	}
	return environment
}

// What README.md makes of .env.example is all that the compose file asks for.
func TestReadmeFillsIn(t *testing.T) {
	environment := fillIn(t)
	project := load(t, environment)
	password := *project.Services["mysql"].Environment["MARIADB_PASSWORD"]
	rootPassword := *project.Services["mysql"].Environment["MARIADB_ROOT_PASSWORD"]
	if len(password) != 64 || len(rootPassword) != 64 || password == rootPassword {
		t.Errorf("the passwords are %q and %q", password, rootPassword)
	}
	if up := fiveLines(t)[3]; up != "docker compose up --build --detach --wait" {
		t.Errorf("the fourth line is %q", up)
	}
}

// documentedFile writes the block of docs/compose.md that bears that name into a
// file, as a user would.
func documentedFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(root + "/docs/compose.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)<!-- file: " + name + " -->\n```yaml\n(.*?)```\n").FindSubmatch(text)
	if m == nil {
		t.Fatalf("docs/compose.md has no file %q", name)
	}
	override := filepath.Join(t.TempDir(), "docker-compose.override.yml")
	if err := os.WriteFile(override, m[1], 0o600); err != nil {
		t.Fatal(err)
	}
	return override
}

// The files of one's own that docs/compose.md shows are good.
func TestDocumentedFiles(t *testing.T) {
	bin := programs(t)
	for _, name := range []string{"more memory", "a policy", "elsewhere", "in the process"} {
		t.Run(name, func(t *testing.T) {
			project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
				WorkingDir: root, ConfigFiles: types.ToConfigFiles([]string{file, documentedFile(t, name)}), Environment: environment(),
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range project.Services {
				for what, argv := range commandLines(s) {
					if err := parses(bin, s, argv); err != "" {
						t.Errorf("%s: %s: %s", s.Name, what, err)
					}
				}
			}
			if name != "elsewhere" {
				return
			}
			if _, ok := project.Services["mysql"]; ok || len(project.Services) != 4 {
				t.Errorf("the services are %v", project.ServiceNames())
			}
			for _, s := range project.Services {
				if dsn := s.Environment["TALLYROOT_MYSQL"]; dsn != nil && !strings.Contains(*dsn, "db.example.com") {
					t.Errorf("%s: %s", s.Name, *dsn)
				}
				if _, ok := s.Networks["outside"]; !ok || len(s.Volumes) < 2 {
					t.Errorf("%s: its networks are %v, its volumes %v", s.Name, s.Networks, s.Volumes)
				}
			}
		})
	}
}
