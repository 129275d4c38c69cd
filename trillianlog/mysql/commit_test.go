package mysql_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/trillian"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/klog/v2"

	"github.com/tallyroot/tallyroot/internal/mariadb"
	"github.com/tallyroot/tallyroot/internal/mysqldb"
	"github.com/tallyroot/tallyroot/trillianlog/mysql"
	"github.com/tallyroot/tallyroot/trillianlog/mysql/mysqltest"
)

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
