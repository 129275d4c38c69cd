package web

import (
	"slices"
	"strings"
	"time"

	"github.com/tallyroot/tallyroot/provenance"
	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/jcs"
	"github.com/tallyroot/tallyroot/provenance/journey"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/receipt"
	"golang.org/x/mod/sumdb/note"
)

// A step is one entry of a journey, for people.
type step struct {
	Index       uint64
	Icon, Title string
	Day, Clock  string
	Machine     string // the time for programs
	Place, To   *place
	Who         string
	Role        string // in words
	RoleClass   string
	Partly      bool // it is about some items of the lot that the page is about
	Facts       []fact
	Readings    []reading
	Goods       []goods

	Withdrawn       *withdrawal
	Declaration     bool
	Duplicate       bool
	Unauthenticated string
	NotProved       string
	Managed         bool
	Signed          string
}

// A fact is a detail of a step.
type fact struct{ Label, Value, Href string }

// goods are the things that a step brought together.
type goods struct {
	Label string
	Items []fact
}

// A withdrawal takes a step back.
type withdrawal struct {
	Index       uint64
	Reason, Who string
	When        string
}

// checker checks the inclusion of steps at the journey's checkpoint, with the
// reader's own code. The checkpoint's signature is checked once.
func (h *handler) checker(j *provenance.Journey) func(provenance.Step) error {
	var opened checkpoint.Checkpoint
	verifier, err := note.NewVerifier(h.service.LogKey())
	if err == nil {
		opened, err = checkpoint.Open(j.Checkpoint, verifier)
	}
	return func(s provenance.Step) error {
		if err != nil {
			return err
		}
		proof, _, _, _, err := h.service.InclusionProof(s.Index, j.Size)
		if err != nil {
			return err
		}
		r := receipt.Receipt{Index: s.Index, Proof: proof, Checkpoint: j.Checkpoint}
		_, err = r.Verify(entry.LeafHash(s.Bytes), func([]byte) (checkpoint.Checkpoint, error) { return opened, nil })
		return err
	}
}

// checkReceipt checks an entry's receipt with the reader's own code, and gives its
// signed checkpoint.
func (h *handler) checkReceipt(text []byte, leafHash [32]byte) (signed []byte, err error) {
	verifier, err := note.NewVerifier(h.service.LogKey())
	if err != nil {
		return nil, err
	}
	r, err := receipt.Parse(text)
	if err != nil {
		return nil, err
	}
	_, err = r.Verify(leafHash, func(signed []byte) (checkpoint.Checkpoint, error) { return checkpoint.Open(signed, verifier) })
	return r.Checkpoint, err
}

// step words one entry.
func (t *teller) step(s provenance.Step) *step {
	v := s.Entry.JSON
	a := t.angle(s)
	d := deedOf(v, a)
	out := &step{
		Index: s.Index, Icon: d.Icon, Title: d.Title, Role: roleWords(s.Role, t.journey.ID, s.Via), RoleClass: s.Role.String(),
		Declaration: s.Declaration, Duplicate: s.Duplicate,
	}
	if out.Partly = !t.page.IsPlace && s.Role == journey.Self && !named(v, t.journey.ID); out.Partly {
		out.Role = "some of its items"
	}
	if s.Declaration {
		out.Icon, out.Title = "end", "A report was taken back: "+strings.ToLower(d.Title[:1])+d.Title[1:]
	}
	zone := time.UTC
	if at, ok := moment(v); ok {
		zone = at.Location()
		out.Day, out.Clock, out.Machine = at.Format("2 January 2006"), at.Format("15:04")+" "+offsetWords(at), at.Format(time.RFC3339)
	}
	where := nested(v, "readPoint", "id")
	if where == "" {
		where = nested(v, "bizLocation", "id")
	}
	out.Place = t.placeOf(where)
	out.To = t.destination(v, out.Place)
	out.Who, out.Signed, out.Managed = t.signers(s)
	if s.Unauthenticated != nil {
		out.Unauthenticated = shorten(s.Unauthenticated.Error(), 2*maxValue)
	}
	if err := t.check(s); err != nil {
		out.NotProved = err.Error()
	}
	if w := s.Withdrawn; w != nil {
		out.Withdrawn = &withdrawal{Index: w.Index, Reason: reasonOf(w.Entry.JSON), Who: t.participants(w.Entry.Participants)}
		if at, err := time.Parse(time.RFC3339, nested(w.Entry.JSON, "errorDeclaration", "declarationTime")); err == nil {
			out.Withdrawn.When = at.Format("2 January 2006")
		}
	}
	out.Readings = readings(v, zone)
	out.Goods = t.goods(v, a, s.Via)
	out.Facts = t.facts(v, s.Via)
	return out
}

// angle is how the page looks at an event: as the thing through which it belongs
// to the journey.
func (t *teller) angle(s provenance.Step) angle {
	v := s.Entry.JSON
	names := func(raws ...string) bool {
		for _, raw := range raws {
			if slices.Contains(gs1.Identifiers(raw), s.Via) {
				return true
			}
		}
		return false
	}
	a := angle{
		parent: names(text(v, "parentID")),
		child:  names(listed(v, "childEPCs", "childQuantityList")...),
		output: names(listed(v, "outputEPCList", "outputQuantityList")...),
		input:  names(listed(v, "inputEPCList", "inputQuantityList")...),
		serial: strings.Contains(s.Via, "/21/"),
		inside: "together",
	}
	if s.Role == journey.Use {
		a.input = true
	}
	if parent := text(v, "parentID"); parent != "" {
		a.inside = "into a larger unit"
		if canonical, err := gs1.Canonical(parent); err == nil && isUnit(canonical) {
			a.inside = "onto a pallet or into a case"
		}
	}
	return a
}

// named tells whether an event is about the thing itself, and not only about
// items that are of it.
func named(v jcs.Value, id string) bool {
	want := gs1.Identifiers(id)[0]
	raw := append(listed(v, "epcList", "quantityList"), listed(v, "childEPCs", "childQuantityList")...)
	raw = append(raw, listed(v, "outputEPCList", "outputQuantityList")...)
	return slices.ContainsFunc(append(raw, text(v, "parentID")), func(r string) bool { return gs1.Identifiers(r)[0] == want })
}

// signers says who stands behind an entry, and how it was signed.
func (t *teller) signers(s provenance.Step) (who, signed string, managed bool) {
	who = t.participants(s.Entry.Participants)
	var parts []string
	for i, sig := range s.Entry.Signatures {
		name := t.participant(s.Entry.Participants[i])
		switch {
		case sig.Name == entry.OperatorKeyName(s.Entry.Origin):
			parts = append(parts, "with the operator's key")
		case sig.Name == entry.KeyName(s.Entry.Origin, entry.RoleManaged, s.Entry.Participants[i]):
			managed = true
			parts = append(parts, "by this service on behalf of "+name)
		default:
			parts = append(parts, "with "+name+"’s own key")
		}
	}
	return who, strings.Join(parts, " and "), managed
}

func (t *teller) participants(ids []string) string {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = t.participant(id)
	}
	return strings.Join(list, " and ")
}

// destination is where a shipment goes, when the event says so.
func (t *teller) destination(v jcs.Value, from *place) *place {
	for _, kind := range []string{"location", "possessing_party", "owning_party"} {
		for _, d := range items(v, "destinationList") {
			if term("destination", text(d, "type")) != kind {
				continue
			}
			id := text(d, "destination")
			canonical, err := gs1.Canonical(id)
			if err != nil || kind != "location" && t.names.place(canonical) == nil {
				continue
			}
			if p := t.placeOf(id); p != from {
				return p
			}
		}
	}
	return nil
}
