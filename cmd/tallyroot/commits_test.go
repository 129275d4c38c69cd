package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/internal/mariadb"
	"github.com/tallyroot/tallyroot/internal/mysqldb"
)

// A database that commits without writing to the disk is told of.
func TestWarnOfCommits(t *testing.T) {
	server := mariadb.Own(t, "--log-bin=binlog", "--sync-binlog=1")
	db, err := mysqldb.Open(mysqldb.Config{DSN: server.DSN(server.Database(t))})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, tt := range []struct{ set, want string }{
		{"SET GLOBAL sync_binlog = 1", ""},
		{"SET GLOBAL innodb_flush_log_at_trx_commit = 2", "innodb_flush_log_at_trx_commit=2"},
		{"SET GLOBAL innodb_flush_log_at_trx_commit = 3", ""},
		{"SET GLOBAL sync_binlog = 0", "sync_binlog=0"},
	} {
		if err := server.Exec("", tt.set); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		warnOfCommits(t.Context(), db, slog.New(slog.NewTextHandler(&out, nil)))
		if said := out.String(); tt.want == "" && said != "" || !strings.Contains(said, tt.want) {
			t.Errorf("%s: it says %q", tt.set, said)
		}
	}
}
