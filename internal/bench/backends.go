package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/tallyroot/tallyroot/internal/mariadb"
	"github.com/tallyroot/tallyroot/internal/stock"
)

// rounds is how often each load of backends is repeated; the median counts.
const rounds = 3

// contender is one row of the comparison: what is under load, and what must run
// meanwhile. Everything else is halted, since an idle signer is not idle: it
// asks the database a hundred times a second.
type contender struct {
	name  string
	needs []signaller
	load  func(time.Duration) (figures, error)
	seen  []figures
}

type signaller interface{ Signal(syscall.Signal) error }

// backends measures the service on one MariaDB, with Trillian in the process and
// with Trillian's own servers, beside a plain client of the same servers. The
// loads take turns, so that what the machine does besides falls on all of them.
func backends(binary, dir string, d time.Duration) (err error) {
	base := filepath.Join(dir, "mariadb")
	if err := os.Mkdir(base, 0o700); err != nil {
		return err
	}
	db, err := mariadb.New(base, "--innodb-buffer-pool-size=1G", "--innodb-log-file-size=512M")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Kill()) }()
	if err := db.Exec("", "CREATE DATABASE process", "CREATE DATABASE servers"); err != nil {
		return err
	}
	for _, name := range []string{"process", "servers"} {
		apply := exec.Command(binary, "schema", "apply")
		apply.Env = append(os.Environ(), "TALLYROOT_MYSQL="+db.DSN(name))
		if out, err := apply.CombinedOutput(); err != nil {
			return fmt.Errorf("prepare the database: %w\n%s", err, out)
		}
	}
	servers, err := stock.New(dir, stock.Options{DSN: db.DSN("servers")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, servers.Kill()) }()
	inProcess, err := newArm(binary, filepath.Join(dir, "process"), "--mysql", db.DSN("process"))
	if err != nil {
		return err
	}
	defer inProcess.stop()
	onServers, err := newArm(binary, filepath.Join(dir, "servers"), "--trillian", servers.Server.Address)
	if err != nil {
		return err
	}
	defer onServers.stop()
	queue, err := newQueuer(servers.Server.Address)
	if err != nil {
		return err
	}
	defer queue.close()

	process := []signaller{inProcess.process()}
	both := []signaller{servers.Server, servers.Signer}
	withBoth := append([]signaller{onServers.process()}, both...)
	contenders := []*contender{
		{name: "MariaDB, in the process: one event each", needs: process, load: inProcess.load(logOne)},
		{name: "MariaDB, in the process: batches of 100", needs: process, load: inProcess.load(logBatch(batchSize))},
		{name: "stock server and signer: one event each", needs: withBoth, load: onServers.load(logOne)},
		{name: "stock server and signer: batches of 100", needs: withBoth, load: onServers.load(logBatch(batchSize))},
		{name: "a plain client's QueueLeaf, same server", needs: both, load: queue.load},
	}
	all := append(slices.Clone(withBoth), process...)
	defer func() { _ = signalAll(all, syscall.SIGCONT) }()
	fmt.Printf("on one MariaDB %s, commits on the disk: %d clients, events of %d bytes, %d rounds of %s in turns\n",
		mariadbVersion(db), clients, len(event()), rounds, d)
	for range rounds {
		for _, c := range contenders {
			if err := signalAll(all, syscall.SIGSTOP); err != nil {
				return err
			}
			if err := signalAll(c.needs, syscall.SIGCONT); err != nil {
				return err
			}
			before := processCPU(db.Pid())
			f, err := c.load(d)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			f.database = (processCPU(db.Pid()) - before) / time.Duration(f.n)
			c.seen = append(c.seen, f)
			row(c.name, f)
		}
	}
	report(contenders)
	return nil
}

// report prints the medians, and the ratios to the plain client.
func report(contenders []*contender) {
	fmt.Println("medians; the p50 of an answer is from sending to a receipt that was checked, of QueueLeaf to an inclusion proof")
	plain := median(contenders[len(contenders)-1].seen)
	for _, c := range contenders {
		m := median(c.seen)
		row(c.name, fmt.Sprintf("%9.0f/s   p50 %7s   %4.1f × QueueLeaf", m.rate, m.p50.Round(100*time.Microsecond), m.rate/plain.rate))
	}
}

// median is that of the rate, and that of the p50.
func median(seen []figures) figures {
	seen = slices.Clone(seen)
	slices.SortFunc(seen, func(a, b figures) int { return cmp.Compare(a.p50, b.p50) })
	p50 := seen[len(seen)/2].p50
	slices.SortFunc(seen, func(a, b figures) int { return cmp.Compare(a.rate, b.rate) })
	m := seen[len(seen)/2]
	m.p50 = p50
	return m
}

func signalAll(all []signaller, sig syscall.Signal) error {
	for _, s := range all {
		if err := s.Signal(sig); err != nil {
			return err
		}
	}
	return nil
}

func mariadbVersion(s *mariadb.Server) (version string) {
	db, err := s.Open("")
	if err != nil {
		return "?"
	}
	defer db.Close()
	if db.QueryRow("SELECT VERSION()").Scan(&version) != nil {
		return "?"
	}
	return version
}

// arm is the service on one back end.
type arm struct {
	*server
	token string
}

func newArm(binary, dir string, flags ...string) (*arm, error) {
	s, err := start(binary, dir, flags...)
	if err != nil {
		return nil, err
	}
	token, err := s.participant()
	if err == nil {
		_, err = run(s, token, clients, forTime(time.Second), logOne) // warmed up
	}
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return &arm{s, token}, nil
}

func (a *arm) process() signaller { return processSignaller{a.cmd.Process} }

// processSignaller has os.Process's Signal with the type that this package uses.
type processSignaller struct{ *os.Process }

func (p processSignaller) Signal(sig syscall.Signal) error { return p.Process.Signal(sig) }

func (a *arm) load(work func(*client) (int, error)) func(time.Duration) (figures, error) {
	return func(d time.Duration) (figures, error) {
		return run(a.server, a.token, clients, forTime(d), work)
	}
}
