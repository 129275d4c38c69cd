package compose_test

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/internal/compose"
)

// start starts the whole topology on the volumes in dir; more are files that add to
// the compose file.
func start(t *testing.T, bin map[string]string, dir string, environment map[string]string, more ...string) *compose.Topology {
	t.Helper()
	files := append([]string{file}, more...)
	topology, err := compose.New(t.Context(), compose.Options{Files: files, Environment: environment, Dir: dir, Programs: bin})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := topology.Kill(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			for _, name := range topology.Services() {
				said := topology.Log(name)
				t.Logf("%s said: %s", name, said[max(0, len(said)-5000):])
			}
		}
	})
	if err := topology.Up(patient(t)); err != nil {
		t.Fatal(err)
	}
	return topology
}

// The compose file starts, takes an event, and gives a receipt that holds.
func TestStart(t *testing.T) {
	topology := start(t, programs(t), t.TempDir(), environment())
	c := newClient(t, topology, programs(t))
	c.check(c.logREST(event(1)))
	checkSecrets(t, topology, environment())
}

// The same, with the programs of the image, through all that happens to it.
func TestTopology(t *testing.T) {
	if os.Getenv("TALLYROOT_COMPOSE") == "" {
		t.Skip("`make test-compose` runs this: it builds the image's programs and starts everything several times")
	}
	bin, dir := buildImage(t), t.TempDir()
	topology := start(t, bin, dir, environment())
	c := newClient(t, topology, bin)

	first := c.logREST(event(1))
	second := c.logGRPC(event(2))
	if first == second {
		t.Errorf("both events are at index %d", first)
	}
	c.check(first)
	c.check(second)
	c.checkHistory(lot, first, second)
	c.checkPage(lot)
	checkSecrets(t, topology, environment())

	last := 2
	for _, name := range []string{"log-signer", "log-server", "mysql", "tallyroot"} {
		t.Logf("stop %s", name)
		if err := topology.Stop(name); err != nil {
			t.Fatal(err)
		}
		last++
		if name != "tallyroot" {
			// Nothing that is not provable is answered with a receipt; reads go on.
			status, body, err := c.post("/v1/events?timeout=1s", event(last))
			if err != nil || status != http.StatusAccepted && status != http.StatusServiceUnavailable {
				t.Errorf("without %s: %v, status %d: %s", name, err, status, body)
			}
			c.check(first)
			c.checkPage(lot)
		}
		if err := topology.Start(patient(t), name); err != nil {
			t.Fatal(err)
		}
		c.check(c.logREST(event(last)))

		t.Logf("kill %s", name)
		if err := topology.Crash(name); err != nil {
			t.Fatal(err)
		}
		last++
		c.check(c.logREST(event(last)))
		if err := topology.Healthy(patient(t), name); err != nil {
			t.Fatal(err)
		}
	}
	if index := c.logREST(event(1)); index != first {
		t.Errorf("the first event is at index %d, sent again at %d", first, index)
	}

	// Down and up again, on the same volumes and with other passwords: everything
	// is there.
	renewed := environment()
	renewed["MYSQL_PASSWORD"], renewed["MYSQL_ROOT_PASSWORD"] = `an'other \one`, "and another"
	changePasswords(t, topology, renewed)
	if err := topology.Down(); err != nil {
		t.Fatal(err)
	}
	topology = start(t, bin, dir, renewed)
	c.topology = topology
	c.check(first)
	if index := c.logREST(event(1)); index != first {
		t.Errorf("the first event is at index %d, after a new start at %d", first, index)
	}
	c.check(c.logGRPC(event(last + 1)))
	checkSecrets(t, topology, renewed)

	// An older dump is noticed, and what was published is served all the same.
	older := dump(t, topology)
	newest := c.logREST(event(last + 2))
	newer := dump(t, topology)
	restore(t, topology, older)
	if status, body := c.get("/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "rolled back") {
		t.Errorf("on an older dump: status %d: %s", status, body)
	}
	if status, body, err := c.post("/v1/events?timeout=1s", event(last+3)); err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("on an older dump: %v, status %d: %s", err, status, body)
	}
	c.check(newest)
	c.checkPage(lot)
	restore(t, topology, newer)
	c.check(c.logREST(event(last + 3)))

	// Without the last signed checkpoint nothing is signed, until it is recovered.
	if err := topology.Stop("tallyroot"); err != nil {
		t.Fatal(err)
	}
	lose(t, topology, "/var/lib/last-checkpoint")
	out, err := topology.Exec(patient(t), "tallyroot", nil, documentedRun(t, "recover")...)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("recover says %s", out)
	if err := topology.Start(patient(t), "tallyroot"); err != nil {
		t.Fatal(err)
	}
	c.check(c.logREST(event(last + 4)))
	if err := topology.Down(); err != nil {
		t.Error(err)
	}

	// The same log goes on in tallyroot's own process.
	topology = start(t, bin, dir, renewed, documentedFile(t, "in the process"))
	c.topology = topology
	if services := topology.Services(); slices.Contains(services, "log-server") || slices.Contains(services, "log-signer") {
		t.Errorf("the services are %v", services)
	}
	c.check(first)
	c.check(c.logREST(event(last + 5)))
	if err := topology.Down(); err != nil {
		t.Error(err)
	}
}

// README.md's five lines, docker's taken over by the topology.
func TestReadme(t *testing.T) {
	if os.Getenv("TALLYROOT_COMPOSE") == "" {
		t.Skip("`make test-compose` runs this")
	}
	environment := fillIn(t)
	bin := programs(t)
	topology, err := compose.New(t.Context(), compose.Options{Files: []string{file}, Environment: environment, Dir: t.TempDir(), Programs: bin})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := topology.Kill(); err != nil {
			t.Error(err)
		}
	})
	if err := topology.Up(patient(t)); err != nil {
		t.Fatal(err)
	}
	words := shellWords(t, fiveLines(t)[4])
	if !slices.Equal(words[:4], []string{"docker", "compose", "exec", "tallyroot"}) {
		t.Fatalf("the fifth line is %q", words)
	}
	out, err := topology.Exec(patient(t), words[3], nil, words[4:]...)
	if err != nil || !strings.Contains(string(out), "green-valley-farm") {
		t.Errorf("%v: %s", err, out)
	}
}

// checkSecrets looks for the passwords where others can read.
func checkSecrets(t *testing.T, topology *compose.Topology, environment map[string]string) {
	t.Helper()
	passwords := []string{environment["MYSQL_PASSWORD"], environment["MYSQL_ROOT_PASSWORD"]}
	for _, name := range topology.Services() {
		places := map[string]string{"what it says": topology.Log(name)}
		if name != "schema" { // it has ended
			line, err := topology.CommandLine(name)
			if err != nil {
				t.Fatal(err)
			}
			if line == "" {
				t.Errorf("%s: its command line cannot be read", name)
			}
			places["its command line"] = line
		}
		for place, text := range places {
			for _, password := range passwords {
				if strings.Contains(text, password) {
					t.Errorf("%s: %s holds a password: %s", name, place, text)
				}
			}
		}
	}
}
