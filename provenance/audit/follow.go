package audit

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/historyindex/store"
	"github.com/tallyroot/tallyroot/provenance/participant"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/fetch"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
)

// A tee reads the log for the index, and has each bundle replayed on its way.
type tee struct {
	log    *fetch.Log
	replay *replay
}

// Stream is what the index asks for.
func (t tee) Stream(ctx context.Context, first, n uint64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		at := first
		for bundle, err := range t.log.Bundles(ctx, first, n) {
			if err == nil {
				err = t.replay.feed(ctx, at, bundle)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			at += uint64(len(bundle))
			for _, e := range bundle {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// read has the entries below end replayed.
func (t tee) read(ctx context.Context, end uint64) error {
	at := t.replay.fed
	if at >= end {
		return nil
	}
	for bundle, err := range t.log.Bundles(ctx, at, end-at) {
		if err == nil {
			err = t.replay.feed(ctx, at, bundle)
		}
		if err != nil {
			return err
		}
		at += uint64(len(bundle))
	}
	return nil
}

// follow compares the leaves of the index log with what the log's entries give, as far
// as the log goes at its head. The error may be a finding about the index log.
func (a *Auditor) follow(ctx context.Context, t tee, index *head) error {
	// The entries that the map has, and the replay has not.
	if err := t.read(ctx, min(a.index.Next(), t.log.Checkpoint().Size)); err != nil {
		return err
	}
	if a.index.Behind() {
		if err := a.index.CatchUp(ctx, t); err != nil {
			return err
		}
	}
	have := a.index.Leaves()
	if have > index.Checkpoint.Size {
		return &Finding{
			Kind: RolledBack, Log: index.Checkpoint.Origin, name: fmt.Sprint(index.Checkpoint.Size, " ", have),
			Problem: fmt.Sprintf("the index log is published at size %d, and %d of its leaves were read before", index.Checkpoint.Size, have),
		}
	}
	if err := a.sameLeaf(ctx, have, index); err != nil {
		return err
	}
	return a.index.Follow(ctx, until(index.log.Stream(ctx, have, index.Checkpoint.Size-have), t.log.Checkpoint()), t)
}

// sameLeaf tells whether the last leaf that was read is still there.
func (a *Auditor) sameLeaf(ctx context.Context, have uint64, index *head) error {
	if have == 0 {
		return nil
	}
	leaf, err := a.index.Leaf(have - 1)
	if err != nil {
		return err
	}
	hash, err := index.log.LeafHash(ctx, have-1)
	if err != nil || hash == tiles.LeafHash(leaf.Text) {
		return err
	}
	number := have - 1
	return &Finding{
		Kind: Fork, Log: index.Checkpoint.Origin, Index: &number, Evidence: []string{string(index.signed)},
		Problem: fmt.Sprintf("leaf %d of the index log is another one than was read there before", number),
	}
}

// until gives the leaves that are about at most the log's size.
func until(leaves iter.Seq2[[]byte, error], log checkpoint.Checkpoint) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for text, err := range leaves {
			if err == nil {
				if leaf, err := historyindex.ParseLeaf(text); err == nil && leaf.Checkpoint.Origin == log.Origin && leaf.Checkpoint.Size > log.Size {
					return
				}
			}
			if !yield(text, err) || err != nil {
				return
			}
		}
	}
}

// indexPause is how long to wait before the index log is read again.
const indexPause = 500 * time.Millisecond

// abreast compares what is added to the index log, until it covers the log at its head:
// an index log that is read again is believed no more than when it was read first. Where
// it is ahead of the head, the head is read again, and what is new in it.
// Errors: a finding if it does not cover it, or about what was added.
func (a *Auditor) abreast(ctx context.Context, r *Report, t tee, log, index *head, genesis participant.Genesis) error {
	deadline, size := time.Now().Add(a.options.IndexWait), log.Checkpoint.Size
	for {
		if a.index.Leaves() < index.Checkpoint.Size {
			now, err := a.ahead(ctx, log, index, genesis.LogKey, deadline)
			if err != nil {
				return err
			}
			seen := r.Log.Seen
			r.Log = reportHead(now)
			r.Log.Seen = seen
			*log, t.log, a.progress.total = *now, now.log, now.Checkpoint.Size
			if err := t.read(ctx, now.Checkpoint.Size); err != nil {
				return err
			}
			if err := a.follow(ctx, t, index); err != nil {
				return err
			}
			continue
		}
		covered, err := a.covered()
		if err != nil || covered >= size {
			return err
		}
		if time.Now().After(deadline) {
			return &Finding{
				Kind: IndexBehind, Log: index.Checkpoint.Origin, Evidence: []string{string(index.signed)}, name: fmt.Sprint(index.Checkpoint.Size),
				Problem: fmt.Sprintf("the index log covers %d entries of %d, and nothing was added to it in %s: histories do not show the newest entries", covered, size, a.options.IndexWait),
			}
		}
		if err := sleep(ctx, indexPause); err != nil {
			return err
		}
		newer, err := a.readIndex(ctx, genesis.IndexKey)
		if err != nil {
			return err
		}
		if newer.Checkpoint.Size > index.Checkpoint.Size {
			if err := a.compare(ctx, "index log", a.options.Index, newer); err != nil {
				return err
			}
			seen := r.Index.Seen
			r.Index.HeadReport = reportHead(newer)
			r.Index.Seen = seen
			if err := a.follow(ctx, t, newer); err != nil {
				return err
			}
			index = newer
		}
	}
}

// covered is how many of the log's entries the leaves cover that were compared.
func (a *Auditor) covered() (uint64, error) {
	leaves := a.index.Leaves()
	if leaves == 0 {
		return 0, nil
	}
	last, err := a.index.Leaf(leaves - 1)
	return last.Checkpoint.Size, err
}

// ahead gives a newer head of the log, which has the entries that the next leaf is about:
// the log was read first, and may have grown. Errors: a finding if it has not grown so.
func (a *Auditor) ahead(ctx context.Context, log, index *head, logKey string, deadline time.Time) (*head, error) {
	number := a.index.Leaves()
	text, err := index.log.Entry(ctx, number)
	if err != nil {
		return nil, err
	}
	leaf, err := historyindex.ParseLeaf(text)
	if err != nil {
		return nil, err
	}
	about := leaf.Checkpoint
	for {
		now, err := a.readHead(ctx, "log", a.options.Log, a.options.Policy, func(*fetch.Log) (string, error) { return logKey, nil })
		if err != nil {
			return nil, err
		}
		if err := a.compare(ctx, "log", a.options.Log, now); err != nil {
			if f := found(err, log.Checkpoint.Origin); f != nil {
				return nil, f
			}
			return nil, err
		}
		bad := func(format string, args ...any) error {
			return &Finding{
				Kind: IndexLeaf, Log: index.Checkpoint.Origin, Index: &number, Evidence: []string{string(index.signed), string(now.signed)},
				Problem: fmt.Sprintf(format, args...),
			}
		}
		if about.Size <= now.Checkpoint.Size {
			root, err := now.log.Root(ctx, about.Size)
			if err != nil {
				return nil, err
			}
			if root != about.Root {
				return nil, bad("it is about the log's first %d entries with the root %x, and the log's have the root %x", about.Size, about.Root, root)
			}
			return now, nil
		}
		if time.Now().After(deadline) {
			return nil, bad("it is about %d entries, and the log has %d", about.Size, now.Checkpoint.Size)
		}
		if err := sleep(ctx, indexPause); err != nil {
			return nil, err
		}
	}
}

func (a *Auditor) readIndex(ctx context.Context, key string) (*head, error) {
	return a.readHead(ctx, "index log", a.options.Index, a.options.IndexPolicy, func(*fetch.Log) (string, error) { return key, nil })
}

// ofLog tells whether an error that stopped the index is about the log, and not about
// the index.
func ofLog(err error, origin string) bool {
	var damage *fetch.DamageError
	var missing *fetch.MissingError
	return errors.As(err, &damage) && damage.Checkpoint.Origin == origin || errors.As(err, &missing) && missing.Checkpoint.Origin == origin
}

var _ store.Log = tee{}
