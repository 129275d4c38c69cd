// Package stock starts Trillian's own log server and log signer, unchanged, as
// processes on free ports, for tests and benchmarks. `make tools` builds them.
package stock

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// ErrMissing says that the programs are not there.
var ErrMissing = errors.New("trillian_log_server and trillian_log_signer are neither in the PATH nor in build/bin nor in the folder $TALLYROOT_TRILLIAN_BIN: `make tools` builds them")

// DefaultInterval is how long the signer pauses between two looks where
// Options.Interval is not set.
const DefaultInterval = 10 * time.Millisecond

// Options are all optional but DSN.
type Options struct {
	// DSN names a database that has Trillian's tables, in go-sql-driver's form.
	// The programs read it from a file that nobody else can read.
	DSN string
	// Interval is between two looks of the signer. 0: DefaultInterval.
	Interval time.Duration
	// Cert and Key are files for TLS on the log server's ports.
	Cert, Key string
	// Server and Signer are more flags for the programs, after the package's own.
	Server, Signer []string
}

// Trillian is a log server and a log signer on one database.
type Trillian struct {
	Server *Process
	Signer *Process
}

// New starts both, with their files in dir.
func New(dir string, o Options) (*Trillian, error) {
	config, err := writeConfig(dir, o.DSN)
	if err != nil {
		return nil, err
	}
	if o.Interval == 0 {
		o.Interval = DefaultInterval
	}
	serverFlags := []string{"--config=" + config}
	if o.Cert != "" {
		serverFlags = append(serverFlags, "--tls_cert_file="+o.Cert, "--tls_key_file="+o.Key)
	}
	signerFlags := []string{"--config=" + config, "--sequencer_interval=" + o.Interval.String(), "--batch_size=4000",
		// It pauses before its election for each tree even when there is none.
		"--force_master", "--pre_election_pause=1ms"}
	t := new(Trillian)
	if t.Server, err = start(dir, "trillian_log_server", append(serverFlags, o.Server...)); err != nil {
		return nil, err
	}
	if t.Signer, err = start(dir, "trillian_log_signer", append(signerFlags, o.Signer...)); err != nil {
		return nil, errors.Join(err, t.Server.Kill())
	}
	return t, nil
}

// Kill ends both as a crash does.
func (t *Trillian) Kill() error { return errors.Join(t.Server.Kill(), t.Signer.Kill()) }

// writeConfig keeps the DSN out of the process list.
func writeConfig(dir, dsn string) (string, error) {
	c, err := mysql.ParseDSN(dsn)
	if err != nil {
		return "", err
	}
	// Without it each statement is prepared, run and closed: three times as
	// many round trips.
	c.InterpolateParams = true
	dsn = c.FormatDSN()
	// The file is split like a shell's words, and then $ stands for the
	// environment's variables.
	if strings.ContainsAny(dsn, "'$") {
		return "", errors.New("a DSN with ' or $ in it cannot be written into a configuration file of Trillian's programs")
	}
	name := filepath.Join(dir, "trillian.config")
	return name, os.WriteFile(name, fmt.Appendf(nil, "--mysql_uri='%s'\n", dsn), 0o600)
}

// find looks for a program in $TALLYROOT_TRILLIAN_BIN, the PATH and the
// module's build/bin.
func find(name string) (string, error) {
	if dir := os.Getenv("TALLYROOT_TRILLIAN_BIN"); dir != "" {
		return lookPath(filepath.Join(dir, name))
	}
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return lookPath(filepath.Join(dir, "build", "bin", name))
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", ErrMissing
		}
		dir = parent
	}
}

func lookPath(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%w (%w)", ErrMissing, err)
	}
	return path, nil
}
