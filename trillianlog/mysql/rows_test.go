package mysql_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/trillian"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tallyroot/tallyroot/internal/mariadb"
	"github.com/tallyroot/tallyroot/trillianlog/mysql"
	"github.com/tallyroot/tallyroot/trillianlog/mysql/mysqltest"
)

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

// A process whose edge of the tree is no longer the newest stores nothing with it.
func TestTheTreeMovedMeanwhile(t *testing.T) {
	server := mariadb.Shared(t)
	db := mysqltest.Open(t, server, mysqltest.Database(t, server))
	b := open(t, db, nil)
	add(t, b, leaves(0, names("before", 5)...))
	for i, change := range []string{
		"UPDATE TreeHead SET TreeRevision=TreeRevision+1 ORDER BY TreeRevision DESC",
		"UPDATE TreeHead SET TreeHeadTimestamp=TreeHeadTimestamp+1 ORDER BY TreeHeadTimestamp DESC",
		"INSERT INTO TreeHead SELECT TreeId,TreeHeadTimestamp+1,TreeSize,RootHash,RootSignature,TreeRevision+1 FROM TreeHead ORDER BY TreeRevision DESC LIMIT 1",
	} {
		exec(t, db, change)
		add(t, b, leaves(uint64(5+i), fmt.Sprint("after-", i)))
		sound(t, b, uint64(6+i))
	}
	other := open(t, db, nil)
	for size := uint64(8); size < 300; size += 20 {
		add(t, b, leaves(size, names(fmt.Sprint("one-", size), 10)...))
		add(t, other, leaves(size+10, names(fmt.Sprint("other-", size), 10)...))
		sound(t, other, size+20)
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
