package store

import (
	"context"
	"fmt"
	"iter"
)

// A Log is where entries are read from. A *tiles.Store is one.
type Log interface {
	// Stream gives n entries from first on, in order. It ends after the first error.
	// The slices stay valid and are not changed.
	Stream(ctx context.Context, first, n uint64) iter.Seq2[[]byte, error]
}

// A feed reads a log's entries one after the other. To begin a stream may cost as
// much as hundreds of entries, so it asks for as many as will be wanted.
type feed struct {
	ctx   context.Context
	log   Log
	begun *run   // what was read ahead of next; nil: nothing
	next  uint64 // the entry that comes next
	end   uint64 // of the stream
	ahead uint64 // up to where entries will be wanted, as far as is known
	pull  func() ([]byte, error, bool)
	stop  func()
}

// open begins a stream up to end.
func (f *feed) open(end uint64) {
	f.close()
	f.pull, f.stop = iter.Pull2(f.log.Stream(f.ctx, f.next, end-f.next))
	f.end = end
}

func (f *feed) close() {
	if f.stop != nil {
		f.stop()
	}
	f.stop, f.end = nil, f.next
}

// read gives the next entry; size is up to where entries are wanted now.
func (f *feed) read(size uint64) ([]byte, error) {
	begins := f.next >= f.end
	if begins {
		f.open(max(size, f.ahead))
	}
	entry, err, ok := f.pull()
	if err != nil && begins && f.end > size {
		f.open(size) // the log may not have all that will be wanted
		entry, err, ok = f.pull()
	}
	if err == nil && !ok {
		err = fmt.Errorf("the log gave no more, and those below %d were asked for", size)
	}
	if err != nil {
		f.close()
		return nil, fmt.Errorf("read the entry %d: %w", f.next, err)
	}
	f.next++
	return entry, nil
}
