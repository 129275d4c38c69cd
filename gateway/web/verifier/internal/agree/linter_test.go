package agree

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/provenance/gs1"
)

// TestLinters goes through what each component of each sort of Application
// Identifier may be, and once through all that each linter tells apart.
func TestLinters(t *testing.T) {
	r := generator()
	c := newCases(t)
	d := readDictionary(t)
	linted := map[string]bool{}
	for _, ai := range d.firsts {
		if len(d.parts[ai]) == 0 {
			continue
		}
		before := d.taken(t, r, ai)
		at := 0
		for _, p := range d.parts[ai] {
			end := min(len(before), at+p.max)
			some := candidates(p)
			if !linted[p.check] {
				some = append(some, linter(p)...)
			}
			linted[p.check] = true
			for _, candidate := range some {
				c.identifier(d.linkWith(ai, before[:at]+candidate+before[end:]))
				c.identifier(d.linkWith(ai, before[:at]+candidate))
			}
			at = end
		}
	}
	for range 10 { // check characters of GS1's own
		body := d.value(r, "8013")
		body = fmt.Sprintf("%04d%.19s", r.IntN(10_000), body)
		for _, first := range cset32 {
			for _, second := range cset32 {
				if id := d.linkWith("8013", body+string(first)+string(second)); gs1.IsGS1(id) || r.IntN(50) == 0 {
					c.identifier(id)
				}
			}
		}
	}
	for _, account := range []string{"3704", "370400440532013000", "WEST12345698765432", "0Z", "ZZ9", "A", "a1", "-1", ""} {
		for _, country := range []string{"DE", "ZZ", "AA", "A1", "1A", "de", ""} {
			for n := range 100 {
				c.identifier(d.linkWith("8007", fmt.Sprintf("%s%02d%s", country, n, account)))
			}
		}
	}
	c.run()
}

const cset32 = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"

// taken gives a value of all its components with which a link is one.
func (d *dictionary) taken(t *testing.T, r *rand.Rand, ai string) string {
	t.Helper()
	whole := 0
	for _, p := range d.parts[ai] {
		whole += p.min
	}
	for range 100_000 {
		if v := d.value(r, ai); len(v) >= whole && gs1.IsGS1(d.linkWith(ai, v)) {
			return v
		}
	}
	t.Fatalf("no value of AI (%s) is taken", ai)
	return ""
}

// linkWith gives a link with an AI where it may stand.
func (d *dictionary) linkWith(ai, value string) string {
	var escaped strings.Builder
	for _, c := range []byte(value) {
		if '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' {
			escaped.WriteByte(c)
		} else {
			fmt.Fprintf(&escaped, "%%%02X", c)
		}
	}
	end := "/" + ai + "/" + escaped.String()
	if d.keys[ai] != nil {
		if ai == "415" {
			end += "/8020/1"
		}
		return gs1.Stem + end
	}
	for _, key := range [...][2]string{
		{"01", "09506000134352"}, {"414", "9506000134000"}, {"415", "9506000134000"}, {"8010", "1234A"}, {"8017", "950600013400000008"},
	} {
		for _, sequence := range d.keys[key[0]] {
			if slices.Contains(sequence, ai) {
				return gs1.Stem + "/" + key[0] + "/" + key[1] + end
			}
		}
	}
	return gs1.Stem + "/01/09506000134352?" + ai + "=" + escaped.String()
}

// candidates are values for one component of an AI, right and wrong.
func candidates(p component) (all []string) {
	all = append(all, "")
	for _, n := range []int{p.min - 1, p.min, p.max, p.max + 1} {
		for _, c := range []string{"0", "1", "9", "A", "Z", "a", "z", "-"} {
			all = append(all, strings.Repeat(c, n))
		}
	}
	return all
}

// linter gives what a component's linter has to tell apart.
func linter(p component) (all []string) {
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if p.set == 'N' && p.max <= 3 {
		for n := range []int{1, 10, 100, 1000}[p.max] {
			add("%0*d", p.max, n)
		}
	}
	for c := range 256 { // as the last character
		all = append(all, strings.Repeat("1", p.min-1)+string([]byte{byte(c)}))
	}
	all = append(all, "1", "12", "123", "1234", "12345", "a234567", "1a34567", "12a4567", "123a567", "1234a67", "01", "10",
		"%", "%4", "%41", "%4g", "%00", "a%20b%", "%%41")
	switch strings.Split(p.check, ",")[0] {
	case "csum":
		for last := range 10 {
			add("%s%d", "12345678901234567"[:p.max-1], last)
		}
	case "yymmdd", "yymmd0":
		for _, year := range []int{0, 1, 4, 22, 24, 96, 99} {
			for month := range 14 {
				for day := range 33 {
					add("%02d%02d%02d", year, month, day)
				}
			}
		}
	case "yyyymmdd":
		for _, year := range []int{0, 1600, 1800, 1900, 1904, 2000, 2022, 2024, 2100} {
			for month := range 14 {
				for day := range 33 {
					add("%04d%02d%02d", year, month, day)
				}
			}
		}
	case "hhmi":
		for hour := range 26 {
			for _, minute := range []int{0, 1, 59, 60, 61, 99} {
				add("%02d%02d", hour, minute)
			}
		}
	case "nonzero":
		for at := range p.max {
			all = append(all, strings.Repeat("0", at)+"1"+strings.Repeat("0", p.max-at-1))
		}
	case "latitude", "longitude":
		for _, limit := range []int{1_800_000_000, 3_600_000_000} {
			for _, n := range []int{limit - 1, limit, limit + 1} {
				add("%010d", n)
			}
		}
	case "iso3166alpha2":
		for _, first := range "AZa0@[" {
			for _, second := range "AZa0@[" {
				add("%c%c", first, second)
			}
		}
	case "posinseqslash":
		for first := range 10 {
			for second := range 10 {
				add("%d/%d", first, second)
			}
		}
		add("1-2")
		add("a/2")
		add("1/a")
	}
	return all
}
