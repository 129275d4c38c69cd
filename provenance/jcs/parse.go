package jcs

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"unicode/utf8"
)

// MaxDepth is how deep objects and arrays may be nested: the outermost one has
// depth 1.
const MaxDepth = 64

// SyntaxError says where bytes are not JSON that this package takes, and what
// would be right.
type SyntaxError struct {
	Offset  int    // in bytes, from 0
	Path    string // of the value in which it stands, such as "epcList[2]"; "" for the whole
	Problem string
}

func (e *SyntaxError) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("byte %d: %s", e.Offset, e.Problem)
	}
	return fmt.Sprintf("%s (byte %d): %s", e.Path, e.Offset, e.Problem)
}

// Parse reads exactly one JSON value. Its error is a *SyntaxError.
func Parse(b []byte) (Value, error) {
	if bytes.HasPrefix(b, []byte("\xef\xbb\xbf")) {
		return Value{}, &SyntaxError{Problem: "the text begins with a byte order mark; leave it out"}
	}
	p := parser{text: string(b), stacks: pool.Get().(*stacks)}
	defer p.release()
	p.space()
	v, err := p.value(1)
	if err != nil {
		return Value{}, err
	}
	p.space()
	if p.at < len(p.text) {
		return Value{}, p.fail("something follows the JSON value; send one value alone")
	}
	return v, nil
}

// ParseCanonical reads a JSON value that is in its canonical form already.
func ParseCanonical(b []byte) (Value, error) {
	v, err := Parse(b)
	if err != nil {
		return Value{}, err
	}
	canonical := v.AppendCanonical(make([]byte, 0, len(b)))
	if !bytes.Equal(canonical, b) {
		at := 0
		for at < len(b) && at < len(canonical) && b[at] == canonical[at] {
			at++
		}
		return Value{}, &SyntaxError{Offset: at, Problem: "the JSON is not in its canonical form (RFC 8785) from here on"}
	}
	return v, nil
}

type parser struct {
	text string
	at   int
	*stacks
}

// stacks hold the values and members being gathered; a finished array or object
// is copied out of them, so that each costs one allocation of its exact size.
type stacks struct {
	values  []Value
	members []Member
}

var pool = sync.Pool{New: func() any { return new(stacks) }}

// maxKept is the longest stack that is kept for the next text.
const maxKept = 64

// release gives the stacks back, without what they point to.
func (p *parser) release() {
	if cap(p.values) > maxKept || cap(p.members) > maxKept {
		return
	}
	clear(p.values[:cap(p.values)])
	clear(p.members[:cap(p.members)])
	p.values, p.members = p.values[:0], p.members[:0]
	pool.Put(p.stacks)
}

// fail gives the error as its own type, for callers that add to the path.
func (p *parser) fail(problem string) *SyntaxError {
	return &SyntaxError{Offset: p.at, Problem: problem}
}

func (p *parser) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

func (p *parser) value(depth int) (Value, error) {
	if p.at >= len(p.text) {
		return Value{}, p.fail("the text ends where a JSON value should stand")
	}
	switch c := p.text[p.at]; c {
	case '{', '[':
		if depth > MaxDepth {
			return Value{}, p.fail("objects and arrays are nested more than " + strconv.Itoa(MaxDepth) + " deep")
		}
		if c == '{' {
			return p.object(depth)
		}
		return p.array(depth)
	case '"':
		s, err := p.string()
		if err != nil {
			return Value{}, err
		}
		return Value{kind: String, text: s}, nil
	case 't':
		return Value{kind: Bool, truth: true}, p.word("true")
	case 'f':
		return Value{kind: Bool}, p.word("false")
	case 'n':
		return Value{}, p.word("null")
	default:
		if c == '-' || '0' <= c && c <= '9' {
			return p.number()
		}
		return Value{}, p.fail("a JSON value cannot begin with " + strconv.QuoteRune(p.rune()))
	}
}

func (p *parser) word(w string) error {
	if len(p.text)-p.at < len(w) || p.text[p.at:p.at+len(w)] != w {
		return p.fail("expected " + w)
	}
	p.at += len(w)
	return nil
}

func (p *parser) rune() rune {
	r, _ := utf8.DecodeRuneInString(p.text[p.at:])
	return r
}

func (p *parser) object(depth int) (Value, error) {
	start := p.at
	p.at++
	base := len(p.members)
	defer func() { p.members = p.members[:base] }()
	p.space()
	if p.at < len(p.text) && p.text[p.at] == '}' {
		p.at++
		return Value{kind: Object}, nil
	}
	for {
		if p.at >= len(p.text) || p.text[p.at] != '"' {
			return Value{}, p.fail("expected a member name in double quotes")
		}
		name, err := p.string()
		if err != nil {
			return Value{}, err
		}
		p.space()
		if p.at >= len(p.text) || p.text[p.at] != ':' {
			return Value{}, p.fail("expected ':' after the member name " + strconv.Quote(shorten(name)))
		}
		p.at++
		p.space()
		v, err := p.value(depth + 1)
		if err != nil {
			return Value{}, within(err, name, -1)
		}
		p.members = append(p.members, Member{name, v})
		p.space()
		if p.at >= len(p.text) {
			return Value{}, p.fail("the text ends inside an object")
		}
		c := p.text[p.at]
		if c != ',' && c != '}' {
			return Value{}, p.fail("expected ',' or '}' after the member " + strconv.Quote(shorten(name)))
		}
		p.at++
		if c == '}' {
			break
		}
		p.space()
	}
	members := slices.Clone(p.members[base:])
	if !slices.IsSortedFunc(members, compareMembers) {
		slices.SortFunc(members, compareMembers)
	}
	for i := 1; i < len(members); i++ {
		if members[i].Name == members[i-1].Name {
			return Value{}, &SyntaxError{Offset: start, Problem: "the member name " + strconv.Quote(shorten(members[i].Name)) + " stands twice in one object"}
		}
	}
	return Value{kind: Object, members: members}, nil
}

func compareMembers(a, b Member) int { return compareNames(a.Name, b.Name) }

func (p *parser) array(depth int) (Value, error) {
	p.at++
	base := len(p.values)
	defer func() { p.values = p.values[:base] }()
	p.space()
	if p.at < len(p.text) && p.text[p.at] == ']' {
		p.at++
		return Value{kind: Array}, nil
	}
	for {
		v, err := p.value(depth + 1)
		if err != nil {
			return Value{}, within(err, "", len(p.values)-base)
		}
		p.values = append(p.values, v)
		p.space()
		if p.at >= len(p.text) {
			return Value{}, p.fail("the text ends inside an array")
		}
		c := p.text[p.at]
		if c != ',' && c != ']' {
			return Value{}, p.fail("expected ',' or ']' in an array")
		}
		p.at++
		if c == ']' {
			break
		}
		p.space()
	}
	return Value{kind: Array, items: slices.Clone(p.values[base:])}, nil
}

// within puts one more step before the path of an error; index is -1 for a
// member.
func within(err error, name string, index int) error {
	e := err.(*SyntaxError)
	step := shorten(name)
	if index >= 0 {
		step = "[" + strconv.Itoa(index) + "]"
	}
	if e.Path != "" && e.Path[0] != '[' {
		step += "."
	}
	e.Path = step + e.Path
	return e
}

// number follows the grammar of RFC 8259 §6.
func (p *parser) number() (Value, error) {
	start := p.at
	if p.text[p.at] == '-' {
		p.at++
	}
	switch {
	case p.digit() && p.text[p.at] == '0':
		p.at++
		if p.digit() {
			return Value{}, p.fail("a number cannot begin with 0 and another digit; send it as a string if the zero counts")
		}
	case !p.digits():
		return Value{}, p.fail("expected a digit")
	}
	if p.at < len(p.text) && p.text[p.at] == '.' {
		p.at++
		if !p.digits() {
			return Value{}, p.fail("expected a digit after the decimal point")
		}
	}
	if p.at < len(p.text) && p.text[p.at]|0x20 == 'e' {
		p.at++
		if p.at < len(p.text) && (p.text[p.at] == '+' || p.text[p.at] == '-') {
			p.at++
		}
		if !p.digits() {
			return Value{}, p.fail("expected a digit in the exponent")
		}
	}
	text, problem := canonicalNumber(p.text[start:p.at])
	if problem != "" {
		return Value{}, &SyntaxError{Offset: start, Problem: problem}
	}
	return Value{kind: Number, text: text}, nil
}

func (p *parser) digit() bool {
	return p.at < len(p.text) && '0' <= p.text[p.at] && p.text[p.at] <= '9'
}

// digits passes over one digit or more; false when there is none.
func (p *parser) digits() bool {
	start := p.at
	for p.digit() {
		p.at++
	}
	return p.at > start
}

// string reads a string token; what has no escapes is not copied.
func (p *parser) string() (string, error) {
	p.at++
	start := p.at
	ascii := true
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == '"':
			s := p.text[start:p.at]
			if !ascii && !utf8.ValidString(s) {
				p.at = start
				return "", p.fail("the string is not valid UTF-8")
			}
			p.at++
			return s, nil
		case c == '\\':
			return p.escaped(start)
		case c < 0x20:
			return "", p.fail("a control character in a string must be escaped")
		case c >= utf8.RuneSelf:
			ascii = false
		}
		p.at++
	}
	return "", p.fail("the text ends inside a string")
}

// escaped reads the rest of a string that began at start and has an escape at
// p.at.
func (p *parser) escaped(start int) (string, error) {
	out := append(make([]byte, 0, p.at-start+32), p.text[start:p.at]...)
	for p.at < len(p.text) {
		c := p.text[p.at]
		switch {
		case c == '"':
			if !utf8.Valid(out) {
				p.at = start
				return "", p.fail("the string is not valid UTF-8")
			}
			p.at++
			return string(out), nil
		case c < 0x20:
			return "", p.fail("a control character in a string must be escaped")
		case c != '\\':
			out = append(out, c)
			p.at++
			continue
		}
		r, err := p.escape()
		if err != nil {
			return "", err
		}
		out = utf8.AppendRune(out, r)
	}
	return "", p.fail("the text ends inside a string")
}

// escape reads one escape sequence, or the two of a surrogate pair.
func (p *parser) escape() (rune, error) {
	if p.at+1 >= len(p.text) {
		return 0, p.fail("the text ends inside a string")
	}
	c := p.text[p.at+1]
	if c != 'u' {
		const from, to = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
		for i := 0; i < len(from); i++ {
			if from[i] == c {
				p.at += 2
				return rune(to[i]), nil
			}
		}
		return 0, p.fail(`JSON has no escape \` + shorten(strconv.QuoteRune(rune(c))))
	}
	r, ok := p.hex(p.at + 2)
	switch {
	case !ok:
		return 0, p.fail(`\u needs four hexadecimal digits`)
	case r == 0:
		return 0, p.fail("U+0000 is not taken in a string")
	case r < 0xd800 || r > 0xdfff:
		p.at += 6
		return r, nil
	}
	low, ok := rune(0), false
	if r < 0xdc00 && p.at+8 <= len(p.text) && p.text[p.at+6:p.at+8] == `\u` {
		low, ok = p.hex(p.at + 8)
	}
	if !ok || low < 0xdc00 || low > 0xdfff {
		return 0, p.fail("half of a surrogate pair stands alone in a string")
	}
	p.at += 12
	return (r-0xd800)<<10 + (low - 0xdc00) + 0x10000, nil
}

func (p *parser) hex(at int) (rune, bool) {
	if at+4 > len(p.text) {
		return 0, false
	}
	var r rune
	for _, c := range []byte(p.text[at : at+4]) {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
