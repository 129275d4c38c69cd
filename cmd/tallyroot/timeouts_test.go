package main

import (
	"strings"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/provenance"
	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/urfave/cli/v2"
)

func TestTimeouts(t *testing.T) {
	for _, tt := range []struct {
		args              string
		call, integration time.Duration
		refused           string
	}{
		{"", trillianlog.DefaultCallTimeout, trillianlog.DefaultIntegrationTimeout, ""},
		{"--call-timeout 1s --integration-timeout 1ms", time.Second, time.Millisecond, ""},
		{"--call-timeout 999ms", 0, 0, "--call-timeout"},
		{"--integration-timeout 0", 0, 0, "--integration-timeout"},
		{"--integration-timeout -1s", 0, 0, "--integration-timeout"},
	} {
		var config provenance.Config
		app := &cli.App{Flags: timeoutFlags(), Action: func(c *cli.Context) error { return readTimeouts(c, &config) }}
		err := app.Run(append([]string{"t"}, strings.Fields(tt.args)...))
		if tt.refused != "" {
			if err == nil || !strings.Contains(err.Error(), tt.refused) {
				t.Errorf("%s: %v", tt.args, err)
			}
			continue
		}
		if err != nil || config.CallTimeout != tt.call || config.IntegrationTimeout != tt.integration {
			t.Errorf("%s: %v, %v, %v", tt.args, config.CallTimeout, config.IntegrationTimeout, err)
		}
	}
}
