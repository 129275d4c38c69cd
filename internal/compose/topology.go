package compose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

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
	var problems problems
	_ = t.each(context.Background(), // it goes on whatever one says
		func(s *service, _ context.Context) error { problems.add(s.stop()); return nil },
		func(s *service) []string { return dependents[s.name] })
	return errors.Join(problems.all...)
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
	var problems problems
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
				problems.add(err)
				cancel()
				return
			}
			close(done[name])
		})
	}
	all.Wait()
	return errors.Join(problems.all...)
}

// problems are the errors of several goroutines.
type problems struct {
	mu  sync.Mutex
	all []error
}

func (p *problems) add(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = append(p.all, err)
}

// Kill ends all processes at once and leaves nothing behind but files.
func (t *Topology) Kill() {
	for _, s := range t.services {
		s.kill()
	}
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
