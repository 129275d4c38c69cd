package main

import (
	"context"
	"database/sql"
	"log/slog"
)

// warnOfCommits tells when the database says that a transaction is committed
// before it is on the disk: then a power failure takes what was acknowledged.
func warnOfCommits(ctx context.Context, db *sql.DB, logger *slog.Logger) {
	var flush, syncBinlog int
	var binlog bool
	err := db.QueryRowContext(ctx, "SELECT @@innodb_flush_log_at_trx_commit, @@log_bin, @@sync_binlog").Scan(&flush, &binlog, &syncBinlog)
	if err != nil {
		logger.Warn("the database does not say how it commits", "error", err)
		return
	}
	if flush != 1 && flush != 3 { // 3 is MariaDB's, and does more
		logger.Warn("the database does not write to the disk when it commits: a power failure would take what was acknowledged. Set it to 1",
			"innodb_flush_log_at_trx_commit", flush)
	}
	// With a binary log, InnoDB's recovery undoes what that has not.
	if binlog && syncBinlog != 1 {
		logger.Warn("the database does not write its binary log to the disk when it commits: a power failure would take what was acknowledged. Set it to 1",
			"sync_binlog", syncBinlog)
	}
}
