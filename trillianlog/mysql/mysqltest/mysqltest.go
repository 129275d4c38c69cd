// Package mysqltest makes databases for tests.
package mysqltest

import (
	"context"
	"database/sql"
	"testing"

	"github.com/tallyroot/tallyroot/internal/mariadb"
	"github.com/tallyroot/tallyroot/internal/mysqldb"
	"github.com/tallyroot/tallyroot/internal/schema"
)

// Database makes a database with all tables on the server, and gives its name.
func Database(t testing.TB, server *mariadb.Server) string {
	t.Helper()
	name := server.Database(t)
	if err := schema.Apply(context.Background(), Open(t, server, name), nil); err != nil {
		t.Fatal(err)
	}
	return name
}

// Open opens connections to the database, which are closed when the test ends.
func Open(t testing.TB, server *mariadb.Server, name string) *sql.DB {
	t.Helper()
	db, err := mysqldb.Open(mysqldb.Config{DSN: server.DSN(name)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}
