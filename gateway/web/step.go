package web

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tallyroot/tallyroot/provenance"
	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/jcs"
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

// A place is where something happened.
type place struct {
	Number   int
	Anchor   string
	Name     string
	Address  string
	Locality string // the end of the address: town and country
	At       *spot
	SaidBy   string
	Index    uint64 // of the statement
}

// maxGoods bounds how many things one step lists.
const maxGoods = 12

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

// step words one entry.
func (t *teller) step(s provenance.Step) *step {
	v := s.Entry.JSON
	a := t.angle(s)
	d := deedOf(v, a)
	out := &step{
		Index: s.Index, Icon: d.Icon, Title: d.Title, Role: roleWords(s.Role, t.journey.ID, s.Via), RoleClass: s.Role.String(),
		Declaration: s.Declaration, Duplicate: s.Duplicate,
	}
	if out.Partly = s.Role == provenance.Self && !named(v, t.journey.ID); out.Partly {
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
		out.Unauthenticated = s.Unauthenticated.Error()
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
	if s.Role == provenance.Use {
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

// listed gives the identifiers of a list of things and of a list of quantities.
func listed(v jcs.Value, epcs, quantities string) (raw []string) {
	for _, e := range items(v, epcs) {
		raw = append(raw, e.Text())
	}
	for _, q := range items(v, quantities) {
		raw = append(raw, text(q, "epcClass"))
	}
	return raw
}

// goods lists what went in, what came out and what was packed, without the thing
// that the reader looks at.
func (t *teller) goods(v jcs.Value, a angle, via string) (list []goods) {
	add := func(label, epcs, quantities string) {
		g := goods{Label: label}
		more := 0
		put := func(raw, amount string) {
			if raw == "" || slices.Contains(gs1.Identifiers(raw), via) {
				return
			}
			if len(g.Items) == maxGoods {
				more++
				return
			}
			thing := t.thing(raw)
			g.Items = append(g.Items, fact{Label: thing.String(), Value: amount, Href: thing.Href})
		}
		for _, q := range items(v, quantities) {
			put(text(q, "epcClass"), amount(q))
		}
		for _, e := range items(v, epcs) {
			put(e.Text(), "")
		}
		if more > 0 {
			g.Items = append(g.Items, fact{Label: fmt.Sprintf("and %d more", more)})
		}
		if len(g.Items) > 0 {
			list = append(list, g)
		}
	}
	switch text(v, "type") {
	case "TransformationEvent":
		add("From", "inputEPCList", "inputQuantityList")
		if a.output && !a.input {
			add("Together with", "outputEPCList", "outputQuantityList")
		} else {
			add("Into", "outputEPCList", "outputQuantityList")
		}
	case "AggregationEvent", "AssociationEvent":
		if parent := text(v, "parentID"); parent != "" && !a.parent {
			thing := t.thing(parent)
			list = append(list, goods{"On or in", []fact{{Label: thing.String(), Href: thing.Href}}})
		}
		label := "Together with"
		if a.parent {
			label = "What was on it"
		}
		add(label, "childEPCs", "childQuantityList")
	default:
		add("Together with", "epcList", "quantityList")
	}
	return list
}

// amount is a quantityElement's, for people.
func amount(q jcs.Value) string {
	n, ok := q.Get("quantity")
	if !ok || n.Kind() != jcs.Number {
		return ""
	}
	code := text(q, "uom")
	if code == "" {
		return measure(n.Float(), "EA")
	}
	return measure(n.Float(), code)
}

// facts gives the details that a shopper or an auditor asks for next.
func (t *teller) facts(v jcs.Value, via string) (list []fact) {
	add := func(label, value, href string) {
		if value != "" && len(list) < 14 {
			list = append(list, fact{label, value, href})
		}
	}
	for _, name := range []string{"quantityList", "childQuantityList", "inputQuantityList", "outputQuantityList"} {
		for _, q := range items(v, name) {
			if slices.Contains(gs1.Identifiers(text(q, "epcClass")), via) {
				add("Quantity", amount(q), "")
			}
		}
	}
	ilmd, _ := v.Get("ilmd")
	for _, m := range ilmd.Members() {
		name, value := term("", m.Name), plainValue(m.Value)
		if other, begins := strings.CutSuffix(name, "StartDate"); begins {
			if end := member(ilmd, other+"EndDate"); end != "" && end != value {
				add(readable(other), value+" to "+end, "")
			} else {
				add(readable(other), value, "")
			}
			continue
		}
		if other, ends := strings.CutSuffix(name, "EndDate"); ends && member(ilmd, other+"StartDate") != "" {
			continue
		}
		add(readable(name), value, "")
	}
	for _, b := range items(v, "bizTransactionList") {
		label := "Document"
		if l, ok := documents[term("bizTransaction", text(b, "type"))]; ok {
			label = l
		}
		id := text(b, "bizTransaction")
		add(label, id[strings.LastIndexAny(id, ":/")+1:], "")
	}
	certificates, _ := v.Get("certificationInfo")
	links := certificates.Items()
	if certificates.Text() != "" {
		links = []jcs.Value{certificates}
	}
	for _, c := range links {
		link := c.Text()
		if strings.HasPrefix(link, "https://") {
			add("Certificate", strings.TrimPrefix(link, "https://"), link)
		} else {
			add("Certificate", link, "")
		}
	}
	if d := term("disposition", text(v, "disposition")); d != "" && d != "active" && d != "in_progress" {
		add("State", stateWords(d), "")
	}
	for _, m := range v.Members() {
		if strings.Contains(m.Name, ":") { // an extension
			add(readable(term("", m.Name)), plainValue(m.Value), "")
		}
	}
	return list
}

// member is the value of a member whose name ends in that term.
func member(v jcs.Value, name string) string {
	for _, m := range v.Members() {
		if term("", m.Name) == name {
			return plainValue(m.Value)
		}
	}
	return ""
}

// documents are the kinds of business transaction of CBV 2.0, section 7.3.
var documents = map[string]string{
	"bol": "Bill of lading", "cert": "Certificate", "desadv": "Despatch advice", "inv": "Invoice", "pedigree": "Pedigree",
	"po": "Order", "poc": "Order confirmation", "prodorder": "Production order", "recadv": "Receiving advice", "rma": "Return",
	"testprd": "Test procedure", "testres": "Test result", "upevt": "Upstream event",
}

// states are dispositions of CBV 2.0, section 7.2, that need better words than
// their own.
var states = map[string]string{
	"sellable_accessible": "on sale", "sellable_not_accessible": "for sale, not yet on the shelf", "retail_sold": "sold",
	"in_transit": "on its way", "in_progress": "in process", "active": "in use", "container_closed": "closed", "container_open": "open",
	"completeness_verified": "checked for missing parts", "completeness_inferred": "taken to have no missing parts",
	"conformant": "in order", "non_conformant": "not in order", "mismatch_quantity": "the quantity was wrong",
	"no_pedigree_match": "papers did not match", "non_sellable_other": "not for sale",
}

func stateWords(disposition string) string {
	if words, ok := states[disposition]; ok {
		return words
	}
	return strings.ToLower(readable(disposition))
}

// plainValue writes a JSON value for people, if it is simple enough.
func plainValue(v jcs.Value) string {
	switch v.Kind() {
	case jcs.String:
		s := v.Text()
		if words := dateWords(s); words != s {
			return words
		}
		if strings.HasPrefix(s, "urn:") || strings.Contains(s, "://") {
			if r := readable(term("", s)); r != "" && strings.HasPrefix(s, "https://ref.gs1.org/") {
				return r
			}
		}
		return shorten(s, 200)
	case jcs.Number:
		return grouped(v.Float())
	case jcs.Bool:
		if v.Bool() {
			return "yes"
		}
		return "no"
	case jcs.Array:
		var parts []string
		for _, item := range v.Items() {
			if s := plainValue(item); s != "" && len(parts) < 8 {
				parts = append(parts, s)
			}
		}
		return strings.Join(parts, ", ")
	case jcs.Object:
		if s := text(v, "@value"); s != "" {
			return shorten(s, 200)
		}
		if n, ok := v.Get("value"); ok {
			if code := text(v, "uom"); code != "" && n.Kind() == jcs.Number {
				return measure(n.Float(), code)
			}
			return plainValue(n)
		}
	}
	return ""
}

// newPlace describes a place by what the log says of it or, for a geo URI
// (RFC 5870), by what that says itself.
func (t *teller) newPlace(canonical string) *place {
	p := &place{Anchor: "place-" + strconv.Itoa(len(t.places)+1)}
	if s := t.names.place(canonical); s != nil {
		p.Name, p.Address, p.SaidBy, p.Index = s.Statement.Name, s.Statement.Address, t.participant(s.Participant), s.Index
		if parts := strings.Split(p.Address, ","); len(parts) > 1 {
			p.Locality = strings.TrimSpace(strings.Join(parts[max(0, len(parts)-2):], ","))
		}
		if s.Statement.Latitude != nil && s.Statement.Longitude != nil {
			p.At = &spot{*s.Statement.Longitude, *s.Statement.Latitude}
		}
		return p
	}
	if at, ok := geo(canonical); ok {
		p.At = &at
		p.Name = coordinates(at)
		return p
	}
	if kind, mark := kindOf(canonical); kind != "" {
		p.Name = "a place without a name (" + strings.ToLower(kind) + " " + mark + ")"
		return p
	}
	p.Name = shorten(canonical, 60)
	return p
}

func geo(uri string) (spot, bool) {
	rest, ok := strings.CutPrefix(uri, "geo:")
	if !ok {
		return spot{}, false
	}
	rest, _, _ = strings.Cut(rest, ";")
	parts := strings.Split(rest, ",")
	if len(parts) < 2 {
		return spot{}, false
	}
	north, err1 := strconv.ParseFloat(parts[0], 64)
	east, err2 := strconv.ParseFloat(parts[1], 64)
	return spot{east, north}, err1 == nil && err2 == nil && north >= -90 && north <= 90 && east >= -180 && east <= 180
}

// coordinates writes a point for people: 55.68° N, 12.57° E.
func coordinates(s spot) string {
	ns, ew := "N", "E"
	if s.North < 0 {
		ns, s.North = "S", -s.North
	}
	if s.East < 0 {
		ew, s.East = "W", -s.East
	}
	return fmt.Sprintf("%.2f° %s, %.2f° %s", s.North, ns, s.East, ew)
}
