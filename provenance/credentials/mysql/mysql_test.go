package mysql

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/internal/mariadb"
	"github.com/tallyroot/tallyroot/internal/mysqldb"
	"github.com/tallyroot/tallyroot/internal/schema"
	"github.com/tallyroot/tallyroot/provenance/credentials"
	"github.com/tallyroot/tallyroot/provenance/credentials/credentialstest"
)

func TestMain(m *testing.M) { os.Exit(mariadb.Main(m)) }

const origin = "test.example/log"

var quiet = slog.New(slog.DiscardHandler)

// database gives a pool on a new database with the schema, and its name.
func database(t *testing.T, server *mariadb.Server) (*sql.DB, string) {
	t.Helper()
	name := server.Database(t)
	db, err := mysqldb.Open(mysqldb.Config{DSN: server.DSN(name), Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := schema.Apply(t.Context(), db, nil); err != nil {
		t.Fatal(err)
	}
	return db, name
}

func open(t *testing.T, db *sql.DB, dir string) *store {
	t.Helper()
	s, err := Open(db, origin, dir, Options{Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	return s.(*store)
}

func TestStore(t *testing.T) {
	credentialstest.Run(t, func(t *testing.T) func() credentials.Store {
		db, _ := database(t, mariadb.Shared(t))
		dir := t.TempDir()
		return func() credentials.Store { return open(t, db, dir) }
	})
}

func check(t *testing.T, s credentials.Store, token, want string, wantErr error) {
	t.Helper()
	if got, err := credentials.Check(s, token, credentialstest.Now); got != want || !errors.Is(err, wantErr) {
		t.Errorf("%.40s: %q, %v; want %q, %v", token, got, err, want, wantErr)
	}
}

// clock is one that a test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// What one process adds and revokes has its effect in another after the fresh time.
func TestTwoProcesses(t *testing.T) {
	db, _ := database(t, mariadb.Shared(t))
	dir := t.TempDir()
	a, b := open(t, db, dir), open(t, db, dir)
	at := clock{at: credentialstest.Now}
	b.cache.now = at.now

	secret, record := credentialstest.Issue(t, a, "farm", credentialstest.Now.AddDate(1, 0, 0))
	check(t, b, secret, "farm", nil)
	if _, _, err := a.RevokeToken("farm", record.Number, credentialstest.Now); err != nil {
		t.Fatal(err)
	}
	check(t, a, secret, "", credentials.ErrRevoked)
	at.pass(DefaultFresh - 1)
	check(t, b, secret, "farm", nil)
	at.pass(1)
	check(t, b, secret, "", credentials.ErrRevoked)

	// One that b looked for too early.
	next := strings.Replace(secret, "_1_", "_2_", 1)
	check(t, b, next, "", credentials.ErrUnknown)
	secret, _ = credentialstest.Issue(t, a, "farm", credentialstest.Now.AddDate(1, 0, 0))
	check(t, b, secret, "", credentials.ErrUnknown)
	at.pass(DefaultFresh)
	check(t, b, secret, "farm", nil)
}

// Two processes that issue at once give each number once.
func TestIssueInTwoProcesses(t *testing.T) {
	db, _ := database(t, mariadb.Shared(t))
	dir := t.TempDir()
	var wg sync.WaitGroup
	const each = 8
	for range 2 {
		s := open(t, db, dir)
		wg.Go(func() {
			for range each {
				secret, _, err := credentials.Issue(s, "farm", credentialstest.Now, time.Time{})
				if err != nil {
					t.Error(err)
					return
				}
				check(t, s, secret, "farm", nil)
			}
		})
	}
	wg.Wait()
	if list, err := open(t, db, dir).Tokens("farm"); err != nil || len(list) != 2*each || list[2*each-1].Number != 2*each {
		t.Errorf("%d tokens, %v", len(list), err)
	}
}

// Services of two origins share a database, and nothing in it.
func TestOrigins(t *testing.T) {
	db, _ := database(t, mariadb.Shared(t))
	a := open(t, db, t.TempDir())
	b, err := Open(db, "other.example", t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	secret, _ := credentialstest.Issue(t, a, "farm", time.Time{})
	if err := a.AddManagedKey("farm", "a's key"); err != nil {
		t.Fatal(err)
	}
	check(t, b, secret, "", credentials.ErrUnknown)
	if list, err := b.Participants(); err != nil || len(list) != 0 {
		t.Error(list, err)
	}
	if key, err := b.ManagedKey("farm"); err != nil || key != "" {
		t.Error(key, err)
	}
	if _, found, err := b.RevokeToken("farm", 1, credentialstest.Now); found || err != nil {
		t.Error(found, err)
	}
	check(t, a, secret, "farm", nil)
}

// Neither a token's secret nor a private key stands in the database's backups.
func TestNoSecretInTheDatabase(t *testing.T) {
	server := mariadb.Shared(t)
	db, name := database(t, server)
	dir := t.TempDir()
	s := open(t, db, dir)
	token, _ := credentialstest.Issue(t, s, "farm", time.Time{})
	private := "PRIVATE+KEY+" + secretOf(token)
	if err := s.AddManagedKey("farm", private); err != nil {
		t.Fatal(err)
	}
	dump, err := server.Dump(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(dump, []byte("farm")) || bytes.Contains(dump, []byte(secretOf(token))) {
		t.Error("the dump holds a secret, or nothing")
	}
	if info, err := os.Stat(filepath.Join(dir, sealFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
}

// secretOf is a token's secret part.
func secretOf(token string) string { return token[len(token)-43:] }

func TestSeal(t *testing.T) {
	db, _ := database(t, mariadb.Shared(t))
	dir := t.TempDir()
	s := open(t, db, dir)
	for _, id := range []string{"farm", "mill", "shop"} {
		if err := s.AddManagedKey(id, "the key of "+id); err != nil {
			t.Fatal(err)
		}
	}
	exec := func(statement string) {
		t.Helper()
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	fails := func(s *store, id, says string) {
		t.Helper()
		if key, err := s.ManagedKey(id); key != "" || err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %q, %v; want an error that says %q", id, key, err, says)
		}
	}
	// One participant's key is not another's.
	exec("UPDATE tallyroot_managed_keys a, tallyroot_managed_keys b SET a.sealed = b.sealed WHERE a.participant = 'farm' AND b.participant = 'mill'")
	fails(s, "farm", "was changed")
	exec("UPDATE tallyroot_managed_keys SET sealed = CONCAT(CHAR(2), SUBSTR(sealed, 2)) WHERE participant = 'mill'")
	fails(s, "mill", "newer version")
	exec("UPDATE tallyroot_managed_keys SET sealed = '' WHERE participant = 'mill'")
	fails(s, "mill", "newer version")
	if key, err := s.ManagedKey("shop"); key != "the key of shop" || err != nil {
		t.Error(key, err)
	}

	// A lost seal is not made anew, and another one opens nothing.
	other := t.TempDir()
	refuses := func(says string) {
		t.Helper()
		if _, err := Open(db, origin, other, Options{}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("opened: %v; want an error that says %q", err, says)
		}
	}
	exec("DELETE FROM tallyroot_managed_keys")
	early := open(t, db, other)
	if err := s.AddManagedKey("shop", "the key of shop"); err != nil {
		t.Fatal(err)
	}
	if err := early.AddManagedKey("new", "key"); err == nil || !strings.Contains(err.Error(), "is missing") {
		t.Errorf("a second seal was made: %v", err)
	}
	refuses(sealFile + ", which opens it, is missing")
	stranger, err := Open(db, "other.example", other, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := stranger.AddManagedKey("farm", "key"); err != nil {
		t.Fatal(err)
	}
	refuses("sealed with another key")
	for _, text := range []string{"", "x", strings.Repeat("A", 43), strings.Repeat("A", 44) + "\n\n"} {
		if err := os.WriteFile(filepath.Join(other, sealFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		refuses(sealFile + " is not a key")
	}
}

// While the database is away known tokens are taken for a while, and of no token
// is it said that it is unknown. When it is back, all goes on.
func TestDatabaseAway(t *testing.T) {
	server := mariadb.Own(t)
	db, _ := database(t, server)
	s := open(t, db, t.TempDir())
	at := clock{at: credentialstest.Now}
	s.cache.now = at.now
	known, _ := credentialstest.Issue(t, s, "farm", credentialstest.Now.AddDate(1, 0, 0))
	other, _ := credentialstest.Issue(t, s, "mill", credentialstest.Now.AddDate(1, 0, 0))
	missing := strings.Replace(known, "_1_", "_7_", 1)
	check(t, s, known, "farm", nil)
	check(t, s, missing, "", credentials.ErrUnknown)

	// First it hangs, then it is gone.
	signal := func(sig syscall.Signal) {
		t.Helper()
		if err := server.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	s.timeout = 50 * time.Millisecond
	signal(syscall.SIGSTOP)
	for hangs := false; !hangs; { // the signal takes a moment
		ctx, cancel := s.context()
		hangs = db.PingContext(ctx) != nil
		cancel()
	}
	at.pass(DefaultFresh)
	check(t, s, known, "farm", nil)
	check(t, s, other, "", credentials.ErrUnavailable)
	signal(syscall.SIGCONT)
	s.timeout = DefaultTimeout
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	at.pass(DefaultFresh)
	check(t, s, known, "farm", nil)
	check(t, s, known[:len(known)-1]+"~", "", credentials.ErrUnknown)
	check(t, s, missing, "", credentials.ErrUnavailable)
	at.pass(DefaultStale - 2*DefaultFresh - 1)
	check(t, s, known, "farm", nil)
	at.pass(1)
	check(t, s, known, "", credentials.ErrUnavailable)
	for name, do := range map[string]func() error{
		"Tokens":        func() error { _, err := s.Tokens("farm"); return err },
		"AddToken":      func() error { return s.AddToken(credentials.Token{Participant: "farm", Number: 9}) },
		"RevokeToken":   func() error { _, _, err := s.RevokeToken("farm", 1, credentialstest.Now); return err },
		"ManagedKey":    func() error { _, err := s.ManagedKey("farm"); return err },
		"AddManagedKey": func() error { return s.AddManagedKey("farm", "key") },
		"Participants":  func() error { _, err := s.Participants(); return err },
	} {
		if err := do(); !errors.Is(err, credentials.ErrUnavailable) || strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("%s: %v", name, err)
		}
	}

	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	if err := mysqldb.Wait(context.Background(), db, mysqldb.DefaultWait, quiet); err != nil {
		t.Fatal(err)
	}
	at.pass(DefaultFresh)
	check(t, s, known, "farm", nil)
	check(t, s, other, "mill", nil)
	check(t, s, missing, "", credentials.ErrUnknown)
}

// A token never lives longer than it was given because a database rounds, as MySQL
// does.
func TestMoment(t *testing.T) {
	if got := moment(credentialstest.Now.Add(999)); !got.Valid || !got.Time.Equal(credentialstest.Now) {
		t.Errorf("%v; want %v", got, credentialstest.Now)
	}
	if moment(time.Time{}).Valid {
		t.Error("the zero time is one")
	}
}
