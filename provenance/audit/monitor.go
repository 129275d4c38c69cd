package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

const (
	// DefaultEvery is Monitor.Every where that is 0.
	DefaultEvery = 30 * time.Second
	// DefaultPatience is Monitor.Patience where that is 0.
	DefaultPatience = 10 * time.Minute
)

// A Monitor audits a log again and again, and tells each finding once.
type Monitor struct {
	Auditor *Auditor
	// Every is how long it waits between two rounds.
	Every time.Duration
	// Patience is how long the log may be unreadable before that is a finding:
	// whoever has something to hide need only not answer.
	Patience time.Duration
	// Tell tells somebody of a finding. After an error it is told again in the next
	// round.
	Tell func(ctx context.Context, f *Finding) error
	// Audited is called after each round, with what Round gave; may be nil.
	Audited func(r *Report, err error)

	failingSince time.Time // zero: the last round could read everything
}

// Run goes on until the context ends, or what was audited cannot be written down.
func (m *Monitor) Run(ctx context.Context) error {
	every := m.Every
	if every <= 0 {
		every = DefaultEvery
	}
	for {
		if err := m.round(ctx); err != nil {
			return err
		}
		if sleep(ctx, every) != nil {
			return nil
		}
	}
}

func (m *Monitor) round(ctx context.Context) error {
	a := m.Auditor
	r, err := a.Round(ctx)
	if ctx.Err() != nil {
		return nil
	}
	if m.Audited != nil {
		m.Audited(r, err)
	}
	if f := m.unreachable(err); f != nil {
		r.Findings = append(r.Findings, *f)
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		known, err := a.known(f)
		if err != nil {
			return err
		}
		if known {
			continue
		}
		if m.Tell(ctx, f) != nil {
			continue
		}
		if err := a.Acknowledge(f); err != nil {
			return err
		}
	}
	if r.Complete {
		if err := a.forget(r.Findings); err != nil {
			return err
		}
	}
	return a.mark()
}

// unreachable gives a finding if rounds have failed for too long.
func (m *Monitor) unreachable(err error) *Finding {
	now := m.Auditor.options.Now()
	if err == nil {
		m.failingSince = time.Time{}
		return nil
	}
	if m.failingSince.IsZero() {
		m.failingSince = now
	}
	patience := m.Patience
	if patience <= 0 {
		patience = DefaultPatience
	}
	if now.Sub(m.failingSince) < patience {
		return nil
	}
	log := m.Auditor.ledger.head.Origin
	if log == "" {
		log = m.Auditor.options.Log.Address("")
	}
	return &Finding{
		Kind: Unreachable, Log: log, name: m.failingSince.UTC().Format(time.RFC3339),
		Problem: fmt.Sprintf("the log cannot be read since %s: %v", m.failingSince.UTC().Format(time.RFC3339), err),
	}
}

// known tells whether somebody has the finding already.
func (a *Auditor) known(f *Finding) (bool, error) {
	if f.number > 0 {
		return false, nil // it would not be there any more
	}
	value, err := a.ledger.get(knownKey(f))
	return value != nil, err
}

// forget forgets what was found before and is found no more, so that it is told when it
// comes again.
func (a *Auditor) forget(still []Finding) error {
	keep := map[string]bool{}
	for i := range still {
		keep[string(knownKey(&still[i]))] = true
	}
	return a.ledger.change(func(b *pebble.Batch) error {
		for r, err := range a.ledger.rows([]byte{knownRow}) {
			if err != nil {
				return err
			}
			if keep[string(r[0])] {
				continue
			}
			if err := b.Delete(r[0], nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// mark says that what was counted was told.
func (a *Auditor) mark() error {
	return a.ledger.change(func(*pebble.Batch) error {
		a.ledger.head.ReportedNext, a.ledger.head.ReportedTotals = a.ledger.head.Next, a.ledger.head.Totals
		return nil
	})
}
