package store

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tallyroot/tallyroot/provenance/historyindex"
)

// DefaultCache is Options.Cache where that is 0.
const DefaultCache = 128 << 20

// What Pebble may use beside the cache. The larger a memtable, the less often the
// rows of a large map are written again.
const (
	memtableSize  = 64 << 20
	memtableLimit = 2
	blockSize     = 8 << 10
	maxOpenFiles  = 200
	// formatMajor is fixed, so that a newer Pebble does not change what is on the
	// disk behind the operator's back.
	formatMajor = pebble.FormatTableFormatV6
)

// Options are how an index is opened.
type Options struct {
	Dir    string        // where map and leaves are; made if there is none
	Cache  int64         // bytes of the map's files kept in memory; 0: DefaultCache
	Logger pebble.Logger // nil: Pebble's default

	fs    vfs.FS                  // nil: the operating system's
	run   int                     // 0: maxRun
	fault func(step string) error // ends a call between two steps, in tests
}

// An Index is the history index of one log. It is safe for concurrent use; calls
// that change it take turns.
type Index struct {
	options Options
	db      *pebble.DB
	leaves  *leaves
	reached atomic.Pointer[head] // of the map, as in the database

	mu        sync.Mutex // held by who changes the index; guards what follows
	top       *node      // of the map
	read      *run       // by ReadAhead: entries for the map, if it has come to where they begin
	published uint64     // size of the newest index log that is known to be published
	broken    error      // a write failed: what is in the database is not known

	readers sync.Mutex // guards what follows; taken after mu
	newest  *state     // of the map's last leaf; nil: it is beyond it. Changed with mu held
	served  *state     // nil: ErrNotServed
	closed  bool
	views   sync.WaitGroup // who reads from the files
}

// Open opens the index. Nothing is served until Publish. If Behind then says so,
// CatchUp has to make the map again up to the newest leaf.
//
// Errors: ErrDamaged, if the map has to be deleted; ErrLeavesLost.
func Open(o Options) (*Index, error) {
	if o.Cache == 0 {
		o.Cache = DefaultCache
	}
	if o.fs == nil {
		o.fs = vfs.Default
	}
	if o.run == 0 {
		o.run = maxRun
	}
	if o.fault == nil {
		o.fault = func(string) error { return nil }
	}
	x := &Index{options: o}
	x.reached.Store(new(head))
	if err := x.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("open the history index in %s: %w", o.Dir, err), x.closeFiles())
	}
	return x, nil
}

func (x *Index) open() error {
	o := x.options
	mapDir, leavesDir := filepath.Join(o.Dir, "map"), filepath.Join(o.Dir, "leaves")
	for _, dir := range []string{o.Dir, mapDir, leavesDir} {
		if err := o.fs.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	err := errors.Join(syncDir(o.fs, o.Dir), syncDir(o.fs, filepath.Dir(o.Dir)))
	if err != nil {
		return err
	}
	// A few hundred bytes a second at most.
	x.leaves, err = openLeaves(leavesDir, &pebble.Options{
		FS: o.fs, Logger: o.Logger, FormatMajorVersion: formatMajor,
		CacheSize: 1 << 20, MemTableSize: 1 << 20, MaxOpenFiles: 32,
	})
	if err != nil {
		return fmt.Errorf("the leaves in %s: %w", leavesDir, err)
	}
	// Pebble takes the memtables out of the cache's size.
	cache := pebble.NewCache(o.Cache + memtableSize*memtableLimit)
	defer cache.Unref()
	options := &pebble.Options{
		FS: o.fs, Logger: o.Logger, FormatMajorVersion: formatMajor,
		Cache: cache, MemTableSize: memtableSize, MemTableStopWritesThreshold: memtableLimit,
		MaxOpenFiles: maxOpenFiles,
	}
	for i := range options.Levels {
		options.Levels[i].BlockSize = blockSize
		// Hashes do not shrink.
		options.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.NoCompression }
	}
	if x.db, err = pebble.Open(mapDir, options); err == nil {
		err = x.load()
	}
	if pebble.IsCorruptionError(err) {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err != nil {
		return fmt.Errorf("the map in %s, which may be deleted and is then made again from the log: %w", mapDir, err)
	}
	return x.agree()
}

func syncDir(fs vfs.FS, dir string) error {
	f, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// load reads the map's head and buckets.
func (x *Index) load() error {
	value, closer, err := x.db.Get([]byte{headKey})
	if err != nil && !errors.Is(err, pebble.ErrNotFound) {
		return err
	}
	h := head{root: historyindex.EmptyMapRoot()}
	if err == nil {
		h, err = parseHead(value)
		if err = errors.Join(err, closer.Close()); err != nil {
			return err
		}
	}
	if x.top, err = loadTop(x.db); err != nil {
		return err
	}
	if root := x.top.root(); root != h.root {
		return fmt.Errorf("%w: its buckets give the root %x, and it has to be %x", ErrDamaged, root, h.root)
	}
	if h.leaves > 0 && h.leaves <= x.Leaves() {
		leaf, err := x.leaves.get(h.leaves - 1)
		if err != nil {
			return err
		}
		if !bytes.Equal(leaf.Text, h.leaf) {
			return fmt.Errorf("%w: it has come to another leaf %d than the one that is kept", ErrDamaged, leaf.Number)
		}
	}
	x.reached.Store(&h)
	return nil
}

// agree brings map and leaves together.
func (x *Index) agree() error {
	if err := x.restore(); err != nil {
		return err
	}
	if err := x.record(pebble.Sync); err != nil {
		return err
	}
	if made, kept := x.reached.Load().leaves, x.Leaves(); made > kept {
		return fmt.Errorf("%w: there are %d, and the map has come to number %d; put back a copy of the folder, or delete the map as well and have the published leaves read again from the tiles", ErrLeavesLost, kept, made-1)
	}
	x.renew()
	return nil
}

// restore puts the leaves that Follow had taken with the others, as far as a crash has
// kept them from there.
func (x *Index) restore() error {
	it, err := x.db.NewIter(keyRange(leafKey))
	if err != nil {
		return err
	}
	found := false
	for it.First(); it.Valid() && err == nil; it.Next() {
		found = true
		if bytes.Equal(it.Key(), appendLeafKey(nil, x.Leaves())) {
			err = x.leaves.add(it.Value(), pebble.NoSync)
		}
	}
	if err = errors.Join(err, it.Error(), it.Close()); err != nil || !found {
		return err
	}
	return x.settle()
}

// record puts the leaf that the map's last batch has made with the others, if it
// is not there yet: a crash or an error may have kept it from there.
func (x *Index) record(durable *pebble.WriteOptions) error {
	if h := x.reached.Load(); h.leaves == x.Leaves()+1 {
		return x.leaves.add(h.leaf, durable)
	}
	return nil
}

// Next is how many of the log's entries the map has.
func (x *Index) Next() uint64 { return x.reached.Load().next }

// Leaves is how many leaves the index log has, published or not.
func (x *Index) Leaves() uint64 { return x.leaves.count.Load() }

// Behind tells whether there are leaves that the map has not come to.
func (x *Index) Behind() bool { return x.reached.Load().leaves < x.leaves.count.Load() }

// Leaf gives a leaf of the index log. Errors: ErrLeavesLost, ErrClosed.
func (x *Index) Leaf(number uint64) (Leaf, error) {
	if err := x.hold(); err != nil {
		return Leaf{}, err
	}
	defer x.views.Done()
	return x.leaves.get(number)
}

// Stats are figures for people.
type Stats struct {
	Entries   uint64 // in the map
	Keys      uint64
	Postings  uint64 // positions under all keys
	Leaves    uint64 // of the index log
	DiskBytes uint64 // that the map's files have
}

// Stats gives them; all are 0 when the index is closed.
func (x *Index) Stats() Stats {
	if x.hold() != nil {
		return Stats{}
	}
	defer x.views.Done()
	h := x.reached.Load()
	return Stats{h.next, h.keys, h.postings, x.Leaves(), x.db.Metrics().DiskSpaceUsage()}
}

// Close waits for the views that are open, and releases the folder.
func (x *Index) Close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.readers.Lock()
	if x.closed {
		x.readers.Unlock()
		return nil
	}
	x.closed = true
	x.drop(&x.newest)
	x.drop(&x.served)
	x.readers.Unlock()
	x.views.Wait()
	return x.closeFiles()
}

func (x *Index) closeFiles() (err error) {
	if x.db != nil {
		err = x.db.Close()
	}
	if x.leaves != nil {
		err = errors.Join(err, x.leaves.db.Close())
	}
	return err
}

// hold keeps the index from being closed until views.Done.
func (x *Index) hold() error {
	x.readers.Lock()
	defer x.readers.Unlock()
	if x.closed {
		return ErrClosed
	}
	x.views.Add(1)
	return nil
}
