package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/tallyroot/tallyroot/internal/mariadb"
	"github.com/tallyroot/tallyroot/internal/stock"
)

// databasePassword is that of every user that a script's database gets.
const databasePassword = "only-for-tests"

// addDatabases gives scripts the commands database, sql and trillian, and the
// conditions [mariadb] and [trillian]: the programs are there. Where
// TALLYROOT_TEST_ALL says that they have to be, their absence fails.
func addDatabases(t *testing.T, p *testscript.Params) {
	var d databases
	there := map[string]bool{
		"mariadb":  installed("mariadb-install-db"),
		"trillian": installed("trillian_log_server", "../../build/bin/trillian_log_server", os.Getenv("TALLYROOT_TRILLIAN_BIN")+"/trillian_log_server"),
	}
	if there["mariadb"] {
		d.server = mariadb.Shared(t)
	}
	p.Condition = func(name string) (bool, error) {
		is, known := there[name]
		if !known {
			return false, fmt.Errorf("unknown condition %q", name)
		}
		return is, nil
	}
	p.Cmds["database"], p.Cmds["sql"], p.Cmds["trillian"] = d.make, d.sql, d.trillian
	setup := p.Setup
	p.Setup = func(env *testscript.Env) error {
		env.Values[trilliansKey{}] = make(map[string]*stock.Trillian)
		return setup(env)
	}
}

// installed says whether a program is there, under one of its names.
func installed(names ...string) bool {
	return os.Getenv("TALLYROOT_TEST_ALL") != "" || slices.ContainsFunc(names, func(name string) bool {
		_, err := exec.LookPath(name)
		return err == nil
	})
}

// databases are on the MariaDB that the package's tests share.
type databases struct {
	server *mariadb.Server
	made   atomic.Uint64
}

type trilliansKey struct{}

// make is `database NAME [RIGHT…]`: an empty database with a user of its own, who
// has all rights or those that are named. $NAME is its DSN, without the password.
func (d *databases) make(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: database NAME [RIGHT…]")
	}
	rights := "ALL"
	if len(args) > 1 {
		rights = strings.Join(args[1:], ", ")
	}
	name := fmt.Sprintf("script_%d_%d", os.Getpid(), d.made.Add(1))
	ts.Check(d.server.Exec("", "CREATE DATABASE "+name,
		fmt.Sprintf("CREATE USER %s@'%%' IDENTIFIED BY '%s'", name, databasePassword),
		fmt.Sprintf("GRANT %s ON %s.* TO %s@'%%'", rights, name, name)))
	ts.Defer(func() {
		_ = d.server.Exec("", "DROP DATABASE IF EXISTS "+name, fmt.Sprintf("DROP USER %s@'%%'", name))
	})
	ts.Setenv(args[0]+"_NAME", name)
	ts.Setenv(args[0], fmt.Sprintf("%s@tcp(%s)/%s", name, net.JoinHostPort("127.0.0.1", strconv.Itoa(d.server.Port)), name))
}

// sql is `sql NAME STATEMENT…`, run by root.
func (d *databases) sql(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: sql NAME STATEMENT…")
	}
	ts.Check(d.server.Exec(ts.Getenv(args[0]+"_NAME"), args[1:]...))
}

// trillian is `trillian NAME DATABASE`: Trillian's own log server and signer on a
// database that has its tables. $NAME is the log server's address. `trillian NAME
// stop` ends the signer, `trillian NAME start` starts it again.
func (d *databases) trillian(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: trillian NAME DATABASE|stop|start")
	}
	running := ts.Value(trilliansKey{}).(map[string]*stock.Trillian)
	switch args[1] {
	case "stop":
		ts.Check(running[args[0]].Signer.Kill())
		return
	case "start":
		ts.Check(running[args[0]].Signer.Start())
		return
	}
	dir := ts.MkAbs("trillian-" + args[0])
	ts.Check(os.MkdirAll(dir, 0o700))
	t, err := stock.New(dir, stock.Options{DSN: d.server.DSN(ts.Getenv(args[1] + "_NAME"))})
	ts.Check(err)
	ts.Defer(func() { _ = t.Kill() })
	running[args[0]] = t
	ts.Setenv(args[0], t.Server.Address)
}
