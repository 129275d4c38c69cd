package provenance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/epcis"
	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/jcs"
	"github.com/tallyroot/tallyroot/provenance/participant"
	"github.com/tallyroot/tallyroot/trillianlog"
)

func typeOf(v jcs.Value) string { return text(v, "type") }

func text(v jcs.Value, name string) string {
	m, _ := v.Get(name)
	return m.Text()
}

// isMaster tells whether v is a product or place statement.
func isMaster(v jcs.Value) bool {
	t := typeOf(v)
	return t == entry.TypeProduct || t == entry.TypePlace
}

// completeMaster gives a statement that came unsigned the two things that its
// sender may leave to the service: the canonical form of the identifier and,
// where it is missing, the number.
func completeMaster(v jcs.Value, number uint64) jcs.Value {
	if id, err := gs1.Canonical(text(v, "identifier")); err == nil {
		v = v.With("identifier", jcs.NewString(id))
	}
	if _, ok := v.Get("number"); !ok {
		v = v.With("number", jcs.NewNumber(float64(number)))
	}
	return v
}

// checkMaster refuses a product or place statement that is malformed or about
// something that the participant may not describe.
func (s *Service) checkMaster(by string, v jcs.Value) error {
	var err error
	if typeOf(v) == entry.TypeProduct {
		_, err = participant.ParseProduct(v)
	} else {
		_, err = participant.ParsePlace(v)
	}
	if err != nil {
		return refuseStatement(err)
	}
	id := text(v, "identifier")
	if !s.projection.State().Latest().Covers(by, id) {
		return noGrant(by, id)
	}
	return nil
}

func noGrant(by, id string) error {
	return fmt.Errorf("%w: %s has no grant that covers %s: the operator gives one when it adds the participant (--grant)", ErrForbidden, by, id)
}

// checkNumber refuses a product or place statement whose number is not yet due: it
// would stand in the log without effect. One whose number is past is either
// known word for word, or conflicts with the one that has its number.
func (s *Service) checkNumber(ctx context.Context, by string, v jcs.Value) error {
	var next uint64
	if err := s.master(ctx, text(v, "identifier"), func(m *participant.Master) { next = m.Next(typeOf(v), by) }); err != nil {
		return err
	}
	if n, _ := v.Get("number"); n.Float() > float64(next) {
		return refuse("number", "is "+n.Number(), fmt.Sprintf("%d, the next one of what %s says about it", next, by))
	}
	return nil
}

// logMaster numbers, signs and logs a product or place statement that came
// unsigned. What the participant said last is not said again: it answers with
// that one's place.
func (s *Service) logMaster(ctx context.Context, by string, v jcs.Value, p *prepared) (Logged, error) {
	done, err := s.numbering.turn(ctx)
	if err != nil {
		return Logged{}, &Unavailable{Why: "other product and place statements are being numbered and take long; nothing of this was logged", After: time.Second}
	}
	defer done()
	identifier, err := gs1.Canonical(text(v, "identifier"))
	if err != nil {
		return Logged{}, refuse("identifier", err.Error(), "a GS1 Digital Link or another URI")
	}
	var next, index uint64
	var again bool
	if err := s.master(ctx, identifier, func(m *participant.Master) {
		next = m.Next(typeOf(v), by)
		again, index = lastSaid(m, by, completeMaster(v, next-1))
	}); err != nil {
		return Logged{}, err
	}
	if again && next > 1 {
		e, err := s.EventAt(ctx, index)
		return Logged{EventID: identifier, Existed: true, Index: e.Index, LeafHash: e.LeafHash, Receipt: e.Receipt}, err
	}
	v = completeMaster(v, next)
	if err := s.checkMaster(by, v); err != nil {
		return Logged{}, err
	}
	if n, _ := v.Get("number"); n.Float() != float64(next) {
		return Logged{}, refuse("number", "is "+n.Number(), fmt.Sprintf("%d, or no such member: the service counts", next))
	}
	key, err := s.managed.of(by)
	if err != nil {
		return Logged{}, err
	}
	p.eventID = identifier
	p.entry = &entry.Entry{Origin: s.origin, Participants: []string{by}, JSON: v}
	if err := p.sign(key); err != nil {
		return Logged{}, err
	}
	ticket, err := s.queue(p)
	if err != nil {
		return Logged{}, err
	}
	// The numbers stay locked until this one counts, so that the next statement
	// gets the next number.
	return s.settle(ctx, p, ticket)
}

// lastSaid tells whether v is, word for word, what the participant said last.
func lastSaid(m *participant.Master, by string, v jcs.Value) (bool, uint64) {
	if p := m.Product; p != nil && p.Participant == by && jcs.Equal(p.Statement.JSON(), v) {
		return true, p.Index
	}
	if p := m.Place; p != nil && p.Participant == by && jcs.Equal(p.Statement.JSON(), v) {
		return true, p.Index
	}
	return false, 0
}

// mayDescribe is what Validate says of a statement that came unsigned.
func (s *Service) mayDescribe(by string, v jcs.Value) error {
	return s.checkMaster(by, completeMaster(v, 1))
}

// statementLeaf makes the leaf of a statement, signed by one key.
func (s *Service) statementLeaf(signer string, v jcs.Value, key *entry.Key) (trillianlog.Leaf, error) {
	p := &prepared{entry: &entry.Entry{Origin: s.origin, Participants: []string{signer}, JSON: v}}
	err := p.sign(key)
	return p.leaf, err
}

// logStatement logs a statement of the operator and waits for it.
func (s *Service) logStatement(ctx context.Context, v jcs.Value) (uint64, error) {
	leaf, err := s.statementLeaf(entry.Operator, v, s.keys.operator)
	if err != nil {
		return 0, err
	}
	ticket, err := s.log.Add(leaf)
	if err != nil {
		return 0, unavailable(err)
	}
	placed, err := ticket.Wait(ctx)
	if ctx.Err() != nil {
		return 0, ErrUnderWay
	}
	return placed.Index, unavailable(err)
}

// admit judges a submission by the state under which it will stand. It is called
// with order held, so that no statement about its participants comes between.
func (s *Service) admit(p *prepared) error {
	if err := s.Takes(); err != nil {
		return err
	}
	view := s.projection.State().Latest()
	for _, id := range p.entry.Participants {
		if s.changing[id] {
			return &Unavailable{Why: fmt.Sprintf("the keys of %s are being changed; nothing of this was logged", id), After: time.Second}
		}
	}
	if isMaster(p.entry.JSON) {
		if len(p.entry.Participants) != 1 {
			return refuse("entry", "the statement has two signers", "the one who may describe it signs alone")
		}
		if by, id := p.entry.Participants[0], text(p.entry.JSON, "identifier"); !view.Covers(by, id) {
			return noGrant(by, id)
		}
	}
	if !p.managed {
		if err := view.Verify(p.entry); err != nil {
			return fmt.Errorf("%w: %w", ErrForbidden, err)
		}
		return nil
	}
	// Signed by ourselves a moment ago: the key is what could have changed.
	by := p.entry.Participants[0]
	info, ok := view.Participant(by)
	switch {
	case !ok:
		return fmt.Errorf("%w: %s is not a participant of this log", ErrForbidden, by)
	case !info.Active:
		return fmt.Errorf("%w: the participant %s is disabled", ErrForbidden, by)
	}
	key, err := s.managed.of(by)
	if err != nil {
		return err
	}
	for _, v := range info.Managed {
		if v == key.Verifier() {
			return nil
		}
	}
	return fmt.Errorf("%w: the service's key for %s is not in force: send entries that are signed with its own key", ErrForbidden, by)
}

func refuseStatement(err error) error {
	var problems participant.Problems
	if !errors.As(err, &problems) {
		return &Refused{Problems: problemOf(err)}
	}
	refused := &Refused{}
	for _, p := range problems {
		refused.Problems = append(refused.Problems, epcis.Problem(p))
	}
	return refused
}

// checkKeys refuses an entry that has too many keys, and an event that has none
// by which it could be found.
func checkKeys(e *entry.Entry) error {
	keys := historyindex.Keys(e)
	if len(keys) > historyindex.MaxKeys {
		return refuse("", fmt.Sprintf("it names %d identifiers; the limit is %d, its participants among them", len(keys), historyindex.MaxKeys), "split it into several events")
	}
	if !epcis.IsEvent(e.JSON) || historyindex.Findable(keys) {
		return nil
	}
	return refuse("", "it names no object, no input, no transformation and no place: nobody could ever find it", "name what it is about, such as epcList, quantityList, or readPoint")
}
