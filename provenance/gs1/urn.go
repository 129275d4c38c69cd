package gs1

import (
	"slices"
	"strings"
)

// The lengths that a GS1 Company Prefix can have in an EPC URN.
const (
	MinCompanyPrefix = 6
	MaxCompanyPrefix = 12
)

// scheme is one EPC URI scheme of the Tag Data Standard that holds a GS1 key.
type scheme struct {
	name      string
	kind      string // id or class
	key       string // the AI of the key
	digits    int    // of company prefix and reference together; 0: the reference is of any length
	indicator bool   // the reference's first digit is the key's first
	zero      bool   // the key begins with a 0 that the URN does not have
	pieces    bool   // piece and total follow the reference
	serial    string // the AI of the serial; empty when the serial is the end of the key's value
	serialMax int    // characters of the serial; 0: there is none
	numeric   bool   // the serial is digits
	pattern   bool   // urn:epc:idpat: with * for the serial stands for the key alone
}

var schemes = [...]scheme{
	{name: "sgtin", kind: "id", key: "01", digits: 13, indicator: true, serial: "21", serialMax: 20, pattern: true},
	{name: "lgtin", kind: "class", key: "01", digits: 13, indicator: true, serial: "10", serialMax: 20},
	{name: "upui", kind: "id", key: "01", digits: 13, indicator: true, serial: "235", serialMax: 28, pattern: true},
	{name: "sscc", kind: "id", key: "00", digits: 17, indicator: true},
	{name: "sgln", kind: "id", key: "414", digits: 12, serial: "254", serialMax: 20},
	{name: "pgln", kind: "id", key: "417", digits: 12},
	{name: "grai", kind: "id", key: "8003", digits: 12, zero: true, serialMax: 16, pattern: true},
	{name: "giai", kind: "id", key: "8004"},
	{name: "ginc", kind: "id", key: "401"},
	{name: "gsrn", kind: "id", key: "8018", digits: 17},
	{name: "gsrnp", kind: "id", key: "8017", digits: 17},
	{name: "gsin", kind: "id", key: "402", digits: 16},
	{name: "gdti", kind: "id", key: "253", digits: 12, serialMax: 17, pattern: true},
	{name: "sgcn", kind: "id", key: "255", digits: 12, serialMax: 12, numeric: true, pattern: true},
	{name: "cpi", kind: "id", key: "8010", serial: "8011", serialMax: 12, numeric: true, pattern: true},
	{name: "itip", kind: "id", key: "8006", digits: 13, indicator: true, pieces: true, serial: "21", serialMax: 20, pattern: true},
}

// variableMax is how many characters company prefix and reference have together in GIAI, GINC and CPI.
const variableMax = 30

// urn is an EPC URN in its parts, as they stand in it.
type urn struct {
	s                  *scheme
	company, reference string
	piece, total       string
	serial             string // empty for a pattern
	pattern            bool
}

// errForeignURN: an EPC URN of a scheme that holds no GS1 key, or of another kind than identity.
var errForeignURN = &Error{Problem: "is an EPC URN without a GS1 key", Want: "its scheme is one of " + schemeNames()}

func schemeNames() string {
	var names []string
	for _, s := range schemes {
		names = append(names, s.name)
	}
	return strings.Join(names, ", ")
}

// ParseURN reads an EPC URN (urn:epc:id:…), an EPC class URN (urn:epc:class:lgtin:…) or a pattern
// whose serial is * (urn:epc:idpat:…) into the identifier that it stands for (EPC Tag Data
// Standard, section 6; the check digit is computed). The error is an *Error.
func ParseURN(id string) (Link, error) {
	u, e := parseURN(id)
	if e != nil {
		return Link{}, e.of(id)
	}
	var b [192]byte
	elements := make([]Element, 0, 2)
	elements = append(elements, Element{u.s.key, string(u.appendKey(b[:0]))})
	if u.hasSerialElement() {
		elements = append(elements, Element{u.s.serial, Unescape(u.serial, false)})
	}
	return Link{Elements: elements}, nil
}

func parseURN(id string) (u urn, e *Error) {
	rest, ok := strings.CutPrefix(id, "urn:epc:")
	if !ok {
		return u, &Error{Problem: "is not an EPC URN", Want: "it begins with urn:epc:id:, urn:epc:class: or urn:epc:idpat:"}
	}
	kind, rest, ok := strings.Cut(rest, ":")
	name, rest, ok2 := strings.Cut(rest, ":")
	switch kind {
	case "id", "class", "idpat":
	case "tag", "pat", "raw":
		return u, errForeignURN
	default:
		return u, &Error{Problem: "is not an EPC URN", Want: "it begins with urn:epc:id:, urn:epc:class: or urn:epc:idpat:"}
	}
	if !ok || !ok2 {
		return u, &Error{Problem: "is not an EPC URN", Want: "it is like urn:epc:id:sgtin:9506000.013435.2017"}
	}
	switch name {
	case "gid", "usdod", "adi", "bic", "imovn":
		return u, errForeignURN
	}
	u.pattern = kind == "idpat"
	for i := range schemes {
		s := &schemes[i]
		if s.name == name && (s.kind == kind || u.pattern && s.pattern) {
			u.s = s
			return u, u.parse(rest)
		}
	}
	return u, &Error{Problem: "has no scheme " + quote(kind+":"+name), Want: "the schemes are " + schemeNames() + "; lgtin stands after urn:epc:class:"}
}

// mistypedURN says whether a URN of another namespace can only have been meant as an EPC URN: it
// goes on like one, as urn:ecp:id:sgtin: does.
func mistypedURN(id string) bool {
	rest, ok := strings.CutPrefix(id, "urn:")
	if !ok {
		return false
	}
	_, rest, _ = strings.Cut(rest, ":")
	kind, rest, _ := strings.Cut(rest, ":")
	if kind != "id" && kind != "class" && kind != "idpat" {
		return false
	}
	name, _, ok := strings.Cut(rest, ":")
	return ok && slices.ContainsFunc(schemes[:], func(s scheme) bool { return s.name == name })
}

// parse reads what follows the scheme's name.
func (u *urn) parse(rest string) *Error {
	s := u.s
	company, rest, ok := strings.Cut(rest, ".")
	if !ok || len(company) < MinCompanyPrefix || len(company) > MaxCompanyPrefix || !digits(company) {
		return u.wrong("has the company prefix "+quote(company), "a company prefix is 6 to 12 digits, followed by a dot")
	}
	u.company = company
	more := s.pieces || s.serialMax > 0
	if !more {
		u.reference = rest
	} else if u.reference, rest, ok = strings.Cut(rest, "."); !ok {
		return u.wrong("ends after its reference", "more parts follow after a dot")
	}
	if e := u.checkReference(); e != nil {
		return e
	}
	if s.pieces {
		var ok2 bool
		u.piece, rest, ok = strings.Cut(rest, ".")
		u.total, rest, ok2 = strings.Cut(rest, ".")
		if !ok || !ok2 || len(u.piece) != 2 || len(u.total) != 2 || !digits(u.piece) || !digits(u.total) {
			return u.wrong("has no piece and total", "two digits each follow the reference, and then the serial")
		}
	}
	if s.serialMax == 0 {
		return nil
	}
	if u.pattern {
		if rest != "*" {
			return u.wrong("has the serial "+quote(rest), "a pattern that stands for an identifier ends in .*")
		}
		return nil
	}
	u.serial = rest
	return u.checkSerial()
}

func (u *urn) checkReference() *Error {
	s, r := u.s, u.reference
	if s.digits > 0 {
		if want := s.digits - len(u.company); len(r) != want || !digits(r) {
			return u.wrong("has the reference "+quote(r), "after a company prefix of "+itoa(len(u.company))+" digits come "+itoa(want)+" digits")
		}
		return nil
	}
	set, empty := byte('X'), len(u.company) == MaxCompanyPrefix && s.name != "giai"
	if s.name == "cpi" {
		set = 'Y'
	}
	n, e := u.count(r, set)
	if e != nil {
		return e
	}
	if n == 0 && !empty || n > variableMax-len(u.company) {
		return u.wrong("has a reference of "+itoa(n)+" characters", "it has 1 to "+itoa(variableMax-len(u.company)))
	}
	return nil
}

func (u *urn) checkSerial() *Error {
	set := byte('X')
	if u.s.numeric {
		set = 'N'
	}
	n, e := u.count(u.serial, set)
	if e != nil {
		return e
	}
	if n == 0 || n > u.s.serialMax {
		return u.wrong("has a serial of "+itoa(n)+" characters", "it has 1 to "+itoa(u.s.serialMax))
	}
	if u.s.serial == "8011" && n > 1 && u.serial[0] == '0' {
		return u.wrong("has the serial "+u.serial, "it is written without leading zeros")
	}
	return nil
}

// count counts the characters of a part, each of which is in the set, escaped or one that a URN
// leaves unescaped.
func (u *urn) count(part string, set byte) (int, *Error) {
	n := 0
	for i := 0; i < len(part); i++ {
		c := part[i]
		if c == '%' {
			decoded := escapeAt(part, i)
			if decoded < 0 || !inSet(set, byte(decoded)) {
				return 0, u.wrong("holds "+quote(part[i:min(i+3, len(part))]), "% and two hexadecimal digits stand for one of "+setName(set))
			}
			i += 2
		} else if !inSet(set, c) || escapedInURN(c) {
			return 0, u.wrong("holds "+quote(part[i:i+1]), "its characters are "+setName(set)+", of which \"#%&/<>? are written as % and two hexadecimal digits")
		}
		n++
	}
	return n, nil
}

func escapedInURN(c byte) bool { return strings.IndexByte(`"#%&/<>?`, c) >= 0 }

func (u *urn) wrong(is, should string) *Error {
	return &Error{AI: u.s.key, Problem: "the EPC URN of a " + u.s.name + " " + is, Want: should}
}

func (u *urn) hasSerialElement() bool {
	return u.s.serial != "" && !u.pattern && !(u.s.name == "sgln" && u.serial == "0")
}

// appendKey appends the value of the key's AI.
func (u *urn) appendKey(dst []byte) []byte {
	s, start := u.s, len(dst)
	if s.digits == 0 {
		return append(append(dst, u.company...), Unescape(u.reference, false)...)
	}
	reference := u.reference
	if s.zero {
		dst = append(dst, '0')
	}
	if s.indicator {
		dst = append(dst, reference[0])
		reference = reference[1:]
	}
	dst = append(append(dst, u.company...), reference...)
	dst = append(dst, checkDigit(string(dst[start:])))
	dst = append(append(dst, u.piece...), u.total...)
	if s.serialMax > 0 && s.serial == "" {
		dst = append(dst, Unescape(u.serial, false)...)
	}
	return dst
}

func (u *urn) appendCanonical(dst []byte) []byte {
	var b [64]byte
	dst = append(append(append(dst, Stem+"/"...), u.s.key...), '/')
	for _, c := range u.appendKey(b[:0]) {
		if unreserved(c) {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	if u.hasSerialElement() {
		dst = append(append(append(dst, '/'), u.s.serial...), '/')
		dst = AppendEscaped(dst, Unescape(u.serial, false), false)
	}
	return dst
}

// URN writes the identifier as an EPC URN, given how many digits its GS1 Company Prefix has (6 to
// 12, counted in the key). With a serial it is an EPC, whatever lot and variant stand beside it;
// with a lot a class URN; a key whose URN has a serial, alone, gives a pattern with * for it. The
// error says so where the Tag Data Standard has no URN for the identifier.
func (l Link) URN(companyPrefixLength int) (string, error) {
	fail := func(is, should string) (string, error) {
		return "", &Error{ID: l.Canonical(), AI: l.Key().AI, Problem: is, Want: should}
	}
	if companyPrefixLength < MinCompanyPrefix || companyPrefixLength > MaxCompanyPrefix {
		return fail("needs the length of its company prefix, not "+itoa(companyPrefixLength), "it is from 6 to 12")
	}
	path := l.path()
	if len(path) == 0 {
		return fail("has no GS1 key", "its first AI is a key of GS1 Digital Link")
	}
	key := path[0].Value
	s, serial, kind := urnScheme(path)
	if s == nil {
		return fail("has no EPC URN", "the Tag Data Standard has none for a key ("+path[0].AI+") with these qualifiers")
	}
	if serial == "0" && s.name == "sgln" {
		return fail("has no EPC URN", "in the URN of a place the extension 0 means that it has none")
	}
	body := key
	if s.zero {
		body = body[1:]
	}
	var reference string
	switch {
	case s.digits > 0 && len(body) <= s.digits:
		return fail("is too short", "it has "+itoa(s.digits+1)+" digits or more")
	case s.indicator:
		reference = body[:1] + body[1+companyPrefixLength:s.digits]
		body = body[1:]
	case s.digits > 0:
		reference = body[companyPrefixLength:s.digits]
	case len(body) < companyPrefixLength || !digits(body[:companyPrefixLength]):
		return fail("has no company prefix of "+itoa(companyPrefixLength)+" digits", "tell the right length")
	default:
		reference = body[companyPrefixLength:]
	}
	if kind == "id" && s.digits > 0 && s.serialMax > 0 && s.serial == "" {
		serial = key[s.digits+1:]
		if s.zero {
			serial = key[s.digits+2:]
		}
	}
	if s.name == "sgln" && len(path) == 1 {
		serial = "0" // the place itself
	}
	dst := make([]byte, 0, 96)
	dst = append(append(append(dst, "urn:epc:"...), kind...), ':')
	dst = append(append(dst, s.name...), ':')
	dst = append(append(dst, body[:companyPrefixLength]...), '.')
	dst = appendURNEscaped(dst, reference)
	if s.pieces {
		dst = append(append(dst, '.'), key[14:16]...)
		dst = append(append(dst, '.'), key[16:18]...)
	}
	if s.serialMax > 0 {
		dst = appendURNEscaped(append(dst, '.'), serial)
	}
	if e := checkURN(string(dst)); e != nil {
		return fail("has no EPC URN with a company prefix of "+itoa(companyPrefixLength)+" digits", e.Problem+": "+e.Want)
	}
	return string(dst), nil
}

// CompanyPrefixLength gives how many digits the company prefix of an EPC URN has, 0 when the text
// is no EPC URN of a GS1 key.
func CompanyPrefixLength(id string) int {
	u, e := parseURN(id)
	if e != nil {
		return 0
	}
	return len(u.company)
}

func checkURN(id string) *Error {
	_, e := parseURN(id)
	return e
}

// urnScheme chooses the scheme that says most of a path, with the serial to write.
func urnScheme(path []Element) (s *scheme, serial, kind string) {
	bare := len(path) == 1
	for _, want := range [...]string{"21", "235", "10", "254", "8011"} {
		for _, e := range path[1:] {
			for i := range schemes {
				if schemes[i].key == path[0].AI && schemes[i].serial == want && e.AI == want {
					return &schemes[i], e.Value, schemes[i].kind
				}
			}
		}
	}
	if !bare {
		return nil, "", ""
	}
	for i := range schemes {
		s := &schemes[i]
		if s.key != path[0].AI {
			continue
		}
		switch {
		case s.name == "sgln":
			return s, "", s.kind
		case s.serialMax == 0:
			return s, "", s.kind
		case s.serial == "" && len(path[0].Value) > s.keyLength():
			return s, "", s.kind
		case s.pattern:
			return s, "*", "idpat"
		}
	}
	return nil, "", ""
}

// keyLength is how long a key's value is without the serial at its end.
func (s *scheme) keyLength() int {
	n := s.digits + 1
	if s.zero {
		n++
	}
	return n
}

// appendURNEscaped escapes what an EPC URN cannot hold as it is.
func appendURNEscaped(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; escapedInURN(c) {
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}
