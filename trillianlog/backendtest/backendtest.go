// Package backendtest is the suite that every back end of a log passes: the
// contract of trillianlog.Backend, and a whole trillianlog.Log on it, with things
// going wrong. It needs the real parts and asks nothing of how they store.
package backendtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/google/trillian"
	"github.com/google/trillian/types"
	"github.com/transparency-dev/merkle/rfc6962"
	xtlog "golang.org/x/mod/sumdb/tlog"
	"google.golang.org/grpc/codes"

	"github.com/tallyroot/tallyroot/trillianlog"
)

// Subject is the back end of one log, which is empty at first.
type Subject struct {
	// Open opens it. It is called again after Close, and gives the same log.
	Open func(t testing.TB) trillianlog.Backend
	// Tamper changes the stored bytes of a leaf, and nothing else. The back end
	// is closed meanwhile. It may be nil.
	Tamper func(t testing.TB, index uint64)
	// Damage changes the node of a leaf in the stored tree, or removes all nodes of
	// the tree, and nothing else. The back end may be open. It may be nil.
	Damage func(t testing.TB, index uint64, remove bool)
	// Save copies all that is stored; restore puts the copy in its place, also
	// again. It may be nil.
	Save func(t testing.TB) (restore func(t testing.TB))
	// RestoreOpen says that restore may be called while the back end is open;
	// otherwise it is closed meanwhile.
	RestoreOpen bool
}

// Run runs the suite. fresh gives a new log each time.
func Run(t *testing.T, fresh func(t *testing.T) Subject) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Subject)
	}{
		{"Empty", empty},
		{"RootsAndProofs", rootsAndProofs},
		{"LeavesComeBack", leavesComeBack},
		{"Refused", refused},
		{"AddNew", addNew},
		{"Find", find},
		{"Gaps", gaps},
		{"LongGap", longGap},
		{"Limits", limits},
		{"Contexts", contexts},
		{"Concurrent", concurrent},
		{"Log", wholeLog},
		{"LogRepeats", repeats},
		{"LogManyClients", manyClients},
		{"LogFailingCalls", failingCalls},
		{"LogWritesWithUnknownOutcome", unknownOutcome},
		{"LogTornWrite", tornWrite},
		{"LogHoles", holes},
		{"LogHalfWritten", halfWritten},
		{"LogTampered", tampered},
		{"LogChangedNodes", func(t *testing.T, s Subject) { damagedTree(t, s, false) }},
		{"LogMissingNodes", func(t *testing.T, s Subject) { damagedTree(t, s, true) }},
		{"LogRolledBack", rolledBack},
		{"LogRolledBackOpen", rolledBackOpen},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, fresh(t)) })
	}
}

// Quiet is a logger that says nothing.
var Quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// patience is how long is waited for what must happen.
const patience = time.Minute

// until waits for something that must come to hold.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after %v still not: %s", patience, what)
		}
	}
}

// subject is a Subject with its back end open.
type subject struct {
	Subject
	trillianlog.Backend
	t testing.TB
}

func open(t testing.TB, s Subject) *subject {
	t.Helper()
	opened := &subject{s, s.Open(t), t}
	t.Cleanup(opened.close)
	return opened
}

func (s *subject) close() {
	if s.Backend == nil {
		return
	}
	if err := s.Backend.Close(); err != nil {
		s.t.Errorf("close: %v", err)
	}
	s.Backend = nil
}

// reopen closes the back end and opens it again.
func (s *subject) reopen() {
	s.t.Helper()
	id := s.TreeID()
	s.close()
	s.Backend = s.Open(s.t)
	if s.TreeID() != id {
		s.t.Fatalf("tree %d, and %d after it was opened again", id, s.TreeID())
	}
}

func value(i uint64) []byte { return fmt.Appendf(nil, "entry %d", i) }

func identity(i uint64) [32]byte { return sha256.Sum256(fmt.Appendf(nil, "identity %d", i)) }

func leaf(i uint64) *trillian.LogLeaf {
	id := identity(i)
	return &trillian.LogLeaf{LeafIndex: int64(i), LeafValue: value(i), LeafIdentityHash: id[:]}
}

func leafHash(value []byte) (hash [32]byte) {
	copy(hash[:], rfc6962.DefaultHasher.HashLeaf(value))
	return hash
}

// send sends leaves in one call and gives the code of each.
func (s *subject) send(leaves ...*trillian.LogLeaf) []codes.Code {
	s.t.Helper()
	response, err := s.Client().AddSequencedLeaves(context.Background(), &trillian.AddSequencedLeavesRequest{LogId: s.TreeID(), Leaves: leaves})
	if err != nil {
		s.t.Fatalf("add leaves from %d on: %v", leaves[0].LeafIndex, err)
	}
	if len(response.Results) != len(leaves) {
		s.t.Fatalf("%d results for %d leaves", len(response.Results), len(leaves))
	}
	got := make([]codes.Code, len(leaves))
	for i, r := range response.Results {
		got[i] = codes.Code(r.GetStatus().GetCode())
	}
	return got
}

// add adds leaves [from, to) and wants each to be taken.
func (s *subject) add(from, to uint64) {
	s.t.Helper()
	for from < to {
		n := min(to-from, trillianlog.DefaultMaxBatch)
		leaves := make([]*trillian.LogLeaf, n)
		for i := range n {
			leaves[i] = leaf(from + i)
		}
		for i, code := range s.send(leaves...) {
			if code != codes.OK {
				s.t.Fatalf("leaf %d: %v", from+uint64(i), code)
			}
		}
		from += n
	}
}

func (s *subject) root() types.LogRootV1 {
	s.t.Helper()
	root, err := rootOf(s.Backend)
	if err != nil {
		s.t.Fatal(err)
	}
	return root
}

func rootOf(b trillianlog.Backend) (root types.LogRootV1, err error) {
	response, err := b.Client().GetLatestSignedLogRoot(context.Background(), &trillian.GetLatestSignedLogRootRequest{LogId: b.TreeID()})
	if err != nil {
		return root, err
	}
	return root, root.UnmarshalBinary(response.SignedLogRoot.LogRoot)
}

// grown waits until the tree has the size, and gives its root.
func (s *subject) grown(size uint64) (root types.LogRootV1) {
	s.t.Helper()
	until(s.t, fmt.Sprintf("a tree of %d leaves", size), func() bool {
		root = s.root()
		return root.TreeSize >= size
	})
	if root.TreeSize != size {
		s.t.Fatalf("the tree has %d leaves, want %d", root.TreeSize, size)
	}
	return root
}

// next wants Next to say so.
func (s *subject) next(want uint64, holes ...uint64) {
	s.t.Helper()
	next, got, err := s.Next(context.Background())
	if err != nil || next != want || fmt.Sprint(got) != fmt.Sprint(holes) {
		s.t.Fatalf("Next is %d, %v, %v; want %d, %v", next, got, err, want, holes)
	}
}

func (s *subject) leaves(from, count uint64) []*trillian.LogLeaf {
	s.t.Helper()
	var all []*trillian.LogLeaf
	for uint64(len(all)) < count {
		response, err := s.Client().GetLeavesByRange(context.Background(), &trillian.GetLeavesByRangeRequest{
			LogId: s.TreeID(), StartIndex: int64(from) + int64(len(all)), Count: int64(count) - int64(len(all))})
		if err != nil {
			s.t.Fatal(err)
		}
		if len(response.Leaves) == 0 {
			return all
		}
		all = append(all, response.Leaves...)
	}
	return all
}

// reference computes roots with another implementation than Trillian's.
type reference struct{ hashes []xtlog.Hash }

func (r *reference) ReadHashes(indexes []int64) ([]xtlog.Hash, error) {
	out := make([]xtlog.Hash, len(indexes))
	for i, at := range indexes {
		out[i] = r.hashes[at]
	}
	return out, nil
}

// root is that of leaves [0, to). It is asked for rising sizes.
func (r *reference) root(t testing.TB, from, to uint64) []byte {
	t.Helper()
	for i := from; i < to; i++ {
		hashes, err := xtlog.StoredHashes(int64(i), value(i), r)
		if err != nil {
			t.Fatal(err)
		}
		r.hashes = append(r.hashes, hashes...)
	}
	root, err := xtlog.TreeHash(int64(to), r)
	if err != nil {
		t.Fatal(err)
	}
	return root[:]
}

// is wants the root to be that of the leaves [0, size), of which from are known
// to the reference.
func (r *reference) is(t testing.TB, root types.LogRootV1, from uint64) {
	t.Helper()
	if want := r.root(t, from, root.TreeSize); !bytes.Equal(root.RootHash, want) {
		t.Fatalf("the root of %d leaves is %x, want %x", root.TreeSize, root.RootHash, want)
	}
}
