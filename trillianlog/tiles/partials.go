package tiles

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/tallyroot/tallyroot/trillianlog/internal/tiletree"
)

// A partial is a partial file on disk.
type partial struct {
	path  string // in the file system
	level int    // 0 for a bundle
	count uint64 // floor(size / 256^level) of the sizes that need it
}

// writePartials writes the partial files of a size. They are not synced: they can
// always be computed again.
func (s *Store) writePartials(e *edge) error {
	for level := range tiletree.Levels {
		width := e.width(level)
		if width == 0 {
			continue
		}
		index := tiletree.FullTiles(e.size, level)
		tile := e.tiles[level]
		err := s.writePartial(TilePath(level, index, width), level, e.size, func() []byte {
			return tile.AppendHashes(make([]byte, 0, width*len(Hash{})), width)
		})
		if level == 0 && err == nil {
			err = s.writePartial(EntriesPath(index, width), 0, e.size, func() []byte { return e.bundle.data })
		}
		if err != nil {
			return fmt.Errorf("tiles: %w", err)
		}
	}
	return nil
}

func (s *Store) writePartial(resource string, level int, size uint64, content func() []byte) error {
	p := partial{path: s.path(resource), level: level, count: size >> (tiletree.Height * level)}
	if slices.Contains(s.partials, p) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(p.path), dirMode); err != nil {
		return err
	}
	if err := os.WriteFile(p.path, content(), fileMode); err != nil {
		return err
	}
	s.partials = append(s.partials, p)
	return nil
}

// sweepPartials removes the partial files that none of the newest published
// checkpoints needs. A file that cannot be removed is only a waste of space: the
// next start tries again.
func (s *Store) sweepPartials(size uint64) {
	s.kept = append(s.kept, size)
	if len(s.kept) > KeptCheckpoints {
		s.kept = slices.Delete(s.kept, 0, len(s.kept)-KeptCheckpoints)
	}
	s.partials = slices.DeleteFunc(s.partials, func(p partial) bool {
		for _, size := range s.kept {
			if size>>(tiletree.Height*p.level) == p.count {
				return false
			}
		}
		os.Remove(p.path)
		if p.count/Width < tiletree.FullTiles(size, p.level) {
			os.Remove(filepath.Dir(p.path)) // holds until the last one is gone
		}
		return true
	})
}

// sweepLeftovers removes what a crash left beside the right edge of a size:
// partial files of other widths, growing and temporary files of other bundles.
func (s *Store) sweepLeftovers(size uint64) {
	s.sweepEdge(EntriesPath(tiletree.FullTiles(size, 0), Width), tiletree.PartialWidth(size, 0))
	for level := 0; level < tiletree.Levels && size>>(tiletree.Height*level) > 0; level++ {
		s.sweepEdge(TilePath(level, tiletree.FullTiles(size, level), Width), tiletree.PartialWidth(size, level))
	}
}

func (s *Store) sweepEdge(resource string, width int) {
	edge := s.path(resource)
	files, err := os.ReadDir(filepath.Dir(edge))
	if err != nil {
		return
	}
	for _, f := range files {
		name := filepath.Join(filepath.Dir(edge), f.Name())
		switch filepath.Ext(name) {
		case partialSuffix:
			keep := ""
			if name == edge+partialSuffix && width > 0 {
				keep = fmt.Sprint(width)
			}
			s.sweepWidths(name, keep)
		case growingSuffix:
			if name != edge+growingSuffix || width == 0 {
				os.Remove(name)
			}
		case tempSuffix:
			os.Remove(name)
		}
	}
}

func (s *Store) sweepWidths(dir, keep string) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, f := range files {
		if f.Name() != keep {
			os.Remove(filepath.Join(dir, f.Name()))
		}
	}
	os.Remove(dir) // fails while one is kept
}
