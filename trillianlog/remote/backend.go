package remote

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/google/trillian"
	"google.golang.org/grpc"

	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/internal/logtree"
)

const (
	// DefaultWait is Options.Wait where it is not set.
	DefaultWait = 30 * time.Second
	// DefaultMaxPending is Options.MaxPending where it is not set.
	DefaultMaxPending = 1 << 16
	// maxPendingBytes bounds the same leaves' bytes: Trillian gives them in one
	// answer or not at all.
	maxPendingBytes = 64 << 20
	// MaxAhead is how far the newest root's time may be ahead of this machine's
	// clock when the back end is opened.
	MaxAhead = 5 * time.Minute
)

// Options of which Address, Origin and Dir must be given.
type Options struct {
	Address string      // HOST:PORT of the log server's gRPC service
	Origin  string      // the log's, whose tree it is
	TreeID  int64       // the tree's number. 0: the origin's own, which is made when it is missing
	TLS     *tls.Config // nil: no TLS
	Dir     string      // the folder of the identities; no other process may have it open

	// Existing has Open fail with ErrNoTree instead of making a tree.
	Existing bool
	// Wait is how long Open waits for a server that does not answer. 0:
	// DefaultWait.
	Wait time.Duration
	// MaxPending is how many leaves may be stored and not integrated. 0:
	// DefaultMaxPending.
	MaxPending int

	Logger *slog.Logger // nil: slog.Default()
}

// ErrNoTree is in the error of Open where Options.Existing is set and the log has no
// tree.
var ErrNoTree = logtree.ErrNoTree

// Backend is a tree on stock servers. It is a trillianlog.Backend, and safe for
// concurrent use.
type Backend struct {
	options Options
	conn    *grpc.ClientConn
	log     trillian.TrillianLogClient // calls the server
	client  *client                    // what Client gives
	treeID  int64
	logger  *slog.Logger

	// dirty says that Trillian may have other leaves than is known here.
	dirty atomic.Bool
	// stored and waiting are how many leaves are known to be stored, and the bytes
	// of those that the index has not; integrated is the newest root's size.
	stored, waiting, integrated atomic.Uint64

	// turn holds one token; who has taken it owns what follows.
	turn     chan struct{}
	closed   bool
	index    *index
	known    leaves
	doubt    []*trillian.LogLeaf   // of the write that was not answered
	homeless map[[32]byte]homeless // by identity
}

var _ trillianlog.Backend = (*Backend)(nil)

// Open connects to the log server, finds or makes the tree, and brings the
// identities up to what Trillian has, which is quick unless their folder is new
// or old. It fails when the server does not answer within Options.Wait, and at
// once for what waiting does not change: see [logtree.ErrUnfit].
func Open(ctx context.Context, o Options) (_ *Backend, err error) {
	o = o.withDefaults()
	conn, err := dial(o.Address, o.TLS)
	if err != nil {
		return nil, err
	}
	b := &Backend{options: o, conn: conn, log: trillian.NewTrillianLogClient(conn), logger: o.Logger,
		turn: make(chan struct{}, 1), homeless: make(map[[32]byte]homeless)}
	b.client = &client{b.log, b}
	b.turn <- struct{}{}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close())
		}
	}()
	tree, err := b.findTree(ctx)
	if err != nil {
		return nil, err
	}
	b.treeID = tree.TreeId
	root, err := b.root(ctx)
	if err != nil {
		return nil, err
	}
	if ahead := time.Until(root.at); ahead > MaxAhead {
		return nil, fmt.Errorf("the newest root of tree %d is of %s, and this machine's clock stands %s before that: set the clock right, also where trillian_log_signer runs, which integrates nothing until then",
			b.treeID, root.at.UTC().Format(time.RFC3339), ahead.Round(time.Second))
	}
	if b.index, err = openIndex(o.Dir, b.treeID, o.Logger); err != nil {
		return nil, err
	}
	if err := b.checkIndex(ctx, root); err != nil {
		return nil, err
	}
	b.known = newLeaves(b.index.next())
	for at, leaf := range b.index.unshown {
		b.known.put(at, leaf)
	}
	b.dirty.Store(true)
	return b, b.locked(ctx, func() error { return nil })
}

func (o Options) withDefaults() Options {
	if o.Wait == 0 {
		o.Wait = DefaultWait
	}
	if o.MaxPending == 0 {
		o.MaxPending = DefaultMaxPending
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

const (
	firstPause = 50 * time.Millisecond
	lastPause  = 2 * time.Second
)

// findTree tries until the server answers or the wait is over.
func (b *Backend) findTree(ctx context.Context) (*trillian.Tree, error) {
	limit, cancel := context.WithTimeout(ctx, b.options.Wait)
	defer cancel()
	trees := logtree.Admin(trillian.NewTrillianAdminClient(b.conn))
	if b.options.Existing {
		trees = logtree.Existing(trees)
	}
	for pause, told := firstPause, false; ; pause = min(2*pause, lastPause) {
		tree, err := logtree.Open(limit, trees, b.log, b.options.Origin, b.options.TreeID)
		if err == nil || final(err) {
			return tree, err
		}
		if !told {
			b.logger.Warn("waiting for Trillian's log server", "address", b.options.Address, "atMost", b.options.Wait, "error", err)
			told = true
		}
		select {
		case <-time.After(pause):
		case <-limit.Done():
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, fmt.Errorf("waited %s: %w", b.options.Wait, err)
		}
	}
}

// locked runs f with the turn taken, when what is known is what Trillian has.
func (b *Backend) locked(ctx context.Context, f func() error) error {
	if err := b.take(ctx); err != nil {
		return err
	}
	defer b.give()
	if b.dirty.Load() {
		if err := b.sync(ctx); err != nil {
			return err
		}
	}
	return f()
}

var errClosed = errors.New("the back end is closed")

func (b *Backend) take(ctx context.Context) error {
	select {
	case <-b.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	if b.closed {
		b.give()
		return errClosed
	}
	return nil
}

func (b *Backend) give() { b.turn <- struct{}{} }

// Client is Trillian's API to the tree.
func (b *Backend) Client() trillian.TrillianLogClient { return b.client }

// AddNew is not what this back end can do: look leaves up first.
func (b *Backend) AddNew(context.Context, *trillian.AddSequencedLeavesRequest) error {
	return errors.ErrUnsupported
}

// TreeID is the tree's number in Client's calls.
func (b *Backend) TreeID() int64 { return b.treeID }

// Find gives the places of the stored leaves, integrated or not, that have one
// of the identities.
func (b *Backend) Find(ctx context.Context, identities [][32]byte) (map[[32]byte]trillianlog.Stored, error) {
	found := make(map[[32]byte]trillianlog.Stored)
	err := b.locked(ctx, func() error {
		b.known.find(identities, found)
		if err := b.index.find(ctx, identities, found); err != nil {
			return fmt.Errorf("read the index of identities: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Next is the first index such that neither it nor a later one is known to have a
// stored leaf, and the indices below it that have none, in rising order.
func (b *Backend) Next(ctx context.Context) (next uint64, holes []uint64, err error) {
	err = b.locked(ctx, func() error {
		next, holes = b.known.end()
		return nil
	})
	return next, holes, err
}

// reserveTimeout bounds the question to Trillian that Reserve may ask.
const reserveTimeout = time.Second

// Reserve is nil while leaves may be stored, and otherwise says how many wait for
// the signer.
func (b *Backend) Reserve() error {
	if b.room() == nil {
		return nil
	}
	// The publisher may not be asking, so that what is known here may be old.
	ctx, cancel := context.WithTimeout(context.Background(), reserveTimeout)
	defer cancel()
	if b.take(ctx) == nil {
		defer b.give()
		if _, err := b.root(ctx); err == nil {
			if err := b.promote(); err != nil {
				return err
			}
		}
	}
	return b.room()
}

func (b *Backend) room() error {
	leaves, bytes := b.stored.Load()-min(b.integrated.Load(), b.stored.Load()), b.waiting.Load()
	if leaves < uint64(b.options.MaxPending) && bytes < maxPendingBytes {
		return nil
	}
	return fmt.Errorf("%d leaves are stored that Trillian has not integrated, and at most %d of %d bytes in all may be: see whether trillian_log_signer runs; leaves are taken again when it has caught up",
		leaves, b.options.MaxPending, maxPendingBytes)
}

// Close waits for the calls under way, and releases the connection and the
// folder. Closing twice does nothing.
func (b *Backend) Close() error {
	<-b.turn
	defer b.give()
	if b.closed {
		return nil
	}
	b.closed = true
	err := b.conn.Close()
	if b.index != nil {
		// What is integrated need not be read again.
		err = errors.Join(err, b.promote(), b.index.close())
	}
	return err
}
