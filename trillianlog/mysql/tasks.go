package mysql

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	// pruneRows is how many tree heads one statement deletes, and after how many
	// new ones the old ones are looked at.
	pruneRows = 256

	firstPause = 50 * time.Millisecond
	lastPause  = 5 * time.Second
)

// tasks is what is to be done in the background.
type tasks struct {
	behind chan error    // holds one when leaves are stored and not integrated
	prune  chan struct{} // holds a token when there are old tree heads
	heads  *atomic.Uint64
}

func newTasks() tasks {
	return tasks{make(chan error, 1), make(chan struct{}, 1), new(atomic.Uint64)}
}

// integrate has what is stored integrated. failed is why that did not succeed
// before; nil if it was not tried.
func (t tasks) integrate(failed error) {
	select {
	case t.behind <- failed:
	default:
	}
}

// count counts a new tree head.
func (t tasks) count() {
	if t.heads.Add(1)%pruneRows == 0 {
		t.lookAtHeads()
	}
}

func (t tasks) lookAtHeads() {
	select {
	case t.prune <- struct{}{}:
	default:
	}
}

// start does the tasks until the back end is closed.
func (b *Backend) start() {
	ctx, end := context.WithCancel(context.Background())
	b.end = end
	b.done.Go(func() {
		for {
			select {
			case failed := <-b.tasks.behind:
				b.catchUp(ctx, failed)
			case <-b.tasks.prune:
				b.pruneHeads(ctx)
			case <-ctx.Done():
				return
			}
		}
	})
}

// catchUp integrates what is stored, for as long as it takes.
func (b *Backend) catchUp(ctx context.Context, failed error) {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		if failed != nil {
			b.logger.Warn("leaves are stored and cannot be integrated yet; trying again", "error", explain(failed))
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return
			}
		}
		before := failed
		failed = b.storage.catchUp(ctx, b.tree)
		if failed == nil {
			if before != nil {
				b.logger.Info("stored leaves are integrated again")
			}
			return
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// pruneHeads deletes all but the newest tree heads.
func (b *Backend) pruneHeads(ctx context.Context) {
	if err := b.storage.prune(ctx, b.tree.TreeId, b.options.MaxTreeHeads); err != nil && ctx.Err() == nil {
		b.logger.Warn("old tree heads stay for now", "error", explain(err))
	}
}

func (s *storage) prune(ctx context.Context, tree int64, keep int) error {
	head, err := s.head(ctx, tree)
	if err != nil {
		return err
	}
	for {
		result, err := s.db.ExecContext(ctx, "DELETE FROM TreeHead WHERE TreeId=? AND TreeRevision<=? ORDER BY TreeRevision LIMIT ?",
			tree, head.revision-int64(keep), pruneRows)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n < pruneRows {
			return err
		}
	}
}
