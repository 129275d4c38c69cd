// Package jcs reads JSON strictly and writes it in the one form of RFC 8785
// (JSON Canonicalization Scheme).
//
// An event is parsed once, into an immutable tree of Values; validation, the
// event hash, the keys of the history index and the canonical bytes all walk
// that tree. Parse takes only I-JSON (RFC 7493) whose meaning survives the
// canonical form: no duplicate member names, no lone surrogates, no U+0000, no
// invalid UTF-8, no nesting deeper than MaxDepth, and no number that a 64-bit
// float would change. The package never rounds, drops or replaces anything.
package jcs

import (
	"slices"
	"strconv"
)

// Kind is what a Value is.
type Kind uint8

// The kinds of JSON value.
const (
	Null Kind = iota
	Bool
	Number
	String
	Array
	Object
)

func (k Kind) String() string {
	return [...]string{"null", "boolean", "number", "string", "array", "object"}[k]
}

// Value is one JSON value. It is immutable and may be shared; the zero Value is
// null.
type Value struct {
	kind    Kind
	truth   bool
	text    string   // String: its content. Number: its canonical text.
	items   []Value  // Array
	members []Member // Object, sorted by name as RFC 8785 §3.2.3 has it
}

// Member is one name and value of an object.
type Member struct {
	Name  string
	Value Value
}

// NewString gives the JSON string s, which must be valid UTF-8.
func NewString(s string) Value { return Value{kind: String, text: s} }

// NewNumber gives the JSON number f; NaN and the infinities, which JSON does
// not have, become null.
func NewNumber(f float64) Value {
	text, ok := formatNumber(f)
	if !ok {
		return Value{}
	}
	return Value{kind: Number, text: text}
}

// NewBool gives true or false.
func NewBool(b bool) Value { return Value{kind: Bool, truth: b} }

// NewArray gives the array of items.
func NewArray(items ...Value) Value { return Value{kind: Array, items: items} }

// NewObject gives the object of members, in any order; of two with one name
// the later holds.
func NewObject(members ...Member) Value {
	sorted := slices.Clone(members)
	slices.SortStableFunc(sorted, func(a, b Member) int { return compareNames(a.Name, b.Name) })
	kept := sorted[:0]
	for i, m := range sorted {
		if i+1 < len(sorted) && sorted[i+1].Name == m.Name {
			continue
		}
		kept = append(kept, m)
	}
	return Value{kind: Object, members: kept}
}

// Kind says what v is.
func (v Value) Kind() Kind { return v.kind }

// IsNull tells whether v is null (or the zero Value).
func (v Value) IsNull() bool { return v.kind == Null }

// Text is the content of a string, and "" for every other kind.
func (v Value) Text() string {
	if v.kind != String {
		return ""
	}
	return v.text
}

// Number is the canonical text of a number (ECMAScript's form), and "" for
// every other kind.
func (v Value) Number() string {
	if v.kind != Number {
		return ""
	}
	return v.text
}

// Float is the value of a number, and 0 for every other kind.
func (v Value) Float() float64 {
	f, _ := strconv.ParseFloat(v.Number(), 64)
	return f
}

// Bool is true for the JSON value true alone.
func (v Value) Bool() bool { return v.truth }

// Items are the elements of an array, and nil for every other kind. The
// caller must not change them.
func (v Value) Items() []Value { return v.items }

// Members are the members of an object in canonical order, and nil for every
// other kind. The caller must not change them.
func (v Value) Members() []Member { return v.members }

// linearSearch is the number of members up to which comparing them one by one
// is quicker than a binary search.
const linearSearch = 12

// Get finds the member called name; false when v has none or is no object.
func (v Value) Get(name string) (Value, bool) {
	if len(v.members) > linearSearch {
		i, ok := slices.BinarySearchFunc(v.members, name, func(m Member, name string) int { return compareNames(m.Name, name) })
		if !ok {
			return Value{}, false
		}
		return v.members[i].Value, true
	}
	for i := range v.members {
		if v.members[i].Name == name {
			return v.members[i].Value, true
		}
	}
	return Value{}, false
}

// With gives a copy of the object v in which the member name is m. For a value
// that is no object it gives the object of that one member.
func (v Value) With(name string, m Value) Value {
	i, found := slices.BinarySearchFunc(v.members, name, func(m Member, name string) int { return compareNames(m.Name, name) })
	members := make([]Member, 0, len(v.members)+1)
	members = append(members, v.members[:i]...)
	members = append(members, Member{name, m})
	if found {
		i++
	}
	members = append(members, v.members[i:]...)
	return Value{kind: Object, members: members}
}

// Without gives a copy of the object v that lacks the members names.
func (v Value) Without(names ...string) Value {
	members := make([]Member, 0, len(v.members))
	for _, m := range v.members {
		if !slices.Contains(names, m.Name) {
			members = append(members, m)
		}
	}
	return Value{kind: v.kind, truth: v.truth, text: v.text, items: v.items, members: members}
}

// Equal tells whether a and b are the same JSON value: their canonical forms
// are the same bytes.
func Equal(a, b Value) bool {
	if a.kind != b.kind || a.truth != b.truth || a.text != b.text {
		return false
	}
	return slices.EqualFunc(a.items, b.items, Equal) &&
		slices.EqualFunc(a.members, b.members, func(x, y Member) bool {
			return x.Name == y.Name && Equal(x.Value, y.Value)
		})
}

// compareNames orders by UTF-16 code units (RFC 8785 §3.2.3). That is the
// order of the UTF-8 bytes, except that the surrogates of U+10000 and above
// sort before U+E000 to U+FFFF.
func compareNames(a, b string) int {
	n := min(len(a), len(b))
	for i := 0; i < n; i++ {
		x, y := a[i], b[i]
		if x == y {
			continue
		}
		switch {
		case x >= 0xf0 && (y == 0xee || y == 0xef):
			return -1
		case y >= 0xf0 && (x == 0xee || x == 0xef):
			return 1
		case x < y:
			return -1
		default:
			return 1
		}
	}
	return len(a) - len(b)
}
