package mysqldb

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"time"
)

const (
	// DefaultWait is how long a start waits for a database that is starting too.
	DefaultWait = time.Minute

	firstPause = 100 * time.Millisecond
	maxPause   = 5 * time.Second
)

// Wait returns when the database answers. While it is away it is tried again,
// with a pause that doubles from 0.1 to 5 seconds, for as long as limit says; 0
// tries once. A database that answers no, to a wrong password for example, is an
// error at once. logger is told once that something is being waited for; nil is
// slog.Default().
func Wait(ctx context.Context, db *sql.DB, limit time.Duration, logger *slog.Logger) error {
	if logger == nil {
		logger = slog.Default()
	}
	end := time.Now().Add(limit)
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		err := db.PingContext(ctx)
		switch left := time.Until(end); {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !Unavailable(err):
			return Explain(err)
		case left <= 0 && limit > 0:
			return fmt.Errorf("the database did not answer within %v: %w", limit, Explain(err))
		case left <= 0:
			return Explain(err)
		default:
			if pause == firstPause {
				logger.Warn("waiting for the database", "for", limit, "error", err)
			}
			select {
			case <-time.After(min(pause, left)):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}
