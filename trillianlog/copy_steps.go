package trillianlog

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// compare reads the source from end to end, and what the target has of it.
func (c *copier) compare(ctx context.Context) error {
	var next uint64
	var holes []uint64
	if !c.fresh {
		var err error
		if next, holes, err = c.to.next(ctx); err != nil {
			return fmt.Errorf("the target: %w", err)
		}
	}
	if next > c.size {
		return fmt.Errorf("the target: %w: it has a leaf at index %d and the source has %d leaves", ErrOtherLog, next-1, c.size)
	}
	c.source, c.missing = newTape(c.marks), tape{}
	for c.source.size() < c.size {
		leaves, err := c.read(ctx, c.from, c.source.size(), "the source")
		if err != nil {
			return err
		}
		first := c.source.size()
		there := make([]bool, len(leaves))
		if first < next {
			err := try(ctx, func() (err error) {
				there, err = c.present(ctx, first, leaves)
				return err
			})
			if err != nil {
				return fmt.Errorf("the target: %w", err)
			}
		}
		for i, leaf := range leaves {
			index := first + uint64(i)
			if there[i] {
				c.found++
			} else if _, hole := slices.BinarySearch(holes, index); index < next && !hole {
				return fmt.Errorf("the target: %w: at index %d it has a leaf of another identity", ErrOtherLog, index)
			} else if c.missing.tree == nil {
				if c.missing, err = c.source.clone(); err != nil {
					return err
				}
			}
			if err := c.source.add(leaf); err != nil {
				return fmt.Errorf("the source: %w", err)
			}
		}
		c.Progress(CopyChecks, c.source.size(), c.size)
	}
	return nil
}

// present tells which of the leaves the target has, each where it must be.
func (c *copier) present(ctx context.Context, first uint64, leaves []copiedLeaf) ([]bool, error) {
	identities := make([][32]byte, len(leaves))
	for i := range leaves {
		identities[i] = leaves[i].identity
	}
	stored, err := c.to.find(ctx, identities)
	if err != nil {
		return nil, err
	}
	there := make([]bool, len(leaves))
	for i, leaf := range leaves {
		place, ok := stored[leaf.identity]
		there[i] = ok
		switch index := first + uint64(i); {
		case ok && place.Index != index:
			return nil, fmt.Errorf("%w: the source's leaf %d stands there at index %d", ErrOtherLog, index, place.Index)
		case ok && place.LeafHash != leaf.hash:
			return nil, fmt.Errorf("%w: its leaf %d has the hash %x, the source's %x", ErrOtherLog, index, place.LeafHash, leaf.hash)
		}
	}
	return there, nil
}

// write gives the target what it has not. A write that fails may have been done
// in part: what is there is asked for before each.
func (c *copier) write(ctx context.Context) error {
	if c.missing.tree == nil {
		return nil
	}
	written := c.missing
	for written.size() < c.size {
		first := written.size()
		leaves, err := c.read(ctx, c.from, first, "the source")
		if err != nil {
			return err
		}
		if err := c.room(ctx, first); err != nil {
			return fmt.Errorf("the target: %w", err)
		}
		err = try(ctx, func() error {
			there, err := c.present(ctx, first, leaves)
			if err != nil {
				return err
			}
			var items []*item
			var plan []uint64
			for i, leaf := range leaves {
				if !there[i] {
					items = append(items, &item{identity: leaf.identity, hash: leaf.hash, value: leaf.value})
					plan = append(plan, first+uint64(i))
				}
			}
			return c.to.add(ctx, items, plan)
		})
		if err != nil {
			return fmt.Errorf("the target: write leaves from %d on (what is written stays, and the next run goes on from there): %w", first, err)
		}
		for _, leaf := range leaves {
			if err := written.add(leaf); err != nil {
				return fmt.Errorf("the source: %w", err)
			}
		}
		c.Progress(CopyWrites, written.size(), c.size)
	}
	return c.same(written, "the source changed while it was copied")
}

// room is nil when the target takes a leaf, of which it has stored so many. One
// that has more than it can integrate is waited for.
func (c *copier) room(ctx context.Context, stored uint64) error {
	r, ok := c.To.(interface{ Reserve() error })
	if !ok {
		return nil
	}
	for {
		full := r.Reserve()
		if full == nil {
			return nil
		}
		latest, err := c.to.root(ctx)
		if err != nil {
			return err
		}
		if latest.size >= stored {
			return full
		}
		if _, err := c.wait(ctx, c.to, latest.size+1, ""); err != nil {
			return errors.Join(full, err)
		}
	}
}

// integrated waits until the target's tree has all leaves.
func (c *copier) integrated(ctx context.Context) error {
	latest, err := c.wait(ctx, c.to, c.size, CopyIntegrates)
	if err != nil {
		return fmt.Errorf("the target: %w", err)
	}
	if root := c.marks[len(c.marks)-1]; latest.size != root.Size || latest.hash != root.Root {
		return fmt.Errorf("the target: %w: Trillian states a tree of %d leaves with the root %x there; the source has %d and the root %x",
			ErrOtherLog, latest.size, latest.hash, root.Size, root.Root)
	}
	return nil
}

// readBack reads the target from end to end.
func (c *copier) readBack(ctx context.Context) error {
	back := newTape(c.marks)
	for back.size() < c.size {
		leaves, err := c.read(ctx, c.to, back.size(), "the target")
		if err != nil {
			return err
		}
		for _, leaf := range leaves {
			if err := back.add(leaf); err != nil {
				return fmt.Errorf("the target: %w", err)
			}
		}
		c.Progress(CopyReadsBack, back.size(), c.size)
	}
	return c.same(back, "what was read back from the target is not what the source has")
}

// unchanged says whether somebody wrote to the source meanwhile.
func (c *copier) unchanged(ctx context.Context) error {
	next, _, err := c.from.next(ctx)
	if err != nil {
		return fmt.Errorf("the source: %w", err)
	}
	if next != c.size {
		return fmt.Errorf("the source had %d leaves and has %d now: a service is writing to it; stop that, and run the copy again", c.size, next)
	}
	return nil
}

func (c *copier) same(t tape, otherwise string) error {
	a, err := c.source.checkpoint(c.Origin)
	if err != nil {
		return err
	}
	b, err := t.checkpoint(c.Origin)
	if err != nil {
		return err
	}
	if a != b {
		return fmt.Errorf("%s: %d leaves with the root %x, and %d with the root %x", otherwise, a.Size, a.Root, b.Size, b.Root)
	}
	if t.identities != c.source.identities {
		return fmt.Errorf("%s: the leaves are the same, and a leaf's identity is not", otherwise)
	}
	return nil
}
