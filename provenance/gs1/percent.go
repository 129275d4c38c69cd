package gs1

import "strings"

const upperHex = "0123456789ABCDEF"

// unreserved says whether RFC 3986 leaves a character unescaped everywhere.
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || isDigit(c) || c == '-' || c == '.' || c == '_' || c == '~'
}

func hexValue(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// escapeAt gives the byte that the escape at s[i] stands for, -1 when there is none.
func escapeAt(s string, i int) int {
	if i+2 >= len(s) || s[i] != '%' {
		return -1
	}
	hi, lo := hexValue(s[i+1]), hexValue(s[i+2])
	if hi < 0 || lo < 0 {
		return -1
	}
	return hi<<4 | lo
}

// AppendEscaped appends a value as it stands in a Digital Link: every byte but A-Z a-z 0-9 - . _ ~
// as % and two upper-case hexadecimal digits; in a query a space becomes +.
func AppendEscaped(dst []byte, value string, query bool) []byte {
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case unreserved(c):
			dst = append(dst, c)
		case c == ' ' && query:
			dst = append(dst, '+')
		default:
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return dst
}

// Unescape undoes the escapes of a path segment or of a query value once. A + is itself in a path
// and a space in a query; a % that begins no escape stays. The links that this package takes are
// held to more: see ParseLink.
func Unescape(s string, query bool) string {
	decoded, _ := unescape(s, query)
	return decoded
}

// unescape also says whether every % began an escape, and none stood for NUL.
func unescape(s string, query bool) (string, bool) {
	if strings.IndexByte(s, '%') < 0 && (!query || strings.IndexByte(s, '+') < 0) {
		return s, true
	}
	ok := true
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '%':
			if n := escapeAt(s, i); n >= 0 {
				c = byte(n)
				i += 2
				ok = ok && n != 0
			} else {
				ok = false
			}
		case c == '+' && query:
			c = ' '
		}
		b = append(b, c)
	}
	return string(b), ok
}
