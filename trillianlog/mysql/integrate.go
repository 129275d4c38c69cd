package mysql

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/trillian"
	tlog "github.com/google/trillian/log"
	"github.com/google/trillian/quota"
	trillianstorage "github.com/google/trillian/storage"
	"github.com/google/trillian/types"
	"github.com/google/trillian/util/clock"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// integrateAtOnce is how many leaves one integration takes. A batch that closes
// a gap may need several.
const integrateAtOnce = 4096

// integrator is a storage.LogStorage whose AddSequencedLeaves also integrates:
// when it returns, the leaves are in the tree whose root is stored, unless there
// is a gap before them or the integration failed, which is then done by retry.
//
// Its leaves come from Trillian's server, which computes their hashes.
type integrator struct {
	*storage
	clock      clock.TimeSource
	retry      func(error) // is told that an integration failed
	integrated func()      // is told of each new tree head

	turn chan struct{} // holds a token while this process integrates

	mu  sync.Mutex
	end uint64 // after the last index that is known to be stored
}

// reach notes that the leaves before end may be stored, and gives the highest of
// them all.
func (g *integrator) reach(end uint64) uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.end = max(g.end, end)
	return g.end
}

// next is storage.next when no write is under way.
func (g *integrator) next(ctx context.Context, tree int64) (next uint64, holes []uint64, err error) {
	if err := g.settle(ctx, tree); err != nil {
		return 0, nil, err
	}
	if next, holes, err = g.storage.next(ctx, tree); err != nil {
		return 0, nil, err
	}
	g.reach(next)
	return next, holes, nil
}

// AddSequencedLeaves is part of storage.LogStorage.
func (g *integrator) AddSequencedLeaves(ctx context.Context, tree *trillian.Tree, leaves []*trillian.LogLeaf, at time.Time) ([]*trillian.QueuedLogLeaf, error) {
	results, err := g.storage.AddSequencedLeaves(ctx, tree, leaves, at)
	if err != nil {
		return nil, err
	}
	added := leaves
	for i, r := range results {
		if r.Status.GetCode() != int32(codes.OK) {
			added = leaves[:i] // what is behind is read from the database
			break
		}
	}
	// The leaves are durable, so whatever happens now is no error of this call.
	g.reach(uint64(leaves[len(leaves)-1].LeafIndex) + 1)
	if err := g.integrate(ctx, tree, added); err != nil {
		g.retry(err)
	}
	return results, nil
}

// integrate takes all stored leaves up to the first gap into the tree. added are
// adjoining ones that this process has just stored.
func (g *integrator) integrate(ctx context.Context, tree *trillian.Tree, added []*trillian.LogLeaf) error {
	select {
	case g.turn <- struct{}{}:
		defer func() { <-g.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		in := &integration{integrator: g, added: added}
		// No guard window and no limit on the age of a root: roots are made by
		// leaves alone.
		n, err := tlog.IntegrateBatch(ctx, tree, integrateAtOnce, 0, 0, g.clock, in, quota.Noop())
		switch {
		case err != nil:
			return err
		case n == 0:
			return nil
		}
		g.integrated()
		if in.size+uint64(n) >= g.reach(0) {
			return nil
		}
	}
}

// integration is the storage.LogStorage of one IntegrateBatch.
type integration struct {
	*integrator
	added []*trillian.LogLeaf
	size  uint64 // of the tree before
}

func (i *integration) ReadWriteTransaction(ctx context.Context, tree *trillian.Tree, f trillianstorage.LogTXFunc) error {
	return i.integrator.ReadWriteTransaction(ctx, tree, func(ctx context.Context, tx trillianstorage.LogTreeTX) error {
		return f(ctx, integrationTX{tx, i})
	})
}

type integrationTX struct {
	trillianstorage.LogTreeTX
	of *integration
}

// DequeueLeaves is part of storage.LogTreeTX. It spares the database the reading
// of leaves that this process has just written, if they are the tree's next.
func (t integrationTX) DequeueLeaves(ctx context.Context, limit int, cutoff time.Time) ([]*trillian.LogLeaf, error) {
	slr, err := t.LatestSignedLogRoot(ctx)
	if err != nil {
		return nil, err
	}
	var root types.LogRootV1
	if err := root.UnmarshalBinary(slr.LogRoot); err != nil {
		return nil, err
	}
	t.of.size = root.TreeSize
	if added := t.of.added; len(added) > 0 && len(added) <= limit && uint64(added[0].LeafIndex) == root.TreeSize {
		return added, nil
	}
	return t.LogTreeTX.DequeueLeaves(ctx, limit, cutoff)
}

// Trillian's storage does not tell a root that it could not read from an empty
// one (fetchLatestRoot in storage/mysql/log_storage.go). What follows does.

var errRoot = status.Error(codes.Unavailable, "the newest tree head could not be read")

// ReadWriteTransaction is part of storage.LogStorage.
func (g *integrator) ReadWriteTransaction(ctx context.Context, tree *trillian.Tree, f trillianstorage.LogTXFunc) error {
	return g.storage.ReadWriteTransaction(ctx, tree, func(ctx context.Context, tx trillianstorage.LogTreeTX) error {
		if err := rootRead(ctx, tx); err != nil && !errors.Is(err, trillianstorage.ErrTreeNeedsInit) {
			return err
		}
		return f(ctx, tx)
	})
}

// SnapshotForTree is part of storage.ReadOnlyLogStorage.
func (g *integrator) SnapshotForTree(ctx context.Context, tree *trillian.Tree) (trillianstorage.ReadOnlyLogTreeTX, error) {
	tx, err := g.storage.SnapshotForTree(ctx, tree)
	if err != nil {
		return tx, err
	}
	if err := rootRead(ctx, tx); err != nil {
		_ = tx.Close()
		return nil, err
	}
	return tx, nil
}

func rootRead(ctx context.Context, tx trillianstorage.ReadOnlyLogTreeTX) error {
	slr, err := tx.LatestSignedLogRoot(ctx)
	if err != nil {
		return err
	}
	var root types.LogRootV1
	if err := root.UnmarshalBinary(slr.LogRoot); err != nil {
		return err
	}
	if len(root.RootHash) == 0 {
		return errRoot
	}
	return nil
}
