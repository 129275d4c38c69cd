package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/cockroachdb/pebble/v2"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
)

// Update adds the log's entries up to the checkpoint, which is a published one, and
// makes the index log's next leaf. When it returns, the leaf is durable. It is not
// served before Publish, and until then there is no next one.
//
// What ReadAhead has read is not read again.
//
// After an error no leaf was made. Entries may have been added; the next call goes
// on from there.
//
// Errors: ErrOrder, ErrUnpublished, ErrBehind, ErrRoot, ErrClosed, what the log
// gives.
func (x *Index) Update(ctx context.Context, c checkpoint.Checkpoint, log Log) (Leaf, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	leaf, err := x.update(ctx, c, log)
	if err != nil {
		return Leaf{}, fmt.Errorf("update the history index to entry %d: %w", c.Size, err)
	}
	return leaf, nil
}

func (x *Index) update(ctx context.Context, c checkpoint.Checkpoint, log Log) (Leaf, error) {
	if err := x.readyForLeaf(); err != nil {
		return Leaf{}, err
	}
	if count := x.Leaves(); x.published < count {
		return Leaf{}, fmt.Errorf("%w: it is number %d", ErrUnpublished, count-1)
	}
	if err := x.follows(c); err != nil {
		return Leaf{}, err
	}
	f := x.feed(ctx, log, c.Size)
	defer f.close()
	f.use(x.takeRead(c.Size))
	err := x.advance(f, c, pebble.Sync, func(computed historyindex.Leaf) error {
		if computed.Checkpoint.Root != c.Root {
			return fmt.Errorf("%w: %x, and they have %x", ErrRoot, c.Root, computed.Checkpoint.Root)
		}
		return nil
	})
	if err == nil {
		err = x.options.fault("leaf in the map")
	}
	if err == nil {
		err = x.record(pebble.Sync)
	}
	if err == nil {
		err = x.options.fault("leaf kept")
	}
	if err != nil {
		return Leaf{}, err
	}
	x.renew()
	return x.leaves.get(x.Leaves() - 1)
}

// maxAhead is how many leaves Follow reads before it begins with the first.
const maxAhead = 256

// Follow takes the index log's next leaves from somebody else: each one after it has
// added the entries that the leaf is about and found that they give its map root,
// and the root of its checkpoint. It does not check any signature. When it returns,
// the leaves that it has taken are durable, whether or not there is an error.
//
// Errors: *DifferenceError, historyindex.ErrLeafForm, ErrOrder, ErrAhead, ErrBehind,
// ErrClosed, what leaves and log give. The leaf at which it came up was not taken.
func (x *Index) Follow(ctx context.Context, leaves iter.Seq2[[]byte, error], log Log) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.readyForLeaf(); err != nil {
		return fmt.Errorf("follow the index log: %w", err)
	}
	f := x.feed(ctx, log, 0)
	defer f.close()
	var next []Leaf
	take := func() error {
		for _, leaf := range next {
			f.ahead = max(f.ahead, leaf.Checkpoint.Size)
		}
		for _, leaf := range next {
			if err := x.follow(f, leaf); err != nil {
				return err
			}
		}
		next = next[:0]
		return x.settle()
	}
	var err error
	for text, failed := range leaves {
		leaf := Leaf{Number: x.Leaves() + uint64(len(next))}
		if failed == nil {
			leaf, failed = parseLeaf(leaf.Number, text)
		}
		if failed != nil {
			// Those before it are taken.
			err = errors.Join(take(), fmt.Errorf("leaf %d: %w", leaf.Number, failed))
			next = nil
			break
		}
		if next = append(next, leaf); len(next) == maxAhead {
			if err = take(); err != nil {
				next = nil
				break
			}
		}
	}
	err = errors.Join(err, take(), x.settle())
	x.renew()
	if err != nil {
		return fmt.Errorf("follow the index log: %w", err)
	}
	return nil
}

func (x *Index) follow(f *feed, leaf Leaf) error {
	if err := x.follows(leaf.Checkpoint); err != nil {
		return fmt.Errorf("leaf %d: %w", leaf.Number, err)
	}
	if err := x.advance(f, leaf.Checkpoint, pebble.NoSync, leaf.compare); err != nil {
		return err
	}
	return x.record(pebble.NoSync)
}

// settle makes the leaves that Follow has taken durable; then the map need not have
// them.
func (x *Index) settle() error {
	if err := x.leaves.sync(); err != nil {
		return err
	}
	rows := keyRange(leafKey)
	if err := x.db.DeleteRange(rows.LowerBound, rows.UpperBound, pebble.NoSync); err != nil {
		return fmt.Errorf("write the history index's map: %w", err)
	}
	return nil
}

// CatchUp brings the map to the newest leaf, after it was deleted or a power failure
// took its end. It stops at each leaf on the way and compares. Next tells how far
// it is. What is served goes on being served meanwhile.
//
// Errors: *DifferenceError of the first leaf that differs, ErrAhead, ErrLeavesLost,
// ErrClosed, what the log gives.
func (x *Index) CatchUp(ctx context.Context, log Log) error {
	return x.CatchUpTo(ctx, log, math.MaxUint64)
}

// CatchUpTo is CatchUp to the last of the first leaves: to that which is published,
// if those after it cannot be for a while. A map that is beyond it stays.
func (x *Index) CatchUpTo(ctx context.Context, log Log, leaves uint64) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.catchUp(ctx, log, leaves); err != nil {
		return fmt.Errorf("bring the history index's map to its leaves: %w", err)
	}
	return nil
}

func (x *Index) catchUp(ctx context.Context, log Log, leaves uint64) error {
	if err := x.ready(); err != nil {
		return err
	}
	leaves = min(leaves, x.Leaves())
	if x.reached.Load().leaves >= leaves {
		return nil
	}
	last, err := x.leaves.get(leaves - 1)
	if err != nil {
		return err
	}
	f := x.feed(ctx, log, last.Checkpoint.Size)
	defer f.close()
	for x.reached.Load().leaves < leaves {
		leaf, err := x.leaves.get(x.reached.Load().leaves)
		if err != nil {
			return err
		}
		if err := x.advance(f, leaf.Checkpoint, pebble.NoSync, leaf.compare); err != nil {
			return err
		}
	}
	x.renew()
	return nil
}

// compare tells whether the leaf is what was computed.
func (l Leaf) compare(computed historyindex.Leaf) error {
	if l.Leaf != computed {
		return &DifferenceError{Number: l.Number, Recorded: l.Leaf, Computed: computed}
	}
	return nil
}

// Reset deletes the map, and CatchUp makes it again. What is served goes on being
// served meanwhile. The leaves stay.
func (x *Index) Reset() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.ready(); err != nil {
		return err
	}
	if err := x.db.DeleteRange([]byte{0}, []byte{0xff}, pebble.Sync); err != nil {
		x.broken = fmt.Errorf("delete the history index's map: %w", err)
		return x.broken
	}
	x.reached.Store(new(head))
	x.top, x.read = nil, nil
	x.forget()
	return nil
}

// ready tells whether the index can be changed.
func (x *Index) ready() error {
	x.readers.Lock()
	closed := x.closed
	x.readers.Unlock()
	if closed {
		return ErrClosed
	}
	if x.broken != nil {
		return fmt.Errorf("it has to be opened again after a failed write: %w", x.broken)
	}
	// What an earlier call had no success with.
	if err := x.record(pebble.Sync); err != nil {
		return err
	}
	x.renew()
	return nil
}

// readyForLeaf tells whether a leaf can follow the newest one.
func (x *Index) readyForLeaf() error {
	if err := x.ready(); err != nil {
		return err
	}
	if x.Behind() {
		return ErrBehind
	}
	return nil
}

// follows tells whether a leaf about the checkpoint can follow the newest one.
func (x *Index) follows(c checkpoint.Checkpoint) error {
	var last checkpoint.Checkpoint
	if count := x.Leaves(); count > 0 {
		leaf, err := x.leaves.get(count - 1)
		if err != nil {
			return err
		}
		last = leaf.Checkpoint
	} else {
		last.Origin = c.Origin
	}
	if c.Origin != last.Origin || c.Size <= last.Size {
		return fmt.Errorf("%w: that is of size %d of %s, and this of %d of %s", ErrOrder, last.Size, last.Origin, c.Size, c.Origin)
	}
	return nil
}

// feed reads the entries that the map does not have.
func (x *Index) feed(ctx context.Context, log Log, ahead uint64) *feed {
	return &feed{ctx: ctx, log: log, next: x.Next(), ahead: ahead}
}

// advance adds the entries up to a checkpoint's size, in runs that are one batch
// each. The last one has the leaf that was computed too, if check has nothing
// against it; with an error from check, that run is not written.
func (x *Index) advance(f *feed, c checkpoint.Checkpoint, durable *pebble.WriteOptions, check func(computed historyindex.Leaf) error) error {
	if x.Next() > c.Size {
		return fmt.Errorf("%w: %d, and not %d; Reset and CatchUp take it back", ErrAhead, x.Next(), c.Size)
	}
	for {
		r, err := f.gather(c.Size, x.options.run)
		if err != nil {
			return err
		}
		sortPostings(r.postings)
		h := *x.reached.Load()
		logRoot, err := h.extendLog(r.hashes)
		if err != nil {
			return err
		}
		top, batch, keys, err := grow(x.db, x.top, r.postings)
		if err != nil {
			return err
		}
		h.next, h.keys, h.postings, h.root = r.end, h.keys+keys, h.postings+uint64(len(r.postings)), top.root()
		last, write := r.end == c.Size, pebble.NoSync
		if last {
			leaf := historyindex.Leaf{MapRoot: h.root, Checkpoint: checkpoint.Checkpoint{Origin: c.Origin, Size: c.Size, Root: logRoot}}
			if err := check(leaf); err != nil {
				return errors.Join(err, batch.Close())
			}
			h.leaf, h.leaves, write = leaf.Append(nil), h.leaves+1, durable
			if durable == pebble.NoSync && h.leaves > x.Leaves() {
				// A crash may leave the map with this leaf, and the leaves without it.
				if err := batch.Set(appendLeafKey(nil, h.leaves-1), h.leaf, nil); err != nil {
					return errors.Join(err, batch.Close())
				}
			}
		}
		if err := x.commit(batch, &h, top, write); err != nil || last {
			return err
		}
	}
}

// extendLog adds entries to the log's tree and gives its root. The head's next is
// not changed.
func (h *head) extendLog(hashes []historyindex.Hash) (root historyindex.Hash, err error) {
	factory := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	nodes := make([][]byte, len(h.log))
	for i := range h.log {
		nodes[i] = h.log[i][:]
	}
	tree, err := factory.NewRange(0, h.next, nodes)
	if err != nil {
		return root, err
	}
	for i := range hashes {
		if err := tree.Append(hashes[i][:], nil); err != nil {
			return root, err
		}
	}
	nodes = tree.Hashes()
	h.log = make([]historyindex.Hash, len(nodes))
	for i, node := range nodes {
		h.log[i] = historyindex.Hash(node)
	}
	hash, err := tree.GetRootHash(nil)
	if err != nil {
		return root, err
	}
	return historyindex.Hash(hash), nil
}

// commit writes a run. The map is then the new one, or what is in the database is
// not known.
func (x *Index) commit(batch *pebble.Batch, h *head, top *node, durable *pebble.WriteOptions) error {
	defer batch.Close()
	if err := batch.Set([]byte{headKey}, h.append(nil), nil); err != nil {
		return err
	}
	if err := x.options.fault("run computed"); err != nil {
		return err
	}
	if err := batch.Commit(durable); err != nil {
		x.broken = fmt.Errorf("write the history index's map: %w", err)
		return x.broken
	}
	x.reached.Store(h)
	x.top = top
	x.forget()
	return x.options.fault("run written")
}
