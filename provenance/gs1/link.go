package gs1

import "strings"

// Limits of a Digital Link.
const (
	maxPath       = 4  // a key and three qualifiers
	MaxAttributes = 64 // AIs in the query
)

// Options are the departures from the strict reading of a Digital Link. The zero value has none.
type Options struct {
	ZeroSuppressedGTIN     bool // takes 8, 12 and 13 digits for AI (01), and pads them to 14
	ConvenienceAlphas      bool // takes the short names of keys and qualifiers in the path, as /gtin/
	UnknownAIs             bool // knows AIs that the dictionary does not have
	UnknownAIsAsAttributes bool // takes those in the query; needs UnknownAIs
	IgnoreCheckDigits      bool // takes wrong check digits and check characters
}

// Link is a GS1 identifier with what may stand beside it.
type Link struct {
	Stem     string    // what stood before the key, without its last slash; empty for a URN
	Elements []Element // the key, its qualifiers in order, then the data attributes
}

// ParseLink reads a GS1 Digital Link, uncompressed, strictly: the rightmost key of the path counts
// and what stands before it is the stem; qualifiers stand in the path in the standard's order;
// other AIs only in the query, each once; no empty value, no trailing slash; every value has the
// length, the characters, the check digit and the date that its AI asks for. Query parameters that
// are no AIs, and the fragment, are ignored. The error is an *Error.
func ParseLink(uri string) (Link, error) { return Options{}.ParseLink(uri) }

// ParseLink is the function ParseLink with options.
func (o Options) ParseLink(uri string) (Link, error) {
	var p parsed
	if e := p.parse(uri, &o); e != nil {
		return Link{}, e.of(uri)
	}
	return p.link(), nil
}

// parsed is a Digital Link whose path needs no memory of its own.
type parsed struct {
	stem       string
	path       [maxPath]Element
	n          int // elements of path
	attributes []Element

	key      *definition // as soon as one is found, even where the rest is wrong
	keyValue string      // as it stands in the path
}

func (p *parsed) link() Link {
	elements := make([]Element, 0, p.n+len(p.attributes))
	elements = append(elements, p.path[:p.n]...)
	return Link{Stem: p.stem, Elements: append(elements, p.attributes...)}
}

// schemeEnd gives where the authority begins, 0 for another scheme. Mixed case is no scheme here
// (GS1 Digital Link URI Syntax, section 4.2).
func schemeEnd(uri string) int {
	for _, scheme := range [...]string{"https://", "http://", "HTTPS://", "HTTP://"} {
		if strings.HasPrefix(uri, scheme) {
			return len(scheme)
		}
	}
	return 0
}

var errNoHost = &Error{Problem: "has no domain and path", Want: "a Digital Link is like https://id.gs1.org/01/09506000134352"}

// inURI says whether a character may stand in a URI at all (RFC 3986, section 2).
func inURI(c byte) bool {
	return unreserved(c) || strings.IndexByte(":/?#[]@!$&'()*+,;=%", c) >= 0
}

// stemPath splits a URI into what stands before the path, the path, and the query. It gives them
// also with the error that a character is not allowed.
func stemPath(uri string) (domain, path, query string, e *Error) {
	start := schemeEnd(uri)
	if start == 0 {
		return "", "", "", &Error{Problem: "is not a Digital Link", Want: "it begins with https:// or http://, in one case"}
	}
	slash := strings.IndexByte(uri[start:], '/')
	if slash < 1 {
		return "", "", "", errNoHost
	}
	slash += start
	for i := start; i < slash; i++ {
		if strings.IndexByte("_~?#@!$&'()*+,;=%", uri[i]) >= 0 {
			return "", "", "", &Error{Problem: "has " + quote(uri[i:i+1]) + " in its domain", Want: "a domain has letters, digits, hyphens and dots"}
		}
	}
	domain, path = uri[:slash], uri[slash:]
	if i := strings.IndexByte(path, '#'); i >= 0 {
		path = path[:i]
	}
	if i := strings.IndexByte(path, '?'); i >= 0 {
		path, query = path[:i], path[i+1:]
	}
	for i := 0; i < len(uri); i++ {
		if !inURI(uri[i]) {
			return domain, path, query, &Error{Problem: "holds " + quote(uri[i:i+1]) + " at byte " + itoa(i),
				Want: "in a URI it is written as % and two hexadecimal digits"}
		}
	}
	return domain, path, query, nil
}

func (p *parsed) parse(uri string, o *Options) *Error {
	domain, path, query, e := stemPath(uri)
	at := p.findKey(path, o)
	if e != nil {
		return e
	}
	if at < 0 {
		if p.findKey(strings.TrimSuffix(path, "/"), o) >= 0 {
			return &Error{Problem: "ends in a slash", Want: "the last value of the path ends it"}
		}
		return &Error{Problem: "has no GS1 key in its path", Want: "a Digital Link is like https://id.gs1.org/01/09506000134352"}
	}
	p.stem = uri[:len(domain)+at]
	if e := p.parsePath(path[at:], o); e != nil {
		return e
	}
	return p.parseQuery(query, o)
}

// findKey walks the pairs of AI and value from the right to the first key.
func (p *parsed) findKey(path string, o *Options) int {
	for end := len(path); ; {
		second := strings.LastIndexByte(path[:end], '/')
		if second < 1 {
			return -1
		}
		first := strings.LastIndexByte(path[:second], '/')
		if first < 0 {
			return -1
		}
		d := o.pathAI(path[first+1 : second])
		if d == nil {
			return -1
		}
		if d.key {
			p.key, p.keyValue = d, path[second+1:end]
			return first
		}
		end = first
	}
}

func (o *Options) pathAI(ai string) *definition {
	d := lookup(ai)
	if d == nil && o.ConvenienceAlphas {
		d = lookup(aiOfShortName(ai))
	}
	if d == nil && o.UnknownAIs {
		d = unknown(ai)
	}
	return d
}

func (p *parsed) parsePath(path string, o *Options) *Error {
	for path != "" {
		slash := 1 + strings.IndexByte(path[1:], '/')
		d := o.pathAI(path[1:slash])
		raw := path[slash+1:]
		path = ""
		if i := strings.IndexByte(raw, '/'); i >= 0 {
			raw, path = raw[:i], raw[i:]
		}
		value, e := o.value(d, raw, false)
		if e != nil {
			return e
		}
		if p.n == maxPath {
			return &Error{Problem: "has too many qualifiers", Want: p.key.sequences()}
		}
		p.path[p.n] = Element{d.ai, value}
		p.n++
	}
	if !p.sequence() {
		return &Error{Problem: "has qualifiers that are not allowed, or not in this order", Want: p.key.sequences()}
	}
	if r := p.key.required; r != "" && !p.has(r) {
		return &Error{Problem: "lacks AI (" + r + ")", Want: "(" + p.key.ai + ") stands with (" + r + ")"}
	}
	return nil
}

func (p *parsed) sequence() bool {
	return sequence(func(i int) string { return p.path[i].AI }, p.n)
}

func (p *parsed) has(ai string) bool {
	for _, e := range p.path[:p.n] {
		if e.AI == ai {
			return true
		}
	}
	for _, e := range p.attributes {
		if e.AI == ai {
			return true
		}
	}
	return false
}

// value unescapes and checks one value.
func (o *Options) value(d *definition, raw string, query bool) (string, *Error) {
	if raw == "" {
		return "", d.wrong("is empty", d.length())
	}
	value, ok := unescape(raw, query)
	if !ok {
		return "", d.wrong("has a % that begins no escape", "% is followed by two hexadecimal digits, not 00")
	}
	if o.ZeroSuppressedGTIN && d.ai == "01" && (len(value) == 8 || len(value) == 12 || len(value) == 13) {
		value = "000000"[:14-len(value)] + value
	}
	return value, d.check(value, o)
}

func (p *parsed) parseQuery(query string, o *Options) *Error {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		ai, raw, found := strings.Cut(pair, "=")
		if !found || ai == "" || !digits(ai) {
			continue
		}
		d := lookup(ai)
		known := d != nil
		if !known && o.UnknownAIs {
			d = unknown(ai)
		}
		if d == nil {
			return &Error{AI: ai, Problem: "has the query parameter " + quote(ai) + ", which is no AI", Want: "parameters named by digits are Application Identifiers"}
		}
		if !d.attribute && (known || !o.UnknownAIsAsAttributes) {
			return &Error{AI: ai, Problem: "has AI (" + ai + ") in its query", Want: "it is no data attribute"}
		}
		value, e := o.value(d, raw, true)
		if e != nil {
			return e
		}
		if p.has(ai) {
			return &Error{AI: ai, Problem: "has AI (" + ai + ") twice", Want: "each AI stands once"}
		}
		if p.belongsInPath(ai) {
			return &Error{AI: ai, Problem: "has AI (" + ai + ") in its query", Want: "it is a qualifier of (" + p.key.ai + ") and stands in the path"}
		}
		if len(p.attributes) == MaxAttributes {
			return &Error{Problem: "has too many AIs in its query", Want: "it has at most " + itoa(MaxAttributes)}
		}
		p.attributes = append(p.attributes, Element{ai, value})
	}
	return nil
}

// belongsInPath says whether an AI of the query would be a qualifier somewhere in the path.
func (p *parsed) belongsInPath(ai string) bool {
	if p.n == maxPath {
		return false
	}
	for at := 1; at <= p.n; at++ {
		with := func(i int) string {
			switch {
			case i < at:
				return p.path[i].AI
			case i == at:
				return ai
			}
			return p.path[i-1].AI
		}
		if sequence(with, p.n+1) {
			return true
		}
	}
	return false
}

// meantDigits is how many digits a key's value begins with when it was meant as one, where the AI
// asks for as many or more: the shortest such key has 13.
const meantDigits = 13

// claims says of a link that could not be read whether it can only have been meant as a Digital
// Link: it stands at id.gs1.org, or its key's value has the right form or at least begins with as
// many digits, even where the domain before the key was forgotten. Other paths that happen to have
// a segment like an AI are ordinary URIs. It is asked only where there is no warning.
func (p *parsed) claims(uri string) bool {
	if hostOf(uri) == "id.gs1.org" {
		return true
	}
	if p.key == nil {
		path := uri[schemeEnd(uri)-1:]
		if i := strings.IndexAny(path, "?#"); i >= 0 {
			path = path[:i]
		}
		p.findKey(path, &Options{})
	}
	if p.key == nil {
		return false
	}
	if p.key.parts[0].set == 'N' {
		n := 0
		for n < len(p.keyValue) && isDigit(p.keyValue[n]) {
			n++
		}
		return n >= meantDigits
	}
	value, ok := unescape(p.keyValue, false)
	if !ok || !p.key.shaped(value) {
		return false
	}
	is, _ := gcppos1.problem(value)
	return is == ""
}

func hostOf(uri string) string {
	host := uri[schemeEnd(uri):]
	if i := strings.IndexAny(host, "/?#"); i >= 0 {
		host = host[:i]
	}
	return host
}

// hasHost says of a web URI whether it has a host, without which it is none (RFC 9110, section
// 4.2.1), of characters that names and addresses of hosts have.
func hasHost(uri string) bool {
	host := hostOf(uri)
	return host != "" && !strings.ContainsAny(host, "!$&'()*+,;=")
}

// warning says why a link that stands for itself was no Digital Link, where it would be one under
// the older readings.
func (p *parsed) warning(uri string) string {
	if p.key != nil && (p.key.ai != "01" || len(p.keyValue) == 14) {
		return ""
	}
	var older parsed
	if older.parse(uri, &Options{ZeroSuppressedGTIN: true, ConvenienceAlphas: true, IgnoreCheckDigits: true}) != nil {
		return ""
	}
	var b [192]byte
	return "stands for itself and not for " + string(older.appendCanonical(b[:0])) +
		": a Digital Link has GTINs of 14 digits and numeric AIs, not short names"
}

func appendElement(dst []byte, e Element) []byte {
	dst = append(append(append(dst, '/'), e.AI...), '/')
	return AppendEscaped(dst, e.Value, false)
}

func (p *parsed) appendCanonical(dst []byte) []byte {
	dst = append(dst, Stem...)
	for i := range p.path[:p.n] {
		dst = appendElement(dst, p.path[i])
	}
	return dst
}

// path is the key and its qualifiers.
func (l Link) path() []Element {
	n := 0
	for n < len(l.Elements) && sequence(func(i int) string { return l.Elements[i].AI }, n+1) {
		n++
	}
	return l.Elements[:n]
}

// Key is the primary key; the zero Element when there is none.
func (l Link) Key() Element {
	if len(l.path()) == 0 {
		return Element{}
	}
	return l.Elements[0]
}

// Value gives the value of an AI, and whether the link has it.
func (l Link) Value(ai string) (string, bool) {
	for _, e := range l.Elements {
		if e.AI == ai {
			return e.Value, true
		}
	}
	return "", false
}

// Canonical is the link at https://id.gs1.org, with the key and its qualifiers only.
func (l Link) Canonical() string {
	var b [192]byte
	dst := append(b[:0], Stem...)
	for _, e := range l.path() {
		dst = appendElement(dst, e)
	}
	return string(dst)
}

// URI is the whole link, attributes included, at its stem, or at https://id.gs1.org when it has
// none. Parsing it gives the link again.
func (l Link) URI() string {
	stem := l.Stem
	if stem == "" {
		stem = Stem
	}
	dst := []byte(stem)
	path := l.path()
	for _, e := range path {
		dst = appendElement(dst, e)
	}
	for i, e := range l.Elements[len(path):] {
		sep := byte('&')
		if i == 0 {
			sep = '?'
		}
		dst = append(append(append(dst, sep), e.AI...), '=')
		dst = AppendEscaped(dst, e.Value, true)
	}
	return string(dst)
}
