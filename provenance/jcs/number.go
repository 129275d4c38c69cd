package jcs

import (
	"math"
	"strconv"
	"strings"
)

// exactDigits is the number of significant decimal digits that a 64-bit float
// always keeps apart (DBL_DIG): two different decimals of no more digits are
// two different floats.
const exactDigits = 15

// canonicalNumber gives the canonical text of a number whose token follows
// JSON's grammar, or why it has none: a number is refused, not rounded, when
// the nearest float prints as another decimal.
func canonicalNumber(token string) (text, problem string) {
	if plainNumber(token) {
		return token, ""
	}
	f, err := strconv.ParseFloat(token, 64)
	if err != nil || math.IsInf(f, 0) {
		return "", "the number " + shorten(token) + " is too large for a 64-bit float; send it as a string"
	}
	text, _ = formatNumber(f)
	if decimalOf(token) != decimalOf(text) {
		return "", "the number " + shorten(token) + " would change to " + text + " as a 64-bit float; send fewer digits, or a string"
	}
	return text, ""
}

// plainNumber recognises most numbers that are canonical as they stand: at most
// exactDigits digits, no exponent, no trailing zero after the point.
func plainNumber(token string) bool {
	digits := strings.TrimPrefix(token, "-")
	if len(digits) > exactDigits || digits == "0" && len(token) > 1 {
		return false
	}
	point := -1
	for i := 0; i < len(digits); i++ {
		switch c := digits[i]; {
		case c == '.':
			point = i
		case c < '0' || c > '9':
			return false
		}
	}
	if point < 0 {
		return true
	}
	// 0.000001 is the smallest that ECMAScript prints without an exponent.
	return digits[len(digits)-1] != '0' && (digits[0] != '0' || len(digits)-point-1 <= 6)
}

// formatNumber prints f as ECMAScript's Number::toString does (RFC 8785
// §3.2.2.3); false for what JSON cannot say.
func formatNumber(f float64) (string, bool) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return "", false
	}
	if f == 0 {
		return "0", true
	}
	abs := math.Abs(f)
	if abs >= 1e-6 && abs < 1e21 {
		return strconv.FormatFloat(f, 'f', -1, 64), true
	}
	text := strconv.FormatFloat(f, 'e', -1, 64)
	// Go writes at least two digits of exponent, ECMAScript as few as it takes.
	if i := strings.IndexByte(text, 'e'); text[i+2] == '0' {
		text = text[:i+2] + text[i+3:]
	}
	return text, true
}

// decimal is the exact value of a decimal text, in one form: ±digits × 10^exp,
// digits without leading or trailing zeros.
type decimal struct {
	negative bool
	digits   string
	exp      int64
}

func decimalOf(token string) decimal {
	var d decimal
	rest, negative := strings.CutPrefix(token, "-")
	mantissa := rest
	if i := strings.IndexAny(rest, "eE"); i >= 0 {
		mantissa = rest[:i]
		exp, err := strconv.ParseInt(rest[i+1:], 10, 32)
		if err != nil {
			// Beyond any float: only zero can have it without harm, and zero
			// drops its exponent below.
			exp = math.MaxInt32
		}
		d.exp = exp
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	d.exp -= int64(len(fraction))
	d.digits = strings.TrimLeft(whole+fraction, "0")
	trimmed := strings.TrimRight(d.digits, "0")
	d.exp += int64(len(d.digits) - len(trimmed))
	d.digits = trimmed
	if d.digits == "" {
		return decimal{}
	}
	d.negative = negative
	return d
}

func shorten(s string) string {
	const most = 40
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
