package trillianlog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/internal/logtree"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
)

// resume compares what is published (P), what the log is bound to (L) and what
// is stored (N), and goes on from P. P ≤ L ≤ N, each a prefix of the next, is
// what any crash leaves behind; everything else stops the log.
func (l *Log) resume(ctx context.Context) error {
	p := l.publisher
	if err := p.checkKey(); err != nil {
		return err
	}
	published, err := l.loadPublished()
	if err != nil {
		return err
	}
	if b, ok := l.options.Backend.(unusable); ok {
		if p.tree, err = resumeTree(l.options.Tiles, published); err != nil {
			return err
		}
		if err := l.feed(ctx, published.Size); err != nil {
			return err
		}
		l.stop(stop(Corrupt, "%v; stop the service, put a good copy of the store in its place, and start it again", b.err))
		return nil
	}
	latest, err := l.backend.root(ctx)
	if err != nil {
		return err
	}
	if err := l.loadLast(ctx, published, latest); err != nil {
		return err
	}
	if p.tree, err = resumeTree(l.options.Tiles, published); err != nil {
		return err
	}
	if err := l.feed(ctx, published.Size); err != nil {
		return err
	}
	l.sequencer.published = published.Size
	if err := l.judge(ctx, published, latest); err != nil {
		var stopped *StopError
		if errors.As(err, &stopped) {
			l.stop(stopped)
			return nil
		}
		return err
	}
	if p.projection != nil && p.projection.Next() > latest.size {
		return fmt.Errorf("the projections have seen %d leaves and the log has %d: delete the projections, they are computed again", p.projection.Next(), latest.size)
	}
	if err := l.sequencer.settle(ctx); err != nil {
		return err
	}
	l.sequencer.stored.Store(l.sequencer.next)
	l.sequencer.resumed.Store(l.sequencer.next)
	l.logger.Info("log opened", "origin", p.origin, "stored", l.sequencer.next, "bound", p.bound.Size, "published", published.Size)
	return nil
}

// catchUp publishes again, before anybody asks, what readers may have seen before
// a crash: the files of the published checkpoint can be a moment behind (see
// tiles.Store.Publish), the last checkpoint is not. The same for a checkpoint that
// does not meet a new policy. What is further behind, or does not succeed at once, is
// left to the publisher's own run.
func (l *Log) catchUp(ctx, patience context.Context) {
	p := l.publisher
	for l.stopped.Load() == nil {
		size, met := uint64(0), true
		if pub := p.published.Load(); pub != nil {
			size, met = pub.checkpoint.Size, pub.unmet == nil
		}
		if size >= p.bound.Size && met || p.bound.Size-size > maxChunkLeaves {
			return
		}
		more, err := p.step(ctx, patience)
		var stopped *StopError
		switch {
		case errors.As(err, &stopped):
			l.stop(stopped)
		case errors.Is(err, errCrash):
			l.cancel()
		}
		if err != nil || !more {
			return
		}
	}
}

// loadPublished reads P, the zero checkpoint if there is none.
func (l *Log) loadPublished() (checkpoint.Checkpoint, error) {
	signed := l.options.Tiles.Published()
	if signed == nil {
		return checkpoint.Checkpoint{}, nil
	}
	published, _, err := checkpoint.Parse(signed)
	if err != nil {
		return published, fmt.Errorf("read the published checkpoint: %w", err)
	}
	if published.Origin != l.options.Origin {
		return published, fmt.Errorf("the published checkpoint is of the log %q", published.Origin)
	}
	verdict, unmet := l.options.Policy.Check(signed)
	switch {
	case errors.Is(unmet, policy.ErrQuorum): // the policy asks for more than it did
		l.logger.Warn("the published checkpoint does not meet the policy; it is cosigned again", "error", unmet)
	case unmet != nil:
		return published, fmt.Errorf("the published checkpoint is not this log's: %w", unmet)
	}
	l.publisher.published.Store(&publication{checkpoint: published, signed: signed, verdict: verdict, unmet: unmet, at: l.options.Tiles.WrittenAt()})
	l.publisher.renewAt = verdict.Time.Add(l.options.CosignEvery)
	return published, nil
}

// loadLast reads L. In a log that never had a leaf, it binds the log to the
// empty tree first: from then on, no last checkpoint means that it was lost.
func (l *Log) loadLast(ctx context.Context, published checkpoint.Checkpoint, latest root) error {
	text, err := l.options.Last.Load(ctx)
	if errors.Is(err, ErrNoLastCheckpoint) {
		next, _, nextErr := l.backend.next(ctx)
		switch {
		case nextErr != nil:
			return nextErr
		case next > 0 || latest.size > 0 || published.Size > 0:
			return fmt.Errorf("%w, and the log is not empty: without it the log could sign a second history. Put the file back from where it is; if it is lost, `tallyroot recover` starts again from the published checkpoint", err)
		}
		text, err = []byte(emptyCheckpoint(l.options.Origin).Body()), nil
		if err := l.options.Last.Swap(ctx, nil, text); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	bound, err := parseBound(text, l.options.Origin)
	l.publisher.bound = bound
	return err
}

func parseBound(text []byte, origin string) (boundCheckpoint, error) {
	last, err := checkpoint.ParseBody(string(text))
	if err != nil {
		return boundCheckpoint{}, fmt.Errorf("read the last checkpoint: %w", err)
	}
	if last.Origin != origin {
		return boundCheckpoint{}, fmt.Errorf("the last checkpoint is of the log %q, this is %q: each log needs a last checkpoint of its own", last.Origin, origin)
	}
	return boundCheckpoint{last, text}, nil
}

func emptyCheckpoint(origin string) checkpoint.Checkpoint {
	c := checkpoint.Checkpoint{Origin: origin}
	copy(c.Root[:], rfc6962.DefaultHasher.EmptyRoot())
	return c
}

// judge gives a *StopError if P, L and N are not what a crash can leave behind.
func (l *Log) judge(ctx context.Context, published checkpoint.Checkpoint, latest root) error {
	bound := l.publisher.bound
	switch {
	case published.Size > bound.Size:
		return stop(LastCheckpointBehind, "the last checkpoint has size %d and the published one %d: put the newest last checkpoint back; if it is lost, see `tallyroot recover`", bound.Size, published.Size)
	case published.Size == bound.Size && published.Size > 0 && published.Root != bound.Root:
		return stop(Forked, "at size %d the published checkpoint has the root %x and the last one %x", bound.Size, published.Root, bound.Root)
	case latest.size < bound.Size:
		return stop(RolledBack, "the back end has %d leaves and a checkpoint of %d was signed: it was restored from an older copy; put the newest one back", latest.size, bound.Size)
	}
	err := l.backend.consistent(ctx, bound.Size, bound.Root, latest)
	if latest.size > bound.Size && (errors.Is(err, errInconsistent) || logtree.LacksNodes(err)) {
		err = l.readOn(ctx, latest)
	}
	if errors.Is(err, errInconsistent) {
		return stop(Forked, "the last checkpoint has the root %x at size %d; the back end's tree of %d leaves does not begin with it: it is not the database that this log was signed from", bound.Root, bound.Size, latest.size)
	}
	if err != nil {
		return err
	}
	return nil
}

// readOn says by the leaves themselves what a proof by Trillian would: that its
// tree begins with the tree of the last checkpoint.
func (l *Log) readOn(ctx context.Context, latest root) error {
	p := l.publisher
	tree, err := l.backend.grow(ctx, p.tree, p.bound.Size)
	if err != nil {
		return err
	}
	root, err := rootOf(tree)
	if err != nil {
		return err
	}
	if root != p.bound.Root {
		return p.forked(root)
	}
	return p.begins(ctx, tree, root, latest)
}

// resumeTree makes the compact range of the published tree from the tiles: the
// last leaf's inclusion proof holds the perfect subtrees to the left of it.
func resumeTree(store *tiles.Store, published checkpoint.Checkpoint) (*compactRange, error) {
	if published.Size == 0 {
		return treeFactory.NewEmptyRange(0), nil
	}
	last := published.Size - 1
	proof, err := store.InclusionProof(last, published.Size)
	if err != nil {
		return nil, fmt.Errorf("read the published tree: %w", err)
	}
	hash, err := store.LeafHash(last)
	if err != nil {
		return nil, fmt.Errorf("read the published tree: %w", err)
	}
	left := make([][]byte, len(proof))
	for i := range proof {
		left[len(proof)-1-i] = proof[i][:]
	}
	tree, err := treeFactory.NewRange(0, last, left)
	if err != nil {
		return nil, fmt.Errorf("read the published tree: %w", err)
	}
	if err := tree.Append(slices.Clone(hash[:]), nil); err != nil {
		return nil, err
	}
	root, err := rootOf(tree)
	if err != nil {
		return nil, err
	}
	if root != published.Root {
		return nil, fmt.Errorf("the tiles give the root %x for size %d, the published checkpoint says %x: move the tiles away, they are written again from the leaves", root, published.Size, published.Root)
	}
	return tree, nil
}

const (
	feedLeaves   = 1024 // leaves applied at once
	feedProgress = 5 * time.Second
)

// feed brings the projection up to the published size, from the tiles.
func (l *Log) feed(ctx context.Context, size uint64) error {
	projection := l.options.Projection
	if projection == nil || projection.Next() >= size {
		return nil
	}
	l.logger.Info("computing the projections", "from", projection.Next(), "to", size)
	said := time.Now()
	for first := projection.Next(); first < size; first = projection.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		leaves, err := l.options.Tiles.Entries(ctx, first, min(size-first, feedLeaves))
		if err != nil {
			return fmt.Errorf("compute the projections: %w", err)
		}
		if err := projection.Apply(ctx, first, leaves); err != nil {
			return fmt.Errorf("compute the projections: %w", err)
		}
		if projection.Next() <= first {
			return fmt.Errorf("compute the projections: leaf %d was applied and is still asked for", first)
		}
		if time.Since(said) > feedProgress {
			said = time.Now()
			l.logger.Info("computing the projections", "next", projection.Next(), "to", size)
		}
	}
	return nil
}
