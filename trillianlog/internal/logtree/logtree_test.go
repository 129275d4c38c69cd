package logtree

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/trillian"
	"github.com/google/trillian/extension"
	"github.com/google/trillian/quota"
	"github.com/google/trillian/storage"
	"github.com/google/trillian/storage/mysql"
	"google.golang.org/grpc"

	"github.com/tallyroot/tallyroot/internal/mariadb"
	"github.com/tallyroot/tallyroot/trillianlog/internal/logserver"
	"github.com/tallyroot/tallyroot/trillianlog/mysql/mysqltest"
)

func TestMain(m *testing.M) { os.Exit(mariadb.Main(m)) }

const origin = "log.example/test"

// server is Trillian's log and admin server on a database of its own.
type server struct {
	t     *testing.T
	db    *sql.DB
	trees Trees
	log   trillian.TrillianLogClient
}

func newServer(t *testing.T) *server {
	shared := mariadb.Shared(t)
	db := mysqltest.Open(t, shared, mysqltest.Database(t, shared))
	registry := extension.Registry{AdminStorage: mysql.NewAdminStorage(db), LogStorage: mysql.NewLogStorage(db, nil), QuotaManager: quota.Noop()}
	return &server{t, db, Admin(adminClient{storage: registry.AdminStorage}), logserver.New(registry, new(logserver.Clock))}
}

// adminClient answers as Trillian's admin server does.
type adminClient struct {
	trillian.TrillianAdminClient
	storage storage.AdminStorage
}

func (c adminClient) ListTrees(ctx context.Context, r *trillian.ListTreesRequest, _ ...grpc.CallOption) (*trillian.ListTreesResponse, error) {
	list, err := storage.ListTrees(ctx, c.storage, r.ShowDeleted)
	return &trillian.ListTreesResponse{Tree: list}, err
}

func (c adminClient) GetTree(ctx context.Context, r *trillian.GetTreeRequest, _ ...grpc.CallOption) (*trillian.Tree, error) {
	return storage.GetTree(ctx, c.storage, r.TreeId)
}

func (c adminClient) CreateTree(ctx context.Context, r *trillian.CreateTreeRequest, _ ...grpc.CallOption) (*trillian.Tree, error) {
	return storage.CreateTree(ctx, c.storage, r.Tree)
}

func (s *server) open(origin string, id int64) *trillian.Tree {
	s.t.Helper()
	tree, err := Open(s.t.Context(), s.trees, s.log, origin, id)
	if err != nil {
		s.t.Fatal(err)
	}
	return tree
}

// refused wants an error that says want.
func (s *server) refused(id int64, want string) {
	s.t.Helper()
	tree, err := Open(s.t.Context(), s.trees, s.log, origin, id)
	if err == nil {
		s.t.Fatalf("tree %d is taken", tree.TreeId)
	}
	if !errors.Is(err, ErrUnfit) || !strings.Contains(err.Error(), want) {
		s.t.Fatalf("got %v, want something about %q", err, want)
	}
}

func (s *server) create(change func(*trillian.Tree)) *trillian.Tree {
	s.t.Helper()
	tree := fresh(origin)
	change(tree)
	created, err := s.trees.Create(s.t.Context(), tree)
	if err != nil {
		s.t.Fatal(err)
	}
	return created
}

func (s *server) count() (n int) {
	s.t.Helper()
	if err := s.db.QueryRow("SELECT COUNT(*) FROM Trees").Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

func TestATreeIsMadeOnce(t *testing.T) {
	s := newServer(t)
	tree := s.open(origin, 0)
	if tree.TreeType != trillian.TreeType_PREORDERED_LOG || tree.Description != "tallyroot log "+origin {
		t.Fatalf("got %v", tree)
	}
	for _, id := range []int64{0, tree.TreeId} {
		if again := s.open(origin, id); again.TreeId != tree.TreeId {
			t.Fatalf("tree %d, then %d", tree.TreeId, again.TreeId)
		}
	}
	// Other logs have trees of their own, also those whose names a database
	// takes for the same.
	seen := map[int64]bool{tree.TreeId: true}
	for _, other := range []string{"LOG.example/test", origin + "2", "log.example/früchte", "log.example/" + strings.Repeat("x", 300)} {
		id := s.open(other, 0).TreeId
		if seen[id] {
			t.Errorf("%s has another log's tree", other)
		}
		seen[id] = true
	}
	if n := s.count(); n != len(seen) {
		t.Errorf("%d trees for %d logs", n, len(seen))
	}
}

func TestManyAtOnceGetOneTree(t *testing.T) {
	s := newServer(t)
	var ids sync.Map
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			tree, err := Open(t.Context(), s.trees, s.log, origin, 0)
			switch {
			case err == nil:
				ids.Store(tree.TreeId, true)
			case !errors.Is(err, ErrUnfit):
				t.Error(err)
			}
		})
	}
	all.Wait()
	n := 0
	ids.Range(func(_, _ any) bool { n++; return true })
	if n > 1 {
		t.Fatalf("%d trees hold the log", n)
	}
}

// A process that made a tree and ended before it was initialised.
func TestAnUninitialisedTreeIsTakenUp(t *testing.T) {
	s := newServer(t)
	made := s.create(func(*trillian.Tree) {})
	s.create(func(*trillian.Tree) {}) // and another one, later
	if tree := s.open(origin, 0); tree.TreeId != made.TreeId {
		t.Fatalf("tree %d, want the older %d", tree.TreeId, made.TreeId)
	}
	chosen := s.create(func(t *trillian.Tree) { t.Description = "by hand" })
	if tree := s.open(origin, chosen.TreeId); tree.TreeId != chosen.TreeId {
		t.Fatalf("tree %d, want %d", tree.TreeId, chosen.TreeId)
	}
}

func TestAnUnfitTreeIsRefused(t *testing.T) {
	tests := []struct {
		name   string
		change string // of the tree's row
		want   string
	}{
		{"a log that gives the order itself", "TreeType = 'LOG'", "PREORDERED_LOG"},
		{"frozen", "TreeState = 'FROZEN'", "updatetree --tree_id"},
		{"draining", "TreeState = 'DRAINING'", "DRAINING"},
		{"deleted", "Deleted = TRUE, DeleteTimeMillis = 1", "deletetree --undelete_tree --log_id"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			tree := s.open(origin, 0)
			if _, err := s.db.Exec("UPDATE Trees SET " + tt.change); err != nil {
				t.Fatal(err)
			}
			s.refused(0, tt.want)
			s.refused(tree.TreeId, tt.want)
			if n := s.count(); n != 1 {
				t.Errorf("%d trees", n)
			}
		})
	}
	t.Run("none of that number", func(t *testing.T) { newServer(t).refused(7, "no tree 7") })
	t.Run("another log's", func(t *testing.T) {
		s := newServer(t)
		s.refused(s.open("log.example/other", 0).TreeId, "log.example/other")
	})
	t.Run("two of them", func(t *testing.T) {
		s := newServer(t)
		tree := s.open(origin, 0)
		second := s.create(func(*trillian.Tree) {})
		if tree := s.open(origin, 0); tree.TreeId == second.TreeId {
			t.Fatal("an empty tree is preferred")
		}
		if _, err := s.log.InitLog(t.Context(), &trillian.InitLogRequest{LogId: second.TreeId}); err != nil {
			t.Fatal(err)
		}
		s.refused(0, "by its number")
		if got := s.open(origin, tree.TreeId); got.TreeId != tree.TreeId {
			t.Fatalf("got %v", got)
		}
	})
}

func TestErrorsOfTheDatabase(t *testing.T) {
	s := newServer(t)
	if err := s.db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, id := range []int64{0, 1} {
		if _, err := Open(t.Context(), s.trees, s.log, origin, id); err == nil || errors.Is(err, ErrUnfit) {
			t.Errorf("tree %d: %v", id, err)
		}
	}
}
