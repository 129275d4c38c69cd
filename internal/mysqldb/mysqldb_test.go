package mysqldb

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/tallyroot/tallyroot/internal/mariadb"
)

func TestMain(m *testing.M) { os.Exit(mariadb.Main(m)) }

const password = "h1dden, with: a/few@odd?signs"

// counter counts errors by class.
type counter struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *counter) add(class string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	c.n[class]++
}

func (c *counter) of(class string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[class]
}

func open(t *testing.T, c Config) *sql.DB {
	t.Helper()
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	db, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func exec(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// user makes a user with the password, and says how to connect as it with a wrong one.
func user(t *testing.T, s *mariadb.Server, name, database, grant string) *mysql.Config {
	t.Helper()
	statements := []string{
		fmt.Sprintf("CREATE OR REPLACE USER %s@'127.0.0.1' IDENTIFIED BY '%s'", name, password),
		fmt.Sprintf("GRANT %s TO %s@'127.0.0.1'", grant, name),
	}
	if err := s.Exec("", statements...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Exec("", "DROP USER "+name+"@'127.0.0.1'") })
	c := s.Config(database)
	c.User, c.Passwd = name, "another one: "+password
	return c
}

// Every connection of the pool has what the package promises.
func TestEveryConnection(t *testing.T) {
	s := mariadb.Shared(t)
	name := s.Database(t)
	// A server whose defaults are others.
	own := map[string]string{"sql_mode": "''", "tx_isolation": "'READ-COMMITTED'", "character_set_client": "latin1"}
	for variable, value := range own {
		var before string
		admin := open(t, Config{DSN: s.DSN(name)})
		if err := admin.QueryRow("SELECT @@GLOBAL." + variable).Scan(&before); err != nil {
			t.Fatal(err)
		}
		exec(t, admin, "SET GLOBAL "+variable+" = "+value)
		t.Cleanup(func() { exec(t, admin, fmt.Sprintf("SET GLOBAL %s = '%s'", variable, before)) })
	}
	db := open(t, Config{DSN: s.DSN(name) + "?innodb_lock_wait_timeout=7"})
	for range 3 {
		conn, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		var got string
		if err := conn.QueryRowContext(t.Context(), "SELECT CONCAT_WS(' ', @@sql_mode, @@tx_isolation, @@character_set_client, @@character_set_results, @@innodb_lock_wait_timeout)").Scan(&got); err != nil {
			t.Fatal(err)
		}
		if want := "STRICT_ALL_TABLES REPEATABLE-READ utf8mb4 utf8mb4 7"; got != want {
			t.Errorf("%s; want %s", got, want)
		}
		var at time.Time
		if err := conn.QueryRowContext(t.Context(), "SELECT CAST(? AS DATETIME(6))", time.Unix(1, 5000)).Scan(&at); err != nil || !at.Equal(time.Unix(1, 5000)) {
			t.Errorf("%v, %v", at, err)
		}
	}
	exec(t, db, "CREATE TABLE short(a VARCHAR(2))")
	if _, err := db.Exec("INSERT INTO short VALUES('abc')"); err == nil {
		t.Error("a value was cut off")
	}
	if _, err := db.Exec("SELECT 1; SELECT 2"); err == nil {
		t.Error("two statements in one text")
	}
}

// What a person meets is a sentence that says what to do, has a class, and holds
// no password.
func TestExplain(t *testing.T) {
	s := mariadb.Shared(t)
	name := s.Database(t)
	root := open(t, Config{DSN: s.DSN(name)})
	exec(t, root, "CREATE TABLE t(a INT PRIMARY KEY, b INT)", "INSERT INTO t VALUES(1, 1), (2, 2)")
	reader := user(t, s, "reader", name, "SELECT ON `"+name+"`.*")
	nobody := user(t, s, "nobody", name, "USAGE ON *.*")
	elsewhere := s.Config(name)
	elsewhere.Addr = closedPort(t)
	nowhere := s.Config(name)
	nowhere.Addr = "no-such-host.invalid:3306"
	socket := s.Config(name)
	socket.Net, socket.Addr = "unix", filepath.Join(t.TempDir(), "socket")

	for _, c := range []struct {
		name      string
		config    Config
		statement string
		class     string
		says      string
	}{
		{"nothing listens", Config{DSN: elsewhere.FormatDSN()}, "", ClassUnavailable, "cannot be reached"},
		{"no such host", Config{DSN: nowhere.FormatDSN()}, "", ClassUnavailable, "cannot be reached"},
		{"no such socket", Config{DSN: socket.FormatDSN()}, "", ClassUnavailable, "cannot be reached"},
		{"wrong password", Config{DSN: reader.FormatDSN()}, "", ClassDenied, "check the user, the password"},
		{"wrong Password", Config{DSN: s.DSN(name), Password: "another one: " + password}, "", ClassDenied, "check the user, the password"},
		{"no rights to the database", Config{DSN: nobody.FormatDSN(), Password: password}, "", ClassDenied, "GRANT"},
		{"no such database", Config{DSN: s.DSN("nothing_here")}, "", ClassOther, "CREATE DATABASE"},
		{"no right to write", Config{DSN: reader.FormatDSN(), Password: password}, "INSERT INTO t VALUES(3, 3)", ClassDenied, "lacks a right"},
		{"TLS that is not there", Config{DSN: s.DSN(name) + "?tls=true"}, "", ClassDenied, "TLS is asked for"},
		{"no such table", Config{DSN: s.DSN(name)}, "SELECT * FROM nothing", ClassOther, "schema apply"},
		{"no such option", Config{DSN: s.DSN(name) + "?parseTimes=true"}, "", ClassOther, "option"},
		{"duplicate", Config{DSN: s.DSN(name)}, "INSERT INTO t VALUES(1, 3)", ClassDuplicate, "Duplicate entry"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var errors counter
			c.config.OnError = errors.add
			db := open(t, c.config)
			err := Wait(t.Context(), db, 0, slog.New(slog.DiscardHandler))
			if c.statement != "" {
				if err != nil {
					t.Fatal(err)
				}
				_, err = db.Exec(c.statement)
				err = Explain(fmt.Errorf("do it: %w", err))
			}
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "h1dden") {
				t.Errorf("%v; want an error that says %q", err, c.says)
			}
			if Explain(err) != err {
				t.Error("explained twice")
			}
			if got := Class(err); got != c.class || errors.of(c.class) == 0 || Unavailable(err) != (c.class == ClassUnavailable) {
				t.Errorf("class %s, counted %v; want %s", got, errors.n, c.class)
			}
		})
	}
	if Explain(nil) != nil || Unavailable(nil) {
		t.Error("nil is an error")
	}
}

// closedPort is an address at which nothing listens.
func closedPort(t *testing.T) string {
	t.Helper()
	s := mariadb.Shared(t).Config("")
	s.Addr = "127.0.0.1:1"
	return s.Addr
}

// Of two transactions in each other's way one is rolled back, and is told to try
// again; one who goes away is not the database's error.
func TestConflict(t *testing.T) {
	s := mariadb.Shared(t)
	name := s.Database(t)
	var errs counter
	db := open(t, Config{DSN: s.DSN(name), OnError: errs.add})
	exec(t, db, "CREATE TABLE t(a INT PRIMARY KEY, b INT)", "INSERT INTO t VALUES(1, 1), (2, 2)")
	var wg, both sync.WaitGroup
	both.Add(2)
	conflicts := make(chan error, 2)
	for _, order := range [][2]int{{1, 2}, {2, 1}} {
		wg.Go(func() {
			tx, err := db.Begin()
			if err != nil {
				t.Error(err)
				return
			}
			defer tx.Rollback()
			_, err = tx.Exec("UPDATE t SET b = b + 1 WHERE a = ?", order[0])
			if err != nil {
				t.Error(err)
			}
			both.Done()
			both.Wait()
			if _, err = tx.Exec("UPDATE t SET b = b + 1 WHERE a = ?", order[1]); err != nil {
				conflicts <- err
			}
		})
	}
	wg.Wait()
	close(conflicts)
	err := <-conflicts
	if !Conflict(err) || Unavailable(err) || errs.of(ClassConflict) != 1 {
		t.Errorf("%v; counted %v", err, errs.n)
	}

	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for n := 0; n == 0 && t.Context().Err() == nil; {
			if err := db.QueryRow("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO = 'DO SLEEP(60)'").Scan(&n); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	if _, err := db.ExecContext(ctx, "DO SLEEP(60)"); !errors.Is(err, context.Canceled) || Unavailable(err) || errs.of(ClassCanceled) != 1 {
		t.Errorf("%v; counted %v", err, errs.n)
	}
}

// A pool goes on when the database comes back, and what the driver remarks on the
// way is in the log and not on the terminal.
func TestComesBack(t *testing.T) {
	s := mariadb.Own(t)
	name := s.Database(t)
	var errs counter
	var remarks bytes.Buffer
	db := open(t, Config{
		DSN: s.DSN(name), OnError: errs.add,
		Logger: slog.New(slog.NewTextHandler(&remarks, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	exec(t, db, "CREATE TABLE t(a INT PRIMARY KEY)", "INSERT INTO t VALUES(1)")
	stmt, err := db.Prepare("SELECT a FROM t WHERE a = ?")
	if err != nil {
		t.Fatal(err)
	}
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	var n int
	for what, err := range map[string]error{
		"a transaction": func() error { _, err := tx.Exec("INSERT INTO t VALUES(2)"); return err }(),
		"a commit":      tx.Commit(),
		"a query":       db.QueryRow("SELECT a FROM t").Scan(&n),
		"a statement":   stmt.QueryRow(1).Scan(&n),
		"ping":          db.Ping(),
		"waiting":       Wait(t.Context(), db, time.Millisecond, slog.New(slog.DiscardHandler)),
	} {
		if !Unavailable(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if errs.of(ClassUnavailable) < 4 {
		t.Errorf("counted %v", errs.n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Wait(ctx, db, time.Hour, slog.New(slog.DiscardHandler)); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}

	started := make(chan error, 1)
	go func() { started <- s.Start() }()
	if err := Wait(t.Context(), db, DefaultWait, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	if err := stmt.QueryRow(1).Scan(&n); err != nil || n != 1 {
		t.Errorf("%d, %v", n, err)
	}
	if !strings.Contains(remarks.String(), "the database driver") {
		t.Errorf("the log: %s", remarks.String())
	}
}

// A server that became read-only is left, since the name may lead to another one.
func TestReadOnly(t *testing.T) {
	s := mariadb.Own(t)
	name := s.Database(t)
	if err := s.Exec(name, "CREATE TABLE t(a INT)"); err != nil {
		t.Fatal(err)
	}
	c := user(t, s, "writer", name, "ALL ON `"+name+"`.*")
	db := open(t, Config{DSN: c.FormatDSN(), Password: password, MaxOpen: 1})
	id := func() (n int) {
		t.Helper()
		if err := db.QueryRow("SELECT CONNECTION_ID()").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	exec(t, db, "INSERT INTO t VALUES(1)")
	before := id()
	if id() != before {
		t.Fatal("the pool does not keep its connection")
	}
	if err := s.Exec("", "SET GLOBAL read_only = 1"); err != nil {
		t.Fatal(err)
	}
	_, err := db.Exec("INSERT INTO t VALUES(2)")
	if !Unavailable(err) || !strings.Contains(Explain(err).Error(), "read-only") {
		t.Error(err)
	}
	if id() == before {
		t.Error("the connection was kept")
	}
}

func TestTimeout(t *testing.T) {
	s := mariadb.Shared(t)
	db := open(t, Config{DSN: s.DSN(s.Database(t)), Timeout: 50 * time.Millisecond})
	if _, err := db.Exec("DO SLEEP(60)"); !Unavailable(err) {
		t.Errorf("a silent server: %v", err)
	}
}
