package participant

import (
	"errors"
	"strings"
)

const (
	gs1Prefix      = "https://id.gs1.org/"
	minGrantDigits = 4 // the shortest GS1 company prefix
	maxGrantDigits = 14
)

var errGrant = errors.New("the digits of a GS1 company prefix (4 to 14), an identifier such as https://id.gs1.org/01/09506000134352, or the beginning of identifiers up to and with a /, : or #")

// CheckGrant tells what would be right if grant cannot be one.
func CheckGrant(grant string) error {
	if isDigits(grant) {
		if len(grant) < minGrantDigits || len(grant) > maxGrantDigits {
			return errGrant
		}
		return nil
	}
	scheme, rest, ok := strings.Cut(grant, ":")
	if !ok || scheme == "" || rest == "" || len(grant) > MaxLink || scheme[0] < 'a' || scheme[0] > 'z' ||
		strings.Trim(scheme, "abcdefghijklmnopqrstuvwxyz0123456789+.-") != "" {
		return errGrant
	}
	for i := range len(rest) {
		if rest[i] <= ' ' || rest[i] > '~' {
			return errGrant
		}
	}
	return nil
}

// Covers tells whether a grant covers a canonical identifier.
//
// A grant of digits covers the GS1 identifiers whose company prefix begins with
// them. The company prefix stands at the beginning of the key's value; behind one
// digit in a GTIN (01), SSCC (00), ITIP (8006) and GRAI (8003). A grant that
// begins with 0 also covers the GTINs whose 14 digits begin with it, the way that
// Digital Links write them.
//
// Any other grant covers the identifier that it is, and those that continue it
// behind a /. One that ends in /, : or # covers all that begin with it.
func Covers(grant, identifier string) bool {
	if isDigits(grant) {
		return coversGS1(grant, identifier)
	}
	rest, ok := strings.CutPrefix(identifier, grant)
	if !ok {
		return false
	}
	return rest == "" || rest[0] == '/' || strings.HasSuffix(grant, "/") || strings.HasSuffix(grant, ":") || strings.HasSuffix(grant, "#")
}

func coversGS1(digits, identifier string) bool {
	path, ok := strings.CutPrefix(identifier, gs1Prefix)
	if !ok {
		return false
	}
	ai, value, _ := strings.Cut(path, "/")
	value, _, _ = strings.Cut(value, "/")
	switch ai {
	case "00", "01", "8006", "8003":
		if ai == "01" && digits[0] == '0' && strings.HasPrefix(value, digits) {
			return true
		}
		return value != "" && strings.HasPrefix(value[1:], digits)
	}
	return strings.HasPrefix(value, digits)
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
