package vectors

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/history"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/participant"
	"github.com/tallyroot/tallyroot/provenance/verify/verifytest"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
)

// A mutation is one change to the good history of the small world's lot, or to the
// trust of its reader. want is the reason, or "" for a verdict that is good.
type mutation struct {
	name, what, want string
	change           func(s *small, h *history.History, trust *M)
}

// only changes the history alone.
func only(change func(h *history.History)) func(*small, *history.History, *M) {
	return func(_ *small, h *history.History, _ *M) { change(h) }
}

// trusting changes one member of the trust.
func trusting(name string, value func(s *small) any) func(*small, *history.History, *M) {
	return func(s *small, _ *history.History, trust *M) { *trust = with(*trust, name, value(s)) }
}

// inside changes the n-th of the histories inside: 0 is the operator's, 1 the mill's.
func inside(n int, change func(h *history.History)) func(*small, *history.History, *M) {
	return func(_ *small, h *history.History, _ *M) { change(&h.Participants[n]) }
}

// lying answers from an index that is not what the log gives.
func lying(change func(s *small, postings map[historyindex.Key][]uint64)) func(*small, *history.History, *M) {
	return func(s *small, h *history.History, _ *M) {
		*h = *s.republish(func(postings map[historyindex.Key][]uint64) { change(s, postings) }).History(object(lotID))
	}
}

// resign puts another signed checkpoint of the index log in.
func resign(sign func(s *small) checkpoint.Note) func(*small, *history.History, *M) {
	return func(s *small, h *history.History, _ *M) {
		signed := note(sign(s))
		index(h, func(i *history.Index) { i.Checkpoint = signed })
	}
}

// relog does so with the log's.
func relog(sign func(s *small) checkpoint.Note) func(*small, *history.History, *M) {
	return func(s *small, h *history.History, _ *M) { logCheckpoint(h, note(sign(s))) }
}

// without gives a note without its n-th signature.
func without(n checkpoint.Note, i int) checkpoint.Note {
	n.Signatures = slices.Delete(slices.Clone(n.Signatures), i, i+1)
	return n
}

// instead gives a note with another signature in the place of its n-th.
func instead(n checkpoint.Note, i int, s checkpoint.Signature) checkpoint.Note {
	n.Signatures = slices.Clone(n.Signatures)
	n.Signatures[i] = s
	return n
}

func flipped(s checkpoint.Signature) checkpoint.Signature {
	s.Sig = bytes.Clone(s.Sig)
	s.Sig[len(s.Sig)-33] ^= 1
	return s
}

var mutations = []mutation{
	{"the good one", "Three entries about a lot, by one participant.", "", only(func(h *history.History) {})},
	{"of another order inside", "The histories inside may stand in any order.", "", only(func(h *history.History) { slices.Reverse(h.Participants) })},
	{"one more participant's inside", "A history inside that is not needed does no harm.", "", func(s *small, h *history.History, _ *M) {
		h.Participants = append(h.Participants, s.good.Bare(keyFor(historyindex.Participant, "farm")))
	}},
	{"not asked", "Without a question, the file's own word is taken, and said so.", "", trusting("asked", func(*small) any { return nil })},
	{"asked by class URN", "The reader's own words may spell it otherwise.", "", trusting("asked", func(*small) any {
		return keyJSON(object("urn:epc:class:lgtin:9506000.013435.L1"))
	})},
	{"asked by another domain's link", "The reader's own words may spell it otherwise.", "", trusting("asked", func(*small) any {
		return keyJSON(object("https://shop.example/p/01/09506000134352/10/L1?utm=1"))
	})},

	// Entries and positions.
	{"entry left out at the start", "An entry and its position are left out.", "list", only(func(h *history.History) { drop(h, 0) })},
	{"entry left out in the middle", "An entry and its position are left out.", "list", only(func(h *history.History) { drop(h, 1) })},
	{"entry left out at the end", "An entry and its position are left out.", "list", only(func(h *history.History) { drop(h, 2) })},
	{"all entries left out", "No entries, no positions.", "list", only(func(h *history.History) { h.Positions, h.Entries = nil, nil })},
	{"entry withheld at the start", "The position is there, the entry is not.", "page", only(func(h *history.History) { h.Entries = h.Entries[1:] })},
	{"entry withheld in the middle", "The position is there, the entry is not.", "page", only(func(h *history.History) { h.Entries = slices.Delete(h.Entries, 1, 2) })},
	{"entry withheld at the end", "The position is there, the entry is not.", "page", only(func(h *history.History) { h.Entries = h.Entries[:2] })},
	{"position left out", "The entry is there, its position is not.", "list", only(func(h *history.History) { h.Positions = h.Positions[:2] })},
	{"another product's entry put in", "Position and entry of another lot are added.", "list", func(s *small, h *history.History, _ *M) {
		h.Positions = slices.Insert(h.Positions, 1, s.other)
		h.Entries = slices.Insert(h.Entries, 1, s.good.Entry(s.other))
	}},
	{"another product's entry for one of this", "Position and entry of another lot replace one.", "list", func(s *small, h *history.History, _ *M) {
		h.Positions[1], h.Entries[1] = s.other, s.good.Entry(s.other)
	}},
	{"another product's entry at the position", "The entry at a position is replaced by another lot's.", "page", func(s *small, h *history.History, _ *M) {
		h.Entries[1] = s.good.Entry(s.other)
	}},
	{"order swapped", "Two positions and their entries change places.", "order", only(func(h *history.History) {
		h.Positions[0], h.Positions[1] = h.Positions[1], h.Positions[0]
		h.Entries[0], h.Entries[1] = h.Entries[1], h.Entries[0]
	})},
	{"entries swapped", "Two entries change places, their positions do not.", "page", only(func(h *history.History) {
		h.Entries[0], h.Entries[1] = h.Entries[1], h.Entries[0]
	})},
	{"position twice", "A position stands there twice.", "order", only(func(h *history.History) { h.Positions[1] = h.Positions[0] })},
	{"position at the size", "A position is the size of the log.", "beyond", func(s *small, h *history.History, _ *M) { h.Positions[2] = s.good.Size }},
	{"position at the end of numbers", "A position is 2^64 - 1.", "beyond", only(func(h *history.History) { h.Positions[2] = 1<<64 - 1 })},
	{"entry changed", "A byte of an entry's JSON is changed.", "inclusion", only(func(h *history.History) {
		h.Entries[1].Entry = bytes.Replace(h.Entries[1].Entry, []byte("OBSERVE"), []byte("0BSERVE"), 1)
	})},
	{"entry relabelled", "An entry is given another signer.", "inclusion", only(func(h *history.History) {
		h.Entries[1].Entry = bytes.ReplaceAll(h.Entries[1].Entry, []byte("mill"), []byte("farm"))
	})},
	{"signature exchanged", "An entry's signature is another entry's.", "inclusion", only(func(h *history.History) {
		cut := func(b []byte) int { return bytes.LastIndexByte(b, ' ') }
		a, b := h.Entries[0].Entry, h.Entries[1].Entry
		h.Entries[0].Entry = slices.Concat(a[:cut(a)], b[cut(b):])
	})},
	{"proof changed", "A bit of an inclusion proof is changed.", "inclusion", only(func(h *history.History) { h.Entries[1].Proof[1][7] ^= 8 })},
	{"proof shorter", "An inclusion proof lacks its last hash.", "inclusion", only(func(h *history.History) { h.Entries[1].Proof = h.Entries[1].Proof[:len(h.Entries[1].Proof)-1] })},
	{"proof longer", "An inclusion proof has a hash too many.", "inclusion", only(func(h *history.History) {
		h.Entries[1].Proof = append(h.Entries[1].Proof, [32]byte{})
	})},
	{"proof of another entry", "An entry with the inclusion proof of another.", "inclusion", only(func(h *history.History) { h.Entries[1].Proof = h.Entries[0].Proof })},
	{"inner node as entry", "The 64 bytes below an inner node are shown as an entry, with the rest of the path.", "inclusion", func(s *small, h *history.History, _ *M) {
		left := entry.LeafHash(h.Entries[0].Entry)
		h.Entries[0].Entry = slices.Concat(left[:], h.Entries[0].Proof[0][:])
		h.Entries[0].Proof = h.Entries[0].Proof[1:]
	}},

	// The question.
	{"of another identifier", "A good history of another lot.", "asked", func(s *small, h *history.History, _ *M) { *h = *s.good.History(object(otherID)) }},
	{"of the item of that lot", "A good history of an item, where its lot was asked for.", "asked", func(s *small, h *history.History, _ *M) {
		*h = *s.good.History(object(gtin + "/21/1"))
	}},
	{"of another kind", "A good history of the same identifier as an input.", "asked", func(s *small, h *history.History, _ *M) {
		*h = *s.good.History(keyFor(historyindex.Input, lotID))
	}},
	{"another's under this name", "Another lot's history says that it is this one's.", "map-key", func(s *small, h *history.History, _ *M) {
		*h = *s.good.History(object(otherID))
		h.ID = lotID
	}},
	{"another kind's under this name", "The history as an input, where nothing is, says that it is the object's.", "map-absence", func(s *small, h *history.History, _ *M) {
		*h = *s.good.History(keyFor(historyindex.Input, lotID))
		h.Kind = "object"
	}},
	{"in another spelling", "The file's identifier is not in its canonical form, under which nothing is logged.", "malformed", func(s *small, h *history.History, trust *M) {
		*h = *s.good.History(object("https://shop.example/01/09506000134352/10/L1"))
		*trust = with(*trust, "asked", nil)
	}},
	{"an unknown kind", "The kind is none.", "malformed", only(func(h *history.History) { h.Kind = "everything" })},

	// The map.
	{"count off by one", "The index commits to one entry more than its list has.", "list", func(s *small, h *history.History, _ *M) {
		list := historyindex.ListOf(h.Positions)
		h.Index.MapProof.Value = historyindex.Value(list.Count+1, list.Root())
		forgeMap(s, h)
	}},
	{"count one short", "The index commits to the list of all, and counts one less.", "list", func(s *small, h *history.History, _ *M) {
		list := historyindex.ListOf(h.Positions)
		h.Index.MapProof.Value = historyindex.Value(list.Count-1, list.Root())
		forgeMap(s, h)
	}},
	{"the index hides an entry", "The operator's index leaves an entry out, and the history shows it all the same.", "list", func(s *small, h *history.History, _ *M) {
		shown := s.republish(func(p map[historyindex.Key][]uint64) { p[object(lotID)] = s.lot[:2] }).History(object(lotID))
		shown.Positions, shown.Entries = h.Positions, append(shown.Entries, s.good.Entry(s.lot[2]))
		*h = *shown
	}},
	{"value changed", "The map proof has another value.", "map-root", only(func(h *history.History) { h.Index.MapProof.Value[31] ^= 1 })},
	{"absence proof for a present key", "The path to a neighbour, as if the key were absent; nothing else is shown.", "map-absence", func(s *small, h *history.History, _ *M) {
		h.Index.MapProof = s.good.MapProof(object(otherID))
		h.Index.MapProof.Present = false
		h.Positions, h.Entries = nil, nil
	}},
	{"the key's own leaf as absence", "Its own leaf, said to show that it is absent.", "map-absence", only(func(h *history.History) {
		h.Index.MapProof.Present = false
		h.Positions, h.Entries = nil, nil
	})},
	{"absence with a path cut", "The neighbour's path without the step at which the two part.", "map-root", func(s *small, h *history.History, _ *M) {
		h.Index.MapProof = cutPath(s, object(lotID))
		h.Positions, h.Entries = nil, nil
	}},
	{"the map said to be empty", "Absence in an empty map, which this one is not.", "map-root", only(func(h *history.History) {
		h.Index.MapProof = historyindex.Proof{Empty: true}
		h.Positions, h.Entries = nil, nil
	})},
	{"present in an empty map", "The map is empty, and the key present in it.", "malformed", only(func(h *history.History) {
		h.Index.MapProof = historyindex.Proof{Empty: true, Present: true}
	})},
	{"proof of another key", "The map proof of another present key.", "map-key", func(s *small, h *history.History, _ *M) { h.Index.MapProof = s.good.MapProof(object(otherID)) }},
	{"proof of another kind", "The map proof of the identifier as an input, which is its absence.", "map-absence", func(s *small, h *history.History, _ *M) {
		h.Index.MapProof = s.good.MapProof(keyFor(historyindex.Input, lotID))
	}},
	{"path shorter", "The map proof lacks its last step.", "map-root", only(func(h *history.History) { h.Index.MapProof.Path = h.Index.MapProof.Path[:len(h.Index.MapProof.Path)-1] })},
	{"path of no falling bits", "Two steps of the path change places.", "map-path", only(func(h *history.History) {
		p := h.Index.MapProof.Path
		p[0], p[1] = p[1], p[0]
	})},
	{"path with a bit twice", "A step of the path stands there twice.", "map-path", only(func(h *history.History) {
		h.Index.MapProof.Path = slices.Insert(h.Index.MapProof.Path, 1, h.Index.MapProof.Path[0])
	})},
	{"path with another bit", "A step says another bit.", "map-root", only(func(h *history.History) { h.Index.MapProof.Path[0].Bit++ })},
	{"path with a step more", "A step below the leaf's.", "map-root", only(func(h *history.History) {
		h.Index.MapProof.Path = slices.Insert(h.Index.MapProof.Path, 0, historyindex.Step{Bit: 255})
	})},
	{"path changed", "A hash of the path is changed.", "map-root", only(func(h *history.History) { h.Index.MapProof.Path[1].Hash[0] ^= 1 })},
	{"map proof of an older map", "The map proof is the older index's.", "map-root", func(s *small, h *history.History, _ *M) { h.Index.MapProof = s.old.MapProof(object(lotID)) }},
	{"positions for an absent key", "The key is absent, and there are positions.", "list", func(s *small, h *history.History, trust *M) {
		absent := object(absentID)
		*trust = asking(*trust, absent)
		shown := s.good.History(absent)
		shown.Positions, shown.Entries = h.Positions, h.Entries
		*h = *shown
	}},
	{"absent", "Nothing is logged about it, and that is proved.", "", func(s *small, h *history.History, trust *M) {
		*trust = asking(*trust, object(absentID))
		*h = *s.good.History(object(absentID))
	}},

	// The signers' histories.
	{"no histories inside", "Nobody's keys are shown.", "participants", only(func(h *history.History) { h.Participants = nil })},
	{"no operator's history", "The operator's is left out.", "participants", only(func(h *history.History) { h.Participants = h.Participants[1:] })},
	{"no signer's history", "The mill's is left out.", "participants", only(func(h *history.History) { h.Participants = h.Participants[:1] })},
	{"signer's history twice", "It stands there twice.", "participants", only(func(h *history.History) { h.Participants = append(h.Participants, h.Participants[1]) })},
	{"signer's history of another kind", "What was logged in the mill's name instead.", "participants", func(s *small, h *history.History, _ *M) {
		h.Participants[1] = s.good.Bare(keyFor(historyindex.By, "mill"))
	}},
	{"a history of another kind besides", "What was logged in the mill's name is no reason to believe its keys.", "participants", func(s *small, h *history.History, _ *M) {
		h.Participants = append(h.Participants, s.good.Bare(keyFor(historyindex.By, "mill")))
	}},
	{"another participant's history", "The farm's instead.", "participants", func(s *small, h *history.History, _ *M) {
		h.Participants[1] = s.good.Bare(keyFor(historyindex.Participant, "farm"))
	}},
	{"another participant's under this name", "The farm's, said to be the mill's.", "map-key", func(s *small, h *history.History, _ *M) {
		h.Participants[1] = s.good.Bare(keyFor(historyindex.Participant, "farm"))
		h.Participants[1].ID = "mill"
	}},
	{"signer's statement left out", "The mill's history lacks its statement.", "list", inside(1, func(h *history.History) { drop(h, 0) })},
	{"signer's statement changed", "A bit of the mill's statement is changed.", "inclusion", inside(1, func(h *history.History) {
		h.Entries[0].Entry = bytes.Replace(h.Entries[0].Entry, []byte("Mill"), []byte("Mall"), 1)
	})},
	{"signer said to be unknown", "The absence of somebody else, said to be the mill's.", "map-absence", func(s *small, h *history.History, _ *M) {
		h.Participants[1] = s.good.Bare(keyFor(historyindex.Participant, "nobody"))
		h.Participants[1].ID = "mill"
		h.Participants[1].Index.MapProof = s.good.MapProof(keyFor(historyindex.Participant, "farm"))
		h.Participants[1].Index.MapProof.Present = false
	}},
	{"signer's history at the older checkpoints", "It is good, and older than the rest.", "mixed", func(s *small, h *history.History, _ *M) {
		h.Participants[1] = s.old.Bare(keyFor(historyindex.Participant, "mill"))
	}},
	{"the index hides the Genesis", "The operator's index has nothing of the operator.", "genesis", lying(func(s *small, p map[historyindex.Key][]uint64) {
		p[keyFor(historyindex.Operator, entry.Operator)] = []uint64{}
		delete(p, keyFor(historyindex.Operator, entry.Operator))
	})},
	{"the index has a leaf that has not the key", "The operator's index puts another lot's entry into the list.", "key", lying(func(s *small, p map[historyindex.Key][]uint64) {
		p[object(lotID)] = []uint64{s.lot[0], s.other, s.lot[1], s.lot[2]}
	})},
}

// anchors are changes to what is the same for every history, so the good one is
// the short one of something of which nothing is logged.
var anchors = []mutation{
	// The index log.
	{"older index leaf", "The index checkpoint is new, and all else is proved at the leaf before its last.", "leaf-inclusion", func(s *small, h *history.History, _ *M) {
		signed, size := note(s.good.Index), s.good.IndexAt
		*h = *s.old.History(s.key)
		index(h, func(i *history.Index) {
			i.Checkpoint, i.LeafProof = signed, s.World.Index.Inclusion(s.old.LeafAt, size)
		})
	}},
	{"index leaf changed", "Another map root in the leaf.", "leaf-inclusion", only(func(h *history.History) {
		index(h, func(i *history.Index) {
			b := []byte(i.Leaf)
			b[20] = "01"[b[20]%2^1]
			i.Leaf = string(b)
		})
	})},
	{"index leaf without its last line feed", "The leaf does not end as it must.", "leaf-form", only(func(h *history.History) {
		index(h, func(i *history.Index) { i.Leaf = i.Leaf[:len(i.Leaf)-1] })
	})},
	{"index leaf with upper-case digits", "The leaf's root is spelled otherwise.", "leaf-form", only(func(h *history.History) {
		index(h, func(i *history.Index) { i.Leaf = string(bytes.ToUpper([]byte(i.Leaf[:40]))) + i.Leaf[40:] })
	})},
	{"index leaf's proof changed", "A hash of the leaf's inclusion proof is changed.", "leaf-inclusion", only(func(h *history.History) {
		index(h, func(i *history.Index) { i.LeafProof = [][32]byte{{1}} })
	})},
	{"index root from another log", "The index log signs a leaf that is about another log, which has the same entries.", "leaf-log", func(s *small, h *history.History, _ *M) {
		leaf, err := historyindex.ParseLeaf([]byte(s.good.Leaf))
		if err != nil {
			panic(err)
		}
		leaf.Checkpoint.Origin = "other.example/log"
		forgeLeaf(s, h, leaf)
	}},
	{"leaf of another root", "The index log signs a leaf with the log's size and another root.", "log-leaf", func(s *small, h *history.History, _ *M) {
		leaf, _ := historyindex.ParseLeaf([]byte(s.good.Leaf))
		leaf.Checkpoint.Root[0] ^= 1
		forgeLeaf(s, h, leaf)
	}},
	{"leaf of another size", "The index log signs a leaf with the log's root and another size.", "log-leaf", func(s *small, h *history.History, _ *M) {
		leaf, _ := historyindex.ParseLeaf([]byte(s.good.Leaf))
		leaf.Checkpoint.Size--
		forgeLeaf(s, h, leaf)
	}},
	{"another index log's checkpoint", "It is signed by its own key, under its own name.", "index-origin", resign(func(s *small) checkpoint.Note {
		k := verifytest.Key(s.T, "other.example/log/index", "")
		return verifytest.Signed(checkpoint.Checkpoint{Origin: k.Name(), Size: 2, Root: s.World.Index.Root(2)}.Body(), k, late, rebuilds)
	})},
	{"the log's checkpoint for the index log's", "A checkpoint of the log itself.", "index-origin", resign(func(s *small) checkpoint.Note { return s.good.LogNote })},
	{"index checkpoint by another key", "Its name is right, its key is not.", "index-unsigned", resign(func(s *small) checkpoint.Note {
		k := verifytest.Key(s.T, origin+"/index", "another")
		return instead(s.good.Index, 0, verifytest.SignCheckpoint(k, s.good.Index.Text))
	})},
	{"index checkpoint by the log's key", "The log's key signed it, and not the index log's.", "index-unsigned", resign(func(s *small) checkpoint.Note {
		return instead(s.good.Index, 0, verifytest.SignCheckpoint(s.LogKey, s.good.Index.Text))
	})},
	{"index checkpoint's signature changed", "A bit of it is changed.", "index-signature", resign(func(s *small) checkpoint.Note {
		return instead(s.good.Index, 0, flipped(s.good.Index.Signatures[0]))
	})},
	{"index checkpoint's size changed", "The signed text says another size.", "index-signature", func(s *small, h *history.History, _ *M) {
		index(h, func(i *history.Index) {
			i.Checkpoint = string(bytes.Replace([]byte(i.Checkpoint), []byte("\n2\n"), []byte("\n3\n"), 1))
		})
	}},
	{"index checkpoint of no leaves", "The index log is empty, signed and cosigned.", "index-empty", resign(func(s *small) checkpoint.Note {
		return verifytest.Signed(checkpoint.Checkpoint{Origin: s.IndexKey.Name(), Root: historyindex.EmptyMapRoot()}.Body(), s.IndexKey, late, rebuilds)
	})},
	{"index checkpoint with an extension line", "A fourth line in the signed text.", "index-form", resign(func(s *small) checkpoint.Note {
		return verifytest.Signed(s.good.Index.Text+"more\n", s.IndexKey, late, rebuilds)
	})},
	{"index checkpoint without its cosignature", "The index-verifier did not cosign.", "index-quorum", resign(func(s *small) checkpoint.Note { return without(s.good.Index, 1) })},
	{"index cosignature of the older checkpoint", "The index-verifier's cosignature was moved from the older checkpoint.", "index-signature", resign(func(s *small) checkpoint.Note {
		return instead(s.good.Index, 1, s.old.Index.Signatures[1])
	})},
	{"index cosignature by the log's witness", "A cosigner whom the index policy does not name.", "index-quorum", resign(func(s *small) checkpoint.Note {
		return instead(s.good.Index, 1, witness.Cosign(s.good.Index.Text, late))
	})},
	{"index checkpoint of the older leaf", "The older index checkpoint with the newer leaf.", "leaf-inclusion", resign(func(s *small) checkpoint.Note { return s.old.Index })},

	// The log.
	{"frozen index", "The index stands at an older size than the log's checkpoint.", "log-leaf", func(s *small, h *history.History, _ *M) {
		*h = *s.old.History(s.key)
		logCheckpoint(h, s.good.LogCheckpoint())
	}},
	{"older checkpoint of the log", "The log's checkpoint is older than the index's leaf.", "log-leaf", func(s *small, h *history.History, _ *M) { logCheckpoint(h, s.old.LogCheckpoint()) }},
	{"stale checkpoints", "All as it was a day and a second before, good in itself.", "stale", func(s *small, h *history.History, trust *M) {
		*h = *s.old.History(s.key)
		*trust = with(*trust, "now", number(early+86401))
	}},
	{"a day old", "Exactly as old as it may be.", "", func(s *small, h *history.History, trust *M) { *trust = with(*trust, "now", number(late+86400)) }},
	{"older than the reader wants", "The reader asks for an hour.", "stale", func(s *small, h *history.History, trust *M) {
		*trust = with(with(*trust, "now", number(late+3601)), "maxAge", "3600")
	}},
	{"a year old, and allowed", "What was saved long ago.", "", func(s *small, h *history.History, trust *M) {
		*trust = with(with(*trust, "now", number(late+366*86400)), "maxAge", number(400*86400))
	}},
	{"witnessed in the future", "Cosigned 5 minutes and a second ahead of the reader's clock.", "ahead", func(s *small, h *history.History, trust *M) {
		*trust = with(*trust, "now", number(late-301))
	}},
	{"five minutes ahead", "Exactly as far ahead as a clock may be.", "", func(s *small, h *history.History, trust *M) { *trust = with(*trust, "now", number(late-300)) }},
	{"log checkpoint without its cosignature", "Too few witnesses.", "log-quorum", relog(func(s *small) checkpoint.Note { return without(s.good.LogNote, 1) })},
	{"a witness's signature moved to another checkpoint", "The cosignature is the older checkpoint's.", "log-signature", relog(func(s *small) checkpoint.Note {
		return instead(s.good.LogNote, 1, s.old.LogNote.Signatures[1])
	})},
	{"a witness's signature at another time", "The cosignature's time is changed.", "log-signature", relog(func(s *small) checkpoint.Note {
		sig := s.good.LogNote.Signatures[1]
		sig.Sig = bytes.Clone(sig.Sig)
		sig.Sig[7]++
		return instead(s.good.LogNote, 1, sig)
	})},
	{"an unknown witness", "Another one cosigned in the place of the one that is asked for.", "log-quorum", relog(func(s *small) checkpoint.Note {
		return instead(s.good.LogNote, 1, second.Cosign(s.good.LogNote.Text, late))
	})},
	{"an unknown witness besides", "Cosignatures by unknown keys are passed over, be they good or not.", "", relog(func(s *small) checkpoint.Note {
		n := s.good.LogNote
		n.Signatures = append(slices.Clone(n.Signatures), flipped(second.Cosign(n.Text, late)))
		return n
	})},
	{"one witness twice for two", "Two are asked for, and one of them cosigned twice.", "log-quorum", func(s *small, h *history.History, trust *M) {
		*trust = with(*trust, "logPolicy", two(s))
		n := s.good.LogNote
		n.Signatures = append(slices.Clone(n.Signatures), witness.Cosign(n.Text, late+1))
		logCheckpoint(h, note(n))
	}},
	{"two witnesses at two times", "T is the earlier one's: only then is the quorum met.", "", func(s *small, h *history.History, trust *M) {
		*trust = with(*trust, "logPolicy", two(s))
		n := s.good.LogNote
		n.Signatures = append(slices.Clone(n.Signatures), second.Cosign(n.Text, late-500))
		logCheckpoint(h, note(n))
	}},
	{"one witness early and late", "The later of its cosignatures counts.", "", relog(func(s *small) checkpoint.Note {
		n := s.good.LogNote
		n.Signatures = append(slices.Clone(n.Signatures), witness.Cosign(n.Text, late+100), witness.Cosign(n.Text, late+50))
		return n
	})},
	{"another log's checkpoint", "It is signed by its own key, under its own name.", "log-origin", relog(func(s *small) checkpoint.Note {
		k := verifytest.Key(s.T, "other.example/log", "")
		return verifytest.Signed(checkpoint.Checkpoint{Origin: k.Name(), Size: s.good.Size, Root: s.Log.Root(s.good.Size)}.Body(), k, late, witness)
	})},
	{"log checkpoint by another key", "Its name is right, its key is not.", "log-unsigned", relog(func(s *small) checkpoint.Note {
		k := verifytest.Key(s.T, origin, "another")
		return instead(s.good.LogNote, 0, verifytest.SignCheckpoint(k, s.good.LogNote.Text))
	})},
	{"log checkpoint signed by witnesses alone", "The log's own signature is missing.", "log-unsigned", relog(func(s *small) checkpoint.Note { return without(s.good.LogNote, 0) })},
	{"log checkpoint's signature changed", "A bit of it is changed.", "log-signature", relog(func(s *small) checkpoint.Note {
		return instead(s.good.LogNote, 0, flipped(s.good.LogNote.Signatures[0]))
	})},
	{"log checkpoint signed twice, once badly", "Every signature by a known key must hold.", "log-signature", relog(func(s *small) checkpoint.Note {
		n := s.good.LogNote
		n.Signatures = append(slices.Clone(n.Signatures), flipped(n.Signatures[0]))
		return n
	})},
	{"log checkpoint of another root", "Signed and cosigned at the same size: a fork.", "log-leaf", relog(func(s *small) checkpoint.Note {
		return verifytest.Signed(checkpoint.Checkpoint{Origin: origin, Size: s.good.Size, Root: [32]byte{1}}.Body(), s.LogKey, late, witness)
	})},
	{"log witnessed at the largest time", "2^63 - 1, where any age is taken: it is of the future all the same.", "ahead", func(s *small, h *history.History, trust *M) {
		*trust = with(*trust, "maxAge", number(1<<62))
		logCheckpoint(h, note(verifytest.Signed(s.good.LogNote.Text, s.LogKey, 1<<63-1, witness)))
	}},
	{"log checkpoint with a leading zero", "The size is spelled otherwise, and so signed.", "log-form", relog(func(s *small) checkpoint.Note {
		text := bytes.Replace([]byte(s.good.LogNote.Text), []byte("\n7\n"), []byte("\n07\n"), 1)
		return verifytest.Signed(string(text), s.LogKey, late, witness)
	})},
	{"no log checkpoint", "It is empty.", "log-form", only(func(h *history.History) { logCheckpoint(h, "") })},

	// What is trusted, and what may be said.
	{"no witness asked for", "Both policies say quorum none: no time, and the operator's word for completeness.", "", func(s *small, h *history.History, trust *M) {
		*trust = with(with(with(*trust, "logPolicy", none(s.LogKey)), "indexPolicy", none(s.IndexKey)), "indexVerifiers", nil)
		*trust = with(*trust, "now", number(early+10*366*86400))
	}},
	{"an index-verifier and no witness", "The index was rebuilt; nobody says when the log was like that.", "", trusting("logPolicy", func(s *small) any { return none(s.LogKey) })},
	{"a witness and no index-verifier", "Who cosigned the index is not said to rebuild it: the operator's word.", "", trusting("indexVerifiers", func(*small) any { return nil })},
	{"quorum that needs no index-verifier", "The index-verifier cosigned, but another one could have stood in: the operator's word.", "", trusting("indexPolicy", func(s *small) any {
		return "log " + s.IndexKey.Verifier().String() + "\nwitness a " + rebuilds.Verifier() + "\nwitness b " + second.Verifier() + "\ngroup g any a b\nquorum g\n"
	})},
	{"quorum of which one must rebuild", "Two of three, two of whom are index-verifiers: one of them is in every quorum.", "", func(s *small, h *history.History, trust *M) {
		third := verifytest.NewCosigner("iv2.example")
		*trust = with(*trust, "indexPolicy", "log "+s.IndexKey.Verifier().String()+"\nwitness a "+rebuilds.Verifier()+"\nwitness b "+second.Verifier()+
			"\nwitness c "+third.Verifier()+"\ngroup g 2 a b c\nquorum g\n")
		*trust = with(*trust, "indexVerifiers", []any{rebuilds.Verifier(), third.Verifier()})
		n := s.good.Index
		n.Signatures = append(slices.Clone(n.Signatures), second.Cosign(n.Text, late))
		index(h, func(i *history.Index) { i.Checkpoint = note(n) })
	}},
	{"an index-verifier who is none of the policy's", "The reader's statement is about nobody.", "policy", trusting("indexVerifiers", func(*small) any { return []any{second.Verifier()} })},
	{"an index-verifier who witnesses the log", "An index-verifier has a key of its own.", "policy", func(s *small, h *history.History, trust *M) {
		*trust = with(*trust, "logPolicy", "log "+s.LogKey.Verifier().String()+"\nwitness w "+rebuilds.Verifier()+"\nquorum none\n")
	}},
	{"an index-verifier without an index policy", "There is nobody of whom that could be said.", "policy", trusting("indexPolicy", func(*small) any { return nil })},
	{"the index log's key from the Genesis", "The reader has no policy for the index log.", "", func(s *small, h *history.History, trust *M) {
		*trust = with(with(*trust, "indexPolicy", nil), "indexVerifiers", nil)
	}},
	{"no index policy and no Genesis", "Nothing names the index log's key.", "genesis", func(s *small, h *history.History, trust *M) {
		*trust = with(with(*trust, "indexPolicy", nil), "indexVerifiers", nil)
		h.Participants = h.Participants[1:]
	}},
	{"no index policy and a forged Genesis", "It names an index key of its own, and is not in the log.", "inclusion", func(s *small, h *history.History, trust *M) {
		*trust = with(with(*trust, "indexPolicy", nil), "indexVerifiers", nil)
		g := s.Genesis()
		g.IndexKey = verifytest.Key(s.T, origin+"/index", "another").Verifier().String()
		h.Participants[0].Entries[0].Entry = verifytest.Entry(s.T, origin, g.JSON(), s.Operator)
	}},
	{"the operator's key from the Genesis", "The reader has none.", "", trusting("operatorKey", func(*small) any { return nil })},
	{"a Genesis that names another log's key", "The log is signed with another key than the one that its first entry names.", "genesis", foreign(func(g *participant.Genesis) {
		g.LogKey = strange(g.Origin)
	})},
	{"a Genesis that names another index log's key", "The index log is signed with another key than the one that the log's first entry names.", "genesis", foreign(func(g *participant.Genesis) {
		g.IndexKey = strange(g.Origin + "/index")
	})},
	{"a Genesis that names another log", "It was another log's first entry.", "genesis", foreign(func(g *participant.Genesis) {
		g.LogKey, g.IndexKey, g.OperatorKey = strange("other.example/log"), strange("other.example/log/index"), strange("other.example/log/operator")
		g.Origin = "other.example/log"
	})},
	{"a Genesis of another version of keys", "Keys of another version stand in another index.", "genesis", foreign(func(g *participant.Genesis) { g.KeysVersion = 2 })},
	{"another operator", "The reader's key of the operator is another.", "operator", trusting("operatorKey", func(s *small) any {
		return verifytest.Key(s.T, origin+"/operator", "another").Verifier().String()
	})},
}

// none is the policy that asks for no witness.
func none(log *entry.Key) string { return "log " + log.Verifier().String() + "\nquorum none\n" }

// foreign answers from a log with another Genesis.
func foreign(change func(g *participant.Genesis)) func(*small, *history.History, *M) {
	return func(s *small, h *history.History, trust *M) {
		w := *s.World
		w.Log, w.Index = verifytest.Tree{}, verifytest.Tree{}
		g := w.Genesis()
		change(&g)
		w.Sign(g.JSON(), w.Operator)
		*h = *w.Publish(late).History(s.key)
	}
}

// strange is a key of that name that nobody has.
func strange(name string) string {
	return vkeyOf(name, verifytest.NewCosigner(name).Public())
}

// two is the log's policy that asks for both witnesses.
func two(s *small) string {
	return "log " + s.LogKey.Verifier().String() + "\nwitness a " + witness.Verifier() + "\nwitness b " + second.Verifier() + "\ngroup g 2 a b\nquorum g\n"
}

// forgeMap makes the index log sign a leaf whose map root is what the history's
// map proof gives, for the history alone: those inside do not fit any more.
func forgeMap(s *small, h *history.History) {
	leaf, err := historyindex.ParseLeaf([]byte(s.good.Leaf))
	if err != nil {
		panic(err)
	}
	p := &h.Index.MapProof
	leaf.MapRoot = historyindex.MapLeafHash(p.Key, p.Value)
	for _, step := range p.Path {
		if historyindex.Bit(&p.Key, int(step.Bit)) == 0 {
			leaf.MapRoot = historyindex.MapNodeHash(leaf.MapRoot, step.Hash, step.Bit)
		} else {
			leaf.MapRoot = historyindex.MapNodeHash(step.Hash, leaf.MapRoot, step.Bit)
		}
	}
	forgeLeaf(s, h, leaf)
}

// forgeLeaf makes the index log sign a leaf.
func forgeLeaf(s *small, h *history.History, leaf historyindex.Leaf) {
	forged := *s.good
	forged.Leaf = leaf.String()
	forged.LeafAt = s.World.Index.Add([]byte(forged.Leaf))
	forged.SignIndex(late)
	index(h, func(i *history.Index) {
		i.Checkpoint, i.Leaf, i.LeafProof = note(forged.Index), forged.Leaf, s.World.Index.Inclusion(forged.LeafAt, forged.IndexAt)
	})
}

// cutPath is the proof of another leaf, as if its path did not have the one step at
// which it and the key part.
func cutPath(s *small, key historyindex.Key) historyindex.Proof {
	own := key.Hash()
	for _, other := range slices.SortedFunc(maps.Keys(s.good.Postings), historyindex.Compare) {
		p := s.good.MapProof(other)
		parts := func(step historyindex.Step) bool {
			return historyindex.Bit(&own, int(step.Bit)) != historyindex.Bit(&p.Key, int(step.Bit))
		}
		before := len(p.Path)
		p.Present, p.Path = false, slices.DeleteFunc(p.Path, parts)
		if before-len(p.Path) == 1 {
			return p
		}
	}
	panic("no such leaf")
}

func histories(t testing.TB) (cases []Case) {
	add := func(m mutation, key historyindex.Key, cosigned bool) {
		s := newSmall(t, cosigned)
		s.key = key
		h := s.good.History(key)
		trust := asking(s.trust(), key)
		m.change(s, h, &trust)
		cases = append(cases, Case{
			Name: "history: " + m.name, What: m.what, Input: M{"kind": "history", "saved": string(h.Append(nil))}, Trust: trust,
			Verdict: M{"reason": m.want},
		})
	}
	for i, m := range mutations {
		add(m, object(lotID), i == 0)
	}
	for _, m := range anchors {
		add(m, object(absentID), true)
	}
	return cases
}
