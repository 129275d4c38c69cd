package fetch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/internal/tiletree"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
)

// DefaultCachedTiles is Options.CachedTiles where that is 0: 16 MB.
const DefaultCachedTiles = 1024

// ErrRange says that an index or size is beyond the checkpoint.
var ErrRange = errors.New("beyond the checkpoint")

// Options are how a log is read. All may be left out.
type Options struct {
	// Parallel is how many bundles of 256 entries Stream reads ahead.
	Parallel int
	// CachedTiles is how many tiles are kept in memory, 16 kB each.
	CachedTiles int
}

// A DamageError says that a file does not hold what the checkpoint commits to: who
// serves it changed it, or signed something else than it serves.
type DamageError struct {
	File       string // its address
	Checkpoint checkpoint.Checkpoint
	Problem    string // follows the file's name in a sentence
	Index      uint64 // of the first entry that cannot be read for it; below Checkpoint.Size
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("%s %s: it is not what the checkpoint of %s at size %d commits to", e.File, e.Problem, e.Checkpoint.Origin, e.Checkpoint.Size)
}

// A MissingError says that a file is not there that the checkpoint commits to. It is
// fs.ErrNotExist.
type MissingError struct {
	File       string
	Checkpoint checkpoint.Checkpoint
	Index      uint64 // of the first entry that cannot be read for it
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("%s is not there, though the checkpoint of %s at size %d commits to it; if the log has grown since, read its checkpoint again", e.File, e.Checkpoint.Origin, e.Checkpoint.Size)
}

// Unwrap gives fs.ErrNotExist.
func (e *MissingError) Unwrap() error { return fs.ErrNotExist }

// A Log is a log at one checkpoint. It is safe for concurrent use.
type Log struct {
	source     Source
	checkpoint checkpoint.Checkpoint
	parallel   int
	tiles      *tiletree.LRU[tileID, *tiletree.Tile]

	mu   sync.Mutex
	edge *[tiletree.Levels]*tiletree.Tile // the partial tiles; nil: not read yet
}

type tileID struct {
	level int
	index uint64
}

// Open gives the log of a checkpoint, which the caller believes. Nothing is read yet.
// The checkpoint need not be published: a witness reads what it is asked to cosign.
func Open(s Source, c checkpoint.Checkpoint, o Options) *Log {
	if o.Parallel <= 0 {
		o.Parallel = DefaultParallel
	}
	if o.CachedTiles <= 0 {
		o.CachedTiles = DefaultCachedTiles
	}
	return &Log{source: s, checkpoint: c, parallel: o.Parallel, tiles: tiletree.NewLRU[tileID, *tiletree.Tile](o.CachedTiles)}
}

// Checkpoint is what the log is read at.
func (l *Log) Checkpoint() checkpoint.Checkpoint { return l.checkpoint }

// node gives the root of the complete subtree of 2^row leaves that begins at leaf
// i·2^row.
func (l *Log) node(ctx context.Context, row int, i uint64) (tiles.Hash, error) {
	level, index, inner, at := tiletree.Place(row, i)
	t, err := l.tile(ctx, level, index)
	if err != nil {
		return tiles.Hash{}, err
	}
	return *t.Node(inner, at), nil
}

// tile gives a tile whose hash was found in the level above, and so on up to the
// right edge.
func (l *Log) tile(ctx context.Context, level int, index uint64) (*tiletree.Tile, error) {
	if index == tiletree.FullTiles(l.checkpoint.Size, level) {
		edge, err := l.rightEdge(ctx)
		if err != nil {
			return nil, err
		}
		return edge[level], nil
	}
	id := tileID{level, index}
	if t, ok := l.tiles.Get(id); ok {
		return t, nil
	}
	want, err := l.node(ctx, tiletree.Height*(level+1), index)
	if err != nil {
		return nil, err
	}
	t, err := l.read(ctx, level, index, tiletree.Width)
	if err != nil {
		return nil, err
	}
	if t.Root() != want {
		return nil, l.damaged(tiles.Path{Kind: tiles.KindTile, Level: level, Index: index, Width: tiletree.Width}, "does not give its hash in the level above")
	}
	l.tiles.Put(id, t)
	return t, nil
}

// rightEdge gives the partial tiles, which give the root together.
func (l *Log) rightEdge(ctx context.Context) (*[tiletree.Levels]*tiletree.Tile, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.edge != nil {
		return l.edge, nil
	}
	size := l.checkpoint.Size
	edge := new([tiletree.Levels]*tiletree.Tile)
	for level := range edge {
		width := tiletree.PartialWidth(size, level)
		if width == 0 {
			continue
		}
		var err error
		if edge[level], err = l.read(ctx, level, tiletree.FullTiles(size, level), width); err != nil {
			return nil, err
		}
	}
	folds, err := tiletree.Fold(size, func(row int) (*tiles.Hash, error) {
		level, _, inner, at := tiletree.Place(row, size>>row-1)
		return edge[level].Node(inner, at), nil
	})
	if err != nil {
		return nil, err
	}
	if folds[64] != l.checkpoint.Root {
		return nil, &DamageError{
			File: l.source.Address("tile/"), Checkpoint: l.checkpoint,
			Problem: fmt.Sprintf("has other tiles at the right edge: they give the root %x instead of %x", folds[64], l.checkpoint.Root),
		}
	}
	l.edge = edge
	return edge, nil
}

// read reads a tile without comparing it with anything.
func (l *Log) read(ctx context.Context, level int, index uint64, width int) (*tiletree.Tile, error) {
	p := tiles.Path{Kind: tiles.KindTile, Level: level, Index: index, Width: width}
	data, p, err := l.get(ctx, p, tiletree.Width*int64(len(tiles.Hash{})))
	if err != nil {
		return nil, err
	}
	if want := p.Width * len(tiles.Hash{}); len(data) != want {
		return nil, l.damaged(p, fmt.Sprintf("has %d bytes instead of %d", len(data), want))
	}
	return tiletree.ParseTile(data, width), nil
}

// get reads a file; in the place of a partial one that is gone because the log has
// grown, the full one. It gives the path of what was read.
func (l *Log) get(ctx context.Context, p tiles.Path, limit int64) ([]byte, tiles.Path, error) {
	data, err := l.source.Get(ctx, p.String(), limit)
	missing := p
	if errors.Is(err, fs.ErrNotExist) && p.Width < tiletree.Width {
		p.Width = tiletree.Width
		data, err = l.source.Get(ctx, p.String(), limit)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, missing, &MissingError{File: l.source.Address(missing.String()), Checkpoint: l.checkpoint, Index: firstEntry(missing)}
	case errors.Is(err, ErrTooLarge):
		return nil, p, l.damaged(p, fmt.Sprintf("has more than %d bytes", limit))
	}
	return data, p, err
}

// firstEntry gives the index of the first entry below a tile or in a bundle.
func firstEntry(p tiles.Path) uint64 { return p.Index << (tiletree.Height * (p.Level + 1)) }

func (l *Log) damaged(p tiles.Path, problem string) error {
	return &DamageError{File: l.source.Address(p.String()), Checkpoint: l.checkpoint, Problem: problem, Index: firstEntry(p)}
}

func (l *Log) beyond(what string, n uint64) error {
	return fmt.Errorf("%w: the %s %d, the size %d", ErrRange, what, n, l.checkpoint.Size)
}
