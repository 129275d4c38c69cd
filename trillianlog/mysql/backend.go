package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/google/trillian"
	"github.com/google/trillian/extension"
	tlog "github.com/google/trillian/log"
	"github.com/google/trillian/quota"
	trillianmysql "github.com/google/trillian/storage/mysql"

	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/internal/logserver"
	"github.com/tallyroot/tallyroot/trillianlog/internal/logtree"
)

const (
	// DefaultMaxTreeHeads is Options.MaxTreeHeads where it is not set.
	DefaultMaxTreeHeads = 1024
	// DefaultMaxClockLag is Options.MaxClockLag where it is not set.
	DefaultMaxClockLag = 5 * time.Minute

	// minPacket is the least max_allowed_packet that the database must have, in
	// bytes: a row with the largest leaf needs a part of it. It is MySQL's own
	// least default.
	minPacket = 1 << 20
	// maxStatement bounds a statement also where the database would take more.
	maxStatement = 4 << 20
	// minConnections is how many connections the pool must allow at least: one
	// writes, and Trillian's storage needs a second one within a transaction.
	minConnections = 4
	// statementRest is kept free in a packet, for what a statement has beside
	// its rows.
	statementRest = 4 << 10
)

// Options say which log it is. All but Origin is optional.
type Options struct {
	Origin string // the log's name, after which its tree is called
	TreeID int64  // 0: the origin's own, which is made when there is none
	// Existing has Open fail with ErrNoTree instead of making a tree.
	Existing bool
	// MaxTreeHeads is how many tree heads are kept. 0: DefaultMaxTreeHeads.
	MaxTreeHeads int
	// MaxClockLag is how far this machine's clock may be behind the newest tree
	// head. 0: DefaultMaxClockLag.
	MaxClockLag time.Duration
	// Logger is told what goes wrong in the background. nil: slog.Default().
	Logger *slog.Logger
}

// Backend is Trillian in this process. It is a trillianlog.Backend, and safe for
// concurrent use.
type Backend struct {
	storage *integrator
	tree    *trillian.Tree
	client  *client
	options Options
	logger  *slog.Logger

	end   context.CancelFunc // ends the work in the background
	done  sync.WaitGroup
	tasks tasks

	mu     sync.RWMutex // held for reading while the database is used
	closed bool
}

var _ trillianlog.Backend = (*Backend)(nil)

// Open gives the log's back end on the database, whose tables must be there. It
// makes the log's tree on the first time. It does not own db, which must be of
// internal/mysqldb or set up alike.
//
// What is wrong with the tree gives ErrUnfit; a clock that is too far behind,
// ErrClock.
func Open(ctx context.Context, db *sql.DB, o Options) (*Backend, error) {
	if o.MaxTreeHeads <= 0 {
		o.MaxTreeHeads = DefaultMaxTreeHeads
	}
	if o.MaxClockLag <= 0 {
		o.MaxClockLag = DefaultMaxClockLag
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	b, err := open(ctx, db, o)
	if err != nil {
		return nil, fmt.Errorf("open the log %s in the database: %w", o.Origin, explain(err))
	}
	return b, nil
}

func open(ctx context.Context, db *sql.DB, o Options) (*Backend, error) {
	if n := db.Stats().MaxOpenConnections; n > 0 && n < minConnections {
		return nil, fmt.Errorf("at most %d connections to it may be open, and %d are needed", n, minConnections)
	}
	packet, err := packetSize(ctx, db)
	if err != nil {
		return nil, err
	}
	tlog.InitMetrics(nil)
	clock := new(logserver.Clock)
	admin := trillianmysql.NewAdminStorage(db)
	b := &Backend{options: o, logger: o.Logger, tasks: newTasks()}
	b.storage = &integrator{
		storage:    newStorage(db, min(packet-statementRest, maxStatement)),
		clock:      clock,
		maxLag:     o.MaxClockLag,
		retry:      b.tasks.integrate,
		integrated: b.tasks.count,
	}
	b.client = &client{logserver.New(extension.Registry{
		AdminStorage: admin,
		LogStorage:   b.storage,
		QuotaManager: quota.Noop(),
	}, clock), b}
	b.client.Explain = explain
	b.client.Abandon = func() { b.storage.doubt.Store(true) }
	var all logtree.Trees = trees{db, admin}
	if o.Existing {
		all = logtree.Existing(all)
	}
	if b.tree, err = logtree.Open(ctx, all, b.client, o.Origin, o.TreeID); err != nil {
		return nil, err
	}
	b.client.Tree, b.client.Use = b.tree, b.use
	head, err := b.storage.head(ctx, b.tree.TreeId)
	if err != nil {
		return nil, err
	}
	if err := checkClock(time.Now(), head.TimestampNanos, o.MaxClockLag); err != nil {
		return nil, err
	}
	clock.Pass(head.TimestampNanos)
	// A process that was killed may have left a write under way.
	b.storage.doubt.Store(true)
	next, _, err := b.storage.next(ctx, b.tree.TreeId)
	if err != nil {
		return nil, err
	}
	if next > head.TreeSize {
		b.tasks.integrate(nil)
	}
	b.tasks.lookAtHeads()
	b.start()
	return b, nil
}

// packetSize is how long a statement may be.
func packetSize(ctx context.Context, db *sql.DB) (int, error) {
	var packet int
	if err := db.QueryRowContext(ctx, "SELECT @@max_allowed_packet").Scan(&packet); err != nil {
		return 0, err
	}
	if packet < minPacket {
		return 0, fmt.Errorf("its max_allowed_packet is %d bytes, which a large entry does not fit in: set it to %d or more", packet, minPacket)
	}
	return packet, nil
}

// checkClock refuses a clock on which Trillian's roots would bear times that lie
// far ahead: each must be later than the last.
func checkClock(now time.Time, head uint64, limit time.Duration) error {
	newest := time.Unix(0, int64(head))
	if lag := newest.Sub(now); lag > limit {
		return fmt.Errorf("%w: it says %s, and the log's newest tree head was made at %s, %v later (at most %v is allowed): set the clock of this machine; if it is right, the one that wrote before was ahead, and the log goes on when that time is past",
			ErrClock, now.UTC().Format(time.RFC3339), newest.UTC().Format(time.RFC3339), lag.Round(time.Second), limit)
	}
	return nil
}

// use keeps the back end open until done is called.
func (b *Backend) use() (done func(), err error) {
	b.mu.RLock()
	if b.closed {
		b.mu.RUnlock()
		return nil, explain(ErrClosed)
	}
	return b.mu.RUnlock, nil
}

// Client is Trillian's API to the tree, called directly.
func (b *Backend) Client() trillian.TrillianLogClient { return b.client }

// AddNew stores the leaves, unless one of their identities or indices is taken.
func (b *Backend) AddNew(ctx context.Context, leaves *trillian.AddSequencedLeavesRequest) error {
	_, err := b.client.AddSequencedLeaves(context.WithValue(ctx, onlyNew{}, true), leaves)
	return err
}

// TreeID is the tree's number in Client's calls.
func (b *Backend) TreeID() int64 { return b.tree.TreeId }

// Find gives the places of the stored leaves, integrated or not, that have one
// of the identities.
func (b *Backend) Find(ctx context.Context, identities [][32]byte) (map[[32]byte]trillianlog.Stored, error) {
	done, err := b.use()
	if err != nil {
		return nil, err
	}
	defer done()
	if err := b.storage.settle(ctx, b.tree.TreeId); err != nil {
		return nil, explain(err)
	}
	found := make(map[[32]byte]trillianlog.Stored)
	for chunk := range slices.Chunk(identities, lookUpIdentities) {
		if err := b.storage.find(ctx, b.tree.TreeId, chunk, found); err != nil {
			return nil, explain(err)
		}
	}
	return found, nil
}

// Next is the first index such that neither it nor a later one has a stored
// leaf, and the indices below it that have none, in rising order.
func (b *Backend) Next(ctx context.Context) (next uint64, holes []uint64, err error) {
	done, err := b.use()
	if err != nil {
		return 0, nil, err
	}
	defer done()
	next, holes, err = b.storage.next(ctx, b.tree.TreeId)
	return next, holes, explain(err)
}

// Close waits for the calls under way. The database stays open. It may be called
// again.
func (b *Backend) Close() error {
	b.end()
	b.done.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.storage.writer.end()
	return nil
}
