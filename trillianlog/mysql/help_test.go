package mysql_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/google/trillian"
	"github.com/google/trillian/types"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"google.golang.org/grpc/codes"

	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/backendtest"
	"github.com/tallyroot/tallyroot/trillianlog/mysql"
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
