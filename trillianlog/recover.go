package trillianlog

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/note"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
)

// Recovery is what [Recover] works from.
type Recovery struct {
	Backend Backend
	Leaves  Leaves // instead of Backend, for a log that has none
	Tiles   *tiles.Store
	Last    LastCheckpoint
	Origin  string
	LogKeys []note.Verifier // the log's own
	// Seen are signed checkpoints that others hold, each witness's newest
	// above all: what they saw, the log can never go behind.
	Seen [][]byte
}

// Leaves are a log's, in order.
type Leaves interface {
	// Size is how many there are.
	Size(ctx context.Context) (uint64, error)
	// Hashes gives their hashes from first on, at least one and at most n.
	Hashes(ctx context.Context, first uint64, n int) ([][32]byte, error)
}

// backendLeaves are those that a back end has integrated.
type backendLeaves struct{ *rpc }

func (b backendLeaves) Size(ctx context.Context) (uint64, error) {
	latest, err := b.root(ctx)
	return latest.size, err
}

func (b backendLeaves) Hashes(ctx context.Context, first uint64, n int) ([][32]byte, error) {
	_, hashes, err := b.leaves(ctx, first, n)
	return hashes, err
}

// ErrNothingToRecover: the last-checkpoint store holds what it must hold.
var ErrNothingToRecover = errors.New("the last checkpoint is there and not behind any other: nothing to recover")

// Recover puts the largest checkpoint that is published or in Seen into a
// last-checkpoint store that lost its own or holds an older one, after it has
// read every leaf and found that they give each of these checkpoints. It signs
// nothing, changes nothing else, and needs a log that no process has open.
//
// A *StopError says that the leaves do not give one of the checkpoints. Then no
// last checkpoint can be right: the back end is not the one that the log was
// signed from, or not the newest copy of it.
func Recover(ctx context.Context, r Recovery) (checkpoint.Checkpoint, error) {
	seen, err := r.seen()
	if err != nil {
		return checkpoint.Checkpoint{}, err
	}
	if len(seen) == 0 {
		return checkpoint.Checkpoint{}, errors.New("nothing to recover from: no checkpoint is published, and none was given that somebody else holds")
	}
	largest := seen[len(seen)-1]
	old, err := r.Last.Load(ctx)
	switch {
	case errors.Is(err, ErrNoLastCheckpoint):
		old = nil
	case err != nil:
		return checkpoint.Checkpoint{}, err
	default:
		bound, err := parseBound(old, r.Origin)
		if err != nil {
			return checkpoint.Checkpoint{}, err
		}
		if bound.Size > largest.Size || bytes.Equal(old, []byte(largest.Body())) {
			return checkpoint.Checkpoint{}, ErrNothingToRecover
		}
		// What the log bound itself to counts like what others saw.
		seen = append(seen, bound.Checkpoint)
		slices.SortStableFunc(seen, bySize)
	}
	leaves := r.Leaves
	if leaves == nil {
		leaves = backendLeaves{&rpc{Backend: r.Backend}}
	}
	if err := prove(ctx, leaves, seen); err != nil {
		return checkpoint.Checkpoint{}, err
	}
	if err := r.Last.Swap(ctx, old, []byte(largest.Body())); err != nil {
		return checkpoint.Checkpoint{}, err
	}
	return largest, nil
}

func bySize(a, b checkpoint.Checkpoint) int { return cmp.Compare(a.Size, b.Size) }

// seen gives the checkpoints to start from, in rising order.
func (r *Recovery) seen() ([]checkpoint.Checkpoint, error) {
	signed := slices.Clone(r.Seen)
	if published := r.Tiles.Published(); published != nil {
		signed = append(signed, published)
	}
	var all []checkpoint.Checkpoint
	for _, text := range signed {
		c, err := checkpoint.Open(text, r.LogKeys...)
		if err != nil {
			return nil, err
		}
		if c.Origin != r.Origin {
			return nil, fmt.Errorf("a checkpoint to recover from is of the log %q, this is %q", c.Origin, r.Origin)
		}
		all = append(all, c)
	}
	slices.SortStableFunc(all, bySize)
	return all, nil
}

// prove reads the leaves and compares the root at the size of each checkpoint;
// they stand in rising order.
func prove(ctx context.Context, leaves Leaves, checkpoints []checkpoint.Checkpoint) error {
	size, err := leaves.Size(ctx)
	if err != nil {
		return err
	}
	if largest := checkpoints[len(checkpoints)-1]; size < largest.Size {
		return stop(RolledBack, "there are %d leaves and a checkpoint of %d was signed: put the newest copy of them back first", size, largest.Size)
	}
	tree := treeFactory.NewEmptyRange(0)
	for _, c := range checkpoints {
		for tree.End() < c.Size {
			if err := ctx.Err(); err != nil {
				return err
			}
			hashes, err := leaves.Hashes(ctx, tree.End(), int(min(c.Size-tree.End(), maxReadLeaves)))
			if err != nil {
				return err
			}
			for i := range hashes {
				if err := tree.Append(hashes[i][:], nil); err != nil {
					return err
				}
			}
		}
		root, err := rootOf(tree)
		if err != nil {
			return err
		}
		if root != c.Root {
			return stop(Forked, "a signed checkpoint has the root %x at size %d; the leaves give %x", c.Root, c.Size, root)
		}
	}
	return nil
}
