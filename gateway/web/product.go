package web

import (
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"github.com/tallyroot/tallyroot/provenance"
	"github.com/tallyroot/tallyroot/provenance/gs1"
)

// frame is what every page has.
type frame struct {
	Title, Style, Icon, Base string
	Origin                   string
	Verifies                 bool // the page checks itself
}

func (h *handler) frame(title string) frame {
	return frame{Title: title, Style: h.style, Icon: h.icon, Base: h.base, Origin: h.service.Origin()}
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
	IsPlace           bool
	Coordinates       string // of a place

	Warnings []string // what a shopper must know first
	From     []string // where it begins
	Begins   string   // the label of that
	Now      *step    // the newest that has effect
	Dates    []fact   // best before, harvest

	Chapters    []chapter
	Places      []*place
	Chart       *chart
	NotFollowed []thing
	Cut         int  // steps that are not shown
	TooLong     bool // more was reported than could be read

	Steps, Organisations     int
	Size                     uint64
	Managed, Own             int // steps signed by the service, and by participants
	Withdrawn, Unproved, Odd int
	LogKey, Command          string
	Witnessed                witnessed
	Panel                    template.HTML // in which the reader's device says what it found
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

// maxSteps bounds the steps of one chapter: its newest.
const maxSteps = 300

// product answers with the page of one thing. One that is too large is made
// again with fewer steps.
func (h *handler) product(w http.ResponseWriter, r *http.Request, canonical string) {
	journey, err := h.service.Journey(r.Context(), canonical)
	if err != nil {
		h.failed(w, r, err)
		return
	}
	size := 0
	for _, s := range journey.Steps {
		size += len(s.Bytes)
	}
	if size > smallAnswer {
		size += maxPage
	}
	give, ok := h.room.take(size)
	if !ok {
		h.busy(w, r)
		return
	}
	defer give()
	var body []byte
	for most := maxSteps; most > 0; most /= 4 {
		var p *productPage
		if p, err = h.productPage(h.names(r.Context()), journey, most); err == nil {
			body, err = h.render("product", p)
		}
		if !errors.Is(err, errTooLarge) {
			break
		}
	}
	if err != nil {
		h.failed(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", h.verifying)
	h.send(w, r, body)
}

// productPage tells a journey, with at most so many steps in each chapter.
func (h *handler) productPage(n *names, journey *provenance.Journey, most int) (*productPage, error) {
	kind, mark := kindOf(journey.ID)
	p := &productPage{
		ID: journey.ID, Name: kind, Mark: mark, Size: journey.Size, LogKey: h.service.LogKey(),
		Address:   strings.TrimPrefix(strings.TrimPrefix(h.public(journey.ID), "https://"), "http://"),
		Witnessed: h.witnesses(journey.Checkpoint),
	}
	switch {
	case p.Name == "":
		p.Name = shorten(journey.ID, 80)
	case isUnit(journey.ID):
		p.Mark = "SSCC " + strings.TrimPrefix(journey.ID, gs1.Stem+"/00/")
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
	}
	t := &teller{names: n, journey: journey, page: p, check: h.checker(journey), byPlace: map[string]*place{}, who: map[string]bool{}}
	if described == nil {
		t.describePlace()
	}
	t.tell(most)
	for _, id := range journey.NotFollowed {
		if id == gs1.Identifiers(journey.ID)[0] { // only its beginning was read
			p.Now, p.TooLong = nil, true
		} else if len(p.NotFollowed) < maxNotFollowed {
			p.NotFollowed = append(p.NotFollowed, n.thing(id))
		}
	}
	p.frame = h.frame(p.Name)
	p.Verifies = true
	if n.err != nil {
		return nil, n.err
	}
	return p, h.addPanel(p)
}

// maxNotFollowed bounds how many things are named at which a journey stops, and
// maxFrom the places where it begins.
const (
	maxNotFollowed = 100
	maxFrom        = 6
)
