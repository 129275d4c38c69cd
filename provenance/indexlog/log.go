package indexlog

import (
	"context"
	"iter"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"golang.org/x/mod/sumdb/note"

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
	// none. What it gives is durable: it, or a later one, is there after a crash.
	Published() (checkpoint.Checkpoint, []byte)
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

	Logger *slog.Logger  // nil: slog.Default()
	Pebble pebble.Logger // nil: Pebble's default

	fault func(step string) error // ends the publisher between two steps, in tests
}

// A Log is the index log. It is safe for concurrent use.
type Log struct {
	options Options
}

// Open starts the index log.
func Open(ctx context.Context, o Options) (*Log, error) { return &Log{options: o}, nil }

// LogPublished says that the log has published a checkpoint. It never blocks.
func (l *Log) LogPublished() {}

// Snapshot gives the newest published state, which has to be closed: as long as it is
// open, the disk keeps what it needs. Error: ErrNotServed.
func (l *Log) Snapshot() (*Snapshot, error) { return nil, ErrNotServed }

// Verdict is what the index policy says of a signed index checkpoint: who witnessed
// it, and when. For the published one it costs nothing.
func (l *Log) Verdict(signed []byte) (policy.Verdict, error) { return l.options.Policy.Check(signed) }

// Policy is what every published index checkpoint meets.
func (l *Log) Policy() *policy.Policy { return l.options.Policy }

// Tiles gives the published files.
func (l *Log) Tiles() *tiles.Store { return l.options.Tiles }

// Status is for health checks and metrics.
func (l *Log) Status() Status { return Status{} }

// Close ends the publishing, waits for the snapshots that are open, and releases the
// files.
func (l *Log) Close() error { return nil }
