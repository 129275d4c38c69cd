package entry

import (
	"errors"
	"fmt"
	"strings"
)

// Operator is the participant id under which the log's operator signs. Nobody
// else may have it.
const Operator = "operator"

// MaxOrigin is the longest origin, in bytes.
const MaxOrigin = 255

// maxKeyName is the longest key name: that of a managed key.
const maxKeyName = MaxOrigin + len("/managed/") + maxSlug

// CheckOrigin tells why s cannot be an origin: it must be 1 to MaxOrigin
// printable ASCII characters, none a space or a plus sign. The signed note's own
// rule for names is a little wider; this one is the same in every language.
func CheckOrigin(s string) error { return checkName("origin", s, MaxOrigin) }

func checkName(what, s string, limit int) error {
	if s == "" || len(s) > limit {
		return fmt.Errorf("the %s has %d bytes; want 1 to %d", what, len(s), limit)
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' || s[i] == '+' {
			return fmt.Errorf("the %s %q has a character at byte %d that is not printable ASCII, or a space or plus sign", what, s, i)
		}
	}
	return nil
}

// ParticipantID tells why s cannot be a participant's id, which is a slug:
// [a-z0-9][a-z0-9.-]{0,62}, and not "operator".
func ParticipantID(s string) error {
	if s == Operator {
		return fmt.Errorf("the participant id %q is reserved", Operator)
	}
	if s == "" || len(s) > maxSlug {
		return fmt.Errorf("the participant id has %d characters; want 1 to %d", len(s), maxSlug)
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		case i > 0 && (c == '.' || c == '-'):
		default:
			return fmt.Errorf("the participant id %q has %q at byte %d; want a-z and 0-9, after the first also . and -", s, c, i)
		}
	}
	return nil
}

// The roles of a participant's keys.
const (
	RoleOwn     = "own"     // a key that the participant holds
	RoleManaged = "managed" // a key with which the service signs what the participant sent unsigned
)

// KeyName is the name of a participant's keys of one role (RoleOwn or
// RoleManaged) in the log of that origin.
func KeyName(origin, role, participant string) string {
	return origin + "/" + role + "/" + participant
}

// OperatorKeyName is the name of the operator's keys.
func OperatorKeyName(origin string) string { return origin + "/operator" }

// isKeyOf tells whether name, whole, is one of the names that the keys of a
// participant of a header can have.
func isKeyOf(name, origin, participant string) bool {
	rest, ok := strings.CutPrefix(name, origin)
	if !ok {
		return false
	}
	if participant == Operator {
		return rest == "/operator"
	}
	rest, ok = strings.CutSuffix(rest, participant)
	return ok && (rest == "/own/" || rest == "/managed/")
}

const maxSlug = 63

// letters are the Latin letters that a slug writes otherwise, so that a name
// with accents stays readable.
var letters = strings.NewReplacer(
	"à", "a", "á", "a", "â", "a", "ã", "a", "ä", "ae", "å", "a", "ā", "a", "ă", "a", "ą", "a", "æ", "ae",
	"ç", "c", "ć", "c", "č", "c", "ĉ", "c", "ď", "d", "đ", "d", "ð", "d",
	"è", "e", "é", "e", "ê", "e", "ë", "e", "ē", "e", "ė", "e", "ę", "e", "ě", "e",
	"ğ", "g", "ģ", "g", "ĝ", "g", "ĥ", "h", "ì", "i", "í", "i", "î", "i", "ï", "i", "ī", "i", "į", "i", "ı", "i",
	"ĵ", "j", "ķ", "k", "ĺ", "l", "ļ", "l", "ľ", "l", "ł", "l", "ñ", "n", "ń", "n", "ņ", "n", "ň", "n",
	"ò", "o", "ó", "o", "ô", "o", "õ", "o", "ö", "oe", "ø", "o", "ō", "o", "ő", "o", "œ", "oe",
	"ŕ", "r", "ř", "r", "ś", "s", "š", "s", "ş", "s", "ș", "s", "ŝ", "s", "ß", "ss", "ť", "t", "ţ", "t", "ț", "t", "þ", "th",
	"ù", "u", "ú", "u", "û", "u", "ü", "ue", "ū", "u", "ŭ", "u", "ů", "u", "ű", "u", "ų", "u", "ŵ", "w",
	"ý", "y", "ÿ", "y", "ŷ", "y", "ź", "z", "ż", "z", "ž", "z", "'", "", "’", "",
)

// Slug makes a participant's id from its name: "Müller's Farm & Co." gives
// muellers-farm-co. It fails when nothing is left that an id can hold, or what
// is left is reserved.
func Slug(name string) (string, error) {
	var b strings.Builder
	for _, c := range letters.Replace(strings.ToLower(name)) {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			b.WriteRune(c)
		} else if s := b.String(); s != "" && !strings.HasSuffix(s, "-") {
			b.WriteByte('-')
		}
	}
	slug := strings.Trim(b.String()[:min(b.Len(), maxSlug)], "-")
	if slug == "" {
		return "", errors.New("the name has no letter or digit of which an id could be made; choose an id")
	}
	if err := ParticipantID(slug); err != nil {
		return "", fmt.Errorf("%w; choose another id", err)
	}
	return slug, nil
}
