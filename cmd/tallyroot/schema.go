package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/tallyroot/tallyroot/internal/durable"
	"github.com/tallyroot/tallyroot/internal/schema"
	"github.com/urfave/cli/v2"
)

func schemaCommand() *cli.Command {
	return &cli.Command{
		Name:  "schema",
		Usage: "prepare a database",
		Subcommands: []*cli.Command{
			schemaApplyCommand(),
			schemaCheckCommand(),
		},
		Description: "The log's tables, which are Trillian's, and the service's own lie in one database of\n" +
			"MySQL or MariaDB.\n\n" +
			"Example:\n" +
			"  tallyroot schema apply --mysql 'tallyroot@tcp(db.example.org:3306)/tallyroot'",
	}
}

func schemaApplyCommand() *cli.Command {
	return &cli.Command{
		Name:  "apply",
		Usage: "make the tables, or bring them up to date",
		Description: "Makes what is missing in the database that the DSN names, and nothing where nothing is\n" +
			"missing. It may run twice, and twice at once; what a crash left half-made it completes. It\n" +
			"drops and changes nothing. Its user needs SELECT, INSERT, CREATE, ALTER, INDEX and\n" +
			"REFERENCES on the database; serve's user needs SELECT, INSERT, UPDATE and DELETE.\n\n" +
			"With --trillian-flags it also writes the file from which Trillian's own log server and log\n" +
			"signer take the database's address and password (their flag --config), so that neither\n" +
			"stands in their command line.\n\n" +
			"Examples:\n" +
			"  tallyroot schema apply --mysql 'tallyroot@tcp(db.example.org:3306)/tallyroot' --dry-run\n" +
			"  tallyroot schema apply --mysql-password-file db.password --trillian-flags /etc/trillian/flags",
		Flags: append(databaseFlags(),
			&cli.BoolFlag{Name: "dry-run", Usage: "only say what would be changed"},
			&cli.StringFlag{Name: "trillian-flags", Usage: "write the flags of Trillian's servers to `FILE`, which only its owner can read", TakesFile: true},
			jsonFlag(),
		),
		Action: applySchema,
	}
}

func applySchema(c *cli.Context) (err error) {
	d, err := schemaDatabase(c)
	if err != nil {
		return err
	}
	if d.config.Timeout < schema.Timeout && !c.IsSet("mysql-timeout") {
		d.config.Timeout = schema.Timeout
	}
	var flags []byte
	if c.String("trillian-flags") != "" {
		if flags, err = trillianFlagFile(d.config); err != nil {
			return err
		}
	}
	db, err := d.connect(c.Context)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()

	changes := []string{}
	if c.Bool("dry-run") {
		if changes, err = schema.Plan(c.Context, db); err != nil {
			return err
		}
		return reportSchema(c, changes)
	}
	err = schema.Apply(c.Context, db, func(change string) {
		if !c.Bool("json") {
			fmt.Println(printable(change))
		}
		changes = append(changes, change)
	})
	if err != nil {
		return err
	}
	if file := c.String("trillian-flags"); file != "" {
		if err := durable.WriteFile(file, flags, 0o600); err != nil {
			return fmt.Errorf("--trillian-flags: %w", err)
		}
	}
	return reportSchema(c, changes)
}

func reportSchema(c *cli.Context, changes []string) error {
	if c.Bool("json") {
		if changes == nil {
			changes = []string{}
		}
		return printJSON(os.Stdout, map[string]any{"dryRun": c.Bool("dry-run"), "changes": changes})
	}
	if c.Bool("dry-run") {
		for _, change := range changes {
			fmt.Println(printable(change))
		}
	}
	if len(changes) == 0 {
		fmt.Println("the schema is this program's; nothing to change")
	}
	return nil
}

func schemaCheckCommand() *cli.Command {
	return &cli.Command{
		Name:  "check",
		Usage: "say whether a database is ready for serve",
		Description: "Exit code 0 says that the database answers and has this program's tables; 1 comes with a\n" +
			"sentence that says what to do. It changes nothing.\n\n" +
			"Example:\n" +
			"  tallyroot schema check --mysql 'tallyroot@tcp(db.example.org:3306)/tallyroot' --mysql-wait 5m",
		Flags:  append(databaseFlags(), jsonFlag()),
		Action: checkSchema,
	}
}

func checkSchema(c *cli.Context) error {
	d, err := schemaDatabase(c)
	if err != nil {
		return err
	}
	db, err := d.open(c.Context)
	if c.Bool("json") {
		answer := struct {
			Ready   bool   `json:"ready"`
			Problem string `json:"problem,omitempty"`
		}{Ready: err == nil}
		if err != nil {
			answer.Problem, err = err.Error(), silentError{}
		}
		err = errors.Join(printJSON(os.Stdout, answer), err)
	}
	if db != nil {
		err = errors.Join(err, db.Close())
	}
	if err == nil && !c.Bool("json") {
		fmt.Println("the database is ready")
	}
	return err
}

// schemaDatabase reads the flags of both commands.
func schemaDatabase(c *cli.Context) (*database, error) {
	if _, err := arguments(c); err != nil {
		return nil, err
	}
	dsn := c.String("mysql")
	if dsn == "" {
		return nil, usagef("%s needs --mysql DSN, or TALLYROOT_MYSQL: which database", c.Command.HelpName)
	}
	return readDatabase(c, dsn, warnings())
}
