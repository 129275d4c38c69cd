package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/participant"
	"github.com/tallyroot/tallyroot/provenance/verify"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/fetch"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
)

// A head is a checkpoint that the policy takes, and the log at it.
type head struct {
	policy.Verdict
	signed []byte
	log    *fetch.Log
}

// readHead reads a log's newest checkpoint and holds it against the policy; without a
// policy, against the key that own finds. what is "log" or "index log".
func (a *Auditor) readHead(ctx context.Context, what string, source fetch.Source, p *policy.Policy, own func(*fetch.Log) (string, error)) (*head, error) {
	signed, err := fetch.Checkpoint(ctx, source)
	refused := func(c checkpoint.Checkpoint, err error) error {
		return &Finding{
			Kind: Checkpoint, Log: c.Origin, Problem: fmt.Sprintf("the %s's published checkpoint is not to be believed: %v", what, err),
			Evidence: []string{string(signed)}, name: string(signed),
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no %s at %s: %w", what, source.Address(""), err)
	case errors.Is(err, checkpoint.ErrMalformed):
		return nil, &Finding{Kind: Checkpoint, Log: source.Address(""), Problem: fmt.Sprintf("what is served as the %s's checkpoint is none: %v; is this the address of a log?", what, errors.Unwrap(err)), name: err.Error()}
	case err != nil:
		return nil, fmt.Errorf("read the %s's checkpoint: %w", what, err)
	}
	c, _, err := checkpoint.Parse(signed)
	if err != nil {
		return nil, err
	}
	log := fetch.Open(source, c, fetch.Options{})
	if p == nil {
		key, err := own(log)
		if err != nil {
			return nil, err
		}
		if p, err = policy.None(key); err != nil {
			return nil, refused(c, err)
		}
	}
	h := &head{signed: signed, log: log}
	if h.Verdict, err = p.Check(signed); err != nil {
		return nil, refused(c, err)
	}
	return h, nil
}

// stale gives a finding if the head was not witnessed recently, by a quorum.
func (a *Auditor) stale(h *head) *Finding {
	if !h.Witnessed {
		return nil
	}
	maxAge := a.options.MaxAge
	if err := h.Fresh(a.options.Now(), maxAge); err != nil {
		return &Finding{
			Kind: Stale, Log: h.Checkpoint.Origin, Problem: fmt.Sprintf("%v; the log may be frozen, or its witnesses away", err),
			Evidence: []string{string(h.signed)}, name: fmt.Sprint(h.Checkpoint.Size, h.Time.Unix()/int64(max(maxAge, time.Hour)/time.Second)),
		}
	}
	return nil
}

// compare holds a head against the checkpoint that was seen last, and remembers it.
func (a *Auditor) compare(ctx context.Context, what string, source fetch.Source, h *head) error {
	for _, memory := range []*verify.State{a.memory, a.seen} {
		if err := compare(ctx, what, source, memory, h); err != nil {
			return err
		}
	}
	return nil
}

func compare(ctx context.Context, what string, source fetch.Source, memory *verify.State, h *head) error {
	last, lastSigned, known := memory.Last(h.Checkpoint.Origin)
	if !known || last.Size == h.Checkpoint.Size || last.Size == 0 {
		return memory.See(string(h.signed), nil)
	}
	if last.Size < h.Checkpoint.Size {
		proof, err := h.log.ConsistencyProof(ctx, last.Size, h.Checkpoint.Size)
		if err != nil {
			return err
		}
		return memory.See(string(h.signed), proof)
	}
	// It is smaller than what was seen: is it at least of the same log?
	proof, err := fetch.Open(source, last, fetch.Options{}).ConsistencyProof(ctx, h.Checkpoint.Size, last.Size)
	if err == nil {
		if err := memory.See(string(h.signed), proof); err != nil {
			return err
		}
	} else if found(err, "") == nil {
		return err
	}
	return &Finding{
		Kind: RolledBack, Log: h.Checkpoint.Origin, Evidence: []string{lastSigned, string(h.signed)}, name: fmt.Sprint(h.Checkpoint.Size, " ", last.Size),
		Problem: fmt.Sprintf("the %s is published at size %d, and it was seen at size %d before: it was rolled back, or an old copy is served", what, h.Checkpoint.Size, last.Size),
	}
}

// genesis reads and judges the log's first entry.
func (a *Auditor) genesis(ctx context.Context, log *fetch.Log) (g participant.Genesis, err error) {
	origin := log.Checkpoint().Origin
	bad := func(format string, args ...any) error {
		return &Finding{Kind: Genesis, Log: origin, Index: new(uint64), Problem: fmt.Sprintf(format, args...)}
	}
	leaf, err := log.Entry(ctx, 0)
	if err != nil {
		return g, err
	}
	e, err := entry.Parse(bytes.Clone(leaf))
	if err != nil {
		return g, bad("the log's first leaf is no entry: %v", err)
	}
	state := participant.NewState()
	if effect := state.Apply(0, e); !effect.Applied {
		if effect.Err == nil {
			effect.Err = fmt.Errorf("it is of the type %q", effect.Type)
		}
		return g, bad("the log does not begin with a Genesis that holds: %v", effect.Err)
	}
	g, _ = state.Genesis()
	if g.Origin != origin {
		return g, bad("the Genesis is that of the log %q", g.Origin)
	}
	if p := a.options.Policy; p != nil && !p.HasLog(g.LogKey) {
		return g, bad("the Genesis names the log's key %s, which the policy does not", g.LogKey)
	}
	if p := a.options.IndexPolicy; p != nil && !p.HasLog(g.IndexKey) {
		return g, bad("the Genesis names the index log's key %s, which the policy does not", g.IndexKey)
	}
	return g, nil
}
