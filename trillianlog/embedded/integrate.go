package embedded

import (
	"context"
	"time"

	"github.com/google/trillian"
	tlog "github.com/google/trillian/log"
	"github.com/google/trillian/quota"
	"github.com/google/trillian/storage"
	"github.com/google/trillian/util/clock"
)

// integrateAtOnce is how many leaves IntegrateBatch takes at a time; a batch
// that closes a gap may need it several times.
const integrateAtOnce = 4096

// integrator is a storage.LogStorage whose AddSequencedLeaves also integrates,
// in the same transaction and with the same fsync: when it returns, the leaves
// are in the tree whose root is stored. Leaves behind a gap are stored, and
// integrated by the call that closes the gap.
//
// Its leaves come from Trillian's server, which computes their hashes.
type integrator struct {
	*store
	clock clock.TimeSource
}

func (g *integrator) AddSequencedLeaves(ctx context.Context, tree *trillian.Tree, leaves []*trillian.LogLeaf, at time.Time) ([]*trillian.QueuedLogLeaf, error) {
	if err := g.disk.room(); err != nil {
		return nil, err
	}
	var res []*trillian.QueuedLogLeaf
	err := g.update(ctx, tree, func(ctx context.Context, tx *writeTX) (err error) {
		if tx.st.root == nil {
			return storage.ErrTreeNeedsInit
		}
		if res, err = tx.add(leaves, at, true); err != nil {
			return err
		}
		for {
			// No guard window and no limit on the age of a root: roots are
			// made by leaves alone.
			n, err := tlog.IntegrateBatch(ctx, tree, integrateAtOnce, 0, 0, g.clock, within{g.store, tx}, quota.Noop())
			if err != nil {
				return err
			}
			if n == 0 || tx.st.size == tx.st.next {
				return nil
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return res, nil
}

// within is a storage.LogStorage whose read-write transaction is one that is
// open already.
type within struct {
	storage.LogStorage
	tx storage.LogTreeTX
}

func (w within) ReadWriteTransaction(ctx context.Context, _ *trillian.Tree, f storage.LogTXFunc) error {
	return f(ctx, w.tx)
}
