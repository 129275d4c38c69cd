package gs1

import "strings"

// shortNames are the names that older editions of GS1 Digital Link had for keys and qualifiers.
var shortNames = [...]struct{ name, ai string }{
	{"cpid", "8010"}, {"cpsn", "8011"}, {"cpv", "22"}, {"gcn", "255"}, {"gdti", "253"},
	{"giai", "8004"}, {"ginc", "401"}, {"gln", "414"}, {"glnx", "254"}, {"gmn", "8013"},
	{"grai", "8003"}, {"gsin", "402"}, {"gsrn", "8018"}, {"gsrnp", "8017"}, {"gtin", "01"},
	{"itip", "8006"}, {"lot", "10"}, {"party", "417"}, {"refno", "8020"}, {"ser", "21"},
	{"srin", "8019"}, {"sscc", "00"},
}

// aiOfShortName gives the AI that a short name stood for, empty when it is none.
func aiOfShortName(name string) string {
	if len(name) < 3 || len(name) > 5 {
		return ""
	}
	for i := range shortNames {
		if shortNames[i].name == name {
			return shortNames[i].ai
		}
	}
	return ""
}

// NormaliseShortNames writes AIs for the short names of a link's path and query, and changes
// nothing else; it does not ask whether the result is a Digital Link. Values stay, even one that
// reads like a short name.
func NormaliseShortNames(uri string) string {
	path, fragment := uri, ""
	if i := strings.IndexByte(path, '#'); i >= 0 {
		path, fragment = path[:i], path[i:]
	}
	path, query, hasQuery := strings.Cut(path, "?")
	segments := strings.Split(path, "/")
	keySeen := false
	for i := 0; i < len(segments); i++ {
		ai := aiOfShortName(segments[i])
		if ai != "" {
			segments[i] = ai
		}
		d := lookup(segments[i])
		keySeen = keySeen || d != nil && d.key
		if d != nil && keySeen {
			i++ // its value
		}
	}
	out := strings.Join(segments, "/")
	if hasQuery {
		pairs := strings.Split(query, "&")
		for i, pair := range pairs {
			if name, value, ok := strings.Cut(pair, "="); ok {
				if ai := aiOfShortName(name); ai != "" {
					pairs[i] = ai + "=" + value
				}
			}
		}
		out += "?" + strings.Join(pairs, "&")
	}
	return out + fragment
}
