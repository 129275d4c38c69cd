package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/tallyroot/tallyroot/internal/mysqldb"
	"github.com/tallyroot/tallyroot/provenance/credentials"
	credentialsembedded "github.com/tallyroot/tallyroot/provenance/credentials/embedded"
	credentialsmysql "github.com/tallyroot/tallyroot/provenance/credentials/mysql"
	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/embedded"
	"github.com/tallyroot/tallyroot/trillianlog/mysql"
	"github.com/tallyroot/tallyroot/trillianlog/remote"
	"github.com/urfave/cli/v2"
)

// What runs Trillian, as a person says it.
const (
	embeddedPlace = "embedded" // this process, on a folder
	mysqlPlace    = "mysql"    // this process, on MySQL or MariaDB
	trillianPlace = "trillian" // Trillian's own log server and signer
)

const categoryTrillian = "Trillian's own servers"

// ownIdentities is the folder, in the data directory, of place.identities.
const ownIdentities = "identities"

// placeFlags say where a log lies, for the commands that open one.
func placeFlags() []cli.Flag {
	trillian := fromEnvironment(
		&cli.StringFlag{Name: "trillian", Usage: "have the log kept by Trillian's log server at `HOST:PORT`"},
		&cli.BoolFlag{Name: "trillian-tls", Usage: "speak TLS to it"},
		&cli.StringFlag{Name: "trillian-tls-ca", Usage: "speak TLS, and only to a server whose certificate an authority in `FILE` signed, PEM", TakesFile: true},
		&cli.DurationFlag{Name: "trillian-wait", Usage: "at the start, wait for it at most `DURATION`", Value: remote.DefaultWait},
		&cli.Int64Flag{Name: "tree", Usage: "the tree `ID`, with --mysql or --trillian; by default the one that bears the log's name, which is made when it is missing", DefaultText: "by the log's name"},
	)
	for _, f := range trillian {
		categorise(f, categoryTrillian)
	}
	return append(databaseFlags(), trillian...)
}

// A place is where a log lies: its leaves, and what the service remembers beside
// it (tokens, keys that it manages).
type place struct {
	kind     string
	folder   string    // of the embedded store; "" is the data directory's own
	database *database // nil: none, and what is remembered lies in the data directory
	trillian remote.Options
	// identities names the folder, in the data directory, of what is known of the
	// leaves on Trillian's servers. It is made again where it is missing.
	identities string
	tree       int64
	existing   bool // nothing is made where there is nothing; see errNothingThere
	logger     *slog.Logger
}

// errNothingThere says that an existing place has no log yet.
var errNothingThere = errors.New("there is no log yet")

// readPlace reads placeFlags: which log serve and recover open.
func readPlace(c *cli.Context, logger *slog.Logger) (*place, error) {
	kind := embeddedPlace
	switch {
	case c.String("trillian") != "":
		kind = trillianPlace
	case c.String("mysql") != "":
		kind = mysqlPlace
	}
	for _, name := range []string{"mysql-password-file", "mysql-tls-ca", "mysql-max-open", "mysql-max-idle", "mysql-dial-timeout", "mysql-timeout", "mysql-wait"} {
		if c.IsSet(name) && c.String("mysql") == "" {
			return nil, usagef("--%s is set and --mysql is not: say which database with --mysql DSN or TALLYROOT_MYSQL", name)
		}
	}
	if os.Getenv(passwordVariable) != "" && c.String("mysql") == "" {
		return nil, usagef("%s is set and --mysql is not: say which database with --mysql DSN or TALLYROOT_MYSQL", passwordVariable)
	}
	for _, name := range []string{"trillian-tls", "trillian-tls-ca", "trillian-wait"} {
		if c.IsSet(name) && kind != trillianPlace {
			return nil, usagef("--%s is set and --trillian is not: say where Trillian's log server is with --trillian HOST:PORT", name)
		}
	}
	if c.IsSet("tree") && kind == embeddedPlace {
		return nil, usagef("--tree goes with --mysql or --trillian: an embedded store has one tree")
	}
	return newPlace(c, kind, "", logger)
}

// parsePlace reads a place as log copy names it: a kind with the settings that
// placeFlags give it, or a kind, ":" and which one.
func parsePlace(c *cli.Context, flag string, logger *slog.Logger) (*place, error) {
	kind, which, _ := strings.Cut(c.String(flag), ":")
	switch {
	case kind != embeddedPlace && kind != mysqlPlace && kind != trillianPlace:
		// It may be a DSN, so it is not repeated.
		return nil, usagef("--%s: it is embedded, mysql or trillian, or embedded:FOLDER, mysql:DSN or trillian:HOST:PORT", flag)
	case kind == mysqlPlace && which == "" && c.String("mysql") == "":
		return nil, usagef("--%s mysql: which database? Say --mysql DSN, or TALLYROOT_MYSQL, or --%s mysql:DSN", flag, flag)
	case kind == trillianPlace && which == "" && c.String("trillian") == "":
		return nil, usagef("--%s trillian: which log server? Say --trillian HOST:PORT, or --%s trillian:HOST:PORT", flag, flag)
	}
	p, err := newPlace(c, kind, which, logger)
	if err == nil && which != "" {
		p.identities += "-" + flag // not those of the place that the flags say
	}
	return p, err
}

// newPlace makes a place of the kind; which may be "".
func newPlace(c *cli.Context, kind, which string, logger *slog.Logger) (_ *place, err error) {
	p := &place{kind: kind, identities: ownIdentities, logger: logger}
	dsn := c.String("mysql")
	switch kind {
	case embeddedPlace:
		p.folder = which
		return p, nil
	case mysqlPlace:
		if which != "" {
			dsn = which
		}
	case trillianPlace:
		address := c.String("trillian")
		if which != "" {
			address = which
		}
		if p.trillian, err = trillianOptions(c, address); err != nil {
			return nil, err
		}
	}
	if p.tree = c.Int64("tree"); p.tree < 0 {
		return nil, usagef("--tree %d: a tree's ID is a positive number", p.tree)
	}
	if dsn != "" {
		p.database, err = readDatabase(c, dsn, logger)
	}
	return p, err
}

func trillianOptions(c *cli.Context, address string) (remote.Options, error) {
	if host, port, err := net.SplitHostPort(address); err != nil || host == "" || port == "" {
		return remote.Options{}, usagef("--trillian %q: write it like 127.0.0.1:8090", address)
	}
	o := remote.Options{Address: address, Wait: c.Duration("trillian-wait")}
	if o.Wait <= 0 {
		return o, usagef("--trillian-wait %v: it is a time to wait, such as 30s", o.Wait)
	}
	file := c.String("trillian-tls-ca")
	if file == "" && !c.Bool("trillian-tls") {
		return o, nil
	}
	o.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	if file == "" {
		return o, nil
	}
	text, err := readSmallFile(file, 1<<20)
	if err != nil {
		return o, fmt.Errorf("--trillian-tls-ca: %w", err)
	}
	o.TLS.RootCAs = x509.NewCertPool()
	if !o.TLS.RootCAs.AppendCertsFromPEM(text) {
		return o, fmt.Errorf("--trillian-tls-ca: %s holds no certificate in PEM", file)
	}
	return o, nil
}

// String names the place in a sentence.
func (p *place) String() string {
	switch p.kind {
	case mysqlPlace:
		return "the database " + mysqldb.Redact(p.database.config.DSN)
	case trillianPlace:
		return "the log server at " + p.trillian.Address
	}
	if p.folder != "" {
		return "the store " + p.folder
	}
	return "the embedded store"
}

// An openPlace is one whose database answers.
type openPlace struct {
	*place
	origin string
	db     *sql.DB // nil: none
}

// open waits for the database, if there is one. It opens no log yet.
func (p *place) open(ctx context.Context, origin string) (*openPlace, error) {
	o := &openPlace{place: p, origin: origin}
	if p.database == nil {
		return o, nil
	}
	db, err := p.database.open(ctx)
	o.db = db
	return o, err
}

// Close is called when the back end and the store of credentials are closed.
func (o *openPlace) Close() error {
	if o.db == nil {
		return nil
	}
	return o.db.Close()
}

// Backend opens Trillian. dir is the data directory's folder for an embedded
// store; what a back end keeps beside its leaves lies next to that.
func (o *openPlace) Backend(ctx context.Context, dir string) (trillianlog.Backend, error) {
	switch o.kind {
	case mysqlPlace:
		b, err := mysql.Open(ctx, o.db, mysql.Options{Origin: o.origin, TreeID: o.tree, Existing: o.existing, Logger: o.logger})
		if errors.Is(err, mysql.ErrNoTree) {
			return nil, errNothingThere
		}
		if err != nil {
			return nil, err
		}
		return b, nil
	case trillianPlace:
		options := o.trillian
		options.Origin, options.TreeID, options.Logger = o.origin, o.tree, o.logger
		options.Dir, options.Existing = filepath.Join(filepath.Dir(dir), o.identities), o.existing
		b, err := remote.Open(ctx, options)
		if errors.Is(err, remote.ErrNoTree) {
			return nil, errNothingThere
		}
		if err != nil {
			return nil, err
		}
		return b, nil
	}
	if o.folder != "" {
		dir = o.folder
	}
	if _, err := os.Lstat(dir); o.existing && errors.Is(err, os.ErrNotExist) {
		return nil, errNothingThere
	}
	b, err := embedded.Open(ctx, dir, embedded.Options{Logger: o.logger})
	if err != nil {
		return nil, err
	}
	return b, nil
}

// Credentials opens what is remembered beside the log; dir is the data
// directory's folder for that.
func (o *openPlace) Credentials(dir string) (credentials.Store, error) {
	if o.db != nil {
		return credentialsmysql.Open(o.db, o.origin, dir, credentialsmysql.Options{Logger: o.logger})
	}
	return credentialsembedded.Open(dir, o.logger)
}

// serving is Backend for serve. When the files of an embedded store are damaged,
// what is published is served all the same. A back end without a single leaf,
// under a log that has some, is refused: the log lies somewhere else.
func (o *openPlace) serving(lastCheckpoint string) func(context.Context, string) (trillianlog.Backend, error) {
	return func(ctx context.Context, dir string) (trillianlog.Backend, error) {
		data := filepath.Dir(dir)
		size, err := signedSize(ctx, data, lastCheckpoint)
		if err != nil {
			return nil, err
		}
		_, missing := os.Lstat(dir)
		if o.kind == embeddedPlace && size > 0 && errors.Is(missing, os.ErrNotExist) {
			return nil, o.elsewhere(data, size)
		}
		b, err := o.Backend(ctx, dir)
		if errors.Is(err, embedded.ErrUnreadable) {
			return trillianlog.Unusable(err), nil
		}
		if err != nil || size == 0 {
			return b, err
		}
		next, _, err := b.Next(ctx)
		if err == nil && next == 0 {
			err = o.elsewhere(data, size)
		}
		if err != nil {
			return nil, errors.Join(err, b.Close())
		}
		return b, nil
	}
}

func (o *openPlace) elsewhere(data string, size uint64) error {
	from := "FROM"
	if _, err := os.Lstat(filepath.Join(data, "store")); err == nil && o.kind != embeddedPlace {
		from = embeddedPlace
	}
	return fmt.Errorf("%s holds the keys of a log of size %d, and %s has nothing of it: start the service as it was started before, "+
		"or move the log (tallyroot log copy --data %s --from %s --to %s); if what held it was lost, put its newest backup back",
		data, size, o, data, from, o.kind)
}

// storeFolder is the folder of an embedded store, "" for any other place. own is
// the data directory's.
func (p *place) storeFolder(own string) string {
	switch {
	case p.kind != embeddedPlace:
		return ""
	case p.folder != "":
		return p.folder
	}
	return own
}

// credentialsDSN says which database keeps what is remembered beside the log; ""
// is none, but the data directory.
func (p *place) credentialsDSN() string {
	if p.database == nil {
		return ""
	}
	return p.database.config.DSN
}
