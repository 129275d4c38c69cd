// Package gs1 reads and writes GS1 identifiers: GS1 Digital Link URIs, EPC URNs, EPC class URNs
// and element strings, by a parser over bytes of its own.
//
// It promises that every form of one identifier has one canonical form, a Digital Link at
// https://id.gs1.org with the key and its qualifiers, and that the canonical form of a canonical
// form is itself. A URI that is no GS1 identifier stands for itself, byte for byte.
//
// It never asks the network, keeps no state, and knows no table of company prefixes: to write an
// EPC URN the length of the company prefix must be told.
//
// Sources: GS1 Digital Link URI Syntax 1.4, GS1 General Specifications, EPC Tag Data Standard 2.0,
// and the GS1 Barcode Syntax Dictionary, from which the table of Application Identifiers is
// generated.
package gs1

import (
	"strconv"
	"strings"
)

// Stem is where canonical identifiers stand.
const Stem = "https://id.gs1.org"

// Element is an Application Identifier and its value, unescaped.
type Element struct{ AI, Value string }

// Error says what is wrong with an identifier and what would be right.
type Error struct {
	ID      string // the input
	AI      string // where it was wrong; empty when it was not in one AI's value
	Problem string
	Want    string

	checkDigit bool // nothing but the check digit or check characters is wrong
}

func (e *Error) Error() string {
	s := quote(e.ID) + ": " + e.Problem
	if e.Want != "" {
		s += ": " + e.Want
	}
	return s
}

// CheckDigit says whether only a check digit, or check character pair, was wrong.
func (e *Error) CheckDigit() bool { return e.checkDigit }

// shown is how much of an input a message repeats.
const shown = 200

func quote(s string) string {
	if len(s) > shown {
		return strconv.QuoteToASCII(s[:shown]) + "…"
	}
	return strconv.QuoteToASCII(s)
}

func itoa(n int) string { return strconv.Itoa(n) }

// Canonical gives the one form in which an identifier is compared and indexed. A GS1 identifier,
// as Digital Link on any domain, EPC URN, class URN or EPC pattern with * for its serial, gives a
// Digital Link at https://id.gs1.org. Any other URI that matches ^[a-z][a-z0-9+.-]*:[!-~]+$ gives
// itself. The error, an *Error, says what is wrong and what would be right.
func Canonical(id string) (string, error) {
	canonical, _, err := Examine(id)
	return canonical, err
}

// Examine is Canonical with a warning: what looks like a GS1 identifier but cannot be taken for
// one stands for itself, and the warning says why. It is empty for all others.
func Examine(id string) (canonical, warning string, err error) {
	switch {
	case strings.HasPrefix(id, "urn:epc:"):
		u, e := parseURN(id)
		if e == nil {
			var b [192]byte
			return string(u.appendCanonical(b[:0])), "", nil
		}
		if e != errForeignURN {
			return "", "", e.of(id)
		}
	case mistypedURN(id):
		_, e := parseURN(id)
		return "", "", e.of(id)
	case isWeb(id):
		var p parsed
		e := p.parse(id, &Options{})
		if e == nil {
			var b [192]byte
			c := p.appendCanonical(b[:0])
			if string(c) == id {
				return id, "", nil
			}
			return string(c), "", nil
		}
		if warning = p.warning(id); warning == "" && (p.claims(id) || !hasHost(id)) {
			return "", "", e.of(id)
		}
	}
	if e := plainURI(id); e != nil {
		return "", "", e
	}
	if !isWeb(id) && (strings.HasPrefix(id, "http:") || strings.HasPrefix(id, "https:")) {
		return "", "", errNoHost.of(id)
	}
	return id, warning, nil
}

// IsGS1 says whether a canonical identifier is a GS1 identifier rather than another URI.
func IsGS1(canonical string) bool {
	if !strings.HasPrefix(canonical, Stem+"/") {
		return false
	}
	var p parsed
	return p.parse(canonical, &Options{}) == nil
}

// Identifiers gives what an identifier names, most specific first; it is what the history index is
// keyed by, so it is total and frozen. A Digital Link with a serial names the item, with a lot the
// lot, with both the two; a consumer product variant beside either is left out of them, since it is
// no part of what they identify. Any other identifier names its canonical form, and text that has
// none its exact string.
func Identifiers(id string) []string {
	if isWeb(id) {
		var p parsed
		if p.parse(id, &Options{}) == nil {
			return p.identifiers()
		}
	}
	if c, err := Canonical(id); err == nil {
		return []string{c}
	}
	return []string{id}
}

func (p *parsed) identifiers() []string {
	names := make([]string, 0, 2)
	for _, ai := range [...]string{"21", "10"} {
		for i := 1; i < p.n; i++ {
			if p.path[i].AI == ai {
				var b [192]byte
				c := appendElement(append(b[:0], Stem...), p.path[0])
				names = append(names, string(appendElement(c, p.path[i])))
			}
		}
	}
	if len(names) == 0 {
		var b [192]byte
		names = append(names, string(p.appendCanonical(b[:0])))
	}
	return names
}

func isWeb(id string) bool {
	return len(id) >= 7 && (id[0] == 'h' || id[0] == 'H') && schemeEnd(id) > 0
}

// plainURI checks ^[a-z][a-z0-9+.-]*:[!-~]+$.
func plainURI(id string) *Error {
	const want = "an identifier is a GS1 Digital Link like https://id.gs1.org/01/09506000134352/10/LOT-7, an EPC URN, or another absolute URI of printable ASCII without spaces, its scheme in lower case"
	colon := strings.IndexByte(id, ':')
	if colon < 1 || colon == len(id)-1 {
		return &Error{ID: id, Problem: "is not a URI", Want: want}
	}
	for i := 0; i < colon; i++ {
		c := id[i]
		if 'a' <= c && c <= 'z' || i > 0 && (isDigit(c) || c == '+' || c == '.' || c == '-') {
			continue
		}
		return &Error{ID: id, Problem: "is not a URI: its scheme holds " + quote(id[i:i+1]), Want: want}
	}
	for i := colon + 1; i < len(id); i++ {
		if id[i] < '!' || id[i] > '~' {
			return &Error{ID: id, Problem: "holds " + quote(id[i:i+1]) + " at byte " + itoa(i), Want: want}
		}
	}
	return nil
}

func (e *Error) of(id string) *Error {
	c := *e
	c.ID = id
	return &c
}
