package mysqldb

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// Errors that no database here gives when asked to.
func TestClass(t *testing.T) {
	from := func(number uint16, message string) error {
		return fmt.Errorf("a step: %w", &mysql.MySQLError{Number: number, Message: message})
	}
	for _, c := range []struct {
		err  error
		want string
		says string // in Explain
	}{
		{from(1040, "Too many connections"), ClassUnavailable, "--mysql-max-open"},
		{from(1053, "Server shutdown in progress"), ClassUnavailable, "shutting down"},
		{from(1927, "Connection was killed"), ClassUnavailable, "connection to the database ended"},
		{from(1114, "The table 'LeafData' is full"), ClassUnavailable, "disk space"},
		{from(1836, "Running in read-only mode"), ClassUnavailable, "read-only"},
		{from(1047, "WSREP has not yet prepared node for application use"), ClassUnavailable, "WSREP"},
		{from(1047, "Unknown command"), ClassOther, "Unknown command"},
		{from(1205, "Lock wait timeout exceeded"), ClassConflict, "try again"},
		{from(3159, "Connections using insecure transport are prohibited"), ClassDenied, "--mysql-tls-ca"},
		{from(1862, "Your password has expired"), ClassDenied, "set a new one"},
		{from(1054, "Unknown column"), ClassOther, "other columns"},
		{mysql.ErrUnknownPlugin, ClassOther, "caching_sha2_password"},
		{fmt.Errorf("a step: %w", driver.ErrBadConn), ClassUnavailable, "connection to the database ended"},
		{mysql.ErrInvalidConn, ClassUnavailable, "connection to the database ended"},
		{io.ErrUnexpectedEOF, ClassUnavailable, "connection to the database ended"},
		{errors.New("another error"), ClassOther, "another error"},
	} {
		if got := Class(c.err); got != c.want || Unavailable(c.err) != (got == ClassUnavailable) || Conflict(c.err) != (got == ClassConflict) {
			t.Errorf("%v: class %s; want %s", c.err, got, c.want)
		}
		if got := Explain(c.err); !strings.Contains(got.Error(), c.says) || !errors.Is(got, c.err) {
			t.Errorf("%v is explained as %v; want %q", c.err, got, c.says)
		}
	}
}
