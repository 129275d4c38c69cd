package mysqldb

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// The classes of errors: the values of the metric's label.
const (
	ClassUnavailable = "unavailable" // the database is away, or takes nothing now: Unavailable
	ClassConflict    = "conflict"    // two wanted the same rows at once; to be tried again: Conflict
	ClassDuplicate   = "duplicate"   // a row of that key is there: Duplicate
	ClassDenied      = "denied"      // the user, its password, its rights, or TLS
	ClassCanceled    = "canceled"    // the one who asked went away
	ClassOther       = "other"       // none of these: a missing table, a disk that gives errors, …
)

// Numbers of the servers' errors.
var (
	readOnly = []uint16{
		1290, // the server runs with --read-only
		1792, // the transaction is read-only
		1836, // the server is in read-only mode
	}
	unavailable = append([]uint16{
		1021, // disk full
		1040, // too many connections
		1041, // out of memory
		1053, // shutdown in progress
		1077, // normal shutdown
		1079, // shutdown complete
		1080, // forcing close of a thread
		1114, // no room for the table to grow
		1152, // aborted connection
		1158, // error reading from the network
		1159, // timeout reading
		1160, // error writing
		1161, // timeout writing
		1184, // aborted connection
		1203, // the user has too many connections
		1226, // the user has used what it may for now
		1317, // the statement was interrupted
		1927, // the connection was killed (MariaDB)
		3169, // the session was killed (MySQL)
		4031, // disconnected after idleness (MySQL)
	}, readOnly...)
	conflict = []uint16{
		1020, // the row changed since it was read
		1205, // lock wait timeout
		1213, // deadlock
		3101, // the group's other members had a conflicting transaction (MySQL)
	}
	duplicate = []uint16{1062, 1586}
	denied    = []uint16{
		1044, 1045, 1698, // the user may not use the database, or is not let in
		1129, 1130, // its host is blocked, or not allowed
		1142, 1143, 1227, 1370, // rights to a table, a column, an operation, a routine
		1251, 1820, 1862, // the way of authentication; the password has expired
		3118, 3159, 4151, // the account is locked; TLS is demanded; the account is locked (MariaDB)
	}
	// wsrepNotReady is a cluster's node that is not part of it now, where the
	// text says WSREP; otherwise it is an unknown command.
	wsrepNotReady uint16 = 1047
)

// number is the server's number of the error, and 0 where it is none of the
// server's.
func number(err error) uint16 {
	var e *mysql.MySQLError
	if !errors.As(err, &e) {
		return 0
	}
	return e.Number
}

func isReadOnly(err error) bool { return slices.Contains(readOnly, number(err)) }

// Unavailable says that the database is away, is on its way out or in, or takes
// nothing from anybody now: the same may work later, and nobody has to change
// what was asked. It is false where the database, or TLS, said no.
func Unavailable(err error) bool {
	var (
		fromServer *mysql.MySQLError
		fromNet    *net.OpError
		noName     *net.DNSError
	)
	switch {
	case err == nil || isTLS(err):
		return false
	case errors.As(err, &fromServer):
		return slices.Contains(unavailable, fromServer.Number) ||
			fromServer.Number == wsrepNotReady && strings.Contains(fromServer.Message, "WSREP")
	case errors.As(err, &fromNet), errors.As(err, &noName):
		return true
	}
	for _, gone := range []error{
		driver.ErrBadConn, mysql.ErrInvalidConn, sql.ErrConnDone, io.EOF, io.ErrUnexpectedEOF,
		context.DeadlineExceeded, os.ErrDeadlineExceeded,
	} {
		if errors.Is(err, gone) {
			return true
		}
	}
	return false
}

// Conflict says that the transaction was rolled back because another one was in
// its way: the whole of it may be tried again.
func Conflict(err error) bool { return slices.Contains(conflict, number(err)) }

// Duplicate says that a row with that primary or unique key is there.
func Duplicate(err error) bool { return slices.Contains(duplicate, number(err)) }

func isTLS(err error) bool {
	var (
		alert       tls.AlertError
		header      tls.RecordHeaderError
		certificate *tls.CertificateVerificationError
		name        x509.HostnameError
		authority   x509.UnknownAuthorityError
		invalid     x509.CertificateInvalidError
	)
	return errors.Is(err, mysql.ErrNoTLS) || errors.As(err, &alert) || errors.As(err, &header) || errors.As(err, &certificate) ||
		errors.As(err, &name) || errors.As(err, &authority) || errors.As(err, &invalid)
}

// Class sorts an error for a metric.
func Class(err error) string {
	switch {
	case Unavailable(err):
		return ClassUnavailable
	case Conflict(err):
		return ClassConflict
	case Duplicate(err):
		return ClassDuplicate
	case isTLS(err) || slices.Contains(denied, number(err)):
		return ClassDenied
	case errors.Is(err, context.Canceled):
		return ClassCanceled
	}
	return ClassOther
}

// explained is an error that a person can read.
type explained struct {
	what, todo string
	err        error
}

func (e *explained) Error() string {
	if e.todo == "" {
		return fmt.Sprintf("%s: %v", e.what, e.err)
	}
	return fmt.Sprintf("%s: %v; %s", e.what, e.err, e.todo)
}

func (e *explained) Unwrap() error { return e.err }

// Explain wraps an error of the database in a sentence that says what is wrong
// and what to do. One that it has nothing to say about stays as it is, as does
// nil, and one that was explained before.
func Explain(err error) error {
	var before *explained
	if err == nil || errors.As(err, &before) {
		return err
	}
	if what, todo := explain(err); what != "" {
		return &explained{what, todo, err}
	}
	return err
}

func explain(err error) (what, todo string) {
	const certificate = "check that the host in the DSN is a name in the server's certificate and that --mysql-tls-ca is the authority that signed it"
	switch n := number(err); n {
	case 1044:
		return "the user may not use this database", "give it the rights with GRANT, or correct the database's name in the DSN"
	case 1045, 1698:
		return "the database does not let this user in", "check the user, the password, and whether the user may only come over TLS (--mysql-tls-ca, or ?tls=true in the DSN)"
	case 1049:
		return "there is no such database", "make it with CREATE DATABASE, or correct its name in the DSN"
	case 1129, 1130:
		return "the database does not let this machine in", "ask its administrator"
	case 1142, 1143, 1227, 1370:
		return "the database's user lacks a right", "the service needs SELECT, INSERT, UPDATE and DELETE on its database, and `tallyroot schema apply` CREATE, ALTER, INDEX and REFERENCES as well: give them with GRANT"
	case 1054:
		return "a table has other columns than this program knows", "see what `tallyroot schema check` says; a table of an older Trillian's has to be brought to that of version 1.8.0"
	case 1146:
		return "a table is missing", "run `tallyroot schema apply`, or restore the database from a backup"
	case 1193:
		return "the DSN has an option that neither the driver nor the server knows", "correct it or leave it out"
	case 1820, 1862:
		return "the password of the database's user has expired", "set a new one"
	case 3118, 4151:
		return "the account of the database's user is locked", "unlock it with ALTER USER"
	case 3159:
		return "the database takes only connections over TLS", "give --mysql-tls-ca, or ?tls=true in the DSN"
	case 1040, 1203, 1226:
		return "the database has no connection left for us", "allow it more, or give a smaller --mysql-max-open"
	case 1021, 1114:
		return "the database has no room left", "free or add disk space"
	case 1290, 1792, 1836:
		return "the database takes no writes: it is read-only", "use the one that is not a replica, or end its read-only mode"
	case 1053, 1077, 1079, 1080:
		return "the database is shutting down", ""
	case 1205, 1213, 3101:
		return "another transaction was in the way", "try again"
	}
	var refused *net.OpError
	switch {
	case errors.Is(err, mysql.ErrNoTLS):
		return "TLS is asked for, and the database has none", "set up TLS there, or leave --mysql-tls-ca and the DSN's tls option out"
	case isTLS(err):
		return "the database's certificate, or its TLS, cannot be trusted", certificate
	case errors.Is(err, mysql.ErrCleartextPassword), errors.Is(err, mysql.ErrOldPassword), errors.Is(err, mysql.ErrNativePassword), errors.Is(err, mysql.ErrUnknownPlugin):
		return "the database asks this user to authenticate in a way that is not used here", "give the user another one, such as caching_sha2_password or, in MariaDB, ed25519"
	case errors.As(err, &refused) && refused.Op == "dial":
		return "the database cannot be reached", "check that it runs and that the DSN's host and port are right"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "the database did not answer in time", ""
	case Unavailable(err):
		return "the connection to the database ended", ""
	}
	return "", ""
}
