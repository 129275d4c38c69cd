package store

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// A state is the map at one leaf of the index log, as long as somebody holds it.
type state struct {
	leaf     Leaf
	top      *node
	snapshot *pebble.Snapshot
	holders  int
}

// renew makes the state of the leaf that the map has come to if there is none.
func (x *Index) renew() {
	h := x.reached.Load()
	if x.newest != nil || h.leaves == 0 {
		return
	}
	leaf, err := parseLeaf(h.leaves-1, h.leaf)
	if err != nil || leaf.Checkpoint.Size != h.next {
		return // the map has entries that no leaf is about yet
	}
	x.readers.Lock()
	x.newest = &state{leaf: leaf, top: x.top, snapshot: x.db.NewSnapshot(), holders: 1}
	x.readers.Unlock()
	x.serve()
}

// forget gives up the newest state: the map is about to leave it.
func (x *Index) forget() {
	x.readers.Lock()
	defer x.readers.Unlock()
	x.drop(&x.newest)
}

// serve shows the newest state to readers if it is published.
func (x *Index) serve() {
	x.readers.Lock()
	defer x.readers.Unlock()
	if x.newest == nil || x.newest.leaf.Size() != x.published || x.newest == x.served {
		return
	}
	x.drop(&x.served)
	x.newest.holders++
	x.served = x.newest
}

// drop lets go of a state. The last holder closes it.
func (x *Index) drop(held **state) {
	st := *held
	*held = nil
	if st == nil {
		return
	}
	if st.holders--; st.holders == 0 {
		// It fails only if it was closed before.
		_ = st.snapshot.Close()
	}
}

// Pending gives the newest leaf, if it is not known to be published. After a start
// none is, until Publish says so.
func (x *Index) Pending() (Leaf, bool, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.ready(); err != nil {
		return Leaf{}, false, err
	}
	count := x.Leaves()
	if count == x.published {
		return Leaf{}, false, nil
	}
	leaf, err := x.leaves.get(count - 1)
	return leaf, err == nil, err
}

// Publish says that an index checkpoint of that size is published. If it covers the
// newest leaf, readers see its state from now on; if the map is not there, they do
// when it is. It may be called again, and after a start it must be: with the size
// of the published index checkpoint.
//
// Error: ErrLeavesLost, if there are not so many leaves; ErrClosed.
func (x *Index) Publish(size uint64) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.ready(); err != nil {
		return err
	}
	if count := x.Leaves(); size > count {
		return fmt.Errorf("%w: an index checkpoint of size %d is published, and there are %d", ErrLeavesLost, size, count)
	}
	x.published = max(x.published, size)
	x.serve()
	return nil
}

// A View is the index at one published index checkpoint. It is safe for concurrent
// use until it is closed.
type View struct {
	index *Index
	state *state
}

// View gives the index at the newest published index checkpoint. It has to be
// closed: as long as it is open, the disk keeps what it needs. Errors: ErrNotServed,
// ErrClosed.
func (x *Index) View() (*View, error) {
	x.readers.Lock()
	defer x.readers.Unlock()
	switch {
	case x.closed:
		return nil, ErrClosed
	case x.served == nil:
		return nil, ErrNotServed
	}
	x.served.holders++
	x.views.Add(1)
	return &View{x, x.served}, nil
}

// Leaf gives the last leaf of the view's index checkpoint.
func (v *View) Leaf() Leaf { return v.state.leaf }

// Close lets go of the view, which must not be used any more.
func (v *View) Close() {
	x := v.index
	x.readers.Lock()
	x.drop(&v.state)
	x.readers.Unlock()
	x.views.Done()
}
