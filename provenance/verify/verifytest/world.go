// Package verifytest makes logs with their history index in memory, for tests of
// verifiers: honest ones, and dishonest ones where a test changes what they sign.
// The same calls give the same bytes.
//
// Trees and proofs of the logs are those of Go's checksum database
// (golang.org/x/mod/sumdb/tlog), so they are not by the code that is tested.
package verifytest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/jcs"
	"github.com/tallyroot/tallyroot/provenance/participant"
	"github.com/tallyroot/tallyroot/trillianlog/receipt"
)

// A Tree is a log of leaves.
type Tree struct {
	Leaves [][]byte
	hashes []tlog.Hash
}

// Add appends a leaf and gives its position.
func (l *Tree) Add(leaf []byte) uint64 {
	n := int64(len(l.Leaves))
	hashes, err := tlog.StoredHashes(n, leaf, l)
	must(err)
	l.hashes = append(l.hashes, hashes...)
	l.Leaves = append(l.Leaves, leaf)
	return uint64(n)
}

// Size is the number of leaves.
func (l *Tree) Size() uint64 { return uint64(len(l.Leaves)) }

// Root is the root at a size.
func (l *Tree) Root(size uint64) [32]byte {
	root, err := tlog.TreeHash(int64(size), l)
	must(err)
	return root
}

// Inclusion is the proof of a leaf at a size.
func (l *Tree) Inclusion(index, size uint64) (proof [][32]byte) {
	record, err := tlog.ProveRecord(int64(size), int64(index), l)
	must(err)
	for _, h := range record {
		proof = append(proof, h)
	}
	return proof
}

// Consistency is the proof between two sizes.
func (l *Tree) Consistency(from, to uint64) (proof [][32]byte) {
	if from == 0 || from == to {
		return nil
	}
	tree, err := tlog.ProveTree(int64(to), int64(from), l)
	must(err)
	for _, h := range tree {
		proof = append(proof, h)
	}
	return proof
}

// ReadHashes makes the Tree a tlog.HashReader.
func (l *Tree) ReadHashes(indexes []int64) (hashes []tlog.Hash, err error) {
	for _, i := range indexes {
		hashes = append(hashes, l.hashes[i])
	}
	return hashes, nil
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// A World is a log, its index log, and those who sign them.
type World struct {
	T        testing.TB
	Origin   string
	LogKey   *entry.Key
	IndexKey *entry.Key
	Operator *entry.Key

	Log   Tree
	Index Tree

	LogCosigners   []*Cosigner
	IndexCosigners []*Cosigner
}

// New makes a world whose log holds its Genesis.
func New(t testing.TB, origin string) *World {
	w := &World{
		T: t, Origin: origin, LogKey: Key(t, origin, ""), IndexKey: Key(t, participant.IndexOrigin(origin), ""),
		Operator: Key(t, entry.OperatorKeyName(origin), ""),
	}
	w.Sign(w.Genesis().JSON(), w.Operator)
	return w
}

// Genesis is the log's first statement.
func (w *World) Genesis() participant.Genesis {
	return participant.Genesis{
		Origin: w.Origin, LogKey: w.LogKey.Verifier().String(), IndexKey: w.IndexKey.Verifier().String(),
		OperatorKey: w.Operator.Verifier().String(), KeysVersion: historyindex.Version,
	}
}

// Sign appends an entry and gives its position.
func (w *World) Sign(v jcs.Value, keys ...*entry.Key) uint64 {
	w.T.Helper()
	return w.Log.Add(Entry(w.T, w.Origin, v, keys...))
}

// Own gives a key that the participant holds. Its first one has an empty label.
func (w *World) Own(id, label string) *entry.Key {
	return Key(w.T, entry.KeyName(w.Origin, entry.RoleOwn, id), label)
}

// Managed gives a key with which the service signs for the participant.
func (w *World) Managed(id, label string) *entry.Key {
	return Key(w.T, entry.KeyName(w.Origin, entry.RoleManaged, id), label)
}

// Register appends the first statement about a participant: its name is its id
// with a capital, and the keys say themselves whether they are own or managed.
func (w *World) Register(id string, grants []string, keys ...*entry.Key) uint64 {
	s := participant.Statement{ID: id, Number: 1, Name: strings.ToUpper(id[:1]) + id[1:], Grants: grants, State: participant.Active}
	var own []*entry.Key
	for _, k := range keys {
		if strings.Contains(k.Name(), "/"+entry.RoleOwn+"/") {
			own = append(own, k)
			s.OwnKeys = append(s.OwnKeys, k.Verifier().String())
		} else {
			s.ManagedKeys = append(s.ManagedKeys, k.Verifier().String())
		}
	}
	if len(own) > 0 {
		s.Prove(w.Origin, own...)
	}
	return w.Sign(s.JSON(), w.Operator)
}

// Receipt gives the receipt of the entry at index under the snapshot's checkpoint.
func (s *Snapshot) Receipt(index uint64) []byte {
	return receipt.Receipt{Index: index, Proof: s.world.Log.Inclusion(index, s.Size), Checkpoint: []byte(s.LogCheckpoint())}.Append(nil)
}

// LogPolicy is a tlog-policy that asks for all of LogCosigners; "quorum none"
// without any.
func (w *World) LogPolicy() string { return policyOf(w.LogKey, w.LogCosigners) }

// IndexPolicy asks for all of IndexCosigners.
func (w *World) IndexPolicy() string { return policyOf(w.IndexKey, w.IndexCosigners) }

func policyOf(log *entry.Key, cosigners []*Cosigner) string {
	var b strings.Builder
	fmt.Fprintf(&b, "log %s\n", log.Verifier())
	names := make([]string, len(cosigners))
	for i, c := range cosigners {
		names[i] = fmt.Sprintf("w%d", i+1)
		fmt.Fprintf(&b, "witness %s %s\n", names[i], c.Verifier())
	}
	if len(names) == 0 {
		return b.String() + "quorum none\n"
	}
	fmt.Fprintf(&b, "group all-of-them all %s\nquorum all-of-them\n", strings.Join(names, " "))
	return b.String()
}

// Postings gives the positions below size of the entries under each key.
func (w *World) Postings(size uint64) map[historyindex.Key][]uint64 {
	postings := make(map[historyindex.Key][]uint64)
	for i, leaf := range w.Log.Leaves[:size] {
		e, err := entry.Parse(leaf)
		if err != nil {
			continue
		}
		for _, key := range historyindex.Keys(e) {
			postings[key] = append(postings[key], uint64(i))
		}
	}
	return postings
}

// sortedLeaves gives the leaves of the map of the postings, with their values.
func sortedLeaves(postings map[historyindex.Key][]uint64) (leaves []historyindex.MapLeaf, values map[historyindex.Hash]historyindex.Hash) {
	values = make(map[historyindex.Hash]historyindex.Hash)
	for key, positions := range postings {
		list := historyindex.ListOf(positions)
		hash, value := key.Hash(), list.Value()
		values[hash] = value
		leaves = append(leaves, historyindex.MapLeaf{Key: hash, Hash: historyindex.MapLeafHash(hash, value)})
	}
	slices.SortFunc(leaves, func(a, b historyindex.MapLeaf) int { return historyindex.CompareHashes(a.Key, b.Key) })
	return leaves, values
}
