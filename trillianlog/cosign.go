package trillianlog

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

const (
	// DefaultCosignEvery is Options.CosignEvery where that is not set: often enough
	// that a reader, who refuses what was witnessed more than a day ago
	// (policy.DefaultMaxAge), does not notice witnesses that are away for hours.
	DefaultCosignEvery = time.Hour
	// renewRetry is the pause after cosigning again was tried in vain. Meanwhile
	// new leaves are published as ever.
	renewRetry = time.Minute
)

// askWitnesses gives the checkpoint of the size with cosignatures.
func (p *publisher) askWitnesses(ctx, patience context.Context, size uint64, signed []byte) ([]byte, error) {
	p.reach(math.MaxUint64) // witnesses may take long: leaves become durable meanwhile
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// A log that is to close waits for witnesses that are there, and not for others.
	defer context.AfterFunc(patience, func() { time.AfterFunc(drainTime, cancel) })()
	prove := func(from uint64) ([][]byte, error) { return p.backend.consistencyProof(ctx, from, size) }
	cosigned, err := p.witness(ctx, signed, prove)
	switch {
	case errors.Is(err, ErrWitnessAhead):
		return nil, stop(WitnessAhead, "%v; find out who else signs for this log before anything else", err)
	case err != nil:
		return nil, fmt.Errorf("cosign the checkpoint of size %d: %w", size, err)
	}
	return cosigned, nil
}

// renewable says whether the published checkpoint may be cosigned again. One that the
// log has bound itself to go beyond may not: witnesses may have seen a larger one.
func (p *publisher) renewable() bool {
	pub := p.published.Load()
	return p.witness != nil && pub != nil && pub.unmet == nil && pub.checkpoint.Size == p.bound.Size
}

// due says whether that is to be done now.
func (p *publisher) due() bool { return p.renewable() && !time.Now().Before(p.renewAt) }

// renewal waits until it is.
func (p *publisher) renewal() <-chan time.Time {
	if !p.renewable() {
		return nil
	}
	return time.After(time.Until(p.renewAt))
}

// renew has the published checkpoint cosigned again, so that readers of a quiet log
// see that witnesses still watch it. It needs the back end only to prove the
// checkpoint to a witness that does not have it.
func (p *publisher) renew(ctx, patience context.Context) error {
	pub, err := p.sign(ctx, patience, p.published.Load().checkpoint)
	if err != nil {
		p.renewAt, p.stale = time.Now().Add(min(renewRetry, p.cosign)), true
		return err
	}
	return p.publish(patience, pub)
}
