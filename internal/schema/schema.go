// Package schema prepares the one database in which Trillian's tables and ours
// lie, and says whether it is ready.
//
// The schema has a version, kept in the table tallyroot_schema. Each version's
// tables and indexes are made one by one where they are missing, so what a crash
// left half-made is completed by the next Apply: neither MySQL nor MariaDB can
// take back a CREATE. Nothing is ever dropped or changed. A lock of the server's
// own keeps a second Apply waiting.
//
// Apply needs the rights SELECT, INSERT, CREATE, ALTER, INDEX and REFERENCES on
// the database. Check and Plan change nothing and need SELECT alone.
package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/tallyroot/tallyroot/internal/mysqldb"
)

// What Check finds. Each comes wrapped in a sentence that says what to do.
var (
	ErrMissing = errors.New("the database holds no schema of this service")
	ErrBehind  = errors.New("the database's schema is older than this program")
	ErrAhead   = errors.New("the database's schema is newer than this program")
	ErrDamaged = errors.New("the database's schema is not whole")
)

// Timeout is a good mysqldb.Config.Timeout for the pool that Apply gets: an index
// on a table that has many rows already takes its time.
const Timeout = 30 * time.Minute

// Apply brings the database to this program's schema. It tells report each change
// once it is made, and each wait; report may be nil. Where nothing is missing it
// changes nothing. It may be cut off at any point and run again, and several may
// run at once. It gives what Check gives at its end.
func Apply(ctx context.Context, db *sql.DB, report func(change string)) error {
	if report == nil {
		report = func(string) {}
	}
	have, err := look(ctx, db)
	if err != nil {
		return err
	}
	if err := have.ahead(); err != nil {
		return err
	}
	if len(have.pending()) == 0 {
		return have.check()
	}
	var list []*goose.Migration
	for _, m := range migrations {
		up := func(ctx context.Context, tx *sql.Tx) error { return m.apply(ctx, tx, report) }
		// goose gives a transaction of the connection that holds the lock, so
		// that the two end together. A CREATE commits by itself.
		list = append(list, goose.NewGoMigration(m.version, &goose.GoFunc{RunTx: up}, nil))
	}
	provider, err := goose.NewProvider(goose.DialectMySQL, db, nil,
		goose.WithTableName(versionTable), goose.WithGoMigrations(list...), goose.WithDisableGlobalRegistry(true),
		goose.WithSessionLocker(locker{report}), goose.WithSlog(slog.New(slog.DiscardHandler)))
	if err != nil {
		return err
	}
	for _, m := range migrations {
		_, err := provider.ApplyVersion(ctx, m.version, true)
		var partial *goose.PartialError
		if errors.As(err, &partial) {
			err = partial.Err
		}
		switch {
		case errors.Is(err, goose.ErrAlreadyApplied):
		case err != nil:
			return fmt.Errorf("version %d of the schema: %w; what was made stays, and `tallyroot schema apply` goes on from there", m.version, mysqldb.Explain(err))
		default:
			report(m.recorded())
		}
	}
	return Check(ctx, db)
}

// Plan says in words what Apply would change, in order, and nothing where the
// schema is this program's.
func Plan(ctx context.Context, db *sql.DB) ([]string, error) {
	have, err := look(ctx, db)
	if err != nil {
		return nil, err
	}
	if err := have.ahead(); err != nil {
		return nil, err
	}
	var changes []string
	if len(have.versions) == 0 && !have.has(versionStep) {
		changes = append(changes, versionStep.words())
	}
	for _, m := range have.pending() {
		for _, s := range m.steps {
			if !have.has(s) {
				changes = append(changes, s.words())
			}
		}
		changes = append(changes, m.recorded())
	}
	return changes, nil
}

// Check is nil where the database has this program's schema, whole; otherwise it
// gives one of the errors above, or why the database could not be asked.
func Check(ctx context.Context, db *sql.DB) error {
	have, err := look(ctx, db)
	if err != nil {
		return err
	}
	return have.check()
}
