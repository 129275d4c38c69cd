package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tallyroot/tallyroot/provenance"
	"github.com/tallyroot/tallyroot/provenance/gs1"
)

// frame is what every page has.
type frame struct {
	Title, Style, Icon, Base string
	Origin                   string
}

func (h *handler) frame(title string) frame {
	return frame{title, h.style, h.icon, h.base, h.service.Origin()}
}

// productPage is the page of one thing.
type productPage struct {
	frame
	ID, Mark, Address string // canonical; what tells it from others; where it is, without the scheme
	Name, Brand       string
	Description       string
	DescribedBy       string // who says all that
	DescribedAt       uint64 // in which entry
	Picture           *picture
	Known             bool // somebody has described it or logged something

	Warnings []string // what a shopper must know first
	From     []string // where it begins
	Begins   string   // the label of that
	Now      *step    // the newest that has effect
	Dates    []fact   // best before, harvest

	Chapters    []chapter
	Places      []*place
	Chart       *chart
	NotFollowed []thing
	Cut         int // steps that are not shown

	Steps, Organisations     int
	Size                     uint64
	Managed, Own             int // steps signed by the service, and by participants
	Withdrawn, Unproved, Odd int
	LogKey, PublicURL, IDArg string
}

// A picture is never loaded from elsewhere by the page; it can be followed.
type picture struct{ Link, Host, Digest string }

// A chapter is a part of the journey: an ingredient's, or the thing's own.
type chapter struct {
	Heading, Note string
	Groups        []group
}

// A group is the steps of one thing.
type group struct {
	Thing thing
	Lead  string
	Steps []*step
}

func (h *handler) product(w http.ResponseWriter, r *http.Request, canonical string) {
	journey, err := h.service.Journey(r.Context(), canonical)
	if err != nil {
		h.failed(w, r, err)
		return
	}
	p, err := h.productPage(h.names(r.Context()), journey)
	if err != nil {
		h.failed(w, r, err)
		return
	}
	h.page(w, r, http.StatusOK, "product", p)
}

func (h *handler) productPage(n *names, journey *provenance.Journey) (*productPage, error) {
	kind, mark := kindOf(journey.ID)
	p := &productPage{
		ID: journey.ID, Name: kind, Mark: mark, Size: journey.Size, LogKey: h.service.LogKey(),
		Address:   strings.TrimPrefix(strings.TrimPrefix(h.public(journey.ID), "https://"), "http://"),
		PublicURL: h.publicURL, IDArg: shellQuote(journey.ID),
	}
	if p.Name == "" {
		p.Name = shorten(journey.ID, 80)
	}
	described := n.product(journey.ID)
	if described != nil {
		s := described.Statement
		p.Name, p.Brand, p.Description = s.Name, s.Brand, s.Description
		p.DescribedBy, p.DescribedAt = n.participant(described.Participant), described.Index
		if s.Picture != nil {
			p.Picture = &picture{Link: s.Picture.Link, Digest: s.Picture.Digest}
			if u, err := url.Parse(s.Picture.Link); err == nil {
				p.Picture.Host = u.Host
			}
		}
	} else if place := n.place(journey.ID); place != nil {
		p.Name, p.Description = place.Statement.Name, place.Statement.Address
		p.DescribedBy, p.DescribedAt = n.participant(place.Participant), place.Index
	}
	t := &teller{names: n, journey: journey, page: p, check: h.checker(journey)}
	t.tell()
	p.Known = described != nil || len(journey.Steps) > 0
	for _, id := range journey.NotFollowed {
		p.NotFollowed = append(p.NotFollowed, n.thing(id))
	}
	p.frame = h.frame(p.Name)
	return p, n.err
}

// shellQuote makes an argument of a command line that can be copied.
func shellQuote(s string) string {
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:/._-%") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// maxSteps bounds the steps of one page.
const maxSteps = 1000

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

func (t *teller) tell() {
	t.byPlace, t.who = map[string]*place{}, map[string]bool{}
	var own, uses []*step
	ingredients := map[string]*group{}
	var order []string
	ways := map[string][]int{}
	last := map[provenance.Role]*step{}
	steps := t.journey.Steps
	if t.page.Cut = max(0, len(steps)-maxSteps); t.page.Cut > 0 {
		steps = steps[t.page.Cut:]
	}
	carried := carriedBy(steps)
	for _, s := range steps {
		if s.Declaration && t.shownAsWithdrawal(s) {
			continue
		}
		v := t.step(s)
		t.count(s, v)
		switch s.Role {
		case provenance.Ingredient:
			id := s.Via
			if thing, ok := carried[id]; ok {
				id = thing
				v.Role, v.RoleClass = roleWords(provenance.Container, id, s.Via), provenance.Container.String()
			}
			g := ingredients[id]
			if g == nil {
				g = &group{Thing: t.thing(id)}
				ingredients[id] = g
				order = append(order, id)
			}
			g.Steps = append(g.Steps, v)
		case provenance.Use:
			uses = append(uses, v)
		default:
			own = append(own, v)
		}
		if s.HasEffect() {
			if s.Role != provenance.Ingredient && s.Role != provenance.Use {
				last[provenance.Self] = v
			}
			t.origin(s, v)
			for _, p := range []*place{v.Place, v.To} {
				if p != nil {
					ways[s.Via] = append(ways[s.Via], p.Number-1)
				}
			}
			t.notice(s)
		}
	}
	t.page.Now = last[provenance.Self]
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
		t.page.Chapters = append(t.page.Chapters, chapter{Heading: heading, Groups: []group{{Steps: own}}})
	}
	if len(uses) > 0 {
		t.page.Chapters = append(t.page.Chapters, chapter{Heading: "What became of it", Groups: []group{{Steps: uses}}})
	}
}

// carriedBy gives, for each unit in which ingredients travelled, the first of
// these: the unit's steps are told as that ingredient's.
func carriedBy(steps []provenance.Step) map[string]string {
	carried := map[string]string{}
	for _, s := range steps {
		parent := text(s.Entry.JSON, "parentID")
		if s.Role != provenance.Ingredient || parent == "" || text(s.Entry.JSON, "action") != "ADD" {
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
		for range len(carried) {
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

// shownAsWithdrawal tells whether a declaration stands beside the event that it
// takes back; one without effect is a step of its own.
func (t *teller) shownAsWithdrawal(d provenance.Step) bool {
	return slices.ContainsFunc(t.journey.Steps, func(s provenance.Step) bool {
		return s.Withdrawn != nil && s.Withdrawn.Index == d.Index
	})
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

// origin notes where the journey begins: the harvest or, without one, the first
// place of each thing that was followed.
func (t *teller) origin(s provenance.Step, v *step) {
	if v.Place == nil || v.Title != "Harvested" && (len(t.page.From) > 0 || s.Index != t.journey.Steps[0].Index) {
		return
	}
	name := v.Place.Name
	if v.Place.Locality != "" {
		name += ", " + v.Place.Locality
	}
	if t.page.Begins = "Begins at"; v.Title == "Harvested" {
		t.page.Begins = "Grown at"
	}
	if !slices.Contains(t.page.From, name) {
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
	if s.Role == provenance.Ingredient {
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
