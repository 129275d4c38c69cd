package verifytest

import (
	"slices"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/history"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/verify"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
)

// A Snapshot is what the world's service answers from: a checkpoint of each log.
// A test changes it to make a service that lies.
type Snapshot struct {
	Size     uint64 // M
	LogNote  checkpoint.Note
	Leaf     string // of the index log
	LeafAt   uint64 // its position there
	IndexAt  uint64 // the index log's size
	Index    checkpoint.Note
	Postings map[historyindex.Key][]uint64

	world  *World
	leaves []historyindex.MapLeaf
	values map[historyindex.Hash]historyindex.Hash
}

// Publish makes the snapshot of the log as it stands, cosigned by all at the time,
// in seconds.
func (w *World) Publish(at uint64) *Snapshot {
	return w.PublishIndex(at, w.Postings(w.Log.Size()))
}

// PublishIndex is Publish with an index of other postings.
func (w *World) PublishIndex(at uint64, postings map[historyindex.Key][]uint64) *Snapshot {
	s := &Snapshot{world: w, Size: w.Log.Size(), Postings: postings}
	s.leaves, s.values = sortedLeaves(postings)
	root, err := historyindex.MapRoot(s.leaves)
	must(err)
	c := checkpoint.Checkpoint{Origin: w.Origin, Size: s.Size, Root: w.Log.Root(s.Size)}
	s.LogNote = Signed(c.Body(), w.LogKey, at, w.LogCosigners...)
	s.Leaf = historyindex.Leaf{MapRoot: root, Checkpoint: c}.String()
	s.LeafAt = w.Index.Add([]byte(s.Leaf))
	s.SignIndex(at)
	return s
}

// SignIndex signs the index log as it stands.
func (s *Snapshot) SignIndex(at uint64) {
	w := s.world
	s.IndexAt = w.Index.Size()
	c := checkpoint.Checkpoint{Origin: w.IndexKey.Name(), Size: s.IndexAt, Root: w.Index.Root(s.IndexAt)}
	s.Index = Signed(c.Body(), w.IndexKey, at, w.IndexCosigners...)
}

// Signed gives a note signed by a log's key and the cosigners.
func Signed(text string, log *entry.Key, at uint64, cosigners ...*Cosigner) checkpoint.Note {
	n := checkpoint.Note{Text: text, Signatures: []checkpoint.Signature{SignCheckpoint(log, text)}}
	for _, c := range cosigners {
		n.Signatures = append(n.Signatures, c.Cosign(text, at))
	}
	return n
}

// LogCheckpoint is the log's signed checkpoint.
func (s *Snapshot) LogCheckpoint() string { return string(s.LogNote.Append(nil)) }

// Bare gives one history, without those of its signers.
func (s *Snapshot) Bare(key historyindex.Key) history.History {
	h := history.History{
		ID: key.Identifier, Kind: key.Kind.String(), LogCheckpoint: s.LogCheckpoint(), Positions: slices.Clone(s.Postings[key]),
		Index: history.Index{
			Checkpoint: string(s.Index.Append(nil)), Leaf: s.Leaf, LeafProof: s.world.Index.Inclusion(s.LeafAt, s.IndexAt), MapProof: s.MapProof(key),
		},
	}
	for _, p := range h.Positions {
		h.Entries = append(h.Entries, s.Entry(p))
	}
	return h
}

// Entry gives one entry with its proof.
func (s *Snapshot) Entry(index uint64) history.Entry {
	return history.Entry{Index: index, Entry: slices.Clone(s.world.Log.Leaves[index]), Proof: s.world.Log.Inclusion(index, s.Size)}
}

// MapProof proves what the map has under a key.
func (s *Snapshot) MapProof(key historyindex.Key) historyindex.Proof {
	if len(s.leaves) == 0 {
		return historyindex.Proof{Empty: true}
	}
	hash := key.Hash()
	at, path, err := historyindex.MapPath(s.leaves, hash)
	must(err)
	found := s.leaves[at].Key
	return historyindex.Proof{Present: found == hash, Key: found, Value: s.values[found], Path: path}
}

// Signers gives the keys of the histories that the entries' signatures are judged
// by: the operator's and those of the participants, each once, in the order in
// which they come.
func Signers(histories ...history.History) []historyindex.Key {
	keys := []historyindex.Key{{Kind: historyindex.Operator, Identifier: entry.Operator}}
	for _, h := range histories {
		for _, saved := range h.Entries {
			e, err := entry.Parse(saved.Entry)
			if err != nil {
				continue
			}
			for _, id := range e.Participants {
				key := historyindex.Key{Kind: historyindex.Participant, Identifier: id}
				if id != entry.Operator && !slices.Contains(keys, key) {
					keys = append(keys, key)
				}
			}
		}
	}
	return keys
}

// History gives what an honest service answers for the key.
func (s *Snapshot) History(key historyindex.Key) *history.History {
	h := s.Bare(key)
	for _, signer := range Signers(h) {
		if signer != key {
			h.Participants = append(h.Participants, s.Bare(signer))
		}
	}
	return &h
}

// Journey gives what an honest service answers for the thing, to a reader of that
// trust: what such a reader misses is put in, until it misses nothing.
func (s *Snapshot) Journey(id string, trust verify.Trust) *history.Journey {
	s.world.T.Helper()
	things := []history.History{s.Bare(historyindex.Key{Kind: historyindex.Object, Identifier: gs1.Identifiers(id)[0]})}
	signers := []history.History{s.Bare(historyindex.Key{Kind: historyindex.Operator, Identifier: entry.Operator})}
	for {
		j := &history.Journey{Histories: slices.Concat(things, signers)}
		v, err := verify.Journey(j.Append(nil), id, trust)
		if err != nil {
			s.world.T.Fatal(err)
		}
		if len(v.Missing) == 0 {
			return j
		}
		for _, key := range v.Missing {
			if key.Kind == historyindex.Participant {
				signers = append(signers, s.Bare(key))
			} else {
				things = append(things, s.Bare(key))
			}
		}
	}
}
