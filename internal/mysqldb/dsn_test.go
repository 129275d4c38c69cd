package mysqldb

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	noCertificate := filepath.Join(dir, "empty.pem")
	if err := os.WriteFile(noCertificate, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	const good = "user:hidden@tcp(host)/database"
	for _, c := range []struct {
		config Config
		says   string
	}{
		{Config{}, "names no user"},
		{Config{DSN: "hidden"}, "does not parse"},
		{Config{DSN: "user:hidden@tcp(host:3306)"}, "does not parse"},
		{Config{DSN: "user:hidden@tcp(host:3306/database"}, "does not parse"},
		{Config{DSN: "user:hidden@host:3306/database"}, "does not parse"},
		{Config{DSN: "mysql://user:hidden@tcp(host)/database"}, "is a URL"},
		{Config{DSN: "user:hid/den?x%zz=1@tcp(host)"}, "does not parse"},
		{Config{DSN: "user:hidden(tcp(host))/database"}, "names no user"},
		{Config{DSN: "user@hidden(host)/database"}, "something else than tcp"},
		{Config{DSN: "user:hidden@tcp(host)/"}, "names no database"},
		{Config{DSN: "tcp(host)/hidden"}, "names no user"},
		{Config{DSN: good + "?tls=hidden"}, "option tls has a value"},
		{Config{DSN: good + "?readTimeout=hidden"}, "option readTimeout has a value"},
		{Config{DSN: good + "?parseTime=true&loc=hidden"}, "option loc has a value"},
		{Config{DSN: good + "?strict=true"}, "option strict has a value"},
		{Config{DSN: good + "?hidden=%zz"}, "does not parse"},
		{Config{DSN: good + "?multiStatements=true"}, "multiStatements=true is not taken"},
		{Config{DSN: good + "?allowAllFiles=true"}, "allowAllFiles=true is not taken"},
		{Config{DSN: good + "?allowOldPasswords=1"}, "allowOldPasswords=true is not taken"},
		{Config{DSN: good + "?allowCleartextPasswords=true"}, "allowCleartextPasswords=true is not taken"},
		{Config{DSN: good + "?allowCleartextPasswords=true&tls=skip-verify"}, "allowCleartextPasswords=true is not taken"},
		{Config{DSN: good + "?allowCleartextPasswords=true&tls=true&allowFallbackToPlaintext=true"}, "allowCleartextPasswords=true is not taken"},
		{Config{DSN: good + "?clientFoundRows=true"}, "clientFoundRows=true is not taken"},
		{Config{DSN: good + "?columnsWithAlias=true"}, "columnsWithAlias=true is not taken"},
		{Config{DSN: good + "?checkConnLiveness=false"}, "checkConnLiveness=false is not taken"},
		{Config{DSN: good + "?loc=Europe%2FZurich"}, "loc is not taken"},
		{Config{DSN: good + "?SQL_mode=''"}, "sql_mode is not taken"},
		{Config{DSN: good + "?@@session.tx_isolation=hidden"}, "tx_isolation is not taken"},
		{Config{DSN: good + "?autocommit=0"}, "autocommit is not taken"},
		{Config{DSN: good, TLSCA: filepath.Join(dir, "none.pem")}, "none.pem"},
		{Config{DSN: good, TLSCA: noCertificate}, "holds no certificate"},
		{Config{DSN: good + "?tls=skip-verify", TLSCA: noCertificate}, "leave one of them out"},
		{Config{DSN: "user:hidden@unix(/socket)/database", TLSCA: noCertificate}, "Unix socket"},
	} {
		db, err := Open(c.config)
		if err == nil {
			db.Close()
			t.Errorf("%+v was taken", c.config)
			continue
		}
		if !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hid") {
			t.Errorf("%+v: %v; want an error that says %q and repeats nothing hidden", c.config, err, c.says)
		}
	}
}

func TestOpenTakes(t *testing.T) {
	for _, dsn := range []string{
		"user@unix(/run/mysqld.sock)/database",
		"user:pass:w/o?r@d@tcp(host:3306)/database",
		"user@tcp([::1]:3306)/database?tls=true&timeout=1s",
		"user@tcp(host)/database?parseTime=true&interpolateParams=true&charset=utf8mb4&innodb_lock_wait_timeout=5",
		"user@tcp(host)/database?tls=preferred",
		"user@tcp(host)/database?tls=true&allowCleartextPasswords=true",
		"user@unix(/socket)/database?allowCleartextPasswords=true",
	} {
		db, err := Open(Config{DSN: dsn})
		if err != nil {
			t.Errorf("%s: %v", dsn, err)
			continue
		}
		if n := db.Stats().MaxOpenConnections; n != DefaultMaxOpen {
			t.Errorf("%d connections", n)
		}
		db.Close()
	}
}

func TestRedact(t *testing.T) {
	for dsn, want := range map[string]string{
		"user:hidden@tcp(host:3306)/database?tls=true": "user:***@tcp(host:3306)/database?tls=true",
		"user:hid@d/e?n=1@tcp(host)/database":          "user:***@tcp(host:3306)/database",
		"user@unix(/socket)/database":                  "user@unix(/socket)/database",
		"user@tcp(host)/database?secret=hidden":        "user@tcp(host:3306)/database?***",
		"user@tcp(host)/database?tls=true&hid=den&e=n": "user@tcp(host:3306)/database?tls=true&***",
		"user:hidden": "(a DSN that does not parse)",
		"user:hidden@tcp(host)/database?strict=true": "(a DSN that does not parse)",
	} {
		if got := Redact(dsn); got != want {
			t.Errorf("%s: %s; want %s", dsn, got, want)
		}
	}
}

// FuzzDSN holds that no text makes it panic, and that what Redact shows is the
// same database with no password but ***.
func FuzzDSN(f *testing.F) {
	f.Add("user:pass@tcp(host:3306)/database?tls=true")
	f.Add("user@unix(/socket)/data%2Fbase?strict=true&timeout=1s")
	f.Add("user@tcp(host)/database?tls=true&hid=den")
	f.Add("/")
	f.Add("0@(])/0")
	f.Fuzz(func(t *testing.T, dsn string) {
		d, err := parse(dsn)
		if err != nil {
			if _, err := Open(Config{DSN: dsn}); err == nil {
				t.Error("opened what does not parse")
			}
			return
		}
		shown, err := driverParse(Redact(dsn))
		if err != nil {
			t.Fatalf("%q does not parse: %v", Redact(dsn), err)
		}
		if shown.Passwd != "" && shown.Passwd != "***" || shown.User != d.User || shown.Addr != d.Addr || shown.DBName != d.DBName {
			t.Errorf("%q is shown as %q", dsn, Redact(dsn))
		}
	})
}
