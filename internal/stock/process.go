package stock

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	startTime = time.Minute
	// portTries is how often other ports are tried, when another process takes
	// a free one before the program does.
	portTries = 3
)

// Process is one of the programs, which runs or ran: Kill or Stop and Start may
// follow each other. It keeps its ports.
type Process struct {
	Address string // host and port of its gRPC service
	HTTP    string // host and port of /healthz and /metrics
	Log     string // the file with what it says

	name  string
	path  string
	flags []string
	cmd   *exec.Cmd
	ended chan struct{}
}

func start(dir, name string, flags []string) (*Process, error) {
	path, err := find(name)
	if err != nil {
		return nil, err
	}
	p := &Process{Log: filepath.Join(dir, name+".log"), name: name, path: path, flags: flags}
	for try := 1; ; try++ {
		if p.Address, err = freePort(); err != nil {
			return nil, err
		}
		if p.HTTP, err = freePort(); err != nil {
			return nil, err
		}
		err = p.Start()
		if err == nil {
			return p, nil
		}
		if try == portTries || !strings.Contains(err.Error(), "address already in use") {
			return nil, err
		}
	}
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// Start starts it, again after Kill or Stop, and returns when it takes calls.
// It must reach its database for that.
func (p *Process) Start() error {
	logs, err := os.OpenFile(p.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer logs.Close()
	cmd := exec.Command(p.path, append([]string{"--rpc_endpoint=" + p.Address, "--http_endpoint=" + p.HTTP}, p.flags...)...)
	cmd.Stdout, cmd.Stderr = logs, logs
	// A terminal's interrupt is for the tests, which end it themselves.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	p.cmd, p.ended = cmd, ended
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	return p.wait()
}

// wait returns when both ports are open: the programs open them after they have
// reached the database.
func (p *Process) wait() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	for {
		err := errors.Join(dial(ctx, p.Address), dial(ctx, p.HTTP))
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended at its start: %s", p.name, tail(p.Log))
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%s does not take calls: %w\n%s", p.name, err, tail(p.Log)), p.Kill())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func dial(ctx context.Context, address string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}

func tail(file string) string {
	b, _ := os.ReadFile(file)
	return string(b[max(0, len(b)-4000):])
}

// Signal sends a signal to the process: SIGSTOP and SIGCONT make it hang.
func (p *Process) Signal(sig syscall.Signal) error { return p.cmd.Process.Signal(sig) }

// Kill ends it as a crash does (SIGKILL), and returns when it is gone.
func (p *Process) Kill() error { return p.end(syscall.SIGKILL) }

// Stop ends it in order. That takes the programs five seconds, the signer ten.
func (p *Process) Stop() error { return p.end(syscall.SIGTERM) }

func (p *Process) end(sig syscall.Signal) error {
	if p.cmd == nil {
		return nil
	}
	if err := p.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.ended
	return nil
}
