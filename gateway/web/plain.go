package web

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// placeholder stands where a character was that a reader could not see, and that
// would change how others are read.
const placeholder = '\uFFFD'

// plain is where a page is written. Everything that others wrote goes through
// it: it puts the placeholder for characters that are hidden, turn the direction
// of what follows or break lines, wherever they stand, and it takes no more than
// limit bytes.
type plain struct {
	bytes.Buffer
	limit int
	last  rune
	split []byte // the beginning of a character that the next write goes on with
}

func (p *plain) Write(b []byte) (int, error) {
	n := len(b)
	if len(p.split) > 0 {
		b = append(p.split, b...)
		p.split = nil
	}
	for len(b) > 0 {
		if b[0] < utf8.RuneSelf && b[0] >= ' ' && b[0] != 0x7f { // most of a page
			i := 1
			for i < len(b) && b[i] < utf8.RuneSelf && b[i] >= ' ' && b[i] != 0x7f {
				i++
			}
			p.Buffer.Write(b[:i])
			p.last, b = rune(b[i-1]), b[i:]
			continue
		}
		if !utf8.FullRune(b) {
			p.split = bytes.Clone(b)
			break
		}
		r, size := utf8.DecodeRune(b)
		b = b[size:]
		if hidden(r) && !(joiner(r) && joins(p.last)) {
			r = placeholder
		}
		p.Buffer.WriteRune(r)
		p.last = r
	}
	if p.Buffer.Len() > p.limit {
		return 0, errTooLarge
	}
	return n, nil
}

// hidden tells whether a character has no shape of its own: controls but for line
// feed and tab, formats (those of direction and of no width among them), the
// separators of lines and paragraphs, and fillers.
func hidden(r rune) bool {
	switch r {
	case '\n', '\t':
		return false
	case 0x034f, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x3164, 0xffa0:
		return true
	}
	return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp) ||
		unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r)
}

// joiner tells whether r is one of the two characters that join or part others.
func joiner(r rune) bool { return r == 0x200c || r == 0x200d }

// joins tells whether a joiner is part of how a word is spelt, or a picture
// drawn, when it stands after r.
func joins(r rune) bool {
	return unicode.In(r, unicode.Arabic, unicode.Syriac, unicode.Mongolian, unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi,
		unicode.Gujarati, unicode.Oriya, unicode.Tamil, unicode.Telugu, unicode.Kannada, unicode.Malayalam, unicode.Sinhala, unicode.Khmer,
		unicode.So, unicode.Sk, unicode.Variation_Selector)
}
