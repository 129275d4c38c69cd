package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/tallyroot/tallyroot/internal/mysqldb"
)

// trillianFlagFile is what Trillian's log server and log signer read with
// --config: a word for each flag, split as a shell would, but without comments; then
// each $NAME becomes the environment's variable (cmd/flags.go of Trillian).
func trillianFlagFile(c mysqldb.Config) ([]byte, error) {
	d, err := trillianDSN(c)
	if err != nil {
		return nil, err
	}
	flags := []string{"--mysql_uri=" + d}
	if c.TLSCA != "" {
		flags = append(flags, "--mysql_tls_ca="+c.TLSCA)
	}
	var b strings.Builder
	for _, flag := range flags {
		if strings.ContainsRune(flag, 0) || os.Expand(flag, func(string) string { return "" }) != flag {
			return nil, errors.New("--trillian-flags: Trillian's servers would take a $ in the password, or in another part of the DSN, for the name of a variable: choose one without")
		}
		// Within single quotes everything but the quote stands for itself.
		fmt.Fprintf(&b, "'%s'\n", strings.ReplaceAll(flag, "'", `'\''`))
	}
	return []byte(b.String()), nil
}

// trillianDSN is the address of the database for Trillian's servers.
func trillianDSN(c mysqldb.Config) (string, error) {
	// It was parsed and judged before; here are no secrets in its errors.
	db, err := mysqldb.Open(c)
	if err != nil {
		return "", usageError{err}
	}
	_ = db.Close() // it has not connected
	d, err := mysql.ParseDSN(c.DSN)
	if err != nil {
		return "", errors.New("the DSN does not parse")
	}
	if c.Password != "" {
		d.Passwd = c.Password
	}
	// Without it each statement is prepared, run and closed: three times as many
	// round trips.
	d.InterpolateParams = true
	if c.TLSCA == "" {
		return d.FormatDSN(), nil
	}
	// With --mysql_tls_ca Trillian registers its TLS settings as "custom" and
	// puts "?tls=custom" behind the DSN, as if that had no options. So they are
	// asked for here, and what it adds ends up in a remark about the client.
	d.TLSConfig, d.TLS = "custom", nil
	d.ConnectionAttributes = ""
	return d.FormatDSN() + "&connectionAttributes=program_name:trillian", nil
}
