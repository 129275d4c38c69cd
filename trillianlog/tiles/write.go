package tiles

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"

	"github.com/tallyroot/tallyroot/trillianlog/internal/tiletree"
)

// RootWith gives the root of the tree that has leaves with these hashes after the
// Size entries of the store. Nothing is written: it is what a publisher compares
// and signs before it extends the tiles.
func (s *Store) RootWith(leaves []Hash) Hash {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tip.rootWith(leaves)
}

// Extend adds entries and returns when they and their tiles are durable. Readers
// see them after Publish. leaves are the leaf hashes that the caller's root was
// computed from, nil if there are none: an entry that does not have its hash is
// refused (ErrLeaf), since a bundle that differs from its tile could never be
// mended. After an error, which may be a full disk, nothing was added and
// Extend can be called again.
func (s *Store) Extend(entries [][]byte, leaves []Hash) error {
	if leaves != nil && len(leaves) != len(entries) {
		return fmt.Errorf("tiles: %d leaf hashes for %d entries", len(leaves), len(entries))
	}
	for i, e := range entries {
		if len(e) > MaxEntrySize {
			return fmt.Errorf("tiles: entry %d: %w: %d bytes; the limit is %d", i, ErrEntryTooLarge, len(e), MaxEntrySize)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(entries) == 0 {
		return nil
	}
	if err := s.openGrowing(); err != nil {
		return fmt.Errorf("tiles: %w", err)
	}
	x := extension{tip: s.tip, store: s, appended: len(s.tip.bundle.data)}
	for i, e := range entries {
		leaf := LeafHash(e)
		if leaves != nil && leaf != leaves[i] {
			return fmt.Errorf("tiles: entry %d: %w", s.tip.size+uint64(i), ErrLeaf)
		}
		x.add(e, leaf)
	}
	growing, err := x.write()
	if err != nil {
		// What the growing file holds is unknown now; after a failed sync even what can
		// be read back may not be on the disk.
		s.closeGrowing()
		return fmt.Errorf("tiles: %w", err)
	}
	if growing != s.growing {
		s.closeGrowing()
		s.growing = growing
	}
	for _, t := range x.tiles {
		s.tiles.Put(t.id, t.tile)
	}
	s.tip = x.tip
	s.durable.Store(newView(s.tip, checkpoint.Checkpoint{}, nil))
	return nil
}

// openGrowing writes the growing file anew if its state is not known. What it
// holds may be published, so the old file stays until the new one is durable.
func (s *Store) openGrowing() error {
	if s.growing != nil || s.tip.bundle.len() == 0 {
		return nil
	}
	name := s.growingPath(tiletree.FullTiles(s.tip.size, 0))
	if err := s.dirs.forFile(name); err != nil {
		return err
	}
	f, err := s.disk.replace(name, s.tip.bundle.data)
	if err != nil {
		return err
	}
	if err := s.dirs.sync(); err != nil {
		f.Close()
		return err
	}
	s.growing = f
	return nil
}

func (s *Store) growingPath(index uint64) string {
	return s.path(EntriesPath(index, Width)) + growingSuffix
}

func (s *Store) closeGrowing() error {
	if s.growing == nil {
		return nil
	}
	err := s.growing.Close()
	s.growing = nil
	return err
}

// An extension collects what one call of Extend has to write. The store's own tip
// stays as it is until all of it is durable.
type extension struct {
	store    *Store
	tip      edge
	appended int    // bytes of the first bundle that the growing file already holds
	first    []byte // the first bundle, once it is full and was in the growing file
	bundles  []fullBundle
	tiles    []fullTile
}

type fullBundle struct {
	index uint64
	data  []byte
}

type fullTile struct {
	id   tileID
	tile *tiletree.Tile
}

func (x *extension) add(entry []byte, leaf Hash) {
	x.tip.bundle.add(entry)
	x.tip.add(leaf, func(level int, index uint64, t *tiletree.Tile) {
		x.tiles = append(x.tiles, fullTile{tileID{level, index}, t})
	})
	if x.tip.bundle.len() < Width {
		return
	}
	data := x.tip.bundle.data
	x.tip.bundle = bundle{data: make([]byte, 0, len(data))} // the next one is likely as long
	if x.first == nil && x.appended > 0 {
		x.first = data
		return
	}
	x.bundles = append(x.bundles, fullBundle{x.tip.size/Width - 1, data})
}

// write makes everything durable: first what the files hold, then their names. It
// gives the file that holds the new tip's partial bundle, nil if that is empty.
func (x *extension) write() (growing *os.File, err error) {
	s := x.store
	growing = s.growing
	var jobs []func() error

	old := tiletree.FullTiles(s.tip.size, 0) // the index of the bundle that was partial
	switch data := x.tip.bundle.data; {
	case x.first != nil:
		jobs = append(jobs, s.appendJob(s.growing, x.first, x.appended))
		growing = nil
	case x.appended > 0:
		jobs = append(jobs, s.appendJob(s.growing, data, x.appended))
	}
	for _, b := range x.bundles {
		jobs = append(jobs, x.fileJob(EntriesPath(b.index, Width), b.data))
	}
	for _, t := range x.tiles {
		data := t.tile.AppendHashes(make([]byte, 0, Width*len(Hash{})), Width)
		jobs = append(jobs, x.fileJob(TilePath(t.id.level, t.id.index, Width), data))
	}
	if growing == nil && x.tip.bundle.len() > 0 {
		name := s.growingPath(tiletree.FullTiles(x.tip.size, 0))
		if err := s.dirs.forFile(name); err != nil {
			return nil, err
		}
		jobs = append(jobs, func() (err error) {
			growing, err = s.disk.writeSynced(name, x.tip.bundle.data)
			return err
		})
	}
	defer func() {
		if err != nil && growing != nil && growing != s.growing {
			growing.Close()
		}
	}()
	if err := parallel(jobs); err != nil {
		return growing, err
	}
	if x.first != nil {
		if err := s.dirs.forFile(s.growingPath(old)); err != nil {
			return growing, err
		}
		if err := os.Rename(s.growingPath(old), s.path(EntriesPath(old, Width))); err != nil {
			return growing, err
		}
	}
	return growing, s.dirs.sync()
}

// appendJob appends what a file does not hold yet.
func (s *Store) appendJob(f *os.File, data []byte, held int) func() error {
	return func() error {
		if _, err := f.WriteAt(data[held:], int64(held)); err != nil {
			return err
		}
		return s.disk.sync(f)
	}
}

// fileJob writes a full tile or bundle. Nothing published can be in its place: a
// file that is there was left by a crash.
func (x *extension) fileJob(resource string, data []byte) func() error {
	name := x.store.path(resource)
	err := x.store.dirs.forFile(name)
	return func() error {
		if err != nil {
			return err
		}
		f, err := x.store.disk.writeSynced(name, data)
		if err != nil {
			return err
		}
		return f.Close()
	}
}

// Publish puts a signed checkpoint in the place of the published one and shows
// readers what it commits to. Its size and root must be those of the tiles
// (ErrOrder, ErrRoot); its signatures are the caller's affair. The same checkpoint
// may be published again, with other signatures too.
//
// The file `checkpoint` follows at once, durably, unless it was written within the
// last settlePause; then it follows when that is over, or at Settle or Close. So a
// crash can leave an older checkpoint there than readers have seen: the caller
// must be able to publish the newer one again, as one can who keeps its text.
func (s *Store) Publish(signed []byte) error {
	c, _, err := checkpoint.Parse(signed)
	if err != nil {
		return fmt.Errorf("tiles: publish: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.published.Load()
	if bytes.Equal(signed, old.signed) && c.Size == s.tip.size {
		return nil
	}
	if old.signed != nil && c.Origin != old.checkpoint.Origin {
		return fmt.Errorf("tiles: publish: %w: it is of the log %q, the published one of %q", ErrOrder, c.Origin, old.checkpoint.Origin)
	}
	if c.Size != s.tip.size {
		return fmt.Errorf("tiles: publish: %w: its size is %d, the tiles hold %d entries", ErrOrder, c.Size, s.tip.size)
	}
	v := newView(s.tip, c, slices.Clone(signed))
	if c.Root != v.folds[64] {
		return fmt.Errorf("tiles: publish: %w: %x, the tiles of %d entries give %x", ErrRoot, c.Root, c.Size, v.folds[64])
	}
	s.published.Store(v)
	if time.Since(s.settledAt) < s.pace {
		s.settleLater()
		return nil
	}
	if err := s.settle(); err != nil {
		s.published.Store(old)
		return err
	}
	return nil
}
