package indexlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/tallyroot/tallyroot/provenance/historyindex/store"
	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
)

// DefaultEvery is Options.Every where that is not set: the format allows no more
// than one leaf a second.
const DefaultEvery = time.Second

// A Source is the log that the index is about.
type Source interface {
	// Stream gives n published entries from first on, in order. It ends after the
	// first error. The slices stay valid and are not changed.
	Stream(ctx context.Context, first, n uint64) iter.Seq2[[]byte, error]
	// Published gives the newest published checkpoint that meets the log's policy, and
	// its signed text, which must not be changed; the zero value and nil if there is
	// none.
	Published() (checkpoint.Checkpoint, []byte)
	// Root gives the root of the first size published entries.
	Root(size uint64) ([32]byte, error)
	// Settle returns when that is durable: it, or a later one, is there after a crash.
	Settle() error
}

// Options are what an index log is made of.
type Options struct {
	Dir    string                     // for the map, the leaves and the log's checkpoints
	Tiles  *tiles.Store               // what is published
	Last   trillianlog.LastCheckpoint // kept apart from Dir, and not the log's own
	Origin string                     // the index log's name, and its key's
	Signer note.Signer                // its key (Ed25519: the same text gives the same signature)
	Policy *policy.Policy             // what every published index checkpoint must meet
	Log    Source

	// Witness is nil if the policy's quorum is none.
	Witness trillianlog.WitnessFunc
	// CosignEvery is after how long an index log that does not grow has its checkpoint
	// cosigned again; 0: trillianlog.DefaultCosignEvery.
	CosignEvery time.Duration
	// Every is the time from one leaf to the next; 0: DefaultEvery.
	Every time.Duration

	// OnPublish is told of each new leaf that was published: how long after the log's
	// checkpoint was read. It may be nil and must not block.
	OnPublish func(took time.Duration)

	Logger *slog.Logger // nil: slog.Default()

	fault func(step string) error // ends the publisher between two steps, in tests
}

// A Log is the index log. It is safe for concurrent use.
type Log struct {
	options Options
	logger  *slog.Logger
	index   *store.Index
	kept    kept

	wake    chan struct{} // holds one token when the log may have something new
	cancel  context.CancelFunc
	done    sync.WaitGroup
	closing sync.Once
	closed  error

	published atomic.Pointer[publication]
	condition condition

	// mu is held to switch what readers are shown, so that they never see parts of two
	// states.
	mu       sync.RWMutex
	served   *state // nil: there is none
	unserved error  // why there is none, if that is a reason of its own

	// Owned by the goroutine of run, and by Open before.
	bound   bound
	leafAt  time.Time // when the newest leaf was made
	renewAt time.Time // when the published checkpoint is to be cosigned again
}

// Open starts the index log. What takes long, such as a first index of a large log
// or a map that was deleted, happens afterwards; Snapshot fails until it is done.
//
// If what was signed and what is kept do not agree, Open succeeds all the same: the
// index log then serves what is published and makes nothing new, and Status().Err says
// why. An error says that files cannot be used, and what to do.
func Open(ctx context.Context, o Options) (*Log, error) {
	if o.CosignEvery <= 0 {
		o.CosignEvery = trillianlog.DefaultCosignEvery
	}
	if o.Every <= 0 {
		o.Every = DefaultEvery
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.fault == nil {
		o.fault = func(string) error { return nil }
	}
	life, cancel := context.WithCancel(context.Background())
	l := &Log{options: o, logger: o.Logger, kept: kept(o.Dir), wake: make(chan struct{}, 1), cancel: cancel}
	if err := l.open(ctx); err != nil {
		cancel()
		return nil, errors.Join(fmt.Errorf("open the index log %s: %w", o.Origin, err), l.closeFiles())
	}
	l.done.Go(func() { l.run(life) })
	return l, nil
}

// LogPublished says that the log has published a checkpoint. It never blocks.
func (l *Log) LogPublished() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Verdict is what the index policy says of a signed index checkpoint: who witnessed
// it, and when. For the published one it costs nothing.
func (l *Log) Verdict(signed []byte) (policy.Verdict, error) {
	if pub := l.published.Load(); pub != nil && bytes.Equal(signed, pub.signed) {
		return pub.verdict, pub.unmet
	}
	return l.options.Policy.Check(signed)
}

// Policy is what every published index checkpoint meets.
func (l *Log) Policy() *policy.Policy { return l.options.Policy }

// Tiles gives the published files.
func (l *Log) Tiles() *tiles.Store { return l.options.Tiles }

// Close ends the publishing, waits for the snapshots that are open, and releases the
// files. What is under way is finished after the next start.
func (l *Log) Close() error {
	l.closing.Do(func() {
		l.cancel()
		l.done.Wait()
		l.closed = l.closeFiles()
	})
	return l.closed
}

func (l *Log) closeFiles() error {
	if l.index == nil {
		return nil
	}
	return l.index.Close()
}
