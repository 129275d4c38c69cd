package web

import (
	"context"
	"strings"

	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/journey"
	"github.com/tallyroot/tallyroot/provenance/participant"
)

// names looks names up in the log, each once for a page.
type names struct {
	ctx      context.Context
	h        *handler
	products map[string]*participant.Signed[participant.Product]
	places   map[string]*participant.Signed[participant.Place]
	err      error // the first failure: a page with half of its names is not shown
}

func (h *handler) names(ctx context.Context) *names {
	return &names{
		ctx: ctx, h: h,
		products: map[string]*participant.Signed[participant.Product]{},
		places:   map[string]*participant.Signed[participant.Place]{},
	}
}

func (n *names) product(canonical string) *participant.Signed[participant.Product] {
	return look(n, n.products, canonical, n.h.service.Product)
}

func (n *names) place(canonical string) *participant.Signed[participant.Place] {
	return look(n, n.places, canonical, n.h.service.Place)
}

func look[T any](n *names, have map[string]*participant.Signed[T], id string, ask func(context.Context, string) (*participant.Signed[T], error)) *participant.Signed[T] {
	if found, ok := have[id]; ok || n.err != nil {
		return found
	}
	found, err := ask(n.ctx, id)
	if err != nil {
		n.err = err
	}
	have[id] = found
	return found
}

// participant is an organisation's name.
func (n *names) participant(id string) string {
	if id == "operator" {
		return "the operator of this service"
	}
	if info, err := n.h.service.Participant(id); err == nil && info.Name != "" {
		return info.Name
	}
	return id
}

// A thing is an identifier, for people.
type thing struct {
	Name string // of the product, or what kind of thing it is
	Mark string // what tells it from others of its kind: lot LOT-7
	ID   string // canonical
	Href string
}

// String is the thing in a sentence.
func (t thing) String() string {
	if t.Mark == "" {
		return t.Name
	}
	return t.Name + ", " + t.Mark
}

// thing describes an identifier as it stands in an event.
func (n *names) thing(raw string) thing {
	canonical, err := gs1.Canonical(raw)
	if err != nil {
		return thing{Name: shorten(raw, 60), ID: raw}
	}
	t := thing{ID: canonical, Href: n.h.path(canonical)}
	kind, mark := kindOf(canonical)
	if t.Name, t.Mark = kind, mark; t.Name == "" {
		t.Name = shorten(canonical, 60)
	}
	if p := n.product(canonical); p != nil {
		t.Name = p.Statement.Name
		if link, err := gs1.ParseLink(canonical); err != nil || link.Key().AI == "01" && len(link.Elements) == 1 {
			t.Mark = ""
		}
	}
	return t
}

// kindOf says in words what kind of thing an identifier names, and what tells it
// from others of its kind. Both are empty for what is no GS1 identifier.
func kindOf(canonical string) (kind, mark string) {
	if !gs1.IsGS1(canonical) {
		return "", ""
	}
	link, err := gs1.ParseLink(canonical)
	if err != nil {
		return "", ""
	}
	key := link.Key()
	lot, hasLot := link.Value("10")
	serial, hasSerial := link.Value("21")
	switch key.AI {
	case "01":
		switch {
		case hasLot && hasSerial:
			return "Product " + key.Value, "item " + serial + " of lot " + lot
		case hasSerial:
			return "Product " + key.Value, "item " + serial
		case hasLot:
			return "Product " + key.Value, "lot " + lot
		}
		return "Product", key.Value
	case "00":
		return "Pallet or parcel", "…" + key.Value[max(0, len(key.Value)-5):]
	case "414", "417":
		return "Place", key.Value
	case "8003":
		return "Reusable crate or container", key.Value
	case "8004":
		return "Equipment", key.Value
	case "253", "255", "401", "402":
		return "Document or shipment", key.Value
	}
	return "GS1 (" + key.AI + ")", key.Value
}

// shorten keeps an identifier on a phone's line.
func shorten(s string, most int) string {
	runes := []rune(s)
	if len(runes) <= most {
		return s
	}
	return string(runes[:most*2/3]) + "…" + string(runes[len(runes)-most/3:])
}

// isUnit tells whether an identifier is a shipping unit.
func isUnit(canonical string) bool { return strings.HasPrefix(canonical, gs1.Stem+"/00/") }

// roleWords say how a step belongs to the thing that the page is about.
func roleWords(role journey.Role, id, via string) string {
	switch role {
	case journey.Batch:
		return "its batch"
	case journey.Container:
		if isUnit(via) {
			return "the pallet or parcel it was in"
		}
		return "what it was packed in"
	case journey.Ingredient:
		return "an ingredient"
	case journey.Use:
		return "what became of it"
	}
	switch {
	case isUnit(id):
		return "this shipping unit"
	case strings.Contains(id, "/21/"):
		return "this very item"
	case strings.Contains(id, "/10/"):
		return "this batch"
	}
	return "this"
}
