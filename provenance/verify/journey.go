package verify

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/history"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/journey"
	"github.com/tallyroot/tallyroot/provenance/participant"
)

// A JourneyVerdict is what the good histories of a journey show, and whether they
// are all to which it leads. That is for the reader to find out: the journey is
// followed here, through the entries that were verified, and what the service
// says of it is not asked.
type JourneyVerdict struct {
	ID    string // canonical
	Asked bool   // the reader said what it asked for, and this is it
	Anchor

	// Journey is what was followed: Keys are the histories that it needs.
	Journey *journey.Journey

	// Missing are the histories that are needed and not here, or not whole: the
	// journey's, and those of signers. Sorted.
	Missing []historyindex.Key

	// Histories are all that were here, in their order there, all verified.
	Histories []HistoryVerdict

	// NotFollowed is where the service says that it met a bound. It is no proof of
	// anything.
	NotFollowed []string

	State *participant.State // as in HistoryVerdict

	byKey map[historyindex.Key]*HistoryVerdict
}

// Claim says whether anything is missing.
func (v *JourneyVerdict) Claim() Claim {
	if len(v.Missing) > 0 {
		return Incomplete
	}
	return v.Anchor.claim()
}

// History gives one of Histories; nil if it is not among them.
func (v *JourneyVerdict) History(key historyindex.Key) *HistoryVerdict { return v.byKey[key] }

// Entry gives the entry of a step, as the history through which it belongs to the
// journey has it.
func (v *JourneyVerdict) Entry(step journey.Step) *Judged {
	h := v.byKey[step.Key]
	i, _ := slices.BinarySearchFunc(h.Entries, step.Index, func(j Judged, index uint64) int {
		switch {
		case j.Index < index:
			return -1
		case j.Index > index:
			return 1
		}
		return 0
	})
	return &h.Entries[i]
}

// Journey checks a saved journey (history.Journey). asked is what the reader asked
// for, in its own words; if it is empty, the thing of the first history is taken,
// and the verdict says so.
//
// It fails when anything that is there is wrong. When nothing is wrong and
// something is missing, the verdict's claim is Incomplete.
func Journey(saved []byte, asked string, trust Trust) (*JourneyVerdict, error) {
	if err := trust.Check(); err != nil {
		return nil, err
	}
	file, err := history.DecodeJourney(saved)
	if err != nil {
		return nil, fail(ErrMalformed, err)
	}
	return trust.journey(file, asked, asked != "")
}

// Proof checks a saved proof (history.Proof). asked is what the reader asked for, in
// its own words; if it is empty, the file's own word is taken, and the verdict says
// so. It fails as Journey does, and with ErrAsked when the file is about another
// thing.
func Proof(saved []byte, asked string, trust Trust) (*JourneyVerdict, error) {
	if err := trust.Check(); err != nil {
		return nil, err
	}
	file, err := history.DecodeProof(saved)
	if err != nil {
		return nil, fail(ErrMalformed, err)
	}
	if canonical, err := gs1.Canonical(file.ID); err != nil || canonical != file.ID {
		return nil, fail(ErrMalformed, fmt.Errorf("its id %q is not the canonical form of an identifier", file.ID))
	}
	if asked == "" {
		return trust.journey(&file.Journey, file.ID, false)
	}
	if gs1.Identifiers(asked)[0] != gs1.Identifiers(file.ID)[0] {
		return nil, fail(ErrAsked, fmt.Errorf("it is the proof of %s, and the question was %s", file.ID, asked))
	}
	return trust.journey(&file.Journey, asked, true)
}

// journey checks a journey as that of id; if id is empty, of the thing of its first
// history.
func (t Trust) journey(file *history.Journey, id string, asked bool) (*JourneyVerdict, error) {
	var err error
	keys := make([]historyindex.Key, len(file.Histories))
	for i := range file.Histories {
		if keys[i], err = keyOf(&file.Histories[i]); err != nil {
			return nil, err
		}
	}
	v := &JourneyVerdict{Asked: asked, NotFollowed: file.NotFollowed, byKey: make(map[historyindex.Key]*HistoryVerdict)}
	if id == "" && len(keys) > 0 {
		if keys[0].Kind != historyindex.Object {
			return nil, fail(ErrMalformed, errors.New("it does not begin with the history of the thing that it is about"))
		}
		id = keys[0].Identifier
	}
	if v.ID, err = gs1.Canonical(id); err != nil {
		return nil, fail(ErrAsked, err)
	}
	r, histories, err := readJourney(file, keys, t)
	if err != nil {
		return nil, err
	}
	v.Anchor, v.State = *r.anchor, r.state
	v.Histories = make([]HistoryVerdict, len(keys))
	for i, key := range keys {
		v.Histories[i] = *r.verdict(&file.Histories[i], key, v.Asked, histories[i])
		v.byKey[key] = &v.Histories[i]
	}
	if err := v.follow(); err != nil {
		return nil, fail(ErrAsked, err)
	}
	v.missing()
	return v, nil
}

// readJourney makes the seven checks of all histories.
func readJourney(file *history.Journey, keys []historyindex.Key, trust Trust) (*reading, [][]Judged, error) {
	noOperator := fail(ErrParticipants, errors.New("that of the operator is missing"))
	if len(keys) == 0 {
		return nil, nil, noOperator
	}
	first := &file.Histories[0]
	var operator *history.History
	for i := range file.Histories {
		if !same(first, &file.Histories[i]) {
			return nil, nil, within(fail(ErrMixed, nil), keys[i])
		}
		if operator == nil && keys[i] == operatorKey {
			operator = &file.Histories[i]
		}
	}
	anchor, err := trust.anchor(first, operator)
	if err != nil {
		return nil, nil, err
	}
	r := newReading(trust, anchor)
	histories := make([][]Judged, len(keys))
	signers := make(map[historyindex.Key][]Judged)
	seen := make(map[historyindex.Key]bool)
	for i, key := range keys {
		h := &file.Histories[i]
		if seen[key] {
			return nil, nil, within(fail(ErrTwice, nil), key)
		}
		seen[key] = true
		if histories[i], err = r.proved(h, key); err != nil {
			return nil, nil, within(err, key)
		}
		if !tells(key) {
			continue
		}
		if len(h.Entries) != len(h.Positions) {
			return nil, nil, fail(ErrParticipants, fmt.Errorf("that of %s is not whole", key))
		}
		signers[key] = histories[i]
	}
	if operator == nil {
		return nil, nil, noOperator
	}
	if err := r.fold(signers); err != nil {
		return nil, nil, err
	}
	r.authenticate(histories...)
	return r, histories, nil
}

// follow follows the journey through the histories that are here.
func (v *JourneyVerdict) follow() (err error) {
	v.Journey, err = journey.Follow(v.ID, func(key historyindex.Key) ([]journey.Entry, bool, error) {
		h := v.byKey[key]
		if h == nil {
			return nil, false, nil
		}
		entries := make([]journey.Entry, len(h.Entries))
		for i := range h.Entries {
			j := &h.Entries[i]
			entries[i] = journey.Entry{Index: j.Index, JSON: j.Entry.JSON, Effect: j.LeadsOn()}
		}
		return entries, h.Whole(), nil
	})
	return err
}

// missing gathers what the journey needs and does not have.
func (v *JourneyVerdict) missing() {
	v.Missing = slices.Clone(v.Journey.Missed)
	for i := range v.Histories {
		for j := range v.Histories[i].Entries {
			for _, signer := range signersOf(&v.Histories[i].Entries[j]) {
				if v.byKey[signer] == nil {
					v.Missing = append(v.Missing, signer)
				}
			}
		}
	}
	slices.SortFunc(v.Missing, historyindex.Compare)
	v.Missing = slices.Compact(v.Missing)
}
