// Package liar is an operator who lies, for tests of those who should notice. It has
// the data directory of a real service, all of its keys among it, and shows its readers
// something else than what stands in its logs.
//
// Each lie is told as well as its operator can: every checkpoint is signed with the
// real keys, every proof leads to the root that is shown, histories and journeys fit
// each other, and the service's witnesses are asked to cosign. What gives it away is
// the one thing that the lie is about.
package liar

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/participant"
	"github.com/tallyroot/tallyroot/provenance/verify/verifytest"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/fetch"
)

// An Operator is what a service had at one time.
type Operator struct {
	World *verifytest.World // both logs and all keys; the newest index leaf is about the whole log
	Log   checkpoint.Note   // the newest checkpoints, as they were published
	Index checkpoint.Note

	cover *entry.Key // signs what it logs itself
}

// Take reads a service's data directory, which may be in use. It waits for nothing:
// the index must have caught up with the log. false says that it has not.
func Take(t testing.TB, dir string) (*Operator, bool) {
	t.Helper()
	key := func(name string) *entry.Key {
		text, err := os.ReadFile(filepath.Join(dir, name+".key"))
		if err != nil {
			t.Fatal(err)
		}
		k, err := entry.ParseKey(strings.TrimSpace(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	w := &verifytest.World{T: t, LogKey: key("log"), IndexKey: key("index"), Operator: key("operator")}
	w.Origin = w.LogKey.Name()
	o := &Operator{World: w, cover: verifytest.Key(t, entry.KeyName(w.Origin, entry.RoleOwn, "liar"), "")}
	if _, err := os.Stat(filepath.Join(dir, "index", "checkpoint")); errors.Is(err, fs.ErrNotExist) {
		return nil, false
	}
	// The index first: the log's checkpoint is never older than what it is about.
	o.Index = read(t, filepath.Join(dir, "index"), &w.Index)
	o.Log = read(t, filepath.Join(dir, "log"), &w.Log)
	if w.Index.Size() == 0 {
		return nil, false
	}
	leaf, err := historyindex.ParseLeaf(w.Index.Leaves[w.Index.Size()-1])
	if err != nil {
		t.Fatal(err)
	}
	return o, leaf.Checkpoint.Size == w.Log.Size()
}

// Of is the operator of a log in memory, whose newest snapshot is published. The log's
// cosigners are not the operator's: what it lies about they have not seen.
func Of(published *verifytest.World, s *verifytest.Snapshot) *Operator {
	w := *published
	w.LogCosigners, w.IndexCosigners = nil, nil
	return &Operator{World: &w, Log: s.LogNote, Index: s.Index, cover: verifytest.Key(w.T, entry.KeyName(w.Origin, entry.RoleOwn, "liar"), "")}
}

// read reads a log's files at its published checkpoint.
func read(t testing.TB, dir string, tree *verifytest.Tree) checkpoint.Note {
	t.Helper()
	source := fetch.Folder(dir)
	signed, err := fetch.Checkpoint(context.Background(), source)
	if err != nil {
		t.Fatal(err)
	}
	c, note, err := checkpoint.Parse(signed)
	if err != nil {
		t.Fatal(err)
	}
	for leaf, err := range fetch.Open(source, c, fetch.Options{}).Stream(context.Background(), 0, c.Size) {
		if err != nil {
			t.Fatal(err)
		}
		tree.Add(bytes.Clone(leaf))
	}
	return *note
}

// copied gives a world of the same keys, with copies of the leaves.
func (o *Operator) copied(log, index [][]byte) *verifytest.World {
	w := *o.World
	w.Log, w.Index = verifytest.Tree{}, verifytest.Tree{}
	for _, leaf := range log {
		w.Log.Add(leaf)
	}
	for _, leaf := range index {
		w.Index.Add(leaf)
	}
	return &w
}

// grown gives a world in which something happened meanwhile, of which nobody knows yet.
func (o *Operator) grown() *verifytest.World {
	w := o.copied(o.World.Log.Leaves, o.World.Index.Leaves)
	o.log(w)
	return w
}

// log logs something that concerns nobody: a participant of the operator's own, and
// then what that says.
func (o *Operator) log(w *verifytest.World) {
	const id = "liar"
	if len(w.Postings(w.Log.Size())[historyindex.Key{Kind: historyindex.Participant, Identifier: id}]) == 0 {
		w.Register(id, nil, o.cover)
		return
	}
	text := fmt.Sprintf(`{"type":"ObjectEvent","eventID":"urn:liar:%d","eventTime":"2026-11-01T00:00:00Z","action":"OBSERVE","epcList":["urn:liar:thing"]}`, w.Log.Size())
	w.Sign(verifytest.JSON(w.T, text), o.cover)
}

// Find gives the positions of the entries about a thing, those of its lot among them if
// it names that.
func (o *Operator) Find(id string) []uint64 {
	return o.World.Postings(o.World.Log.Size())[historyindex.Key{Kind: historyindex.Object, Identifier: id}]
}

// A Face is what a liar shows.
type Face struct {
	Name string // of the lie
	What string // the lie, in words

	World    *verifytest.World
	Snapshot *verifytest.Snapshot

	histories bool // whether a history answers who asks for a journey

	mu sync.RWMutex // the signatures, which may change while the face is shown
}

// Truth is no lie: what was published.
func (o *Operator) Truth() *Face {
	leaves := o.World.Index.Leaves
	w := o.copied(o.World.Log.Leaves, leaves[:len(leaves)-1])
	s := w.Publish(0)
	if last := leaves[len(leaves)-1]; s.Leaf != string(last) {
		w.T.Errorf("the service's newest index leaf is not what its log gives:\n%s\n%s", last, s.Leaf)
	}
	s.LogNote, s.Index = o.Log, o.Index
	return &Face{Name: "truth", What: "What was published.", World: w, Snapshot: s}
}

// Grown is no lie either: something happened since, and is in the index.
func (o *Operator) Grown() *Face {
	w := o.grown()
	return &Face{Name: "grown", What: "What is true a little later.", World: w, Snapshot: w.Publish(0)}
}

// ForkedLog shows another log: without the entry at a position, and with some of its own
// at the end.
func (o *Operator) ForkedLog(at uint64, more int) *Face {
	var index [][]byte // those leaves that are about what both have
	for _, b := range o.World.Index.Leaves {
		if leaf, err := historyindex.ParseLeaf(b); err == nil && leaf.Checkpoint.Size <= at {
			index = append(index, b)
		}
	}
	w := o.copied(slices.Delete(slices.Clone(o.World.Log.Leaves), int(at), int(at)+1), index)
	for range more {
		o.log(w)
	}
	return &Face{Name: "forked log", What: fmt.Sprintf("Entry %d never was.", at), World: w, Snapshot: w.Publish(0)}
}

// HiddenEntry shows the log as it is, and an index that does not have the entry at a
// position.
func (o *Operator) HiddenEntry(at uint64) *Face {
	w := o.grown()
	postings := w.Postings(w.Log.Size())
	for key, positions := range postings {
		kept := slices.DeleteFunc(slices.Clone(positions), func(p uint64) bool { return p == at })
		if postings[key] = kept; len(kept) == 0 {
			delete(postings, key)
		}
	}
	return &Face{Name: "hidden entry", What: fmt.Sprintf("Entry %d stands in the log, and the index leaves it out.", at), World: w, Snapshot: w.PublishIndex(0, postings)}
}

// FrozenIndex shows the log as it is, and says that the index which it had long ago, at
// a size, is of it.
func (o *Operator) FrozenIndex(size uint64) *Face {
	w := o.grown()
	return &Face{Name: "frozen index", What: fmt.Sprintf("The index of the first %d entries is said to be that of all.", size), World: w, Snapshot: w.PublishIndex(0, w.Postings(size))}
}

// OtherIndex says that the index of another log is of this one. Nothing of what this
// one holds is in it, but who signed for it.
func (o *Operator) OtherIndex(other *verifytest.World) *Face {
	w := o.grown()
	postings := other.Postings(other.Log.Size())
	for key := range postings {
		switch key.Kind {
		case historyindex.Participant, historyindex.Operator:
			delete(postings, key)
		default: // its positions mean nothing here
			postings[key] = []uint64{0}
		}
	}
	for key, positions := range w.Postings(w.Log.Size()) {
		if key.Kind == historyindex.Participant || key.Kind == historyindex.Operator {
			postings[key] = positions
		}
	}
	return &Face{Name: "other index", What: "The index root of another log is said to be that of this one.", World: w, Snapshot: w.PublishIndex(0, postings)}
}

// OtherLogsLeaf ends the index log with a leaf about another log.
func (o *Operator) OtherLogsLeaf(other *verifytest.World) *Face {
	w := o.grown()
	s := w.Publish(0)
	leaf, err := historyindex.ParseLeaf([]byte(s.Leaf))
	if err != nil {
		w.T.Error(err)
	}
	leaf.Checkpoint = checkpoint.Checkpoint{Origin: other.Origin, Size: other.Log.Size(), Root: other.Log.Root(other.Log.Size())}
	s.Leaf = leaf.String()
	s.LeafAt = w.Index.Add([]byte(s.Leaf))
	s.SignIndex(0)
	return &Face{Name: "another log's leaf", What: "The newest index leaf is about another log.", World: w, Snapshot: s}
}

// LeafAhead ends the index log with a leaf about one entry more than the log that was
// published has.
func (o *Operator) LeafAhead() *Face {
	f := o.Grown()
	f.Name, f.What = "leaf ahead of the log", "The newest index leaf is about an entry that is not shown."
	f.Snapshot.LogNote = o.Log
	return f
}

// HistoryForJourney shows what was published, but one history to who asks for a journey.
func (o *Operator) HistoryForJourney() *Face {
	f := o.Truth()
	f.Name, f.What, f.histories = "history for a journey", "Of where the thing came from and went, nothing is said.", true
	return f
}

// OldLogCheckpoint shows the newest index, and with it a checkpoint of the log that it
// had before.
func (o *Operator) OldLogCheckpoint(before *Operator) *Face {
	f := o.Truth()
	f.Name, f.What = "replayed log checkpoint", "The log's checkpoint is an old one, the index's is not."
	f.Snapshot.LogNote = before.Log
	return f
}

// Replayed shows everything as it was before, and nothing of what came since.
func (o *Operator) Replayed() *Face {
	f := o.Truth()
	f.Name, f.What = "replayed checkpoints", "All is good, and old: what came since is not shown."
	return f
}

// Moved puts the cosignatures of the published checkpoints under those of a face.
func (o *Operator) Moved(f *Face) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Name += ", cosignatures moved"
	move := func(to *checkpoint.Note, from checkpoint.Note, log string) {
		for _, s := range from.Signatures {
			if s.Name != log {
				to.Signatures = append(slices.Clip(to.Signatures), s)
			}
		}
	}
	move(&f.Snapshot.LogNote, o.Log, f.World.Origin)
	move(&f.Snapshot.Index, o.Index, participant.IndexOrigin(f.World.Origin))
}
