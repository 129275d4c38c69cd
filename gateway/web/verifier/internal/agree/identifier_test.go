package agree

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/internal/testdata"
	"github.com/tallyroot/tallyroot/provenance/gs1"
)

// odd are identifiers at the edges, and others to mutate.
var odd = []string{
	"", " ", ":", "a:", "a:b", "A:b", "urn:", "urn:x:1", "geo:47.5,11.1", "1a:b", "a+b.c-d:e", "a:b c", "a:\x7f", "a:~", "a:é", "é", "\u2028",
	"http:", "http:/", "http://", "https://", "https:///", "https://a", "https://a/", "HTTPS://a/", "Https://id.gs1.org/01/09506000134352", "https:x",
	"https://id.gs1.org", "https://id.gs1.org/", "https://id.gs1.org/x", "https://id.gs1.org?x", "https://id.gs1.org/01/09506000134353",
	"https://id.gs1.org/01/09506000134352", "https://id.gs1.org/01/09506000134352/", "https://id.gs1.org/01/09506000134352//",
	"https://id.gs1.org/01/09506000134352/10/LOT-7", "HTTP://SHOP.example/a/b/01/09506000134352/10/LOT-7/21/S%2f1?17=290426&linkType=all#x",
	"https://id.gs1.org/01/09506000134352/22/2A/10/ABC1/21/12345?17=290426&3103=000195&linkType=all#x",
	"https://shop.example/01/09506000134352/21/1/10/2", "https://shop.example/01/09506000134352/10/a%00b", "https://shop.example/01/09506000134352/10/a%b",
	"https://shop.example/01/09506000134352/10/%C3%A9", "https://shop.example/01/09506000134352/10/é", "https://shop.example/01/09506000134352/10/a+b",
	"https://shop.example/01/09506000134352/10/%2B%2b%25%2525", "https://shop.example/01/09506000134352/10/" + strings.Repeat("x", 20),
	"https://shop.example/01/09506000134352/10/" + strings.Repeat("x", 21), "https://shop.example/01/09506000134352/10/" + strings.Repeat("%78", 20),
	"https://shop.example/gtin/09506000134352", "https://shop.example/gtin/9506000134352/lot/7", "https://shop.example/01/9506000134352", "https://shop.example/01/506000134352",
	"https://shop.example/01/12345670", "https://shop.example/01/1234567", "https://shop.example/01/09506000134353", "https://shop.example/01/abc",
	"https://01/09506000134352", "https://01/09506000134352/10/x", "https://8004/95060001343", "https://414/9506000134000/254/1",
	"https://a$b/01/09506000134352", "https://a_b/01/09506000134352", "https://a$b/c", "https://[::1]/01/09506000134352", "https://a\\b/01/09506000134352", "https://user@a/01/09506000134352",
	"https://a:80/01/09506000134352?10=x", "https://a/01/09506000134352?21=x", "https://a/01/09506000134352?235=x", "https://a/01/09506000134352/235/x?21=1",
	"https://a/01/09506000134352?8008=26010112&8008=26010112", "https://a/01/09506000134352?9999=1", "https://a/01/09506000134352?x=1&=2&3", "https://a/01/09506000134352?11",
	"https://a/01/09506000134352?01=09506000134352", "https://a/01/09506000134352?02=9506000134352", "https://a/01/09506000134352?8007=DE89370400440532013000",
	"https://a/01/09506000134352?8007=DE88370400440532013000", "https://a/01/09506000134352?7250=19000229", "https://a/01/09506000134352?7250=20000229", "https://a/01/09506000134352?17=230229",
	"https://a/01/09506000134352?17=230200", "https://a/01/09506000134352?426=276", "https://a/01/09506000134352?426=277", "https://a/01/09506000134352?7258=2/3", "https://a/01/09506000134352?7258=3/2",
	"https://a/01/09506000134352?4309=18000000003600000000", "https://a/01/09506000134352?4309=18000000013600000000", "https://a/01/09506000134352?4300=a%2541", "https://a/01/09506000134352?4300=a%25",
	"https://a/415/9520123456788", "https://a/415/9520123456788/8020/ABC%2F1", "https://a/01/80614141123458/21/6789%2F%26%25%22!%3F()", "https://a/8013/1987654Ad4X4bL5ttr2310c2K", "https://a/8013/1987654Ad4X4bL5ttr2310c2L",
	"https://a/8010/061414111111111111111-A%23%2F/8011/1234", "https://a/8010/061414111111111111111-a", "https://a/8011/01", "https://a/8004/abcd1234", "https://a/8004/1234",
	"https://a/7040/1A2B", "https://a/417/9506000134000/7040/1A2B", "https://a/417/9506000134000/7040/1A2=", "https://a/253/9506000134000X", "https://a/255/9506000134000123", "https://a/8003/09506000134000X",
	"https://a/8006/095060001343520102/10/1/21/2", "https://a/10/x", "https://a/10/x/01/09506000134352", "https://a/21/x/01/09506000134352/10/y", "https://a/00/x/01/09506000134352/10/y",
	"urn:epc:", "urn:epc:id", "urn:epc:id:", "urn:epc:id:sgtin", "urn:epc:id:sgtin:", "urn:epc:tag", "urn:epc:tag:sgtin-96:3.0614141.812345.6789", "urn:epc:raw:96:1", "urn:epc:pat", "urn:epc:x:y:z", "urn:epc:id:gid", "urn:epc:id:gid:1.2.3", "urn:epc:id:usdod:", "urn:EPC:id:sgtin:0614141.812345.6789",
	"urn:epc:id:sgtin:0614141.812345.6789%2F%26%25%22!%3F()", "urn:epc:id:sgtin:0614141.812345.6789%2f", "urn:epc:id:sgtin:0614141.812345.a%41", "urn:epc:id:sgtin:0614141.812345.%00", "urn:epc:id:sgtin:0614141.812345.", "urn:epc:id:sgtin:0614141.812345", "urn:epc:id:sgtin:0614141.812345.*", "urn:epc:idpat:sgtin:0614141.812345.*", "urn:epc:idpat:lgtin:0614141.812345.*", "urn:epc:class:sgtin:0614141.812345.1", "urn:epc:id:lgtin:0614141.812345.1",
	"urn:epc:id:sgln:4374736473.64.0", "urn:epc:id:sgln:4374736473.64.00", "urn:epc:id:sgln:4374736473.64.%30", "urn:epc:id:sgln:437473647364..1", "urn:epc:id:pgln:437473647364.", "urn:epc:id:pgln:437473647364", "urn:epc:id:sscc:0614141.1234567890", "urn:epc:id:grai:123456789012..4", "urn:epc:idpat:grai:1234567.89012.*",
	"urn:epc:id:giai:0614141.12345400", "urn:epc:id:giai:061414112345.", "urn:epc:id:ginc:061414112345.", "urn:epc:id:giai:0614141.a.b.c", "urn:epc:id:giai:0614141." + strings.Repeat("x", 23), "urn:epc:id:giai:0614141." + strings.Repeat("x", 24),
	"urn:epc:id:gsrn:0614141.1234567890", "urn:epc:id:gsrnp:0614141.1234567890", "urn:epc:id:gsin:0614141.123456789", "urn:epc:id:gdti:0614141.12345.006847", "urn:epc:id:sgcn:4012345.67890.04711", "urn:epc:id:sgcn:4012345.67890.%30", "urn:epc:id:cpi:0614141.123ABC.123456789", "urn:epc:id:cpi:0614141.123ABC.0", "urn:epc:id:cpi:0614141.123ABC.01", "urn:epc:id:cpi:0614141.123ABC.%301", "urn:epc:id:cpi:0614141.123abc.1", "urn:epc:id:cpi:061414112345..1",
	"urn:epc:id:itip:493494.3399430.40.39.1", "urn:epc:idpat:itip:493494.3399430.40.39.*", "urn:epc:id:upui:1234567.089456.51qIgY)%3C%26Jp3*j7'SDB", "urn:epc:class:lgtin:4023333.002000.2019-10-07",
	"urn:ecp:id:sgtin:0614141.812345.1", "urn::id:sgtin:", "urn:id:sgtin:1", "urn:x:class:lgtin:1", "urn:x:class:lgtin", "urn:x:class:other:1", "urn:x:y:class:lgtin:1",
}

func TestIdentifiers(t *testing.T) {
	r := generator()
	c := newCases(t)
	pool := slices.Clone(odd)
	links := readDictionary(t)
	taken := 0
	for range *number {
		id := ""
		switch r.IntN(4) {
		case 0:
			id = links.link(r)
		case 1:
			id = links.link(r)
			if u := urnOf(r, id); u != "" {
				id = u
			}
		case 2:
			id = mutated(r, links.link(r))
		default:
			id = mutated(r, pool[r.IntN(len(pool))])
		}
		answer := c.identifier(id)
		if answer.Canonical != nil && gs1.IsGS1(*answer.Canonical) {
			taken++
		}
		if len(pool) < 2000 {
			pool = append(pool, id)
		}
	}
	if taken < *number/3 {
		t.Errorf("only %d of %d identifiers are GS1 identifiers: the others say little", taken, *number)
	}
	for _, id := range odd {
		c.identifier(id)
	}
	c.run()
}

// TestPublishedIdentifiers asks for the inputs and expected texts of the published
// cases, which package gs1 is held against.
func TestPublishedIdentifiers(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(testdata.Dir(t), "digitallink", "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []struct {
		Input    any
		Expected any
	}
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	r := generator()
	c := newCases(t)
	seen := 0
	for _, v := range all {
		for _, x := range []any{v.Input, v.Expected} {
			if id, ok := x.(string); ok {
				c.identifier(id)
				for range 10 {
					c.identifier(mutated(r, id))
				}
				seen++
			}
		}
	}
	if seen < 500 {
		t.Errorf("only %d texts in the published cases", seen)
	}
	c.run()
}

// A dictionary makes links of every Application Identifier.
type dictionary struct {
	ais    []string
	firsts []string // of each line of the table
	parts  map[string][]component
	keys   map[string][][]string // with their qualifiers
}

type component struct {
	set      byte
	min, max int
	optional bool
	check    string
}

func readDictionary(t *testing.T) *dictionary {
	t.Helper()
	b, err := os.ReadFile("../../src/gs1/table.ts")
	if err != nil {
		t.Fatal(err)
	}
	d := &dictionary{parts: map[string][]component{}, keys: map[string][][]string{}}
	syntax := regexp.MustCompile(`^(\[?)([NXYZ])(\.\.)?(\d+)\]?,?(.*)$`)
	for _, line := range strings.Split(strings.Split(string(b), "`")[1], "\n") {
		words := strings.Fields(line)
		var parts []component
		for _, w := range words[1:] {
			if m := syntax.FindStringSubmatch(w); m != nil {
				p := component{set: m[2][0], min: 1, optional: m[1] != "", check: m[5]}
				p.max, _ = strconv.Atoi(m[4])
				if m[3] == "" {
					p.min = p.max
				}
				parts = append(parts, p)
			}
		}
		from, to, ok := strings.Cut(words[0], "-")
		if !ok {
			to = from
		}
		d.firsts = append(d.firsts, from)
		first, _ := strconv.Atoi(from)
		last, _ := strconv.Atoi(to)
		for n := first; n <= last; n++ {
			ai := fmt.Sprintf("%0*d", len(from), n)
			d.ais = append(d.ais, ai)
			d.parts[ai] = parts
			for _, w := range words[1:] {
				if sequences, ok := strings.CutPrefix(w, "dlpkey="); ok {
					for _, s := range strings.Split(sequences, "|") {
						d.keys[ai] = append(d.keys[ai], strings.Split(s, ","))
					}
				}
			}
		}
	}
	return d
}

var characters = map[byte]string{
	'N': "0123456789",
	'X': "0123456789ABCXYZabcxyz!\"%&'()*+,-./:;<=>?_",
	'Y': "0123456789ABCXYZ#-/",
	'Z': "0123456789ABCXYZabcxyz-_=",
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// value is mostly one that the AI takes.
func (d *dictionary) value(r *rand.Rand, ai string) string {
	var value []byte
	for _, p := range d.parts[ai] {
		if p.optional && r.IntN(2) == 0 {
			break
		}
		n := p.min + r.IntN(p.max-p.min+1)
		part := make([]byte, n)
		for i := range part {
			set := characters[p.set]
			if p.set == 'X' && r.IntN(3) > 0 {
				set = set[:16]
			}
			part[i] = set[r.IntN(len(set))]
		}
		switch {
		case r.IntN(20) == 0:
		case strings.Contains(p.check, "gcppos"):
			for i := range min(n, 5) {
				part[i] = '0' + byte(r.IntN(10))
			}
		case strings.HasPrefix(p.check, "yymm"):
			copy(part, fmt.Sprintf("%02d%02d%02d", r.IntN(100), r.IntN(14), r.IntN(33)))
		case p.check == "yyyymmdd":
			copy(part, fmt.Sprintf("%04d%02d%02d", 1900+r.IntN(200), 1+r.IntN(12), 28+r.IntN(4)))
		case p.check == "hhmi":
			copy(part, fmt.Sprintf("%02d%02d", r.IntN(26), r.IntN(64)))
		case p.check == "zero":
			part[0] = '0'
		case p.check == "hyphen":
			part[0] = '-'
		case strings.HasPrefix(p.check, "iso3166") && n == 3:
			copy(part, pick(r, []string{"004", "276", "840", "894", "999", "999", "000", "528"}))
		case p.check == "iso3166alpha2":
			copy(part, pick(r, []string{"DE", "NL", "de", "D1"}))
		case p.check == "posinseqslash":
			copy(part, fmt.Sprintf("%d/%d", r.IntN(10), r.IntN(10)))
		case p.check == "iban":
			part = []byte(pick(r, []string{"DE89370400440532013000", "GB82WEST12345698765432", "GB82WEST12345698765431", "DE89"}))
		case p.check == "latitude" || p.check == "longitude":
			copy(part, fmt.Sprintf("%010d", r.IntN(4_000_000_000)))
		}
		if strings.HasPrefix(p.check, "csum,") && r.IntN(20) > 0 {
			for last := byte('0'); last <= '9'; last++ {
				part[n-1] = last
				if gs1.ValidCheckDigit(string(part)) {
					break
				}
			}
		}
		value = append(value, part...)
	}
	return string(value)
}

// escaped writes a value as a link may have it, or nearly so.
func escaped(r *rand.Rand, value string, query bool) string {
	var b strings.Builder
	for _, c := range []byte(value) {
		switch must := strings.IndexByte(`"%&+/<>?#`, c) >= 0; {
		case must && r.IntN(30) > 0 || r.IntN(12) == 0:
			fmt.Fprintf(&b, pick(r, []string{"%%%02X", "%%%02x"}), c)
		case c == ' ' && query:
			b.WriteByte('+')
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

var shortNames = map[string]string{
	"01": "gtin", "10": "lot", "21": "ser", "22": "cpv", "00": "sscc", "414": "gln", "254": "glnx", "417": "party", "8003": "grai", "8004": "giai",
	"8006": "itip", "8010": "cpid", "8011": "cpsn", "253": "gdti", "255": "gcn", "401": "ginc", "402": "gsin", "8013": "gmn", "8017": "gsrnp", "8018": "gsrn", "8019": "srin", "8020": "refno",
}

// link is mostly a Digital Link.
func (d *dictionary) link(r *rand.Rand) string {
	var b strings.Builder
	b.WriteString(pick(r, []string{"https://", "https://", "https://", "http://", "HTTPS://", "HTTP://"}))
	b.WriteString(pick(r, []string{"id.gs1.org", "id.gs1.org", "shop.example", "ID.GS1.ORG", "a:8443", "example.com/some/path", "x/01/09506000134352", "h/10/ab"}))
	key := "01"
	if r.IntN(2) == 0 {
		for key = pick(r, d.ais); d.keys[key] == nil; {
			key = pick(r, d.ais)
		}
	}
	segment := func(ai string) {
		name := ai
		if short := shortNames[ai]; short != "" && r.IntN(25) == 0 {
			name = short
		}
		value := d.value(r, ai)
		if ai == "01" && r.IntN(25) == 0 {
			value = value[pick(r, []int{1, 2, 6}):]
		}
		fmt.Fprintf(&b, "/%s/%s", name, escaped(r, value, false))
	}
	segment(key)
	for _, q := range pick(r, d.keys[key]) {
		if q != "" && r.IntN(3) > 0 {
			segment(q)
		}
	}
	if r.IntN(60) == 0 {
		b.WriteByte('/')
	}
	separator := byte('?')
	for r.IntN(3) == 0 {
		ai := pick(r, d.ais)
		b.WriteByte(separator)
		separator = '&'
		fmt.Fprintf(&b, "%s=%s", ai, escaped(r, d.value(r, ai), true))
	}
	if r.IntN(10) == 0 {
		b.WriteString(pick(r, []string{"#x", "#/01/1", "?linkType=all", "&a=b", "?", "&", "&1"}))
	}
	return b.String()
}

// urnOf writes a link as an EPC URN, "" where it is none.
func urnOf(r *rand.Rand, id string) string {
	l, err := gs1.ParseLink(id)
	if err != nil {
		return ""
	}
	urn, err := l.URN(6 + r.IntN(7))
	if err != nil {
		return ""
	}
	if r.IntN(3) == 0 {
		return mutated(r, urn)
	}
	return urn
}

var snippets = []string{
	"/", "//", ".", ":", "%", "%2F", "%00", "%zz", "%c3%a9", "+", "?", "&", "=", "#", "*", "0", "1", "9", "00", "é", "\U0001F600", " ", "\"", "\\", "^", "\x00", "\n", "\x7f", "~", "_", "@",
	"/01/", "/10/", "/21/", "/22/", "/235/", "/8020/", "/gtin/", "/lot/", "/99/", "?10=", "?21=", "&17=290101", "?235=x", "&99=a", "urn:", "epc:", "id:", "idpat:", "class:", "sgtin:", "https://", "http://", "HTTP", "id.gs1.org",
}

// mutated changes one place or a few.
func mutated(r *rand.Rand, id string) string {
	runes := []rune(id)
	for range 1 + r.IntN(3) {
		at := r.IntN(len(runes) + 1)
		end := min(len(runes), at+r.IntN(4))
		with := []rune(pick(r, snippets))
		switch r.IntN(4) {
		case 0:
			with = nil
		case 1:
			with = []rune{rune(' ' + r.IntN(95))}
		case 2:
			with = slices.Clone(runes[at:end])
			if r.IntN(2) == 0 {
				with = []rune(strings.ToUpper(string(with)))
			} else {
				end = at // twice
			}
		}
		runes = slices.Concat(runes[:at], with, runes[end:])
	}
	return string(runes)
}
