package web

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tallyroot/tallyroot/provenance/gs1"
)

// A place is where something happened.
type place struct {
	Number   int
	Anchor   string
	Name     string
	Address  string
	Locality string // the end of the address: town and country
	Href     string // its own page
	At       *spot
	SaidBy   string
	Index    uint64 // of the statement
}

// newPlace describes a place by what the log says of it or, for a geo URI
// (RFC 5870), by what that says itself.
func (t *teller) newPlace(canonical string) *place {
	p := &place{Anchor: "place-" + strconv.Itoa(len(t.places)+1)}
	if _, err := gs1.Canonical(canonical); err == nil {
		p.Href = t.h.path(canonical)
	}
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
	if strings.HasPrefix(canonical, gs1.Stem+"/414/") {
		p.Name = "GLN " + strings.TrimPrefix(canonical, gs1.Stem+"/414/")
		return p
	}
	if kind, mark := kindOf(canonical); kind != "" {
		p.Name = "A place without a name (" + strings.ToLower(kind) + " " + mark + ")"
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

// placeOf gives the place of an identifier, numbered in the order of the journey.
func (t *teller) placeOf(raw string) *place {
	if raw == "" {
		return nil
	}
	canonical, err := gs1.Canonical(raw)
	if err != nil {
		canonical = raw
	}
	if p := t.byPlace[canonical]; p != nil {
		return p
	}
	p := t.newPlace(canonical)
	p.Number = len(t.places) + 1
	t.places = append(t.places, p)
	t.byPlace[canonical] = p
	return p
}
