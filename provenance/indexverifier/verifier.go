package indexverifier

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"golang.org/x/mod/sumdb/note"

	"github.com/tallyroot/tallyroot/provenance/historyindex/store"
	"github.com/tallyroot/tallyroot/provenance/participant"
	"github.com/tallyroot/tallyroot/trillianlog/fetch"
)

// Role is what a cosignature of an index-verifier says: the Role of its witness.
const Role = "index-verifier"

// DefaultPoll is Options.Poll where that is not set.
const DefaultPoll = 10 * time.Second

// Options are what a Verifier is made of.
type Options struct {
	// Dir is for what was rebuilt: the map and the leaves, some 250 bytes for each key
	// of the index. It is made if there is none.
	Dir string
	// LogKeys are the log's vkeys: one, or, while it is being changed, several.
	LogKeys []string
	// IndexKeys are likewise the index log's. They are named as the log's with
	// "/index" behind.
	IndexKeys []string
	// Log and Index are where the files of the log and of the index log are read.
	Log, Index fetch.Source
	// Poll is how often the published index checkpoint is looked at, so that a Verifier
	// that has much to do gets on with it while nobody asks. 0: DefaultPoll; negative:
	// never.
	Poll time.Duration

	Cache  int64         // bytes of the map kept in memory; 0: store.DefaultCache
	Logger *slog.Logger  // nil: slog.Default()
	Pebble pebble.Logger // nil: Pebble's default
}

// A Verifier rebuilds the index of one log. It is safe for concurrent use.
type Verifier struct {
	options   Options
	origin    string // of the log
	logKeys   []note.Verifier
	indexKeys []note.Verifier
	logger    *slog.Logger

	life context.Context // ends when the Verifier closes
	end  context.CancelFunc
	work sync.WaitGroup

	// The one that works has these.
	index *store.Index
	tree  *tree

	mu      sync.Mutex
	current *job // nil: nobody works
	closed  bool
	failed  error // the last job's
	refuted bool
}

// Open opens the Verifier, or makes a new one. What it rebuilt before and finds
// damaged is deleted, and made again when it is needed.
func Open(o Options) (*Verifier, error) {
	if o.Poll == 0 {
		o.Poll = DefaultPoll
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	v := &Verifier{options: o, logger: o.Logger}
	if err := v.readKeys(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	var err error
	if v.index, err = v.openIndex(); err != nil {
		return nil, err
	}
	_, err = os.Stat(filepath.Join(o.Dir, refutedDir))
	v.refuted = err == nil
	v.tree = openTree(filepath.Join(o.Dir, "tree"), v.index)
	v.life, v.end = context.WithCancel(context.Background())
	if o.Poll > 0 {
		v.work.Go(v.poll)
	}
	return v, nil
}

func (v *Verifier) readKeys() (err error) {
	if v.logKeys, err = verifiers(v.options.LogKeys); err != nil {
		return fmt.Errorf("the log's key: %w", err)
	}
	if v.indexKeys, err = verifiers(v.options.IndexKeys); err != nil {
		return fmt.Errorf("the index log's key: %w", err)
	}
	v.origin = v.logKeys[0].Name()
	for _, k := range v.logKeys {
		if k.Name() != v.origin {
			return fmt.Errorf("the keys of two logs: %s and %s", v.origin, k.Name())
		}
	}
	for _, k := range v.indexKeys {
		if k.Name() != participant.IndexOrigin(v.origin) {
			err := fmt.Errorf("%s is not the key of the index log of %s: that is named %s", k.Name(), v.origin, participant.IndexOrigin(v.origin))
			if v.origin == participant.IndexOrigin(k.Name()) {
				err = fmt.Errorf("%w; are the two exchanged?", err)
			}
			return err
		}
	}
	return nil
}

func verifiers(vkeys []string) ([]note.Verifier, error) {
	if len(vkeys) == 0 {
		return nil, errors.New("there is none")
	}
	var all []note.Verifier
	for _, vkey := range vkeys {
		v, err := note.NewVerifier(vkey)
		if err != nil {
			return nil, fmt.Errorf("%.100q is no verifier key: %w", vkey, err)
		}
		all = append(all, v)
	}
	return all, nil
}

// openIndex opens what was rebuilt. All of it can be made again from the two logs, so
// what cannot be used is deleted.
func (v *Verifier) openIndex() (*store.Index, error) {
	dir := filepath.Join(v.options.Dir, "index")
	options := store.Options{Dir: dir, Cache: v.options.Cache, Logger: v.options.Pebble}
	index, err := store.Open(options)
	switch {
	case errors.Is(err, store.ErrLeavesLost):
	case errors.Is(err, store.ErrDamaged):
		dir = filepath.Join(dir, "map")
	default:
		return index, err
	}
	v.logger.Warn("what was rebuilt is damaged; it is deleted and made again from the log", "deleted", dir, "error", err)
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	return store.Open(options)
}

// Status is how far a Verifier is.
type Status struct {
	Entries uint64 // of the log, in the map
	Leaves  uint64 // of the index log, all found to be so
	Behind  bool   // the map was deleted, and is being brought to the leaves
	Working bool
	Refuted bool  // a checkpoint claimed what is not so; also before the start
	Err     error // why the last checkpoint that it was asked for was not found to be so
}

// Status is for health checks and metrics.
func (v *Verifier) Status() Status {
	v.mu.Lock()
	defer v.mu.Unlock()
	return Status{
		Entries: v.index.Next(), Leaves: v.index.Leaves(), Behind: v.index.Behind(),
		Working: v.current != nil, Refuted: v.refuted, Err: v.failed,
	}
}

// Close ends the work and releases the folder. What was rebuilt is kept.
func (v *Verifier) Close() error {
	v.mu.Lock()
	if v.closed {
		v.mu.Unlock()
		return nil
	}
	v.closed = true
	v.mu.Unlock()
	v.end()
	v.work.Wait()
	return errors.Join(v.tree.save(), v.index.Close())
}
