package jcs_test

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	other "github.com/gowebpki/jcs"

	"github.com/tallyroot/tallyroot/internal/testdata"
	"github.com/tallyroot/tallyroot/provenance/jcs"
)

func TestCanonical(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{` { "b" : 1 , "a" : [ true , null , false ] } `, `{"a":[true,null,false],"b":1}`},
		// RFC 8785 §3.2.2 and §3.2.3, the examples.
		{`{"numbers":[1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}`,
			`{"literals":[null,true,false],"numbers":[1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`},
		{`{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}`,
			"{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\ufb33\":\"Hebrew Letter Dalet With Dagesh\"}"},
		{`-0`, `0`}, {`0.0`, `0`}, {`0e99999999999999999999`, `0`}, {`10.0`, `10`}, {`1e2`, `100`}, {`100e-2`, `1`},
		{`1e21`, `1e+21`}, {`1e20`, `100000000000000000000`}, {`0.000001`, `0.000001`}, {`0.0000001`, `1e-7`}, {`1e-10`, `1e-10`},
		{`9007199254740992`, `9007199254740992`}, {`200.50`, `200.5`}, {`-1.5E+3`, `-1500`},
		{`5e-324`, `5e-324`}, {`1.7976931348623157e308`, `1.7976931348623157e+308`},
		{`{"__proto__":{"a":1},"constructor":2}`, `{"__proto__":{"a":1},"constructor":2}`},
		{`"\b\t\n\f\r\u0001\u007f\/"`, "\"\\b\\t\\n\\f\\r\\u0001\u007f/\""},
		{`{}`, `{}`}, {`[]`, `[]`}, {`[[],{}]`, `[[],{}]`}, {`""`, `""`},
	} {
		v, err := jcs.Parse([]byte(c.in))
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if got := string(v.Canonical()); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.in, got, c.want)
		}
		if _, err := jcs.ParseCanonical([]byte(c.want)); err != nil {
			t.Errorf("%s does not parse as canonical: %v", c.want, err)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct{ in, problem string }{
		{"", "ends where"}, {"  ", "ends where"}, {"\ufeff{}", "byte order mark"}, {"{} {}", "follows"},
		{"nul", "expected null"}, {"True", "cannot begin"}, {"{a:1}", "double quotes"}, {`{"a" 1}`, "':'"},
		{`{"a":1,}`, "double quotes"}, {`[1,]`, "cannot begin"}, {`[1 2]`, "','"}, {`{"a":1`, "inside an object"}, {`[1`, "inside an array"},
		{`"abc`, "inside a string"}, {`"a` + "\n" + `"`, "control character"}, {`"\x"`, "no escape"}, {`"\u12"`, "four hexadecimal"}, {`"\`, "inside a string"},
		{`"\u0000"`, "U+0000"}, {"\"\x00\"", "control character"},
		{`"\ud800"`, "surrogate"}, {`"\ud800x"`, "surrogate"}, {`"\udc00\ud800"`, "surrogate"}, {`"\ud800\u0041"`, "surrogate"}, {`"\ud800\ud800"`, "surrogate"},
		{"\"\xff\"", "UTF-8"}, {"\"\xed\xa0\x80\"", "UTF-8"}, {"\"\xc0\x80\"", "UTF-8"}, {"\"\\n\xff\"", "UTF-8"}, {"{\"\xff\":1}", "UTF-8"},
		{`{"a":1,"b":2,"a":3}`, `"a" stands twice`}, {`{"a":1,"\u0061":2}`, `"a" stands twice`},
		{`01`, "begin with 0"}, {`-`, "digit"}, {`1.`, "digit"}, {`.5`, "cannot begin"}, {`1e`, "digit"}, {`+1`, "cannot begin"}, {`NaN`, "cannot begin"}, {`Infinity`, "cannot begin"},
		{`9007199254740993`, "would change"}, {`12345678901234567890`, "would change"}, {`0.1000000000000000055511151231257827`, "would change"}, {`1e400`, "too large"}, {`1e-400`, "would change"}, {`1e99999999999999999999`, "too large"},
		{strings.Repeat("[", 65) + strings.Repeat("]", 65), "more than 64 deep"},
		{strings.Repeat("[", 10000), "more than 64 deep"}, {strings.Repeat(`{"a":`, 10000), "more than 64 deep"},
	} {
		_, err := jcs.Parse([]byte(c.in))
		var syntax *jcs.SyntaxError
		if !errors.As(err, &syntax) || !strings.Contains(err.Error(), c.problem) {
			t.Errorf("%.60q: got %v, want an error about %q", c.in, err, c.problem)
		}
	}
	if _, err := jcs.Parse([]byte(strings.Repeat("[", 64) + strings.Repeat("]", 64))); err != nil {
		t.Errorf("depth 64 must be taken: %v", err)
	}
}

func TestErrorNamesThePlace(t *testing.T) {
	_, err := jcs.Parse([]byte(`{"sensorElementList":[{},{"sensorReport":[{"value":01}]}]}`))
	if err == nil || !strings.HasPrefix(err.Error(), "sensorElementList[1].sensorReport[0].value (byte ") {
		t.Errorf("got %v", err)
	}
}

func TestNotCanonical(t *testing.T) {
	for _, in := range []string{`{"b":1,"a":2}`, `{"a": 1}`, `1.0`, `"\u0041"`, `"\/"`, `-0`, "1\n", `1e2`, `"\u001F"`} {
		if _, err := jcs.ParseCanonical([]byte(in)); err == nil {
			t.Errorf("%s was taken as canonical", in)
		}
	}
}

func TestTree(t *testing.T) {
	v, err := jcs.Parse([]byte(`{"type":"ObjectEvent","n":1.5,"list":["a","b"],"yes":true}`))
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := v.Get("type"); !ok || s.Text() != "ObjectEvent" || s.Kind() != jcs.String {
		t.Errorf("type: %v %v", s, ok)
	}
	if n, _ := v.Get("n"); n.Float() != 1.5 || n.Number() != "1.5" {
		t.Errorf("n: %v", n)
	}
	if _, ok := v.Get("none"); ok {
		t.Error("found a member that is not there")
	}
	more := v.With("eventID", jcs.NewString("x")).With("n", jcs.NewNumber(2)).Without("yes")
	if got, want := string(more.Canonical()), `{"eventID":"x","list":["a","b"],"n":2,"type":"ObjectEvent"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := string(v.Canonical()); got != `{"list":["a","b"],"n":1.5,"type":"ObjectEvent","yes":true}` {
		t.Errorf("With changed its receiver: %s", got)
	}
	again, _ := jcs.Parse(more.Canonical())
	if !jcs.Equal(more, again) || jcs.Equal(more, v) {
		t.Error("Equal is wrong")
	}
	made := jcs.NewObject(jcs.Member{Name: "b", Value: jcs.NewBool(true)}, jcs.Member{Name: "a"}, jcs.Member{Name: "b", Value: jcs.NewArray()})
	if got := string(made.Canonical()); got != `{"a":null,"b":[]}` {
		t.Errorf("got %s", got)
	}
	if !jcs.NewNumber(math.NaN()).IsNull() {
		t.Error("NaN must be null")
	}
	many := jcs.NewObject()
	for _, c := range "abcdefghijklmnopqrstuvwxyz" {
		many = many.With(string(c), jcs.NewString(string(c)))
	}
	for _, c := range "abcdefghijklmnopqrstuvwxyz" {
		if got, ok := many.Get(string(c)); !ok || got.Text() != string(c) {
			t.Errorf("member %c of a large object is lost", c)
		}
	}
}

// TestPublishedEvents holds every published JSON example against another
// implementation of RFC 8785, and against encoding/json for the value.
func TestPublishedEvents(t *testing.T) {
	dir := testdata.Dir(t)
	seen := 0
	err := filepath.WalkDir(filepath.Join(dir, "epcis"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, ".json") {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		v, err := jcs.Parse(b)
		if err != nil {
			t.Logf("%s: %v", path, err)
			return nil
		}
		seen++
		want, err := other.Transform(b)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return nil
		}
		if got := v.Canonical(); string(got) != string(want) {
			t.Errorf("%s: differs from the other implementation", path)
		}
		var x, y any
		_ = json.Unmarshal(b, &x)
		_ = json.Unmarshal(v.Canonical(), &y)
		if !reflect.DeepEqual(x, y) {
			t.Errorf("%s: the value changed", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 50 {
		t.Errorf("only %d files parsed", seen)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5e3,"x\u00e9"]}`, `"\ud83d\ude00"`, `-0.0`, `1e21`, `[{"b":{}}]`, `4.50`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := jcs.Parse(b)
		if err != nil {
			return
		}
		canonical := v.Canonical()
		again, err := jcs.ParseCanonical(canonical)
		if err != nil {
			t.Fatalf("%q: canonical form %q does not parse: %v", b, canonical, err)
		}
		if !jcs.Equal(v, again) {
			t.Fatalf("%q changed on its way through %q", b, canonical)
		}
		if want, err := other.Transform(b); err == nil && string(want) != string(canonical) {
			t.Fatalf("%q: %q here, %q by the other implementation", b, canonical, want)
		}
	})
}

// sample is an event of the size that the service is measured with.
const sample = `{"@context":["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],"type":"ObjectEvent","eventTime":"2026-04-02T09:15:00.000+02:00","eventTimeZoneOffset":"+02:00","epcList":["https://id.gs1.org/01/09506000134352/21/1001"],"action":"OBSERVE","bizStep":"shipping","disposition":"in_transit","readPoint":{"id":"https://id.gs1.org/414/9506000134000"},"bizLocation":{"id":"https://id.gs1.org/414/9506000134017"},"bizTransactionList":[{"type":"po","bizTransaction":"urn:epcglobal:cbv:bt:9506000134000:PO-4711"}],"quantityList":[{"epcClass":"https://id.gs1.org/01/09506000134352/10/LOT-7","quantity":200.5,"uom":"KGM"}]}`

func BenchmarkParse(b *testing.B) {
	b.SetBytes(int64(len(sample)))
	b.ReportAllocs()
	in := []byte(sample)
	var out []byte
	for b.Loop() {
		v, err := jcs.Parse(in)
		if err != nil {
			b.Fatal(err)
		}
		out = v.AppendCanonical(out[:0])
	}
}
