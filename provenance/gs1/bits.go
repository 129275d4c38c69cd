package gs1

import (
	"math"
	"math/big"
	"math/bits"
	"strings"
)

const base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// The encodings of text, in 3 bits.
const (
	encodeDigits = iota
	encodeLowerHex
	encodeUpperHex
	encodeBase64url
	encodeASCII
)

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
