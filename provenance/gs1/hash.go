package gs1

import "strings"

// HashForm is the form of a URI in the pre-hash string of the CBV 2.0 event hash (CBV 2.0, section
// 8.9, as its reference implementation reads it since July 2026). It is not the canonical form: a
// URN's serial stays as it is written, only the finest level of a Digital Link is kept, short
// names and short GTINs are taken, check digits are not looked at. A URI that it does not cover
// stays as it is. It is total.
func HashForm(id string) string {
	if strings.HasPrefix(id, "urn:epc:") {
		if u, e := parseURN(id); e == nil {
			return u.hashForm()
		}
		return id
	}
	if strings.HasPrefix(id, "http:") || strings.HasPrefix(id, "https:") {
		if form := linkHashForm(id); form != "" {
			return form
		}
	}
	return id
}

func (u *urn) hashForm() string {
	v := *u
	var b [192]byte
	dst := append(append(append(b[:0], Stem+"/"...), u.s.key...), '/')
	if u.s.digits == 0 {
		dst = append(append(dst, u.company...), u.reference...)
	} else {
		if u.s.serial == "" {
			v.serial = ""
		}
		dst = v.appendKey(dst)
		if u.s.serial == "" {
			dst = append(dst, u.serial...)
		}
	}
	if u.hasSerialElement() {
		dst = append(append(append(dst, '/'), u.s.serial...), '/')
		dst = append(dst, u.serial...)
	}
	return string(dst)
}

// hashAI gives the AI of a path segment, the short names that the event hash knows included.
func hashAI(segment string) string {
	switch ai := aiOfShortName(segment); ai {
	case "", "8011", "254", "8013", "8020", "8019":
		return segment
	default:
		return ai
	}
}

// hashKeys are the keys that the event hash knows, with how many digits their values begin with,
// and how many further characters may follow of which set.
var hashKeys = [...]struct {
	ai     string
	digits int
	set    byte
	more   int
	serial []string // the qualifiers that may stand last, besides the variant
}{
	{"00", 18, 0, 0, nil},
	{"01", 14, 0, 0, []string{"21", "10", "235"}},
	{"253", 13, 'h', 17, nil},
	{"255", 13, 'N', 12, nil},
	{"401", 4, 'h', 26, nil},
	{"402", 17, 0, 0, nil},
	{"414", 13, 0, 0, []string{"254"}},
	{"417", 13, 0, 0, nil},
	{"8003", 14, 'h', 16, nil},
	{"8004", 4, 'h', 26, nil},
	{"8006", 18, 0, 0, []string{"21", "10"}},
	{"8010", 4, 'p', 26, []string{"8011"}},
	{"8017", 18, 0, 0, nil},
	{"8018", 18, 0, 0, nil},
}

// linkHashForm gives the constrained canonical link, empty for what the event hash leaves alone.
func linkHashForm(uri string) string {
	path, _, _ := strings.Cut(uri, "?")
	if strings.IndexByte(path, '#') >= 0 {
		return ""
	}
	segments := strings.Split(path, "/")
	for at := len(segments) - 2; at >= 1; at-- {
		ai := hashAI(segments[at])
		for _, k := range hashKeys {
			if k.ai != ai {
				continue
			}
			key := segments[at+1]
			if ai == "01" && digits(key) && (len(key) == 8 || len(key) == 12 || len(key) == 13) {
				key = "000000"[:14-len(key)] + key
			}
			if len(key) < k.digits || !digits(key[:k.digits]) || len(key) > k.digits+k.more || !inHashSet(key[k.digits:], k.set) {
				break
			}
			if q, ok := finest(segments[at+2:], ai, k.serial); ok {
				return Stem + "/" + ai + "/" + key + q
			}
			break
		}
	}
	return ""
}

// finest gives the qualifier that is kept of those that follow a key: the variant is dropped, and
// a lot that a serial follows.
func finest(pairs []string, key string, serials []string) (string, bool) {
	if len(pairs)%2 != 0 {
		return "", false
	}
	rank := func(ai string) int {
		for i, s := range serials {
			if s == ai {
				return i
			}
		}
		return -1
	}
	kept, last := "", -1
	for i := 0; i < len(pairs); i += 2 {
		ai, value := hashAI(pairs[i]), pairs[i+1]
		if ai == "22" && i == 0 && (key == "01" || key == "8006") && len(value) <= 20 && inHashSet(value, 'h') {
			continue
		}
		limit, set := 20, byte('h')
		switch ai {
		case "235":
			limit = 28
		case "8011":
			limit, set = 12, 'N'
		}
		r := rank(ai)
		// A serial may follow a lot, and nothing else follows anything.
		if r < 0 || last >= 0 && !(ai == "21" && serials[last] == "10") || len(value) > limit || !inHashSet(value, set) {
			return "", false
		}
		kept, last = "/"+ai+"/"+value, r
	}
	return kept, true
}

// inHashSet says whether a value has only the characters that the event hash takes in a Digital
// Link: h for serials, p for component references, N for digits, 0 for none.
func inHashSet(s string, set byte) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		upper, lower := 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z'
		switch {
		case set != 0 && isDigit(c):
		case set == 'h' && (upper || lower || strings.IndexByte(`"'-.;<=>?_`, c) >= 0):
		case set == 'p' && (upper || c == '#' || c == '-' || c == '/'):
		default:
			return false
		}
	}
	return true
}
