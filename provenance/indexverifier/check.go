package indexverifier

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tallyroot/tallyroot/internal/durable"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/historyindex/store"
	"github.com/tallyroot/tallyroot/provenance/participant"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/fetch"
	"github.com/tallyroot/tallyroot/trillianlog/witness"
)

// check finds out whether an index checkpoint is so. It is called by one at a time.
func (v *Verifier) check(ctx context.Context, c checkpoint.Checkpoint, signed []byte) error {
	if c.Origin != participant.IndexOrigin(v.origin) {
		return fmt.Errorf("the checkpoint is of %.255q, and this rebuilds %s", c.Origin, participant.IndexOrigin(v.origin))
	}
	if c.Size == 0 {
		return nil // it says nothing of the log
	}
	published, signedLog, err := v.publishedLog(ctx)
	if err != nil {
		return err
	}
	err = v.rebuild(ctx, c, signed, published)
	if errors.Is(err, witness.ErrRefuted) {
		v.keepProof(err, signed, signedLog)
	}
	return err
}

// publishedLog gives the log's published checkpoint, which its key has signed.
func (v *Verifier) publishedLog(ctx context.Context) (checkpoint.Checkpoint, []byte, error) {
	signed, err := fetch.Checkpoint(ctx, v.options.Log)
	if err != nil {
		return checkpoint.Checkpoint{}, nil, err
	}
	c, err := checkpoint.Open(signed, v.logKeys...)
	if err != nil {
		return c, nil, fmt.Errorf("the log's published checkpoint: %w", err)
	}
	return c, signed, nil
}

// rebuild brings the leaves and the map to the index checkpoint and compares. What is
// rebuilt before an error is kept: each leaf of it is one of the index log, which its
// key has signed, and was found to be what the log's entries give.
func (v *Verifier) rebuild(ctx context.Context, c checkpoint.Checkpoint, signed []byte, published checkpoint.Checkpoint) error {
	log := fetch.Open(v.options.Log, published, fetch.Options{})
	if err := v.continues(ctx, v.index.Leaves(), published, log); err != nil {
		return err
	}
	if err := v.catchUp(ctx, log); err != nil {
		return err
	}
	if err := v.follow(ctx, c, signed, log); err != nil {
		return err
	}
	if same, err := v.tree.has(c.Root, c.Size); err != nil {
		return err
	} else if !same {
		return refuted("the index log's first %d leaves, which were rebuilt here under an earlier checkpoint of it, do not have this checkpoint's root %x: the index log was forked", c.Size, c.Root)
	}
	return v.continues(ctx, c.Size, published, log)
}

func refuted(format string, args ...any) error {
	return fmt.Errorf("%w: %w", witness.ErrRefuted, fmt.Errorf(format, args...))
}

// continues tells whether the tree that the last of the first leaves is about is a
// beginning of the log's published one. If so, those of the leaves before are too,
// since all were computed from the same entries.
func (v *Verifier) continues(ctx context.Context, leaves uint64, published checkpoint.Checkpoint, log *fetch.Log) error {
	if leaves == 0 {
		return nil
	}
	leaf, err := v.index.Leaf(leaves - 1)
	if err != nil {
		return err
	}
	from := leaf.Checkpoint
	if from.Size > published.Size {
		return fmt.Errorf("leaf %d of the index log is about %d entries, and the log's published checkpoint has %d", leaf.Number, from.Size, published.Size)
	}
	root, err := log.Root(ctx, from.Size)
	if err != nil {
		return fmt.Errorf("read the log's tree: %w", err)
	}
	if root != from.Root || published.Origin != from.Origin {
		return refuted("leaf %d of the index log is about the first %d entries of a log %s with the root %x; the published log of %s has the root %x there", leaf.Number, from.Size, from.Origin, from.Root, published.Origin, root)
	}
	return nil
}

// catchUp makes the map again, if it was deleted.
func (v *Verifier) catchUp(ctx context.Context, log *fetch.Log) error {
	err := v.index.CatchUp(ctx, log)
	if errors.Is(err, store.ErrAhead) {
		if err = v.index.Reset(); err == nil {
			err = v.index.CatchUp(ctx, log)
		}
	}
	if different := new(store.DifferenceError); errors.As(err, &different) {
		// These leaves were found to be so once, and the log has not changed.
		return fmt.Errorf("what was rebuilt before is damaged; stop the index-verifier, delete %s, and it is made again: %w", v.options.Dir, err)
	}
	return err
}

// follow takes the index log's leaves that are not here yet.
func (v *Verifier) follow(ctx context.Context, c checkpoint.Checkpoint, signed []byte, log *fetch.Log) error {
	if v.index.Leaves() >= c.Size {
		return nil
	}
	if err := durable.WriteFile(filepath.Join(v.options.Dir, followedFile), signed, 0o600); err != nil {
		return err
	}
	err := v.takeLeaves(ctx, c, log)
	if errors.Is(err, store.ErrAhead) {
		// It had begun with the entries of a leaf that came to nothing.
		if err := v.index.Reset(); err != nil {
			return err
		}
		if err := v.catchUp(ctx, log); err != nil {
			return err
		}
		err = v.takeLeaves(ctx, c, log)
	}
	different := new(store.DifferenceError)
	if errors.As(err, &different) || errors.Is(err, store.ErrOrder) || errors.Is(err, historyindex.ErrLeafForm) {
		return refuted("%w", err)
	}
	return err
}

// takeLeaves compares each leaf with the tree of the index checkpoint before it is
// taken: what somebody else put in its place would stay here for good.
func (v *Verifier) takeLeaves(ctx context.Context, c checkpoint.Checkpoint, log *fetch.Log) error {
	have := v.index.Leaves()
	leaves := fetch.Open(v.options.Index, c, fetch.Options{}).Stream(ctx, have, c.Size-have)
	return v.index.Follow(ctx, leaves, log)
}

// Files beside the index.
const (
	// followedFile holds the signed index checkpoint whose leaves were taken last: if
	// one comes that contradicts it, both together prove the fork.
	followedFile = "followed"
	// refutedDir holds what proves the first claim that was not so.
	refutedDir = "refuted"
)

// keepProof keeps what others need to find out the same: the signed index checkpoint,
// the log's, and the index checkpoint that was followed before. The first stays.
func (v *Verifier) keepProof(why error, signedIndex, signedLog []byte) {
	dir := filepath.Join(v.options.Dir, refutedDir)
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, os.ErrExist) {
		return
	}
	followed, readErr := os.ReadFile(filepath.Join(v.options.Dir, followedFile))
	if errors.Is(readErr, os.ErrNotExist) {
		readErr = nil
	}
	err = errors.Join(err, readErr)
	for name, text := range map[string][]byte{
		"index-checkpoint": signedIndex, "log-checkpoint": signedLog, "followed": followed, "reason": []byte(why.Error() + "\n"),
	} {
		if text != nil {
			err = errors.Join(err, durable.WriteFile(filepath.Join(dir, name), text, 0o600))
		}
	}
	v.logger.Error("THE INDEX LOG CLAIMS WHAT IS NOT SO; publish the proof", "proof", dir, "reason", why, "error", err)
}
