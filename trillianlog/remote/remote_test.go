package remote

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tallyroot/tallyroot/internal/mariadb"
	"github.com/tallyroot/tallyroot/internal/mysqldb"
	"github.com/tallyroot/tallyroot/internal/schema"
	"github.com/tallyroot/tallyroot/internal/stock"
	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/backendtest"
	"github.com/tallyroot/tallyroot/trillianlog/internal/logtree"
)

func TestMain(m *testing.M) {
	code := mariadb.Main(m)
	if shared.servers != nil {
		_ = shared.servers.Kill()
		_ = os.RemoveAll(shared.dir)
	}
	os.Exit(code)
}

// setting is a database and Trillian's servers on it.
type setting struct {
	db       *mariadb.Server
	database string
	servers  *stock.Trillian
	dir      string
}

var shared struct {
	sync.Once
	setting
	err error
}

// common gives the setting of all tests that do not end its parts.
func common(t testing.TB) *setting {
	t.Helper()
	s := &shared.setting
	s.db = mariadb.Shared(t)
	shared.Do(func() {
		s.database = "stock"
		if shared.err = s.db.Exec("", "CREATE DATABASE "+s.database); shared.err != nil {
			return
		}
		if s.dir, shared.err = os.MkdirTemp("", "stock"); shared.err == nil {
			shared.err = s.prepare()
		}
		if shared.err == nil {
			s.servers, shared.err = stock.New(s.dir, stock.Options{DSN: s.db.DSN(s.database)})
		}
	})
	stock.Check(t, shared.err)
	return s
}

// own gives servers for this test alone, on a database of their own.
func own(t testing.TB, db *mariadb.Server, o stock.Options) *setting {
	t.Helper()
	s := &setting{db: db, database: db.Database(t)}
	if err := s.prepare(); err != nil {
		t.Fatal(err)
	}
	o.DSN = s.db.DSN(s.database)
	s.servers = stock.Own(t, o)
	return s
}

// prepare makes Trillian's tables.
func (s *setting) prepare() error {
	db, err := mysqldb.Open(mysqldb.Config{DSN: s.db.DSN(s.database)})
	if err != nil {
		return err
	}
	defer db.Close()
	return schema.Apply(context.Background(), db, nil)
}

var origins atomic.Uint64

// options are those of a new log. When the test ends the signer has no more to do
// with its tree.
func (s *setting) options(t testing.TB) Options {
	origin := fmt.Sprintf("log.example/%d", origins.Add(1))
	t.Cleanup(func() {
		_ = s.db.Exec(s.database, fmt.Sprintf("UPDATE Trees SET TreeState = 'FROZEN' WHERE Description = '%s'", logtree.Description(origin)))
	})
	return Options{Address: s.servers.Server.Address, Origin: origin, Dir: t.TempDir(), Logger: backendtest.Quiet}
}

func open(t testing.TB, o Options) *Backend {
	t.Helper()
	b, err := Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// subject is a new log for the suite.
func (s *setting) subject(t *testing.T) backendtest.Subject {
	o := s.options(t)
	b := open(t, o)
	id := b.TreeID()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	return backendtest.Subject{
		Open: func(t testing.TB) trillianlog.Backend { return open(t, o) },
		Tamper: func(t testing.TB, index uint64) {
			s.exec(t, fmt.Sprintf("UPDATE LeafData l, SequencedLeafData s SET l.LeafValue = 'changed' WHERE l.TreeId = %d AND s.TreeId = l.TreeId AND s.LeafIdentityHash = l.LeafIdentityHash AND s.SequenceNumber = %d", id, index))
		},
		Damage: func(t testing.TB, index uint64, remove bool) {
			if remove {
				s.exec(t, fmt.Sprintf("DELETE FROM Subtree WHERE TreeId = %d", id))
				return
			}
			s.exec(t, fmt.Sprintf("UPDATE Subtree t JOIN SequencedLeafData s USING (TreeId) SET t.Nodes = REPLACE(t.Nodes, s.MerkleLeafHash, REVERSE(s.MerkleLeafHash)) WHERE t.TreeId = %d AND s.SequenceNumber = %d", id, index))
		},
		Save: func(t testing.TB) func(testing.TB) {
			dump, err := s.db.Dump(s.database)
			if err != nil {
				t.Fatal(err)
			}
			return func(t testing.TB) {
				if err := s.db.Restore(s.database, dump); err != nil {
					t.Fatal(err)
				}
			}
		},
		RestoreOpen: true,
	}
}

func (s *setting) exec(t testing.TB, statement string) {
	t.Helper()
	if err := s.db.Exec(s.database, statement); err != nil {
		t.Fatal(err)
	}
}

func TestBackend(t *testing.T) {
	s := common(t)
	backendtest.Run(t, s.subject)
}
