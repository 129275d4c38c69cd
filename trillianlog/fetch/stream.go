package fetch

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"github.com/tallyroot/tallyroot/trillianlog/internal/tiletree"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
)

// maxBundle bounds an entry bundle, in bytes.
const maxBundle = tiletree.Width * (2 + tiles.MaxEntrySize)

// Entry gives one entry.
func (l *Log) Entry(ctx context.Context, index uint64) ([]byte, error) {
	for e, err := range l.Stream(ctx, index, 1) {
		return e, err
	}
	return nil, l.beyond("entry", index)
}

// Stream gives n entries from first on, in order; each was compared with its leaf
// hash in the tree of the checkpoint. Bundles are read ahead, in parallel. The slices
// stay valid and must not be changed. The sequence ends after the first error:
// ErrRange, *DamageError, *MissingError, the source's or the context's.
func (l *Log) Stream(ctx context.Context, first, n uint64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for bundle, err := range l.Bundles(ctx, first, n) {
			if err != nil {
				yield(nil, err)
				return
			}
			for _, e := range bundle {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// Bundles gives what Stream gives, at most 256 entries at a time.
func (l *Log) Bundles(ctx context.Context, first, n uint64) iter.Seq2[[][]byte, error] {
	return func(yield func([][]byte, error) bool) {
		if n > l.checkpoint.Size || first > l.checkpoint.Size-n {
			yield(nil, fmt.Errorf("%w: %d entries from %d on, the size %d", ErrRange, n, first, l.checkpoint.Size))
			return
		}
		if n == 0 {
			return
		}
		end := first + n
		for b := range l.ahead(ctx, first/tiletree.Width, (end-1)/tiletree.Width) {
			entries, begin := b.entries, b.index*tiletree.Width
			if b.err != nil {
				yield(nil, b.err)
				return
			}
			entries = entries[:min(uint64(len(entries)), end-begin)]
			if first > begin {
				entries = entries[first-begin:]
			}
			if !yield(entries, nil) {
				return
			}
		}
	}
}

type bundle struct {
	index   uint64
	entries [][]byte
	err     error
}

// ahead reads the bundles first to last in parallel and gives them in order. When
// the loop over them ends, nothing is under way any more.
func (l *Log) ahead(ctx context.Context, first, last uint64) iter.Seq[bundle] {
	return func(yield func(bundle) bool) {
		var wg sync.WaitGroup
		defer wg.Wait()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		queue := make(chan chan bundle, l.parallel-1)
		wg.Go(func() {
			defer close(queue)
			for index := first; index <= last; index++ {
				place := make(chan bundle, 1)
				select {
				case queue <- place:
				case <-ctx.Done():
					return
				}
				wg.Go(func() {
					entries, err := l.bundle(ctx, index)
					place <- bundle{index, entries, err}
				})
			}
		})
		for index := first; index <= last; index++ {
			var b bundle
			if place, ok := <-queue; ok {
				b = <-place
			} else {
				b.err = ctx.Err()
			}
			if !yield(b) || b.err != nil {
				return
			}
		}
	}
}

// bundle reads a bundle and compares every entry with its leaf hash.
func (l *Log) bundle(ctx context.Context, index uint64) ([][]byte, error) {
	width := int(min(tiletree.Width, l.checkpoint.Size-index*tiletree.Width))
	t, err := l.tile(ctx, 0, index)
	if err != nil {
		return nil, err
	}
	data, p, err := l.get(ctx, tiles.Path{Kind: tiles.KindEntries, Index: index, Width: width}, maxBundle)
	if err != nil {
		return nil, err
	}
	entries, err := tiles.ParseBundle(data)
	if err != nil {
		return nil, l.damaged(p, fmt.Sprintf("cannot be read (%v)", err))
	}
	if len(entries) != p.Width {
		return nil, l.damaged(p, fmt.Sprintf("has %d entries instead of %d", len(entries), p.Width))
	}
	for i, e := range entries[:width] {
		if tiletree.LeafHash(e) != *t.Node(0, uint64(i)) {
			at := index*tiletree.Width + uint64(i)
			return nil, &DamageError{
				File: l.source.Address(p.String()), Checkpoint: l.checkpoint, Index: at,
				Problem: fmt.Sprintf("holds other bytes for the entry %d", at),
			}
		}
	}
	return entries[:width:width], nil
}
