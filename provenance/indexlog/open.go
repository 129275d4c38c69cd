package indexlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/tallyroot/tallyroot/internal/pebblelog"
	"github.com/tallyroot/tallyroot/provenance/historyindex/store"
	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
)

// LastCheckpointLost: the last-checkpoint store is empty, or cannot be read, and the
// index log is not empty.
const LastCheckpointLost trillianlog.Reason = "last checkpoint lost"

// bound is what the last-checkpoint store holds.
type bound struct {
	checkpoint.Checkpoint
	text []byte
}

// publication is a published index checkpoint.
type publication struct {
	checkpoint checkpoint.Checkpoint
	signed     []byte
	verdict    policy.Verdict
	unmet      error // nil if it meets the policy
	at         time.Time
}

// open compares what is published (P), what the index log is bound to (L) and its
// leaves (N), and goes on from there. P ≤ L ≤ N, each a prefix of the next, is what
// any crash leaves behind. So is N < P = L after the leaves were lost: the published
// ones come back from the tiles. Everything else stops the index log.
func (l *Log) open(ctx context.Context) error {
	if err := l.checkKey(); err != nil {
		return err
	}
	index, err := openIndex(l.options.Dir, l.logger)
	if err != nil {
		return err
	}
	l.index = index
	if err := l.loadPublished(); err != nil {
		return err
	}
	if err := l.unlessStopped(l.judge(ctx)); err != nil {
		return err
	}
	l.leafAt = l.options.Tiles.WrittenAt()
	l.logger.Info("history index opened", "origin", l.options.Origin, "leaves", l.index.Leaves(), "bound", l.bound.Size, "published", l.size(), "entries", l.index.Next())
	if size := l.size(); size == 0 || size > l.index.Leaves() || l.stopped() {
		return nil
	}
	return l.unlessStopped(l.show())
}

// unlessStopped makes a state of the index log of an error that is a reason to stop.
func (l *Log) unlessStopped(err error) error {
	if why, ok := errors.AsType[*trillianlog.StopError](err); ok {
		l.stop(why)
		return nil
	}
	return err
}

// openIndex opens map and leaves. A map that is damaged is deleted: it is made again
// from the log, and compared with every leaf.
func openIndex(dir string, logger *slog.Logger) (*store.Index, error) {
	o := store.Options{Dir: dir, Logger: pebblelog.Logger{To: logger}}
	index, err := store.Open(o)
	if errors.Is(err, store.ErrDamaged) {
		logger.Error("the history index's map is damaged; it is deleted and made again from the log", "error", err)
		if err := os.RemoveAll(filepath.Join(dir, "map")); err != nil {
			return nil, err
		}
		index, err = store.Open(o)
	}
	return index, err
}

// checkKey fails if the policy would refuse whatever the index log signs.
func (l *Log) checkKey() error {
	signed, err := checkpoint.Sign(empty(l.options.Origin), l.options.Signer)
	if err != nil {
		return err
	}
	if _, err := l.options.Policy.Check(signed); err != nil && !errors.Is(err, policy.ErrQuorum) {
		return fmt.Errorf("the index policy does not accept the index log's own key: %w", err)
	}
	return nil
}

// loadPublished reads P.
func (l *Log) loadPublished() error {
	published, signed := l.options.Tiles.Checkpoint()
	if signed == nil {
		return nil
	}
	if published.Origin != l.options.Origin {
		return fmt.Errorf("the published index checkpoint is of the log %q", published.Origin)
	}
	verdict, unmet := l.options.Policy.Check(signed)
	switch {
	case errors.Is(unmet, policy.ErrQuorum): // the policy asks for more than it did
		l.logger.Warn("the published index checkpoint does not meet the policy; it is cosigned again", "error", unmet)
	case unmet != nil:
		return fmt.Errorf("the published index checkpoint is not this log's: %w", unmet)
	}
	l.published.Store(&publication{published, signed, verdict, unmet, l.options.Tiles.WrittenAt()})
	l.renewAt = verdict.Time.Add(l.options.CosignEvery)
	return nil
}

// size is that of the published index checkpoint.
func (l *Log) size() uint64 {
	if pub := l.published.Load(); pub != nil {
		return pub.checkpoint.Size
	}
	return 0
}

// judge reads L and gives a *trillianlog.StopError if P, L and N do not agree.
func (l *Log) judge(ctx context.Context) error {
	published, _ := l.options.Tiles.Checkpoint()
	leaves := l.index.Leaves()
	text, err := l.options.Last.Load(ctx)
	switch {
	case errors.Is(err, trillianlog.ErrNoLastCheckpoint) && leaves == 0 && published.Size == 0:
		// From now on, none means that it was lost.
		text = []byte(empty(l.options.Origin).Body())
		if err := l.options.Last.Swap(ctx, nil, text); err != nil {
			return err
		}
	case errors.Is(err, fs.ErrPermission):
		return stop(LastCheckpointLost, "%v. That is no loss: let the service's user read and write it, and start again. There is nothing to recover", err)
	case err != nil:
		return stop(LastCheckpointLost, "%v, and the index log has %d leaves: without it the index log could sign a second history. Put the file back from where it is; if it is lost, stop the service, and `tallyroot recover` starts again from the published index checkpoint", err, max(leaves, published.Size))
	}
	last, err := parseBound(text, l.options.Origin)
	if err != nil {
		return err
	}
	l.bound = last
	switch {
	case published.Size > last.Size:
		return stop(trillianlog.LastCheckpointBehind, "the last index checkpoint has size %d and the published one %d: put the newest last index checkpoint back; if it is lost, see `tallyroot recover`", last.Size, published.Size)
	case published.Size == last.Size && published.Size > 0 && published.Root != last.Root:
		return stop(trillianlog.Forked, "at size %d the published index checkpoint has the root %x and the last one %x", last.Size, published.Root, last.Root)
	case leaves < last.Size && published.Size < last.Size:
		return stop(trillianlog.RolledBack, "the index log has %d leaves and an index checkpoint of %d was signed: its folder was restored from an older copy; put the newest one back", leaves, last.Size)
	}
	if shared := min(published.Size, leaves); shared > 0 {
		leaf, err := l.index.Leaf(shared - 1)
		if err != nil {
			return err
		}
		tile, err := l.options.Tiles.LeafHash(shared - 1)
		if err != nil {
			return err
		}
		if tile != tiles.LeafHash(leaf.Text) {
			return stop(trillianlog.Forked, "leaf %d of the index log is published with the hash %x, and the kept one has %x", shared-1, tile, tiles.LeafHash(leaf.Text))
		}
	}
	if err := l.extend(last.Size); err != nil {
		return err
	}
	if root := l.options.Tiles.RootWith(nil); l.options.Tiles.Size() == last.Size && root != last.Root {
		return stop(trillianlog.Forked, "the last index checkpoint has the root %x at size %d, and the leaves give %x", last.Root, last.Size, root)
	}
	return nil
}

// extendAtOnce is how many leaves are added to the tiles at a time.
const extendAtOnce = 1024

// extend writes the tiles of the leaves below end.
func (l *Log) extend(end uint64) error {
	t := l.options.Tiles
	for t.Size() < end {
		var texts [][]byte
		for first := t.Size(); first+uint64(len(texts)) < min(end, first+extendAtOnce); {
			leaf, err := l.index.Leaf(first + uint64(len(texts)))
			if err != nil {
				return err
			}
			texts = append(texts, leaf.Text)
		}
		if err := t.Extend(texts, nil); err != nil {
			return err
		}
	}
	return nil
}

func parseBound(text []byte, origin string) (bound, error) {
	last, err := checkpoint.ParseBody(string(text))
	if err != nil {
		return bound{}, fmt.Errorf("read the last index checkpoint: %w", err)
	}
	if last.Origin != origin {
		return bound{}, fmt.Errorf("the last index checkpoint is of the log %q, this is %q: each log needs a last checkpoint of its own", last.Origin, origin)
	}
	return bound{last, text}, nil
}

func empty(origin string) checkpoint.Checkpoint {
	c := checkpoint.Checkpoint{Origin: origin}
	copy(c.Root[:], rfc6962.DefaultHasher.EmptyRoot())
	return c
}

func stop(reason trillianlog.Reason, format string, args ...any) *trillianlog.StopError {
	return &trillianlog.StopError{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}
