package gs1

import "strings"

// Compression of GS1 Digital Links (GS1 Digital Link Standard, section on compression): the AIs
// and their values as one string of bits, written in base64url as one path segment. It serves to
// make codes smaller; an identifier is never compared in this form.

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
