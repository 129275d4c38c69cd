package mirror

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/fetch"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
)

// Entries are put into the copy when so many have come, or so many bytes: then they are
// durable.
const (
	copyEntries = 16 * tiles.Width
	copyBytes   = 16 << 20
)

// copying is one log on its way.
type copying struct {
	step, name string // for people
	dir        string
	store      *tiles.Store
	source     fetch.Source
	to         checkpoint.Checkpoint
	signed     []byte
	publish    func(signed []byte) error // when all of it is here
}

// copy brings the copy of a log to a checkpoint. Each entry was compared with the
// checkpoint's tree before it is written.
//
// After a crash the copy stands at the checkpoint before. Full bundles and tiles that
// had come are still there, and are taken from the disk the next time.
func (m *Mirror) copy(ctx context.Context, c copying) error {
	have, signed := c.store.Checkpoint()
	if bytes.Equal(signed, c.signed) {
		return nil
	}
	if signed != nil {
		if err := m.continues(ctx, c, have); err != nil {
			return err
		}
	}
	if done := c.store.Size(); done > c.to.Size {
		return fmt.Errorf("a copy of the %s was begun up to its leaf %d, and the origin has only %d now: an old copy of it answers", c.name, done, c.to.Size)
	}
	source := &resumed{Source: c.source, dir: m.path(c.dir), from: have.Size / tiles.Width, given: map[string]string{}}
	log := fetch.Open(source, c.to, fetch.Options{})
	for {
		err := m.extend(ctx, c, log)
		if err == nil {
			break
		}
		// What is on the disk beyond the published checkpoint is nobody's promise.
		if damaged := new(fetch.DamageError); !errors.As(err, &damaged) || !source.drop(damaged.File) {
			return err
		}
		log = fetch.Open(source, c.to, fetch.Options{})
	}
	if err := c.publish(c.signed); err != nil {
		return fmt.Errorf("publish the copy of the %s at size %d: %w", c.name, c.to.Size, err)
	}
	return nil
}

// continues tells whether the origin's log begins with the copy.
func (m *Mirror) continues(ctx context.Context, c copying, have checkpoint.Checkpoint) error {
	forked := func(size uint64) error {
		return fmt.Errorf("%w: the first %d leaves of its %s have another root; both checkpoints are signed, keep them: the copy's stands in %s, the origin's is of size %d with the root %x", ErrForked, size, c.name, m.options.Dir, c.to.Size, c.to.Root)
	}
	if have.Origin != c.to.Origin {
		return fmt.Errorf("the folder holds a copy of %s, and the origin is %s: copy it into another folder", have.Origin, c.to.Origin)
	}
	if c.to.Size < have.Size {
		root, err := c.store.Root(c.to.Size)
		if err != nil {
			return err
		}
		if root != c.to.Root {
			return forked(c.to.Size)
		}
		return fmt.Errorf("the origin's %s has %d leaves, and the copy has %d: an old copy of it answers, or it was rolled back", c.name, c.to.Size, have.Size)
	}
	root, err := fetch.Open(c.source, c.to, fetch.Options{}).Root(ctx, have.Size)
	if err != nil {
		return err
	}
	if root != have.Root {
		return forked(have.Size)
	}
	return nil
}

// extend adds what the copy does not have.
func (m *Mirror) extend(ctx context.Context, c copying, log *fetch.Log) error {
	var entries [][]byte
	size, done := 0, c.store.Size()
	flush := func() error {
		if len(entries) == 0 {
			return nil
		}
		if err := c.store.Extend(entries, nil); err != nil {
			return fmt.Errorf("write the copy of the %s: %w", c.name, err)
		}
		done += uint64(len(entries))
		entries, size = nil, 0
		m.options.Progress(Progress{c.step, done, c.to.Size})
		return nil
	}
	for e, err := range log.Stream(ctx, done, c.to.Size-done) {
		if err != nil {
			return errors.Join(flush(), err)
		}
		entries, size = append(entries, e), size+len(e)
		if len(entries) >= copyEntries || size >= copyBytes {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// resumed is the origin, but for full bundles and the tiles below them that stand on the
// disk beyond the published checkpoint, as an interrupted copy leaves them.
type resumed struct {
	fetch.Source
	dir  string
	from uint64 // index of the first such bundle

	mu    sync.Mutex
	given map[string]string // files of the disk that were given, by their address at the origin
}

func (r *resumed) Get(ctx context.Context, path string, limit int64) ([]byte, error) {
	p, err := tiles.ParsePath(path)
	if err != nil || p.Kind == tiles.KindCheckpoint || p.Level > 0 || p.Width < tiles.Width || p.Index < r.from {
		return r.Source.Get(ctx, path, limit)
	}
	local := fetch.Folder(r.dir)
	data, err := local.Get(ctx, path, limit)
	if err != nil {
		return r.Source.Get(ctx, path, limit)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.given[r.Source.Address(path)] = local.Address(path)
	return data, nil
}

// drop removes what was read from the disk in the place of a file of the origin, and
// tells whether it was.
func (r *resumed) drop(address string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	file, ok := r.given[address]
	delete(r.given, address)
	return ok && os.Remove(file) == nil
}
