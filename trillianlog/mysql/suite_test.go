package mysql_test

import (
	"database/sql"
	"os"
	"testing"

	"github.com/tallyroot/tallyroot/internal/mariadb"
	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/backendtest"
	"github.com/tallyroot/tallyroot/trillianlog/mysql"
	"github.com/tallyroot/tallyroot/trillianlog/mysql/mysqltest"
)

func TestMain(m *testing.M) { os.Exit(mariadb.Main(m)) }

func TestBackend(t *testing.T) {
	backendtest.Run(t, func(t *testing.T) backendtest.Subject { return newSubject(t, mariadb.Shared(t)) })
}

func newSubject(t testing.TB, server *mariadb.Server) backendtest.Subject {
	t.Helper()
	name := mysqltest.Database(t, server)
	db := mysqltest.Open(t, server, name)
	return backendtest.Subject{
		Open: func(t testing.TB) trillianlog.Backend {
			t.Helper()
			b, err := mysql.Open(t.Context(), db, mysql.Options{Origin: backendtest.Origin, Logger: backendtest.Quiet})
			if err != nil {
				t.Fatal(err)
			}
			return b
		},
		Tamper: func(t testing.TB, index uint64) {
			exec(t, db, "UPDATE LeafData l JOIN SequencedLeafData s USING(TreeId,LeafIdentityHash) SET l.LeafValue=CONCAT(l.LeafValue,'!') WHERE s.SequenceNumber=?", index)
		},
		Damage: func(t testing.TB, index uint64, remove bool) {
			if remove {
				exec(t, db, "DELETE FROM Subtree")
				return
			}
			exec(t, db, "UPDATE Subtree t JOIN SequencedLeafData s USING(TreeId) SET t.Nodes=REPLACE(t.Nodes,s.MerkleLeafHash,REVERSE(s.MerkleLeafHash)) WHERE s.SequenceNumber=?", index)
		},
		Save: func(t testing.TB) func(testing.TB) {
			dump, err := server.Dump(name)
			if err != nil {
				t.Fatal(err)
			}
			return func(t testing.TB) {
				if err := server.Restore(name, dump); err != nil {
					t.Fatal(err)
				}
			}
		},
		RestoreOpen: true,
	}
}

func exec(t testing.TB, db *sql.DB, statement string, args ...any) {
	t.Helper()
	if _, err := db.Exec(statement, args...); err != nil {
		t.Fatal(err)
	}
}
