package compose

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
)

const (
	// probePause is between two looks at a service that is not healthy yet:
	// shorter than in any file, since tests wait for it.
	probePause = 100 * time.Millisecond
	// The pause before a restart doubles from the first to the longest, and is
	// the first again for a process that ran long enough: Docker's own rule.
	firstRestart, longestRestart, ranLongEnough = 100 * time.Millisecond, time.Minute, 10 * time.Second
	// Docker's, where the file says nothing.
	defaultProbeTimeout, defaultGrace = 30 * time.Second, 10 * time.Second
)

// A service is one of the file's, with its process.
type service struct {
	name    string
	config  types.ServiceConfig
	address string // stands for the container's
	log     string // the file with what it says
	job     bool   // it is up when it has ended well
	command func() (*exec.Cmd, error)
	exec    func(argv []string) (*exec.Cmd, error) // of another command in the same container
	probe   func(context.Context) error            // nil: there is no health check

	mu  sync.Mutex
	run *run // nil before the first start
}

// A run is a service between its start and its end, over all its restarts.
type run struct {
	quit chan struct{} // closed: start no process any more
	done chan struct{} // closed: the last process has ended, with err
	err  error

	process *exec.Cmd     // guarded by the service's mu
	ended   chan struct{} // closed when that process has ended
}

// up starts the service and returns when those that depend on it may start.
func (s *service) up(ctx context.Context) error {
	r, err := s.start()
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	if !s.job {
		return s.healthy(ctx)
	}
	select {
	case <-r.done:
		if r.err != nil {
			return fmt.Errorf("%s: %w: %s", s.name, r.err, s.tail())
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: %w: %s", s.name, ctx.Err(), s.tail())
	}
}

func (s *service) start() (*run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &run{quit: make(chan struct{}), done: make(chan struct{})}
	if err := s.launch(r); err != nil {
		return nil, err
	}
	s.run = r
	go s.supervise(r)
	return r, nil
}

// launch starts one process. The caller holds mu.
func (s *service) launch(r *run) error {
	cmd, err := s.command()
	if err != nil {
		return err
	}
	logs, err := os.OpenFile(s.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer logs.Close()
	cmd.Stdout, cmd.Stderr = logs, logs
	// A terminal's interrupt is for the tests, which end it themselves.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	r.process, r.ended = cmd, make(chan struct{})
	return nil
}

// supervise starts a process again after its end, as the restart policy says.
func (s *service) supervise(r *run) {
	defer close(r.done)
	pause := firstRestart
	for {
		began := time.Now()
		r.err = r.process.Wait()
		close(r.ended)
		if s.config.Restart == types.RestartPolicyNo {
			return
		}
		if time.Since(began) > ranLongEnough {
			pause = firstRestart
		}
		select {
		case <-r.quit:
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, longestRestart)
		if !s.relaunch(r) {
			return
		}
	}
}

func (s *service) relaunch(r *run) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-r.quit:
		return false
	default:
	}
	r.err = s.launch(r)
	return r.err == nil
}

// healthy returns when the health check succeeds.
func (s *service) healthy(ctx context.Context) error {
	if s.probe == nil {
		return fmt.Errorf("%s has no health check", s.name)
	}
	for {
		err := s.probeOnce(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not healthy: %w; it said: %s", s.name, err, s.tail())
		case <-time.After(probePause):
		}
	}
}

func (s *service) probeOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, or(s.config.HealthCheck.Timeout, defaultProbeTimeout))
	defer cancel()
	return s.probe(ctx)
}

// stop ends the service in order, within its grace period.
func (s *service) stop() error {
	r := s.end(syscall.SIGTERM)
	if r == nil {
		return nil
	}
	grace := or(s.config.StopGracePeriod, defaultGrace)
	select {
	case <-r.done:
	case <-time.After(grace):
		s.kill()
		return fmt.Errorf("%s: it had not ended %v after SIGTERM, and was killed: %s", s.name, grace, s.tail())
	}
	if r.err != nil {
		return fmt.Errorf("%s: after SIGTERM: %w: %s", s.name, r.err, s.tail())
	}
	return nil
}

// kill ends the service for good, at once.
func (s *service) kill() {
	if r := s.end(syscall.SIGKILL); r != nil {
		<-r.done
	}
}

// end lets no process follow, and sends the signal to the one that runs, if any.
func (s *service) end(sig syscall.Signal) *run {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.run == nil {
		return nil
	}
	select {
	case <-s.run.quit:
	default:
		close(s.run.quit)
	}
	_ = s.run.process.Process.Signal(sig) // fails only if it has ended
	return s.run
}

// crash kills the process, which the restart policy may start again.
func (s *service) crash() error {
	s.mu.Lock()
	if s.run == nil {
		s.mu.Unlock()
		return fmt.Errorf("%s does not run", s.name)
	}
	process, ended := s.run.process.Process, s.run.ended
	s.mu.Unlock()
	if err := process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-ended
	return nil
}

func (s *service) pid() (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.run == nil {
		return 0, fmt.Errorf("%s does not run", s.name)
	}
	return s.run.process.Process.Pid, nil
}

func (s *service) tail() string {
	b, _ := os.ReadFile(s.log)
	return string(b[max(0, len(b)-1000):])
}

func or(d *types.Duration, otherwise time.Duration) time.Duration {
	if d == nil {
		return otherwise
	}
	return time.Duration(*d)
}
