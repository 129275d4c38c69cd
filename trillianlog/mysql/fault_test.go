package mysql_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/trillian"
	"github.com/google/trillian/types"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/klog/v2"

	"github.com/tallyroot/tallyroot/internal/mariadb"
	"github.com/tallyroot/tallyroot/internal/mysqldb"
	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/backendtest"
	"github.com/tallyroot/tallyroot/trillianlog/mysql"
	"github.com/tallyroot/tallyroot/trillianlog/mysql/mysqltest"
)

func open(t testing.TB, db *sql.DB, change func(*mysql.Options)) *mysql.Backend {
	t.Helper()
	o := mysql.Options{Origin: backendtest.Origin, Logger: backendtest.Quiet}
	if change != nil {
		change(&o)
	}
	b, err := mysql.Open(t.Context(), db, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// leaves are those of these names, from an index on.
func leaves(first uint64, names ...string) (all []*trillian.LogLeaf) {
	for i, name := range names {
		l := backendtest.Leaf(name, "text")
		all = append(all, &trillian.LogLeaf{LeafIndex: int64(first) + int64(i), LeafValue: l.Value, LeafIdentityHash: l.Identity[:]})
	}
	return all
}

func names(prefix string, n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("%s-%d", prefix, i))
	}
	return all
}

func identities(names ...string) (all [][32]byte) {
	for _, name := range names {
		all = append(all, backendtest.Leaf(name, "").Identity)
	}
	return all
}

func send(ctx context.Context, b trillianlog.Backend, leaves []*trillian.LogLeaf) ([]*trillian.QueuedLogLeaf, error) {
	response, err := b.Client().AddSequencedLeaves(ctx, &trillian.AddSequencedLeavesRequest{LogId: b.TreeID(), Leaves: leaves})
	return response.GetResults(), err
}

// add wants all leaves to be taken.
func add(t testing.TB, b trillianlog.Backend, leaves []*trillian.LogLeaf) {
	t.Helper()
	results, err := send(context.Background(), b, leaves)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		if r.Status.GetCode() != int32(codes.OK) {
			t.Fatalf("leaf %d: %v", leaves[i].LeafIndex, r.Status)
		}
	}
}

func root(t testing.TB, b trillianlog.Backend) (root types.LogRootV1) {
	t.Helper()
	response, err := b.Client().GetLatestSignedLogRoot(context.Background(), &trillian.GetLatestSignedLogRootRequest{LogId: b.TreeID()})
	if err != nil {
		t.Fatal(err)
	}
	if err := root.UnmarshalBinary(response.SignedLogRoot.LogRoot); err != nil {
		t.Fatal(err)
	}
	return root
}

// sound wants the tree to have the size, and its root to be that of the leaves.
func sound(t testing.TB, b trillianlog.Backend, size uint64) {
	t.Helper()
	now := root(t, b)
	if now.TreeSize != size {
		t.Fatalf("the tree has %d leaves, want %d", now.TreeSize, size)
	}
	tree := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
	for tree.End() < size {
		response, err := b.Client().GetLeavesByRange(context.Background(), &trillian.GetLeavesByRangeRequest{LogId: b.TreeID(), StartIndex: int64(tree.End()), Count: 1000})
		if err != nil || len(response.Leaves) == 0 {
			t.Fatalf("leaves from %d on: %v", tree.End(), err)
		}
		for _, l := range response.Leaves {
			if err := tree.Append(rfc6962.DefaultHasher.HashLeaf(l.LeafValue), nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	if want, err := tree.GetRootHash(nil); err != nil || string(want) != string(now.RootHash) {
		t.Fatalf("the root is %x, that of the leaves %x, %v", now.RootHash, want, err)
	}
}

func next(t testing.TB, b trillianlog.Backend, want uint64, holes ...uint64) {
	t.Helper()
	got, gotHoles, err := b.Next(context.Background())
	if err != nil || got != want || fmt.Sprint(gotHoles) != fmt.Sprint(holes) {
		t.Fatalf("Next is %d, %v, %v; want %d, %v", got, gotHoles, err, want, holes)
	}
}

func count(t testing.TB, db *sql.DB, query string, args ...any) (n int) {
	t.Helper()
	if err := db.QueryRow(query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("still not: %s", what)
		}
	}
}

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

// A row in LeafData without an index must not keep its identity from being logged.
func TestARowWithoutAnIndexGivesWay(t *testing.T) {
	server := mariadb.Shared(t)
	db := mysqltest.Open(t, server, mysqltest.Database(t, server))
	b := open(t, db, nil)
	add(t, b, leaves(0, "a", "b"))
	for _, l := range leaves(0, "c", "e") {
		exec(t, db, "INSERT INTO LeafData VALUES(?,?,'half','',0)", b.TreeID(), l.LeafIdentityHash)
	}
	next(t, b, 2)
	if found, err := b.Find(t.Context(), identities("c")); err != nil || len(found) != 0 {
		t.Fatalf("found %v, %v", found, err)
	}
	add(t, b, leaves(2, "c", "d"))
	// In a batch with a leaf that is there, each gets its own answer.
	results, err := send(t.Context(), b, leaves(4, "e", "a", "f"))
	if err != nil || results[0].Status.GetCode() != 0 || results[1].Status.GetCode() == 0 || results[2].Status.GetCode() != 0 {
		t.Fatalf("got %v, %v", results, err)
	}
	next(t, b, 7, 5)
	add(t, b, leaves(5, "g"))
	sound(t, b, 7)
	if n := count(t, db, "SELECT COUNT(*) FROM LeafData"); n != 7 {
		t.Errorf("%d rows for 7 leaves", n)
	}
}

// Onto a tree that does not give its root, nothing is logged.
func TestADamagedTreeTakesNothing(t *testing.T) {
	server := mariadb.Shared(t)
	db := mysqltest.Open(t, server, mysqltest.Database(t, server))
	b := open(t, db, nil)
	add(t, b, leaves(0, names("before", 5)...))
	exec(t, db, "UPDATE TreeHead SET RootHash=REVERSE(RootHash) WHERE TreeSize=5")
	if _, err := send(t.Context(), b, leaves(5, "after")); err == nil || !strings.Contains(err.Error(), "root hash mismatch") {
		t.Fatalf("got %v", err)
	}
	next(t, b, 5)
	if now := root(t, b); now.TreeSize != 5 {
		t.Fatalf("the tree has %d leaves", now.TreeSize)
	}
}

func TestOldTreeHeadsAreDeleted(t *testing.T) {
	const keep = 5
	server := mariadb.Shared(t)
	db := mysqltest.Open(t, server, mysqltest.Database(t, server))
	b := open(t, db, func(o *mysql.Options) { o.MaxTreeHeads = keep })
	for i, name := range names("leaf", 600) {
		add(t, b, leaves(uint64(i), name))
	}
	heads := func() int { return count(t, db, "SELECT COUNT(*) FROM TreeHead") }
	// Looked at after each 256 new ones.
	until(t, "old tree heads are deleted", func() bool { return heads() < 256+keep })
	sound(t, b, 600)
	b = open(t, db, func(o *mysql.Options) { o.MaxTreeHeads = keep })
	until(t, "all but the newest are deleted", func() bool { return heads() == keep })
	open(t, db, func(o *mysql.Options) { o.MaxTreeHeads = -1 }) // the default
	sound(t, b, 600)
	add(t, b, leaves(600, "more"))
	sound(t, b, 601)
}

// A COMMIT to which no answer came: whatever the server made of it, and makes of
// it later, all who ask are told the same.
func TestACommitWithoutAnAnswer(t *testing.T) {
	server := mariadb.Shared(t)
	name := mysqltest.Database(t, server)
	b, p := throughProxy(t, server, name)
	size := uint64(0)
	for i, tt := range []struct {
		name string
		fate fate
		want uint64 // leaves that are stored
	}{
		{"lost", fate{lost: true}, 0},
		{"done", fate{}, 3},
		{"done much later", fate{after: 300 * time.Millisecond}, 3},
	} {
		for _, ask := range []string{"Find", "Next"} {
			batch := names(fmt.Sprintf("%s-%s", tt.name, ask), 3)
			p.next.Store(&tt.fate)
			_, err := send(t.Context(), b, leaves(size, batch...))
			if status.Code(err) != codes.Unavailable {
				t.Fatalf("%s: got %v", tt.name, err)
			}
			if ask == "Next" {
				next(t, b, size+tt.want)
			}
			found, err := b.Find(t.Context(), identities(batch...))
			if err != nil || uint64(len(found)) != tt.want {
				t.Fatalf("%d %s: found %v, %v", i, tt.name, found, err)
			}
			next(t, b, size+tt.want)
			if tt.want == 0 {
				add(t, b, leaves(size, batch...))
			}
			size += 3
			sound(t, b, size)
		}
	}
	// The next process waits for it too.
	p.next.Store(&fate{after: 300 * time.Millisecond})
	if _, err := send(t.Context(), b, leaves(size, "last")); err == nil {
		t.Fatal("no error")
	}
	b = open(t, mysqltest.Open(t, server, name), nil)
	next(t, b, size+1)
	sound(t, b, size+1)
}

// A COMMIT that hangs does not hold its caller, whose context has ended, and not
// those who ask afterwards.
func TestACommitThatHangs(t *testing.T) {
	server := mariadb.Shared(t)
	b, p := throughProxy(t, server, mysqltest.Database(t, server))
	release := make(chan struct{})
	p.next.Store(&fate{hold: release, lost: true})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := send(ctx, b, leaves(0, "a"))
		ended <- err
	}()
	select {
	case err := <-ended:
		if status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("got %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("the call does not return")
	}
	// The rows are locked as long as the transaction is open.
	for name, ask := range map[string]func(context.Context) error{
		"find": func(ctx context.Context) error { _, err := b.Find(ctx, identities("a")); return err },
		"next": func(ctx context.Context) error { _, _, err := b.Next(ctx); return err },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		if err := ask(ctx); err == nil {
			t.Errorf("%s has an answer while a write is under way", name)
		}
		cancel()
	}
	close(release)
	until(t, "the write is given up", func() bool { _, _, err := b.Next(t.Context()); return err == nil })
	next(t, b, 0)
	add(t, b, leaves(0, "a"))
	sound(t, b, 1)
}

// throughProxy gives a back end whose database is behind a proxy, with no time
// limit of its own.
func throughProxy(t *testing.T, server *mariadb.Server, database string) (*mysql.Backend, *proxy) {
	t.Helper()
	p := newProxy(t, server)
	c := server.Config(database)
	c.Addr = p.listener.Addr().String()
	db, err := mysqldb.Open(mysqldb.Config{DSN: c.FormatDSN(), Timeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return open(t, db, nil), p
}

// What Trillian's packages log holds nothing of the leaves.
func TestTrillianLogsNoLeaves(t *testing.T) {
	var mu sync.Mutex
	var said strings.Builder
	klog.SetSlogLogger(slog.New(slog.NewTextHandler(writerFunc(func(b []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return said.Write(b)
	}), nil)))
	t.Cleanup(klog.ClearLogger)
	server := mariadb.Shared(t)
	b, p := throughProxy(t, server, mysqltest.Database(t, server))
	add(t, b, leaves(0, "grower-one"))
	if _, err := send(t.Context(), b, leaves(0, "grower-two")); err != nil { // the index is taken
		t.Fatal(err)
	}
	for range 2 {
		p.next.Store(&fate{lost: true})
		_, _ = send(t.Context(), b, leaves(1, "grower-three", "grower-one"))
	}
	p.next.Store(&fate{lost: true})
	if _, err := b.Client().GetInclusionProof(t.Context(), &trillian.GetInclusionProofRequest{LogId: b.TreeID(), TreeSize: 1}); err == nil {
		t.Error("a transaction whose end is lost has an answer")
	}
	mu.Lock()
	defer mu.Unlock()
	if said.Len() == 0 {
		t.Error("it says nothing at all: this test sees nothing")
	}
	if strings.Contains(said.String(), "grower") {
		t.Errorf("it says %s", said.String())
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestARangeIsBounded(t *testing.T) {
	server := mariadb.Shared(t)
	db := mysqltest.Open(t, server, mysqltest.Database(t, server))
	b := open(t, db, nil)
	const n = 1100
	add(t, b, leaves(0, names("leaf", n)...))
	request := &trillian.GetLeavesByRangeRequest{LogId: b.TreeID(), Count: 1 << 40}
	response, err := b.Client().GetLeavesByRange(t.Context(), request)
	if err != nil || len(response.Leaves) != 1024 || request.Count != 1<<40 {
		t.Fatalf("%d leaves, %v", len(response.GetLeaves()), err)
	}
	sound(t, b, n)
	// Where rows were lost, it ends before them.
	exec(t, db, "DELETE FROM SequencedLeafData WHERE SequenceNumber=7")
	if response, err = b.Client().GetLeavesByRange(t.Context(), request); err != nil || len(response.Leaves) != 7 {
		t.Fatalf("%d leaves, %v", len(response.GetLeaves()), err)
	}
	request.StartIndex = 7
	if _, err := b.Client().GetLeavesByRange(t.Context(), request); status.Code(err) != codes.DataLoss {
		t.Fatalf("got %v", err)
	}
	request.StartIndex = n // beyond the tree
	if response, err := b.Client().GetLeavesByRange(t.Context(), request); err != nil || len(response.Leaves) != 0 {
		t.Fatalf("%d leaves, %v", len(response.GetLeaves()), err)
	}
}

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
