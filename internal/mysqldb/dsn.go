package mysqldb

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

const dsnForm = "it reads USER:PASSWORD@tcp(HOST:3306)/DATABASE, with options such as ?tls=true behind it"

// options are the driver's own. Their names may be repeated in an error: what
// looks like another option may be a part of a password.
var options = []string{
	"allowAllFiles", "allowCleartextPasswords", "allowFallbackToPlaintext", "allowNativePasswords", "allowOldPasswords",
	"charset", "checkConnLiveness", "clientFoundRows", "collation", "columnsWithAlias", "compress", "connectionAttributes",
	"interpolateParams", "loc", "maxAllowedPacket", "multiStatements", "parseTime", "readTimeout", "rejectReadOnly",
	"serverPubKey", "strict", "timeout", "timeTruncate", "tls", "writeTimeout",
}

// parse reads a DSN, and refuses one that would undo what the package promises.
// No error repeats any of it but the name of an option.
func parse(dsn string) (*mysql.Config, error) {
	d, err := driverParse(dsn)
	if err != nil {
		return nil, errDSN(dsn)
	}
	// The driver takes an empty text for a database on this machine, and the
	// beginning of a URL for a user and a password.
	switch {
	case strings.HasPrefix(dsn, "mysql://"), strings.HasPrefix(dsn, "mariadb://"):
		return nil, fmt.Errorf("the DSN is a URL: %s", dsnForm)
	case d.User == "":
		return nil, fmt.Errorf("the DSN names no user: %s", dsnForm)
	case d.DBName == "":
		return nil, fmt.Errorf("the DSN names no database: %s", dsnForm)
	case !slices.Contains([]string{"tcp", "tcp4", "tcp6", "unix"}, d.Net):
		return nil, fmt.Errorf("the DSN has something else than tcp(…) or unix(…) before the database's name: %s", dsnForm)
	}
	if _, _, err := net.SplitHostPort(d.Addr); d.Net != "unix" && err != nil {
		return nil, fmt.Errorf("the DSN has no host and port in the brackets: %s", dsnForm)
	}
	return d, refuseOptions(d)
}

// driverParse is the driver's ParseDSN, which panics at an option that it once had.
func driverParse(dsn string) (d *mysql.Config, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("not known any more")
		}
	}()
	return mysql.ParseDSN(dsn)
}

// errDSN says why a DSN does not parse, without repeating it: the driver's own
// error may hold a part of the password.
func errDSN(dsn string) error {
	_, tail, _ := strings.Cut(dsn[strings.LastIndexByte(dsn, '/')+1:], "?")
	for option := range strings.SplitSeq(tail, "&") {
		name, _, _ := strings.Cut(option, "=")
		if !slices.Contains(options, name) {
			continue
		}
		if _, err := driverParse("user@tcp(host)/database?" + option); err != nil {
			return fmt.Errorf("the DSN's option %s has a value that the driver does not take", name)
		}
	}
	return fmt.Errorf("the DSN does not parse: %s", dsnForm)
}

// refuseOptions refuses what would weaken every connection. What the package
// sets anyway may stand in the DSN.
func refuseOptions(d *mysql.Config) error {
	verified := d.Net == "unix" || d.TLS != nil && !d.TLS.InsecureSkipVerify && !d.AllowFallbackToPlaintext
	for _, o := range []struct {
		set  bool
		name string
		why  string
	}{
		{d.MultiStatements, "multiStatements=true", "one text must be one statement"},
		{d.AllowAllFiles, "allowAllFiles=true", "a server could read files of this machine"},
		{d.AllowOldPasswords, "allowOldPasswords=true", "the password could be computed from what is sent"},
		{d.AllowCleartextPasswords && !verified, "allowCleartextPasswords=true", "the password would be readable on the way; with tls=true or on a Unix socket it is taken"},
		{d.ClientFoundRows, "clientFoundRows=true", "the rows that were changed are counted"},
		{d.ColumnsWithAlias, "columnsWithAlias=true", "columns are read by their own names"},
		{!d.CheckConnLiveness, "checkConnLiveness=false", "a connection that ended unnoticed would fail a request"},
		{d.Loc != time.UTC, "loc", "times are UTC"},
	} {
		if o.set {
			return fmt.Errorf("the DSN's option %s is not taken (%s): leave it out", o.name, o.why)
		}
	}
	for name := range d.Params {
		for _, own := range []string{"sql_mode", "autocommit", "tx_isolation", "transaction_isolation"} {
			if strings.Contains(strings.ToLower(name), own) {
				return fmt.Errorf("the DSN's option %s is not taken (every connection needs its own value): leave it out", own)
			}
		}
	}
	return nil
}

// Redact gives the DSN to be shown: with *** for its password, and for all options
// that are not the driver's own, since nobody knows what stands in them.
func Redact(dsn string) string {
	d, err := driverParse(dsn)
	if err != nil {
		return "(a DSN that does not parse)"
	}
	if d.Passwd != "" {
		d.Passwd = "***"
	}
	others := len(d.Params) > 0
	d.Params = nil
	shown := d.FormatDSN()
	switch {
	case !others:
	case strings.Contains(shown[strings.LastIndexByte(shown, '/'):], "?"):
		shown += "&***"
	default:
		shown += "?***"
	}
	return shown
}
