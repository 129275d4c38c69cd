package provenance

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tallyroot/tallyroot/trillianlog/datadir"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
	"github.com/tallyroot/tallyroot/trillianlog/witness/quorum"
)

// Witnessing says how the policy's witnesses are asked. The zero value will do.
type Witnessing struct {
	// AllowHTTP lets witnesses be asked without TLS that are not on this machine.
	AllowHTTP bool
	// Timeout bounds one request to a witness, Patience is how long the log waits
	// for a quorum before it says that there is none; 0: package quorum's defaults.
	Timeout, Patience time.Duration
	// Every is after how long a log that does not grow is cosigned again; 0:
	// trillianlog.DefaultCosignEvery.
	Every time.Duration
}

// servicePolicy is the policy that a log's published checkpoints must meet. name is
// what errors call it.
func servicePolicy(name string, text []byte, logKey string) (*policy.Policy, error) {
	if text == nil {
		return policy.None(logKey)
	}
	p, err := policy.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if !p.HasLog(logKey) {
		return nil, fmt.Errorf("%s does not name this log: add the line\n  log %s", name, logKey)
	}
	return p, nil
}

// openWitnesses makes the client that asks a policy's witnesses for the log of that
// origin; nil if it needs none.
func openWitnesses(name string, c Config, origin string, p *policy.Policy) (*quorum.Client, error) {
	if !p.NeedsWitnesses() {
		return nil, nil
	}
	w, err := quorum.New(quorum.Options{
		Origin: origin, Policy: p, AllowHTTP: c.Witnessing.AllowHTTP,
		Timeout: c.Witnessing.Timeout, Patience: c.Witnessing.Patience, Logger: c.Logger,
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return w, nil
}

// Policy is what every published checkpoint meets.
func (s *Service) Policy() *policy.Policy { return s.policy }

// Verdict is what the policy says of a signed checkpoint of the log: who witnessed
// it, and when.
func (s *Service) Verdict(signed []byte) (policy.Verdict, error) { return s.read.Verdict(signed) }

// Witnesses are asked for each checkpoint; nil if the policy needs none.
func (s *Service) Witnesses() *quorum.Client { return s.witnesses }

// MakeKeys makes the keys of a log that has not started yet, in its data directory,
// and gives the verifier keys of the log and of its index log: whoever shall witness
// them from the first entry on needs those before. Keys that are there stay.
func MakeKeys(dir, origin, lastCheckpoint string) (logKey, indexKey string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", "", err
	}
	lock, err := datadir.Lock(dir)
	if err != nil {
		return "", "", err
	}
	defer lock.Close()
	keys, err := openKeys(dir, origin, lastCheckpoint)
	if err != nil {
		return "", "", err
	}
	return keys.log.Verifier().String(), keys.index.Verifier().String(), nil
}

// openKeys reads the keys in dir, or makes them if the log is new.
func openKeys(dir, origin, lastCheckpoint string) (*keyring, error) {
	isNew, err := nothingAt(filepath.Join(dir, "store"), lastCheckpoint, filepath.Join(dir, "log", "checkpoint"))
	if err != nil {
		return nil, err
	}
	return openKeyring(dir, origin, isNew)
}
