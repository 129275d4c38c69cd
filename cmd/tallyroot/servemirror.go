package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/tallyroot/tallyroot/provenance"
	"github.com/tallyroot/tallyroot/provenance/mirror"
	"github.com/urfave/cli/v2"
)

// defaultMirrorEvery is how often a mirror that is served looks for what is new.
const defaultMirrorEvery = 10 * time.Second

// mirrorFlags make serve answer from a mirror.
func mirrorFlags() []cli.Flag {
	return fromEnvironment(
		&cli.StringFlag{Name: "mirror", Usage: "answer from the copy in `DIR` that `tallyroot mirror` has made, and take nothing; --data and --origin have no part in it", TakesFile: true, Category: categoryMirror},
		&cli.StringFlag{Name: "mirror-from", Usage: "go on copying from `URL`, while it answers", Category: categoryMirror},
		&cli.DurationFlag{Name: "mirror-every", Usage: "look for what is new after `DURATION`", Value: defaultMirrorEvery, Category: categoryMirror},
	)
}

// serveMirror is serve with --mirror.
func serveMirror(c *cli.Context) error {
	dir, from, every := c.String("mirror"), c.String("mirror-from"), c.Duration("mirror-every")
	if dir == "" {
		return usagef("--mirror-from needs --mirror DIR: where the copy is")
	}
	for _, flag := range []string{"data", "origin", "policy", "index-policy", "mysql", "trillian"} {
		if c.IsSet(flag) {
			return usagef("--%s has no part in a mirror, which is served from its folder alone: leave it out, or leave out --mirror", flag)
		}
	}
	if every <= 0 {
		return usagef("--mirror-every %v: it has to be longer than nothing", every)
	}
	var origin mirror.Origin
	if from != "" {
		var err error
		if origin, err = mirrorOrigin(c, from); err != nil {
			return err
		}
	}
	logger := newLogger(c)
	config, err := readFront(c)
	if err != nil {
		return err
	}
	config.Log.Logger = logger
	if err := beginServing(c, logger); err != nil {
		return err
	}
	s, err := openMirrorServer(c.Context, config, dir)
	if err != nil {
		return err
	}
	fmt.Printf("listening on %s\n", s.URL())
	ctx, end := context.WithCancel(c.Context)
	var copying sync.WaitGroup
	if from != "" {
		copying.Go(func() { keepCopying(ctx, s.Service, origin, every, logger) })
	}
	s.before = func() { // the copy is not closed while it grows
		end()
		copying.Wait()
	}
	return s.Run(c.Context)
}

// openMirrorServer is openServer for a mirror.
func openMirrorServer(ctx context.Context, c serverConfig, dir string) (_ *server, err error) {
	s, err := newServer(ctx, c)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	s.Service, err = provenance.OpenMirror(provenance.MirrorConfig{Dir: dir, Logger: c.Log.Logger})
	if errors.Is(err, mirror.ErrEmpty) {
		return nil, fmt.Errorf("%w: copy a log into it with `tallyroot mirror URL %s`", err, dir)
	}
	if err != nil {
		return nil, err
	}
	return s, s.openGateway(c, prometheus.NewRegistry())
}

// keepCopying copies what is new until ctx ends. A thing is said once, until there is
// another to say.
func keepCopying(ctx context.Context, s *provenance.Service, o mirror.Origin, every time.Duration, logger *slog.Logger) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	said := "" // the last error
	for {
		copied, err := s.Sync(ctx, o)
		if ctx.Err() != nil {
			return
		}
		now := ""
		if err != nil {
			now = err.Error()
		}
		switch {
		case now == said:
		case err == nil:
			logger.Info("the mirror follows its origin again", "entries", copied.Log.Size)
		case mirror.Finding(err):
			logger.Error("THE ORIGIN SHOWS WHAT IS NOT SO; the copy stays as it was", "error", err)
		default:
			logger.Warn("the origin cannot be copied now; the copy answers on", "error", err)
		}
		said = now
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
