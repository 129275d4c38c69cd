package agree

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/provenance/gs1"
)

// schemes of EPC URNs, and names that are none of GS1's.
var schemes = []string{"sgtin", "lgtin", "upui", "sscc", "sgln", "pgln", "grai", "giai", "ginc", "gsrn", "gsrnp", "gsin", "gdti", "sgcn", "cpi", "itip", "gid", "usdod", "adi", "bic", "imovn", "other", "SGTIN", ""}

// TestURNs goes through the lengths of every part of every scheme's URN.
func TestURNs(t *testing.T) {
	c := newCases(t)
	serials := []string{"", "*", "**", "0", "00", "01", "%30", "%301", "0%31", "a", "A", "%41", "%39", "%2F", "%2f", "%00", "%", "%4", "%zz", "%7E", "~", "/", "#", "%23", "&", "é", "a.b", ".", "a:b"}
	for n := range 32 {
		serials = append(serials, strings.Repeat("1", n), strings.Repeat("x", n), strings.Repeat("%2D", n))
	}
	digits := strings.Repeat("1234567890", 4)
	taken := map[string]bool{}
	ask := func(id, name string) {
		if answer := c.identifier(id); answer.Canonical != nil && gs1.IsGS1(*answer.Canonical) {
			taken[name] = true
		}
	}
	for _, kind := range []string{"id", "class", "idpat"} {
		for _, name := range schemes {
			for _, company := range []int{5, 6, 7, 12, 13} {
				for reference := range 33 {
					if reference > 14 && name != "giai" && name != "ginc" && name != "cpi" {
						break // elsewhere the length is fixed
					}
					for _, end := range []string{"", ".1", ".*", ".40.39.1", ".40.39.*", ".4.39.1", ".40.399.1"} {
						ask(fmt.Sprintf("urn:epc:%s:%s:%s.%s%s", kind, name, digits[:company], digits[:reference], end), name)
					}
				}
			}
			for _, reference := range []int{5, 6, 9, 10} { // of the schemes whose length is fixed
				for _, serial := range serials {
					ask(fmt.Sprintf("urn:epc:%s:%s:%s.%s.%s", kind, name, digits[:7], digits[:reference], serial), name)
					if reference == 6 {
						ask(fmt.Sprintf("urn:epc:%s:%s:%s.%s.40.39.%s", kind, name, digits[:7], digits[:reference], serial), name)
					}
				}
			}
			for _, reference := range serials {
				ask(fmt.Sprintf("urn:epc:%s:%s:%s.%s", kind, name, digits[:7], reference), name)
				ask(fmt.Sprintf("urn:epc:%s:%s:%s.%s.1", kind, name, digits[:7], reference), name)
			}
		}
	}
	for _, name := range schemes[:16] {
		if !taken[name] {
			t.Errorf("no URN of scheme %s was taken", name)
		}
	}
	c.run()
}

// TestQueries asks for links with about as many data attributes as are allowed.
func TestQueries(t *testing.T) {
	c := newCases(t)
	d := readDictionary(t)
	taken := 0
	for n := gs1.MaxAttributes - 2; n <= gs1.MaxAttributes+2; n++ {
		for _, path := range []string{"/01/09506000134352", "/01/09506000134352/22/a/10/b/21/c", "/8004/1234"} {
			var query []string
			for _, ai := range d.ais {
				if strings.HasPrefix(ai, "3") && len(ai) == 4 && len(d.parts[ai]) == 1 && d.parts[ai][0].max == 6 && len(query) < n {
					query = append(query, ai+"=000001")
				}
			}
			if answer := c.identifier("https://a" + path + "?" + strings.Join(query, "&")); answer.Canonical != nil && len(query) == n {
				taken++
			}
		}
	}
	if taken != 9 {
		t.Errorf("%d of 15 links were taken: not those with up to %d attributes", taken, gs1.MaxAttributes)
	}
	c.run()
}
