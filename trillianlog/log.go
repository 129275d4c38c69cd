package trillianlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
	"github.com/tallyroot/tallyroot/trillianlog/receipt"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
)

// Defaults of [Options].
const (
	DefaultMaxBatch       = 1000
	DefaultMaxQueue       = 32768
	DefaultMaxQueueBytes  = 64 << 20
	DefaultMaxUnpublished = 1 << 16
)

// Projection is what is computed from the leaves. Apply sees each leaf once in
// the life of the projection, in order, before a checkpoint that covers it is
// published. It is never called twice at a time.
type Projection interface {
	// Next is the index of the first leaf that was not applied durably.
	Next() uint64
	// Apply takes the leaves from first on; first equals Next. After an error
	// it is called again, from what Next then says.
	Apply(ctx context.Context, first uint64, leaves [][]byte) error
}

// WitnessFunc asks witnesses to cosign a checkpoint and returns it with the
// cosignatures. prove gives the consistency proof from an older size. An error
// that wraps ErrWitnessAhead stops the log for good; after any other one the
// last cosigned checkpoint stays published and the log asks again.
type WitnessFunc func(ctx context.Context, signed []byte, prove func(from uint64) ([][]byte, error)) ([]byte, error)

// Options are what a log is made of.
type Options struct {
	Backend Backend        // where the leaves are
	Tiles   *tiles.Store   // what is published
	Last    LastCheckpoint // kept apart from Backend: see LastCheckpoint
	Origin  string         // the log's name, and its key's
	Signer  note.Signer    // the log's key (Ed25519: the same text gives the same signature)
	Policy  *policy.Policy // what every published checkpoint must meet

	// Witness is nil if the policy's quorum is none.
	Witness WitnessFunc
	// CosignEvery is after how long a log that does not grow has its checkpoint
	// cosigned again; 0: DefaultCosignEvery.
	CosignEvery time.Duration
	// Projection may be nil.
	Projection Projection
	// Void makes the leaf that fills an index that would stay empty. If it is
	// nil, a hole stops all appends.
	Void func(index uint64) (Leaf, error)
	// Reserve is asked before each batch is written; an error refuses the batch
	// with ErrNoSpace, which wraps it. It may be nil.
	Reserve func() error

	MaxBatch      int // leaves in one write; 0: DefaultMaxBatch
	MaxQueue      int // leaves that wait to be written; 0: DefaultMaxQueue
	MaxQueueBytes int // and their bytes; 0: DefaultMaxQueueBytes
	// MaxUnpublished is how many writes may wait for a checkpoint that covers them:
	// some hundred bytes each, while nothing can be published. 0:
	// DefaultMaxUnpublished.
	MaxUnpublished int

	// CallTimeout bounds one call to the back end; 0: DefaultCallTimeout. What a
	// write that it cuts off has stored is not known before the back end was asked.
	// While one has taken a quarter of it nothing new is taken. A back end that is
	// far away needs more: a write of MaxBatch leaves must fit.
	CallTimeout time.Duration
	// IntegrationTimeout is how long leaves may be stored and not in the tree
	// before Status says that publishing does not get on; 0:
	// DefaultIntegrationTimeout.
	IntegrationTimeout time.Duration

	Hooks
	Logger *slog.Logger // nil: slog.Default()

	fault func(step string) error // ends the publisher between two steps, in tests
	probe probe                   // shorter in tests
}

// Log is an append-only log. It is safe for concurrent use.
type Log struct {
	options   Options
	backend   *rpc
	sequencer *sequencer
	publisher *publisher
	logger    *slog.Logger

	cancel      context.CancelFunc // ends all work
	endPatience context.CancelFunc // ends all trying again
	done        sync.WaitGroup     // sequencer and publisher
	watching    sync.WaitGroup
	closing     sync.Once
	closeErr    error

	stopping sync.Once
	stopped  atomic.Pointer[StopError] // why publishing has ended for good
}

// Open starts the log. The projection is brought up to the published checkpoint
// before Open returns; leaves that are stored but not published are published
// afterwards.
//
// If the back end and what was signed do not agree, Open succeeds all the same:
// the log then serves what is published and refuses everything else, and
// Status().Err says why. If the last checkpoint is missing although the log is
// not empty, it fails with ErrNoLastCheckpoint.
//
// After Open has succeeded, the log owns Options.Backend and closes it.
func Open(ctx context.Context, o Options) (*Log, error) {
	o = o.withDefaults()
	life, cancel := context.WithCancel(context.Background())
	patience, endPatience := context.WithCancel(life)
	suspect := make(chan struct{}, 1)
	backend := &rpc{Backend: o.Backend, timeout: o.CallTimeout, onError: func(call string) {
		signal(suspect)
		if o.OnError != nil {
			o.OnError(call)
		}
	}}
	backend.interrupt() // makes the first line
	l := &Log{options: o, backend: backend, logger: o.Logger, cancel: cancel, endPatience: endPatience}
	wake := make(chan struct{}, 1)
	l.sequencer = &sequencer{
		backend: l.backend, reserve: o.Reserve, void: o.Void, hooks: o.Hooks, logger: o.Logger,
		maxBatch: o.MaxBatch, maxLeaves: o.MaxQueue, maxBytes: o.MaxQueueBytes, maxUnpublished: o.MaxUnpublished,
		probe: o.probe, stall: o.CallTimeout / stalledPart, patience: patience,
		onStored: func() { signal(wake) }, onStop: l.stop,
		taken: func(stored uint64) bool { return l.publisher.reached.Load() >= stored },
		wake:  make(chan struct{}, 1), suspect: suspect,
		flying: make(map[[32]byte]*item),
	}
	l.publisher = &publisher{
		backend: l.backend, tiles: o.Tiles, last: o.Last, projection: o.Projection,
		origin: o.Origin, signer: o.Signer, policy: o.Policy, witness: o.Witness, cosign: o.CosignEvery, logger: o.Logger,
		stored: &l.sequencer.stored, release: l.sequencer.release, hooks: o.Hooks, fault: o.fault,
		outage: l.sequencer.outage.Load, slow: o.IntegrationTimeout,
		wake: wake, onReached: func() { signal(l.sequencer.wake) },
	}
	if err := l.resume(ctx); err != nil {
		cancel()
		return nil, fmt.Errorf("open the log %s: %w", o.Origin, err)
	}
	l.catchUp(ctx, patience)
	l.start(life, patience)
	return l, nil
}

func (o Options) withDefaults() Options {
	if o.MaxBatch <= 0 {
		o.MaxBatch = DefaultMaxBatch
	}
	if o.MaxQueue <= 0 {
		o.MaxQueue = DefaultMaxQueue
	}
	if o.MaxQueueBytes <= 0 {
		o.MaxQueueBytes = DefaultMaxQueueBytes
	}
	if o.MaxUnpublished <= 0 {
		o.MaxUnpublished = DefaultMaxUnpublished
	}
	if o.CallTimeout <= 0 {
		o.CallTimeout = DefaultCallTimeout
	}
	if o.CosignEvery <= 0 {
		o.CosignEvery = DefaultCosignEvery
	}
	if o.IntegrationTimeout <= 0 {
		o.IntegrationTimeout = DefaultIntegrationTimeout
	}
	if o.probe == (probe{}) {
		o.probe = probe{probeEvery, probeTimeout}
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

func (l *Log) start(life, patience context.Context) {
	if l.stopped.Load() != nil {
		return
	}
	l.watching.Go(func() { l.sequencer.watch(life) })
	drain := make(chan struct{})
	l.done.Go(func() {
		defer close(drain)
		l.sequencer.run(life)
	})
	l.done.Go(func() {
		err := l.publisher.run(life, patience, drain)
		var stopped *StopError
		switch {
		case errors.As(err, &stopped):
			l.stop(stopped)
		case errors.Is(err, errCrash):
			l.cancel()
		}
	})
}

// stop ends publishing and appending for good. The first reason counts.
func (l *Log) stop(why *StopError) {
	l.stopping.Do(func() {
		l.sequencer.shut(why) // and with it Status says so
		l.stopped.Store(why)
		size := uint64(0)
		if pub := l.publisher.published.Load(); pub != nil {
			size = pub.checkpoint.Size
		}
		l.logger.Error("THE LOG HAS STOPPED PUBLISHING; an operator has to look. What is published is still served.",
			"reason", string(why.Reason), "detail", why.Detail, "published", size)
	})
}

// Add takes a leaf and gives it the next index, unless the same leaf is there or
// under way. It does not wait for that: Wait does. Indices are given in the
// order of the calls. Errors: ErrBusy, ErrUnavailable, ErrClosed, *StopError; the
// leaf was then not logged.
func (l *Log) Add(leaf Leaf) (*Ticket, error) {
	tickets, err := l.sequencer.add([]Leaf{leaf})
	if err != nil {
		return nil, err
	}
	return tickets[0], nil
}

// AddAll is Add for several leaves that follow each other: all are taken, or
// none.
func (l *Log) AddAll(leaves []Leaf) ([]*Ticket, error) { return l.sequencer.add(leaves) }

// Refusal is what Add would answer while the back end takes no leaves, an error
// that wraps ErrUnavailable, or since the log has stopped, a *StopError. It is nil
// otherwise. It costs next to nothing.
func (l *Log) Refusal() error {
	if stopped := l.stopped.Load(); stopped != nil {
		return stopped
	}
	if o := l.sequencer.outage.Load(); o != nil {
		return o.refusal
	}
	return nil
}

// Trouble is nil, or why publishing does not get on at the moment. It costs next to
// nothing; Status says more.
func (l *Log) Trouble() error {
	if trouble := l.publisher.trouble.Load(); trouble != nil {
		return *trouble
	}
	return nil
}

// Resumed is how many leaves the log had when it last asked the back end for all
// that it has: when it was opened, and after each outage. Among those, as long as
// they are not published, may be some that nobody was told of, or that somebody
// was told might not be there. While Refusal is not nil it may still grow.
func (l *Log) Resumed() uint64 { return l.sequencer.resumed.Load() }

// Published gives the newest published checkpoint, and its signed text; before
// the first one, the empty checkpoint and nil. The text must not be changed.
func (l *Log) Published() (checkpoint.Checkpoint, []byte) {
	pub := l.publisher.published.Load()
	if pub == nil {
		return checkpoint.Checkpoint{}, nil
	}
	return pub.checkpoint, pub.signed
}

// Verdict is what the log's policy says of a signed checkpoint: who witnessed it, and
// when. For the published one it costs nothing.
func (l *Log) Verdict(signed []byte) (policy.Verdict, error) {
	if pub := l.publisher.published.Load(); pub != nil && bytes.Equal(signed, pub.signed) {
		return pub.verdict, pub.unmet
	}
	return l.options.Policy.Check(signed)
}

// Receipt proves with the published checkpoint that the leaf stands at the index
// (c2sp.org/tlog-proof). It is checked with the reader's own code before it is
// returned. Errors: ErrNotPublished, ErrUnmet.
func (l *Log) Receipt(index uint64) ([]byte, error) {
	pub, err := l.covering(index)
	if err != nil {
		return nil, err
	}
	hash, err := l.options.Tiles.LeafHash(index)
	if err != nil {
		return nil, fmt.Errorf("receipt for leaf %d: %w", index, err)
	}
	return l.receipt(pub, index, hash)
}

// ReceiptOf is Receipt for a leaf whose hash the caller knows: it fails if
// another one stands at the index.
func (l *Log) ReceiptOf(index uint64, leafHash [32]byte) ([]byte, error) {
	pub, err := l.covering(index)
	if err != nil {
		return nil, err
	}
	return l.receipt(pub, index, leafHash)
}

func (l *Log) covering(index uint64) (*publication, error) {
	pub := l.publisher.published.Load()
	switch {
	case pub == nil || index >= pub.checkpoint.Size:
		return nil, fmt.Errorf("receipt for leaf %d: %w", index, ErrNotPublished)
	case pub.unmet != nil:
		return nil, fmt.Errorf("receipt for leaf %d: %w: %w", index, ErrUnmet, pub.unmet)
	}
	return pub, nil
}

func (l *Log) receipt(pub *publication, index uint64, leafHash [32]byte) ([]byte, error) {
	proof, err := l.options.Tiles.InclusionProof(index, pub.checkpoint.Size)
	if err != nil {
		return nil, fmt.Errorf("receipt for leaf %d: %w", index, err)
	}
	made := receipt.Receipt{Index: index, Proof: proof, Checkpoint: pub.signed}
	text := made.Append(make([]byte, 0, made.Size()))
	read, err := receipt.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("receipt for leaf %d: check: %w", index, err)
	}
	// The policy was checked once for these very bytes, before they were
	// published.
	open := func(signed []byte) (checkpoint.Checkpoint, error) {
		if !bytes.Equal(signed, pub.signed) {
			return checkpoint.Checkpoint{}, errors.New("it holds another checkpoint")
		}
		return pub.checkpoint, nil
	}
	if _, err := read.Verify(leafHash, open); err != nil || read.Index != index {
		return nil, fmt.Errorf("receipt for leaf %d: check: %w", index, err)
	}
	return text, nil
}

// Tiles gives the published files.
func (l *Log) Tiles() *tiles.Store { return l.options.Tiles }

// Status is how the log is at a moment.
type Status struct {
	// Err is nil, or the *StopError with which the log has stopped for good.
	Err error
	// Publishing is nil, or why publishing does not get on at the moment.
	Publishing error
	// Writable is nil, or why a new leaf would be refused.
	Writable error
	// Readable is nil, or why there is nothing to prove leaves with: nothing is
	// published yet, or it does not meet the policy. What the back end does has no
	// part in it.
	Readable error

	Published   uint64    // size of the published checkpoint
	PublishedAt time.Time // zero if nothing is published
	Stored      uint64    // durable leaves
	QueueLeaves int       // leaves that wait to be durable
	QueueBytes  int
	Counts      Counts
}

// Status is for health checks and metrics. It asks Options.Reserve.
func (l *Log) Status() Status {
	var st Status
	if pub := l.publisher.published.Load(); pub != nil {
		st.Published, st.PublishedAt, st.Readable = pub.checkpoint.Size, pub.at, pub.unmet
	} else {
		st.Readable = errors.New("no checkpoint is published yet")
	}
	st.Stored = max(st.Published, l.sequencer.stored.Load())
	st.Publishing = l.Trouble()
	l.sequencer.mu.Lock()
	switch s := l.sequencer; {
	case s.refuse != nil:
		st.Writable = s.refuse
		if stopped := (*StopError)(nil); errors.As(s.refuse, &stopped) {
			st.Err = stopped
		}
	case s.away != nil:
		st.Writable = s.away.status()
	case s.trial != nil:
		st.Writable = s.trial.status()
	default:
		st.Writable = s.behind()
	}
	st.QueueLeaves, st.QueueBytes, st.Counts = l.sequencer.leaves, l.sequencer.bytes, l.sequencer.counts
	l.sequencer.mu.Unlock()
	switch {
	case st.Err != nil:
		st.Publishing = st.Err
	case errors.Is(st.Writable, ErrUnavailable) && (st.Publishing != nil || st.Published < st.Stored):
		st.Publishing = st.Writable
	}
	if st.Writable == nil && l.options.Reserve != nil {
		if err := l.options.Reserve(); err != nil {
			st.Writable = fmt.Errorf("%w: %w", ErrNoSpace, err)
		}
	}
	return st
}

// closeTime is how long Close lets the back end take what is under way.
const closeTime = 30 * time.Second

// Close refuses new leaves, writes and publishes what is under way, and closes
// the back end. What cannot be published at once (a witness or a back end that
// does not answer, a full disk) is left to the next start; who waits for it gets
// ErrClosed. A back end that is slow is left after half a minute.
func (l *Log) Close() error {
	l.closing.Do(func() {
		l.sequencer.shut(ErrClosed)
		l.endPatience()
		enough := time.AfterFunc(closeTime, l.cancel)
		l.done.Wait()
		enough.Stop()
		l.cancel()
		l.watching.Wait()
		l.sequencer.mu.Lock()
		l.sequencer.abandon(ErrClosed)
		l.sequencer.mu.Unlock()
		l.closeErr = l.options.Backend.Close()
	})
	return l.closeErr
}
