package indexlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
)

// manyEntries is from how many entries on a step is told of while it lasts.
const manyEntries = 100_000

// advance makes the next leaf, about the log's published checkpoint, and publishes it.
func (l *Log) advance(ctx context.Context, now checkpoint.Checkpoint, signed []byte) error {
	start := time.Now()
	number := l.index.Leaves()
	// A leaf about a checkpoint that a crash takes back would be about another log.
	if err := l.options.Log.Settle(); err != nil {
		return err
	}
	if err := l.kept.put(number, signed); err != nil {
		return err
	}
	if err := l.options.fault("kept"); err != nil {
		return err
	}
	update := func() error {
		_, err := l.index.Update(ctx, now, l.options.Log)
		return err
	}
	var err error
	if number > 0 && now.Size-l.index.Next() < manyEntries {
		err = update()
	} else {
		err = l.telling("it is made from the log", now.Size, update)
	}
	if err != nil {
		return l.differs(err)
	}
	l.leafAt = start
	if err := l.options.fault("leaf durable"); err != nil {
		return err
	}
	if err := l.publish(ctx); err != nil {
		return err
	}
	if l.options.OnPublish != nil {
		l.options.OnPublish(time.Since(start))
	}
	return nil
}

// publish publishes an index checkpoint over all leaves.
func (l *Log) publish(ctx context.Context) error {
	if err := l.extend(l.index.Leaves()); err != nil {
		return err
	}
	if err := l.options.fault("tiles durable"); err != nil {
		return err
	}
	next := checkpoint.Checkpoint{Origin: l.options.Origin, Size: l.options.Tiles.Size(), Root: l.options.Tiles.RootWith(nil)}
	if err := l.bind(ctx, next); err != nil {
		return err
	}
	pub, err := l.sign(ctx, next)
	if err != nil {
		return err
	}
	return l.put(pub)
}

// bind makes the checkpoint the one that the index log can never go behind.
func (l *Log) bind(ctx context.Context, next checkpoint.Checkpoint) error {
	text := []byte(next.Body())
	switch {
	case next.Size == l.bound.Size && !bytes.Equal(text, l.bound.text):
		return stop(trillianlog.Forked, "an index checkpoint of size %d was signed with the root %x, and the leaves give %x", next.Size, l.bound.Root, next.Root)
	case next.Size < l.bound.Size:
		return stop(trillianlog.RolledBack, "an index checkpoint of size %d was signed, and the index log has %d leaves", l.bound.Size, next.Size)
	case next.Size == l.bound.Size:
		return nil
	}
	if err := trillianlog.SwapLast(ctx, l.options.Last, l.bound.text, text); err != nil {
		return fmt.Errorf("store the last index checkpoint: %w", err)
	}
	l.bound = bound{next, text}
	return l.options.fault("bound")
}

// sign gives the checkpoint with the index log's signature and what cosignatures the
// policy asks for.
func (l *Log) sign(ctx context.Context, next checkpoint.Checkpoint) (*publication, error) {
	signed, err := checkpoint.Sign(next, l.options.Signer)
	if err != nil {
		return nil, err
	}
	if err := l.options.fault("signed"); err != nil {
		return nil, err
	}
	if l.options.Witness != nil {
		prove := func(from uint64) ([][]byte, error) { return l.prove(from, next.Size) }
		signed, err = l.options.Witness(ctx, signed, prove)
		if errors.Is(err, trillianlog.ErrWitnessAhead) {
			return nil, stop(trillianlog.WitnessAhead, "%v; find out who else signs for this index log before anything else", err)
		}
		if err != nil {
			return nil, fmt.Errorf("cosign the index checkpoint of size %d: %w", next.Size, err)
		}
	}
	// The same code that readers use, before anything leaves.
	verdict, err := l.options.Policy.Check(signed)
	if err != nil {
		return nil, fmt.Errorf("the index checkpoint of size %d does not meet the policy: %w", next.Size, err)
	}
	return &publication{checkpoint: next, signed: signed, verdict: verdict}, l.options.fault("cosigned")
}

func (l *Log) prove(from, to uint64) ([][]byte, error) {
	proof, err := l.options.Tiles.ConsistencyProof(from, to)
	if err != nil {
		return nil, err
	}
	hashes := make([][]byte, len(proof))
	for i := range proof {
		hashes[i] = proof[i][:]
	}
	return hashes, nil
}

// put publishes the checkpoint, durably at once: what readers have seen is there after
// a crash, with the cosignatures, which nobody else could give again while witnesses
// are away.
func (l *Log) put(pub *publication) error {
	if err := l.options.Tiles.Publish(pub.signed); err != nil {
		return err
	}
	if err := l.options.Tiles.Settle(); err != nil {
		return err
	}
	if err := l.options.fault("published"); err != nil {
		return err
	}
	pub.at = time.Now()
	l.published.Store(pub)
	l.renewAt = pub.at.Add(l.options.CosignEvery)
	l.stale(false)
	return l.show()
}

// renewable says whether the published checkpoint may be cosigned again.
func (l *Log) renewable() bool { return l.options.Witness != nil && l.size() > 0 }

// due says whether that is to be done now.
func (l *Log) due() bool { return l.renewable() && !time.Now().Before(l.renewAt) }

// renew has the published checkpoint cosigned again, so that readers of a quiet log
// see that witnesses still watch it.
func (l *Log) renew(ctx context.Context) error {
	pub, err := l.sign(ctx, l.published.Load().checkpoint)
	if err != nil {
		l.renewAt = time.Now().Add(min(renewRetry, l.options.CosignEvery))
		l.stale(true)
		return err
	}
	return l.put(pub)
}

// stale notes whether cosigning again was tried in vain.
func (l *Log) stale(is bool) {
	l.condition.mu.Lock()
	l.condition.stale = is
	l.condition.mu.Unlock()
}
