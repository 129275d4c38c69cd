package stock

import (
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/internal/mariadb"
)

func TestMain(m *testing.M) { os.Exit(mariadb.Main(m)) }

// Both run and are healthy, after they were killed too, on the same ports; and
// the process list does not show where the database is.
func TestStart(t *testing.T) {
	db := mariadb.Shared(t)
	name := db.Database(t)
	s := Own(t, Options{DSN: db.DSN(name)})
	for _, p := range []*Process{s.Server, s.Signer} {
		before := healthz(t, p)
		if err := p.Kill(); err != nil {
			t.Fatal(err)
		}
		if _, err := http.Get("http://" + p.HTTP + "/healthz"); err == nil {
			t.Errorf("%s answers after it was killed", p.name)
		}
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		if after := healthz(t, p); before != "ok" || after != "ok" {
			t.Errorf("%s says %q, and %q after its second start", p.name, before, after)
		}
		args, err := os.ReadFile("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/cmdline")
		if err != nil || strings.Contains(string(args), name) {
			t.Errorf("the arguments are %q (%v)", args, err)
		}
	}
}

func healthz(t *testing.T, p *Process) string {
	t.Helper()
	resp, err := http.Get("http://" + p.HTTP + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestConfig(t *testing.T) {
	dir := t.TempDir()
	for _, bad := range []string{"no dsn", "user:a$b@tcp(localhost)/db", "user:a'b@tcp(localhost)/db"} {
		if name, err := writeConfig(dir, bad); err == nil {
			t.Errorf("%s is written for %q", name, bad)
		}
	}
	name, err := writeConfig(dir, "user:secret@tcp(localhost)/db")
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v (%v)", info, err)
	}
}
