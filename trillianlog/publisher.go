package trillianlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
)

// What one checkpoint may add, so that memory stays bounded while the publisher
// catches up.
const (
	maxChunkLeaves = 8192
	maxChunkBytes  = 8 << 20
	maxReadLeaves  = 256 // leaves asked for in one call
)

// Another process may integrate leaves. Nothing tells when it has, so the publisher
// looks: often at first, then again after lookPart of the time that it has waited.
const (
	firstLook = 5 * time.Millisecond
	lastLook  = 250 * time.Millisecond
	lookPart  = 4
	// drainTime is how long a publisher that is to end waits for it.
	drainTime = time.Second
	// DefaultIntegrationTimeout is Options.IntegrationTimeout where that is not set.
	DefaultIntegrationTimeout = 30 * time.Second
)

// publisher reads leaves back, rebuilds the root and publishes checkpoints.
//
// The order of one checkpoint, and what is true after a crash behind each step:
//
//  1. its leaves are durable and Trillian's root equals the rebuilt one.
//     Nothing is bound: the next start finds the leaves and goes on.
//  2. its text has replaced the one before in the last-checkpoint store. The
//     log is bound to it: the next start publishes this text, or stops.
//  3. it is signed, and cosigned if the policy asks for it. The same text gives
//     the same signature again.
//  4. its tiles are durable and the projection has its leaves. The projection is
//     nobody's proof, so it is applied beside steps 2 and 3. Beyond the published
//     size, tiles are written again at the next start.
//  5. it is published. A reader can prove every leaf below its size.
//  6. those who wait are answered.
type publisher struct {
	backend    *rpc
	tiles      *tiles.Store
	last       LastCheckpoint
	projection Projection // may be nil
	origin     string
	signer     note.Signer
	policy     *policy.Policy
	witness    WitnessFunc   // may be nil
	cosign     time.Duration // Options.CosignEvery
	logger     *slog.Logger
	stored     *atomic.Uint64    // how many leaves are known to be durable
	release    func(size uint64) // answers who waits
	outage     func() *outage    // of the back end; nil while there is none
	slow       time.Duration     // Options.IntegrationTimeout
	hooks      Hooks
	fault      func(step string) error // tests only

	wake chan struct{} // holds one token when there may be work

	// reached is how many leaves this or an earlier checkpoint takes in; while
	// publishing does not get on, as many as there can be.
	reached   atomic.Uint64
	onReached func() // wakes the sequencer

	published atomic.Pointer[publication]
	trouble   atomic.Pointer[error] // why publishing does not get on; nil if it does
	complaint complaint             // about that

	// Owned by the goroutine of run, and by Open before.
	rootAt   time.Time     // that the newest root bears
	stated   uint64        // its size
	waiting  time.Time     // since when leaves are stored and the tree does not grow
	examined bool          // it was found since then that it can; see examine
	tree     *compactRange // over all leaves that were read and written as tiles
	bound    boundCheckpoint
	renewAt  time.Time // when the published checkpoint is to be cosigned again
	stale    bool      // that was tried, in vain so far
}

// publication is a published checkpoint.
type publication struct {
	checkpoint checkpoint.Checkpoint
	signed     []byte
	verdict    policy.Verdict
	unmet      error // nil if it meets the policy
	at         time.Time
}

// boundCheckpoint is what the last-checkpoint store holds.
type boundCheckpoint struct {
	checkpoint.Checkpoint
	text []byte
}

// run publishes until ctx ends, the log has to stop, or drain is closed and all
// that is stored is published. When patience has ended, it gives up at the first
// thing that fails. It returns a *StopError if publishing has ended for good.
func (p *publisher) run(ctx, patience context.Context, drain <-chan struct{}) error {
	var pause backoff
	for {
		if o := p.outage(); o != nil && !p.due() {
			select {
			case <-o.over:
			case <-p.renewal():
			case <-patience.Done():
				return patience.Err()
			}
		}
		known := p.stored.Load()
		more, err := p.step(ctx, patience)
		if err == nil && !more {
			err = p.examine(ctx, known)
		}
		var stopped *StopError
		switch {
		case errors.As(err, &stopped):
			return stopped
		case errors.Is(err, errCrash):
			return err
		case err != nil && p.outage() != nil:
			continue // that says more
		case err != nil:
			p.failed(err)
			if pause.wait(patience) != nil {
				return err
			}
			continue
		}
		pause = backoff{}
		if more || known <= p.tree.End() {
			p.waiting, p.examined = time.Time{}, false
		} else if p.waiting.IsZero() {
			p.waiting = time.Now()
		}
		p.note(known)
		if more && p.tree.End() < max(p.stated, p.stored.Load()) {
			continue
		}
		if !p.idle(ctx, drain, known) {
			return ctx.Err()
		}
	}
}

// idle waits for work, and says whether there can be any. known is how many
// leaves were stored before the last look at the back end.
func (p *publisher) idle(ctx context.Context, drain <-chan struct{}, known uint64) bool {
	if known > p.tree.End() {
		// They are stored but not integrated: another process does that. More may
		// become durable meanwhile.
		p.reach(math.MaxUint64)
		waited := time.Since(p.waiting)
		select {
		case <-drain:
			if waited > drainTime {
				return false
			}
		default:
		}
		look := time.NewTimer(min(max(waited/lookPart, firstLook), lastLook))
		defer look.Stop()
		select {
		case <-look.C:
			return true
		case <-ctx.Done():
			return false
		}
	}
	select {
	case <-p.wake:
		return true
	case <-p.renewal():
		return true
	case <-drain:
		return p.stored.Load() > p.tree.End()
	case <-ctx.Done():
		return false
	}
}

// note says how publishing gets on after a step that did not fail. known is how
// many leaves were stored before it.
func (p *publisher) note(known uint64) {
	if waited := time.Since(p.waiting); !p.waiting.IsZero() && waited > p.slow {
		why := "is Trillian's log signer running, is its clock right, what does its log say?"
		if ahead := time.Until(p.rootAt).Round(time.Second); ahead > 0 {
			why = fmt.Sprintf("the tree's root bears the time %s, %v ahead of this machine's clock, and Trillian's log signer adds nothing before; set the clocks of both",
				p.rootAt.UTC().Format(time.RFC3339), ahead)
		}
		p.failed(fmt.Errorf("%d leaves are stored and have not been in the tree for %v: %s", known-p.tree.End(), waited.Round(time.Second), why))
		return
	}
	if p.trouble.Load() == nil || p.stale {
		return
	}
	p.trouble.Store(nil)
	_, lasted := p.complaint.end()
	p.logger.Info("publishing goes on", "size", p.tree.End(), "after", lasted)
}

func (p *publisher) failed(err error) {
	p.trouble.Store(&err)
	p.reach(math.MaxUint64)
	if say, since := p.complaint.begin(); say {
		p.logger.Error("publishing does not get on; trying again", "error", err, "since", since)
	}
}

func (p *publisher) reach(size uint64) {
	if p.reached.Swap(size) != size {
		p.onReached()
	}
}

// step publishes one more checkpoint, if there is one to publish.
func (p *publisher) step(ctx, patience context.Context) (more bool, err error) {
	if p.due() {
		return true, p.renew(ctx, patience)
	}
	start := time.Now()
	latest, err := p.backend.root(ctx)
	if err != nil {
		return false, err
	}
	p.reach(latest.size)
	p.rootAt, p.stated = latest.at, latest.size
	now, err := p.root()
	if err != nil {
		return false, err
	}
	var c chunk
	switch size := p.tree.End(); {
	case latest.size < size:
		return false, stop(RolledBack, "the back end has %d leaves; %d were read from it before: it was restored from an older copy; put the newest one back", latest.size, size)
	case latest.size == size && latest.hash != now:
		return false, stop(Forked, "the back end's root of %d leaves is %x; the leaves read from it before give %x", size, latest.hash, now)
	case latest.size > size:
		c, err = p.tail(ctx, latest)
		if err != nil {
			return false, err
		}
		now = c.root
	case p.upToDate():
		return false, nil
	}
	if err := p.crash("leaves rebuilt"); err != nil {
		return false, err
	}
	next := checkpoint.Checkpoint{Origin: p.origin, Size: p.tree.End(), Root: now}
	pub, err := p.save(ctx, patience, next, c)
	if err != nil || pub == nil {
		return err == nil, err
	}
	if err := p.publish(patience, pub); err != nil {
		return false, err
	}
	if p.hooks.OnPublish != nil {
		p.hooks.OnPublish(next.Size, time.Since(start))
	}
	return true, nil
}

// upToDate says whether the whole tree is published.
func (p *publisher) upToDate() bool {
	pub := p.published.Load()
	if pub == nil {
		return p.tree.End() == 0
	}
	return pub.checkpoint.Size == p.tree.End() && pub.unmet == nil
}

// save does steps 2 to 4 for the checkpoint. It gives nil if the checkpoint is
// smaller than what the log is bound to: such a one is never signed.
func (p *publisher) save(ctx, patience context.Context, next checkpoint.Checkpoint, c chunk) (*publication, error) {
	var projected sync.WaitGroup
	var projectionErr error
	projected.Go(func() {
		projectionErr = p.insist(patience, "apply leaves to the projections", func() error { return p.apply(ctx, c.first, c.values) })
	})
	pub, signErr := p.bindAndSign(ctx, patience, next)
	var tilesErr error
	var stopped *StopError
	if !errors.As(signErr, &stopped) && !errors.Is(signErr, errCrash) {
		// Also when witnesses did not cosign: the next checkpoint builds on these.
		tilesErr = p.insist(patience, "write tiles", func() error { return p.extend(c) })
	}
	projected.Wait()
	// What could not be written comes first: without it nothing else counts.
	if err := errors.Join(tilesErr, projectionErr); err != nil {
		return nil, err
	}
	return pub, signErr
}

func (p *publisher) bindAndSign(ctx, patience context.Context, next checkpoint.Checkpoint) (*publication, error) {
	if next.Size < p.bound.Size {
		return nil, nil
	}
	if err := p.bind(ctx, patience, next); err != nil {
		return nil, err
	}
	return p.sign(ctx, patience, next)
}

func (p *publisher) extend(c chunk) error {
	if len(c.values) == 0 {
		return nil
	}
	if err := p.crash("before tiles"); err != nil {
		return err
	}
	if err := p.tiles.Extend(c.values, c.hashes); err != nil {
		return err
	}
	return p.crash("tiles durable")
}

func (p *publisher) apply(ctx context.Context, first uint64, values [][]byte) error {
	if p.projection == nil || len(values) == 0 {
		return nil
	}
	next, end := p.projection.Next(), first+uint64(len(values))
	switch {
	case next >= end:
		return nil // it saw them before a crash
	case next < first:
		return fmt.Errorf("the projection asks for leaf %d when it must have all below %d", next, first)
	}
	if err := p.projection.Apply(ctx, next, values[next-first:]); err != nil {
		return err
	}
	return p.crash("projection applied")
}

// bind makes the checkpoint the one that the log can never go behind.
func (p *publisher) bind(ctx, patience context.Context, next checkpoint.Checkpoint) error {
	if next.Size == p.bound.Size {
		return nil // tail compared the roots
	}
	if err := p.crash("before swap"); err != nil {
		return err
	}
	text := []byte(next.Body())
	err := p.insist(patience, "store the last checkpoint", func() error { return SwapLast(ctx, p.last, p.bound.text, text) })
	if err != nil {
		return err
	}
	p.bound = boundCheckpoint{next, text}
	return p.crash("swapped")
}

// sign gives the checkpoint with the log's signature and what cosignatures the
// policy asks for.
func (p *publisher) sign(ctx, patience context.Context, next checkpoint.Checkpoint) (*publication, error) {
	signed, err := checkpoint.Sign(next, p.signer)
	if err != nil {
		return nil, err
	}
	if err := p.crash("signed"); err != nil {
		return nil, err
	}
	if p.witness != nil {
		if signed, err = p.askWitnesses(ctx, patience, next.Size, signed); err != nil {
			return nil, err
		}
	}
	// The same code that readers use, before anything leaves.
	verdict, err := p.policy.Check(signed)
	if err != nil {
		return nil, fmt.Errorf("the checkpoint of size %d does not meet the policy: %w", next.Size, err)
	}
	return &publication{checkpoint: next, signed: signed, verdict: verdict}, p.crash("cosigned")
}

// checkKey fails if the policy would refuse whatever the log signs.
func (p *publisher) checkKey() error {
	signed, err := checkpoint.Sign(emptyCheckpoint(p.origin), p.signer)
	if err != nil {
		return err
	}
	if _, err := p.policy.Check(signed); err != nil && !errors.Is(err, policy.ErrQuorum) {
		return fmt.Errorf("the policy does not accept the log's own key: %w", err)
	}
	return nil
}

// publish does steps 5 and 6.
func (p *publisher) publish(patience context.Context, pub *publication) error {
	if err := p.crash("before publish"); err != nil {
		return err
	}
	if err := p.insist(patience, "publish the checkpoint", func() error { return p.put(pub.signed) }); err != nil {
		return err
	}
	if err := p.crash("published"); err != nil {
		return err
	}
	pub.at = time.Now()
	p.published.Store(pub)
	p.renewAt, p.stale = pub.at.Add(p.cosign), false
	p.release(pub.checkpoint.Size)
	return nil
}

// put publishes a checkpoint in the files. Cosignatures are durable at once: where
// witnesses are away after a crash, nobody else could give them again.
func (p *publisher) put(signed []byte) error {
	if err := p.tiles.Publish(signed); err != nil || p.witness == nil {
		return err
	}
	return p.tiles.Settle()
}

// insist tries again and again, because nothing can go on without it, until it
// succeeds, the log must stop or patience has ended.
func (p *publisher) insist(patience context.Context, what string, do func() error) error {
	var pause backoff
	for {
		err := do()
		var final *StopError
		if err == nil || errors.As(err, &final) || errors.Is(err, errCrash) {
			return err
		}
		err = fmt.Errorf("%s: %w", what, err)
		p.failed(err)
		if pause.wait(patience) != nil {
			return err
		}
	}
}

// errCrash is what tests return from fault to end the publisher as a crash
// would, between two steps.
var errCrash = errors.New("crash")

func (p *publisher) crash(step string) error {
	if p.fault == nil {
		return nil
	}
	return p.fault(step)
}
