// Package mysqldb opens connections to the service's MySQL or MariaDB, and says
// in a sentence what is wrong with them.
//
// Every connection speaks utf8mb4 and UTC, is strict about values that do not
// fit (STRICT_ALL_TABLES), reads repeatably, and sends a statement with its
// values in one step. A password stands in no error, no log line and no text
// that this package gives.
package mysqldb

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/go-sql-driver/mysql"
)

// What holds where Config says nothing.
const (
	// DefaultMaxOpen is how many connections there are at most. A server
	// allows 151 unless told otherwise, to all who use it.
	DefaultMaxOpen = 32
	// DefaultMaxIdle is how many of them stay open while nobody needs them.
	DefaultMaxIdle = 16
	// DefaultDialTimeout is how long a connection may take to be made.
	DefaultDialTimeout = 5 * time.Second
	// DefaultTimeout is how long the server may keep silent after a statement,
	// and how long it may take to accept one.
	DefaultTimeout = 30 * time.Second
	// DefaultMaxLifetime is the age at which a connection is replaced, so that
	// those to a server that was moved away from do not stay.
	DefaultMaxLifetime = 5 * time.Minute
)

// Config says where the database is and how to talk to it. All but the DSN is
// optional.
type Config struct {
	// DSN is in the form of github.com/go-sql-driver/mysql:
	// USER:PASSWORD@tcp(HOST:3306)/DATABASE?tls=true, or USER@unix(/socket)/DATABASE.
	// The password may be missing. Options that would undo what this package
	// promises are refused.
	DSN string
	// Password is used instead of the DSN's, if it is not empty.
	Password string
	// TLSCA is a PEM file of certificate authorities. With it the server must
	// speak TLS and show a certificate of one of them, in the name of the DSN's
	// host.
	TLSCA string

	MaxOpen int // connections; 0: DefaultMaxOpen
	MaxIdle int // connections; 0: DefaultMaxIdle, at most MaxOpen

	DialTimeout time.Duration // 0: the DSN's timeout, or DefaultDialTimeout
	Timeout     time.Duration // 0: the DSN's readTimeout and writeTimeout, or DefaultTimeout
	MaxLifetime time.Duration // 0: DefaultMaxLifetime

	// OnError is told the Class of each error that the database or the way to
	// it gives, for a metric. It is called by many goroutines.
	OnError func(class string)
	Logger  *slog.Logger // nil: slog.Default(). The driver's own remarks, at level debug
}

// Open checks the configuration and gives a pool of connections. It does not
// connect: Wait does.
func Open(c Config) (*sql.DB, error) {
	d, err := parse(c.DSN)
	if err != nil {
		return nil, err
	}
	if c.Password != "" {
		d.Passwd = c.Password
	}
	if err := useCA(d, c.TLSCA); err != nil {
		return nil, err
	}
	if err := harden(d); err != nil {
		return nil, err
	}
	d.Timeout = cmp.Or(c.DialTimeout, d.Timeout, DefaultDialTimeout)
	d.ReadTimeout = cmp.Or(c.Timeout, d.ReadTimeout, DefaultTimeout)
	d.WriteTimeout = cmp.Or(c.Timeout, d.WriteTimeout, DefaultTimeout)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	d.Logger = driverLog{c.Logger}
	if c.OnError == nil {
		c.OnError = func(string) {}
	}
	inner, err := mysql.NewConnector(d)
	if err != nil {
		return nil, errDSN(c.DSN)
	}
	db := sql.OpenDB(connector{inner, c.OnError})
	maxOpen := cmp.Or(c.MaxOpen, DefaultMaxOpen)
	db.SetMaxOpenConns(maxOpen)
	db.SetMaxIdleConns(min(cmp.Or(c.MaxIdle, DefaultMaxIdle), maxOpen))
	db.SetConnMaxLifetime(cmp.Or(c.MaxLifetime, DefaultMaxLifetime))
	return db, nil
}

// harden sets what every connection needs.
func harden(d *mysql.Config) error {
	d.InterpolateParams = true
	d.ParseTime = true
	d.Loc = time.UTC
	d.MaxAllowedPacket = 0 // the server's own limit, asked when connecting
	if d.Params == nil {
		d.Params = map[string]string{}
	}
	d.Params["sql_mode"] = "'STRICT_ALL_TABLES'"
	return d.Apply(mysql.Charset("utf8mb4", ""))
}

// useCA makes TLS required, and verified against the certificates in the file.
func useCA(d *mysql.Config, file string) error {
	if file == "" {
		return nil
	}
	if d.Net == "unix" {
		return errors.New("the database is on a Unix socket, where TLS has nothing to protect: leave --mysql-tls-ca out, or give a host")
	}
	if d.TLSConfig != "" && d.TLSConfig != "true" {
		return fmt.Errorf("the DSN says tls=%s, and --mysql-tls-ca asks for TLS that is verified: leave one of them out", d.TLSConfig)
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("the certificates that the database's is verified against: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return fmt.Errorf("%s holds no certificate: it must have one or more of the form -----BEGIN CERTIFICATE-----", file)
	}
	d.TLSConfig = ""
	d.AllowFallbackToPlaintext = false
	d.TLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return nil
}

// driverLog gives the driver's remarks, such as "unexpected EOF", to the log.
// The errors that they go with are returned, so they are for looking closer.
type driverLog struct{ to *slog.Logger }

func (l driverLog) Print(v ...any) {
	l.to.Debug("the database driver", "message", fmt.Sprint(v...))
}
