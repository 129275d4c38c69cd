package gs1

import "strings"

// FNC1 is written ^ in element strings, as scanners' documentation does. CSET 82 has no ^.
const FNC1 = '^'

// ElementString is the link as an element string of a barcode: each AI and its value, with ^ for
// the FNC1 at its beginning and after each value whose length is not predefined (GS1 General
// Specifications, section 7.8).
func (l Link) ElementString() string {
	dst := make([]byte, 0, 64)
	separate := true
	for _, e := range l.Elements {
		if separate {
			dst = append(dst, FNC1)
		}
		dst = append(append(dst, e.AI...), e.Value...)
		d := lookup(e.AI)
		separate = d == nil || !d.predefined
	}
	return string(dst)
}

// ParseElementString reads an element string with ^ for FNC1, each value checked. The order is
// kept; an AI may stand twice with the same value.
func ParseElementString(s string) ([]Element, error) {
	o := Options{}
	rest, ok := strings.CutPrefix(s, string(FNC1))
	if !ok || rest == "" {
		return nil, &Error{ID: s, Problem: "is not an element string", Want: "it begins with ^ for FNC1, like ^010950600013435210LOT-7"}
	}
	var elements []Element
	for rest != "" {
		d := lookupPrefix(rest)
		if d == nil {
			return nil, &Error{ID: s, Problem: "has no AI at " + quote(rest), Want: "each value follows its Application Identifier"}
		}
		rest = rest[len(d.ai):]
		value := rest
		if d.predefined {
			value = rest[:min(len(rest), d.maxLength())]
			rest = rest[len(value):]
			rest = strings.TrimPrefix(rest, string(FNC1))
		} else {
			value, rest, _ = strings.Cut(rest, string(FNC1))
		}
		e := Element{d.ai, value}
		var err *Error
		if elements, err = o.add(elements, e, d); err != nil {
			return nil, err.of(s)
		}
	}
	return elements, nil
}

func (d *definition) maxLength() int {
	n := 0
	for _, p := range d.parts {
		n += p.max
	}
	return n
}

// ParseBracketed reads an element string in the form for people, (01)09506000134352(10)LOT-7; a
// bracket in a value is written \(. Each value is checked; the order is kept; an AI may stand
// twice with the same value.
func ParseBracketed(s string) ([]Element, error) { return Options{}.ParseBracketed(s) }

// ParseBracketed is the function ParseBracketed with options.
func (o Options) ParseBracketed(s string) ([]Element, error) {
	if s == "" || s[0] != '(' {
		return nil, &Error{ID: s, Problem: "is not a bracketed element string", Want: "it is like (01)09506000134352(10)LOT-7"}
	}
	var elements []Element
	for rest := s; rest != ""; {
		ai, tail, ok := strings.Cut(rest[1:], ")")
		d := lookup(ai)
		if d == nil && o.UnknownAIs {
			d = unknown(ai)
		}
		if !ok || d == nil {
			return nil, &Error{ID: s, Problem: "has no AI at " + quote(rest), Want: "an Application Identifier stands in brackets"}
		}
		end := len(tail)
		for i := 0; i < len(tail); i++ {
			if tail[i] == '(' && (i == 0 || tail[i-1] != '\\') {
				end = i
				break
			}
		}
		rest = tail[end:]
		var err *Error
		e := Element{d.ai, strings.ReplaceAll(tail[:end], `\(`, "(")}
		if elements, err = o.add(elements, e, d); err != nil {
			return nil, err.of(s)
		}
	}
	return elements, nil
}

// add appends an element after checking it against its AI and against those before it.
func (o *Options) add(elements []Element, e Element, d *definition) ([]Element, *Error) {
	if err := d.check(e.Value, o); err != nil {
		return nil, err
	}
	for _, other := range elements {
		if other.AI == e.AI && other.Value != e.Value {
			return nil, &Error{AI: e.AI, Problem: "has AI (" + e.AI + ") twice, with the values " + quote(other.Value) + " and " + quote(e.Value), Want: "an AI that stands twice has the same value"}
		}
	}
	if len(elements) == MaxAttributes+maxPath {
		return nil, &Error{Problem: "has too many AIs", Want: "it has at most " + itoa(MaxAttributes+maxPath)}
	}
	return append(elements, e), nil
}

// Generate writes elements in any order as a Digital Link: the first key among them, those of its
// qualifiers that make the longest sequence, and the rest as data attributes, those of predefined
// length first. The stem is what stands before the key, https://id.gs1.org when it is empty.
func Generate(stem string, elements []Element) (string, error) {
	return Options{}.Generate(stem, elements)
}

// Generate is the function Generate with options.
func (o Options) Generate(stem string, elements []Element) (string, error) {
	if stem == "" {
		stem = Stem
	}
	l := Link{Stem: strings.TrimSuffix(stem, "/")}
	key := -1
	for i, e := range elements {
		if d := lookup(e.AI); d != nil && d.key {
			key = i
			break
		}
	}
	if key < 0 {
		return "", &Error{ID: Link{Elements: elements}.ElementString(), Problem: "has no GS1 key", Want: "one of the AIs is a key, like (01)"}
	}
	l.Elements = append(l.Elements, elements[key])
	l.Elements = append(l.Elements, qualifiers(lookup(elements[key].AI), elements)...)
	inPath := len(l.Elements)
	for _, predefined := range [...]bool{true, false} {
		for _, e := range elements {
			if _, has := l.Value(e.AI); has {
				continue
			}
			d := lookup(e.AI)
			if predefined == (d != nil && d.predefined) {
				l.Elements = append(l.Elements, e)
			}
		}
	}
	if len(l.path()) != inPath {
		return "", &Error{ID: l.ElementString(), Problem: "has qualifiers of two sequences", Want: lookup(elements[key].AI).sequences()}
	}
	uri := l.URI()
	if _, err := o.ParseLink(uri); err != nil {
		return "", err
	}
	return uri, nil
}

// qualifiers gives those of a key's qualifiers that are there, of the alternative that has most.
func qualifiers(key *definition, elements []Element) []Element {
	var best []Element
	for _, alternative := range key.qualifiers {
		var found []Element
		for _, ai := range alternative {
			for _, e := range elements {
				if e.AI == ai {
					found = append(found, e)
					break
				}
			}
		}
		if len(found) > len(best) {
			best = found
		}
	}
	return best
}
