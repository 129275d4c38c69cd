// Package tiles keeps a transparency log as static files, laid out as
// https://c2sp.org/tlog-tiles says, and computes every proof from them.
//
// It promises that a published checkpoint's tiles and entries are durable before
// the checkpoint is; that after a crash at any moment, Open finds the last
// published checkpoint and all that it commits to; and that a hash or entry that
// it gives fits the published root, or is an error that names the damaged file.
// It verifies no signature, decides nothing about what may be signed, and knows
// neither HTTP nor the database that the entries came from.
//
// # What is on disk
//
//	checkpoint                      the newest published checkpoint
//	tile/<L>/<N>                    full tiles, written once
//	tile/entries/<N>                full entry bundles, written once
//	tile/entries/<N>.growing        the partial bundle, only ever appended to
//	tile/<L>/<N>.p/<W>              partial tiles of the newest checkpoints
//	tile/entries/<N>.p/<W>          partial bundles of the newest checkpoints
//
// Full tiles, full bundles, the growing bundle and the checkpoint are synced, with
// their folders. The partial files are there so that any web server over the
// folder can serve the newest checkpoint; they follow from the others, are not
// synced, and are written anew by Open. So a publication of a few dozen entries
// costs three syncs, and each entry is written to the disk once.
//
// What a crash leaves ahead of the published checkpoint is overwritten when the
// log grows again.
package tiles

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"

	"github.com/tallyroot/tallyroot/trillianlog/internal/tiletree"
)

const (
	// MaxCachedTiles is how many expanded full tiles are kept in memory, 16 kB each.
	MaxCachedTiles = 4096
	// MaxCachedBundles is how many full bundles' entry positions are kept in memory,
	// 1 kB each.
	MaxCachedBundles = 4096
	// KeptCheckpoints is how many of the newest checkpoints have their partial files
	// on disk. File answers for older ones too.
	KeptCheckpoints = 4
)

var (
	// ErrRange says that an index or size is beyond the published checkpoint.
	ErrRange = errors.New("beyond the published checkpoint")
	// ErrRoot says that a checkpoint's root is not that of the tiles.
	ErrRoot = errors.New("the checkpoint's root is not the root of the tiles")
	// ErrLeaf says that an entry does not have the leaf hash that was given with it.
	ErrLeaf = errors.New("the entry does not have that leaf hash")
	// ErrOrder says that a checkpoint's size is not that of the tiles, or that it is
	// another log's.
	ErrOrder = errors.New("the checkpoint does not follow the published one")
)

// A DamageError says that a file does not hold what the published checkpoint
// commits to.
type DamageError struct {
	File    string
	Problem string // follows the file's name in a sentence
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("tiles: %s %s: it was changed or lost after it was published; put back a copy from a mirror or a backup, or move the log's folder away and have it rebuilt from the stored leaves", e.File, e.Problem)
}

// A Store is the static files under one folder. One goroutine writes (Extend,
// Publish); any number reads. Readers see published entries only.
type Store struct {
	dir       string
	disk      disk
	published atomic.Pointer[view]
	durable   atomic.Pointer[view] // the tip after the last Extend
	tiles     *tiletree.LRU[tileID, *tiletree.Tile]
	bundles   *tiletree.LRU[uint64, []uint32] // where the entries of a full bundle end

	mu       sync.Mutex // held by the writer; guards what follows
	tip      edge       // all that is durable
	growing  *os.File   // holds tip.bundle; nil: has to be written anew, if that is not empty
	dirs     *dirs
	partials []partial // on disk
	kept     []uint64  // sizes of the newest published checkpoints
	// Files are brought up to what is published at most once in pace: last at
	// settledAt, and by later if they are behind.
	pace      time.Duration
	settledAt time.Time
	later     *time.Timer
}

type tileID struct {
	level int
	index uint64
}

// A view is the log at one size. It never changes. Readers see that of the
// published checkpoint.
type view struct {
	edge       edge
	folds      *tiletree.Folds
	checkpoint checkpoint.Checkpoint
	signed     []byte // nil: no checkpoint of it is published
}

func newView(e edge, c checkpoint.Checkpoint, signed []byte) *view {
	return &view{edge: e, folds: e.folds(), checkpoint: c, signed: signed}
}

// Open gives the store of a folder, which it makes if there is none. It recomputes
// the root from the right edge and compares it with the published checkpoint,
// checks the last full tiles and bundle, and writes the partial files anew. Size
// is then the published checkpoint's: what was durable beyond it has to be added
// again. It reads a few files whatever the log's size.
//
// The caller sees to it that no other process has the folder open for writing.
func Open(dir string) (*Store, error) { return open(dir, disk{sync: (*os.File).Sync}) }

func open(dir string, k disk) (*Store, error) {
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return nil, fmt.Errorf("tiles: %w", err)
	}
	s := &Store{
		dir:     dir,
		tiles:   tiletree.NewLRU[tileID, *tiletree.Tile](MaxCachedTiles),
		bundles: tiletree.NewLRU[uint64, []uint32](MaxCachedBundles),
		disk:    k,
		dirs:    newDirs(dir, k),
		pace:    settlePause,
	}
	v, err := s.load()
	if err != nil {
		return nil, err
	}
	s.tip = v.edge
	s.published.Store(v)
	s.durable.Store(v)
	if v.signed == nil {
		return s, nil
	}
	if err := s.checkFull(v); err != nil {
		return nil, err
	}
	// The rename that put the checkpoint there may not be durable yet.
	if err := k.syncDir(dir); err != nil {
		return nil, fmt.Errorf("tiles: %w", err)
	}
	s.sweepLeftovers(v.edge.size)
	if err := s.writePartials(&v.edge); err != nil {
		return nil, err
	}
	s.kept = []uint64{v.edge.size}
	return s, nil
}

// Close brings the files up to what is published and releases the file that
// grows. Nothing that was published is lost without it, but for the last moment's
// checkpoints (see Publish).
func (s *Store) Close() error {
	err := s.Settle()
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(err, s.closeGrowing())
}

// Size gives the number of durable entries. It is ahead of the published
// checkpoint between Extend and Publish.
func (s *Store) Size() uint64 { return s.durable.Load().edge.size }

// Published gives the published checkpoint as it was signed; nil: there is none.
// The caller must not change it.
func (s *Store) Published() []byte { return s.published.Load().signed }

// WrittenAt is when the checkpoint's file was written, and the zero time if there
// is none. A moment after a Publish it may be that of the one before.
func (s *Store) WrittenAt() time.Time {
	info, err := os.Stat(filepath.Join(s.dir, CheckpointPath))
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// Checkpoint gives the published checkpoint, parsed and as it was signed; the
// latter is nil if there is none. Its signatures were not verified here.
func (s *Store) Checkpoint() (checkpoint.Checkpoint, []byte) {
	v := s.published.Load()
	return v.checkpoint, v.signed
}

// path gives the place of a resource in the file system.
func (s *Store) path(resource string) string {
	return filepath.Join(s.dir, filepath.FromSlash(resource))
}
