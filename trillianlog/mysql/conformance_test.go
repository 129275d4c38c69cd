package mysql

import (
	"context"
	"testing"

	"github.com/google/trillian/integration/storagetest"
	trillianstorage "github.com/google/trillian/storage"
	trillianmysql "github.com/google/trillian/storage/mysql"
	"github.com/google/trillian/storage/testonly"

	"github.com/tallyroot/tallyroot/internal/mariadb"
	"github.com/tallyroot/tallyroot/trillianlog/mysql/mysqltest"
)

// Trillian's own suites, whole.

func TestLogStorageConformance(t *testing.T) {
	server := mariadb.Shared(t)
	storagetest.RunLogStorageTests(t, func(_ context.Context, t *testing.T) (trillianstorage.LogStorage, trillianstorage.AdminStorage) {
		db := mysqltest.Open(t, server, mysqltest.Database(t, server))
		return newStorage(db, maxStatement), trillianmysql.NewAdminStorage(db)
	})
}

func TestAdminStorageConformance(t *testing.T) {
	server := mariadb.Shared(t)
	tester := &testonly.AdminStorageTester{NewAdminStorage: func() trillianstorage.AdminStorage {
		return trillianmysql.NewAdminStorage(mysqltest.Open(t, server, mysqltest.Database(t, server)))
	}}
	tester.RunAllTests(t)
}
