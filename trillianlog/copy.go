package trillianlog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
)

// DefaultPatience is Copying.Patience where that is not set.
const DefaultPatience = 2 * time.Minute

// Copying is what [Copy] works from.
type Copying struct {
	From    Backend
	To      Backend // nil in a dry run: a target that is not there yet
	Origin  string
	Tiles   *tiles.Store    // what is published
	Last    LastCheckpoint  // what the log bound itself to
	LogKeys []note.Verifier // the log's own
	// DryRun reads and compares everything, and writes nothing.
	DryRun bool
	// Patience is how long a tree may stand still although leaves are stored that
	// it has not, where another process integrates them. 0: DefaultPatience.
	Patience time.Duration
	// Progress is told how many leaves of how many a step has done. It may be nil.
	Progress func(step CopyStep, done, total uint64)
}

// CopyStep names what [Copy] does at a moment, for a reader.
type CopyStep string

// The steps, in their order.
const (
	CopyChecks     CopyStep = "checking the source"
	CopyWrites     CopyStep = "writing"
	CopyIntegrates CopyStep = "waiting for integration"
	CopyReadsBack  CopyStep = "reading back"
)

// Copied is what [Copy] found and did.
type Copied struct {
	checkpoint.Checkpoint        // the whole log, as both now have it
	Found                 uint64 // leaves that the target had before
	Written               uint64 // leaves that it had not
}

var (
	// ErrOtherLog: the target holds leaves that are not the source's.
	ErrOtherLog = errors.New("it holds another log")
	// ErrAltered: a leaf's bytes are not what was stored, or the leaves do not
	// give a root that was signed or stated.
	ErrAltered = errors.New("its leaves are not those that were logged")
)

// Copy makes the target hold the source's leaves, at their indices and under
// their identities. It is run on a log that no process has open.
//
// Before it writes anything it has read every leaf of the source and found that
// it hashes to what was stored, that all of them give the published checkpoint,
// the last one and the root that the source states, and that what the target has
// already is the same. Afterwards it reads everything back from the target.
// When it returns nil, both have one size, one root, and the same identity for
// every leaf.
//
// A copy that was interrupted, at whatever moment, goes on when it is run again.
// The source is only read. Errors: ErrAltered, of either; ErrOtherLog; others say
// that a back end did not answer.
func Copy(ctx context.Context, o Copying) (Copied, error) {
	if o.Patience == 0 {
		o.Patience = DefaultPatience
	}
	if o.Progress == nil {
		o.Progress = func(CopyStep, uint64, uint64) {}
	}
	c := &copier{Copying: o, from: &rpc{Backend: o.From}, to: &rpc{Backend: o.To}, fresh: o.To == nil && o.DryRun}
	if err := c.measure(ctx); err != nil {
		return Copied{}, fmt.Errorf("the source: %w", err)
	}
	if err := c.compare(ctx); err != nil {
		return Copied{}, err
	}
	whole, err := c.source.checkpoint(o.Origin)
	if err != nil {
		return Copied{}, err
	}
	result := Copied{whole, c.found, whole.Size - c.found}
	if o.DryRun {
		return result, nil
	}
	for _, step := range []func(context.Context) error{c.write, c.integrated, c.readBack, c.unchanged} {
		if err := step(ctx); err != nil {
			return Copied{}, err
		}
	}
	return result, nil
}

type copier struct {
	Copying
	from, to *rpc
	fresh    bool   // the target is not there yet
	size     uint64 // of the source
	marks    []checkpoint.Checkpoint

	source  tape   // all of the source
	missing tape   // the source before the first leaf that the target has not
	found   uint64 // leaves that the target has
}

// measure finds where the source ends, and what its leaves must give.
func (c *copier) measure(ctx context.Context) error {
	next, holes, err := c.from.next(ctx)
	if err != nil {
		return err
	}
	signed, err := c.signed(ctx)
	if errors.Is(err, ErrNoLastCheckpoint) && next == 0 {
		return errors.New("it is empty: there is nothing to copy")
	}
	if err != nil {
		return err
	}
	largest := signed[len(signed)-1]
	switch {
	case next < largest.Size:
		return fmt.Errorf("%w: it has %d and a checkpoint of %d was signed: it is not the newest copy of the log", ErrAltered, next, largest.Size)
	case len(holes) > 0:
		return fmt.Errorf("it has no leaf at index %d although it has one at %d: start the service on it once, which fills such holes, and stop it again", holes[0], next-1)
	case next == 0:
		return errors.New("it is empty: there is nothing to copy")
	}
	latest, err := c.wait(ctx, c.from, next, CopyChecks)
	if err != nil {
		return err
	}
	if latest.size != next {
		return fmt.Errorf("%w: Trillian states a tree of %d leaves and %d are stored", ErrAltered, latest.size, next)
	}
	c.size = next
	c.marks = append(signed, checkpoint.Checkpoint{Origin: c.Origin, Size: latest.size, Root: latest.hash})
	return nil
}

// signed gives the last checkpoint and the published one, in rising order.
func (c *copier) signed(ctx context.Context) ([]checkpoint.Checkpoint, error) {
	text, err := c.Last.Load(ctx)
	if errors.Is(err, ErrNoLastCheckpoint) {
		return nil, fmt.Errorf("%w: without it nobody knows whether these are all leaves that were signed; put the file back, or see `tallyroot recover`", err)
	}
	if err != nil {
		return nil, err
	}
	bound, err := parseBound(text, c.Origin)
	if err != nil {
		return nil, err
	}
	all := []checkpoint.Checkpoint{bound.Checkpoint}
	if text := c.Tiles.Published(); text != nil {
		published, err := checkpoint.Open(text, c.LogKeys...)
		if err != nil {
			return nil, fmt.Errorf("the published checkpoint: %w", err)
		}
		if published.Origin != c.Origin {
			return nil, fmt.Errorf("the published checkpoint is of the log %q, this is %q", published.Origin, c.Origin)
		}
		all = append(all, published)
	}
	slices.SortStableFunc(all, bySize)
	return all, nil
}

// wait asks for the tree until it has size leaves. An empty step is none to tell of.
func (c *copier) wait(ctx context.Context, where *rpc, size uint64, step CopyStep) (latest root, err error) {
	var pause backoff
	for last, grew := uint64(0), time.Now(); ; {
		err := try(ctx, func() (err error) {
			latest, err = where.root(ctx)
			return err
		})
		if err != nil {
			return root{}, err
		}
		if latest.size >= size {
			return latest, nil
		}
		if latest.size > last {
			last, grew, pause = latest.size, time.Now(), backoff{}
			if step != "" {
				c.Progress(step, latest.size, size)
			}
		}
		if time.Since(grew) > c.Patience {
			return root{}, fmt.Errorf("%d leaves are stored and its tree has had %d for %v: is Trillian's log signer running?", size, latest.size, c.Patience)
		}
		if err := pause.wait(ctx); err != nil {
			return root{}, err
		}
	}
}

// copyAttempts is how often a back end is asked before Copy gives up: for a few
// seconds, which is what a lost connection costs. What is away for longer is
// waited for by whoever runs Copy again.
const copyAttempts = 9

func try(ctx context.Context, f func() error) error {
	var pause backoff
	for attempt := 1; ; attempt++ {
		err := f()
		if err == nil || errors.Is(err, ErrOtherLog) || errors.Is(err, ErrAltered) || attempt == copyAttempts || pause.wait(ctx) != nil {
			return err
		}
	}
}

// read reads leaves from first on, of either side.
func (c *copier) read(ctx context.Context, where *rpc, first uint64, name string) (leaves []copiedLeaf, err error) {
	err = try(ctx, func() (err error) {
		leaves, err = where.copied(ctx, first, int(min(c.size-first, maxReadLeaves)))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return leaves, nil
}
