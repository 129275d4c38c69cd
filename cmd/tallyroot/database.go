package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/tallyroot/tallyroot/internal/mysqldb"
	"github.com/tallyroot/tallyroot/internal/schema"
	"github.com/urfave/cli/v2"
)

const categoryDatabase = "MySQL or MariaDB"

// maxPassword bounds the file of a password, in bytes.
const maxPassword = 4 << 10

// databaseFlags say which database, for the commands that use one.
func databaseFlags() []cli.Flag {
	flags := fromEnvironment(
		&cli.StringFlag{Name: "mysql", Usage: "the database `DSN`, as USER@tcp(HOST:3306)/DATABASE; its password is better said by a variable or a file"},
		&cli.StringFlag{Name: "mysql-password-file", Usage: "read the password from `FILE`; without it, " + passwordVariable + " is the password, or what stands in the DSN", TakesFile: true},
		&cli.StringFlag{Name: "mysql-tls-ca", Usage: "speak TLS, and only to a server whose certificate an authority in `FILE` signed, PEM", TakesFile: true},
		&cli.IntFlag{Name: "mysql-max-open", Usage: "open at most `N` connections, 4 or more where the log lies in the database", Value: mysqldb.DefaultMaxOpen},
		&cli.IntFlag{Name: "mysql-max-idle", Usage: "keep at most `N` of them open while nobody needs them", Value: mysqldb.DefaultMaxIdle},
		&cli.DurationFlag{Name: "mysql-dial-timeout", Usage: "give up making a connection after `DURATION`", Value: mysqldb.DefaultDialTimeout},
		&cli.DurationFlag{Name: "mysql-timeout", Usage: "give up a connection whose server is silent for `DURATION`", Value: mysqldb.DefaultTimeout},
		&cli.DurationFlag{Name: "mysql-wait", Usage: "at the start, wait for the database at most `DURATION`", Value: mysqldb.DefaultWait},
	)
	for _, f := range flags {
		categorise(f, categoryDatabase)
	}
	return flags
}

func categorise(f cli.Flag, category string) {
	switch f := f.(type) {
	case *cli.StringFlag:
		f.Category = category
	case *cli.IntFlag:
		f.Category = category
	case *cli.Int64Flag:
		f.Category = category
	case *cli.BoolFlag:
		f.Category = category
	case *cli.DurationFlag:
		f.Category = category
	}
}

// A database is what databaseFlags say, for one DSN.
type database struct {
	config mysqldb.Config
	wait   time.Duration
	logger *slog.Logger
}

// readDatabase reads databaseFlags for the DSN, which need not be that of --mysql.
func readDatabase(c *cli.Context, dsn string, logger *slog.Logger) (*database, error) {
	password, _, err := readPassword(c)
	if err != nil {
		return nil, err
	}
	d := &database{mysqldb.Config{
		DSN: dsn, Password: password, TLSCA: c.String("mysql-tls-ca"),
		MaxOpen: c.Int("mysql-max-open"), MaxIdle: c.Int("mysql-max-idle"),
		DialTimeout: c.Duration("mysql-dial-timeout"), Timeout: c.Duration("mysql-timeout"), Logger: logger,
	}, c.Duration("mysql-wait"), logger}
	for _, name := range []string{"mysql-max-open", "mysql-max-idle"} {
		if c.Int(name) < 1 {
			return nil, usagef("--%s %d: it is a number of connections, at least 1", name, c.Int(name))
		}
	}
	for _, name := range []string{"mysql-dial-timeout", "mysql-timeout"} {
		if c.Duration(name) <= 0 {
			return nil, usagef("--%s %v: it is a time to wait, such as 5s", name, c.Duration(name))
		}
	}
	if d.wait < 0 {
		return nil, usagef("--mysql-wait %v: it is a time to wait, such as 1m; 0 tries once", d.wait)
	}
	return d, nil
}

// readPassword gives the password that stands in no DSN, and where it stands; ""
// if it does not.
func readPassword(c *cli.Context) (password, source string, err error) {
	variable := os.Getenv(passwordVariable)
	file := c.String("mysql-password-file")
	switch {
	case file == "" && variable == "":
		return "", "", nil
	case file == "":
		return variable, passwordVariable, nil
	case variable != "":
		return "", "", usagef("--mysql-password-file and %s both say a password: leave one of them out", passwordVariable)
	}
	text, err := readSmallFile(file, maxPassword)
	if err != nil {
		return "", "", fmt.Errorf("--mysql-password-file: %w", err)
	}
	password = strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if password == "" {
		return "", "", fmt.Errorf("--mysql-password-file: %s is empty; it should hold one password", file)
	}
	return password, file, nil
}

// connect waits until the database answers.
func (d *database) connect(ctx context.Context) (*sql.DB, error) {
	db, err := mysqldb.Open(d.config)
	if err != nil {
		return nil, usageError{err}
	}
	if err := mysqldb.Wait(ctx, db, d.wait, d.logger); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// open waits for the database, and wants this program's tables in it.
func (d *database) open(ctx context.Context) (*sql.DB, error) {
	db, err := d.connect(ctx)
	if err != nil {
		return nil, err
	}
	if err := schema.Check(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	warnOfCommits(ctx, db, d.logger)
	return db, nil
}
