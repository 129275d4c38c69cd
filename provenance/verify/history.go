package verify

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/history"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/participant"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
)

// A HistoryVerdict is what a good history shows: that each of its entries
// stands in the log, and which of them count by the statements about the signers
// that it holds. That there are no other entries, nor other statements, it does
// not show.
type HistoryVerdict struct {
	Key   historyindex.Key
	Asked bool // the reader said what it asked for, and this is it
	Total int  // positions that the history names
	First int  // how many of them stand before the first of Entries
	policy.Verdict
	Entries []Judged // in the log's order

	// OperatorTrusted says that the reader's own key of the operator vouches for
	// the participants' keys; otherwise the log's first entry does.
	OperatorTrusted bool

	// State is what the operator's statements make of the operator, and of the
	// participants that signed an entry. It is the state of the checkpoint.
	State *participant.State

	// Master is what the statements of a history of kind master come to; nil for
	// the other kinds, and for a page that does not begin with the first entry.
	Master *participant.Master
}

// Judged is one entry that stands in the log, and what is to be made of it.
type Judged struct {
	Index    uint64
	Entry    *entry.Entry
	LeafHash [32]byte

	// Signature says why the entry is unauthenticated; nil if all its signatures
	// hold, which were made with Keys.
	Signature error
	Keys      []entry.Verifier

	DuplicateOf *uint64 // the entry that said the same before; this one has no effect
	WithdrawnBy *uint64 // the error declaration that withdraws it
	Withdraws   *uint64 // the event that this error declaration withdraws; nil if that is not among the entries

	Effect *participant.Effect // of a statement, where the history tells
}

// Counts tells whether the entry is authenticated, no duplicate, and no statement
// without effect. A withdrawn event counts, as one that was withdrawn.
func (j *Judged) Counts() bool {
	return j.Signature == nil && j.DuplicateOf == nil && (j.Effect == nil || j.Effect.Applied)
}

// Unauthenticated counts the entries whose signatures do not hold.
func (v *HistoryVerdict) Unauthenticated() (n int) {
	for i := range v.Entries {
		if v.Entries[i].Signature != nil {
			n++
		}
	}
	return n
}

// History checks a saved history (package history). asked is what the reader
// asked for, in its own words; without an identifier the history's own word is
// taken, and the verdict says so.
func History(saved []byte, asked historyindex.Key, trust Trust) (*HistoryVerdict, error) {
	h, err := history.Decode(saved)
	if err != nil {
		return nil, fail(ErrMalformed, err)
	}
	v := &HistoryVerdict{Total: len(h.Positions), State: participant.NewState()}
	if v.Verdict, err = trust.checkpoint([]byte(h.LogCheckpoint)); err != nil {
		return nil, err
	}
	if v.Key, err = keyOf(h); err != nil {
		return nil, err
	}
	if asked.Identifier != "" {
		if !answers(v.Key, asked) {
			return nil, fail(ErrAsked, fmt.Errorf("it is the history of %s, and the question was %s", v.Key, asked))
		}
		v.Asked = true
	}
	c := &check{verdict: v, signers: make(map[historyindex.Key][]Judged)}
	if v.Entries, err = c.proved(h, v.Key); err != nil {
		return nil, err
	}
	if len(v.Entries) > 0 {
		v.First = slices.Index(h.Positions, v.Entries[0].Index)
	}
	if err := c.participants(h); err != nil {
		return nil, err
	}
	if err := c.fold(trust); err != nil {
		return nil, err
	}
	c.authenticate()
	c.relate()
	return v, nil
}

func keyOf(h *history.History) (historyindex.Key, error) {
	kind, err := historyindex.ParseKind(h.Kind)
	if err != nil {
		return historyindex.Key{}, fail(ErrMalformed, err)
	}
	return historyindex.Key{Kind: kind, Identifier: h.ID}, nil
}

// answers tells whether a history of key is the answer to asked, whose
// identifier may be spelled in any way that names the same.
func answers(key, asked historyindex.Key) bool {
	if key.Kind != asked.Kind {
		return false
	}
	switch key.Kind {
	case historyindex.By, historyindex.Participant, historyindex.Operator:
		return key.Identifier == asked.Identifier
	}
	return key.Identifier == gs1.Identifiers(asked.Identifier)[0]
}

// check is one run of History.
type check struct {
	verdict *HistoryVerdict
	signers map[historyindex.Key][]Judged // the whole histories of kinds participant and operator
	effects map[uint64]participant.Effect // of the statements in signers, by position
}

// proved checks everything about a history that needs no other one: its
// positions, that each entry is included, is well formed and has the key.
func (c *check) proved(h *history.History, key historyindex.Key) ([]Judged, error) {
	for i, position := range h.Positions {
		if i > 0 && position <= h.Positions[i-1] {
			return nil, failAt(ErrOrder, position, fmt.Errorf("it follows %d", h.Positions[i-1]))
		}
		if position >= c.verdict.Checkpoint.Size {
			return nil, failAt(ErrBeyond, position, fmt.Errorf("the size is %d", c.verdict.Checkpoint.Size))
		}
	}
	if err := checkPage(h); err != nil {
		return nil, err
	}
	entries := make([]Judged, len(h.Entries))
	for i := range h.Entries {
		saved := &h.Entries[i]
		j := Judged{Index: saved.Index, LeafHash: entry.LeafHash(saved.Entry)}
		if err := included(c.verdict.Checkpoint, j.Index, j.LeafHash, saved.Proof); err != nil {
			return nil, err
		}
		var err error
		if j.Entry, err = entry.Parse(saved.Entry); err != nil {
			return nil, failAt(ErrEntry, j.Index, err)
		}
		if !historyindex.Has(j.Entry, key) {
			return nil, failAt(ErrKey, j.Index, fmt.Errorf("it does not have the key %s", key))
		}
		entries[i] = j
	}
	return entries, nil
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

// participants checks the histories inside of h, and that those are there that
// the signatures of h's entries are judged by.
func (c *check) participants(h *history.History) error {
	key := c.verdict.Key
	if (key.Kind == historyindex.Participant || key.Kind == historyindex.Operator) && len(h.Entries) == len(h.Positions) {
		c.signers[key] = c.verdict.Entries
	}
	seen := make(map[historyindex.Key]bool)
	for i := range h.Participants {
		inner := &h.Participants[i]
		name := inner.Kind + " " + inner.ID
		key, err := keyOf(inner)
		if err != nil {
			return err
		}
		problem := ""
		switch {
		case key.Kind != historyindex.Participant && key != operatorKey:
			problem = "is neither a participant's nor the operator's"
		case seen[key]:
			problem = "stands there twice"
		case inner.LogCheckpoint != h.LogCheckpoint:
			problem = "has another checkpoint"
		case len(inner.Entries) != len(inner.Positions):
			problem = "is not whole"
		}
		if problem != "" {
			return fail(ErrParticipants, fmt.Errorf("that of %s %s", name, problem))
		}
		seen[key] = true
		entries, err := c.proved(inner, key)
		if err != nil {
			if e, ok := err.(*Error); ok {
				e.History = name
			}
			return err
		}
		if _, outer := c.signers[key]; !outer {
			c.signers[key] = entries
		}
	}
	if _, ok := c.signers[operatorKey]; !ok {
		return fail(ErrParticipants, errors.New("that of the operator is missing"))
	}
	for i := range c.verdict.Entries {
		for _, id := range c.verdict.Entries[i].Entry.Participants {
			if id == entry.Operator {
				continue
			}
			if _, ok := c.signers[historyindex.Key{Kind: historyindex.Participant, Identifier: id}]; !ok {
				return failAt(ErrParticipants, c.verdict.Entries[i].Index, fmt.Errorf("that of its signer %s is missing", id))
			}
		}
	}
	return nil
}

var operatorKey = historyindex.Key{Kind: historyindex.Operator, Identifier: entry.Operator}

// fold makes the state of the operator's statements, and checks that the log and
// its operator are those that are trusted.
func (c *check) fold(trust Trust) error {
	var statements []Judged
	for _, entries := range c.signers {
		statements = append(statements, entries...)
	}
	slices.SortFunc(statements, func(a, b Judged) int { return cmp.Compare(a.Index, b.Index) })
	state := c.verdict.State
	c.effects = make(map[uint64]participant.Effect, len(statements))
	trusted := trust.OperatorKey == ""
	for _, s := range statements {
		effect := state.Apply(s.Index, s.Entry)
		c.effects[s.Index] = effect
		if key, ok := state.Latest().OperatorKey(); ok && !trusted {
			trusted = key.String() == trust.OperatorKey
			c.verdict.OperatorTrusted = trusted
		}
	}
	genesis, ok := state.Genesis()
	if !ok {
		err := errors.New("the operator's history has no valid Genesis at position 0")
		if effect, ok := c.effects[0]; ok {
			err = effect.Err
		}
		return failAt(ErrGenesis, 0, err)
	}
	if genesis.Origin != c.verdict.Checkpoint.Origin {
		return failAt(ErrGenesis, 0, fmt.Errorf("it names the log %q, and the checkpoint %q", genesis.Origin, c.verdict.Checkpoint.Origin))
	}
	if !trust.Policy.HasLog(genesis.LogKey) {
		return failAt(ErrGenesis, 0, fmt.Errorf("it names the log's key %s, which the policy does not", genesis.LogKey))
	}
	if !trusted {
		return fail(ErrOperator, fmt.Errorf("%s never was its operator's key", trust.OperatorKey))
	}
	return nil
}

// authenticate judges the signatures of all entries, each by the state at its
// position.
func (c *check) authenticate() {
	var batch entry.Batch
	type question struct{ entry, signature int }
	var questions []question
	for i := range c.verdict.Entries {
		j := &c.verdict.Entries[i]
		view := c.verdict.State.At(j.Index)
		if j.Index == 0 { // a Genesis is judged by itself
			key, _ := c.verdict.State.At(1).OperatorKey()
			j.Keys, j.Signature = []entry.Verifier{key}, view.Verify(j.Entry)
			continue
		}
		if j.Keys, j.Signature = view.Keys(j.Entry); j.Signature != nil {
			continue
		}
		for n, key := range j.Keys {
			batch.Add(key, j.Entry.Text, j.Entry.Signatures[n])
			questions = append(questions, question{i, n})
		}
	}
	for i, holds := range batch.Verify() {
		if j := &c.verdict.Entries[questions[i].entry]; !holds {
			j.Signature = &participant.SignatureError{Participant: j.Entry.Participants[questions[i].signature], Err: participant.ErrBadSignature}
			j.Keys = nil
		}
	}
}

// String says it for people.
func (v *HistoryVerdict) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %d entries about %s are in the log %s (size %d).\n%s\n", len(v.Entries), v.Total, v.Key, v.Checkpoint.Origin, v.Checkpoint.Size, witnessed(v.Verdict))
	if !v.Asked {
		b.WriteString("The file itself says what it is about: compare that with what you asked for.\n")
	}
	if !v.OperatorTrusted {
		b.WriteString("The operator's key was taken from the log's first entry.\n")
	}
	if n := v.Unauthenticated(); n > 0 {
		fmt.Fprintf(&b, "%d of them are unauthenticated and count for nothing: their signatures do not hold.\n", n)
	}
	b.WriteString("Whether the log holds more about it, or statements that changed the signers' keys, this file cannot show.")
	return b.String()
}
