package indexlog

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/tallyroot/tallyroot/provenance/historyindex/store"
	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
)

// ErrNotServed says that there is no index to prove histories with yet, or not since
// the start. What wraps it says why.
var ErrNotServed = errors.New("the history index is not there yet")

// A Snapshot is what histories are proved with at one moment. Everything in it belongs
// together, and none of it may be changed. It is safe for concurrent use until it is
// closed.
type Snapshot struct {
	IndexCheckpoint []byte     // signed, as published
	IndexLeaf       []byte     // the last one that it commits to
	IndexProof      [][32]byte // that the leaf is there: inclusion at size − 1
	LogCheckpoint   []byte     // signed, of the size and root in the leaf
	Size            uint64     // of LogCheckpoint
	View            *store.View
}

// Close lets go of the snapshot, which must not be used any more.
func (s *Snapshot) Close() { s.View.Close() }

// state is a Snapshot without its View.
type state struct {
	indexCheckpoint []byte
	leaf            store.Leaf
	proof           [][32]byte
	logCheckpoint   []byte
}

// Snapshot gives the newest published state, which has to be closed: as long as it is
// open, the disk keeps what it needs. Error: ErrNotServed.
func (l *Log) Snapshot() (*Snapshot, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	st := l.served
	if st == nil {
		return nil, l.notServed()
	}
	view, err := l.index.View()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotServed, err)
	}
	if view.Leaf().Number != st.leaf.Number {
		// A map that was behind has just come to the published leaf, and show has not.
		view.Close()
		return nil, fmt.Errorf("%w: the newest index checkpoint is about to be shown", ErrNotServed)
	}
	return &Snapshot{st.indexCheckpoint, st.leaf.Text, st.proof, st.logCheckpoint, st.leaf.Checkpoint.Size, view}, nil
}

// show has readers see the published index checkpoint, if all is there that proves
// with it; otherwise they go on seeing what they saw.
func (l *Log) show() error {
	pub := l.published.Load()
	if pub == nil || pub.unmet != nil {
		return nil
	}
	next, err := l.state(pub)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.index.Publish(pub.checkpoint.Size); err != nil {
		return err
	}
	view, err := l.index.View()
	if errors.Is(err, store.ErrNotServed) {
		return nil // the map is being made
	}
	if err != nil {
		return err
	}
	defer view.Close()
	switch {
	case view.Leaf().Number != next.leaf.Number: // an older one is shown while the map is made
	case next.logCheckpoint == nil:
		l.served = nil
		l.unserved = fmt.Errorf("the log's checkpoint of size %d, which it is about, is not there", next.leaf.Checkpoint.Size)
	default:
		l.served = next
	}
	return nil
}

// state gives what is to be shown for a published index checkpoint. It has no
// logCheckpoint if the log's is not there.
func (l *Log) state(pub *publication) (*state, error) {
	size := pub.checkpoint.Size
	leaf, err := l.index.Leaf(size - 1)
	if err != nil {
		return nil, err
	}
	hash, err := l.options.Tiles.LeafHash(size - 1)
	if err != nil {
		return nil, err
	}
	if hash != tiles.LeafHash(leaf.Text) {
		return nil, fmt.Errorf("leaf %d of the index log is not the published one", leaf.Number)
	}
	proof, err := l.options.Tiles.InclusionProof(size-1, size)
	if err != nil {
		return nil, err
	}
	st := &state{indexCheckpoint: pub.signed, leaf: leaf, proof: proof}
	root, err := l.options.Log.Root(leaf.Checkpoint.Size)
	switch {
	case errors.Is(err, tiles.ErrRange):
		return st, nil // the log's files were put back to an older copy, and may come to it again
	case err != nil:
		return nil, err
	case root != leaf.Checkpoint.Root:
		return nil, stop(trillianlog.Forked, "the newest leaf is about the log's first %d entries with the root %x, and they have %x: put the log's newest copy back", leaf.Checkpoint.Size, leaf.Checkpoint.Root, root)
	}
	if now, signed := l.options.Log.Published(); now == leaf.Checkpoint {
		st.logCheckpoint = signed
		return st, nil
	}
	// The log has gone on, or has nothing yet that meets a policy that is new: what met
	// the old one is still served.
	st.logCheckpoint, err = l.kept.get(leaf)
	return st, err
}

// refresh shows the log's checkpoint with the cosignatures that it has got meanwhile.
func (l *Log) refresh() error {
	l.mu.RLock()
	st := l.served
	l.mu.RUnlock()
	now, signed := l.options.Log.Published()
	if st == nil {
		return l.show()
	}
	if now != st.leaf.Checkpoint || bytes.Equal(signed, st.logCheckpoint) {
		return nil
	}
	if err := l.kept.put(st.leaf.Number, signed); err != nil {
		return err
	}
	fresh := *st
	fresh.logCheckpoint = signed
	l.mu.Lock()
	l.served = &fresh
	l.mu.Unlock()
	return nil
}
