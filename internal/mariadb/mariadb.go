// Package mariadb starts a real MariaDB, of Debian's packages, on a free port
// and in a folder of its own, for tests and benchmarks. It is durable as in
// production: a commit is on the disk.
package mariadb

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"
)

// ErrMissing says that MariaDB is not installed.
var ErrMissing = errors.New("mariadbd and mariadb-install-db are not installed: `make tools` installs Debian's mariadb-server-core and mariadb-client-core")

const startTime = time.Minute

// Server is a MariaDB that runs, or ran: Kill and Start may follow each other.
// Its user root has no password.
type Server struct {
	Port  int // on 127.0.0.1
	dir   string
	flags []string
	cmd   *exec.Cmd
	ended chan struct{}
}

// New makes the database's files in dir and starts it. flags go to mariadbd,
// after the package's own.
func New(dir string, flags ...string) (*Server, error) {
	install, err := exec.LookPath("mariadb-install-db")
	if err != nil {
		return nil, ErrMissing
	}
	if _, err := daemon(); err != nil {
		return nil, err
	}
	s := &Server{dir: dir, flags: flags}
	if s.Port, err = freePort(); err != nil {
		return nil, err
	}
	// Servers that share the machine's folder take each other's temporary tables.
	if err := os.Mkdir(tempDir(dir), 0o700); err != nil {
		return nil, err
	}
	out, err := exec.Command(install, append([]string{"--no-defaults", "--datadir=" + dataDir(dir), "--tmpdir=" + tempDir(dir), "--skip-test-db",
		"--auth-root-authentication-method=normal", "--innodb-log-file-size=32M"}, asRoot()...)...).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("mariadb-install-db: %w\n%s", err, out)
	}
	return s, s.Start()
}

func daemon() (string, error) {
	for _, name := range []string{"mariadbd", "/usr/sbin/mariadbd"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", ErrMissing
}

// asRoot lets MariaDB run as root, which it refuses unless told.
func asRoot() []string {
	if os.Getuid() == 0 {
		return []string{"--user=root"}
	}
	return nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

func dataDir(dir string) string { return filepath.Join(dir, "data") }

func tempDir(dir string) string { return filepath.Join(dir, "tmp") }

// Socket is the file through which clients of this machine come in.
func Socket(dir string) string { return filepath.Join(dir, "socket") }

// Log is the file with what MariaDB says.
func (s *Server) Log() string { return filepath.Join(s.dir, "mariadb.log") }

// Command is the command line with which mariadbd serves the files that New made
// in dir. flags come last, and hold over its own.
func Command(dir string, flags ...string) ([]string, error) {
	path, err := daemon()
	if err != nil {
		return nil, err
	}
	return slices.Concat([]string{path, "--no-defaults", "--datadir=" + dataDir(dir), "--tmpdir=" + tempDir(dir),
		"--bind-address=127.0.0.1", "--socket=" + Socket(dir), "--pid-file=" + filepath.Join(dir, "pid"),
		"--skip-name-resolve", "--innodb-log-file-size=32M", "--innodb-flush-log-at-trx-commit=1",
		"--character-set-server=utf8mb4", "--max-connections=500"}, asRoot(), flags), nil
}

// Start starts the database, again after Kill or Stop, and returns when it
// answers.
func (s *Server) Start() error {
	argv, err := Command(s.dir, append([]string{"--port=" + strconv.Itoa(s.Port)}, s.flags...)...)
	if err != nil {
		return err
	}
	logs, err := os.OpenFile(s.Log(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer logs.Close()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = logs, logs
	// A terminal's interrupt is for the tests, which stop it themselves.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	s.cmd, s.ended = cmd, ended
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	return s.wait()
}

func (s *Server) wait() error {
	db, err := s.Open("")
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	for {
		err := db.PingContext(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.ended:
			return fmt.Errorf("mariadbd ended at its start: %s", tail(s.Log()))
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("mariadbd does not answer: %w\n%s", err, tail(s.Log())), s.Kill())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func tail(file string) string {
	b, _ := os.ReadFile(file)
	return string(b[max(0, len(b)-4000):])
}

// Config is that of a connection to the database of that name, as root.
func (s *Server) Config(database string) *mysql.Config {
	c := mysql.NewConfig()
	c.User, c.Net, c.Addr, c.DBName = "root", "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)), database
	return c
}

// DSN is Config as a data source name.
func (s *Server) DSN(database string) string { return s.Config(database).FormatDSN() }

// Open opens a pool of connections to the database of that name, as root.
func (s *Server) Open(database string) (*sql.DB, error) {
	c := s.Config(database)
	c.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// Exec runs statements as root, each by itself.
func (s *Server) Exec(database string, statements ...string) error {
	db, err := s.Open(database)
	if err != nil {
		return err
	}
	defer db.Close()
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// Signal sends a signal to the process: SIGSTOP and SIGCONT make it hang.
func (s *Server) Signal(sig syscall.Signal) error { return s.cmd.Process.Signal(sig) }

// Pid is the number of the process.
func (s *Server) Pid() int { return s.cmd.Process.Pid }

// Kill ends the process as a crash does (SIGKILL), and returns when it is gone.
func (s *Server) Kill() error { return s.end(syscall.SIGKILL) }

// Stop ends it in order.
func (s *Server) Stop() error { return s.end(syscall.SIGTERM) }

func (s *Server) end(sig syscall.Signal) error {
	if s.cmd == nil {
		return nil
	}
	if err := s.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-s.ended
	return nil
}

// Dump gives the database as SQL, as a backup would.
func (s *Server) Dump(database string) ([]byte, error) {
	var out, problem bytes.Buffer
	cmd := s.client("mariadb-dump", "--single-transaction", database)
	cmd.Stdout, cmd.Stderr = &out, &problem
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("mariadb-dump: %w\n%s", err, problem.Bytes())
	}
	return out.Bytes(), nil
}

// Restore replaces the database by what Dump gave.
func (s *Server) Restore(database string, dump []byte) error {
	name := "`" + database + "`"
	if err := s.Exec("", "DROP DATABASE IF EXISTS "+name, "CREATE DATABASE "+name); err != nil {
		return err
	}
	cmd := s.client("mariadb", database)
	cmd.Stdin = bytes.NewReader(dump)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mariadb: %w\n%s", err, out)
	}
	return nil
}

func (s *Server) client(program string, args ...string) *exec.Cmd {
	return exec.Command(program, append([]string{"--no-defaults", "--user=root", "--protocol=tcp",
		"--host=127.0.0.1", "--port=" + strconv.Itoa(s.Port)}, args...)...)
}
