package tiles

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"iter"
	"slices"

	"github.com/tallyroot/tallyroot/trillianlog/internal/tiletree"
)

// node gives the root of the complete subtree of 2^row leaves that begins at leaf
// i·2^row. The subtree must be complete in the view.
func (s *Store) node(v *view, row int, i uint64) (Hash, error) {
	level, index, inner, at := tiletree.Place(row, i)
	t := v.edge.tiles[level]
	if index != tiletree.FullTiles(v.edge.size, level) {
		var err error
		if t, err = s.fullTile(v, level, index); err != nil {
			return Hash{}, err
		}
	}
	return *t.Node(inner, at), nil
}

// fullTile gives a full tile, whose hash was found in the level above, and so on up
// to the right edge: a damaged file is an error, never a wrong hash.
func (s *Store) fullTile(v *view, level int, index uint64) (*tiletree.Tile, error) {
	id := tileID{level, index}
	if t, ok := s.tiles.Get(id); ok {
		return t, nil
	}
	want, err := s.node(v, tiletree.Height*(level+1), index)
	if err != nil {
		return nil, err
	}
	t, err := s.readTile(level, index, Width)
	if err != nil {
		return nil, err
	}
	if t.Root() != want {
		return nil, &DamageError{File: s.path(TilePath(level, index, Width)), Problem: "does not give its hash in the level above"}
	}
	s.tiles.Put(id, t)
	return t, nil
}

// LeafHash gives the leaf hash of a published entry. Error: ErrRange, *DamageError.
func (s *Store) LeafHash(index uint64) (Hash, error) {
	v := s.published.Load()
	if index >= v.edge.size {
		return Hash{}, rangeError("index", index, v)
	}
	return s.node(v, 0, index)
}

// Entry gives a published entry; the slice is the caller's. Errors: ErrRange,
// *DamageError.
func (s *Store) Entry(ctx context.Context, index uint64) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	v := s.published.Load()
	if index >= v.edge.size {
		return nil, rangeError("index", index, v)
	}
	n, i := index/Width, int(index%Width)
	if n == tiletree.FullTiles(v.edge.size, 0) {
		return bytes.Clone(v.edge.bundle.entry(i)), nil
	}
	ends, ok := s.bundles.Get(n)
	if !ok {
		b, err := s.verifiedBundle(v, n)
		if err != nil {
			return nil, err
		}
		ends = make([]uint32, Width)
		for i, end := range b.ends {
			ends[i] = uint32(end)
		}
		s.bundles.Put(n, ends)
		return bytes.Clone(b.entry(i)), nil
	}
	want, err := s.node(v, 0, index)
	if err != nil {
		return nil, err
	}
	name := s.path(EntriesPath(n, Width))
	begin := uint32(lengthSize)
	if i > 0 {
		begin += ends[i-1]
	}
	entry := make([]byte, ends[i]-begin)
	if err := readAt(name, entry, int64(begin)); err != nil {
		return nil, &DamageError{File: name, Problem: fmt.Sprintf("cannot be read (%v)", err)}
	}
	if LeafHash(entry) != want {
		return nil, damagedEntry(name, index)
	}
	return entry, nil
}

// Entries gives n published entries from first on, in order, as Stream does. They
// are all in memory: ask for a bounded number.
func (s *Store) Entries(ctx context.Context, first, n uint64) ([][]byte, error) {
	entries := make([][]byte, 0, min(n, 16*Width))
	for entry, err := range s.Stream(ctx, first, n) {
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

// Stream gives n published entries from first on, in order; each was compared with
// its leaf hash. The slices stay valid and must not be changed. The sequence ends
// after the first error: ErrRange, *DamageError or the context's.
func (s *Store) Stream(ctx context.Context, first, n uint64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		v := s.published.Load()
		if first > v.edge.size || n > v.edge.size-first {
			yield(nil, rangeError("end", first+n, v))
			return
		}
		for end := first + n; first < end; {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			b, err := s.verifiedBundle(v, first/Width)
			if err != nil {
				yield(nil, err)
				return
			}
			for i := int(first % Width); i < b.len() && first < end; i++ {
				if !yield(b.entry(i), nil) {
					return
				}
				first++
			}
		}
	}
}

// verifiedBundle gives a bundle of the view with every entry compared with its
// leaf hash. The partial one needs no check: its entries gave the leaf hashes.
func (s *Store) verifiedBundle(v *view, index uint64) (*bundle, error) {
	if index == tiletree.FullTiles(v.edge.size, 0) {
		return &v.edge.bundle, nil
	}
	t, err := s.fullTile(v, 0, index)
	if err != nil {
		return nil, err
	}
	name := s.path(EntriesPath(index, Width))
	data, err := readFile(name, maxBundleSize)
	if err != nil {
		return nil, err
	}
	ends, err := entryEnds(data, Width)
	if err != nil {
		return nil, &DamageError{File: name, Problem: fmt.Sprintf("cannot be read (%v)", err)}
	}
	if ends[Width-1] != len(data) {
		return nil, &DamageError{File: name, Problem: fmt.Sprintf("goes on after its %d entries", Width)}
	}
	b := &bundle{data: data, ends: ends}
	for i := range Width {
		if LeafHash(b.entry(i)) != *t.Node(0, uint64(i)) {
			return nil, damagedEntry(name, index*Width+uint64(i))
		}
	}
	return b, nil
}

func damagedEntry(name string, index uint64) error {
	return &DamageError{File: name, Problem: fmt.Sprintf("holds other bytes for the entry %d than the log commits to", index)}
}

func rangeError(what string, n uint64, v *view) error {
	return fmt.Errorf("tiles: %w: the %s %d, the size %d", ErrRange, what, n, v.edge.size)
}

// File gives what stands at a path below the log's prefix, for a server to answer
// with. immutable says that it may be cached for ever; only the checkpoint is not.
// Every partial width of the published tree is answered, whether it has a file or
// not. What is beyond the published checkpoint, or no path of a log, is an error
// that is fs.ErrNotExist. Hashes were compared with the root; the entries of a full
// bundle were not, since whoever reads them does. The caller must not change data.
func (s *Store) File(path string) (data []byte, immutable bool, err error) {
	return s.file(path, s.published.Load())
}

// DurableFile is File for tiles and bundles that no published checkpoint covers yet
// too. It is for a log whose durable entries are never taken back: what it gives
// counts as immutable.
func (s *Store) DurableFile(path string) (data []byte, immutable bool, err error) {
	return s.file(path, s.durable.Load())
}

// file gives the published checkpoint, or a tile or bundle of the view.
func (s *Store) file(path string, v *view) (data []byte, immutable bool, err error) {
	p, err := ParsePath(path)
	if err != nil {
		return nil, false, notFound(path)
	}
	if p.Kind == KindCheckpoint {
		signed := s.Published()
		if signed == nil {
			return nil, false, notFound(path)
		}
		return slices.Clip(signed), false, nil
	}
	if p.Level >= tiletree.Levels {
		return nil, false, notFound(path)
	}
	full := tiletree.FullTiles(v.edge.size, p.Level)
	partial := p.Index == full && p.Width <= v.edge.width(p.Level)
	if p.Index >= full && !partial {
		return nil, false, notFound(path)
	}
	switch {
	case p.Kind == KindEntries && partial:
		return slices.Clip(v.edge.bundle.data[:v.edge.bundle.ends[p.Width-1]]), true, nil
	case p.Kind == KindEntries:
		data, err = s.fullBundle(p.Index, p.Width)
	default:
		t := v.edge.tiles[p.Level]
		if !partial {
			t, err = s.fullTile(v, p.Level, p.Index)
		}
		if err == nil {
			data = t.AppendHashes(make([]byte, 0, p.Width*len(Hash{})), p.Width)
		}
	}
	return data, err == nil, err
}

// fullBundle gives the first entries of a full bundle as they are stored.
func (s *Store) fullBundle(index uint64, width int) ([]byte, error) {
	name := s.path(EntriesPath(index, Width))
	data, err := readFile(name, maxBundleSize)
	if err != nil || width == Width {
		return data, err
	}
	ends, err := entryEnds(data, width)
	if err != nil {
		return nil, &DamageError{File: name, Problem: fmt.Sprintf("cannot be read (%v)", err)}
	}
	return data[:ends[width-1]], nil
}

func notFound(path string) error {
	return &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
}
