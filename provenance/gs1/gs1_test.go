package gs1

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// everyKey has each primary key of GS1 Digital Link with all of its qualifiers, in canonical form.
var everyKey = []string{
	"https://id.gs1.org/00/006141411234567890",
	"https://id.gs1.org/01/09506000134352/22/2A/10/LOT-7/21/2017",
	"https://id.gs1.org/01/09506000134352/235/TPX01",
	"https://id.gs1.org/253/9526064000028000001",
	"https://id.gs1.org/255/9526064000028000001",
	"https://id.gs1.org/401/9506000CONSIGNMENT",
	"https://id.gs1.org/402/95204454958349832",
	"https://id.gs1.org/414/9520123456788/254/32a%2Fb",
	"https://id.gs1.org/414/9520123456788/7040/1ABC",
	"https://id.gs1.org/415/9520123456788/8020/REF1",
	"https://id.gs1.org/417/9520123456788/7040/1ABC",
	"https://id.gs1.org/8003/04012345000221334455",
	"https://id.gs1.org/8004/9520614141234567/7040/1ABC",
	"https://id.gs1.org/8006/040123451234560102/22/2A/10/LOT/21/SER",
	"https://id.gs1.org/8010/9506000A-%231/8011/1234",
	"https://id.gs1.org/8013/1987654Ad4X4bL5ttr2310c2K",
	"https://id.gs1.org/8017/440018922222222226/8019/7",
	"https://id.gs1.org/8018/440018922222222226/8019/7",
}

func TestEveryKey(t *testing.T) {
	for _, uri := range everyKey {
		if c, err := Canonical(uri); err != nil || c != uri {
			t.Errorf("Canonical(%s) = %s, %v", uri, c, err)
		}
		if !IsGS1(uri) {
			t.Errorf("%s is a GS1 identifier", uri)
		}
		l, err := ParseLink(uri)
		if err != nil {
			t.Error(err)
			continue
		}
		// Each qualifier but a required one may be missing, and none may stand before another.
		path := l.path()
		for i := 1; i < len(path); i++ {
			less := Link{Elements: slices.Delete(slices.Clone(path), i, i+1)}
			_, err := ParseLink(less.URI())
			if required := lookup(path[0].AI).required == path[i].AI; (err == nil) == required {
				t.Errorf("without (%s), required %t: %v", path[i].AI, required, err)
			}
			if i > 1 {
				swapped := slices.Clone(path)
				swapped[i-1], swapped[i] = swapped[i], swapped[i-1]
				uri := Stem
				for _, e := range swapped {
					uri += "/" + e.AI + "/" + e.Value
				}
				if _, err := ParseLink(uri); err == nil {
					t.Errorf("%s has its qualifiers out of order", uri)
				}
			}
		}
	}
}

func TestCanonical(t *testing.T) {
	for _, c := range []struct{ id, want string }{
		{"https://shop.example/p?x=1", "https://shop.example/p?x=1"},
		{"https://SHOP.example/a/b/01/09506000134352/21/a%2fb?17=290426&utm=1#x", "https://id.gs1.org/01/09506000134352/21/a%2Fb"},
		{"https://id.gs1.org/01/09506000134352/21/%41%7E", ""}, // ~ is no character of a serial
		{"https://id.gs1.org/01/09506000134352/21/A(1)", "https://id.gs1.org/01/09506000134352/21/A%281%29"},
		{"urn:epc:id:sgtin:9506000.013435.A(1)%2F", "https://id.gs1.org/01/09506000134352/21/A%281%29%2F"},
		{"urn:epc:class:lgtin:9506000.013435.LOT-7", "https://id.gs1.org/01/09506000134352/10/LOT-7"},
		{"urn:epc:idpat:sgtin:9506000.013435.*", "https://id.gs1.org/01/09506000134352"},
		{"urn:epc:idpat:sgtin:9506000.*.*", ""},
		{"urn:epc:id:gid:95100000.12345.400", "urn:epc:id:gid:95100000.12345.400"},
		{"urn:epc:id:nonsense:1.2", ""},
		{"urn:uuid:5c2b4e90-1234-4abc-9876-1f2c3d4e5f63", "urn:uuid:5c2b4e90-1234-4abc-9876-1f2c3d4e5f63"},
		{"https://example.com/2021/01/05", "https://example.com/2021/01/05"},
		{"https://example.com/orders/00/123", "https://example.com/orders/00/123"},
		{"https://example.com/401/login", "https://example.com/401/login"},
		{"https://example.com/01/09506000134353", ""},           // wrong check digit
		{"https://example.com/01/09506000134352/10/", ""},       // no value
		{"https://example.com/01/09506000134352/21/a/10/b", ""}, // out of order
		{"https://example.com/01/09506000134352/10/A<B", ""},
		{"https://example.com/01/09506000134352/10/A%2", ""},
		{"https://id.gs1.org/01/123", ""},
		{"https://id.gs1.org/99/9780345418913", ""}, // nothing but GS1 identifiers stands there
		{"https://ref.gs1.org/cbv/BizStep-shipping", "https://ref.gs1.org/cbv/BizStep-shipping"},
		{"https://example.com/01/123123123123330", ""},
		{"https://example.com/01/12312312312333<bad", ""},
		{"https://example.com/253/1231231231232TEST56789012345678", ""},
		{"https://example.com/8006/04012345123456", ""},
		{"https://example.com/01/950600013435", "https://example.com/01/950600013435"}, // 12 digits, wrong check digit
		{"HtTp://a/00/006141411234567890", ""},
		{"http://", ""}, {"https:///", ""}, {"https:///a", ""}, {"https://?x", ""}, // a web URI has a host
		{"http:/a/00/006141411234567890", ""}, {"https:a", ""},
		{"https://id.gs1.org?01=09506000134352", ""},
		{"https://$a/006141411234567890", ""},
		{"https://00/006141411234567890", ""}, // its domain is missing
		{"https://00/123", "https://00/123"},
		{"https://user@my_host:8080/a?01=$", "https://user@my_host:8080/a?01=$"},
		{"https://[2001:db8::1]/a", "https://[2001:db8::1]/a"},
		{"https://shop.example", "https://shop.example"},
		{"urn:ec:id:giai:1234567890", ""}, // not urn:epc:
		{"urn:ecp:idpat:sgtin:9506000.013435.*", ""},
		{"urn:acme:id:truck:7", "urn:acme:id:truck:7"},
		{"urn:acme:id:giai", "urn:acme:id:giai"},
		{"Urn:isbn:0451450523", ""},
		{"no URI", ""}, {"", ""}, {":", ""}, {"a:", ""}, {"urn:x y", ""}, {"urn:é", ""}, {"1a:b", ""},
		{"a:b", "a:b"},
	} {
		got, err := Canonical(c.id)
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("Canonical(%q) = %q, %v, want %q", c.id, got, err, c.want)
		}
		var e *Error
		if err != nil && (!errors.As(err, &e) || e.ID != c.id || e.Problem == "" || e.Want == "") {
			t.Errorf("Canonical(%q): the error lacks something: %#v", c.id, err)
		}
	}
}

func TestWarning(t *testing.T) {
	for _, id := range []string{
		"https://example.com/gtin/09506000134352",
		"https://id.gs1.org/01/9506000134352",
		"https://id.gs1.org/gtin/9506000134352/lot/LOT-7",
	} {
		c, warning, err := Examine(id)
		if c != id || err != nil || !strings.Contains(warning, "https://id.gs1.org/01/09506000134352") {
			t.Errorf("Examine(%s) = %s, %q, %v", id, c, warning, err)
		}
	}
	for _, id := range append([]string{"https://example.com/", "urn:isbn:0451450523"}, everyKey...) {
		if _, warning, err := Examine(id); warning != "" || err != nil {
			t.Errorf("Examine(%s) warns %q, %v", id, warning, err)
		}
	}
}

func TestIdentifiers(t *testing.T) {
	const g = "https://id.gs1.org/01/09506000134352"
	for _, c := range []struct {
		id   string
		want []string
	}{
		{"https://shop.example/01/09506000134352/10/L/21/S?17=290426", []string{g + "/21/S", g + "/10/L"}},
		{g + "/22/V/10/L/21/S", []string{g + "/21/S", g + "/10/L"}},
		{g + "/22/V/21/S", []string{g + "/21/S"}},
		{g + "/22/V/10/L", []string{g + "/10/L"}},
		{g + "/22/V", []string{g + "/22/V"}},
		{g + "/235/T", []string{g + "/235/T"}},
		{g, []string{g}},
		{"https://id.gs1.org/8006/040123451234560102/10/L/21/S", []string{"https://id.gs1.org/8006/040123451234560102/21/S", "https://id.gs1.org/8006/040123451234560102/10/L"}},
		{"urn:epc:id:sgln:9520123.45678.0", []string{"https://id.gs1.org/414/9520123456788"}},
		{"https://id.gs1.org/01/09506000134353", []string{"https://id.gs1.org/01/09506000134353"}},
		{"no URI\x00", []string{"no URI\x00"}},
		{"", []string{""}},
	} {
		if got := Identifiers(c.id); !slices.Equal(got, c.want) {
			t.Errorf("Identifiers(%q) = %q, want %q", c.id, got, c.want)
		}
	}
}

func TestURNOfQualifiers(t *testing.T) {
	for _, c := range []struct{ uri, want string }{
		{"https://id.gs1.org/01/09506000134352/22/V/10/L/21/S", "urn:epc:id:sgtin:9506000.013435.S"},
		{"https://id.gs1.org/01/09506000134352/22/V/10/L", "urn:epc:class:lgtin:9506000.013435.L"},
		{"https://id.gs1.org/01/09506000134352/22/V", ""},
		{"https://id.gs1.org/414/9520123456788/254/0", ""}, // 0 says in a URN that there is none
		{"https://id.gs1.org/414/9520123456788/254/00", "urn:epc:id:sgln:9520123.45678.00"},
		{"https://id.gs1.org/414/9520123456788/7040/1ABC", ""},
		{"https://id.gs1.org/8006/040123451234560102/10/L", ""},
		{"https://id.gs1.org/415/9520123456788/8020/REF1", ""},
		{"https://id.gs1.org/8013/1987654Ad4X4bL5ttr2310c2K", ""},
		{"https://id.gs1.org/8018/440018922222222226/8019/7", ""},
		{"https://id.gs1.org/8004/9520614", ""}, // nothing but the prefix
	} {
		l, err := ParseLink(c.uri)
		if err != nil {
			t.Error(err)
			continue
		}
		if got, err := l.URN(7); got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%s: %q, %v, want %q", c.uri, got, err, c.want)
		}
	}
	if _, err := (Link{}).URN(7); err == nil {
		t.Error("the zero link has a URN")
	}
}

// The values are right or wrong by one linter of the syntax dictionary each.
func TestValueChecks(t *testing.T) {
	for _, c := range []struct{ ai, right, wrong string }{
		{"00", "006141411234567890", "006141411234567891"},
		{"8013", "1987654Ad4X4bL5ttr2310c2K", "1987654Ad4X4bL5ttr2310cK2"},
		{"8014", "1987654Ad4X4bL5ttr2310c2K", "1987654Ad4X4bL5ttr2310c22"},
		{"401", "1234A", "123A4"},
		{"8003", "04012345000221", "14012345000221"},
		{"8001", "00010000100110", "00000000100110"},
		{"8001", "00010000100190", "00010000100120"},
		{"8011", "10", "01"},
		{"17", "240229", "230229"},
		{"17", "290400", "291300"},
		{"7006", "290401", "290400"},
		{"7007", "290401290402", "290401290431"},
		{"7003", "2904012359", "2904012360"},
		{"8008", "29040123", "29040124"},
		{"8008", "2904012359", "2904012360"},
		{"8008", "290401235959", "290401235960"},
		{"7250", "20240229", "19000229"},
		{"4321", "1", "2"},
		{"4309", "02790858483015297971", "18000000013600000001"},
		{"4330", "000123-", "000123+"},
		{"7040", "1AB_", "1AB+"},
		{"7241", "80", "11"},
		{"7252", "9", "3"},
		{"7258", "1/3", "3/1"},
		{"4300", "A%20B", "A%2"},
		{"8007", "GB82WEST12345698765432", "GB82WEST12345698765433"},
		{"421", "276SW1", "000SW1"},
		{"422", "276", "999"},
		{"7030", "999ABC", "000ABC"},
		{"4307", "DE", "D1"},
		{"3910", "978123", "97X123"},
		{"8010", "1234A#-/", "1234a"},
		{"8030", "ab-_=", "ab+"},
		{"10", strings.Repeat("a", 20), strings.Repeat("a", 21)},
		{"10", `!"%&'()*+,-./:;<=>?`, "#"},
		{"253", "9526064000028" + strings.Repeat("a", 17), "9526064000028" + strings.Repeat("a", 18)},
		{"255", "9526064000028" + strings.Repeat("1", 12), "9526064000028" + strings.Repeat("1", 13)},
		{"20", "12", "1"},
		{"242", "123456", "1234567"},
	} {
		d := lookup(c.ai)
		if err := d.check(c.right, &Options{}); err != nil {
			t.Errorf("(%s) %s: %v", c.ai, c.right, err)
		}
		if err := d.check(c.wrong, &Options{}); err == nil {
			t.Errorf("(%s) %s was taken", c.ai, c.wrong)
		}
	}
}

func TestDictionaryIsSorted(t *testing.T) {
	for i := range dictionary {
		d := &dictionary[i]
		if lookup(d.ai) != d {
			t.Errorf("(%s) is not found", d.ai)
		}
		if i > 0 && dictionary[i-1].ai >= d.ai {
			t.Errorf("(%s) follows (%s)", d.ai, dictionary[i-1].ai)
		}
	}
	for _, ai := range []string{"", "0", "04", "89", "999", "7", "0a", "10 ", "25", "31050"} {
		if d := lookup(ai); d != nil {
			t.Errorf("%q is (%s)", ai, d.ai)
		}
	}
}

func TestAttributeLimit(t *testing.T) {
	uri := "https://id.gs1.org/01/09506000134352"
	n := 0
	for i := range dictionary {
		if d := &dictionary[i]; d.attribute && d.parts[0].set == 'N' && len(d.parts) == 1 && d.parts[0].max == 6 && len(d.parts[0].checks) == 0 {
			sep := "&"
			if n == 0 {
				sep = "?"
			}
			if n++; n == MaxAttributes {
				break
			}
			uri += sep + d.ai + "=000001"
		}
	}
	if _, err := ParseLink(uri + "&99=a"); err != nil {
		t.Errorf("%d AIs in the query: %v", MaxAttributes, err)
	}
	if _, err := ParseLink(uri + "&99=a&98=b"); err == nil {
		t.Errorf("%d AIs in the query were taken", MaxAttributes+1)
	}
}

func TestHashForm(t *testing.T) {
	for _, c := range []struct{ id, want string }{
		{"https://example.com/01/09506000134352/21/A%2FB", "https://example.com/01/09506000134352/21/A%2FB"}, // an escape leaves it alone
		{"https://example.com/01/09506000134353/21/A", "https://id.gs1.org/01/09506000134353/21/A"},          // no check digits
		{"https://example.com/01/09506000134352/235/A", "https://id.gs1.org/01/09506000134352/235/A"},
		{"https://example.com/01/09506000134352#x", "https://example.com/01/09506000134352#x"},
		{"https://example.com/gln/9520123456788", "https://id.gs1.org/414/9520123456788"},
		{"https://example.com/417/9520123456788/7040/1ABC", "https://example.com/417/9520123456788/7040/1ABC"},
		{"urn:epc:id:giai:4012345.A%2FB", "https://id.gs1.org/8004/4012345A%2FB"},
		{"urn:epc:id:sgln:4374736473.64.0", "https://id.gs1.org/414/4374736473640"},
		{"urn:epc:id:sgtin:bad", "urn:epc:id:sgtin:bad"},
		{"", ""},
	} {
		if got := HashForm(c.id); got != c.want {
			t.Errorf("HashForm(%q) = %q, want %q", c.id, got, c.want)
		}
	}
}
