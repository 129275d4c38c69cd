package mysql

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/trillian"
	tlog "github.com/google/trillian/log"
	"github.com/google/trillian/quota"
	trillianstorage "github.com/google/trillian/storage"
	"github.com/google/trillian/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tallyroot/tallyroot/trillianlog/internal/logserver"
)

// integrateAtOnce is how many leaves one integration takes. A batch that closes
// a gap may need several.
const integrateAtOnce = 4096

// integrator is a storage.LogStorage whose AddSequencedLeaves also integrates, in
// the same transaction: when it returns, the leaves are in the tree whose root is
// stored, unless there is a gap before them. Leaves that went Trillian's own way
// are integrated by themselves; should that fail, retry has it done again.
//
// Its leaves come from Trillian's server, which computes their hashes.
type integrator struct {
	*storage
	clock      *logserver.Clock
	maxLag     time.Duration // Options.MaxClockLag
	retry      func(error)   // is told that an integration failed
	integrated func()        // is told of each new tree head

	mu  sync.Mutex
	end uint64 // after the last index that is known to be stored

	// edge is the tree's as the last write has left it; nil if that is not known.
	edge atomic.Pointer[edge]
	// made is the root that the last write has made, until it is asked for.
	made atomic.Pointer[knownRoot]
	// told is the last root that latest has given.
	told atomic.Pointer[knownRoot]
}

// knownRoot is a root that the database has, or had.
type knownRoot struct {
	root *trillian.SignedLogRoot
	size uint64
	at   time.Time // when it was the newest
}

// newsFor is how long what a write has made counts as the database's answer.
const newsFor = 20 * time.Millisecond

// latest is the newest root. Whoever asks first after a write of this process gets
// the root that it made, all others what the database says now.
func (g *integrator) latest(ctx context.Context, tree int64) (*trillian.SignedLogRoot, error) {
	made, told := g.made.Swap(nil), g.told.Load()
	if made != nil && time.Since(made.at) < newsFor && (told == nil || made.size >= told.size) {
		g.told.Store(made)
		return made.root, nil
	}
	head, err := g.head(ctx, tree)
	if err != nil {
		return nil, err
	}
	root, err := head.signed()
	if err != nil {
		return nil, err
	}
	g.told.Store(&knownRoot{root, head.TreeSize, time.Now()})
	return root, nil
}

// covering is a root whose tree has leaves up to an end, where it has them: the one
// that was given last, if it does, so that nobody has to ask for it.
func (g *integrator) covering(ctx context.Context, tree int64, end uint64) (*trillian.SignedLogRoot, uint64, error) {
	if told := g.told.Load(); told != nil && told.size >= end {
		return told.root, told.size, nil
	}
	head, err := g.head(ctx, tree)
	if err != nil {
		return nil, 0, err
	}
	root, err := head.signed()
	return root, head.TreeSize, err
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
	g.made.Store(nil)
	var made *trillian.SignedLogRoot
	var grown *edge
	results, together, err := g.add(ctx, tree, leaves, at, func(s *session) (err error) {
		made, grown, err = g.grow(ctx, tree, s, leaves)
		return err
	})
	if err != nil {
		return nil, err
	}
	g.reach(after(leaves))
	if together {
		g.edge.Store(grown)
		if made != nil {
			g.made.Store(&knownRoot{made, after(leaves), time.Now()})
		}
		return results, nil
	}
	// The leaves are durable, so whatever happens now is no error of this call.
	if err := g.catchUp(ctx, tree); err != nil {
		g.retry(err)
	}
	return results, nil
}

// grow takes the leaves that the session's transaction has just stored into the tree,
// and others behind them that were stored before. It gives the new root, if they do
// not lie behind a gap, and the tree's edge, if it could be used.
func (g *integrator) grow(ctx context.Context, tree *trillian.Tree, s *session, leaves []*trillian.LogLeaf) (*trillian.SignedLogRoot, *edge, error) {
	e := g.edge.Swap(nil)
	if e == nil {
		var err error
		if e, err = readEdge(ctx, s.db, tree); err != nil {
			return nil, nil, err
		}
	}
	at := uint64(g.clock.Now().UnixNano())
	if e == nil || uint64(leaves[0].LeafIndex) != e.head.TreeSize || g.reach(0) > after(leaves) || at <= e.head.TimestampNanos {
		made, err := g.integrate(ctx, tree, s.storage, leaves)
		return made, nil, err
	}
	made, err := e.grow(ctx, s, leaves, at)
	if err != nil {
		return nil, nil, err
	}
	g.integrated()
	return made, e, nil
}

// catchUp integrates what is stored and not integrated, in transactions of its own.
func (g *integrator) catchUp(ctx context.Context, tree *trillian.Tree) error {
	done, err := g.take(ctx)
	if err != nil {
		return err
	}
	defer done()
	_, err = g.integrate(ctx, tree, g.LogStorage, nil)
	return err
}

// integrate takes all stored leaves up to the first gap into the tree, and gives
// its new root; nil if there were none. added are adjoining ones that this process
// has just stored. Who calls it has the turn.
func (g *integrator) integrate(ctx context.Context, tree *trillian.Tree, in trillianstorage.LogStorage, added []*trillian.LogLeaf) (made *trillian.SignedLogRoot, err error) {
	end := max(g.reach(0), after(added))
	for {
		one := &integration{LogStorage: in, added: added, pass: g.pass}
		// No guard window and no limit on the age of a root: roots are made by
		// leaves alone.
		n, err := tlog.IntegrateBatch(ctx, tree, integrateAtOnce, 0, 0, g.clock, one, quota.Noop())
		switch {
		case err != nil:
			return nil, err
		case n == 0:
			return made, nil
		}
		g.integrated()
		if made = one.made; one.size+uint64(n) >= end {
			return made, nil
		}
	}
}

// pass makes the clock later than a root's time, unless that lies too far ahead:
// another process with another clock may have made it.
func (g *integrator) pass(root types.LogRootV1) error {
	if err := checkClock(time.Now(), root.TimestampNanos, g.maxLag); err != nil {
		return err
	}
	g.clock.Pass(root.TimestampNanos)
	return nil
}

// after is the index after the last of the leaves, which adjoin each other.
func after(leaves []*trillian.LogLeaf) uint64 {
	if len(leaves) == 0 {
		return 0
	}
	return uint64(leaves[len(leaves)-1].LeafIndex) + 1
}

// integration is the storage.LogStorage of one IntegrateBatch.
type integration struct {
	trillianstorage.LogStorage
	added []*trillian.LogLeaf
	pass  func(types.LogRootV1) error // is told of the root before
	size  uint64                      // of the tree before
	made  *trillian.SignedLogRoot     // of the tree after; nil if it did not change
}

func (i *integration) ReadWriteTransaction(ctx context.Context, tree *trillian.Tree, f trillianstorage.LogTXFunc) error {
	return i.LogStorage.ReadWriteTransaction(ctx, tree, func(ctx context.Context, tx trillianstorage.LogTreeTX) error {
		root, err := readRoot(ctx, tx)
		if err != nil {
			return err
		}
		i.size = root.TreeSize
		if err := i.pass(root); err != nil {
			return err
		}
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
	if added := t.of.added; len(added) > 0 && len(added) <= limit && uint64(added[0].LeafIndex) == t.of.size {
		return added, nil
	}
	return t.LogTreeTX.DequeueLeaves(ctx, limit, cutoff)
}

// StoreSignedLogRoot is part of storage.LogTreeTX.
func (t integrationTX) StoreSignedLogRoot(ctx context.Context, root *trillian.SignedLogRoot) error {
	t.of.made = root
	return t.LogTreeTX.StoreSignedLogRoot(ctx, root)
}

// Trillian's storage does not tell a root that it could not read from an empty
// one (fetchLatestRoot in storage/mysql/log_storage.go). What follows does.

var errRoot = status.Error(codes.Unavailable, "the newest tree head could not be read")

// ReadWriteTransaction is part of storage.LogStorage.
func (g *integrator) ReadWriteTransaction(ctx context.Context, tree *trillian.Tree, f trillianstorage.LogTXFunc) error {
	return g.storage.ReadWriteTransaction(ctx, tree, func(ctx context.Context, tx trillianstorage.LogTreeTX) error {
		if _, err := readRoot(ctx, tx); err != nil && !errors.Is(err, trillianstorage.ErrTreeNeedsInit) {
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
	if _, err := readRoot(ctx, tx); err != nil {
		_ = tx.Close()
		return nil, err
	}
	return tx, nil
}

func readRoot(ctx context.Context, tx trillianstorage.ReadOnlyLogTreeTX) (root types.LogRootV1, err error) {
	slr, err := tx.LatestSignedLogRoot(ctx)
	if err != nil {
		return root, err
	}
	if err := root.UnmarshalBinary(slr.LogRoot); err != nil {
		return root, err
	}
	if len(root.RootHash) == 0 {
		return root, errRoot
	}
	return root, nil
}
