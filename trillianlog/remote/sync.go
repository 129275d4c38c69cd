package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"sort"
	"time"

	"github.com/google/trillian"
	"github.com/google/trillian/types"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/internal/logtree"
)

const (
	// readLeaves is asked for in one call: at most 64 MiB.
	readLeaves = 1024
	// progressEvery is how often a long reading says how far it is.
	progressEvery = 5 * time.Second
	// maxGap is how far behind the last leaf that Trillian shows another one may
	// stand. One write of the log is 1,000 leaves.
	maxGap = 1 << 16
	// maxHomeless bounds how many identities of which no leaf is seen are kept.
	maxHomeless = 1024
)

// root is Trillian's newest.
type root struct {
	size uint64
	hash []byte
	at   time.Time
}

func (b *Backend) root(ctx context.Context) (root, error) {
	response, err := b.log.GetLatestSignedLogRoot(ctx, &trillian.GetLatestSignedLogRootRequest{LogId: b.treeID})
	if err != nil {
		return root{}, fmt.Errorf("ask for the tree's root: %w", err)
	}
	return b.readRoot(response)
}

func (b *Backend) readRoot(response *trillian.GetLatestSignedLogRootResponse) (root, error) {
	var v1 types.LogRootV1
	if err := v1.UnmarshalBinary(response.GetSignedLogRoot().GetLogRoot()); err != nil {
		return root{}, fmt.Errorf("read the tree's root: %w", err)
	}
	if len(v1.RootHash) != hashSize {
		// Trillian passes over an error of its database here, and gives size 0
		// (storage/mysql/log_storage.go, fetchLatestRoot).
		return root{}, errors.New("the log server gave no root: its database failed while it was read")
	}
	for { // answers may overtake each other
		before := b.integrated.Load()
		if v1.TreeSize <= before || b.integrated.CompareAndSwap(before, v1.TreeSize) {
			break
		}
	}
	return root{v1.TreeSize, v1.RootHash, time.Unix(0, int64(v1.TimestampNanos))}, nil
}

// checkIndex empties the index if Trillian's tree does not begin with its leaves.
func (b *Backend) checkIndex(ctx context.Context, now root) error {
	have := b.index.next()
	if have == 0 {
		return nil
	}
	if have <= now.size {
		hash, err := b.index.root()
		if err != nil {
			return err
		}
		if have == now.size && bytes.Equal(hash, now.hash) {
			return nil
		}
		if have < now.size {
			response, err := b.log.GetConsistencyProof(ctx, &trillian.GetConsistencyProofRequest{
				LogId: b.treeID, FirstTreeSize: int64(have), SecondTreeSize: int64(now.size)})
			if err != nil {
				return fmt.Errorf("check the index of identities: %w", err)
			}
			if proof.VerifyConsistency(rfc6962.DefaultHasher, have, now.size, response.GetProof().GetHashes(), hash, now.hash) == nil {
				return nil
			}
		}
	}
	b.logger.Warn("the index of identities is not of the leaves that Trillian has; it is made again", "indexed", have, "integrated", now.size)
	return b.index.reset()
}

// sync makes what is known what Trillian has. Afterwards b is not dirty; after an
// error it is as dirty as before.
func (b *Backend) sync(ctx context.Context) error {
	now, err := b.root(ctx)
	if err != nil {
		return err
	}
	confirmed := b.known.all() // by answers to writes
	if now.size < b.index.next() {
		b.logger.Error("Trillian has fewer leaves than it had; its database was restored from an older copy", "indexed", b.index.next(), "integrated", now.size)
		if err := b.index.reset(); err != nil {
			return fmt.Errorf("empty the index of identities: %w", err)
		}
		confirmed = nil
		b.integrated.Store(now.size)
	}
	if err := b.follow(ctx, now.size); err != nil {
		return err
	}
	shown, err := b.unintegrated(ctx, now.size)
	if err != nil {
		return err
	}
	found := newLeaves(now.size)
	for i, leaf := range shown {
		found.put(now.size+uint64(i), leaf)
	}
	if _, ok := confirmed[found.next()]; ok && now.size > 0 {
		// Trillian shows what adjoins, and this would.
		b.logger.Error("Trillian has confirmed a leaf and does not have it; its database has lost what was committed", "index", found.next())
		confirmed = nil
	}
	for at, leaf := range confirmed {
		found.put(at, leaf)
	}
	b.known = found
	b.count()
	if err := b.settleDoubt(ctx); err != nil {
		return err
	}
	if err := b.house(ctx); err != nil {
		return err
	}
	if err := b.index.record(b.known.unshown(), true); err != nil {
		return fmt.Errorf("write the index of identities: %w", err)
	}
	if other, ok := b.known.beyond[b.known.next()]; ok && other.isOther() {
		// Only an empty tree does not show it.
		return fmt.Errorf("index %d has a leaf, which Trillian does not show before it has integrated the first one: see whether trillian_log_signer runs", b.known.next())
	}
	b.dirty.Store(false)
	return nil
}

// follow brings the index up to the tree's size.
func (b *Backend) follow(ctx context.Context, size uint64) error {
	start, said := b.index.next(), time.Now()
	for b.index.next() < size {
		read, err := b.read(ctx, b.index.next(), min(size-b.index.next(), readLeaves))
		if err != nil {
			return err
		}
		if len(read) == 0 {
			return fmt.Errorf("the log server gives no leaf %d, and has integrated %d", b.index.next(), size)
		}
		if err := b.index.add(read); err != nil {
			return fmt.Errorf("write the index of identities: %w", err)
		}
		if time.Since(said) > progressEvery {
			said = time.Now()
			b.logger.Info("reading the identities of the leaves from Trillian", "from", start, "next", b.index.next(), "to", size)
		}
	}
	return nil
}

// unintegrated reads the stored leaves that adjoin a tree of the size.
func (b *Backend) unintegrated(ctx context.Context, size uint64) ([]known, error) {
	if size == 0 {
		return nil, nil // Trillian shows nothing from the tree's size on
	}
	limit := 1 + 2*uint64(b.options.MaxPending)
	read, err := b.read(ctx, size-1, limit)
	switch {
	case uint64(len(read)) == limit:
		err = fmt.Errorf("%d leaves are stored behind those that are integrated", limit-1)
		fallthrough
	case status.Code(err) == codes.ResourceExhausted:
		return nil, fmt.Errorf("more is not integrated than can be read at once (%w): see whether trillian_log_signer runs; this goes on when it has caught up", err)
	case err != nil:
		return nil, err
	case len(read) == 0:
		return nil, fmt.Errorf("the log server gives no leaf %d, and has integrated it", size-1)
	}
	return read[1:], nil
}

// read gives at most count leaves from first on, of which the first is
// integrated.
func (b *Backend) read(ctx context.Context, first, count uint64) ([]known, error) {
	response, err := b.log.GetLeavesByRange(ctx, &trillian.GetLeavesByRangeRequest{LogId: b.treeID, StartIndex: int64(first), Count: int64(count)})
	if err != nil {
		return nil, fmt.Errorf("read leaves from %d on: %w", first, err)
	}
	read := make([]known, len(response.Leaves))
	for i, leaf := range response.Leaves {
		if leaf.LeafIndex != int64(first)+int64(i) || len(leaf.LeafIdentityHash) != hashSize || len(leaf.MerkleLeafHash) != hashSize {
			return nil, fmt.Errorf("the log server gives a leaf %d with an identity of %d bytes and a hash of %d where leaf %d was asked for",
				leaf.LeafIndex, len(leaf.LeafIdentityHash), len(leaf.MerkleLeafHash), first+uint64(i))
		}
		read[i] = known{[32]byte(leaf.LeafIdentityHash), [32]byte(leaf.MerkleLeafHash), len(leaf.LeafValue)}
	}
	return read, nil
}

// promote moves the leaves that are integrated into the index.
func (b *Backend) promote() error {
	size := b.integrated.Load()
	if size <= b.known.first || b.known.first != b.index.next() { // a sync was cut off
		return nil
	}
	n := min(int(size-b.known.first), len(b.known.tail))
	if err := b.index.add(b.known.tail[:n]); err != nil {
		return err
	}
	b.known.drop(n)
	b.count()
	return nil
}

// count tells those without the turn what is known.
func (b *Backend) count() {
	b.stored.Store(b.known.next())
	b.waiting.Store(uint64(b.known.bytes))
}

// settleDoubt finds out whether the write without an answer is stored where
// Trillian does not show it: behind a hole, or in an empty tree.
func (b *Backend) settleDoubt(ctx context.Context) error {
	if len(b.doubt) > 0 {
		// A write is one transaction, and its last leaf speaks for it.
		last := b.doubt[len(b.doubt)-1]
		if uint64(last.LeafIndex) >= b.known.next() {
			_, ok, err := b.locate(ctx, knownLeaf(last).hash)
			if err != nil {
				return err
			}
			for i := 0; ok && i < len(b.doubt); i++ {
				leaf := knownLeaf(b.doubt[i])
				at, ok, err := b.locate(ctx, leaf.hash)
				if err != nil {
					return err
				}
				if ok {
					b.known.put(at, leaf)
				}
			}
		}
	}
	b.doubt = nil
	return nil
}

// homeless is a leaf that Trillian did not take because its identity is stored.
type homeless struct {
	hash  [32]byte
	asked bool // no leaf of the hash was found behind what Trillian shows
}

// house finds the leaves of the identities that Trillian refused.
func (b *Backend) house(ctx context.Context) error {
	for id, h := range b.homeless {
		found := make(map[[32]byte]trillianlog.Stored)
		b.known.find([][32]byte{id}, found)
		if err := b.index.find(ctx, [][32]byte{id}, found); err != nil {
			return fmt.Errorf("read the index of identities: %w", err)
		}
		if len(found) > 0 {
			delete(b.homeless, id)
			continue
		}
		if h.asked {
			continue
		}
		at, ok, err := b.locate(ctx, h.hash)
		switch {
		case err != nil:
			return err
		case ok:
			b.known.put(at, known{identity: id, hash: h.hash})
			delete(b.homeless, id)
		case len(b.homeless) > maxHomeless:
			delete(b.homeless, id)
		default:
			b.homeless[id] = homeless{h.hash, true}
		}
	}
	return nil
}

// locate finds the index of a stored leaf behind those that are shown.
func (b *Backend) locate(ctx context.Context, hash [32]byte) (at uint64, ok bool, err error) {
	next := b.known.next()
	below := func(size uint64) bool {
		if err != nil {
			return false
		}
		var is bool
		is, err = b.storedBelow(ctx, hash, size)
		return is
	}
	if !below(math.MaxInt64) || below(next) || err != nil {
		return 0, false, err
	}
	n := sort.Search(maxGap, func(i int) bool { return below(next + uint64(i) + 1) })
	if err == nil && n == maxGap {
		err = fmt.Errorf("the log server has a leaf more than %d indices behind leaf %d, with nothing between that it shows: another process has written to tree %d", maxGap, next-1, b.treeID)
	}
	return next + uint64(n), err == nil, err
}

// storedBelow says whether a leaf of the hash is stored at an index below size.
// A proof that cannot be given says that too, since Trillian first looks for the
// leaf among all that are stored, and then for the nodes.
func (b *Backend) storedBelow(ctx context.Context, hash [32]byte, size uint64) (bool, error) {
	if size == 0 {
		return false, nil
	}
	_, err := b.log.GetInclusionProofByHash(ctx, &trillian.GetInclusionProofByHashRequest{LogId: b.treeID, LeafHash: hash[:], TreeSize: int64(size)})
	switch {
	case err == nil, logtree.LacksNodes(err):
		return true, nil
	case status.Code(err) == codes.NotFound:
		return false, nil
	}
	return false, fmt.Errorf("look for a stored leaf: %w", err)
}
