package indexlog

import (
	"context"
	"iter"
	"sync/atomic"
	"testing"
	"time"
)

// followed notes up to where the log has been read.
type followed struct {
	Source
	to atomic.Uint64
}

func (f *followed) Stream(ctx context.Context, first, n uint64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for e, err := range f.Source.Stream(ctx, first, n) {
			if first++; err == nil && first > f.to.Load() {
				f.to.Store(first)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// Entries are read before the leaf about them is due. A process that ends then leaves
// what was published, and the next one goes on from there: also while witnesses are
// away, and with a map that it has to make again.
func TestReadAhead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	away := w.witnessed()
	var log *followed
	slow := func(o *Options) {
		log = &followed{Source: o.Log}
		o.Log, o.Every = log, time.Hour
	}
	w.add(50, 20)
	l := w.open(slow)
	w.reaches(l, 50)
	for _, size := range []uint64{100, 150, 200} {
		w.add(50, 20)
		l.LogPublished()
		w.until(l, "the entries are read", func(Status) bool { return log.to.Load() == size })
	}
	if st := l.Status(); st.Covered != 50 || st.Stats.Entries != 50 || st.Stats.Leaves != 1 || w.check(l) != 50 {
		t.Errorf("before the leaf is due: %+v", st)
	}
	w.close(l)

	away.Store(true)
	w.remove("index-store/map")
	l = w.open(slow)
	w.until(l, "the published leaf is shown", func(st Status) bool { return st.Covered == 50 })
	w.until(l, "the entries are read", func(Status) bool { return log.to.Load() == 200 })
	w.close(l)

	l = w.open(func(o *Options) { o.Every = time.Millisecond })
	w.until(l, "a leaf waits", func(st Status) bool { return st.Publishing != nil && st.Stats.Leaves == 2 })
	if w.check(l) != 50 {
		t.Error("shown before it is published")
	}
	w.close(l)
	l = w.open(slow)
	w.until(l, "the published leaf is shown", func(st Status) bool { return st.Covered == 50 })
	away.Store(false)
	w.reaches(l, 200)
	if st := l.Status(); st.Published != 2 || st.Err != nil {
		t.Errorf("afterwards %+v", st)
	}
}
