package historyindex

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/jcs"
)

// Version is the version of Keys, as a log's Genesis names it.
const Version = 1

// MaxKeys is how many keys an entry may have for a service to log it. Keys itself
// gives as many as there are.
const MaxKeys = 2048

// Kind is what an entry says about an identifier.
type Kind uint8

// The kinds. Their numbers are part of a key's hash.
const (
	Object         Kind = iota // it was there: where a thing has been
	Input                      // it was used up: what became of it
	By                         // it signed: what was logged in its name
	Participant                // a participant statement is about it: its keys and grants
	Master                     // a product or place statement is about it: its name
	Transformation             // it ties inputs and outputs that were logged apart
	Operator                   // the log's trust anchors: the one identifier is entry.Operator
	Place                      // an event without objects was there: sensors
	kinds
)

var kindNames = [kinds]string{"object", "input", "by", "participant", "master", "transformation", "operator", "place"}

// String is the kind's name.
func (k Kind) String() string {
	if k < kinds {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// ParseKind reads a kind's name.
func ParseKind(name string) (Kind, error) {
	if i := slices.Index(kindNames[:], name); i >= 0 {
		return Kind(i), nil
	}
	return 0, fmt.Errorf("unknown kind %q; the kinds are %q", name, kindNames)
}

// A Key is one key of the index: a kind and an identifier, which is a canonical
// one unless the entry's was malformed.
type Key struct {
	Kind       Kind
	Identifier string
}

func (k Key) String() string { return k.Kind.String() + " " + k.Identifier }

const keyPrefix = "tallyroot/index/v1/key\x00"

// Hash is the key's place in the index: SHA-256 of keyPrefix, one byte for the
// kind, one for the length of the salt (always 0) and the identifier.
func (k Key) Hash() Hash {
	var buf [256]byte // few identifiers are longer: no allocation for the others
	b := append(buf[:0], keyPrefix...)
	b = append(b, byte(k.Kind), 0)
	b = append(b, k.Identifier...)
	return sha256.Sum256(b)
}

// Compare orders keys by kind, then by identifier bytewise.
func Compare(a, b Key) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Identifier, b.Identifier))
}

// Keys gives the keys under which an entry stands, sorted and each once. Members
// that are not of the form that EPCIS gives them are passed over; an identifier
// that is none is keyed as its exact string.
//
// It is a pure and total function of the entry: it gives the same keys for the
// same bytes everywhere and for ever, and it never fails. That is what makes the
// index something that anybody can rebuild, so what it gives never changes within
// a version; a new version is the index of a new origin.
func Keys(e *entry.Entry) []Key {
	c := collector{keys: make([]Key, 0, 8)}
	for _, p := range e.Participants {
		c.exact(By, p)
	}
	if entry.IsStatement(e.JSON) {
		c.statement(e.Type(), e.JSON)
	} else {
		c.event(e.JSON)
	}
	slices.SortFunc(c.keys, Compare)
	return slices.Compact(c.keys)
}

// LeafKeys gives the hashes of the keys of a log's leaf: none if it is no entry.
func LeafKeys(leaf []byte) []Hash {
	e, err := entry.Parse(leaf)
	if err != nil {
		return nil
	}
	keys := Keys(e)
	hashes := make([]Hash, len(keys))
	for i, k := range keys {
		hashes[i] = k.Hash()
	}
	return hashes
}

// Has tells whether Keys(e) has the key.
func Has(e *entry.Entry, key Key) bool {
	_, found := slices.BinarySearchFunc(Keys(e), key, Compare)
	return found
}

// Findable tells whether there is a key among those of an event by which somebody
// would look for it: an object, an input, a transformation or a place. A service does
// not log an event without one.
func Findable(keys []Key) bool {
	return slices.ContainsFunc(keys, func(k Key) bool {
		switch k.Kind {
		case Object, Input, Transformation, Place:
			return true
		}
		return false
	})
}

type collector struct{ keys []Key }

// exact adds the string as it stands.
func (c *collector) exact(kind Kind, s string) { c.keys = append(c.keys, Key{kind, s}) }

// add adds what the identifier v names, when it is a string.
func (c *collector) add(kind Kind, v jcs.Value) {
	if v.Kind() != jcs.String {
		return
	}
	for _, id := range gs1.Identifiers(v.Text()) {
		c.exact(kind, id)
	}
}

func (c *collector) statement(statementType string, v jcs.Value) {
	switch statementType {
	case entry.TypeGenesis, entry.TypeOperator:
		c.exact(Operator, entry.Operator)
	case entry.TypeParticipant:
		if id, _ := v.Get("id"); id.Kind() == jcs.String {
			c.exact(Participant, id.Text())
		}
	case entry.TypeProduct, entry.TypePlace:
		c.member(Master, v, "identifier")
	}
}

func (c *collector) event(v jcs.Value) {
	before := len(c.keys)
	c.list(Object, v, "epcList")
	c.list(Object, v, "childEPCs")
	c.member(Object, v, "parentID")
	c.list(Object, v, "outputEPCList")
	c.quantities(Object, v, "quantityList")
	c.quantities(Object, v, "childQuantityList")
	c.quantities(Object, v, "outputQuantityList")
	if len(c.keys) == before { // it names no object
		for _, name := range []string{"readPoint", "bizLocation"} {
			place, _ := v.Get(name)
			c.member(Place, place, "id")
		}
	}
	c.list(Input, v, "inputEPCList")
	c.quantities(Input, v, "inputQuantityList")
	c.member(Transformation, v, "transformationID")
}

func (c *collector) member(kind Kind, v jcs.Value, name string) {
	member, _ := v.Get(name)
	c.add(kind, member)
}

func (c *collector) list(kind Kind, v jcs.Value, name string) {
	list, _ := v.Get(name)
	for _, item := range list.Items() {
		c.add(kind, item)
	}
}

func (c *collector) quantities(kind Kind, v jcs.Value, name string) {
	list, _ := v.Get(name)
	for _, item := range list.Items() {
		c.member(kind, item, "epcClass")
	}
}
