package provenance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/epcis"
	"github.com/tallyroot/tallyroot/provenance/jcs"
	"github.com/tallyroot/tallyroot/trillianlog"
)

// prepared is a submission that was found good, and the leaf that it becomes.
type prepared struct {
	leaf     trillianlog.Leaf
	entry    *entry.Entry
	eventID  string
	hashed   bool // the eventID was computed
	warnings []string
	managed  bool // signed by the service with its key for the participant
}

// Log logs one submission and waits until a published checkpoint covers it, or
// until ctx ends: then the answer is Pending. The same text again is answered
// with the first one's place.
func (s *Service) Log(ctx context.Context, caller Caller, sub Submission) (Logged, error) {
	if err := mayLog(caller); err != nil {
		return Logged{}, err
	}
	if err := s.Takes(); err != nil {
		return Logged{}, err
	}
	p, statement, err := s.prepare(ctx, caller, sub)
	if err != nil {
		return Logged{}, err
	}
	if statement != nil {
		return s.logMaster(ctx, caller.Participant, *statement, p)
	}
	ticket, err := s.queue(p)
	if err != nil {
		return Logged{}, err
	}
	return s.settle(ctx, p, ticket)
}

// LogBatch logs submissions in their order; each has an outcome of its own.
func (s *Service) LogBatch(ctx context.Context, caller Caller, subs []Submission) []Result {
	results := make([]Result, len(subs))
	ready := make([]*prepared, len(subs))
	statements := make([]*jcs.Value, len(subs))
	inParallel(len(subs), func(i int) {
		ready[i], statements[i], results[i].Err = s.prepare(ctx, caller, subs[i])
	})
	tickets := s.queueAll(ready, statements, results)
	for i, p := range ready {
		switch {
		case results[i].Err != nil:
		case statements[i] != nil:
			results[i].Logged, results[i].Err = s.logMaster(ctx, caller.Participant, *statements[i], p)
		default:
			results[i].Logged, results[i].Err = s.settle(ctx, p, tickets[i])
		}
	}
	return results
}

// Validate says what Log would say, and logs nothing. Index and receipt of the
// answer are unset.
func (s *Service) Validate(ctx context.Context, caller Caller, sub Submission) (Logged, error) {
	p, statement, err := s.prepare(ctx, caller, sub)
	if err != nil {
		return Logged{}, err
	}
	if statement != nil {
		return Logged{Warnings: p.warnings}, s.mayDescribe(caller.Participant, *statement)
	}
	s.order.RLock()
	defer s.order.RUnlock()
	return Logged{EventID: p.eventID, Warnings: p.warnings}, s.admit(p)
}

func mayLog(caller Caller) error {
	switch {
	case caller.Admin:
		return fmt.Errorf("%w: events are logged with the token of a participant, not with the operator's", ErrForbidden)
	case caller.Participant == "":
		return fmt.Errorf("%w: send the participant's token in the header Authorization: Bearer TOKEN", ErrUnauthenticated)
	}
	return nil
}

// prepare checks everything about a submission that does not depend on its
// place in the log. A product or place statement that the service is to sign is
// given back as it is: its number depends on those before it.
func (s *Service) prepare(ctx context.Context, caller Caller, sub Submission) (*prepared, *jcs.Value, error) {
	if s.mirrored != nil {
		return nil, nil, ErrMirror
	}
	if err := mayLog(caller); err != nil {
		return nil, nil, err
	}
	if sub.Signed {
		p, err := s.prepareSigned(ctx, caller, sub.Body)
		return p, nil, err
	}
	if n := atLeast(sub.Body); n > entry.MaxSize {
		return nil, nil, &TooLarge{"the event", "commas, brackets and braces", n, entry.MaxSize}
	}
	v, err := jcs.Parse(sub.Body)
	if err != nil {
		return nil, nil, refuseSyntax(err)
	}
	p := &prepared{managed: true}
	if isMaster(v) {
		return p, &v, nil
	}
	if v, err = s.checkEvent(ctx, v, p, caller.Participant, false); err != nil {
		return nil, nil, err
	}
	key, err := s.managed.of(caller.Participant)
	if err != nil {
		return nil, nil, err
	}
	p.entry = &entry.Entry{Origin: s.origin, Participants: []string{caller.Participant}, JSON: v}
	if err := checkKeys(p.entry); err != nil {
		return nil, nil, err
	}
	return p, nil, p.sign(key)
}

// sign makes the leaf of an entry that the service signs.
func (p *prepared) sign(key *entry.Key) (err error) {
	e := p.entry
	if p.leaf.Value, err = entry.Sign(e.Origin, e.Participants, e.JSON.Canonical(), key); err != nil {
		return tooLarge(err)
	}
	p.leaf.Identity, err = entry.Identity(e.Participants[0], e.JSON)
	return err
}

// prepareSigned checks an entry that its participant signed.
func (s *Service) prepareSigned(ctx context.Context, caller Caller, body []byte) (*prepared, error) {
	if len(body) > entry.MaxSize {
		return nil, &TooLarge{"the entry", "bytes", len(body), entry.MaxSize}
	}
	e, err := entry.Parse(body)
	if err != nil {
		return nil, refuse("entry", err.Error(), "an entry as docs/entries.md has it")
	}
	if e.Origin != s.origin {
		return nil, refuse("entry", fmt.Sprintf("it is written for the log %q", e.Origin), fmt.Sprintf("the header must name this log, %q", s.origin))
	}
	if e.Participants[0] != caller.Participant {
		return nil, fmt.Errorf("%w: the entry's first participant is %q and the token speaks for %q: send it with its own participant's token", ErrForbidden, e.Participants[0], caller.Participant)
	}
	p := &prepared{leaf: trillianlog.Leaf{Value: body}, entry: e}
	if isMaster(e.JSON) {
		if err := s.checkMaster(caller.Participant, e.JSON); err != nil {
			return nil, err
		}
		if err := s.checkNumber(ctx, caller.Participant, e.JSON); err != nil {
			return nil, err
		}
	} else if _, err := s.checkEvent(ctx, e.JSON, p, caller.Participant, true); err != nil {
		return nil, err
	}
	if err := checkKeys(e); err != nil {
		return nil, err
	}
	p.leaf.Identity, err = entry.Identity(caller.Participant, e.JSON)
	return p, err
}

// checkEvent validates an event and gives it back with its eventID, which is
// computed where it is missing unless the text is signed already.
func (s *Service) checkEvent(ctx context.Context, v jcs.Value, p *prepared, by string, signed bool) (jcs.Value, error) {
	if !epcis.IsEvent(v) {
		return v, refuseType(v)
	}
	problems, warnings := epcis.Validate(v, s.now())
	for _, w := range warnings {
		p.warnings = append(p.warnings, w.String())
	}
	id, has := v.Get("eventID")
	if !has && signed {
		problems = append(problems, epcis.Problem{Path: "eventID", Wrong: "is missing", Want: "a signed event carries its id; without one of your own, use the event hash " + epcis.Hash(v)})
	}
	if len(problems) > 0 {
		return v, &Refused{problems}
	}
	if !has {
		id = jcs.NewString(epcis.Hash(v))
		v = v.With("eventID", id)
		p.hashed = true
	}
	p.eventID = id.Text()
	if _, declared := epcis.ErrorDeclared(v); declared {
		return v, s.checkDeclaration(ctx, v, by)
	}
	return v, nil
}

// checkDeclaration refuses an error declaration that differs from the event
// that it withdraws. One whose original is not in the log is taken: it has no
// effect until the original is.
func (s *Service) checkDeclaration(ctx context.Context, v jcs.Value, by string) error {
	id, _ := v.Get("eventID")
	original, err := s.findOriginal(ctx, id.Text(), by)
	if err != nil || original == nil {
		return err
	}
	if !epcis.SameButDeclaration(original.JSON, v) {
		return refuse("errorDeclaration", "the event differs from the one that it withdraws (eventID "+id.Text()+")", "repeat that event member for member; only errorDeclaration and recordTime may differ")
	}
	return nil
}

// refuseType says what may be logged instead of what v is.
func refuseType(v jcs.Value) error {
	const want = "an EPCIS 2.0 event (ObjectEvent, AggregationEvent, TransactionEvent, TransformationEvent, AssociationEvent) or a tallyroot:Product or tallyroot:Place statement"
	t, ok := v.Get("type")
	switch {
	case v.Kind() != jcs.Object:
		return refuse("", "it is a JSON "+v.Kind().String()+", not an object", want)
	case !ok:
		return refuse("type", "is missing", want)
	case t.Text() == "EPCISDocument" || t.Text() == "EPCISQueryDocument":
		return refuse("type", "is a whole "+t.Text(), "send its events one by one, or as an array to /v1/events:batch; `tallyroot event log` does so")
	}
	return refuse("type", fmt.Sprintf("is %.80q", t.Text()), want)
}

// atLeast gives a number of bytes that the JSON cannot be without, however it is spelt.
// Parsed, each of them may take a hundred times more.
func atLeast(body []byte) (n int) {
	for _, c := range []string{",", "[", "{"} {
		n += bytes.Count(body, []byte(c))
	}
	return n
}

func refuseSyntax(err error) error {
	var syntax *jcs.SyntaxError
	if errors.As(err, &syntax) {
		return refuse(syntax.Path, fmt.Sprintf("byte %d: %s", syntax.Offset, syntax.Problem), "one JSON object in UTF-8")
	}
	return err
}

func tooLarge(err error) error {
	var size *entry.TooLargeError
	if errors.As(err, &size) {
		return &TooLarge{"the entry", "bytes", size.Size, size.Limit}
	}
	return err
}

// queue gives the leaf to the log, under the state that it was checked with.
func (s *Service) queue(p *prepared) (*trillianlog.Ticket, error) {
	s.order.RLock()
	defer s.order.RUnlock()
	if err := s.admit(p); err != nil {
		return nil, err
	}
	ticket, err := s.log.Add(p.leaf)
	return ticket, unavailable(err)
}

// queueAll does the same for a batch, in its order; what others send at the same
// time may come between.
func (s *Service) queueAll(ready []*prepared, statements []*jcs.Value, results []Result) []*trillianlog.Ticket {
	tickets := make([]*trillianlog.Ticket, len(ready))
	s.order.RLock()
	defer s.order.RUnlock()
	for i, p := range ready {
		if results[i].Err != nil || statements[i] != nil {
			continue
		}
		if results[i].Err = s.admit(p); results[i].Err != nil {
			continue
		}
		var err error
		tickets[i], err = s.log.Add(p.leaf)
		results[i].Err = unavailable(err)
	}
	return tickets
}

// settle waits for the outcome of a queued leaf.
func (s *Service) settle(ctx context.Context, p *prepared, ticket *trillianlog.Ticket) (Logged, error) {
	logged := Logged{EventID: p.eventID, Warnings: p.warnings}
	placed, err := ticket.Wait(ctx)
	var conflict *trillianlog.Conflict
	switch {
	case err == nil:
		logged.Index, logged.Existed = placed.Index, placed.Existed
	case errors.As(err, &conflict):
		same, err := s.sameText(ctx, p, conflict.Index)
		if err != nil {
			return Logged{}, err
		}
		logged.Index, logged.Existed, p.leaf.Value = same.index, true, same.bytes
	case ctx.Err() != nil:
		s.underWay.add(p.eventID, ticket)
		logged.Pending = true
		return logged, nil
	default:
		return Logged{}, unavailable(err)
	}
	logged.LeafHash = entry.LeafHash(p.leaf.Value)
	logged.Receipt, err = s.log.ReceiptOf(logged.Index, logged.LeafHash)
	if errors.Is(err, trillianlog.ErrUnmet) {
		return Logged{EventID: p.eventID, Warnings: p.warnings, Pending: true}, nil
	}
	return logged, err
}

// sameText gives the entry at index if it says the same in the same names as p,
// though its signatures differ (a managed key was changed in between), and a
// *Conflict if not.
func (s *Service) sameText(ctx context.Context, p *prepared, index uint64) (located, error) {
	conflict := &Conflict{What: "this event", Index: index, Hashed: p.hashed}
	if p.eventID != "" {
		conflict.What = "the event " + p.eventID
	}
	have, err := s.entryAt(ctx, index)
	switch {
	case errors.Is(err, ErrNotFound):
		return located{}, conflict // still under way itself
	case err != nil:
		return located{}, err
	case !slices.Equal(have.Participants, p.entry.Participants) || !jcs.Equal(have.JSON, p.entry.JSON):
		return located{}, conflict
	}
	return have, nil
}
