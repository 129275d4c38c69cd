package store

import (
	"context"
	"fmt"
)

// ReadAhead reads entries up to size that the map does not have, for the next Update:
// so that most of its work is done when a leaf is due. It stops when it has so many
// that they have to be written. It writes nothing, and what it has read counts as
// little as the log's word for it: Update compares the root of all entries with the
// checkpoint's.
//
// After an error the next call begins anew. Errors: ErrBehind, ErrClosed, what the log
// gives.
func (x *Index) ReadAhead(ctx context.Context, size uint64, log Log) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.readAhead(ctx, size, log); err != nil {
		return fmt.Errorf("read ahead for the history index to entry %d: %w", size, err)
	}
	return nil
}

func (x *Index) readAhead(ctx context.Context, size uint64, log Log) error {
	if err := x.readyForLeaf(); err != nil {
		return err
	}
	f := x.feed(ctx, log, size)
	defer f.close()
	f.use(x.takeRead(size))
	if f.next >= size {
		x.read = f.begun
		return nil
	}
	r, err := f.gather(size, x.options.run)
	x.read = r
	return err
}

// takeRead gives what was read ahead, if that is what the map needs on its way to
// size; nil if not. It is nobody else's then.
func (x *Index) takeRead(size uint64) *run {
	r := x.read
	x.read = nil
	if r == nil || r.begin() != x.Next() || r.end > size {
		return nil
	}
	return r
}

// use has the feed begin with what was read ahead, which may be nil.
func (f *feed) use(r *run) {
	if r != nil {
		f.begun, f.next, f.end = r, r.end, r.end
	}
}
