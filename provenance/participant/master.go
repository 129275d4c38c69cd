package participant

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/jcs"
)

// A Product says what an identifier stands for, in words for people.
type Product struct {
	Identifier  string // canonical, of one thing: a GTIN, a lot, an item, …
	Number      uint64 // 1, 2, 3 … for each signer and identifier
	Name        string
	Brand       string // optional, as the rest
	Description string
	Picture     *Picture
}

// A Picture is an image somewhere else, and what it must be.
type Picture struct {
	Digest string // "sha256:" and 64 hexadecimal digits, of the image's bytes
	Link   string // https or http
}

// JSON is the statement as it stands in an entry.
func (p Product) JSON() jcs.Value {
	members := []jcs.Member{str("type", entry.TypeProduct), str("identifier", p.Identifier), num("number", p.Number), str("name", p.Name)}
	members = optional(members, "brand", p.Brand)
	members = optional(members, "description", p.Description)
	if p.Picture != nil {
		members = append(members, jcs.Member{Name: "picture", Value: jcs.NewObject(str("digest", p.Picture.Digest), str("link", p.Picture.Link))})
	}
	return jcs.NewObject(members...)
}

// ParseProduct reads what Product.JSON gives. Its error is Problems.
func ParseProduct(v jcs.Value) (Product, error) {
	f := newForm(v, entry.TypeProduct)
	p := Product{
		Identifier:  f.identifier("identifier"),
		Number:      f.count("number", 1),
		Name:        f.text("name", MaxText),
		Brand:       f.optionalText("brand", MaxText),
		Description: f.optionalText("description", MaxDescription),
	}
	if picture, ok := f.member("picture", jcs.Object, true); ok {
		p.Picture = parsePicture(&form{v: picture, path: "picture.", problems: f.problems})
	}
	return p, f.done()
}

func parsePicture(f *form) *Picture {
	p := &Picture{Digest: f.text("digest", MaxText), Link: f.text("link", MaxLink)}
	if hex, ok := strings.CutPrefix(p.Digest, "sha256:"); p.Digest != "" && (!ok || len(hex) != 64 || strings.Trim(hex, "0123456789abcdef") != "") {
		f.wrong("digest", fmt.Sprintf("is %.100q", p.Digest), "sha256: and 64 hexadecimal digits in lower case")
	}
	rest, ok := strings.CutPrefix(p.Link, "https://")
	if !ok {
		rest, ok = strings.CutPrefix(p.Link, "http://")
	}
	if p.Link != "" && (!ok || rest == "" || CheckGrant(p.Link) != nil) {
		f.wrong("link", fmt.Sprintf("is %.100q", p.Link), "an https link in ASCII")
	}
	f.strangers()
	return p
}

// A Place says what a place is called and where it is.
type Place struct {
	Identifier string // canonical: a GLN or another URI
	Number     uint64 // 1, 2, 3 … for each signer and identifier
	Name       string
	Address    string   // optional, as the rest
	Latitude   *float64 // degrees (WGS 84), both or none
	Longitude  *float64
}

// JSON is the statement as it stands in an entry.
func (p Place) JSON() jcs.Value {
	members := []jcs.Member{str("type", entry.TypePlace), str("identifier", p.Identifier), num("number", p.Number), str("name", p.Name)}
	members = optional(members, "address", p.Address)
	if p.Latitude != nil {
		members = append(members, jcs.Member{Name: "latitude", Value: jcs.NewNumber(*p.Latitude)})
	}
	if p.Longitude != nil {
		members = append(members, jcs.Member{Name: "longitude", Value: jcs.NewNumber(*p.Longitude)})
	}
	return jcs.NewObject(members...)
}

// ParsePlace reads what Place.JSON gives. Its error is Problems.
func ParsePlace(v jcs.Value) (Place, error) {
	f := newForm(v, entry.TypePlace)
	p := Place{
		Identifier: f.identifier("identifier"),
		Number:     f.count("number", 1),
		Name:       f.text("name", MaxText),
		Address:    f.optionalText("address", MaxDescription),
		Latitude:   f.degrees("latitude", 90),
		Longitude:  f.degrees("longitude", 180),
	}
	if (p.Latitude == nil) != (p.Longitude == nil) {
		f.wrong("latitude", "stands without longitude, or the other way round", "both or none")
	}
	return p, f.done()
}

func (f *form) degrees(name string, most float64) *float64 {
	v, ok := f.member(name, jcs.Number, true)
	if !ok {
		return nil
	}
	d := v.Float()
	if d < -most || d > most {
		f.wrong(name, "is "+v.Number(), fmt.Sprintf("degrees from -%g to %g", most, most))
	}
	return &d
}

// ErrGrant says that a product or place statement is about something that its
// signer has no grant for.
var ErrGrant = errors.New("the signer has no grant that covers the identifier")

// Master is the fold of the product and place statements about one identifier:
// what it is called. The zero Master is ready; the first statement says whose.
type Master struct {
	Product *Signed[Product] // the newest that holds; nil if there is none
	Place   *Signed[Place]
	numbers map[string]uint64 // by type and signer, the last one that holds
}

// Signed is a statement that holds, with who signed it and where it stands.
type Signed[T any] struct {
	Statement   T
	Participant string
	Index       uint64
}

// Next is the number that the participant's next statement of that type
// (entry.TypeProduct or entry.TypePlace) about the identifier must have.
func (m *Master) Next(statementType, participant string) uint64 {
	return m.numbers[statementType+" "+participant] + 1
}

// Apply takes the next entry under the identifier's key of kind master. It holds
// if it is signed by one participant, its signature holds at its position, the
// participant's grants cover the identifier, and its number is the next. The
// entries come in the log's order.
func (m *Master) Apply(identifier string, index uint64, e *entry.Entry, s *State) Effect {
	return m.apply(identifier, index, e, s.At(index), true)
}

// ApplyVerified is Apply for an entry whose signatures were found to hold at its
// position already.
func (m *Master) ApplyVerified(identifier string, index uint64, e *entry.Entry, s *State) Effect {
	return m.apply(identifier, index, e, s.At(index), false)
}

func (m *Master) apply(identifier string, index uint64, e *entry.Entry, view View, verify bool) Effect {
	effect := Effect{Type: e.Type(), About: identifier}
	var about string
	var product Product
	var place Place
	switch effect.Type {
	case entry.TypeProduct:
		product, effect.Err = ParseProduct(e.JSON)
		about, effect.Number = product.Identifier, product.Number
	case entry.TypePlace:
		place, effect.Err = ParsePlace(e.JSON)
		about, effect.Number = place.Identifier, place.Number
	default:
		return effect
	}
	signer := e.Participants[0]
	switch {
	case effect.Err != nil:
		return effect
	case about != identifier:
		effect.Err = fmt.Errorf("%w: it is about %s", ErrStatement, about)
		return effect
	case len(e.Participants) != 1:
		effect.Err = ErrSigners
		return effect
	}
	if verify {
		if effect.Err = view.Verify(e); effect.Err != nil {
			return effect
		}
	}
	if !view.Covers(signer, identifier) {
		effect.Err = fmt.Errorf("%w: %s, %s", ErrGrant, signer, identifier)
		return effect
	}
	if effect.Err = checkNumber(effect.Number, m.Next(effect.Type, signer)); effect.Err != nil {
		return effect
	}
	effect.Applied = true
	if m.numbers == nil {
		m.numbers = make(map[string]uint64)
	}
	m.numbers[effect.Type+" "+signer] = effect.Number
	if effect.Type == entry.TypeProduct {
		m.Product = &Signed[Product]{product, signer, index}
	} else {
		m.Place = &Signed[Place]{place, signer, index}
	}
	return effect
}
