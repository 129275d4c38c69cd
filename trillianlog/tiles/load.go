package tiles

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"

	"github.com/tallyroot/tallyroot/trillianlog/internal/tiletree"
)

// load reads the published checkpoint and the right edge that it commits to.
func (s *Store) load() (*view, error) {
	name := s.path(CheckpointPath)
	if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
		return newView(edge{}, checkpoint.Checkpoint{}, nil), nil
	}
	signed, err := readFile(name, checkpoint.MaxSize)
	if err != nil {
		return nil, err
	}
	c, _, err := checkpoint.Parse(signed)
	if err != nil {
		return nil, &DamageError{File: name, Problem: fmt.Sprintf("cannot be read (%v)", err)}
	}
	// Several files can hold the last entries, and the hashes above them can be read
	// or computed. One combination that gives the root is proof enough.
	bundles, problems := s.edgeBundles(c.Size)
	if len(bundles) == 0 {
		return nil, &DamageError{
			File:    s.path(EntriesPath(tiletree.FullTiles(c.Size, 0), Width)),
			Problem: fmt.Sprintf("and its partial forms do not hold the last entries of the published checkpoint of size %d (%s)", c.Size, strings.Join(problems, "; ")),
		}
	}
	for _, upper := range []func(*edge) error{s.readUpper, s.rebuildUpper} {
		e := edge{size: c.Size}
		if err := upper(&e); err != nil {
			problems = append(problems, err.Error())
			continue
		}
		for _, b := range bundles {
			e.setBundle(b)
			if v := newView(e, c, signed); v.folds[64] == c.Root {
				return v, nil
			}
		}
	}
	why := ""
	if len(problems) > 0 {
		why = " (" + strings.Join(problems, "; ") + ")"
	}
	return nil, &DamageError{
		File:    s.path("tile"),
		Problem: fmt.Sprintf("does not give the root of the published checkpoint of size %d%s", c.Size, why),
	}
}

// edgeBundles gives what may be the partial bundle of a size, the likeliest first,
// and what is wrong with the files that cannot be it. If the size has no partial
// bundle, it gives an empty one.
func (s *Store) edgeBundles(size uint64) (found []bundle, problems []string) {
	width := tiletree.PartialWidth(size, 0)
	if width == 0 {
		return []bundle{{}}, nil
	}
	index := tiletree.FullTiles(size, 0)
	for _, name := range []string{
		s.growingPath(index),
		s.path(EntriesPath(index, Width)), // filled before the next checkpoint was published
		s.path(EntriesPath(index, width)), // all that a copy made over HTTP has
	} {
		data, err := readFile(name, maxBundleSize)
		if err != nil {
			problems = append(problems, err.Error())
			continue
		}
		ends, err := entryEnds(data, width)
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", name, err))
			continue
		}
		// Cut to its length and capacity: what is added later must not touch the rest.
		end := ends[width-1]
		found = append(found, bundle{data: data[:end:end], ends: ends})
	}
	return found, problems
}

// setBundle sets the partial bundle and the level 0 tile that it gives.
func (e *edge) setBundle(b bundle) {
	e.bundle = b
	if b.len() == 0 {
		return
	}
	e.tiles[0] = new(tiletree.Tile)
	for i := range b.len() {
		e.tiles[0].Set(uint64(i), LeafHash(b.entry(i)))
	}
}

// readUpper reads the partial tiles above level 0.
func (s *Store) readUpper(e *edge) error {
	for level := 1; level < tiletree.Levels; level++ {
		width := e.width(level)
		if width == 0 {
			continue
		}
		index := tiletree.FullTiles(e.size, level)
		t, err := s.readTile(level, index, width)
		if err != nil {
			return err
		}
		e.tiles[level] = t
	}
	return nil
}

// rebuildUpper computes them from the full tiles below, at most 255 a level. It is
// needed after a power failure only, since the partial files are not synced.
func (s *Store) rebuildUpper(e *edge) error {
	for level := 1; level < tiletree.Levels; level++ {
		width := e.width(level)
		if width == 0 {
			continue
		}
		t := new(tiletree.Tile)
		first := tiletree.FullTiles(e.size, level) * Width
		for i := range uint64(width) {
			below, err := s.readTile(level-1, first+i, Width)
			if err != nil {
				return err
			}
			t.Set(i, below.Root())
		}
		e.tiles[level] = t
	}
	return nil
}

// readTile reads a tile from its file, without comparing it with anything.
func (s *Store) readTile(level int, index uint64, width int) (*tiletree.Tile, error) {
	name := s.path(TilePath(level, index, width))
	want := width * len(Hash{})
	data, err := readFile(name, int64(want))
	if err != nil {
		return nil, err
	}
	if len(data) != want {
		return nil, &DamageError{File: name, Problem: fmt.Sprintf("has %d bytes instead of %d", len(data), want)}
	}
	return tiletree.ParseTile(data, width), nil
}

// checkFull checks the last full tile of each level and the last full bundle: what
// was written last before the checkpoint.
func (s *Store) checkFull(v *view) error {
	for level := range tiletree.Levels {
		n := tiletree.FullTiles(v.edge.size, level)
		if n == 0 {
			return nil
		}
		if _, err := s.fullTile(v, level, n-1); err != nil {
			return err
		}
		if level == 0 {
			if _, err := s.verifiedBundle(v, n-1); err != nil {
				return err
			}
		}
	}
	return nil
}
