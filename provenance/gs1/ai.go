package gs1

import "strings"

//go:generate go run ./internal/gen $GS1_SYNTAX_DICTIONARY table.go

// definition is what the syntax dictionary says of one Application Identifier.
type definition struct {
	ai, title  string
	predefined bool       // its length is predefined: no FNC1 follows its value
	attribute  bool       // may stand in the query of a Digital Link
	parts      []part     // of its value
	key        bool       // is a primary key of Digital Link
	qualifiers [][]string // of the key: alternative sequences, each in the order of the path
	required   string     // the qualifier that the key cannot be without
}

// part is one component of an AI's value.
type part struct {
	set      byte // N: digits, X: CSET 82, Y: CSET 39, Z: base64url
	min, max int
	optional bool
	checks   []check
}

// lookup gives the definition of an AI, nil when there is none.
func lookup(ai string) *definition {
	if len(ai) < 2 || len(ai) > 4 || !isDigit(ai[0]) || !isDigit(ai[1]) {
		return nil
	}
	two := int(ai[0]-'0')*10 + int(ai[1]-'0')
	for i := begins[two]; i < begins[two+1]; i++ {
		if dictionary[i].ai == ai {
			return &dictionary[i]
		}
	}
	return nil
}

// lookupPrefix gives the definition of the AI that an element string begins with.
func lookupPrefix(s string) *definition {
	for n := 2; n <= 4 && n <= len(s); n++ {
		if d := lookup(s[:n]); d != nil {
			return d
		}
	}
	return nil
}

// unknown is what an AI that the dictionary does not have is taken for where that is permitted:
// nil when its form contradicts the dictionary, in which the first two digits fix an AI's length.
func unknown(ai string) *definition {
	if len(ai) < 2 || len(ai) > 4 || !digits(ai) {
		return nil
	}
	two := int(ai[0]-'0')*10 + int(ai[1]-'0')
	if i := begins[two]; i < begins[two+1] && len(dictionary[i].ai) != len(ai) {
		return nil
	}
	return &definition{ai: ai, title: "unknown", parts: []part{{set: 'X', min: 1, max: 90}}}
}

// check says what is wrong with a decoded value, nil when nothing is.
func (d *definition) check(value string, o *Options) *Error {
	rest := value
	for i := range d.parts {
		p := &d.parts[i]
		n := min(len(rest), p.max)
		if n == 0 && p.optional {
			break
		}
		if n < p.min {
			return d.wrong("has the length "+itoa(len(value)), d.length())
		}
		v := rest[:n]
		rest = rest[n:]
		for j := 0; j < n; j++ {
			if !inSet(p.set, v[j]) {
				return d.wrong("holds the character "+quote(v[j:j+1]), "its characters are "+setName(p.set))
			}
		}
		for _, c := range p.checks {
			if c == csum || c == csumalpha {
				if o.IgnoreCheckDigits {
					continue
				}
			}
			if is, should := c.problem(v); is != "" {
				e := d.wrong(is, should)
				e.checkDigit = c == csum || c == csumalpha
				return e
			}
		}
	}
	if rest != "" {
		return d.wrong("has the length "+itoa(len(value)), d.length())
	}
	return nil
}

// shaped says whether a value has the length and the characters of the AI, whatever its check
// digit and prefix.
func (d *definition) shaped(value string) bool {
	for i := range d.parts {
		p := &d.parts[i]
		n := min(len(value), p.max)
		if n == 0 && p.optional {
			break
		}
		if n < p.min {
			return false
		}
		for j := 0; j < n; j++ {
			if !inSet(p.set, value[j]) {
				return false
			}
		}
		value = value[n:]
	}
	return value == ""
}

func (d *definition) wrong(is, should string) *Error {
	return &Error{AI: d.ai, Problem: "the value of AI (" + d.ai + "), " + d.title + ", " + is, Want: should}
}

// length says how long a value may be, for a message.
func (d *definition) length() string {
	lo, hi, set := 0, 0, d.parts[0].set
	for _, p := range d.parts {
		if !p.optional {
			lo += p.min
		}
		hi += p.max
		if p.set != set {
			set = 'X'
		}
	}
	what := " characters"
	if set == 'N' {
		what = " digits"
	}
	if lo == hi {
		return "it has " + itoa(hi) + what
	}
	return "it has " + itoa(lo) + " to " + itoa(hi) + what
}

// sequence says whether AIs may stand in this order in a path: a primary key, then qualifiers
// that are a subsequence of one of its alternatives.
func sequence(ais func(int) string, n int) bool {
	if n == 0 {
		return false
	}
	key := lookup(ais(0))
	if key == nil || !key.key {
		return false
	}
	if n == 1 {
		return true
	}
	for _, alternative := range key.qualifiers {
		i := 1
		for _, q := range alternative {
			if i < n && ais(i) == q {
				i++
			}
		}
		if i == n {
			return true
		}
	}
	return false
}

// ValidPathSequence says whether the AIs may stand in this order in the path of a Digital Link
// (GS1 Digital Link URI Syntax, section 4.9).
func ValidPathSequence(ais ...string) bool {
	return sequence(func(i int) string { return ais[i] }, len(ais))
}

func (d *definition) sequences() string {
	if len(d.qualifiers) == 0 {
		return "(" + d.ai + ") takes no qualifier"
	}
	var all []string
	for _, q := range d.qualifiers {
		all = append(all, "("+strings.Join(q, "), (")+")")
	}
	return "after (" + d.ai + ") come " + strings.Join(all, ", or ") + ", in this order"
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func digits(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isDigit(s[i]) {
			return false
		}
	}
	return true
}

// inSet says whether a character belongs to one of the sets of the GS1 General Specifications,
// section 7.11: CSET 82 (X), CSET 39 (Y), base64url (Z), digits (N).
func inSet(set, c byte) bool {
	if isDigit(c) {
		return true
	}
	upper, lower := 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z'
	switch set {
	case 'X':
		return upper || lower || c == '_' || '!' <= c && c <= '?' && c != '#' && c != '$'
	case 'Y':
		return upper || c == '#' || c == '-' || c == '/'
	case 'Z':
		return upper || lower || c == '-' || c == '_' || c == '='
	}
	return false
}

func setName(set byte) string {
	switch set {
	case 'X':
		return "letters, digits and !\"%&'()*+,-./:;<=>?_"
	case 'Y':
		return "upper-case letters, digits and #-/"
	case 'Z':
		return "letters, digits and -_="
	}
	return "digits"
}
