// Package history is the saved form of histories and journeys, as a service
// answers with them and as they are kept in files.
//
// A history has all that is needed to check, for one key of the history index,
// which entries the log holds under it: the entries, in the log's order, each with
// the proof that it stands in the log; the positions of all of them, with the
// proof that the history index has this very list; and the histories of those who
// signed. A journey is a number of histories, where that of each signer stands
// once.
//
// The package reads and writes JSON and holds nothing to be true: package verify
// does that. What it reads is bounded and strict.
package history

import "github.com/tallyroot/tallyroot/provenance/historyindex"

const (
	// PageLimit is how many entries a history holds at most; one with more
	// positions is read in pages.
	PageLimit = 1000

	// MaxJourney bounds a journey and a proof, in bytes. A browser takes as much.
	MaxJourney = 64 << 20

	// MaxSize bounds a history, in bytes: PageLimit entries of the largest size are
	// some 84 MiB, and those who signed them have histories too.
	MaxSize = 256 << 20

	// maxValues bounds how many JSON values either has, counted by its commas and
	// opening brackets and braces: each takes many times more memory than bytes in the
	// text. What has as many entries and proofs as fit into MaxSize has fewer.
	maxValues = 4 << 20

	// MaxHistories bounds how many histories a journey has, those of the signers
	// among them.
	MaxHistories = 4096

	// maxProof is how many hashes a proof in a log can have.
	maxProof = 64
)

// A History holds the entries under one key.
type History struct {
	ID            string    // the key's identifier
	Kind          string    // the key's kind, by name
	Index         Index     // shows that the positions are all there are
	LogCheckpoint string    // signed; the entries are proved at it
	Positions     []uint64  // of all entries under the key below the checkpoint's size
	Entries       []Entry   // all of them, or the page of them that was asked for
	Participants  []History // of kind operator, and of kind participant for each signer; nil inside of another
}

// Index is what shows that the history index has the list of positions.
type Index struct {
	Checkpoint string     // signed, of the index log
	Leaf       string     // the newest one of that checkpoint
	LeafProof  [][32]byte // from the leaf's sibling to the root's child
	MapProof   historyindex.Proof
}

// An Entry is one entry and its inclusion proof, from the leaf's sibling to the
// root's child.
type Entry struct {
	Index uint64
	Entry []byte
	Proof [][32]byte
}

// Weight is how many bytes its entries and proofs have: about what it takes in memory.
func (h *History) Weight() int {
	n := len(h.LogCheckpoint) + len(h.Index.Checkpoint) + len(h.Index.Leaf) + 32*(len(h.Index.LeafProof)+len(h.Index.MapProof.Path)) + 8*len(h.Positions)
	for i := range h.Entries {
		n += len(h.Entries[i].Entry) + 32*len(h.Entries[i].Proof)
	}
	for i := range h.Participants {
		n += h.Participants[i].Weight()
	}
	return n
}

// A Journey is the histories through which a thing is followed, with those of
// the signers.
type Journey struct {
	Histories   []History // without participants of their own
	NotFollowed []string  // identifiers at which the service met a bound, as it says
}

// Weight is that of all its histories.
func (j *Journey) Weight() (n int) {
	for i := range j.Histories {
		n += j.Histories[i].Weight()
	}
	return n
}
