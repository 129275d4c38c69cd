package schema

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/tallyroot/tallyroot/internal/mysqldb"
)

// engine is the one whose tables survive a crash and have transactions.
const engine = "InnoDB"

// found is what is in the database.
type found struct {
	tables   map[string]string // name → engine
	indexes  map[string]bool   // table.index
	versions []int64           // that were applied, rising
	fold     bool              // the server does not tell a from A in tables' names
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// look reads what the user may see of the database.
func look(ctx context.Context, db querier) (*found, error) {
	f := &found{tables: map[string]string{}, indexes: map[string]bool{}}
	var table, index, tableEngine string
	var version int64
	err := each(ctx, db, "SELECT @@lower_case_table_names <> 0", []any{&f.fold}, func() {})
	if err == nil {
		err = each(ctx, db, "SELECT TABLE_NAME, COALESCE(ENGINE, '') FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()",
			[]any{&table, &tableEngine}, func() { f.tables[f.name(table)] = tableEngine })
	}
	if err == nil {
		err = each(ctx, db, "SELECT DISTINCT TABLE_NAME, INDEX_NAME FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE()",
			[]any{&table, &index}, func() { f.indexes[f.name(table)+"."+index] = true })
	}
	if err == nil && f.has(versionStep) {
		err = each(ctx, db, "SELECT DISTINCT version_id FROM "+versionTable+" WHERE is_applied AND version_id > 0 ORDER BY version_id",
			[]any{&version}, func() { f.versions = append(f.versions, version) })
	}
	if err != nil {
		return nil, fmt.Errorf("read the database's schema: %w", mysqldb.Explain(err))
	}
	return f, nil
}

// each scans one row after the other into dest, and calls row after each.
func each(ctx context.Context, db querier, query string, dest []any, row func()) error {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		row()
	}
	return rows.Err()
}

func (f *found) name(table string) string {
	if f.fold {
		return strings.ToLower(table)
	}
	return table
}

func (f *found) has(s step) bool {
	if s.index != "" {
		return f.indexes[f.name(s.table)+"."+s.index]
	}
	_, ok := f.tables[f.name(s.table)]
	return ok
}

// pending are the migrations that were not recorded as applied.
func (f *found) pending() []migration {
	return slices.DeleteFunc(slices.Clone(migrations), func(m migration) bool { return slices.Contains(f.versions, m.version) })
}

// version is the newest that was applied, and 0 where none was.
func (f *found) version() int64 { return slices.Max(append([]int64{0}, f.versions...)) }

func (f *found) ahead() error {
	if f.version() > latest() {
		return fmt.Errorf("%w: it has version %d, and this program knows %d: use the program that wrote it, or a newer one", ErrAhead, f.version(), latest())
	}
	return nil
}

func (f *found) check() error {
	if err := f.ahead(); err != nil {
		return err
	}
	switch pending := f.pending(); {
	case !f.has(versionStep):
		return fmt.Errorf("%w: run `tallyroot schema apply`; if that was done, give the database's user the right SELECT on its tables", ErrMissing)
	case len(pending) > 0:
		return fmt.Errorf("%w: it has version %d, and version %d (%s) is missing: run `tallyroot schema apply`", ErrBehind, f.version(), pending[0].version, pending[0].what)
	}
	for _, m := range migrations {
		for _, s := range m.steps {
			if !f.has(s) && s.index == "" {
				return fmt.Errorf("%w: the table %s is gone: restore the database from a backup", ErrDamaged, s.table)
			} else if !f.has(s) {
				return fmt.Errorf("%w: the index %s of the table %s is gone: make it again with\n%s;", ErrDamaged, s.index, s.table, s.statement)
			}
			if have := f.tables[f.name(s.table)]; !strings.EqualFold(have, engine) {
				return fmt.Errorf("%w: the table %s is kept by the engine %q, which can lose what was acknowledged: stop the service and run ALTER TABLE %s ENGINE=%s", ErrDamaged, s.table, have, s.table, engine)
			}
		}
	}
	return nil
}
