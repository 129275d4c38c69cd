package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tallyroot/tallyroot/internal/mariadb"
	"github.com/tallyroot/tallyroot/internal/mysqldb"
)

func TestMain(m *testing.M) { os.Exit(mariadb.Main(m)) }

func open(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	db, err := mysqldb.Open(mysqldb.Config{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// empty gives a pool on a new database, and the database's name.
func empty(t testing.TB) (*sql.DB, string) {
	t.Helper()
	s := mariadb.Shared(t)
	name := s.Database(t)
	return open(t, s.DSN(name)), name
}

func exec1(t testing.TB, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.Exec(statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// The embedded copy of Trillian's schema is that of the module that is built in.
func TestTrillianSQLIsTheModules(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/google/trillian").Output()
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "storage/mysql/schema/storage.sql"))
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != trillianSQL {
		t.Error("trillian.sql is not the module's storage.sql: copy that, as a new migration if tables changed")
	}
	// No statement was lost when it was taken apart.
	if n := len(steps(trillianSQL)); n != strings.Count(trillianSQL, "\nCREATE ") {
		t.Errorf("%d steps", n)
	}
	for _, s := range steps(trillianSQL) {
		if !strings.Contains(trillianSQL, "\n"+s.statement+";\n") {
			t.Errorf("not as it is there:\n%s", s.statement)
		}
	}
}

func TestApply(t *testing.T) {
	db, _ := empty(t)
	if err := Check(t.Context(), db); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "schema apply") {
		t.Fatal(err)
	}
	plan, err := Plan(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	if tables(t, db) != 0 {
		t.Error("Plan or Check made something")
	}
	var made []string
	if err := Apply(t.Context(), db, func(change string) { made = append(made, change) }); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(plan, made) || len(made) != 14 {
		t.Errorf("planned:\n%s\nmade:\n%s", strings.Join(plan, "\n"), strings.Join(made, "\n"))
	}
	if err := Check(t.Context(), db); err != nil {
		t.Error(err)
	}
	// A second time there is nothing to do.
	if plan, err := Plan(t.Context(), db); err != nil || len(plan) != 0 {
		t.Error(plan, err)
	}
	if err := Apply(t.Context(), db, func(change string) { t.Error(change) }); err != nil {
		t.Error(err)
	}
}

func tables(t testing.TB, db *sql.DB) (n int) {
	t.Helper()
	if err := db.QueryRow("SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Somebody ran Trillian on this database before, and what is in it stays.
func TestApplyBesideTrillian(t *testing.T) {
	db, name := empty(t)
	for _, s := range steps(trillianSQL) {
		exec1(t, db, s.statement)
	}
	if err := mariadb.Shared(t).Exec(name, "INSERT INTO Trees VALUES(1,'ACTIVE','LOG','RFC6962_SHA256','SHA256','ECDSA','','',0,0,0,'','',NULL,NULL)"); err != nil {
		t.Fatal(err)
	}
	if err := Apply(t.Context(), db, nil); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := db.QueryRow("SELECT COUNT(*) FROM Trees").Scan(&n); err != nil || n != 1 {
		t.Error(n, err)
	}
}

// An Apply that ended after any number of its steps is completed by the next.
func TestApplyGoesOn(t *testing.T) {
	errStop := errors.New("stop")
	for stop := range 16 {
		db, _ := empty(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		changes := 0
		err := Apply(ctx, db, func(string) {
			if changes++; changes == stop {
				cancel(errStop)
			}
		})
		if stopped := err != nil; stopped != (stop > 0 && stop <= 14) {
			t.Errorf("stopped after %d changes: %v", stop, err)
		}
		rest, err := Plan(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		var made []string
		if err := Apply(t.Context(), db, func(change string) { made = append(made, change) }); err != nil {
			t.Errorf("again, after %d changes: %v", stop, err)
		}
		if !slices.Equal(rest, made) {
			t.Errorf("after %d changes were planned:\n%s\nmade:\n%s", stop, strings.Join(rest, "\n"), strings.Join(made, "\n"))
		}
	}
}

// Several processes apply at once, and one of them loses its connection halfway.
func TestApplyAtOnce(t *testing.T) {
	admin, name := empty(t)
	dsn := mariadb.Shared(t).DSN(name)
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		made = map[string]int{}
	)
	victim := open(t, dsn)
	killed := make(chan error, 1)
	err := Apply(t.Context(), victim, func(change string) {
		if !strings.Contains(change, "LeafData") || len(killed) > 0 {
			return
		}
		// The others come while the first one is halfway.
		for range 3 {
			db := open(t, dsn)
			wg.Go(func() {
				err := Apply(t.Context(), db, func(change string) {
					mu.Lock()
					defer mu.Unlock()
					if !strings.HasPrefix(change, "wait") {
						made[change]++
					}
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		var id int64
		if err := admin.QueryRow("SELECT IS_USED_LOCK(CONCAT('tallyroot_schema.', LEFT(SHA2(?, 256), 32)))", name).Scan(&id); err != nil {
			killed <- err
			return
		}
		_, err := admin.Exec(fmt.Sprintf("KILL %d", id))
		killed <- err
	})
	if err == nil || !mysqldb.Unavailable(err) {
		t.Errorf("the one whose connection was killed: %v", err)
	}
	if err := <-killed; err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	for change, n := range made {
		if n != 1 {
			t.Errorf("%s: %d times", change, n)
		}
	}
	if err := Check(t.Context(), admin); err != nil {
		t.Error(err)
	}
}

// While another process holds the lock, nothing is made.
func TestApplyWaits(t *testing.T) {
	db, _ := empty(t)
	other, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	lock := func(query string) {
		t.Helper()
		var done bool
		if err := other.QueryRowContext(t.Context(), query).Scan(&done); err != nil || !done {
			t.Fatalf("%s: %v, %v", query, done, err)
		}
	}
	lock(getLock)
	changes := 0
	err = Apply(t.Context(), db, func(change string) {
		if changes++; changes > 1 {
			return
		}
		if !strings.HasPrefix(change, "wait for another process") || tables(t, db) != 0 {
			t.Errorf("with the lock taken: %s, %d tables", change, tables(t, db))
		}
		lock(release)
	})
	if err != nil || changes != 15 {
		t.Errorf("%d changes, %v", changes, err)
	}
}

// applied gives a pool on a database with the schema, as root.
func applied(t testing.TB) (*sql.DB, string) {
	t.Helper()
	db, name := empty(t)
	if err := Apply(t.Context(), db, nil); err != nil {
		t.Fatal(err)
	}
	return db, name
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name, statement string
		want            error
		says            string
	}{
		{"a newer program's", "INSERT INTO tallyroot_schema(version_id, is_applied) VALUES(3, TRUE)", ErrAhead, "version 3, and this program knows 2"},
		{"one version behind", "DELETE FROM tallyroot_schema WHERE version_id = 2", ErrBehind, "version 1, and version 2 (tokens and managed keys)"},
		{"cut off at the very start", "DELETE FROM tallyroot_schema WHERE version_id > 0", ErrBehind, "run `tallyroot schema apply`"},
		{"a table lost", "DROP TABLE tallyroot_tokens", ErrDamaged, "tallyroot_tokens is gone"},
		{"an index lost", "ALTER TABLE SequencedLeafData DROP INDEX SequencedLeafMerkleIdx", ErrDamaged, "CREATE INDEX SequencedLeafMerkleIdx"},
		{"another engine", "ALTER TABLE tallyroot_tokens ENGINE=MyISAM", ErrDamaged, "ENGINE=InnoDB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			db, _ := applied(t)
			exec1(t, db, c.statement)
			if err := Check(t.Context(), db); !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Check: %v", err)
			}
			// Apply mends what is behind, and neither changes nor accepts the rest.
			var changes []string
			err := Apply(t.Context(), db, func(change string) { changes = append(changes, change) })
			if c.want == ErrBehind && err == nil {
				return
			}
			if !errors.Is(err, c.want) || len(changes) > 0 {
				t.Errorf("Apply: %v; %v", err, changes)
			}
		})
	}
}

// Who may only read and write rows can check; who lacks a right is told which.
func TestRights(t *testing.T) {
	root, name := applied(t)
	user := func(rights string) *sql.DB {
		t.Helper()
		who := strings.ToLower("u" + strings.NewReplacer(" ", "", ",", "").Replace(rights))
		exec1(t, root, fmt.Sprintf("CREATE USER %s@'127.0.0.1' IDENTIFIED BY 'pass'", who))
		t.Cleanup(func() { exec1(t, root, fmt.Sprintf("DROP USER %s@'127.0.0.1'", who)) })
		exec1(t, root, fmt.Sprintf("GRANT %s ON `%s`.* TO %s@'127.0.0.1'", rights, name, who))
		c := mariadb.Shared(t).Config(name)
		c.User, c.Passwd = who, "pass"
		return open(t, c.FormatDSN())
	}
	writer := user("SELECT, INSERT, UPDATE, DELETE")
	if err := Check(t.Context(), writer); err != nil {
		t.Error(err)
	}
	exec1(t, root, "DROP TABLE tallyroot_schema, tallyroot_tokens, tallyroot_managed_keys")
	if plan, err := Plan(t.Context(), writer); err != nil || len(plan) != 5 {
		t.Error(plan, err)
	}
	if err := Apply(t.Context(), writer, nil); err == nil || !strings.Contains(err.Error(), "lacks a right") || !strings.Contains(err.Error(), "CREATE") {
		t.Errorf("without CREATE: %v", err)
	}
	if err := Apply(t.Context(), user("SELECT, INSERT, CREATE, ALTER, INDEX, REFERENCES"), nil); err != nil {
		t.Error(err)
	}
	if err := Check(t.Context(), user("INSERT")); err == nil || !strings.Contains(err.Error(), "lacks a right") {
		t.Errorf("without SELECT: %v", err)
	}
}

// A server's default engine does not become that of the tables.
func TestEngine(t *testing.T) {
	db, _ := empty(t)
	db.SetMaxOpenConns(1)
	exec1(t, db, "SET SESSION default_storage_engine = MyISAM")
	if err := Apply(t.Context(), db, nil); err != nil {
		t.Error(err)
	}
}
