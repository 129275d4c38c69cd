package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/grpc/codes"
)

// What Pebble may use. Its memory is bounded by the block cache plus
// memtableSize times memtableLimit, and a few MiB for open files.
const (
	// memtableSize also bounds the write-ahead log, and with it what there is
	// to replay when a process that was killed starts again.
	memtableSize  = 8 << 20
	memtableLimit = 4
	// blockSize is before compression: leaves are read in runs, and zstd needs
	// several like ones in a block to find what they share.
	blockSize = 32 << 10
	// filterBits makes about one identity in a hundred that is not stored cost
	// a read.
	filterBits   = 10
	maxOpenFiles = 500
	// l0Runs is how many runs of identities gather before they are merged. The
	// keys are random, so each merge rewrites much of the index.
	l0Runs      = 8
	l0RunsLimit = 4 * l0Runs

	// formatMajor is fixed, so that a newer Pebble does not change what is on
	// the disk behind the operator's back.
	formatMajor = pebble.FormatTableFormatV6

	fullDiskPoll = 200 * time.Millisecond
)

// disk is the database: opening and locking it, committing to it, and what
// holds when the operating system refuses a write.
//
// Left to itself Pebble ends the process when a commit fails. Here:
//
//   - No space left (ENOSPC): writes wait until there is room and go on, so
//     that nothing is half-written. It seldom comes to that, since room
//     refuses appends before.
//   - A failed write or fsync of the write-ahead log, or of the manifest: it
//     is unknown what is on the disk. broken is set, once and for all, and
//     everything is refused with it. Pebble is not called again, not even to
//     close it; only a new process can open the store.
//   - A checksum that does not match: that read fails, others go on.
type disk struct {
	db      *pebble.DB
	lock    *pebble.Lock
	fs      vfs.FS // without the guard against ENOSPC
	dir     string
	minFree uint64
	logger  *slog.Logger

	opened  atomic.Bool
	broken  atomic.Pointer[refusal]
	failed  chan struct{} // closed when broken is set
	closing chan struct{} // closed when the store is about to be closed
	once    sync.Once     // closes closing
}

func openDisk(dir string, fs vfs.FS, minFree uint64, cacheBytes int64, logger *slog.Logger) (*disk, error) {
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the store's folder cannot be made: %w", err)
	}
	lock, err := pebble.LockDirectory(dir, fs)
	if err != nil {
		// The second is this process's own; Pebble has no sentinel for it.
		if errors.Is(err, syscall.EAGAIN) || strings.Contains(err.Error(), "lock held by current process") {
			return nil, refuse(ErrInUse, codes.FailedPrecondition, nil,
				"another process has %s open (it holds the file LOCK there); stop that one first, or give this one another folder", dir)
		}
		return nil, fmt.Errorf("the store's lock cannot be taken: %w", err)
	}
	d := &disk{lock: lock, fs: fs, dir: dir, minFree: minFree, logger: logger,
		failed: make(chan struct{}), closing: make(chan struct{})}

	// Pebble takes the memtables out of the cache's size. Without this there
	// would be next to no cache while much is written.
	cache := pebble.NewCache(cacheBytes + memtableSize*memtableLimit)
	defer cache.Unref()
	opts := &pebble.Options{
		Cache:                       cache,
		FS:                          logGuard{vfs.OnDiskFull(fs, d.waitForRoom), d},
		Lock:                        lock,
		FormatMajorVersion:          formatMajor,
		MemTableSize:                memtableSize,
		MemTableStopWritesThreshold: memtableLimit,
		MaxOpenFiles:                maxOpenFiles,
		L0CompactionThreshold:       l0Runs,
		L0StopWritesThreshold:       l0RunsLimit,
		Logger:                      pebbleLogger{d},
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) { logger.Warn("store: background work failed, will be tried again", "err", err) },
			DataCorruption: func(info pebble.DataCorruptionInfo) {
				logger.Error("store: a file is corrupt", "path", info.Path, "err", info.Details)
			},
		},
	}
	opts.Experimental.SpanPolicyFunc = spanPolicy
	for i := range opts.Levels {
		l := &opts.Levels[i]
		l.BlockSize = blockSize
		l.FilterPolicy = bloom.FilterPolicy(filterBits)
		// zstd at its fastest: on entries, level 3 saves nothing and costs a
		// third more. Blocks of hashes, which do not shrink, are left alone.
		l.Compression = func() *sstable.CompressionProfile { return sstable.BalancedCompression }
	}
	d.db, err = pebble.Open(dir, opts)
	if errors.Is(err, syscall.ENOSPC) {
		err = refuse(ErrNoSpace, codes.ResourceExhausted, err, "nothing is lost, make room and try again")
	} else if pebble.IsCorruptionError(err) {
		err = readError("its files", err)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the store in %s cannot be opened: %w", dir, err), lock.Close())
	}
	d.opened.Store(true)
	return d, nil
}

// spanPolicy keeps leaves in sstables of their own.
func spanPolicy(start []byte) (pebble.SpanPolicy, []byte, error) {
	switch {
	case len(start) == 0 || start[0] < kindLeaf:
		return pebble.SpanPolicy{}, []byte{kindLeaf}, nil
	case start[0] == kindLeaf:
		return pebble.SpanPolicy{}, []byte{kindLeaf + 1}, nil
	}
	return pebble.SpanPolicy{}, nil, nil
}

// err is nil while the store works.
func (d *disk) err() error {
	if r := d.broken.Load(); r != nil {
		return r
	}
	return nil
}

func (d *disk) fail(cause error) {
	r := refuse(ErrBroken, codes.Unavailable, cause,
		"whether the last write to %s is on the disk is not known; see to the disk and start the process again: what was acknowledged is there", d.dir)
	if d.broken.CompareAndSwap(nil, r) {
		close(d.failed)
		d.logger.Error("store: stopped after an I/O error", "dir", d.dir, "err", cause)
	}
}

// attempt runs f, which may never return once the store is broken; then
// attempt does.
func (d *disk) attempt(f func() error) error {
	if err := d.err(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-d.failed:
		return d.err()
	}
}

// commit makes a batch durable with one fsync. After an error the store is
// broken and the batch must not be touched, since Pebble may still have it.
func (d *disk) commit(b *pebble.Batch) error {
	err := d.attempt(func() error {
		// Apply would end in Logger.Fatalf if the fsync failed.
		if err := d.db.ApplyNoSyncWait(b, pebble.Sync); err != nil {
			return err
		}
		return b.SyncWait()
	})
	if err != nil {
		d.fail(err)
	}
	return d.err()
}

// room refuses while there is too little space to write safely.
func (d *disk) room() error {
	use, err := d.fs.GetDiskUsage(d.dir)
	if err != nil {
		return nil
	}
	least := d.minFree
	if least == 0 {
		least = min(DefaultMinFree, use.TotalBytes/smallDisk)
	}
	if use.AvailBytes >= least {
		return nil
	}
	return refuse(ErrNoSpace, codes.ResourceExhausted, nil,
		"%s has %d MiB left and keeps %d MiB in reserve; nothing was written, make room and try again",
		d.dir, use.AvailBytes>>20, least>>20)
}

// waitForRoom is called when a write finds no space; no other write starts
// before it returns, and then the write is tried once more. While the store is
// being opened it does not wait.
func (d *disk) waitForRoom() {
	if !d.opened.Load() {
		return
	}
	d.logger.Error("store: the disk is full, writing waits until there is room", "dir", d.dir)
	tick := time.NewTicker(fullDiskPoll)
	defer tick.Stop()
	for d.room() != nil {
		select {
		case <-d.closing:
			return
		case <-tick.C:
		}
	}
	d.logger.Info("store: there is room again", "dir", d.dir)
}

// stopWaiting lets a write that waits for room fail, so that the store can be
// closed.
func (d *disk) stopWaiting() { d.once.Do(func() { close(d.closing) }) }

// close writes the memtables out, so that the next start has nothing to
// replay, and gives up the lock. A broken store keeps it.
func (d *disk) close() error {
	err := d.attempt(func() error {
		var flushed error
		if d.room() == nil {
			flushed = d.db.Flush()
		}
		return errors.Join(flushed, d.db.Close(), d.lock.Close())
	})
	if d.err() != nil {
		return fmt.Errorf("%w; its files stay open until the process ends", d.err())
	}
	return err
}

// pebbleLogger takes what Pebble has to say.
type pebbleLogger struct{ d *disk }

func (l pebbleLogger) Infof(format string, args ...any) {
	if l.d.logger.Enabled(context.Background(), slog.LevelDebug) {
		l.d.logger.Debug("store: " + fmt.Sprintf(format, args...))
	}
}

func (l pebbleLogger) Errorf(format string, args ...any) {
	l.d.logger.Warn("store: " + fmt.Sprintf(format, args...))
}

// Fatalf is where Pebble expects the process to end. A failed write of the
// manifest comes from a background goroutine, which would try for ever: it
// ends here instead, and its deferred calls release what it holds.
func (l pebbleLogger) Fatalf(format string, args ...any) {
	msg := fmt.Sprintf(format, args...)
	l.d.fail(errors.New(msg))
	if l.d.opened.Load() && strings.HasPrefix(msg, "MANIFEST") {
		runtime.Goexit()
	}
}
