package schema

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
	"regexp"
	"strings"
)

// versionTable is goose's: which versions were applied, and when.
const versionTable = "tallyroot_schema"

// trillianSQL is storage/mysql/schema/storage.sql of Trillian v1.8.0, as it is there.
//
//go:embed trillian.sql
var trillianSQL string

//go:embed tallyroot.sql
var tallyrootSQL string

// migration makes one version of the schema out of the one before.
type migration struct {
	version int64
	what    string
	steps   []step
}

var migrations = []migration{
	{1, "Trillian's tables", steps(trillianSQL)},
	{2, "tokens and managed keys", steps(tallyrootSQL)},
}

// latest is this program's version of the schema.
func latest() int64 { return migrations[len(migrations)-1].version }

// step makes one table, or one index of a table.
type step struct {
	table, index string // index is "" for the table itself
	statement    string
}

var versionStep = step{table: versionTable}

func (s step) words() string {
	if s.index == "" {
		return "create the table " + s.table
	}
	return fmt.Sprintf("create the index %s of the table %s", s.index, s.table)
}

func (m migration) recorded() string {
	return fmt.Sprintf("record that the schema has version %d: %s", m.version, m.what)
}

var (
	createTable = regexp.MustCompile(`^CREATE TABLE IF NOT EXISTS (\w+)\s*\(`)
	createIndex = regexp.MustCompile(`^CREATE (?:UNIQUE )?INDEX (\w+)\s+ON (\w+)\s*\(`)
)

// steps takes an embedded script apart. Each statement ends with ";" at the end of
// a line; comments before it are left out, those within it stay.
func steps(script string) []step {
	var list []step
	for part := range strings.SplitSeq(script, ";\n") {
		at := strings.Index("\n"+part, "\nCREATE ")
		if at < 0 {
			continue
		}
		statement := part[at:]
		if m := createTable.FindStringSubmatch(statement); m != nil {
			list = append(list, step{table: m[1], statement: statement})
		} else if m := createIndex.FindStringSubmatch(statement); m != nil {
			list = append(list, step{table: m[2], index: m[1], statement: statement})
		} else {
			panic("an embedded statement is neither a table nor an index: " + statement)
		}
	}
	return list
}

// apply makes what is missing. A step that another process made in between, which
// a cluster without common locks allows, is taken as made.
func (m migration) apply(ctx context.Context, tx *sql.Tx, report func(string)) error {
	have, err := look(ctx, tx)
	if err != nil {
		return err
	}
	for _, s := range m.steps {
		if have.has(s) {
			continue
		}
		if _, err := tx.ExecContext(ctx, s.statement); err != nil {
			if now, lookErr := look(ctx, tx); lookErr != nil || !now.has(s) {
				return fmt.Errorf("%s: %w", s.words(), err)
			}
			continue
		}
		report(s.words())
	}
	return nil
}
