package mirror

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tallyroot/tallyroot/internal/durable"
	"github.com/tallyroot/tallyroot/provenance/historyindex/store"
	"github.com/tallyroot/tallyroot/provenance/indexlog"
	"github.com/tallyroot/tallyroot/trillianlog/datadir"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
)

var (
	// ErrForked says that the origin shows another history than the one that is here.
	ErrForked = errors.New("the origin shows another history than the one that was copied")
	// ErrIndex says that the origin's index log claims what its log does not give. It
	// is copied all the same: it is the proof.
	ErrIndex = errors.New("the origin's history index is not what its log gives")
	// ErrEmpty says that nothing was copied into the folder yet.
	ErrEmpty = errors.New("nothing was copied yet")
)

// Options are what a Mirror is made of.
type Options struct {
	// Dir is the mirror's folder. It is made if there is none. No other process may
	// have it open.
	Dir string
	// Policy and IndexPolicy are what copied checkpoints have to meet. nil: those with
	// which the folder was made; there, Open fails with ErrEmpty.
	Policy, IndexPolicy *policy.Policy
	// Serving is called before a snapshot of that size is served, for who keeps something
	// of his own beside it; its error puts it off. nil: nobody does.
	Serving func(ctx context.Context, size uint64) error
	// Progress is told how far a copy is; may be nil. It must not block.
	Progress func(Progress)

	Cache  int64         // bytes of the map kept in memory; 0: store.DefaultCache
	Logger *slog.Logger  // nil: slog.Default()
	Pebble pebble.Logger // nil: Pebble's default
}

// Progress is how far a copy is.
type Progress struct {
	Step       string // what is done now: "entries", "leaves" or "map"
	Done, Size uint64 // of that, and of how many
}

// A Mirror is a copy of a log and of its index log. One goroutine may call Sync; the
// rest is safe for concurrent use.
type Mirror struct {
	options Options
	lock    *datadir.Dir
	log     *tiles.Store
	index   *tiles.Store
	store   *store.Index

	closing sync.Once
	closed  error

	mu     sync.Mutex
	served *indexlog.Snapshot // without its View; nil: there is none
	why    error              // why there is none
}

// Open opens the folder. Its files can be read at once; a Snapshot is there after Resume
// or Sync.
func Open(o Options) (_ *Mirror, err error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	if (o.Policy == nil || o.IndexPolicy == nil) && !Made(o.Dir) {
		return nil, fmt.Errorf("%s: %w", o.Dir, ErrEmpty)
	}
	m := &Mirror{options: o, why: ErrEmpty}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.Close())
		}
	}()
	if m.lock, err = datadir.Lock(o.Dir); err != nil {
		return nil, err
	}
	if err := m.openPolicies(); err != nil {
		return nil, err
	}
	if m.log, err = tiles.Open(m.path("log")); err != nil {
		return nil, err
	}
	if m.index, err = tiles.Open(m.path("index")); err != nil {
		return nil, err
	}
	if m.store, err = m.openStore(); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *Mirror) path(name string) string { return filepath.Join(m.options.Dir, name) }

// The files of the policies.
const (
	policyFile      = "policy.txt"
	indexPolicyFile = "index-policy.txt"
)

// Made tells whether a folder has the policies of a mirror already.
func Made(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, policyFile))
	_, indexErr := os.Stat(filepath.Join(dir, indexPolicyFile))
	return err == nil && indexErr == nil
}

// openPolicies reads those policies of the folder that the options do not give.
func (m *Mirror) openPolicies() error {
	for file, p := range m.policies() {
		if *p != nil {
			continue
		}
		text, err := os.ReadFile(m.path(file)) // it is there: see Made
		if err != nil {
			return err
		}
		if *p, err = policy.Parse(text); err != nil {
			return fmt.Errorf("%s: %w", m.path(file), err)
		}
	}
	return nil
}

func (m *Mirror) policies() map[string]**policy.Policy {
	return map[string]**policy.Policy{policyFile: &m.options.Policy, indexPolicyFile: &m.options.IndexPolicy}
}

// keepPolicies puts policies that are new into the folder, once the origin has shown that
// it meets them and continues the copy: a mistyped command leaves the folder as it was.
func (m *Mirror) keepPolicies(ctx context.Context, o Origin, t target) error {
	changed := map[string]string{}
	for file, p := range m.policies() {
		text, err := os.ReadFile(m.path(file))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if now := (*p).String(); now != string(text) {
			changed[file] = now
		}
	}
	if len(changed) == 0 {
		return nil
	}
	for _, c := range []copying{m.logCopy(o.Log, t), m.indexCopy(o.Index, t)} {
		if have, signed := c.store.Checkpoint(); signed != nil {
			if err := m.continues(ctx, c, have); err != nil {
				return err
			}
		}
	}
	for file, text := range changed {
		if err := durable.WriteFile(m.path(file), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// openStore opens the map. It can be made again, so what cannot be used is deleted.
func (m *Mirror) openStore() (*store.Index, error) {
	dir := m.path("index-store")
	options := store.Options{Dir: dir, Cache: m.options.Cache, Logger: m.options.Pebble}
	index, err := store.Open(options)
	switch {
	case errors.Is(err, store.ErrLeavesLost):
	case errors.Is(err, store.ErrDamaged):
		dir = filepath.Join(dir, "map")
	default:
		return index, err
	}
	m.options.Logger.Warn("the mirror's map is damaged; it is deleted and made again", "deleted", dir, "error", err)
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	return store.Open(options)
}

// Close waits for the snapshots that are open, and releases the folder. A second call
// does nothing.
func (m *Mirror) Close() error {
	m.closing.Do(func() { m.closed = m.close() })
	return m.closed
}

func (m *Mirror) close() (err error) {
	if m.store != nil {
		err = errors.Join(err, m.store.Close())
	}
	for _, t := range []*tiles.Store{m.index, m.log} {
		if t != nil {
			err = errors.Join(err, t.Close())
		}
	}
	if m.lock != nil {
		err = errors.Join(err, m.lock.Close())
	}
	return err
}

// Origin is the log's name; "" while nothing was copied.
func (m *Mirror) Origin() string {
	c, _ := m.log.Checkpoint()
	return c.Origin
}

// Tiles are the log's static files.
func (m *Mirror) Tiles() *tiles.Store { return m.log }

// IndexTiles are the index log's static files.
func (m *Mirror) IndexTiles() *tiles.Store { return m.index }

// Policy is what the log's checkpoints have to meet.
func (m *Mirror) Policy() *policy.Policy { return m.options.Policy }

// IndexPolicy is what the index log's checkpoints have to meet.
func (m *Mirror) IndexPolicy() *policy.Policy { return m.options.IndexPolicy }
