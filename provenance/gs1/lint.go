package gs1

import (
	"strconv"
	"strings"
)

// check is one of the linters of the syntax dictionary, by its name there.
type check uint8

// The linters. Not enforced, since they are no property of the identifier's form or need lists
// that grow: couponcode and couponposoffer (no AI of a Digital Link has them), packagetype,
// iso4217, and pieceoftotal, whose pieces EPC URNs in use number beyond the total.
const (
	csum check = iota + 1
	csumalpha
	gcppos1
	gcppos2
	zero
	nonzero
	nozeroprefix
	hasnondigit
	yymmdd
	yymmd0
	yyyymmdd
	hhmi
	hh
	mi
	ss
	winding
	yesno
	iso5218
	hyphen
	importeridx
	mediatype
	latitude
	longitude
	posinseqslash
	pcenc
	iban
	iso3166
	iso3166999
	iso3166alpha2
	iso4217
	packagetype
	pieceoftotal
	couponcode
	couponposoffer
)

// problem says what is wrong with a component's value and what would be right; is is empty when
// nothing is wrong.
func (c check) problem(v string) (is, should string) {
	switch c {
	case csum:
		if got, want := v[len(v)-1], checkDigit(v[:len(v)-1]); got != want {
			return "has the check digit " + string(got) + " in " + v, "the check digit of " + v[:len(v)-1] + " is " + string(want)
		}
	case csumalpha:
		return csumAlphaProblem(v)
	case gcppos1, gcppos2:
		at := int(c - gcppos1)
		if len(v) < at+4 || !digits(v[at:at+4]) {
			return "does not begin with a GS1 Company Prefix", "it begins with at least four digits of a company prefix"
		}
	case zero:
		if strings.Trim(v, "0") != "" {
			return "begins with " + v, "it begins with 0"
		}
	case nonzero:
		if strings.Trim(v, "0") == "" {
			return "has a part that is zero", "it is greater than zero"
		}
	case nozeroprefix:
		if len(v) > 1 && v[0] == '0' {
			return "begins with 0", "it is written without leading zeros"
		}
	case hasnondigit:
		if digits(v) {
			return "has only digits", "it has at least one other character"
		}
	case yymmdd, yymmd0:
		if !date(20, v, c == yymmd0) {
			return "is not a date: " + v, "it is a date YYMMDD"
		}
	case yyyymmdd:
		if !date(two(v), v[2:], false) {
			return "is not a date: " + v, "it is a date YYYYMMDD"
		}
	case hhmi:
		if two(v) > 23 || two(v[2:]) > 59 {
			return "is not a time: " + v, "it is a time HHMM"
		}
	case hh:
		if two(v) > 23 {
			return "is not an hour: " + v, "it is an hour from 00 to 23"
		}
	case mi, ss:
		if two(v) > 59 {
			return "is not a minute or second: " + v, "it is from 00 to 59"
		}
	case winding:
		return oneOf(v, "0", "1", "9")
	case yesno:
		return oneOf(v, "0", "1")
	case iso5218:
		return oneOf(v, "0", "1", "2", "9")
	case hyphen:
		return oneOf(v, "-")
	case importeridx:
		if !inSet('Z', v[0]) || v[0] == '=' {
			return "has the importer index " + v, "the importer index is a letter, a digit, - or _"
		}
	case mediatype:
		if n := two(v); n == 0 || n > 10 && n < 80 {
			return "is not a media type: " + v, "it is from 01 to 10 or from 80 to 99"
		}
	case latitude:
		return atMost(v, 1800000000)
	case longitude:
		return atMost(v, 3600000000)
	case posinseqslash:
		if len(v) != 3 || v[1] != '/' || !isDigit(v[0]) || !isDigit(v[2]) || v[0] == '0' || v[0] > v[2] {
			return "is not a position in a sequence: " + v, "it is like 2/3"
		}
	case pcenc:
		if _, ok := unescape(v, false); !ok {
			return "has a % that begins no escape", "% is followed by two hexadecimal digits, not 00"
		}
	case iban:
		return ibanProblem(v)
	case iso3166:
		if !country(v) {
			return "is not a country: " + v, "it is a country's number in ISO 3166-1"
		}
	case iso3166999:
		if v != "999" && !country(v) {
			return "is not a country: " + v, "it is a country's number in ISO 3166-1, or 999"
		}
	case iso3166alpha2:
		if v[0] < 'A' || v[0] > 'Z' || v[1] < 'A' || v[1] > 'Z' {
			return "is not a country: " + v, "it is a country's two capital letters in ISO 3166-1"
		}
	}
	return "", ""
}

// ValidCheckDigit says whether the last of two or more digits is the check digit of those before
// it: weights 3, 1 from the right, modulo 10 (GS1 General Specifications, section 7.9.1).
func ValidCheckDigit(s string) bool {
	return len(s) >= 2 && digits(s) && s[len(s)-1] == checkDigit(s[:len(s)-1])
}

// checkDigit is the check digit that belongs after s, which are digits.
func checkDigit(s string) byte {
	sum, weight := 0, 3
	for i := len(s) - 1; i >= 0; i-- {
		sum += weight * int(s[i]-'0')
		weight = 4 - weight
	}
	return '0' + byte((10-sum%10)%10)
}

// two is the number of the first two digits.
func two(v string) int { return int(v[0]-'0')*10 + int(v[1]-'0') }

// date says whether v, YYMMDD, is a date in the given century.
func date(century int, v string, dayMayBeZero bool) bool {
	year, month, day := century*100+two(v), two(v[2:]), two(v[4:])
	if month < 1 || month > 12 || day == 0 && !dayMayBeZero {
		return false
	}
	days := [...]int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[month-1]
	if month == 2 && year%4 == 0 && (year%100 != 0 || year%400 == 0) {
		days = 29
	}
	return day <= days
}

func oneOf(v string, choices ...string) (is, should string) {
	for _, c := range choices {
		if v == c {
			return "", ""
		}
	}
	return "is " + v, "it is " + strings.Join(choices, " or ")
}

func atMost(v string, limit int) (is, should string) {
	if n, err := strconv.Atoi(v); err != nil || n > limit {
		return "has a part " + v + " that is too large", "it is at most " + strconv.Itoa(limit)
	}
	return "", ""
}

// The check character pair of GS1 General Specifications, section 7.9.5.
const (
	cset82 = `!"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz`
	cset32 = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
)

var pairWeights = [...]int{2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83}

func csumAlphaProblem(v string) (is, should string) {
	n := len(v) - 2
	if n < 1 || n > len(pairWeights) {
		return "has the length " + itoa(len(v)), "it has a check character pair at its end"
	}
	sum := 0
	for i := 0; i < n; i++ {
		at := strings.IndexByte(cset82, v[i])
		if at < 0 {
			return "holds the character " + quote(v[i:i+1]), "its characters are " + setName('X')
		}
		sum += at * pairWeights[n-1-i]
	}
	sum %= 1021
	if want := string(cset32[sum>>5]) + string(cset32[sum&31]); v[n:] != want {
		return "has the check characters " + v[n:], "the check characters of " + v[:n] + " are " + want
	}
	return "", ""
}

// ibanProblem checks the form and the check digits of ISO 13616.
func ibanProblem(v string) (is, should string) {
	const want = "it is two letters, two check digits that make the number 1 modulo 97, and the account"
	if len(v) < 5 {
		return "is not an IBAN", want
	}
	rest := 0
	for i := range v {
		c := v[(i+4)%len(v)]
		switch {
		case isDigit(c):
			rest = (rest*10 + int(c-'0')) % 97
		case 'A' <= c && c <= 'Z':
			rest = (rest*100 + int(c-'A') + 10) % 97
		default:
			return "is not an IBAN", want
		}
	}
	if isDigit(v[0]) || isDigit(v[1]) || !digits(v[2:4]) || rest != 1 {
		return "is not an IBAN", want
	}
	return "", ""
}

// countries are the numeric codes of ISO 3166-1, ascending.
const countries = "004008010012016020024028031032036040044048050051052056060064068070072074076084086090092096" +
	"100104108112116120124132136140144148152156158162166170174175178180184188191192196203204208212214218222226231232233234238239242246248250254258260262266268270275276288292296" +
	"300304308312316320324328332334336340344348352356360364368372376380384388392398" +
	"400404408410414417418422426428430434438440442446450454458462466470474478480484492496498499" +
	"500504508512516520524528531533534535540548554558562566570574578580581583584585586591598" +
	"600604608612616620624626630634638642643646652654659660662663666670674678682686688690694" +
	"702703704705706710716724728729732740744748752756760762764768772776780784788792795796798" +
	"800804807818826831832833834840850854858860862876882887894"

func country(v string) bool {
	for i := 0; i+3 <= len(countries); i += 3 {
		if countries[i:i+3] == v {
			return true
		}
	}
	return false
}
