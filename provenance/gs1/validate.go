package gs1

import "strings"

// Validation asks whether an identifier may be used in a certain place.
type Validation struct {
	// CompanyPrefixLength is that of a Digital Link's key, 6 to 12.
	CompanyPrefixLength int
	// EPCIS asks for what an EPCIS event may name as an EPC or a class: an EPC URN can be written
	// for it, and no data attribute stands beside it. Without it, what stands in the path of a
	// Digital Link after its key may have any order.
	EPCIS bool
	// CheckDigit asks for right check digits.
	CheckDigit bool
}

// Validate gives nil or what is wrong, an *Error.
func (v Validation) Validate(id string) error {
	if strings.HasPrefix(id, "urn:") {
		_, err := ParseURN(id)
		return err
	}
	if n := v.CompanyPrefixLength; n < MinCompanyPrefix || n > MaxCompanyPrefix {
		return &Error{ID: id, Problem: "needs the length of its company prefix, not " + itoa(n), Want: "it is from 6 to 12"}
	}
	o := Options{IgnoreCheckDigits: !v.CheckDigit}
	l, err := o.ParseLink(id)
	if err != nil {
		if !v.EPCIS && o.anyOrder(id) {
			return nil
		}
		return err
	}
	if !v.EPCIS {
		return nil
	}
	if rest := l.Elements[len(l.path()):]; len(rest) > 0 {
		return &Error{ID: id, AI: rest[0].AI, Problem: "has the data attribute (" + rest[0].AI + ")", Want: "an event names a thing by its key and qualifiers alone"}
	}
	_, err = l.URN(v.CompanyPrefixLength)
	return err
}

// anyOrder says whether a link is right but for the order of its path: each qualifier of the key
// stands there at most once and is right, and other AIs may stand among them.
func (o *Options) anyOrder(uri string) bool {
	domain, path, query, e := stemPath(uri)
	if e != nil {
		return false
	}
	var p parsed
	at := p.findKey(path, o)
	if at < 0 {
		return false
	}
	p.stem = uri[:len(domain)+at]
	value, e := o.value(p.key, p.keyValue, false)
	if e != nil {
		return false
	}
	p.path[0], p.n = Element{p.key.ai, value}, 1
	segments := strings.Split(path[at+1:], "/")
	for i := 2; i+1 < len(segments); i += 2 {
		ai := segments[i]
		if !sequence(func(i int) string { return [...]string{p.key.ai, ai}[i] }, 2) {
			continue
		}
		value, e := o.value(lookup(ai), segments[i+1], false)
		if e != nil || p.has(ai) || p.n == maxPath {
			return false
		}
		p.path[p.n] = Element{ai, value}
		p.n++
	}
	return p.n > 1 && p.parseQuery(query, o) == nil
}
