package gs1

import (
	"math"
	"math/big"
	"math/bits"
	"strings"
)

// Compression of GS1 Digital Links (GS1 Digital Link Standard, section on compression): the AIs
// and their values as one string of bits, written in base64url as one path segment. It serves to
// make codes smaller; an identifier is never compared in this form.

const base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// maxCompressed is how long a compressed segment may be.
const maxCompressed = 4096

// optimised are the sequences of AIs that have a code of their own, of two hexadecimal digits.
var optimised = [...]struct {
	code byte
	ais  []string
}{
	{0x0A, []string{"01", "22"}}, {0x0B, []string{"01", "10"}}, {0x0C, []string{"01", "21"}},
	{0x0D, []string{"01", "17"}}, {0x0E, []string{"01", "7003"}}, {0x0F, []string{"01", "30"}},
	{0x1A, []string{"01", "10", "21", "17"}}, {0x1B, []string{"01", "15"}}, {0x1C, []string{"01", "11"}},
	{0x1D, []string{"01", "16"}}, {0x1E, []string{"01", "91"}}, {0x1F, []string{"01", "10", "15"}},
	{0x2A, []string{"01", "3100"}}, {0x2B, []string{"01", "3101"}}, {0x2C, []string{"01", "3102"}},
	{0x2D, []string{"01", "3103"}}, {0x2E, []string{"01", "3104"}}, {0x2F, []string{"01", "3105"}},
	{0x3A, []string{"01", "3200"}}, {0x3B, []string{"01", "3201"}}, {0x3C, []string{"01", "3202"}},
	{0x3D, []string{"01", "3203"}}, {0x3E, []string{"01", "3204"}}, {0x3F, []string{"01", "3205"}},
	{0x9A, []string{"8010", "8011"}}, {0x9B, []string{"8017", "8019"}}, {0x9C, []string{"8018", "8019"}},
	{0x9D, []string{"414", "254"}},
	{0xA0, []string{"01", "3920"}}, {0xA1, []string{"01", "3921"}}, {0xA2, []string{"01", "3922"}},
	{0xA3, []string{"01", "3923"}}, {0xA4, []string{"01", "3924"}}, {0xA5, []string{"01", "3925"}},
	{0xA6, []string{"01", "3926"}}, {0xA7, []string{"01", "3927"}}, {0xA8, []string{"01", "3928"}},
	{0xA9, []string{"01", "3929"}},
	{0xC0, []string{"255", "3900"}}, {0xC1, []string{"255", "3901"}}, {0xC2, []string{"255", "3902"}},
	{0xC3, []string{"255", "3903"}}, {0xC4, []string{"255", "3904"}}, {0xC5, []string{"255", "3905"}},
	{0xC6, []string{"255", "3906"}}, {0xC7, []string{"255", "3907"}}, {0xC8, []string{"255", "3908"}},
	{0xC9, []string{"255", "3909"}},
	{0xCA, []string{"255", "3940"}}, {0xCB, []string{"255", "3941"}}, {0xCC, []string{"255", "3942"}},
	{0xCD, []string{"255", "3943"}},
}

// foreign is the first hexadecimal digit of a parameter that is no AI.
const foreign = 0xF

// The encodings of text, in 3 bits.
const (
	encodeDigits = iota
	encodeLowerHex
	encodeUpperHex
	encodeBase64url
	encodeASCII
)

// Compress writes the link with its AIs compressed into one path segment after its stem. It
// refuses a link with a second key, in its query or at the end of its stem: nothing would tell the
// two apart.
func (l Link) Compress() (string, error) {
	fail := func(is, should string) (string, error) {
		return "", &Error{ID: l.URI(), Problem: is, Want: should}
	}
	if l.Key().AI == "" {
		return fail("has no GS1 key", "its first AI is a key of GS1 Digital Link")
	}
	left := append([]Element(nil), l.Elements...)
	for i, e := range left {
		d := lookup(e.AI)
		if d == nil {
			return fail("has the unknown AI ("+e.AI+")", "only known AIs can be compressed")
		}
		if d.key && i > 0 {
			return fail("has a second key ("+e.AI+") in its query", "it cannot be compressed")
		}
		if err := d.check(e.Value, &Options{IgnoreCheckDigits: true}); err != nil {
			return "", err.of(l.URI())
		}
	}
	stem := l.Stem
	if stem == "" {
		stem = Stem
	}
	if key, _ := lastKey(stem); key != nil {
		return fail("has a stem that ends like the key ("+key.AI+")", "a compressed link after it would be read as that key's")
	}
	var w bitWriter
	for {
		code, ais := bestSequence(left)
		if ais == nil {
			break
		}
		w.write(uint(code), 8)
		for _, ai := range ais {
			for i, e := range left {
				if e.AI == ai {
					w.value(e)
					left = append(left[:i], left[i+1:]...)
					break
				}
			}
		}
	}
	for _, e := range left {
		for i := 0; i < len(e.AI); i++ {
			w.write(uint(e.AI[i]-'0'), 4)
		}
		w.value(e)
	}
	return stem + "/" + w.base64url(), nil
}

// bestSequence gives the optimised sequence that saves most of those whose AIs are all there.
func bestSequence(elements []Element) (code byte, ais []string) {
	best := 0
	for _, o := range optimised {
		saved := 0
		for _, ai := range o.ais {
			found := false
			for _, e := range elements {
				found = found || e.AI == ai
			}
			if !found {
				saved = 0
				break
			}
			saved += len(ai)
		}
		if saved > best {
			best, code, ais = saved, o.code, o.ais
		}
	}
	return code, ais
}

// Decompress reads a link whose last path segment is compressed; a key in full may stand before it.
// Parameters that are no AIs are dropped, compressed or not. The result is held to all that
// ParseLink asks. The error is an *Error.
func Decompress(uri string) (Link, error) {
	fail := func(e *Error) (Link, error) { return Link{}, e.of(uri) }
	domain, path, query, e := stemPath(uri)
	if e != nil {
		return fail(e)
	}
	slash := strings.LastIndexByte(path, '/')
	stem, segment := domain+path[:slash], path[slash+1:]
	var elements []Element
	if key, at := lastKey(path[:slash]); key != nil {
		stem = domain + path[:at]
		elements = append(elements, *key)
	}
	if segment == "" || len(segment) > maxCompressed {
		return fail(&Error{Problem: "has no compressed segment of up to " + itoa(maxCompressed) + " characters", Want: "its path ends in one"})
	}
	r, ok := newBitReader(segment)
	if !ok {
		return fail(&Error{Problem: "has a last path segment that is not base64url", Want: "a compressed segment has letters, digits, - and _"})
	}
	if elements, ok = r.elements(elements); !ok {
		return fail(&Error{Problem: "has a last path segment that is no compressed Digital Link", Want: "it holds AIs with their values"})
	}
	plain, err := Options{IgnoreCheckDigits: true}.Generate(stem+"/", elements)
	if err != nil {
		return Link{}, err
	}
	if query != "" {
		separator := "?"
		if strings.IndexByte(plain, '?') >= 0 {
			separator = "&"
		}
		plain += separator + query
	}
	return ParseLink(plain)
}

// lastKey gives the key that a path ends in, and where it begins; nil when it ends in none.
func lastKey(path string) (*Element, int) {
	i := strings.LastIndexByte(path, '/')
	if i < 1 {
		return nil, 0
	}
	j := strings.LastIndexByte(path[:i], '/')
	if d := lookup(path[j+1 : i]); j >= 0 && d != nil && d.key {
		return &Element{d.ai, Unescape(path[i+1:], false)}, j
	}
	return nil, 0
}

// packed is a component as compression counts them: neighbours of one kind are one.
type packed struct {
	numeric bool
	fixed   int // length, or
	most    int // the greatest length
}

func (d *definition) packed() []packed {
	var out []packed
	for _, p := range d.parts {
		c := packed{numeric: p.set == 'N'}
		if p.min == p.max && !p.optional {
			c.fixed = p.max
		} else {
			c.most = p.max
		}
		if n := len(out); n > 0 && out[n-1].numeric == c.numeric && (out[n-1].fixed > 0) == (c.fixed > 0) {
			out[n-1].fixed += c.fixed
			out[n-1].most += c.most
			continue
		}
		out = append(out, c)
	}
	return out
}

// digitBits is how many bits n digits take.
func digitBits(n int) int {
	if n == 0 {
		return 0
	}
	return int(math.Ceil(float64(n)*math.Log2(10) + 0.01))
}

// encoding is the densest for a text, and how many bits it has for a character (not for digits).
func encoding(s string) (code, width int) {
	in := func(set string) bool { return s != "" && strings.Trim(s, set) == "" }
	switch {
	case in("0123456789"):
		return encodeDigits, 0
	case in("0123456789ABCDEF"):
		return encodeUpperHex, 4
	case in("0123456789abcdef"):
		return encodeLowerHex, 4
	case in(base64url):
		return encodeBase64url, 6
	}
	return encodeASCII, 7
}

// bitWriter collects bits, one a byte.
type bitWriter struct{ bits []byte }

func (w *bitWriter) write(v uint, width int) {
	for i := width - 1; i >= 0; i-- {
		w.bits = append(w.bits, byte(v>>i)&1)
	}
}

func (w *bitWriter) digits(s string) {
	n, _ := new(big.Int).SetString("0"+s, 10)
	for i := digitBits(len(s)) - 1; i >= 0; i-- {
		w.bits = append(w.bits, byte(n.Bit(i)))
	}
}

func (w *bitWriter) value(e Element) {
	rest := e.Value
	for _, p := range lookup(e.AI).packed() {
		n := p.fixed
		if n == 0 {
			n = min(p.most, len(rest))
		}
		s := rest[:n]
		rest = rest[n:]
		code, width := encodeDigits, 0
		if !p.numeric {
			code, width = encoding(s)
			w.write(uint(code), 3)
		}
		if p.fixed == 0 {
			w.write(uint(n), bits.Len(uint(p.most)))
		}
		if code == encodeDigits {
			w.digits(s)
			continue
		}
		for i := 0; i < len(s); i++ {
			switch code {
			case encodeASCII:
				w.write(uint(s[i]), width)
			case encodeBase64url:
				w.write(uint(strings.IndexByte(base64url, s[i])), width)
			default:
				w.write(uint(hexValue(s[i])), width)
			}
		}
	}
}

func (w *bitWriter) base64url() string {
	var b strings.Builder
	for i := 0; i < len(w.bits); i += 6 {
		v := 0
		for j := i; j < i+6; j++ {
			v <<= 1
			if j < len(w.bits) {
				v |= int(w.bits[j])
			}
		}
		b.WriteByte(base64url[v])
	}
	return b.String()
}

// bitReader reads bits, one a byte. Reading beyond the end sets short.
type bitReader struct {
	bits  []byte
	short bool
}

func newBitReader(segment string) (*bitReader, bool) {
	r := &bitReader{bits: make([]byte, 0, 6*len(segment))}
	for i := 0; i < len(segment); i++ {
		v := strings.IndexByte(base64url, segment[i])
		if v < 0 {
			return nil, false
		}
		for j := 5; j >= 0; j-- {
			r.bits = append(r.bits, byte(v>>j)&1)
		}
	}
	return r, true
}

func (r *bitReader) take(n int) []byte {
	if n > len(r.bits) {
		r.short = true
		return nil
	}
	b := r.bits[:n]
	r.bits = r.bits[n:]
	return b
}

func (r *bitReader) read(width int) int {
	v := 0
	for _, b := range r.take(width) {
		v = v<<1 | int(b)
	}
	return v
}

func (r *bitReader) digits(n int) string {
	v := new(big.Int)
	for _, b := range r.take(digitBits(n)) {
		v.Lsh(v, 1).SetBit(v, 0, uint(b))
	}
	if n == 0 {
		return ""
	}
	s := v.String()
	if len(s) > n {
		r.short = true // a number that n digits cannot hold
		return ""
	}
	return strings.Repeat("0", n-len(s)) + s
}

func (r *bitReader) text(code, n int) string {
	if code == encodeDigits {
		return r.digits(n)
	}
	b := make([]byte, 0, min(n, len(r.bits)))
	for i := 0; i < n && !r.short; i++ {
		switch code {
		case encodeLowerHex:
			b = append(b, "0123456789abcdef"[r.read(4)])
		case encodeUpperHex:
			b = append(b, upperHex[r.read(4)])
		case encodeBase64url:
			b = append(b, base64url[r.read(6)])
		case encodeASCII:
			b = append(b, byte(r.read(7)))
		default:
			r.short = true
		}
	}
	return string(b)
}

func (r *bitReader) value(d *definition) string {
	var value string
	for _, p := range d.packed() {
		code, n := encodeDigits, p.fixed
		if !p.numeric {
			code = r.read(3)
		}
		if p.fixed == 0 {
			n = r.read(bits.Len(uint(p.most)))
		}
		value += r.text(code, n)
	}
	return value
}

// elements reads all AIs after those that are there already.
func (r *bitReader) elements(elements []Element) ([]Element, bool) {
	add := func(d *definition) {
		elements = append(elements, Element{d.ai, r.value(d)})
	}
	for len(r.bits) >= 8 && !r.short && len(elements) <= MaxAttributes {
		high, low := r.read(4), r.read(4)
		switch {
		case high == foreign:
			r.text(encodeBase64url, low<<3|r.read(3))
			code := r.read(3)
			r.text(code, r.read(7))
		case high > 9 || low > 9:
			found := false
			for _, o := range optimised {
				if int(o.code) == high<<4|low {
					found = true
					for _, ai := range o.ais {
						add(lookup(ai))
					}
				}
			}
			if !found {
				return nil, false
			}
		default:
			first := begins[high*10+low]
			if first == begins[high*10+low+1] {
				return nil, false
			}
			ai := []byte{'0' + byte(high), '0' + byte(low)}
			for len(ai) < len(dictionary[first].ai) {
				ai = append(ai, '0'+byte(r.read(4)))
			}
			d := lookup(string(ai))
			if d == nil {
				return nil, false
			}
			add(d)
		}
	}
	if r.short || len(r.bits) >= 6 {
		return nil, false
	}
	for _, b := range r.bits {
		if b != 0 {
			return nil, false
		}
	}
	return elements, true
}
