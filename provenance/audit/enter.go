package audit

import (
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/epcis"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/participant"
)

// Counts are how many entries there are, and of which kind.
type Counts struct {
	Entries         uint64 `json:"entries,string"`
	Events          uint64 `json:"events,string"`
	Statements      uint64 `json:"statements,string"`
	Signatures      uint64 `json:"signatures,string"` // that hold
	Malformed       uint64 `json:"malformed,string"`
	Unauthenticated uint64 `json:"unauthenticated,string"`
	Duplicates      uint64 `json:"duplicates,string"`
	Ineffective     uint64 `json:"ineffective,string"`
	Keys            uint64 `json:"keys,string"` // events without a key, and entries with too many
	Recoveries      uint64 `json:"recoveries,string"`
	Withdrawn       uint64 `json:"withdrawn,string"` // events that an error declaration withdraws
}

// Minus gives what was added to the earlier counts.
func (c Counts) Minus(earlier Counts) Counts {
	return Counts{
		c.Entries - earlier.Entries, c.Events - earlier.Events, c.Statements - earlier.Statements, c.Signatures - earlier.Signatures,
		c.Malformed - earlier.Malformed, c.Unauthenticated - earlier.Unauthenticated, c.Duplicates - earlier.Duplicates,
		c.Ineffective - earlier.Ineffective, c.Keys - earlier.Keys, c.Recoveries - earlier.Recoveries, c.Withdrawn - earlier.Withdrawn,
	}
}

// maxMasters bounds how many identifiers' names are in memory.
const maxMasters = 4096

// enter writes down what a window of judged entries comes to.
func (a *Auditor) enter(items []item, signatures uint64) error {
	if len(a.masters) > maxMasters {
		clear(a.masters)
	}
	fresh := make(map[[32]byte]uint64, len(items)) // by identity
	head := &a.ledger.head
	err := a.ledger.change(func(b *pebble.Batch) error {
		for i := range items {
			if err := a.enterOne(b, &items[i], fresh); err != nil {
				return fmt.Errorf("entry %d: %w", items[i].index, err)
			}
		}
		for identity, index := range fresh {
			if err := b.Set(row(identityRow, identity[:]), number(index), nil); err != nil {
				return err
			}
		}
		head.Totals.Signatures += signatures
		head.Next += uint64(len(items))
		return a.fault
	})
	if err != nil {
		return err
	}
	a.progress.entered(items[len(items)-1].index + 1)
	return nil
}

func (a *Auditor) enterOne(b *pebble.Batch, it *item, fresh map[[32]byte]uint64) error {
	totals, told := &a.ledger.head.Totals, &a.ledger.head.ReportedTotals
	totals.Entries++
	if it.entry == nil {
		totals.Malformed++
		return a.name(b, totals.Malformed-told.Malformed, &Finding{Kind: Malformed, Problem: "the leaf is no entry: " + it.err.Error()}, it)
	}
	statement := entry.IsStatement(it.entry.JSON)
	if statement {
		totals.Statements++
	} else {
		totals.Events++
	}
	if err := a.watched(b, it); err != nil {
		return err
	}
	if it.signature != nil {
		totals.Unauthenticated++
		return a.name(b, totals.Unauthenticated-told.Unauthenticated, &Finding{Kind: Unauthenticated, Problem: it.signature.Error()}, it)
	}
	if err := a.keep(b, it); err != nil {
		return err
	}
	if it.effect.Recovery && it.effect.Applied {
		totals.Recoveries++
		f := &Finding{Kind: Recovery, Problem: fmt.Sprintf("the own keys of %s were changed on the operator's word alone; ask %s whether it knows", it.effect.About, it.effect.About)}
		if err := a.name(b, totals.Recoveries-told.Recoveries, f, it); err != nil {
			return err
		}
	}
	if it.identical {
		first, known := firstOf(it, fresh)
		// A statement that has effect is none: one of the same number before it had none.
		if known && !it.effect.Applied {
			totals.Duplicates++
			f := &Finding{Kind: Duplicate, DuplicateOf: &first, Problem: fmt.Sprintf("it says what entry %d said before", first)}
			return a.name(b, totals.Duplicates-told.Duplicates, f, it)
		}
	}
	if it.effect.Err != nil {
		totals.Ineffective++
		return a.name(b, totals.Ineffective-told.Ineffective, &Finding{Kind: Ineffective, Problem: "the statement has no effect: " + it.effect.Err.Error()}, it)
	}
	if problem := keysProblem(it); problem != "" {
		totals.Keys++
		return a.name(b, totals.Keys-told.Keys, &Finding{Kind: Keys, Problem: problem}, it)
	}
	if _, declares := epcis.ErrorDeclared(it.entry.JSON); declares && !statement && it.identical {
		// The event may come later.
		if identity, err := entry.Identity(it.entry.Participants[0], it.entry.JSON.Without("errorDeclaration")); err == nil {
			return b.Set(row(declarationRow, number(it.index)), identity[:], nil)
		}
	}
	return nil
}

func keysProblem(it *item) string {
	switch {
	case len(it.keys) > historyindex.MaxKeys:
		return fmt.Sprintf("it names %d identifiers, and the limit is %d", len(it.keys), historyindex.MaxKeys)
	case epcis.IsEvent(it.entry.JSON) && !historyindex.Findable(it.keys):
		return "the event names no object, no input, no transformation and no place: nobody can find it"
	}
	return ""
}

// firstOf gives the first authenticated entry that has the item's identity, if there was
// one before. fresh are those of the item's window; the item is added if it is the first.
func firstOf(it *item, fresh map[[32]byte]uint64) (index uint64, known bool) {
	if it.known {
		return it.first, true
	}
	if index, known = fresh[it.identity]; !known {
		fresh[it.identity] = it.index
	}
	return index, known
}

// keep writes down what later entries are judged by, and folds statements about
// products and places.
func (a *Auditor) keep(b *pebble.Batch, it *item) error {
	switch it.entry.Type() {
	case entry.TypeGenesis, entry.TypeParticipant, entry.TypeOperator:
		if it.effect.Applied {
			return b.Set(row(statementRow, number(it.index)), it.entry.Append(nil), nil)
		}
	case entry.TypeProduct, entry.TypePlace:
		identifier := masterOf(it.keys)
		m, err := a.master(identifier)
		if err != nil {
			return err
		}
		if it.effect = m.ApplyVerified(identifier, it.index, it.entry, a.state); it.effect.Applied {
			return b.Set(append(masterPrefix(identifier), number(it.index)...), it.entry.Append(nil), nil)
		}
	}
	return nil
}

// masterOf gives what a product or place statement is about; "" if it does not say.
func masterOf(keys []historyindex.Key) string {
	if i := slices.IndexFunc(keys, func(k historyindex.Key) bool { return k.Kind == historyindex.Master }); i >= 0 {
		return keys[i].Identifier
	}
	return ""
}

// master gives the fold of the statements about one identifier.
func (a *Auditor) master(identifier string) (*participant.Master, error) {
	if m := a.masters[identifier]; m != nil {
		return m, nil
	}
	m := new(participant.Master)
	for p, err := range a.ledger.entries(masterPrefix(identifier)) {
		if err != nil {
			return nil, err
		}
		m.ApplyVerified(identifier, p.index, p.entry, a.state)
	}
	a.masters[identifier] = m
	return m, nil
}

// name writes down a finding about an entry, the n-th of its kind since the last
// report; of very many, not all are named.
func (a *Auditor) name(b *pebble.Batch, n uint64, f *Finding, it *item) error {
	if n > a.options.MaxNamed {
		return nil
	}
	return a.ledger.add(b, describe(f, it, a.ledger.head.Origin))
}

// describe says which entry a finding is about.
func describe(f *Finding, it *item, origin string) *Finding {
	f.Log, f.Index = origin, &it.index
	if it.entry != nil {
		f.Type, f.Participants, f.About = it.entry.Type(), it.entry.Participants, it.effect.About
		if id, ok := it.entry.JSON.Get("eventID"); ok {
			f.EventID = id.Text()
		}
	}
	return f
}

// watched tells of an entry about what is watched. All are named.
func (a *Auditor) watched(b *pebble.Batch, it *item) error {
	if len(a.watch) == 0 || it.index < a.watchFrom {
		return nil
	}
	var names []string
	for _, key := range it.keys {
		if name, ok := a.watch[key]; ok && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	problem := "there is a new entry about what is watched"
	if it.signature != nil {
		problem += ", without effect: " + it.signature.Error()
	}
	return a.ledger.add(b, describe(&Finding{Kind: Entry, Problem: problem, Watched: names}, it, a.ledger.head.Origin))
}
