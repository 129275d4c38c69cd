package provenance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/tallyroot/tallyroot/internal/pebblelog"
	"github.com/tallyroot/tallyroot/provenance/indexlog"
	"github.com/tallyroot/tallyroot/provenance/mirror"
	"github.com/tallyroot/tallyroot/provenance/projection"
	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
	"github.com/tallyroot/tallyroot/trillianlog/receipt"
)

// ErrMirror is what a mirror answers to whoever wants to change anything.
var ErrMirror = errors.New("this is a mirror: it answers what the log holds, with all proofs, and takes nothing; log events, and manage participants, at the service itself")

// reading is the log as those who read see it: a *trillianlog.Log, or a mirror's copy.
type reading interface {
	Published() (checkpoint.Checkpoint, []byte)
	Verdict(signed []byte) (policy.Verdict, error)
	Receipt(index uint64) ([]byte, error)
	Status() trillianlog.Status
}

// indexReading is the index log likewise.
type indexReading interface {
	Index
	Verdict(signed []byte) (policy.Verdict, error)
	Status() indexlog.Status
}

// MirrorConfig is what a mirror's Service is opened with.
type MirrorConfig struct {
	Dir      string // of package mirror, with a copy in it
	Progress func(mirror.Progress)
	Logger   *slog.Logger // nil: slog.Default()
}

// OpenMirror opens a Service that answers from a mirror's folder, without the log's
// keys, Trillian or a database. It reads; everything else is ErrMirror. What is in the
// folder is read in the background: until that is done, there is nothing, or no
// history. Error: mirror.ErrEmpty.
func OpenMirror(c MirrorConfig) (*Service, error) {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	x := &mirrored{logger: c.Logger}
	var err error
	x.mirror, err = mirror.Open(mirror.Options{Dir: c.Dir, Serving: x.serving, Progress: c.Progress, Logger: c.Logger, Pebble: pebblelog.Logger{To: c.Logger}})
	if err != nil {
		return nil, err
	}
	if x.mirror.Origin() == "" {
		return nil, errors.Join(fmt.Errorf("%s: %w", c.Dir, mirror.ErrEmpty), x.mirror.Close())
	}
	if x.projection, err = projection.Open(filepath.Join(c.Dir, "projections"), pebblelog.Logger{To: c.Logger}); err != nil {
		return nil, errors.Join(err, x.mirror.Close())
	}
	x.published.Store(new(mirroredCheckpoint))
	s := &Service{
		origin: x.mirror.Origin(), logger: c.Logger, mirrored: x, read: x, projection: x.projection,
		tiles: x.mirror.Tiles(), policy: x.mirror.Policy(),
		index: indexed{tiles: x.mirror.IndexTiles(), policy: x.mirror.IndexPolicy(), read: mirroredIndex{x.mirror}},
	}
	s.Reader = NewReader(ReaderOptions{Index: x.mirror, Tiles: s.tiles, State: s.projection.State()})
	var ctx context.Context
	ctx, x.end = context.WithCancel(context.Background())
	x.work.Go(func() { x.resume(ctx) })
	return s, nil
}

// Mirrors tells whether the Service answers from a mirror.
func (s *Service) Mirrors() bool { return s.mirrored != nil }

// Sync copies what is new at the origin, for a Service that OpenMirror has opened. It
// waits until what was there before is served. One goroutine may call it.
func (s *Service) Sync(ctx context.Context, o mirror.Origin) (mirror.Copied, error) {
	s.mirrored.work.Wait()
	return s.mirrored.mirror.Sync(ctx, o)
}

// mirrored is a mirror with what is kept beside it for quick answers.
type mirrored struct {
	mirror     *mirror.Mirror
	projection *projection.Projection
	logger     *slog.Logger
	published  atomic.Pointer[mirroredCheckpoint]

	end  context.CancelFunc
	work sync.WaitGroup
}

type mirroredCheckpoint struct {
	checkpoint.Checkpoint
	signed []byte
}

// resume serves what is in the folder: first the log, and then, when the map has come
// to the index log, histories.
func (x *mirrored) resume(ctx context.Context) {
	c, _ := x.mirror.Tiles().Checkpoint()
	err := x.serving(ctx, c.Size)
	if err == nil {
		err = x.mirror.Resume(ctx)
	}
	if err != nil && ctx.Err() == nil {
		x.logger.Error("not all of the mirror can be served", "error", err)
	}
}

// serving is called before a snapshot of that size is served: the projection must not
// be behind it.
func (x *mirrored) serving(ctx context.Context, size uint64) error {
	const most = 1000
	batch := make([][]byte, 0, most)
	next := x.projection.Next()
	for e, err := range x.mirror.Tiles().Stream(ctx, next, max(size, next)-next) {
		if err != nil {
			return err
		}
		if batch = append(batch, e); len(batch) == most || next+uint64(len(batch)) == size {
			if err := x.projection.Apply(ctx, next, batch); err != nil {
				return err
			}
			next, batch = next+uint64(len(batch)), batch[:0]
		}
	}
	c, signed := x.mirror.Tiles().Checkpoint()
	if c.Size == size {
		x.published.Store(&mirroredCheckpoint{c, signed})
	}
	return nil
}

func (x *mirrored) close() error {
	x.end()
	x.work.Wait()
	return errors.Join(x.mirror.Close(), x.projection.Close())
}

// Published is what the projection has come to.
func (x *mirrored) Published() (checkpoint.Checkpoint, []byte) {
	p := x.published.Load()
	return p.Checkpoint, p.signed
}

func (x *mirrored) Verdict(signed []byte) (policy.Verdict, error) {
	return x.mirror.Policy().Check(signed)
}

func (x *mirrored) Receipt(index uint64) ([]byte, error) {
	c, signed := x.Published()
	proof, err := x.mirror.Tiles().InclusionProof(index, c.Size)
	if err != nil {
		return nil, fmt.Errorf("receipt for leaf %d: %w", index, err)
	}
	r := receipt.Receipt{Index: index, Proof: proof, Checkpoint: signed}
	return r.Append(make([]byte, 0, r.Size())), nil
}

func (x *mirrored) Status() trillianlog.Status {
	c, _ := x.Published()
	st := trillianlog.Status{Writable: ErrMirror, Published: c.Size, Stored: c.Size, PublishedAt: x.mirror.Tiles().WrittenAt()}
	if c.Size == 0 {
		st.Readable = errors.New("the copy is being read")
	}
	return st
}

// mirroredIndex is the index log of a mirror.
type mirroredIndex struct{ *mirror.Mirror }

func (x mirroredIndex) Verdict(signed []byte) (policy.Verdict, error) {
	return x.IndexPolicy().Check(signed)
}
