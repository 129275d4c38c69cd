package verify

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/history"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/participant"
)

// A reading is one file that is being checked. Histories of one file share many
// entries: each is parsed and its signatures are verified once.
type reading struct {
	trust  Trust
	anchor *Anchor
	parsed map[[32]byte]*entry.Entry // by leaf hash

	state   *participant.State
	effects map[uint64]participant.Effect    // of the operator's statements, by position
	signed  map[uint64]participant.Judgement // by position
}

func newReading(trust Trust, anchor *Anchor) *reading {
	return &reading{
		trust: trust, anchor: anchor, parsed: map[[32]byte]*entry.Entry{},
		state: participant.NewState(), effects: map[uint64]participant.Effect{}, signed: map[uint64]participant.Judgement{},
	}
}

// keyOf reads what a history says that it is about, which must be what stands in
// the index for it.
func keyOf(h *history.History) (historyindex.Key, error) {
	kind, err := historyindex.ParseKind(h.Kind)
	if err != nil {
		return historyindex.Key{}, fail(ErrMalformed, err)
	}
	key := historyindex.Key{Kind: kind, Identifier: h.ID}
	if want := canonical(key); want != key {
		return key, fail(ErrMalformed, fmt.Errorf("its identifier %q must be %q", h.ID, want.Identifier))
	}
	return key, nil
}

// canonical gives the key that is asked for when a reader names it in its own
// words: for a link with lot and serial, that of the item.
func canonical(key historyindex.Key) historyindex.Key {
	switch key.Kind {
	case historyindex.By, historyindex.Participant, historyindex.Operator:
	default:
		key.Identifier = gs1.Identifiers(key.Identifier)[0]
	}
	return key
}

// proved makes checks 4 to 6.
func (r *reading) proved(h *history.History, key historyindex.Key) ([]Judged, error) {
	if err := r.list(h, key); err != nil {
		return nil, err
	}
	if err := checkPage(h); err != nil {
		return nil, err
	}
	entries := make([]Judged, len(h.Entries))
	for i := range h.Entries {
		saved := &h.Entries[i]
		j := Judged{Index: saved.Index, LeafHash: entry.LeafHash(saved.Entry)}
		if err := included(r.anchor.Checkpoint, j.Index, j.LeafHash, saved.Proof); err != nil {
			return nil, failAt(ErrInclusion, j.Index, err)
		}
		var err error
		if j.Entry, err = r.parse(j.LeafHash, saved.Entry); err != nil {
			return nil, failAt(ErrEntry, j.Index, err)
		}
		if !historyindex.Has(j.Entry, key) {
			return nil, failAt(ErrKey, j.Index, fmt.Errorf("it does not have the key %s", key))
		}
		entries[i] = j
	}
	return entries, nil
}

// list makes checks 4 and 5.
func (r *reading) list(h *history.History, key historyindex.Key) error {
	if err := h.Index.MapProof.Verify(r.anchor.MapRoot, key.Hash()); err != nil {
		return fail(mapReason(err), err)
	}
	for i, position := range h.Positions {
		if i > 0 && position <= h.Positions[i-1] {
			return failAt(ErrOrder, position, fmt.Errorf("it follows %d", h.Positions[i-1]))
		}
		if position >= r.anchor.Checkpoint.Size {
			return failAt(ErrBeyond, position, fmt.Errorf("the size is %d", r.anchor.Checkpoint.Size))
		}
	}
	if !h.Index.MapProof.Present {
		if n := len(h.Positions); n > 0 {
			return fail(ErrList, fmt.Errorf("there are %d, and the index has none", n))
		}
		return nil
	}
	if list := historyindex.ListOf(h.Positions); list.Value() != h.Index.MapProof.Value {
		return fail(ErrList, fmt.Errorf("there are %d, and the index has another number of them, or others", len(h.Positions)))
	}
	return nil
}

// checkPage checks that the entries stand at the positions: at all of them, or,
// of more than history.PageLimit, at some that follow one another.
func checkPage(h *history.History) error {
	positions := h.Positions
	if len(positions) > history.PageLimit && len(h.Entries) > 0 {
		first := slices.Index(positions, h.Entries[0].Index)
		if first < 0 {
			return failAt(ErrPage, h.Entries[0].Index, errors.New("it is not among the positions"))
		}
		positions = positions[first:min(len(positions), first+len(h.Entries))]
	}
	if len(h.Entries) != len(positions) || len(h.Entries) > history.PageLimit {
		return fail(ErrPage, fmt.Errorf("%d entries for %d positions", len(h.Entries), len(h.Positions)))
	}
	for i, position := range positions {
		if h.Entries[i].Index != position {
			return failAt(ErrPage, h.Entries[i].Index, fmt.Errorf("the next position is %d", position))
		}
	}
	return nil
}

func (r *reading) parse(leafHash [32]byte, b []byte) (*entry.Entry, error) {
	if e := r.parsed[leafHash]; e != nil {
		return e, nil
	}
	e, err := entry.Parse(b)
	if err == nil {
		r.parsed[leafHash] = e
	}
	return e, err
}

// fold makes the state of the operator's and the participants' histories, and
// checks that the log and its operator are those that are trusted.
func (r *reading) fold(histories map[historyindex.Key][]Judged) error {
	var statements []Judged
	for _, entries := range histories {
		statements = append(statements, entries...)
	}
	slices.SortFunc(statements, func(a, b Judged) int { return cmp.Compare(a.Index, b.Index) })
	trusted := r.trust.OperatorKey == ""
	for _, s := range statements {
		effect := r.state.Apply(s.Index, s.Entry)
		r.effects[s.Index] = effect
		if key, ok := r.state.Latest().OperatorKey(); ok && !trusted {
			trusted = key.String() == r.trust.OperatorKey
			r.anchor.OperatorTrusted = trusted
		}
	}
	genesis, ok := r.state.Genesis()
	if !ok {
		err := errors.New("the operator's history has no valid Genesis at position 0")
		if effect, ok := r.effects[0]; ok {
			err = effect.Err
		}
		return failAt(ErrGenesis, 0, err)
	}
	if origin := r.anchor.Checkpoint.Origin; genesis.Origin != origin {
		return failAt(ErrGenesis, 0, fmt.Errorf("it names the log %q, and the checkpoint %q", genesis.Origin, origin))
	}
	if !r.trust.Policy.HasLog(genesis.LogKey) {
		return failAt(ErrGenesis, 0, fmt.Errorf("it names the log's key %s, which the policy does not", genesis.LogKey))
	}
	if p := r.trust.IndexPolicy; p != nil && !p.HasLog(genesis.IndexKey) {
		return failAt(ErrGenesis, 0, fmt.Errorf("it names the index log's key %s, which the policy does not", genesis.IndexKey))
	}
	if !trusted {
		return fail(ErrOperator, fmt.Errorf("%s never was its operator's key", r.trust.OperatorKey))
	}
	return nil
}

// authenticate judges the signatures of all entries, each by the state at its
// position.
func (r *reading) authenticate(entries ...[]Judged) {
	var batch participant.Batch
	var asked []uint64
	for _, list := range entries {
		for i := range list {
			j := &list[i]
			if _, done := r.signed[j.Index]; done {
				continue
			}
			batch.Add(r.state.At(j.Index), j.Entry)
			asked = append(asked, j.Index)
			r.signed[j.Index] = participant.Judgement{} // no more than once
		}
	}
	for i, judgement := range batch.Verify() {
		r.signed[asked[i]] = judgement
	}
	for _, list := range entries {
		for i := range list {
			s := r.signed[list[i].Index]
			list[i].Keys, list[i].Signature = s.Keys, s.Err
		}
	}
}
