// Package policy reads trust policies and applies them to checkpoints: which log
// is trusted, and which of its witnesses must have cosigned
// (https://c2sp.org/tlog-policy, https://c2sp.org/tlog-cosignature).
//
// A policy trusts Ed25519 keys only: logs sign with key type 0x01, witnesses
// cosign with type 0x04. That nobody has to cosign is never assumed: the policy
// has to say "quorum none". The package does no I/O and asks no clock; a caller
// compares the time of a verdict with its own (Verdict.Fresh).
package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Limits on a policy. The specification asks for at least 32 of each kind.
const (
	MaxLogs      = 64
	MaxWitnesses = 64
	MaxGroups    = 64
	MaxSize      = 256 << 10 // bytes
)

// noWitness is the quorum that asks for no cosignature.
const noWitness = "none"

// A Policy says which checkpoints to trust. It is immutable and safe for
// concurrent use.
type Policy struct {
	logs      []Log
	witnesses []Witness
	groups    []group
	quorum    string // the name of a witness or group, or noWitness
}

// A Log is a log whose checkpoints the policy takes. Its key's name is its origin.
type Log struct {
	Key string // vkey
	URL string // may be empty

	verifier note.Verifier
}

// A Witness is a cosigner that the policy knows.
type Witness struct {
	Name string // within the policy
	Key  string // vkey
	URL  string // its submission prefix; may be empty

	verifier note.Verifier
}

// A group has cosigned when at least k of its members have.
type group struct {
	name    string
	k       int
	members []string
}

// None gives the policy that trusts one log without any witness. logKey is the
// log's vkey.
func None(logKey string) (*Policy, error) {
	p := &Policy{quorum: noWitness}
	return p.WithLog(logKey)
}

// WithLog gives a policy that also trusts a log, given by its vkey; p itself if it
// already does.
func (p *Policy) WithLog(logKey string) (*Policy, error) {
	if p.HasLog(logKey) {
		return p, nil
	}
	with := *p
	with.logs = slices.Clone(p.logs)
	if err := with.addLog([]string{logKey}); err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	return &with, nil
}

// HasLog tells whether the policy trusts the log with this vkey.
func (p *Policy) HasLog(logKey string) bool {
	return slices.ContainsFunc(p.logs, func(l Log) bool { return l.Key == logKey })
}

// NeedsWitnesses tells whether a checkpoint needs cosignatures: false for "quorum
// none" only.
func (p *Policy) NeedsWitnesses() bool { return p.quorum != noWitness }

// Logs gives the logs in the order of the policy.
func (p *Policy) Logs() []Log { return slices.Clone(p.logs) }

// Witnesses gives the witnesses in the order of the policy, those too that the
// quorum does not name.
func (p *Policy) Witnesses() []Witness { return slices.Clone(p.witnesses) }

// String prints the policy without comments and in a fixed order: logs, witnesses,
// groups, quorum. Parse reads it to an equal policy.
func (p *Policy) String() string {
	var b strings.Builder
	line := func(words ...string) {
		if words[len(words)-1] == "" { // no URL
			words = words[:len(words)-1]
		}
		b.WriteString(strings.Join(words, " "))
		b.WriteByte('\n')
	}
	for _, l := range p.logs {
		line("log", l.Key, l.URL)
	}
	for _, w := range p.witnesses {
		line("witness", w.Name, w.Key, w.URL)
	}
	for _, g := range p.groups {
		line(append([]string{"group", g.name, strconv.Itoa(g.k)}, g.members...)...)
	}
	line("quorum", p.quorum)
	return b.String()
}
