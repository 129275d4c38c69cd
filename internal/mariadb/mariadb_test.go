package mariadb

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

// A committed row is there after the server was killed, and after a dump was
// put back.
func TestKillAndRestore(t *testing.T) {
	s := Own(t)
	name := s.Database(t)
	if err := s.Exec(name, "CREATE TABLE t(a INT)", "INSERT INTO t VALUES(1)"); err != nil {
		t.Fatal(err)
	}
	dump, err := s.Dump(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Exec(name, "INSERT INTO t VALUES(2)"); err != nil {
		t.Fatal(err)
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	if n := rows(t, s, name); n != 2 {
		t.Errorf("%d rows after the crash", n)
	}
	if err := s.Restore(name, dump); err != nil {
		t.Fatal(err)
	}
	if n := rows(t, s, name); n != 1 {
		t.Errorf("%d rows after the restore", n)
	}
}

func rows(t *testing.T, s *Server, database string) (n int) {
	t.Helper()
	db, err := s.Open(database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow("SELECT COUNT(*) FROM t").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestShared(t *testing.T) {
	if a, b := Shared(t), Shared(t); a != b {
		t.Error("two servers")
	}
}
