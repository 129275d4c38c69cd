package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/trillian"
	"github.com/google/trillian/extension"
	tlog "github.com/google/trillian/log"
	"github.com/google/trillian/quota"
	"github.com/google/trillian/storage"
	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/internal/logserver"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	// DefaultMinFree is Options.MinFree where it is not set, on all but small
	// file systems: of those a part, one in smallDisk, is kept.
	DefaultMinFree = 32 << 20
	smallDisk      = 20
	// DefaultCacheBytes is Options.CacheBytes where it is not set.
	DefaultCacheBytes = 32 << 20

	// cachedTiles are at most 16 MiB.
	cachedTiles = 1024
	// maxBatchLeaves is what one AddSequencedLeaves may bring.
	maxBatchLeaves = 16384
	// maxGap is how far beyond the last stored leaf the next one may be.
	maxGap = 1 << 16
	// maxRangeLeaves and maxRangeBytes bound the answer of one GetLeavesByRange.
	maxRangeLeaves = 16384
	maxRangeBytes  = 16 << 20
)

// Options are all optional.
type Options struct {
	// Logger is told what goes wrong with the disk. nil: slog.Default().
	Logger *slog.Logger
	// MinFree is how many bytes the file system must have free for an append
	// to be taken. 0: DefaultMinFree, or less on a small file system.
	MinFree uint64
	// CacheBytes is the size of Pebble's block cache. 0: DefaultCacheBytes.
	CacheBytes int64

	fs vfs.FS // tests inject errors here
}

// Backend is Trillian in this process. It is a trillianlog.Backend, and safe
// for concurrent use.
type Backend struct {
	store  *store
	tree   *trillian.Tree
	client *logserver.Client

	mu     sync.RWMutex // held for reading while the store is used
	closed bool
}

var _ trillianlog.Backend = (*Backend)(nil)

// Open opens the store in dir, and makes folder, store and tree on the first
// time. Only one Backend can have a folder open; another gets ErrInUse.
//
// A store whose leaves do not give its root is opened all the same, so that it
// can be looked at and what was published goes on being served: it refuses
// appends with ErrDamaged.
func Open(ctx context.Context, dir string, opts Options) (*Backend, error) {
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.CacheBytes == 0 {
		opts.CacheBytes = DefaultCacheBytes
	}
	if opts.fs == nil {
		opts.fs = vfs.Default
	}
	d, err := openDisk(dir, opts.fs, opts.MinFree, opts.CacheBytes, opts.Logger)
	if err != nil {
		return nil, err
	}
	b, err := newBackend(ctx, newStore(d))
	if err != nil {
		d.stopWaiting()
		return nil, errors.Join(fmt.Errorf("the store in %s cannot be used: %w", dir, err), d.close())
	}
	return b, nil
}

func newBackend(ctx context.Context, s *store) (*Backend, error) {
	tree, err := s.logTree(ctx)
	if err != nil {
		return nil, err
	}
	st, err := s.state(tree.TreeId)
	if err != nil {
		return nil, err
	}
	tlog.InitMetrics(nil)
	clock := new(logserver.Clock)
	clock.Pass(st.Load().time)
	b := &Backend{store: s, tree: tree, client: logserver.New(extension.Registry{
		AdminStorage: (*admin)(s),
		LogStorage:   &integrator{s, clock},
		QuotaManager: quota.Noop(),
	}, clock)}
	b.client.Tree, b.client.Use = tree, b.use
	if st.Load().root == nil {
		if _, err := b.client.InitLog(ctx, &trillian.InitLogRequest{LogId: tree.TreeId}); err != nil {
			return nil, fmt.Errorf("the tree cannot be initialised: %w", err)
		}
	}
	return b, nil
}

// logTree is the tree that the back end serves. It is made, together with the
// mark of the format, when the store is empty.
func (s *store) logTree(ctx context.Context) (*trillian.Tree, error) {
	format, err := s.read(keyFormat)
	if err != nil {
		return nil, readError("the format", err)
	}
	if format == nil {
		if empty, err := s.empty(); err != nil {
			return nil, readError("the format", err)
		} else if !empty {
			return nil, refuse(ErrFormat, codes.FailedPrecondition, nil, "a database is there that is no store of a log; give another folder")
		}
		return s.createLogTree(ctx)
	}
	if len(format) != 1 || format[0] != formatVersion {
		return nil, refuse(ErrFormat, codes.FailedPrecondition, nil,
			"it was written in version %d, and this program knows version %d; use the program that wrote it, or a newer one", format, formatVersion)
	}
	id, err := s.read(keyLog)
	if err != nil {
		return nil, readError("the tree's number", err)
	}
	if len(id) != 8 {
		return nil, refuse(ErrFormat, codes.FailedPrecondition, nil, "it does not say which tree is the log")
	}
	return storage.GetTree(ctx, (*admin)(s), int64(binary.BigEndian.Uint64(id)))
}

func (s *store) empty() (bool, error) {
	it, err := s.disk.db.NewIter(&pebble.IterOptions{})
	if err != nil {
		return false, err
	}
	defer it.Close()
	return !it.First(), it.Error()
}

func (s *store) createLogTree(ctx context.Context) (tree *trillian.Tree, err error) {
	if err := s.disk.room(); err != nil {
		return nil, err
	}
	err = (*admin)(s).update(ctx, func(ctx context.Context, tx *adminTX) error {
		tree, err = tx.CreateTree(ctx, &trillian.Tree{
			TreeState: trillian.TreeState_ACTIVE,
			TreeType:  trillian.TreeType_PREORDERED_LOG,
			// Trillian refuses a tree where this is not set.
			MaxRootDuration: durationpb.New(0),
		})
		if err != nil {
			return err
		}
		if err := tx.batch.Set(keyFormat, []byte{formatVersion}, nil); err != nil {
			return err
		}
		return tx.batch.Set(keyLog, binary.BigEndian.AppendUint64(nil, uint64(tree.TreeId)), nil)
	})
	return tree, err
}

// use keeps the store open until done is called.
func (b *Backend) use() (done func(), err error) {
	b.mu.RLock()
	if b.closed {
		b.mu.RUnlock()
		return nil, refuse(ErrClosed, codes.Unavailable, nil, "it was closed while it was asked")
	}
	if err := b.store.disk.err(); err != nil {
		b.mu.RUnlock()
		return nil, err
	}
	return b.mu.RUnlock, nil
}

// Client is Trillian's API to the tree, called directly. AddSequencedLeaves
// returns when the leaves whose status is OK are durable and, unless there is
// a gap before them, integrated in the root that GetLatestSignedLogRoot gives.
func (b *Backend) Client() trillian.TrillianLogClient { return b.client }

// AddNew is not what this back end can do: look leaves up first.
func (b *Backend) AddNew(context.Context, *trillian.AddSequencedLeavesRequest) error {
	return errors.ErrUnsupported
}

// TreeID is the tree's number in Client's calls.
func (b *Backend) TreeID() int64 { return b.tree.TreeId }

// Find gives the places of the stored leaves, integrated or not, that have one
// of the identities.
func (b *Backend) Find(_ context.Context, identities [][32]byte) (map[[32]byte]trillianlog.Stored, error) {
	done, err := b.use()
	if err != nil {
		return nil, err
	}
	defer done()
	found := make(map[[32]byte]trillianlog.Stored)
	err = b.store.find(b.tree.TreeId, identities, func(id [32]byte, leaf *trillian.LogLeaf) {
		s := trillianlog.Stored{Index: uint64(leaf.LeafIndex)}
		copy(s.LeafHash[:], leaf.MerkleLeafHash)
		found[id] = s
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Next is the first index such that neither it nor a later one has a stored
// leaf, and the indices below it that have none, in rising order.
func (b *Backend) Next(context.Context) (next uint64, holes []uint64, err error) {
	done, err := b.use()
	if err != nil {
		return 0, nil, err
	}
	defer done()
	p, err := b.store.state(b.tree.TreeId)
	if err != nil {
		return 0, nil, err
	}
	st := p.Load()
	// Every leaf below the tree's size was there when it was integrated.
	holes, err = b.store.holes(b.tree.TreeId, st.size, st.next)
	if err != nil {
		return 0, nil, readError("leaves", err)
	}
	return st.next, holes, nil
}

// Reserve is nil if an append would be taken now, and otherwise why not:
// ErrNoSpace, ErrBroken, ErrDamaged or ErrClosed.
func (b *Backend) Reserve() error {
	done, err := b.use()
	if err != nil {
		return err
	}
	defer done()
	p, err := b.store.state(b.tree.TreeId)
	if err != nil {
		return err
	}
	if err := p.Load().refuseDamage(b.store.disk.dir); err != nil {
		return err
	}
	return b.store.disk.room()
}

// Close waits for the calls under way and closes the store. A write that waits
// for room on the disk is given up, and fails.
func (b *Backend) Close() error {
	b.store.disk.stopWaiting()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	return b.store.disk.close()
}
