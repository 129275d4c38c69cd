package epcis

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/jcs"
)

// Future is how far ahead of now an event's time may be without a warning.
const Future = 24 * time.Hour

// Validate judges one event by EPCIS 2.0: its fields, their forms, and what
// they mean together. Problems make it no valid event; warnings are of what is
// allowed but likely a mistake. Both are empty for an event in good order, and
// hold at most MaxProblems each and a last word that there are more.
//
// The forms are those of GS1's JSON schema for EPCIS 2.0 with its formats
// asserted. Beyond it:
//   - the type is one of the five of the standard;
//   - GS1 identifiers are right in themselves, check digits too;
//   - what names a thing or a place is a URI of printable ASCII with its scheme
//     in lower case, so that it can be compared byte for byte;
//   - URIs have no spaces, and something after the scheme (RFC 3986);
//   - times are those of xsd:dateTimeStamp: T and Z in upper case, no second 60,
//     no offset beyond 14 hours;
//   - an AggregationEvent that adds or deletes names its parent (§7.4.3);
//   - an @context defines at most MaxDefinitions names.
//
// Short of it:
//   - a member without prefix is taken where @context names a context, or has a
//     definition, from which it may come, with a warning if it cannot be known;
//   - persistentDisposition may stand in every event, as in the XML schema.
func Validate(event jcs.Value, now time.Time) (problems, warnings []Problem) {
	c := checker{now: now}
	c.event(event)
	problems = c.problems.done()
	if len(problems) == 0 {
		c.ownHash(event)
	}
	return problems, c.warnings.done()
}

// ownHash warns of an eventID that has the form of the event hash and is not
// this event's: it was made by an older rule, or of another event.
func (c *checker) ownHash(event jcs.Value) {
	id, _ := event.Get("eventID")
	if !strings.HasPrefix(id.Text(), "ni:///sha-256;") || !strings.HasSuffix(id.Text(), "?ver=CBV2.0") {
		return
	}
	if hash := Hash(event); hash != id.Text() {
		c.add(&c.warnings, "is not the event hash of this event", "its hash is "+hash, "eventID")
	}
}

// checker walks one event.
type checker struct {
	now                time.Time
	context            Context
	problems, warnings findings
	path               []step
	undefined          []string // prefixes that have been warned of
}

// step is one step from the event down to a value.
type step struct {
	name  string // of a member; "" for an item of an array
	index int
}

func (c *checker) enter(name string)   { c.path = append(c.path, step{name: name}) }
func (c *checker) enterItem(index int) { c.path = append(c.path, step{index: index}) }
func (c *checker) leave()              { c.path = c.path[:len(c.path)-1] }

// where writes the path as people write it: a.b[1].c
func (c *checker) where(more ...string) string {
	var s strings.Builder
	write := func(name string) {
		if s.Len() > 0 {
			s.WriteByte('.')
		}
		s.WriteString(name)
	}
	for _, step := range c.path {
		if step.name == "" {
			s.WriteByte('[')
			s.WriteString(strconv.Itoa(step.index))
			s.WriteByte(']')
		} else {
			write(step.name)
		}
	}
	for _, name := range more {
		write(name)
	}
	return s.String()
}

func (c *checker) wrong(wrong, want string) { c.add(&c.problems, wrong, want) }

func (c *checker) warn(wrong, want string) { c.add(&c.warnings, wrong, want) }

func (c *checker) missing(name, want string) { c.add(&c.problems, "is missing", want, name) }

// add writes the path only where there is room for the finding.
func (c *checker) add(f *findings, wrong, want string, more ...string) {
	path := ""
	if !f.full() {
		path = c.where(more...)
	}
	f.add(path, wrong, want)
}

// quote shows a value of the sender's, shortened, in a message.
func quote(s string) string {
	const most = 80
	if len(s) > most {
		cut := most
		for cut > 0 && s[cut]&0xc0 == 0x80 {
			cut--
		}
		s = s[:cut] + "…"
	}
	return strconv.Quote(s)
}

// is tells whether v is of the kind that its place asks for, and says so when
// it is not.
func (c *checker) is(v jcs.Value, kind jcs.Kind) bool {
	if v.Kind() == kind {
		return true
	}
	article := "a"
	if kind == jcs.Array || kind == jcs.Object {
		article = "an"
	}
	c.wrong("is "+describe(v), "give "+article+" "+kind.String())
	return false
}

func describe(v jcs.Value) string {
	switch v.Kind() {
	case jcs.Null:
		return "null"
	case jcs.Array, jcs.Object:
		return "an " + v.Kind().String()
	}
	return "a " + v.Kind().String()
}

// each checks every item of an array.
func (c *checker) each(v jcs.Value, check func(*checker, jcs.Value)) {
	if !c.is(v, jcs.Array) {
		return
	}
	for i, item := range v.Items() {
		c.enterItem(i)
		check(c, item)
		c.leave()
	}
}

// uri wants an absolute URI.
func (c *checker) uri(v jcs.Value) {
	if c.is(v, jcs.String) && !isURI(v.Text()) {
		c.wrong(quote(v.Text())+" is no URI", "write an absolute URI, such as https://example.com/x or urn:uuid:…, without spaces")
	}
}

// isURI tells whether s has the form of an absolute URI (RFC 3986) or IRI.
func isURI(s string) bool {
	colon := strings.IndexByte(s, ':')
	if colon < 1 || colon == len(s)-1 || !isScheme(s[:colon]) {
		return false
	}
	for i := colon + 1; i < len(s); i++ {
		switch b := s[i]; {
		case b <= ' ' || b == 0x7f:
			return false
		case b == '%':
			if i+2 >= len(s) || !isHex(s[i+1:i+3]) {
				return false
			}
		}
	}
	return true
}

func isScheme(s string) bool {
	for i := range len(s) {
		b := s[i] | 0x20
		if b >= 'a' && b <= 'z' {
			continue
		}
		if i == 0 || !(s[i] >= '0' && s[i] <= '9' || s[i] == '+' || s[i] == '-' || s[i] == '.') {
			return false
		}
	}
	return s != ""
}

func isHex(s string) bool {
	for i := range len(s) {
		b := s[i] | 0x20
		if !(s[i] >= '0' && s[i] <= '9' || b >= 'a' && b <= 'f') {
			return false
		}
	}
	return true
}

// identifier wants what names a thing, a place or a party: a GS1 identifier
// that is right in itself, or a URI of another kind.
func (c *checker) identifier(v jcs.Value) {
	if !c.is(v, jcs.String) {
		return
	}
	id := v.Text()
	_, warning, err := gs1.Examine(id)
	if err != nil {
		wrong, want := err.Error(), ""
		var detail *gs1.Error
		if errors.As(err, &detail) {
			wrong, want = quote(id)+" "+detail.Problem, detail.Want
		}
		c.wrong(wrong, want)
	} else if warning != "" {
		c.warn(quote(id)+" "+warning, "")
	}
}

// reference wants a URI that is no key of anything here; where it is a GS1
// identifier it must be right in itself.
func (c *checker) reference(v jcs.Value) {
	if v.Kind() == jcs.String && isPlain(v.Text()) {
		c.identifier(v)
	} else {
		c.uri(v)
	}
}

// isPlain tells whether a URI has the form that an identifier must have:
// printable ASCII, its scheme in lower case.
func isPlain(s string) bool {
	scheme := true
	for i := range len(s) {
		scheme = scheme && s[i] != ':'
		if s[i] <= ' ' || s[i] >= 0x7f || scheme && s[i] >= 'A' && s[i] <= 'Z' {
			return false
		}
	}
	return true
}

// time wants xsd:dateTimeStamp: a date and time with its offset.
func (c *checker) time(v jcs.Value) (at moment, ok bool) {
	const form = "write a date and time with its offset from UTC, such as 2026-04-02T09:15:00.000+02:00"
	if !c.is(v, jcs.String) {
		return at, false
	}
	at, ok = parseTime(v.Text())
	switch {
	case !ok:
		c.wrong(quote(v.Text())+" is no time", form)
	case !at.zoned:
		c.wrong(quote(v.Text())+" has no offset from UTC", form)
	case !at.strict:
		c.wrong(quote(v.Text())+" is not in the form of xsd:dateTimeStamp", form)
	default:
		return at, true
	}
	return at, false
}

func (c *checker) anyTime(v jcs.Value) { c.time(v) }

// word wants a word of a standard vocabulary, or a URI of the sender's own.
func (c *checker) word(v jcs.Value, kind valueKind, what string) {
	if !c.is(v, jcs.String) {
		return
	}
	s := v.Text()
	words := &vocabularies[kind]
	switch {
	case words.has(s):
	case kind != measurementValue && kind != alertValue && strings.HasPrefix(s, "urn:epcglobal:cbv"):
		want := "write the bare word, as EPCIS 2.0 has it in JSON"
		if i := strings.LastIndexByte(s, ':'); words.has(s[i+1:]) {
			want += ": " + quote(s[i+1:])
		}
		c.wrong(quote(s)+" is the form of EPCIS 1.x", want)
	case hasAnyPrefix(s, obsoleteVocabulary[kind]):
		want := "write the bare word"
		if i := strings.LastIndexAny(s, "/-"); words.has(s[i+1:]) {
			want += ": " + quote(s[i+1:])
		}
		c.wrong(quote(s)+" writes a standard word as an address", want)
	case !isURI(s) && c.problems.full():
		c.wrong("", "")
	case !isURI(s):
		want := "use one of its words"
		if near := words.nearest(s); near != "" {
			want = "did you mean " + quote(near) + "? Use one of its words"
		}
		c.wrong(quote(s)+" is no "+what+" of the standard vocabulary", want+", or a URI of your own")
	default:
		if word, ok := strings.CutPrefix(s, words.address); ok && !words.has(word) {
			c.warn(quote(s)+" is no "+what+" of the standard vocabulary, though it has its address", "")
		}
	}
}

// obsoleteVocabulary are addresses that the schema does not allow for words of
// a vocabulary.
var obsoleteVocabulary = [...][]string{
	bizStepValue:            cbvAddresses,
	dispositionValue:        cbvAddresses,
	bizTransactionTypeValue: cbvAddresses,
	sourceDestTypeValue:     cbvAddresses,
	componentValue:          cbvAddresses,
	errorReasonValue:        cbvAddresses,
	measurementValue:        vocAddresses,
	alertValue:              vocAddresses,
}

var (
	cbvAddresses = []string{"http://ns.gs1.org/cbv/", "https://ns.gs1.org/cbv/"}
	vocAddresses = []string{"http://gs1.org/voc/", "https://gs1.org/voc/", "http://www.gs1.org/voc/", "https://www.gs1.org/voc/"}
)

func hasAnyPrefix(s string, prefixes []string) bool {
	for _, prefix := range prefixes {
		if strings.HasPrefix(s, prefix) {
			return true
		}
	}
	return false
}
