package epcis

import (
	"strings"
	"unicode"

	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/jcs"
)

// valueKind is how a value is written in the pre-hash string.
type valueKind uint8

const (
	plainValue valueKind = iota // numbers, vocabulary and GS1 identifiers in their one form, the rest as it is
	timeValue                   // a time, in UTC with milliseconds
	// Words of a standard vocabulary, as their address; then as plainValue.
	bizStepValue
	dispositionValue
	bizTransactionTypeValue
	sourceDestTypeValue
	componentValue
	measurementValue
	alertValue
	errorReasonValue
)

// value writes v; false when it is empty. An object or array is empty where a
// value is due.
func (b *builder) value(v jcs.Value, kind valueKind) bool {
	from := len(b.buf)
	switch v.Kind() {
	case jcs.Bool:
		if v.Bool() {
			b.buf = append(b.buf, "true"...)
		} else {
			b.buf = append(b.buf, "false"...)
		}
	case jcs.Number:
		b.buf, _ = appendDecimal(b.buf, v.Number())
	case jcs.String:
		b.text(trim(v.Text()), kind)
	}
	return len(b.buf) > from
}

func (b *builder) text(s string, kind valueKind) {
	switch {
	case s == "":
		return
	case kind == timeValue:
		b.buf = appendTime(b.buf, s)
		return
	case kind != plainValue:
		if words := &vocabularies[kind]; words.has(s) {
			b.buf = append(b.buf, words.address...)
			b.buf = append(b.buf, s...)
			return
		}
	}
	if c := s[0]; c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.' {
		var ok bool
		if b.buf, ok = appendDecimal(b.buf, s); ok {
			return
		}
	}
	prefix, rest, ok := strings.Cut(s, ":")
	if !ok {
		b.buf = append(b.buf, s...)
		return
	}
	if urn, ok := strings.CutPrefix(s, "urn:epcglobal:cbv:"); ok {
		b.vocabularyURN(s, urn)
		return
	}
	// Only GS1's own prefixes stand for an address in a value; to the rest of
	// the world example:x is a URI of its own.
	if namespace, ok := b.context.Namespace(prefix); ok && isGS1Namespace(namespace) {
		b.buf = append(b.buf, namespace...)
		b.buf = append(b.buf, rest...)
		return
	}
	b.buf = append(b.buf, gs1.HashForm(s)...)
}

func isGS1Namespace(namespace string) bool {
	return strings.HasPrefix(namespace, "https://ref.gs1.org/") || strings.HasPrefix(namespace, "https://gs1.org/")
}

// vocabularyURN writes the address of a vocabulary word in its EPCIS 1.x form.
func (b *builder) vocabularyURN(s, urn string) {
	kind, word, _ := strings.Cut(urn, ":")
	for i := range vocabularies {
		if vocabularies[i].urn != "" && vocabularies[i].urn == kind {
			b.buf = append(b.buf, vocabularies[i].address...)
			b.buf = append(b.buf, word...)
			return
		}
	}
	b.buf = append(b.buf, s...)
}

// maxExponent is the largest power of ten, up or down, that is written out: as
// far as a 64-bit float goes. A text with a larger one is no number here.
const maxExponent = 400

// appendDecimal writes the decimal number s plainly: no exponent, no leading
// plus, no leading or trailing zeros. False, and nothing written, when s is no
// number.
func appendDecimal(dst []byte, s string) ([]byte, bool) {
	rest, negative := s, false
	if rest != "" && (rest[0] == '+' || rest[0] == '-') {
		negative = rest[0] == '-'
		rest = rest[1:]
	}
	whole := digits(rest)
	rest = rest[len(whole):]
	fraction := ""
	if rest != "" && rest[0] == '.' {
		fraction = digits(rest[1:])
		rest = rest[1+len(fraction):]
	}
	if whole == "" && fraction == "" {
		return dst, false
	}
	exponent := 0
	if rest != "" && (rest[0] == 'e' || rest[0] == 'E') {
		rest = rest[1:]
		down := false
		if rest != "" && (rest[0] == '+' || rest[0] == '-') {
			down = rest[0] == '-'
			rest = rest[1:]
		}
		if rest == "" {
			return dst, false
		}
		for rest != "" && rest[0] >= '0' && rest[0] <= '9' && exponent <= maxExponent {
			exponent = 10*exponent + int(rest[0]-'0')
			rest = rest[1:]
		}
		if exponent > maxExponent {
			return dst, false
		}
		if down {
			exponent = -exponent
		}
	}
	if rest != "" {
		return dst, false
	}
	return appendShifted(dst, negative, whole, fraction, exponent), true
}

// appendShifted writes ±whole.fraction × 10^exponent.
func appendShifted(dst []byte, negative bool, whole, fraction string, exponent int) []byte {
	for exponent > 0 && fraction != "" {
		whole, fraction = whole+fraction[:1], fraction[1:]
		exponent--
	}
	for exponent < 0 && whole != "" {
		whole, fraction = whole[:len(whole)-1], whole[len(whole)-1:]+fraction
		exponent++
	}
	whole = strings.TrimLeft(whole, "0")
	// Zeros that an exponent adds go next to the point.
	before, after := max(exponent, 0), max(-exponent, 0)
	if whole == "" {
		before = 0
	}
	fraction = strings.TrimRight(fraction, "0")
	if fraction == "" {
		after = 0
	}
	if whole == "" && fraction == "" {
		return append(dst, '0')
	}
	if negative {
		dst = append(dst, '-')
	}
	if whole == "" {
		dst = append(dst, '0')
	}
	dst = append(dst, whole...)
	for range before {
		dst = append(dst, '0')
	}
	if fraction == "" {
		return dst
	}
	dst = append(dst, '.')
	for range after {
		dst = append(dst, '0')
	}
	return append(dst, fraction...)
}

// digits gives the decimal digits with which s begins.
func digits(s string) string {
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	return s[:i]
}

// trim removes the white space around a value, quickly where there is none.
func trim(s string) string {
	if s == "" || s[0] > ' ' && s[0] < 0x7f && s[len(s)-1] > ' ' && s[len(s)-1] < 0x7f {
		return s
	}
	return strings.TrimFunc(s, unicode.IsSpace)
}
