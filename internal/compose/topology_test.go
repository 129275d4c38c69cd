package compose_test

import (
	"errors"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/internal/compose"
	"github.com/tallyroot/tallyroot/internal/mariadb"
)

// start starts the whole topology on the volumes in dir; more are files that add to
// the compose file.
func start(t *testing.T, bin map[string]string, dir string, environment map[string]string, more ...string) *compose.Topology {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux gives each service a loopback address of its own")
	}
	files := append([]string{file}, more...)
	topology, err := compose.New(t.Context(), compose.Options{Files: files, Environment: environment, Dir: dir, Programs: bin})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		topology.Kill()
		if t.Failed() {
			for _, name := range topology.Services() {
				said := topology.Log(name)
				t.Logf("%s said: %s", name, said[max(0, len(said)-5000):])
			}
		}
	})
	err = topology.Up(patient(t))
	if errors.Is(err, mariadb.ErrMissing) && os.Getenv("TALLYROOT_TEST_ALL") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return topology
}

func down(t *testing.T, topology *compose.Topology) {
	t.Helper()
	if err := topology.Down(); err != nil {
		t.Fatal(err)
	}
}

// The compose file starts, takes an event, and gives a receipt that holds.
func TestStart(t *testing.T) {
	bin := programs(t)
	topology := start(t, bin, t.TempDir(), environment())
	c := newClient(t, topology, bin)
	c.check(c.logREST(c.next()))
	checkSecrets(t, topology, environment())
}

// The same, with the programs of the image, through all that an operator does and
// all that happens to one.
func TestTopology(t *testing.T) {
	onlyWhole(t)
	bin, dir := buildImage(t), t.TempDir()
	topology := start(t, bin, dir, environment())
	c := newClient(t, topology, bin)
	text := c.next()
	first, second := c.logREST(text), c.logGRPC(c.next())
	c.check(first)
	c.check(second)
	c.checkHistory(lot, first, second)
	c.checkPage(lot)
	checkSecrets(t, topology, environment())
	for _, name := range []string{"log-signer", "log-server", "mysql", "tallyroot"} {
		stopAndKill(t, c, name, first)
	}

	// Down and up again, with other passwords: everything is there.
	renewed := environment()
	renewed["MYSQL_PASSWORD"], renewed["MYSQL_ROOT_PASSWORD"] = `an'other \one`, "and another"
	changePasswords(t, topology, renewed)
	down(t, topology)
	topology = start(t, bin, dir, renewed)
	c.topology = topology
	c.check(first)
	if again := c.logREST(text); again != first {
		t.Errorf("the first event is at index %d, sent again at %d", first, again)
	}
	c.check(c.logGRPC(c.next()))
	checkSecrets(t, topology, renewed)

	putOlderDumpBack(t, c)
	loseLastCheckpoint(t, c)
	down(t, topology)

	// The same log goes on in tallyroot's own process.
	topology = start(t, bin, dir, renewed, documentedFile(t, "in the process"))
	c.topology = topology
	if services := topology.Services(); slices.Contains(services, "log-server") || slices.Contains(services, "log-signer") {
		t.Errorf("the services are %v", services)
	}
	c.check(first)
	c.check(c.logREST(c.next()))
	down(t, topology)
}

func onlyWhole(t *testing.T) {
	t.Helper()
	if os.Getenv("TALLYROOT_COMPOSE") == "" {
		t.Skip("`make test-compose` runs this: it takes minutes")
	}
}

// stopAndKill stops a service for a while, and then kills it. What has no proof is
// never answered with one, what was logged before is read all the time, and
// logging goes on by itself.
func stopAndKill(t *testing.T, c *client, name string, logged uint64) {
	t.Helper()
	t.Logf("stop %s", name)
	if err := c.topology.Stop(name); err != nil {
		t.Fatal(err)
	}
	text := c.next()
	if name != "tallyroot" {
		status, body, err := c.post("/v1/events?timeout=1s", text)
		if err != nil || status != http.StatusAccepted && status != http.StatusServiceUnavailable {
			t.Errorf("without %s: %v, status %d: %s", name, err, status, body)
		}
		c.check(logged)
		c.checkPage(lot)
	}
	if err := c.topology.Start(patient(t), name); err != nil {
		t.Fatal(err)
	}
	c.check(c.logREST(text))

	t.Logf("kill %s", name)
	if err := c.topology.Crash(name); err != nil {
		t.Fatal(err)
	}
	c.check(c.logREST(c.next()))
	if err := c.topology.Healthy(patient(t), name); err != nil {
		t.Fatal(err)
	}
}

// putOlderDumpBack: an older state of the database is noticed, nothing is signed on
// it, and what was published is served all the same. The newest dump ends that.
func putOlderDumpBack(t *testing.T, c *client) {
	t.Helper()
	older := dump(t, c.topology)
	newest := c.logREST(c.next())
	newer := dump(t, c.topology)
	restore(t, c.topology, older)
	if status, body := c.get("/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "rolled back") {
		t.Errorf("on an older dump: status %d: %s", status, body)
	}
	status, body, err := c.post("/v1/events?timeout=1s", c.next())
	if err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("on an older dump: %v, status %d: %s", err, status, body)
	}
	c.check(newest)
	c.checkPage(lot)
	restore(t, c.topology, newer)
	c.check(c.logREST(c.next()))
}

// loseLastCheckpoint: without the last signed checkpoint nothing starts, until it is
// recovered.
func loseLastCheckpoint(t *testing.T, c *client) {
	t.Helper()
	if err := c.topology.Stop("tallyroot"); err != nil {
		t.Fatal(err)
	}
	empty(t, c.topology, "/var/lib/last-checkpoint")
	out, err := c.topology.Exec(patient(t), "tallyroot", nil, "tallyroot", "serve")
	if err == nil || !strings.Contains(err.Error(), "recover") {
		t.Errorf("without the last checkpoint: %v: %s", err, out)
	}
	if out, err := c.topology.Exec(patient(t), "tallyroot", nil, documentedRun(t, "recover")...); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := c.topology.Start(patient(t), "tallyroot"); err != nil {
		t.Fatal(err)
	}
	c.check(c.logREST(c.next()))
}

// README.md's five lines, docker's taken over by the topology.
func TestReadme(t *testing.T) {
	onlyWhole(t)
	topology := start(t, programs(t), t.TempDir(), fillIn(t))
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
	settings, err := topology.Exec(patient(t), "tallyroot", nil, "tallyroot", "config", "show")
	if err != nil || !strings.Contains(string(settings), "TALLYROOT_DATA") {
		t.Errorf("%v: %s", err, settings)
	}
	for _, name := range topology.Services() {
		places := map[string]string{"what it says": topology.Log(name), "config show": string(settings)}
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
