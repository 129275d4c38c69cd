package main

import (
	"time"

	"github.com/tallyroot/tallyroot/provenance"
	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/urfave/cli/v2"
)

// minCallTimeout leaves a back end time to answer at all: while a write has taken a
// quarter of it, nothing more is taken.
const minCallTimeout = time.Second

// timeoutFlags say how long Trillian may take, wherever it runs.
func timeoutFlags() []cli.Flag {
	return fromEnvironment(
		&cli.DurationFlag{Name: "call-timeout", Usage: "cut off a call to Trillian that takes longer than `DURATION`; while a write has taken a quarter of it, nothing more is taken", Value: trillianlog.DefaultCallTimeout},
		&cli.DurationFlag{Name: "integration-timeout", Usage: "say that the log signer does not get on when entries have been stored, and not in the tree, for `DURATION`", Value: trillianlog.DefaultIntegrationTimeout},
	)
}

// readTimeouts reads timeoutFlags into the config.
func readTimeouts(c *cli.Context, config *provenance.Config) error {
	config.CallTimeout, config.IntegrationTimeout = c.Duration("call-timeout"), c.Duration("integration-timeout")
	if config.CallTimeout < minCallTimeout {
		return usagef("--call-timeout %v: it is a time in which a write of 1,000 entries must fit, such as 20s, and at least %v", config.CallTimeout, minCallTimeout)
	}
	if config.IntegrationTimeout <= 0 {
		return usagef("--integration-timeout %v: it is a time to wait, such as 30s", config.IntegrationTimeout)
	}
	return nil
}
