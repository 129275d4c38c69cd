package mirror

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/tallyroot/tallyroot/internal/durable"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/indexlog"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
)

// Snapshot gives what histories are proved with at the newest index checkpoint that was
// copied and found to be so. It has to be closed. The error wraps indexlog.ErrNotServed
// and says why there is none.
func (m *Mirror) Snapshot() (*indexlog.Snapshot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.served == nil {
		return nil, fmt.Errorf("%w: %w", indexlog.ErrNotServed, m.why)
	}
	view, err := m.store.View()
	if err != nil {
		return nil, err
	}
	s := *m.served
	s.View = view
	return &s, nil
}

// serve serves the snapshot of what is published, to which the map has come.
func (m *Mirror) serve(ctx context.Context) error {
	next, err := m.newest()
	if err == nil && m.options.Serving != nil {
		err = m.options.Serving(ctx, next.Size)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil {
		err = m.store.Publish(m.store.Leaves())
	}
	if err == nil {
		m.served = next
	}
	m.why = err
	return err
}

// failed says why there is no newer snapshot.
func (m *Mirror) failed(err error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.why = err
	return err
}

// newest puts the snapshot of the published index checkpoint together.
func (m *Mirror) newest() (*indexlog.Snapshot, error) {
	published, signed := m.index.Checkpoint()
	if published.Size == 0 {
		return nil, ErrEmpty
	}
	if m.store.Behind() || m.store.Leaves() != published.Size {
		return nil, fmt.Errorf("the history index is made of %d of %d leaves", m.store.Leaves(), published.Size)
	}
	leaf, err := m.store.Leaf(published.Size - 1)
	if err != nil {
		return nil, err
	}
	hash, err := m.index.LeafHash(published.Size - 1)
	if err != nil {
		return nil, err
	}
	if tiles.LeafHash(leaf.Text) != hash {
		return nil, fmt.Errorf("the leaves in %s are not those of the index log in %s: stop the mirror and delete the former", m.path("index-store"), m.path("index"))
	}
	s := &indexlog.Snapshot{IndexCheckpoint: signed, IndexLeaf: leaf.Text, Size: leaf.Checkpoint.Size}
	if s.IndexProof, err = m.index.InclusionProof(leaf.Number, published.Size); err != nil {
		return nil, err
	}
	s.LogCheckpoint, err = m.logCheckpoint(leaf.Leaf)
	return s, err
}

// logCheckpoint gives the signed checkpoint that a leaf is about: the log's newest one,
// or, if the mirror was interrupted between the two logs, the one before.
func (m *Mirror) logCheckpoint(leaf historyindex.Leaf) ([]byte, error) {
	if c, signed := m.log.Checkpoint(); c == leaf.Checkpoint {
		return signed, nil
	}
	signed, err := os.ReadFile(m.path(beforeFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if c, _, err := checkpoint.Parse(signed); err == nil && c == leaf.Checkpoint {
		return signed, nil
	}
	return nil, fmt.Errorf("the log's checkpoint of size %d, which the index is about, is missing: copy again", leaf.Checkpoint.Size)
}

// beforeFile holds the log's checkpoint that the published index log is about, while the
// log is published at a newer one.
const beforeFile = "before"

// publishLog publishes a checkpoint of the log. The one that histories are proved at is
// kept until the index log is published that goes with the new one.
func (m *Mirror) publishLog(signed []byte) error {
	m.mu.Lock()
	served := m.served
	m.mu.Unlock()
	if served != nil {
		if err := durable.WriteFile(m.path(beforeFile), served.LogCheckpoint, 0o644); err != nil {
			return err
		}
	}
	return errors.Join(m.log.Publish(signed), m.log.Settle())
}

// Status is how the mirror is.
func (m *Mirror) Status() indexlog.Status {
	published, _ := m.index.Checkpoint()
	log, _ := m.log.Checkpoint()
	m.mu.Lock()
	defer m.mu.Unlock()
	st := indexlog.Status{Published: published.Size, PublishedAt: m.index.WrittenAt(), Stats: m.store.Stats()}
	if m.served == nil {
		st.Readable = fmt.Errorf("%w: %w", indexlog.ErrNotServed, m.why)
		return st
	}
	st.Publishing, st.Covered = m.why, m.served.Size
	st.Behind = max(log.Size, st.Covered) - st.Covered
	return st
}
