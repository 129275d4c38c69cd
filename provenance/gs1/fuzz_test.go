package gs1

import (
	"strings"
	"testing"
)

var seeds = []string{
	"https://id.gs1.org/01/09506000134352/10/LOT-7",
	"https://id.gs1.org/01/09506000134352/22/2A/10/ABC1/21/12345?17=290426&3103=000195&linkType=all#x",
	"https://shop.example/a/01/12345678901231/235/1111ANC",
	"HTTPS://a/00/006141411234567890",
	"https://a/01/2112345678900",
	"https://a/gtin/12312312312333/ser/ABC123",
	"https://id.gs1.org/01/80614141123458/21/6789%2F%26%25%22!%3F()",
	"https://id.gs1.org/8013/1987654Ad4X4bL5ttr2310c2K",
	"https://id.gs1.org/415/9520123456788/8020/ABC%2F1",
	"https://id.gs1.org/8010/061414111111111111111-A%23%2F/8011/1234",
	"urn:epc:id:sgtin:0614141.812345.6789%2F%26%25%22!%3F()",
	"urn:epc:id:sgln:4374736473.64.0",
	"urn:epc:id:grai:123456789012..4",
	"urn:epc:id:gid:1.2.3",
	"urn:epc:class:lgtin:4023333.002000.2019-10-07",
	"urn:epc:idpat:itip:493494.3399430.40.39.*",
	"urn:uuid:5c2b4e90-1234-4abc-9876-1f2c3d4e5f63",
	"geo:47.506694,11.104301",
	"^0109506000134352\x1d",
	"",
}

func FuzzCanonical(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, id string) {
		HashForm(id)
		NormaliseShortNames(id)
		names := Identifiers(id)
		if len(names) == 0 {
			t.Fatalf("Identifiers(%q) names nothing", id)
		}
		c, err := Canonical(id)
		if err != nil {
			if len(names) != 1 || names[0] != id {
				t.Fatalf("Identifiers(%q) = %q for text without a canonical form", id, names)
			}
			return
		}
		again, err := Canonical(c)
		if err != nil || again != c {
			t.Fatalf("Canonical(%q) = %q, whose canonical form is %q, %v", id, c, again, err)
		}
		for i, name := range names {
			if n := Identifiers(name); len(n) != 1 || n[0] != name {
				t.Fatalf("Identifiers(%q)[%d] = %q, which names %q", id, i, name, n)
			}
		}
		if got := Identifiers(c); strings.Join(got, " ") != strings.Join(names, " ") {
			t.Fatalf("%q names %q, its canonical form %q", id, names, got)
		}
	})
}

func FuzzLink(f *testing.F) {
	for _, s := range seeds {
		f.Add(s, 7)
	}
	f.Fuzz(func(t *testing.T, uri string, n int) {
		l, err := ParseLink(uri)
		if err != nil {
			return
		}
		same, err := ParseLink(l.URI())
		if err != nil || !equal(l, same) {
			t.Fatalf("%q is %q, which is written %q and read %q, %v", uri, l, l.URI(), same, err)
		}
		elements, err := ParseElementString(l.ElementString())
		if err != nil || !equal(Link{Elements: elements}, Link{Elements: l.Elements}) {
			t.Fatalf("%q has the element string %q, read as %q, %v", uri, l.ElementString(), elements, err)
		}
		urn, err := l.URN(n)
		if err != nil {
			return
		}
		back, err := ParseURN(urn)
		if err != nil {
			t.Fatalf("%q gave %q, which cannot be read: %v", uri, urn, err)
		}
		// A URN names the item or the lot alone.
		if got, want := back.Canonical(), Identifiers(uri)[0]; got != want {
			t.Fatalf("%q gave %q, which is %q, want %q", uri, urn, got, want)
		}
	})
}

func FuzzURN(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, id string) {
		l, err := ParseURN(id)
		if err != nil {
			return
		}
		if _, err := ParseLink(l.Canonical()); err != nil {
			t.Fatalf("%q gave %q, which is no Digital Link: %v", id, l.Canonical(), err)
		}
		if c, err := Canonical(id); err != nil || c != l.Canonical() {
			t.Fatalf("Canonical(%q) = %q, %v, want %q", id, c, err, l.Canonical())
		}

		urn, err := l.URN(CompanyPrefixLength(id))
		if err != nil {
			t.Fatalf("%q gave %q, which has no URN: %v", id, l.Canonical(), err)
		}
		back, err := ParseURN(urn)
		if err != nil || back.Canonical() != l.Canonical() {
			t.Fatalf("%q came back as %q, %v", id, urn, err)
		}
	})
}

func FuzzElements(f *testing.F) {
	f.Add("(01)12312312312326(10)ABC123(99)XYZ789")
	f.Add(`(01)12312312312326(10)A\(BC`)
	f.Add("^010950600013435210LOT-7^17290426")
	f.Fuzz(func(t *testing.T, s string) {
		elements, err := ParseElementString(s)
		if err == nil {
			again, err := ParseElementString(Link{Elements: elements}.ElementString())
			if err != nil || !equal(Link{Elements: elements}, Link{Elements: again}) {
				t.Fatalf("%q is %q, then %q, %v", s, elements, again, err)
			}
		} else if elements, err = ParseBracketed(s); err != nil {
			return
		}
		if uri, err := Generate("", elements); err == nil {
			if _, err := ParseLink(uri); err != nil {
				t.Fatalf("%q was written %q: %v", s, uri, err)
			}
		}
	})
}

func equal(a, b Link) bool {
	if a.Stem != b.Stem || len(a.Elements) != len(b.Elements) {
		return false
	}
	for i := range a.Elements {
		if a.Elements[i] != b.Elements[i] {
			return false
		}
	}
	return true
}
