package gs1

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/internal/testdata"
)

type vector struct {
	ID, Category, Input  string
	Expected             json.RawMessage
	Error, Lenient       bool
	ElementString        string
	Options              map[string]bool
	Stem                 *string
	GCPLength            int
	EPCISCompliant       bool
	CheckDigit           bool
	Field, Format        string
	InputCheckDigitValid *bool
}

func (v vector) text(t *testing.T) string {
	t.Helper()
	var s *string
	if err := json.Unmarshal(v.Expected, &s); err != nil {
		t.Fatalf("%s: expected is no string: %v", v.ID, err)
	}
	if s == nil {
		return ""
	}
	return *s
}

func (v vector) options() Options {
	return Options{
		ZeroSuppressedGTIN:     v.Options["permitZeroSuppressedGTIN"],
		ConvenienceAlphas:      v.Options["permitConvenienceAlphas"],
		UnknownAIs:             v.Options["permitUnknownAIs"],
		UnknownAIsAsAttributes: v.Options["unknownAIAsDataAttribute"],
	}
}

// vectors are the published cases of one category, without those that their README calls lenient.
func vectors(t *testing.T, category string) []vector {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testdata.Dir(t), "digitallink", "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all, some []vector
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	lenient := 0
	for _, v := range all {
		switch {
		case v.Category != category:
		case v.Lenient:
			lenient++
		default:
			some = append(some, v)
		}
	}
	if len(some) == 0 {
		t.Fatalf("no vectors of category %s", category)
	}
	t.Logf("%s: %d vectors; %d left out: lenient, not readable by a strict parser", category, len(some), lenient)
	return some
}

func TestVectorsURNToLink(t *testing.T) {
	for category, kinds := range map[string][]string{
		"epc_urn_to_dl":   {"urn:epc:id:"},
		"class_urn_to_dl": {"urn:epc:class:", "urn:epc:idpat:"},
	} {
		for _, v := range vectors(t, category) {
			l, err := ParseURN(v.Input)
			if v.Error {
				if err == nil {
					t.Errorf("%s: %s was taken for %s", v.ID, v.Input, l.Canonical())
				}
				if c, warning, err := Examine(v.Input); err == nil && warning == "" {
					t.Errorf("%s: %s stands for %s without a word", v.ID, v.Input, c)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", v.ID, err)
				continue
			}
			if !hasOne(v.Input, kinds) {
				t.Errorf("%s: %s is none of %v", v.ID, v.Input, kinds)
			}
			want := v.text(t)
			if got := l.Canonical(); got != want {
				t.Errorf("%s: %s gave %s, want %s", v.ID, v.Input, got, want)
			}
			if got, err := Canonical(v.Input); got != want || err != nil {
				t.Errorf("%s: Canonical(%s) = %s, %v, want %s", v.ID, v.Input, got, err, want)
			}
		}
	}
}

func hasOne(s string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

func TestVectorsLinkToURN(t *testing.T) {
	for category, kinds := range map[string][]string{
		"dl_to_epc_urn":   {"urn:epc:id:"},
		"dl_to_class_urn": {"urn:epc:class:", "urn:epc:idpat:"},
	} {
		refused := 0
		for _, v := range vectors(t, category) {
			// The publisher does not look at check digits: that a wrong one is refused is shown first.
			wrong := v.InputCheckDigitValid != nil && !*v.InputCheckDigitValid
			if wrong && !v.Error {
				if _, err := ParseLink(v.Input); err == nil {
					t.Errorf("%s: %s has a wrong check digit and was taken", v.ID, v.Input)
				}
				refused++
			}
			l, err := Options{IgnoreCheckDigits: wrong}.ParseLink(v.Input)
			got := ""
			if err == nil {
				got, err = l.URN(v.GCPLength)
			}
			if err == nil && !hasOne(got, kinds) {
				err = fmt.Errorf("%s is of another kind", got)
			}
			switch {
			case v.Error && err == nil:
				t.Errorf("%s: %s was taken for %s", v.ID, v.Input, got)
			case v.Error:
			case err != nil:
				t.Errorf("%s: %v", v.ID, err)
			case got != v.text(t):
				t.Errorf("%s: %s gave %s, want %s", v.ID, v.Input, got, v.text(t))
			}
		}
		t.Logf("%s: %d have a wrong check digit, which is refused, and were tried again without looking at it", category, refused)
	}
}

func TestVectorsParse(t *testing.T) {
	for _, v := range vectors(t, "parse_dl") {
		l, err := v.options().ParseLink(v.Input)
		if v.Error {
			if err == nil {
				t.Errorf("%s: %s was taken for %v", v.ID, v.Input, l)
			}
			if c, warning, err := Examine(v.Input); err == nil && warning == "" && v.options() == (Options{}) {
				t.Errorf("%s: %s stands for %s without a word", v.ID, v.Input, c)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", v.ID, err)
			continue
		}
		var want [][2]string
		if err := json.Unmarshal(v.Expected, &want); err != nil {
			t.Fatal(err)
		}
		var got [][2]string
		for _, e := range l.Elements {
			got = append(got, [2]string{e.AI, e.Value})
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %s gave %v, want %v", v.ID, v.Input, got, want)
		}
		if got := l.ElementString(); v.ElementString != "" && got != v.ElementString {
			t.Errorf("%s: element string %s, want %s", v.ID, got, v.ElementString)
		}
	}
}

func TestVectorsGenerate(t *testing.T) {
	for _, v := range vectors(t, "generate_dl") {
		stem := ""
		if v.Stem != nil {
			stem = *v.Stem
		}
		o := v.options()
		elements, err := o.ParseBracketed(v.Input)
		got := ""
		if err == nil {
			got, err = o.Generate(stem, elements)
		}
		switch {
		case v.Error && err == nil:
			t.Errorf("%s: %s gave %s, want an error", v.ID, v.Input, got)
		case v.Error:
		case err != nil:
			t.Errorf("%s: %v", v.ID, err)
		case got != v.text(t):
			t.Errorf("%s: %s gave %s, want %s", v.ID, v.Input, got, v.text(t))
		}
	}
}

func TestVectorsPathSequence(t *testing.T) {
	for _, v := range vectors(t, "valid_path_sequence") {
		var want bool
		if err := json.Unmarshal(v.Expected, &want); err != nil {
			t.Fatal(err)
		}
		if got := ValidPathSequence(strings.Split(v.Input, "/")...); got != want {
			t.Errorf("%s: %s: %t, want %t", v.ID, v.Input, got, want)
		}
	}
}

func TestVectorsPercent(t *testing.T) {
	var want struct{ Path, Query string }
	for _, v := range vectors(t, "percent_encode") {
		if err := json.Unmarshal(v.Expected, &want); err != nil {
			t.Fatal(err)
		}
		if got := string(AppendEscaped(nil, v.Input, false)); got != want.Path {
			t.Errorf("%s: path %s, want %s", v.ID, got, want.Path)
		}
		if got := string(AppendEscaped(nil, v.Input, true)); got != want.Query {
			t.Errorf("%s: query %s, want %s", v.ID, got, want.Query)
		}
	}
	latin1 := func(s string) string { // the vectors show each byte as the character of its number
		var b strings.Builder
		for i := 0; i < len(s); i++ {
			b.WriteRune(rune(s[i]))
		}
		return b.String()
	}
	for _, v := range vectors(t, "percent_decode") {
		if err := json.Unmarshal(v.Expected, &want); err != nil {
			t.Fatal(err)
		}
		if got := latin1(Unescape(v.Input, false)); got != want.Path {
			t.Errorf("%s: path %q, want %q", v.ID, got, want.Path)
		}
		if got := latin1(Unescape(v.Input, true)); got != want.Query {
			t.Errorf("%s: query %q, want %q", v.ID, got, want.Query)
		}
	}
}

func TestVectorsCheckDigit(t *testing.T) {
	for _, v := range vectors(t, "check_digit") {
		var want bool
		if err := json.Unmarshal(v.Expected, &want); err != nil {
			t.Fatal(err)
		}
		if got := ValidCheckDigit(v.Input); got != want {
			t.Errorf("%s: %q: %t, want %t", v.ID, v.Input, got, want)
		}
	}
}

func TestVectorsShortNames(t *testing.T) {
	for _, v := range vectors(t, "normalise_short_names") {
		if got := NormaliseShortNames(v.Input); got != v.text(t) {
			t.Errorf("%s: %s gave %s, want %s", v.ID, v.Input, got, v.text(t))
		}
	}
}

func TestVectorsHashForm(t *testing.T) {
	for _, v := range vectors(t, "canonicalise_for_hash") {
		want := v.text(t)
		if want == "" {
			want = v.Input
		}
		if got := HashForm(v.Input); got != want {
			t.Errorf("%s: %s gave %s, want %s", v.ID, v.Input, got, want)
		}
	}
}

func TestVectorsValidate(t *testing.T) {
	for _, v := range vectors(t, "validate") {
		var want bool
		if err := json.Unmarshal(v.Expected, &want); err != nil {
			t.Fatal(err)
		}
		err := Validation{CompanyPrefixLength: v.GCPLength, EPCIS: v.EPCISCompliant, CheckDigit: v.CheckDigit}.Validate(v.Input)
		if (err == nil) != want {
			t.Errorf("%s: %s (prefix %d, EPCIS %t, check digit %t): valid %t, want %t: %v",
				v.ID, v.Input, v.GCPLength, v.EPCISCompliant, v.CheckDigit, err == nil, want, err)
		}
	}
}

func TestVectorsCBV(t *testing.T) {
	for _, v := range vectors(t, "cbv_vocabulary") {
		if got := CBVTerm(v.Field, v.Input, v.Format); got != v.text(t) {
			t.Errorf("%s: %s of %s as %s gave %s, want %s", v.ID, v.Input, v.Field, v.Format, got, v.text(t))
		}
	}
}

func TestVectorsCompress(t *testing.T) {
	for _, v := range vectors(t, "compress_roundtrip") {
		l, err := ParseLink(v.Input)
		if err != nil {
			t.Errorf("%s: %v", v.ID, err)
			continue
		}
		c, err := l.Compress()
		if err != nil {
			t.Errorf("%s: %v", v.ID, err)
			continue
		}
		back, err := Decompress(c)
		if err != nil || back.URI() != v.text(t) {
			t.Errorf("%s: %s was compressed to %s, which is %s, %v", v.ID, v.Input, c, back.URI(), err)
		}
	}
}
