package compose_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/tallyroot/tallyroot/internal/compose"
)

const file = root + "/docker-compose.yml"

func load(t *testing.T, environment map[string]string) *types.Project {
	t.Helper()
	project, err := compose.Load(t.Context(), environment, file)
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// What has no safe default is asked for, in a sentence.
func TestRequired(t *testing.T) {
	for name, says := range map[string]string{
		"TALLYROOT_ORIGIN":     "stands in everything that is signed, for good",
		"TALLYROOT_PUBLIC_URL": "under which URL shoppers reach the service",
		"TALLYROOT_POLICY":     "none says that nobody vouches for this log but you",
		"MYSQL_PASSWORD":       "openssl rand -hex 32",
		"MYSQL_ROOT_PASSWORD":  "openssl rand -hex 32",
	} {
		for _, value := range []string{"unset", "empty"} {
			t.Run(name+" "+value, func(t *testing.T) {
				e := environment()
				if e[name] = ""; value == "unset" {
					delete(e, name)
				}
				_, err := compose.Load(t.Context(), e, file)
				if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), says) {
					t.Errorf("%v", err)
				}
			})
		}
	}
}

// .env.example names every variable of the file; those without a default are
// there to be filled in, and have no value.
func TestExample(t *testing.T) {
	example, err := os.ReadFile(root + "/.env.example")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	asked, optional := make(map[string]bool), make(map[string]bool)
	for _, m := range regexp.MustCompile(`\$\{(\w+)(:-)?`).FindAllSubmatch(text, -1) {
		if name := string(m[1]); len(m[2]) > 0 {
			optional[name] = true
		} else {
			asked[name] = true
		}
	}
	inExample, commented := make(map[string]bool), make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^(#?)(\w+)=(.*)$`).FindAllStringSubmatch(string(example), -1) {
		if m[1] == "#" {
			commented[m[2]] = true
			continue
		}
		inExample[m[2]] = true
		if m[3] != "" {
			t.Errorf("%s has a value: %q", m[2], m[3])
		}
	}
	if !maps.Equal(asked, inExample) {
		t.Errorf("the file asks for %v, the example for %v", asked, inExample)
	}
	if !maps.Equal(optional, commented) {
		t.Errorf("the file has defaults for %v, the example names %v", optional, commented)
	}
}

// A password is where only its service reads it.
func TestPasswords(t *testing.T) {
	e := environment()
	for name, s := range load(t, e).Services {
		words := slices.Concat(s.Entrypoint, s.Command)
		if s.HealthCheck != nil {
			words = append(words, s.HealthCheck.Test...)
		}
		for _, word := range words {
			if strings.Contains(word, e["MYSQL_PASSWORD"]) || strings.Contains(word, e["MYSQL_ROOT_PASSWORD"]) {
				t.Errorf("%s: a command line holds a password: %s", name, word)
			}
		}
		for variable, value := range s.Environment {
			if strings.Contains(*value, e["MYSQL_ROOT_PASSWORD"]) && name != "mysql" {
				t.Errorf("%s: %s holds root's password", name, variable)
			}
		}
	}
}

// What surrounds our programs.
func TestContainers(t *testing.T) {
	project := load(t, environment())
	ours := 0
	for name, s := range project.Services {
		if !slices.Contains(s.SecurityOpt, "no-new-privileges:true") || s.MemLimit == 0 || s.PidsLimit == 0 ||
			s.Logging == nil || s.Logging.Options["max-size"] == "" || s.Logging.Options["max-file"] == "" {
			t.Errorf("%s: its privileges, its memory, its processes or its log are without bounds", name)
		}
		if s.Image == "mariadb:10.11" {
			continue
		}
		ours++
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || s.PullPolicy != "never" {
			t.Errorf("%s: read_only %v, cap_drop %v, pull_policy %s", name, s.ReadOnly, s.CapDrop, s.PullPolicy)
		}
	}
	if ours != 4 {
		t.Errorf("%d services of our image", ours)
	}
}

// Nothing but tallyroot is reached from outside, and that from this machine only
// unless the user says otherwise.
func TestReach(t *testing.T) {
	e := environment()
	project := load(t, e)
	for name, s := range project.Services {
		for network := range s.Networks {
			if !project.Networks[network].Internal && name != "tallyroot" {
				t.Errorf("%s is in the network %s, which leads outside", name, network)
			}
		}
		if len(s.Ports) > 0 != (name == "tallyroot") {
			t.Errorf("%s publishes %v", name, s.Ports)
		}
	}
	port := project.Services["tallyroot"].Ports
	if len(port) != 1 || port[0].HostIP != "127.0.0.1" || port[0].Published != "8080" {
		t.Errorf("%+v", port)
	}
	e["PUBLISHED_AT"] = "192.0.2.1:443"
	port = load(t, e).Services["tallyroot"].Ports
	if len(port) != 1 || port[0].HostIP != "192.0.2.1" || port[0].Published != "443" {
		t.Errorf("%+v", port)
	}
}

// The last signed checkpoint is not restored together with the log.
func TestVolumes(t *testing.T) {
	used := make(map[string][]string)
	for _, s := range load(t, environment()).Services {
		for _, v := range s.Volumes {
			if v.ReadOnly != (s.Name == "log-server" || s.Name == "log-signer") {
				t.Errorf("%s: %s: read_only %v", s.Name, v.Target, v.ReadOnly)
			}
			used[v.Source] = append(used[v.Source], s.Name+" "+v.Target)
		}
	}
	if !slices.Equal(used["last-checkpoint"], []string{"tallyroot /var/lib/last-checkpoint"}) {
		t.Errorf("%v", used)
	}
}

// What the processes would not do as the containers do is refused: a key that is
// not known, wherever it stands, and a value that means something else there.
func TestRefused(t *testing.T) {
	for _, tt := range []struct{ name, old, new, says string }{
		{"key of a service", "  tallyroot:\n    <<", "  tallyroot:\n    hostname: x\n    <<", "services: tallyroot: hostname"},
		{"key of a dependency", "schema: { condition: service_completed_successfully }", "schema: { condition: service_completed_successfully, restart: true }", "depends_on: schema: restart"},
		{"key of a volume", "  last-checkpoint: {}", "  last-checkpoint: { external: true }", "volumes: last-checkpoint: external"},
		{"key of a network", "  outside: {}", "  outside: { driver: host }", "networks: outside: driver"},
		{"key of a service's network", "networks: [inside, outside]", "networks: { inside: { aliases: [x] }, outside: {} }", "services: tallyroot: networks: inside: aliases"},
		{"key of the file", "name: tallyroot\n", "name: tallyroot\nsecrets: { a: { file: b } }\n", "secrets"},
		{"another program", "entrypoint: [trillian_log_server]", "entrypoint: [sh]", `no program "sh"`},
		{"a service that cannot be reached", "networks: [inside, outside]", "networks: [outside]", "it cannot reach mysql:3306, with"},
		{"a path outside of the volumes", "TALLYROOT_DATA: /var/lib/tallyroot", "TALLYROOT_DATA: /var/lib/else", "/var/lib/else lies in none of its volumes"},
		{"a folder of the machine", "- tallyroot:/var/lib/tallyroot", "- ./data:/var/lib/tallyroot", "volumes: bind"},
		{"another image", "image: mariadb:10.11", "image: mysql:8.4", "mysql:8.4"},
		{"another variable of the image", "MARIADB_USER:", "MARIADB_AUTO_UPGRADE: 1\n      MARIADB_USER:", "MARIADB_AUTO_UPGRADE"},
		{"root from elsewhere", "MARIADB_ROOT_HOST: localhost", `MARIADB_ROOT_HOST: "%"`, "root must not come from elsewhere"},
		{"another restart policy", `restart: "no"`, "restart: always", "always"},
		{"a condition that cannot hold", "log-signer: { condition: service_healthy }", "log-signer: { condition: service_completed_successfully }", "can never hold"},
		{"a shell where there is none", "test: [CMD, tallyroot, health,", "test: [CMD-SHELL, tallyroot, health,", "no shell"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(text), tt.old) {
				t.Fatalf("the file has no %q", tt.old)
			}
			changed := filepath.Join(t.TempDir(), "docker-compose.yml")
			if err := os.WriteFile(changed, []byte(strings.Replace(string(text), tt.old, tt.new, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			bin := map[string]string{"tallyroot": "/x", "trillian_log_server": "/x", "trillian_log_signer": "/x"}
			_, err = compose.New(t.Context(), compose.Options{Files: []string{changed}, Environment: environment(), Dir: t.TempDir(), Programs: bin})
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v", err)
			}
		})
	}
}
