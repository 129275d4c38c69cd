// Package indexverifiertest is a log and its index log for tests of those who rebuild
// the index: as static files, and with an operator who can lie about any leaf.
package indexverifiertest

import (
	"encoding/base64"
	"fmt"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/participant"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
)

// A Log is a log with its key, as static files in a folder.
type Log struct {
	Key   string // vkey
	Dir   string
	Files *tiles.Store

	t      testing.TB
	signer note.Signer
}

// NewLog gives an empty log with a key of its own.
func NewLog(t testing.TB, origin string) *Log {
	t.Helper()
	secret, key, err := note.GenerateKey(nil, origin)
	if err != nil {
		t.Fatal(err)
	}
	l := &Log{Key: key, t: t}
	if l.signer, err = note.NewSigner(secret); err != nil {
		t.Fatal(err)
	}
	return l.Again()
}

// Again gives an empty log under the same key.
func (l *Log) Again() *Log {
	l.t.Helper()
	again := *l
	again.Dir = l.t.TempDir()
	var err error
	if again.Files, err = tiles.Open(again.Dir); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = again.Files.Close() })
	return &again
}

// Add publishes further entries, and gives the checkpoint and its signed text.
func (l *Log) Add(entries ...[]byte) (checkpoint.Checkpoint, []byte) {
	l.t.Helper()
	if err := l.Files.Extend(entries, nil); err != nil {
		l.t.Fatal(err)
	}
	c := checkpoint.Checkpoint{Origin: l.signer.Name(), Size: l.Files.Size(), Root: l.Files.RootWith(nil)}
	signed, err := checkpoint.Sign(c, l.signer)
	if err != nil {
		l.t.Fatal(err)
	}
	if err := l.Files.Publish(signed); err != nil {
		l.t.Fatal(err)
	}
	if err := l.Files.Settle(); err != nil {
		l.t.Fatal(err)
	}
	return c, signed
}

// A World is a log, its index log, and how an honest operator makes the leaves.
type World struct {
	Origin     string
	Log, Index *Log
	Entries    [][]byte // of the log

	t testing.TB
}

// New gives a world without entries.
func New(t testing.TB, origin string) *World {
	return &World{Origin: origin, Log: NewLog(t, origin), Index: NewLog(t, participant.IndexOrigin(origin)), t: t}
}

// Grow makes n entries and publishes them in the log.
func (w *World) Grow(n int) {
	w.t.Helper()
	var entries [][]byte
	for i := range n {
		entries = append(entries, w.Event(len(w.Entries)+i, fmt.Sprint("urn:example:pallet-", i%7)))
	}
	w.Append(entries...)
}

// Append publishes these entries in the log.
func (w *World) Append(entries ...[]byte) {
	w.t.Helper()
	w.Entries = append(w.Entries, entries...)
	w.Log.Add(entries...)
}

// Event is about a thing of its own, one that each tenth is about too, and others that
// are said. Its signature is none.
func (w *World) Event(i int, also string) []byte {
	return fmt.Appendf(nil, `tallyroot/entry/v1 %s farm
{"action":"OBSERVE","epcList":["urn:example:jar-%d","urn:example:box-%d","%s"],"type":"ObjectEvent"}

— %s/managed/farm %s
`, w.Origin, i, i%10, also, w.Origin, base64.StdEncoding.EncodeToString(make([]byte, 68)))
}

// Leaf is the one about the first size entries, by the definition. Entries that left
// names are left out of the map.
func (w *World) Leaf(size int, left ...int) historyindex.Leaf {
	w.t.Helper()
	lists := map[historyindex.Hash][]uint64{}
	for i, e := range w.Entries[:size] {
		if slices.Contains(left, i) {
			continue
		}
		keys := historyindex.LeafKeys(e)
		if len(keys) == 0 {
			w.t.Fatalf("the entry %d has no keys", i)
		}
		for _, key := range keys {
			lists[key] = append(lists[key], uint64(i))
		}
	}
	var leaves []historyindex.MapLeaf
	for key, positions := range lists {
		list := historyindex.ListOf(positions)
		leaves = append(leaves, historyindex.MapLeaf{Key: key, Hash: historyindex.MapLeafHash(key, list.Value())})
	}
	slices.SortFunc(leaves, func(a, b historyindex.MapLeaf) int { return historyindex.CompareHashes(a.Key, b.Key) })
	root, err := historyindex.MapRoot(leaves)
	if err != nil {
		w.t.Fatal(err)
	}
	logRoot, err := w.Log.Files.Root(uint64(size))
	if err != nil {
		w.t.Fatal(err)
	}
	return historyindex.Leaf{MapRoot: root, Checkpoint: checkpoint.Checkpoint{Origin: w.Origin, Size: uint64(size), Root: logRoot}}
}

// Publish puts a leaf into the index log.
func (w *World) Publish(leaf historyindex.Leaf) (checkpoint.Checkpoint, []byte) {
	w.t.Helper()
	return w.Index.Add(leaf.Append(nil))
}

// GrowIndexed makes n entries and publishes them in both logs.
func (w *World) GrowIndexed(n int) (checkpoint.Checkpoint, []byte) {
	w.t.Helper()
	w.Grow(n)
	return w.Publish(w.Leaf(len(w.Entries)))
}
