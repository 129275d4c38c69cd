package compose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"

	"github.com/compose-spec/compose-go/v2/types"
)

// Options say what New makes processes of.
type Options struct {
	Files       []string          // the compose file, and those that add to it
	Environment map[string]string // fills in its variables
	Dir         string            // gets the volumes, and what the services say
	// Programs has a file of this machine for each program of our image.
	Programs map[string]string
}

// Topology is all services of the compose files.
type Topology struct {
	project  *types.Project
	dir      string
	programs map[string]string
	services map[string]*service
}

// New reads the files and prepares the services; it starts none. Volumes that Dir
// has already are used.
func New(ctx context.Context, o Options) (*Topology, error) {
	project, err := Load(ctx, o.Environment, o.Files...)
	if err != nil {
		return nil, err
	}
	addresses, err := takeAddresses(len(project.Services))
	if err != nil {
		return nil, err
	}
	t := &Topology{project: project, dir: o.Dir, programs: o.Programs, services: make(map[string]*service)}
	for i, name := range project.ServiceNames() {
		t.services[name] = &service{
			name: name, config: project.Services[name], address: addresses[i], log: filepath.Join(o.Dir, name+".log"),
		}
	}
	for name := range project.Volumes {
		if err := os.MkdirAll(t.volume(name), 0o700); err != nil {
			return nil, err
		}
	}
	var problems []error
	for _, name := range project.ServiceNames() {
		problems = append(problems, t.prepare(t.services[name]))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return t, nil
}

// prepare finds out what the service's process is, and refuses what cannot be
// done with a process.
func (t *Topology) prepare(s *service) error {
	c := s.config
	if c.Restart != types.RestartPolicyNo && c.Restart != types.RestartPolicyUnlessStopped {
		return fmt.Errorf("%s: restart: %q is not known here", s.name, c.Restart)
	}
	for _, v := range c.Volumes {
		if v.Type != types.VolumeTypeVolume {
			return fmt.Errorf("%s: the volume at %s is of type %s, not a named one", s.name, v.Target, v.Type)
		}
	}
	for name, dependency := range c.DependsOn {
		other := t.services[name]
		switch {
		case dependency.Condition == types.ServiceConditionCompletedSuccessfully && other.config.Restart == types.RestartPolicyNo:
			other.job = true
		case dependency.Condition == types.ServiceConditionHealthy && other.config.HealthCheck != nil:
		default:
			return fmt.Errorf("%s: depends_on: %s: the condition %s can never hold", s.name, name, dependency.Condition)
		}
	}
	if isDatabase(c.Image) {
		return t.prepareDatabase(s)
	}
	if c.Build == nil && !t.built(c.Image) {
		return fmt.Errorf("%s: the image %s is neither built from this folder nor known here", s.name, c.Image)
	}
	argv := slices.Concat(c.Entrypoint, c.Command)
	if len(c.Entrypoint) == 0 {
		argv = append([]string{imageEntrypoint}, argv...)
	}
	command, err := t.command(s, argv)
	if err != nil {
		return err
	}
	s.command = func() (*exec.Cmd, error) { return clone(command), nil }
	s.exec = func(argv []string) (*exec.Cmd, error) {
		cmd, err := t.command(s, argv)
		if err == nil {
			// Where the program asks unless told otherwise is the container's loopback.
			cmd.Env = append(cmd.Env, "TALLYROOT_SERVER=http://"+net.JoinHostPort(s.address, "8080"))
		}
		return cmd, err
	}
	if c.HealthCheck != nil {
		if len(c.HealthCheck.Test) < 2 || c.HealthCheck.Test[0] != "CMD" {
			return fmt.Errorf("%s: healthcheck: our image has no shell: it needs [CMD, program, …]", s.name)
		}
		probe, err := t.command(s, c.HealthCheck.Test[1:])
		if err != nil {
			return err
		}
		s.probe = func(ctx context.Context) error { return runQuietly(ctx, clone(probe)) }
	}
	return nil
}

// imageEntrypoint is what the image runs where the file does not say.
const imageEntrypoint = "tallyroot"

// built says whether a service of the file builds that image.
func (t *Topology) built(image string) bool {
	for _, s := range t.project.Services {
		if s.Build != nil && s.Image == image {
			return true
		}
	}
	return false
}

// command makes a process of a command line in the service's container.
func (t *Topology) command(s *service, argv []string) (*exec.Cmd, error) {
	program, ok := t.programs[argv[0]]
	if !ok {
		return nil, fmt.Errorf("%s: our image has no program %q", s.name, argv[0])
	}
	arguments, err := t.translateAll(s, argv[1:])
	if err != nil {
		return nil, err
	}
	// Nothing is inherited: a container has only what the file gives it.
	// Temporary files have no place in a read-only file system.
	environment := []string{"TMPDIR=/nowhere"}
	for _, name := range slices.Sorted(maps.Keys(s.config.Environment)) {
		value := s.config.Environment[name]
		if value == nil {
			return nil, fmt.Errorf("%s: environment: %s has no value", s.name, name)
		}
		text, err := t.translate(s, *value)
		if err != nil {
			return nil, err
		}
		environment = append(environment, name+"="+text)
	}
	if value, ok := os.LookupEnv("GORACE"); ok { // of the race detector, in tests
		environment = append(environment, "GORACE="+value)
	}
	cmd := exec.Command(program, arguments...)
	cmd.Env, cmd.Dir = environment, t.dir
	return cmd, nil
}

func clone(c *exec.Cmd) *exec.Cmd {
	return &exec.Cmd{Path: c.Path, Args: c.Args, Env: c.Env, Dir: c.Dir}
}

// Up starts the services, each when what it depends on is up, as `docker compose
// up --wait` does, and returns when all are healthy and the jobs are done.
func (t *Topology) Up(ctx context.Context) error {
	return t.each(ctx, (*service).up, func(s *service) []string { return slices.Collect(maps.Keys(s.config.DependsOn)) })
}

// Down ends the services, each when what depends on it has ended, as `docker
// compose down` does. The volumes stay. It is an error if one has to be killed or
// ends with another status than 0.
func (t *Topology) Down() error {
	dependents := make(map[string][]string)
	for name, s := range t.services {
		for other := range s.config.DependsOn {
			dependents[other] = append(dependents[other], name)
		}
	}
	problems := make(chan error, len(t.services))
	_ = t.each(context.Background(), // it goes on whatever one says
		func(s *service, _ context.Context) error { problems <- s.stop(); return nil },
		func(s *service) []string { return dependents[s.name] })
	close(problems)
	return errors.Join(slices.Collect(received(problems))...)
}

// each does something with all services at once, with each when it is done with
// those that after names. After an error it begins nothing more.
func (t *Topology) each(ctx context.Context, do func(*service, context.Context) error, after func(*service) []string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(map[string]chan struct{})
	for name := range t.services {
		done[name] = make(chan struct{})
	}
	problems := make(chan error, len(t.services))
	var all sync.WaitGroup
	for name, s := range t.services {
		all.Go(func() {
			for _, other := range after(s) {
				select {
				case <-done[other]:
				case <-ctx.Done():
					return
				}
			}
			if err := do(s, ctx); err != nil {
				problems <- err
				cancel()
				return
			}
			close(done[name])
		})
	}
	all.Wait()
	close(problems)
	return errors.Join(slices.Collect(received(problems))...)
}

func received[T any](c <-chan T) iter.Seq[T] {
	return func(yield func(T) bool) {
		for v := range c {
			if !yield(v) {
				return
			}
		}
	}
}

// Kill ends all processes at once and leaves nothing behind but files.
func (t *Topology) Kill() error {
	var problems []error
	for _, s := range t.services {
		problems = append(problems, s.kill())
	}
	return errors.Join(problems...)
}

// Stop is `docker compose stop`: the service stays away until Start.
func (t *Topology) Stop(name string) error {
	s, err := t.service(name)
	if err != nil {
		return err
	}
	return s.stop()
}

// Start is `docker compose start`; it returns when the service is healthy.
func (t *Topology) Start(ctx context.Context, name string) error {
	s, err := t.service(name)
	if err != nil {
		return err
	}
	return s.up(ctx)
}

// Crash kills the service's process from outside. Its restart policy holds: use
// Healthy to wait for its return.
func (t *Topology) Crash(name string) error {
	s, err := t.service(name)
	if err != nil {
		return err
	}
	return s.crash()
}

// Healthy returns when the service's health check succeeds.
func (t *Topology) Healthy(ctx context.Context, name string) error {
	s, err := t.service(name)
	if err != nil {
		return err
	}
	return s.healthy(ctx)
}

// Exec is `docker compose exec`: it runs a command in the service's container, on
// that input, and gives what it prints.
func (t *Topology) Exec(ctx context.Context, name string, in io.Reader, argv ...string) ([]byte, error) {
	s, err := t.service(name)
	if err != nil {
		return nil, err
	}
	cmd, err := s.exec(argv)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout = in, &out
	err = runQuietly(ctx, cmd)
	return out.Bytes(), err
}

// Published gives the address on this machine that stands for a published port.
func (t *Topology) Published(name string, port uint32) (string, error) {
	s, err := t.service(name)
	if err != nil {
		return "", err
	}
	for _, p := range s.config.Ports {
		if p.Target == port && p.Protocol == "tcp" {
			return net.JoinHostPort(s.address, strconv.Itoa(int(port))), nil
		}
	}
	return "", fmt.Errorf("%s does not publish port %d", name, port)
}

// Path gives the place on this machine of a path in a volume of the service.
func (t *Topology) Path(name, path string) (string, error) {
	s, err := t.service(name)
	if err != nil {
		return "", err
	}
	return t.path(s, path)
}

// Log gives what a service has said so far.
func (t *Topology) Log(name string) string {
	b, _ := os.ReadFile(filepath.Join(t.dir, name+".log"))
	return string(b)
}

// Services gives the names of all services.
func (t *Topology) Services() []string { return t.project.ServiceNames() }

// CommandLine gives the command line of the service's running process, as every
// user of the machine can read it.
func (t *Topology) CommandLine(name string) (string, error) {
	s, err := t.service(name)
	if err != nil {
		return "", err
	}
	pid, err := s.pid()
	if err != nil {
		return "", err
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return string(bytes.ReplaceAll(b, []byte{0}, []byte{' '})), err
}

func (t *Topology) service(name string) (*service, error) {
	s, ok := t.services[name]
	if !ok {
		return nil, fmt.Errorf("the compose file has no service %q", name)
	}
	return s, nil
}

// runQuietly runs a command to its end; what it says on standard error is in the
// error.
func runQuietly(ctx context.Context, cmd *exec.Cmd) error {
	var said bytes.Buffer
	cmd.Stderr = &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), errors.Join(err, ctx.Err()), bytes.TrimSpace(said.Bytes()))
	}
	return nil
}
