package mysql_test

import (
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/trillian"

	"github.com/tallyroot/tallyroot/internal/mariadb"
	"github.com/tallyroot/tallyroot/internal/mysqldb"
	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/backendtest"
	"github.com/tallyroot/tallyroot/trillianlog/mysql"
	"github.com/tallyroot/tallyroot/trillianlog/mysql/mysqltest"
)

func TestWhatCannotBeOpenedSaysWhy(t *testing.T) {
	server := mariadb.Shared(t)
	tests := []struct {
		name   string
		change func(t *testing.T, database string, db *sql.DB) *sql.DB // nil: db
		want   []string
		is     error
	}{
		{"a tree that gives the order itself", func(t *testing.T, _ string, db *sql.DB) *sql.DB {
			exec(t, db, "UPDATE Trees SET TreeType='LOG'")
			return nil
		}, []string{"PREORDERED_LOG"}, mysql.ErrUnfit},
		{"a frozen tree", func(t *testing.T, _ string, db *sql.DB) *sql.DB {
			exec(t, db, "UPDATE Trees SET TreeState='FROZEN'")
			return nil
		}, []string{"FROZEN", "updatetree"}, mysql.ErrUnfit},
		{"a deleted tree", func(t *testing.T, _ string, db *sql.DB) *sql.DB {
			exec(t, db, "UPDATE Trees SET Deleted=TRUE")
			return nil
		}, []string{"deleted", "undelete"}, mysql.ErrUnfit},
		{"a clock an hour behind", func(t *testing.T, _ string, db *sql.DB) *sql.DB {
			exec(t, db, "UPDATE TreeHead SET TreeHeadTimestamp=?", time.Now().Add(time.Hour).UnixNano())
			return nil
		}, []string{"1h0m0s later", "set the clock", time.Now().UTC().Format("2006-01-02T")}, mysql.ErrClock},
		{"a table that is missing", func(t *testing.T, _ string, db *sql.DB) *sql.DB {
			exec(t, db, "DROP TABLE SequencedLeafData")
			return nil
		}, []string{"SequencedLeafData", "schema apply"}, nil},
		{"no tables", func(t *testing.T, _ string, db *sql.DB) *sql.DB {
			return mysqltest.Open(t, server, server.Database(t))
		}, []string{"Trees", "schema apply"}, nil},
		{"a user without rights", func(t *testing.T, database string, db *sql.DB) *sql.DB {
			exec(t, db, "CREATE USER reader@'%' IDENTIFIED BY 'secret-word'")
			t.Cleanup(func() { exec(t, db, "DROP USER reader@'%'") })
			exec(t, db, "GRANT SELECT ON "+database+".* TO reader@'%'")
			exec(t, db, "DELETE FROM Trees")
			limited, err := mysqldb.Open(mysqldb.Config{DSN: strings.Replace(server.DSN(database), "root@", "reader@", 1), Password: "secret-word"})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { limited.Close() })
			return limited
		}, []string{"GRANT"}, nil},
		{"too few connections", func(t *testing.T, _ string, db *sql.DB) *sql.DB {
			db.SetMaxOpenConns(3)
			return nil
		}, []string{"at most 3 connections", "4 are needed"}, nil},
		{"rows that were lost", func(t *testing.T, _ string, db *sql.DB) *sql.DB {
			exec(t, db, "INSERT INTO LeafData SELECT TreeId,'x','',NULL,0 FROM Trees")
			exec(t, db, "INSERT INTO SequencedLeafData SELECT TreeId,70000,'x','x',0 FROM Trees")
			return nil
		}, []string{"70000", "restore it from a backup"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name := mysqltest.Database(t, server)
			db := mysqltest.Open(t, server, name)
			open(t, db, nil)
			on := tt.change(t, name, db)
			if on == nil {
				on = db
			}
			_, err := mysql.Open(t.Context(), on, mysql.Options{Origin: backendtest.Origin, Logger: backendtest.Quiet})
			if err == nil {
				t.Fatal("it is opened")
			}
			for _, want := range append(tt.want, backendtest.Origin) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q says nothing of %q", err, want)
				}
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%v is not %v", err, tt.is)
			}
			if strings.Contains(err.Error(), "secret-word") {
				t.Errorf("the password stands in %q", err)
			}
		})
	}
}

func TestASmallPacketIsRefused(t *testing.T) {
	server := mariadb.Own(t, "--max-allowed-packet=512K")
	db := mysqltest.Open(t, server, mysqltest.Database(t, server))
	if _, err := mysql.Open(t.Context(), db, mysql.Options{Origin: backendtest.Origin}); err == nil || !strings.Contains(err.Error(), "max_allowed_packet") {
		t.Fatalf("got %v", err)
	}
	// The least that is enough holds the largest leaves.
	exec(t, db, "SET GLOBAL max_allowed_packet=1048576")
	b := open(t, mysqltest.Open(t, server, databaseOf(t, db)), nil)
	var all []*trillian.LogLeaf
	for i, l := range leaves(0, names("large", 40)...) {
		l.LeafValue = make([]byte, trillianlog.MaxLeaf) // every byte needs to be escaped
		l.LeafValue[0] = byte(i)
		all = append(all, l)
	}
	add(t, b, all)
	sound(t, b, 40)
}

func databaseOf(t testing.TB, db *sql.DB) (name string) {
	t.Helper()
	if err := db.QueryRow("SELECT DATABASE()").Scan(&name); err != nil {
		t.Fatal(err)
	}
	return name
}

// The clock may be a little behind: time goes on from the newest tree head.
func TestAClockThatIsALittleBehind(t *testing.T) {
	server := mariadb.Shared(t)
	db := mysqltest.Open(t, server, mysqltest.Database(t, server))
	b := open(t, db, nil)
	add(t, b, leaves(0, "a"))
	ahead := uint64(time.Now().Add(4 * time.Minute).UnixNano())
	exec(t, db, "UPDATE TreeHead SET TreeHeadTimestamp=? WHERE TreeSize=1", ahead)
	b = open(t, db, nil)
	add(t, b, leaves(1, "b"))
	sound(t, b, 2)
	if now := root(t, b); now.TimestampNanos <= ahead {
		t.Errorf("the new root's time %d is not after %d", now.TimestampNanos, ahead)
	}
}

// The same while it runs: another process wrote a root of a time that is not yet.
func TestARootOfTheFuture(t *testing.T) {
	server := mariadb.Shared(t)
	db := mysqltest.Open(t, server, mysqltest.Database(t, server))
	b := open(t, db, nil)
	add(t, b, leaves(0, "a"))
	set := func(ahead time.Duration) {
		exec(t, db, "UPDATE TreeHead SET TreeHeadTimestamp=? WHERE TreeSize=1", time.Now().Add(ahead).UnixNano())
	}
	set(time.Hour)
	if _, err := send(t.Context(), b, leaves(1, "b")); !errors.Is(err, mysql.ErrClock) || !strings.Contains(err.Error(), "set the clock of this machine") {
		t.Errorf("an hour ahead: %v", err)
	}
	next(t, b, 1)
	set(4 * time.Minute)
	add(t, b, leaves(1, "b"))
	sound(t, b, 2)
}
