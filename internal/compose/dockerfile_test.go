package compose_test

import (
	"bytes"
	"encoding/json"
	"go/version"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

// An instruction is one of a Dockerfile's, its line breaks taken out.
type instruction struct{ name, text string }

// stages reads the Dockerfile: what stands before the first FROM, and then each
// stage, which begins with its FROM.
func stages(t *testing.T) [][]instruction {
	t.Helper()
	b, err := os.ReadFile(root + "/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString(string(b), "")
	all := [][]instruction{nil}
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "" {
			continue
		}
		if name == "FROM" {
			all = append(all, nil)
		}
		last := &all[len(all)-1]
		*last = append(*last, instruction{name, strings.TrimSpace(rest)})
	}
	return all
}

func texts(stage []instruction, name string) (all []string) {
	for _, i := range stage {
		if i.name == name {
			all = append(all, i.text)
		}
	}
	return all
}

// only gives the text of the one instruction of that name.
func only(t *testing.T, stage []instruction, name string) string {
	t.Helper()
	all := texts(stage, name)
	if len(all) != 1 {
		t.Fatalf("%d instructions %s: %q", len(all), name, all)
	}
	return all[0]
}

// The image is built with go.mod's Go, or a newer patch of it.
func TestDockerfileGo(t *testing.T) {
	b, err := os.ReadFile(root + "/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	module, err := modfile.Parse("go.mod", b, nil)
	if err != nil {
		t.Fatal(err)
	}
	all := stages(t)
	tag, ok := strings.CutPrefix(only(t, all[0], "ARG"), "GO_VERSION=")
	if from := only(t, all[1], "FROM"); !ok || from != "golang:${GO_VERSION}-bookworm AS build" {
		t.Fatalf("%q, %q", tag, from)
	}
	want := "go" + module.Go.Version
	if version.Lang("go"+tag) != version.Lang(want) || version.Compare("go"+tag, want) < 0 {
		t.Errorf("the image is built with Go %s, go.mod says %s", tag, module.Go.Version)
	}
}

// The image itself: nothing but the programs and what they need, for a user that
// owns nothing but the volumes.
func TestDockerfileImage(t *testing.T) {
	all := stages(t)
	if len(all) != 3 {
		t.Fatalf("%d stages", len(all)-1)
	}
	image := all[2]
	if from := only(t, image, "FROM"); from != "scratch" {
		t.Errorf("FROM %s", from)
	}
	user := only(t, image, "USER")
	if !regexp.MustCompile(`^[1-9]\d+:[1-9]\d+$`).MatchString(user) {
		t.Errorf("USER %s is not a number, or root's", user)
	}
	if entrypoint := list(t, only(t, image, "ENTRYPOINT")); !slices.Equal(entrypoint, []string{"tallyroot"}) {
		t.Errorf("ENTRYPOINT %q", entrypoint)
	}
	for _, label := range []string{"title", "description", "source", "licenses", "version"} {
		if !strings.Contains(only(t, image, "LABEL"), "org.opencontainers.image."+label+"=") {
			t.Errorf("there is no label %s", label)
		}
	}
	// What is copied, by its place, and for whom.
	copied := make(map[string]string)
	for _, text := range texts(image, "COPY") {
		words := strings.Fields(text)
		copied[words[len(words)-1]] = text
	}
	if !strings.Contains(copied["/etc/ssl/certs/ca-certificates.crt"], "--from=build") {
		t.Error("there are no certificates")
	}
	if path := only(t, image, "ENV"); path != "PATH=/usr/local/bin" || !strings.HasSuffix(copied["/usr/local/bin"], "/out/bin /usr/local/bin") {
		t.Errorf("the programs are in %q, ENV %s", copied["/usr/local/bin"], path)
	}
	project := load(t, environment())
	for name, s := range project.Services {
		if s.Image == "mariadb:10.11" {
			continue
		}
		// A volume gets the owner of the folder on which it is mounted.
		for _, v := range s.Volumes {
			if text := copied[v.Target]; !strings.Contains(text, "--chown="+user+" ") {
				t.Errorf("%s: the volume at %s does not become %s's: COPY %s", name, v.Target, user, text)
			}
		}
	}
	// Without compose, health is checked in the same way.
	check := only(t, image, "HEALTHCHECK")
	_, command, _ := strings.Cut(check, "CMD ")
	if want := project.Services["tallyroot"].HealthCheck.Test[1:]; !slices.Equal(list(t, command), want) {
		t.Errorf("HEALTHCHECK %s, in the compose file %q", check, want)
	}
}

func list(t *testing.T, text string) (words []string) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &words); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return words
}

// buildImage does what the Dockerfile's first stage does, on this machine: it
// copies what .dockerignore leaves, and runs each RUN as it stands there, with
// other places for /src and /out. It gives the programs of the image.
func buildImage(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	src, out := filepath.Join(dir, "src"), filepath.Join(dir, "out")
	environment := os.Environ()
	for _, i := range stages(t)[1] {
		i.text = regexp.MustCompile(`/out\b`).ReplaceAllString(i.text, out)
		switch i.name {
		case "FROM":
		case "ENV":
			environment = append(environment, i.text)
		case "WORKDIR":
			if i.text != "/src" {
				t.Fatalf("WORKDIR %s", i.text)
			}
		case "COPY":
			words := strings.Fields(i.text)
			for _, from := range words[:len(words)-1] {
				copyContext(t, from, src)
			}
		case "RUN":
			cmd := exec.CommandContext(t.Context(), "sh", "-c", i.text)
			cmd.Dir, cmd.Env = src, environment
			t.Log(i.text)
			if said, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("RUN %s: %v\n%s", i.text, err, said)
			}
		default:
			t.Fatalf("the instruction %s is not known here", i.name)
		}
	}
	bin := make(map[string]string)
	for _, name := range []string{"tallyroot", "trillian_log_server", "trillian_log_signer"} {
		bin[name] = filepath.Join(out, "bin", name)
		settings, err := exec.Command("go", "version", "-m", bin[name]).Output()
		if err != nil || !bytes.Contains(settings, []byte("CGO_ENABLED=0")) || !bytes.Contains(settings, []byte("-trimpath=true")) {
			t.Errorf("%s is not static, or holds this machine's paths (%v): %s", name, err, settings)
		}
	}
	return bin
}

// copyContext copies a file or folder of the project as COPY would: what git knows
// and .dockerignore does not leave out.
func copyContext(t *testing.T, from, to string) {
	t.Helper()
	files, err := exec.Command("git", "-C", root, "ls-files", "-co", "--exclude-standard", "--", from).Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.Lines(string(files)) {
		name = strings.TrimSpace(name)
		if left := inContext(t, name); !left {
			continue
		}
		b, err := os.ReadFile(filepath.Join(root, name))
		if os.IsNotExist(err) { // deleted, and not committed yet
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(to, path.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// inContext says whether .dockerignore leaves a file in the image's context. It
// knows only what that file uses: *, !NAME at the top, **/NAME and **/*SUFFIX.
func inContext(t *testing.T, name string) bool {
	t.Helper()
	b, err := os.ReadFile(root + "/.dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	in := true
	for rule := range strings.Lines(string(b)) {
		rule = strings.TrimSpace(rule)
		parts := strings.Split(name, "/")
		switch {
		case rule == "" || rule[0] == '#':
		case rule == "*":
			in = false
		case rule[0] == '!' && !strings.ContainsAny(rule, "*/"):
			in = in || parts[0] == rule[1:]
		case strings.HasPrefix(rule, "**/") && !strings.Contains(rule[3:], "/"):
			in = in && !slices.ContainsFunc(parts, func(part string) bool {
				matched, err := path.Match(rule[3:], part)
				return err != nil || matched
			})
		default:
			t.Fatalf(".dockerignore: the rule %q is not known here", rule)
		}
	}
	return in
}

// Nothing that is private gets into the image's context, and nothing is missing.
func TestDockerignore(t *testing.T) {
	for name, want := range map[string]bool{
		".env": false, ".git/config": false, "data/log.key": false, "build/bin/tallyroot": false, "docker-compose.yml": false,
		"cmd/tallyroot/main_test.go": false, "cmd/tallyroot/testdata/script/key.txtar": false,
		"LICENSE": true, "go.mod": true, "go.sum": true, "cmd/tallyroot/main.go": true, "gateway/web/land.bin": true,
	} {
		if in := inContext(t, name); in != want {
			t.Errorf("%s: in the context %v", name, in)
		}
	}
	out, err := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if .Main}}{{$.Dir}}{{end}}{{end}}", root+"/cmd/tallyroot").Output()
	if err != nil {
		t.Fatal(err)
	}
	base, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	for dir := range strings.Lines(string(out)) {
		dir, err := filepath.Rel(base, strings.TrimSpace(dir))
		if err != nil {
			t.Fatal(err)
		}
		if !inContext(t, filepath.ToSlash(dir)+"/x.go") {
			t.Errorf("%s is needed, and not in the context", dir)
		}
	}
}
