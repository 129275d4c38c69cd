package main

import (
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/internal/mariadb"
	"github.com/tallyroot/tallyroot/internal/mysqldb"
	"github.com/tallyroot/tallyroot/internal/schema"
	"github.com/tallyroot/tallyroot/internal/stock"
)

// TestKillDatabase kills MariaDB and the service in turns, Trillian being in the
// process: what was acknowledged is there, and after the database is back, writes
// go on without a restart of the service.
func TestKillDatabase(t *testing.T) {
	t.Parallel()
	db := mariadb.Own(t)
	k := newKilled(t, "--mysql", prepared(t, db, "log"))
	for range kills(t, 1) {
		k.round("the database", db.Kill, k.backAfter(db.Start))
		k.round("the service", k.kill, func() { k.start() })
	}
	k.settle()
}

// TestKillServers does the same on Trillian's own servers: log server, signer,
// database and service are killed in turns.
func TestKillServers(t *testing.T) {
	t.Parallel()
	db := mariadb.Own(t)
	servers := stock.Own(t, stock.Options{DSN: prepared(t, db, "log")})
	k := newKilled(t, "--trillian", servers.Server.Address)
	for range kills(t, 1) {
		k.round("the log server", servers.Server.Kill, k.backAfter(servers.Server.Start))
		k.round("the signer", servers.Signer.Kill, k.backAfter(servers.Signer.Start))
		k.round("the database", db.Kill, k.backAfter(db.Start))
		k.round("the service", k.kill, func() { k.start() })
	}
	k.settle()
}

// prepared gives the DSN of a new database that has the tables.
func prepared(t *testing.T, db *mariadb.Server, name string) string {
	t.Helper()
	if err := db.Exec("", "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	pool, err := mysqldb.Open(mysqldb.Config{DSN: db.DSN(name)})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if err := schema.Apply(t.Context(), pool, func(string) {}); err != nil {
		t.Fatal(err)
	}
	return db.DSN(name)
}

// backAfter starts what was killed, and waits until the service, which goes on
// running, takes events again by itself.
func (k *killed) backAfter(start func() error) func() {
	return func() {
		k.t.Helper()
		if err := start(); err != nil {
			k.t.Fatal(err)
		}
		for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
			n := k.sent
			k.sent++
			k.lost[n] = true
			if k.post(n) {
				return
			}
			if time.Now().After(deadline) {
				k.t.Fatal("the service does not take events again")
			}
		}
	}
}
