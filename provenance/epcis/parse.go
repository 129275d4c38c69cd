package epcis

import (
	"errors"

	"github.com/tallyroot/tallyroot/provenance/jcs"
)

// ParseForHash reads JSON whose events are to be hashed, not logged. It is as
// strict as jcs.Parse but for numbers with more digits than a 64-bit float
// keeps: these become strings of the same digits, and so have the event hash
// of the number as it was written. A byte order mark is passed over.
func ParseForHash(text []byte) (jcs.Value, error) {
	if len(text) >= 3 && string(text[:3]) == "\xef\xbb\xbf" {
		text = text[3:]
	}
	v, err := jcs.Parse(text)
	if err == nil {
		return v, nil
	}
	quoted, changed := quoteNumbers(text)
	if !changed {
		return jcs.Value{}, err
	}
	v, err = jcs.Parse(quoted)
	// What is wrong beside the numbers is told where it stands in the text that
	// was given.
	var syntax *jcs.SyntaxError
	if errors.As(err, &syntax) {
		syntax.Offset = unshift(text, quoted, syntax.Offset)
	}
	return v, err
}

// quoteNumbers puts quotation marks around the numbers that jcs.Parse refuses.
func quoteNumbers(text []byte) (quoted []byte, changed bool) {
	quoted = make([]byte, 0, len(text)+len(text)/8)
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '"':
			end := i + 1
			for end < len(text) && text[end] != '"' {
				if text[end] == '\\' {
					end++
				}
				end++
			}
			end = min(end+1, len(text))
			quoted = append(quoted, text[i:end]...)
			i = end
		case c == '-' || c >= '0' && c <= '9':
			end := i
			for end < len(text) && isNumeric(text[end]) {
				end++
			}
			token := text[i:end]
			if _, err := jcs.Parse(token); err != nil && isNumber(token) {
				quoted = append(quoted, '"')
				quoted = append(quoted, token...)
				quoted = append(quoted, '"')
				changed = true
			} else {
				quoted = append(quoted, token...)
			}
			i = end
		default:
			quoted = append(quoted, c)
			i++
		}
	}
	return quoted, changed
}

func isNumeric(c byte) bool {
	return c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E'
}

// isNumber tells whether a token follows JSON's grammar of numbers (RFC 8259
// §6), however many digits it has.
func isNumber(token []byte) bool {
	s := string(token)
	if s != "" && s[0] == '-' {
		s = s[1:]
	}
	whole := digits(s)
	if whole == "" || len(whole) > 1 && whole[0] == '0' {
		return false
	}
	s = s[len(whole):]
	if s != "" && s[0] == '.' {
		fraction := digits(s[1:])
		if fraction == "" {
			return false
		}
		s = s[1+len(fraction):]
	}
	if s != "" && (s[0] == 'e' || s[0] == 'E') {
		s = s[1:]
		if s != "" && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
		exponent := digits(s)
		if exponent == "" {
			return false
		}
		s = s[len(exponent):]
	}
	return s == ""
}

// unshift gives the offset in text of what stands at offset in quoted, which
// has more quotation marks.
func unshift(text, quoted []byte, offset int) int {
	i := 0
	for j := 0; j < offset && j < len(quoted) && i < len(text); j++ {
		if text[i] == quoted[j] {
			i++
		}
	}
	return i
}
