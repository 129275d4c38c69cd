package mysql_test

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/trillian"
	"github.com/google/trillian/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tallyroot/tallyroot/internal/mariadb"
	"github.com/tallyroot/tallyroot/internal/mysqldb"
	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/backendtest"
	"github.com/tallyroot/tallyroot/trillianlog/mysql"
	"github.com/tallyroot/tallyroot/trillianlog/mysql/mysqltest"
)

// The database is killed under load and comes back: nothing that was acknowledged
// is lost or logged twice, and nothing was started again.
func TestTheDatabaseGoesAndComesBack(t *testing.T) {
	server := mariadb.Own(t)
	w := backendtest.NewWorld(t, newSubject(t, server))
	var b trillianlog.Backend
	l := w.Open(func(o *trillianlog.Options) { b = o.Backend })
	w.Log(l, "before", 5)
	proves(t, b)
	for round := range 2 {
		var all sync.WaitGroup
		for client := range 8 {
			all.Go(func() {
				for i := range 30 {
					if err := w.Insist(l, backendtest.Leaf(fmt.Sprintf("%d-%d-%d", round, client, i), "text")); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		until(t, "leaves are published", func() bool {
			published, _ := l.Published()
			return published.Size > uint64(5+round*240+20)
		})
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		_, _, err := b.Next(t.Context())
		if status.Code(err) != codes.Unavailable {
			t.Errorf("without a database: %v", err)
		}
		if _, err := b.Find(t.Context(), identities("x")); status.Code(err) != codes.Unavailable {
			t.Errorf("without a database: %v", err)
		}
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		all.Wait()
		proves(t, b)
	}
	if published, _ := l.Published(); published.Size != 5+2*240 {
		t.Fatalf("%d leaves are published", published.Size)
	}
	sound(t, b, 5+2*240)
	w.Check(l)
	w.Close(l)
	w.Check(w.Open(nil))
}

// proves reads with Trillian's prepared statements.
func proves(t *testing.T, b trillianlog.Backend) {
	t.Helper()
	response, err := b.Client().GetConsistencyProof(t.Context(), &trillian.GetConsistencyProofRequest{
		LogId: b.TreeID(), FirstTreeSize: 3, SecondTreeSize: int64(root(t, b).TreeSize)})
	if err != nil || len(response.GetProof().GetHashes()) == 0 {
		t.Fatalf("got %v, %v", response, err)
	}
}

// A database that hangs does not hold those whose context has ended.
func TestAHangingDatabase(t *testing.T) {
	server := mariadb.Own(t)
	name := mysqltest.Database(t, server)
	// Its own limit is no help here.
	db, err := mysqldb.Open(mysqldb.Config{DSN: server.DSN(name), Timeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	b := open(t, db, nil)
	add(t, b, leaves(0, names("before", 10)...))
	root(t, b) // what the write has made is asked for once
	calls := map[string]func(context.Context) error{
		"find": func(ctx context.Context) error { _, err := b.Find(ctx, identities("x")); return err },
		"next": func(ctx context.Context) error { _, _, err := b.Next(ctx); return err },
		"add":  func(ctx context.Context) error { _, err := send(ctx, b, leaves(10, "after")); return err },
		"root": func(ctx context.Context) error {
			_, err := b.Client().GetLatestSignedLogRoot(ctx, &trillian.GetLatestSignedLogRootRequest{LogId: b.TreeID()})
			return err
		},
		"leaves": func(ctx context.Context) error {
			_, err := b.Client().GetLeavesByRange(ctx, &trillian.GetLeavesByRangeRequest{LogId: b.TreeID(), Count: 10})
			return err
		},
		"proof": func(ctx context.Context) error {
			_, err := b.Client().GetConsistencyProof(ctx, &trillian.GetConsistencyProofRequest{LogId: b.TreeID(), FirstTreeSize: 3, SecondTreeSize: 10})
			return err
		},
	}
	if err := server.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	ended := make(chan string, len(calls))
	for name, call := range calls {
		go func() {
			if err := call(ctx); err == nil {
				t.Errorf("%s has an answer of a database that hangs", name)
			}
			ended <- name
		}()
	}
	for range calls {
		select {
		case <-ended:
		case <-time.After(time.Minute):
			t.Fatal("a call does not return")
		}
	}
	if err := server.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	until(t, "the database answers", func() bool {
		size, _, err := b.Next(t.Context())
		if err != nil {
			return false
		}
		// The write under way may have got through.
		if size == 10 {
			add(t, b, leaves(10, "after"))
		}
		return true
	})
	sound(t, b, 11)
}

// Two processes that both take themselves for the one writer: each index goes to
// one of them, and the tree is that of the leaves.
func TestTwoWriters(t *testing.T) {
	server := mariadb.Shared(t)
	name := mysqltest.Database(t, server)
	var writers []*mysql.Backend
	for range 2 {
		writers = append(writers, open(t, mysqltest.Open(t, server, name), nil))
	}
	const rounds, batch = 30, 7
	var all, watching sync.WaitGroup
	over := make(chan struct{})
	for w, b := range writers {
		// Whatever the other one does, the tree that each sees only grows.
		watching.Go(func() {
			for seen := uint64(0); ; {
				select {
				case <-over:
					return
				default:
				}
				response, err := b.Client().GetLatestSignedLogRoot(context.Background(), &trillian.GetLatestSignedLogRootRequest{LogId: b.TreeID()})
				if err != nil {
					continue
				}
				var now types.LogRootV1
				if err := now.UnmarshalBinary(response.SignedLogRoot.LogRoot); err != nil || now.TreeSize < seen {
					t.Errorf("after a tree of %d leaves came one of %d, %v", seen, now.TreeSize, err)
				}
				seen = now.TreeSize
			}
		})
		all.Go(func() {
			for round := range rounds {
				at, holes, err := b.Next(context.Background())
				if err != nil {
					continue // refused in favour of the other one
				}
				if len(holes) > 0 {
					at = holes[0]
				}
				_, _ = send(context.Background(), b, leaves(at, names(fmt.Sprintf("%d-%d", w, round), batch)...))
			}
		})
	}
	all.Wait()
	close(over)
	watching.Wait()
	b := open(t, mysqltest.Open(t, server, name), nil)
	size, holes, err := b.Next(t.Context())
	if err != nil || size == 0 {
		t.Fatalf("%d leaves, %v", size, err)
	}
	for _, hole := range holes {
		add(t, b, leaves(hole, fmt.Sprint("void ", hole)))
	}
	until(t, "all is integrated", func() bool { return root(t, b).TreeSize == size })
	sound(t, b, size)
	for _, b := range writers {
		sound(t, b, size)
	}
}
