package compose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/compose-spec/compose-go/v2/types"
)

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
