package web

import (
	"slices"
	"strings"
	"time"

	"github.com/tallyroot/tallyroot/provenance"
	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/journey"
)

// A teller makes the page's story of a journey.
type teller struct {
	*names
	journey *provenance.Journey
	page    *productPage
	check   func(provenance.Step) error
	places  []*place
	byPlace map[string]*place
	who     map[string]bool
}

// A part is the chapter to which a step belongs.
type part int

const (
	before part = iota // the ingredients'
	itself
	after // what became of it
	parts
)

func partOf(role journey.Role) part {
	switch role {
	case journey.Ingredient:
		return before
	case journey.Use:
		return after
	}
	return itself
}

// shown gives the steps that stand on the page, the newest most of each chapter,
// and counts the others. A declaration stands beside the event that it takes
// back; one without effect is a step of its own.
func (t *teller) shown(most int) []provenance.Step {
	beside := map[uint64]bool{}
	for _, s := range t.journey.Steps {
		if s.Withdrawn != nil {
			beside[s.Withdrawn.Index] = true
		}
	}
	var steps []provenance.Step
	var have [parts]int
	for _, s := range slices.Backward(t.journey.Steps) {
		if s.Declaration && beside[s.Index] {
			continue
		}
		if have[partOf(s.Role)]++; have[partOf(s.Role)] > most {
			t.page.Cut++
			continue
		}
		steps = append(steps, s)
	}
	slices.Reverse(steps)
	return steps
}

// tell tells the journey. What a shopper must know is looked for in all of it.
func (t *teller) tell(most int) {
	var own, uses []*step
	ingredients := map[string]*group{}
	var order []string
	ways := map[string][]int{}
	roles := map[string]bool{}
	for _, s := range t.journey.Steps {
		if s.HasEffect() {
			t.notice(s)
		}
	}
	carried := carriedBy(t.journey.Steps)
	for _, s := range t.shown(most) {
		v := t.step(s)
		t.count(s, v)
		switch s.Role {
		case journey.Ingredient:
			id := s.Via
			if thing, ok := carried[id]; ok {
				id = thing
				v.Role, v.RoleClass = roleWords(journey.Container, id, s.Via), journey.Container.String()
			}
			g := ingredients[id]
			if g == nil {
				g = &group{Thing: t.thing(id)}
				ingredients[id] = g
				order = append(order, id)
			}
			g.Steps = append(g.Steps, v)
		case journey.Use:
			uses = append(uses, v)
		default:
			own = append(own, v)
			roles[v.Role] = true
		}
		if s.HasEffect() {
			if partOf(s.Role) == itself {
				t.page.Now = v
			}
			t.origin(s, v)
			for _, p := range []*place{v.Place, v.To} {
				if p != nil {
					ways[s.Via] = append(ways[s.Via], p.Number-1)
				}
			}
		}
	}
	if len(roles) == 1 { // nothing to tell apart
		for _, v := range own {
			if v.RoleClass == journey.Self.String() {
				v.Role = ""
			}
		}
	}
	t.page.Organisations = len(t.who)
	t.page.Places = t.places
	t.page.Chart = drawChart(t.places, ways)
	if len(order) > 0 {
		c := chapter{Heading: "What it is made from", Note: "The steps of its ingredients, up to when they were used."}
		for _, id := range order {
			c.Groups = append(c.Groups, *ingredients[id])
		}
		t.page.Chapters = append(t.page.Chapters, c)
	}
	if len(own) > 0 {
		heading := "Its journey"
		if len(order) > 0 {
			heading = "Then, its own journey"
		}
		if t.page.IsPlace {
			heading = "What was reported here"
		}
		t.page.Chapters = append(t.page.Chapters, chapter{Heading: heading, Groups: []group{{Steps: own}}})
	}
	if len(uses) > 0 {
		t.page.Chapters = append(t.page.Chapters, chapter{Heading: "What became of it", Groups: []group{{Steps: uses}}})
	}
}

// maxCarried is how many units may stand on one another.
const maxCarried = 16

// carriedBy gives, for each unit in which ingredients travelled, the first of
// these: the unit's steps are told as that ingredient's.
func carriedBy(steps []provenance.Step) map[string]string {
	carried := map[string]string{}
	for _, s := range steps {
		parent := text(s.Entry.JSON, "parentID")
		if s.Role != journey.Ingredient || parent == "" || text(s.Entry.JSON, "action") != "ADD" {
			continue
		}
		for _, unit := range gs1.Identifiers(parent) {
			if _, ok := carried[unit]; unit != s.Via && !ok {
				carried[unit] = s.Via
			}
		}
	}
	// A case on a pallet: the pallet carries what the case carries.
	for unit, thing := range carried {
		for range maxCarried {
			next, ok := carried[thing]
			if !ok {
				break
			}
			thing = next
		}
		carried[unit] = thing
	}
	return carried
}

func (t *teller) count(s provenance.Step, v *step) {
	t.page.Steps++
	switch {
	case v.NotProved != "":
		t.page.Unproved++
	case s.Withdrawn != nil:
		t.page.Withdrawn++
	case !s.HasEffect():
		t.page.Odd++
	}
	if s.Unauthenticated == nil {
		for _, id := range s.Entry.Participants {
			t.who[id] = true
		}
		if v.Managed {
			t.page.Managed++
		} else {
			t.page.Own++
		}
	}
}

// describePlace says what place the page is about, if it is one: the first on
// its map.
func (t *teller) describePlace() {
	p := t.page
	said := t.names.place(p.ID)
	if _, ok := geo(p.ID); !ok && said == nil && !strings.HasPrefix(p.ID, gs1.Stem+"/414/") {
		return
	}
	p.IsPlace = true
	if strings.HasPrefix(p.ID, gs1.Stem+"/414/") {
		p.Mark = "GLN " + p.Mark
	}
	at := t.placeOf(p.ID)
	if said != nil {
		p.Name, p.Brand, p.Description = said.Statement.Name, "Place", said.Statement.Address
		p.DescribedBy, p.DescribedAt = t.participant(said.Participant), said.Index
	}
	if at.At != nil {
		p.Coordinates = coordinates(*at.At)
	}
}

// origin notes where the journey begins: the harvest or, without one, the first
// place of each thing that was followed.
func (t *teller) origin(s provenance.Step, v *step) {
	if t.page.IsPlace || v.Place == nil || v.Title != "Harvested" && (len(t.page.From) > 0 || s.Index != t.journey.Steps[0].Index) {
		return
	}
	name := v.Place.Name
	if v.Place.Locality != "" {
		name += ", " + v.Place.Locality
	}
	if t.page.Begins = "Begins at"; v.Title == "Harvested" {
		t.page.Begins = "Grown at"
	}
	if !slices.Contains(t.page.From, name) && len(t.page.From) < maxFrom {
		t.page.From = append(t.page.From, name)
	}
}

// notice looks for what a shopper must know first.
func (t *teller) notice(s provenance.Step) {
	switch term("disposition", text(s.Entry.JSON, "disposition")) {
	case "recalled":
		t.warn("This was recalled. Do not use it; ask the shop.")
	case "expired":
		t.warn("This was reported as expired.")
	case "stolen":
		t.warn("This was reported as stolen.")
	}
	if s.Role == journey.Ingredient {
		return
	}
	ilmd, _ := s.Entry.JSON.Get("ilmd")
	for _, m := range ilmd.Members() {
		var label string
		switch name := strings.ToLower(m.Name[strings.LastIndexAny(m.Name, ":/#")+1:]); name {
		case "bestbeforedate":
			label = "Best before"
		case "itemexpirationdate", "lotexpirationdate", "expirationdate":
			label = "Use by"
		default:
			continue
		}
		f := fact{Label: label, Value: dateWords(m.Value.Text())}
		if !slices.ContainsFunc(t.page.Dates, func(have fact) bool { return have.Label == f.Label }) {
			t.page.Dates = append(t.page.Dates, f)
		}
	}
}

func (t *teller) warn(text string) {
	if !slices.Contains(t.page.Warnings, text) {
		t.page.Warnings = append(t.page.Warnings, text)
	}
}

// dateWords writes an ISO date for people; what is none stays as it is.
func dateWords(s string) string {
	if d, err := time.Parse("2006-01-02", s); err == nil {
		return d.Format("2 January 2006")
	}
	if d, err := time.Parse(time.RFC3339, s); err == nil {
		return d.Format("2 January 2006, 15:04")
	}
	return s
}
