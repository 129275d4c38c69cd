package agree

import (
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/internal/testdata"
	"github.com/tallyroot/tallyroot/provenance/jcs"
)

// texts are JSON at the edges, taken and refused.
var texts = []string{
	"", " ", "null", "nul", "True", "tru", "true false", "{}", "[]", " { } ", "[ ]", "{} {}", "\ufeff{}", "\u00a0{}", "{\ufeff}", `"` + "\ufeff" + `"`, "\v1", "\f1", "// x\n1",
	`{"a":1,}`, `[1,]`, `[,1]`, `[1 2]`, `{"a" 1}`, `{a:1}`, `{'a':1}`, `{"a":1`, `[1`, `{"a":}`, `{"a":1 "b":2}`, `{"a"}`, `{,}`,
	`{"b":1,"a":2}`, `{"a":1,"a":1}`, `{"a":1,"\u0061":2}`, `{"__proto__":{"a":1},"constructor":2}`, `{"__proto__":1,"__proto__":1}`, `{"__proto__":null}`, `{"toString":1,"valueOf":2,"hasOwnProperty":3}`,
	`{"2":1,"10":2,"1":3}`, `{"1":3,"10":2,"2":1}`, `{"":1}`, `{"` + "\U0001F600" + `":1,"` + "\ufb33" + `":2}`, `{"` + "\ufb33" + `":2,"` + "\U0001F600" + `":1}`, `{"é":1,"e\u0301":2}`,
	`"`, `"a`, `"\`, `"\"`, `"\x"`, `"\u12"`, `"\u12g4"`, `"\u0000"`, "\"\x00\"", "\"\n\"", "\"\x1f\"", "\"\x7f\"", `"\u007f"`, `"\/"`, `"\b\t\n\f\r\u0001\u001F\u001f"`, `"\B"`, `"\u2028"`, "\"\u2028\u2029\"", `"\U0041"`, `"a` + "\t" + `"`,
	`"\ud800"`, `"\udc00"`, `"\ud800x"`, `"\udc00\ud800"`, `"\ud83d\ude00"`, `"\uD83D\uDE00"`, `"\ud800\u0041"`, `"\ud800\ud800"`, `"\ud83d` + "\xed\xb8\x80" + `"`, `{"\ud800":1}`, `"\ud83d\\ude00"`,
	"\"\xff\"", "\"\xed\xa0\x80\"", "\"\xc0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xe2\x82\"", "\xff", "\"\ufffd\"", "\"\uffff\"",
	"0", "-0", "-0.0", "0.0", "0e5", "0e99999999999999999999", "00", "01", "-", "-01", "+1", ".5", "1.", "1.e1", "1e", "1e+", "1E5", "1e5", "1e05", "1e+21", "1e21", "1e20", "100000000000000000000", "1000000000000000000000", "0x1", "1_0", "NaN", "Infinity", "-Infinity", "1n",
	"9007199254740991", "9007199254740992", "9007199254740993", "9007199254740994", "12345678901234567890", "0.1", "0.10", "0.1000000000000000055511151231257827", "0.3", "0.30000000000000004", "1e400", "-1e400", "1e-400", "1e308", "1.7976931348623157e308", "1.7976931348623159e308", "5e-324", "4.9e-324", "2e-324", "2.2250738585072014e-308", "1e99999999999999999999", "1e-99999999999999999999", "0.000001", "0.0000001", "1e-7", "1.5e-7", "123456789012345680", "123456789012345678", "1e2147483648", "0e2147483648", "0.00000000000000000000000000000000000000000001e44",
	strings.Repeat("[", 64) + strings.Repeat("]", 64), strings.Repeat("[", 65) + strings.Repeat("]", 65), strings.Repeat("[", 64) + "1" + strings.Repeat("]", 64), strings.Repeat(`{"a":`, 64) + "{}" + strings.Repeat("}", 64), strings.Repeat(`{"a":`, 64) + "1" + strings.Repeat("}", 64), strings.Repeat("[", 10000),
	strings.Repeat("9", 400), "0." + strings.Repeat("0", 400) + "1", "1" + strings.Repeat("0", 308), "1" + strings.Repeat("0", 309), "1" + strings.Repeat("0", 308) + ".0", "1." + strings.Repeat("0", 5000), "1" + strings.Repeat("0", 100_000) + "1",
}

func TestJSON(t *testing.T) {
	r := generator()
	c := newCases(t)
	taken := 0
	for _, s := range texts {
		c.json([]byte(s))
	}
	for range *number {
		w := writer{r: r, loose: r.IntN(3) > 0}
		w.value(1 + r.IntN(4))
		b := w.b
		if r.IntN(2) == 0 {
			b = mutatedBytes(r, b)
		}
		if c.json(b).Canonical != nil {
			taken++
		}
	}
	if taken < *number/3 || taken > *number*9/10 {
		t.Errorf("%d of %d texts are taken: too one-sided", taken, *number)
	}
	c.run()
}

// writer writes a random JSON value, canonical or loosely.
type writer struct {
	r     *rand.Rand
	loose bool
	b     []byte
}

func (w *writer) space() {
	if w.loose && w.r.IntN(4) == 0 {
		w.b = append(w.b, pick(w.r, []string{" ", "\t", "\n", "\r", " \n "})...)
	}
}

func (w *writer) value(depth int) {
	w.space()
	defer w.space()
	n := 7
	if depth == 0 {
		n = 5
	}
	switch w.r.IntN(n) {
	case 0:
		w.b = append(w.b, pick(w.r, []string{"null", "true", "false"})...)
	case 1, 2:
		w.b = append(w.b, w.number()...)
	case 3, 4:
		w.string(w.text())
	case 5:
		w.b = append(w.b, '[')
		for i := range w.r.IntN(4) {
			if i > 0 {
				w.b = append(w.b, ',')
			}
			w.value(depth - 1)
		}
		w.b = append(w.b, ']')
	default:
		var names []string
		for range w.r.IntN(5) {
			names = append(names, w.text())
		}
		if !w.loose { // sorted, each once, without asking the code under test for the order
			v := jcs.NewObject()
			for _, name := range names {
				v = v.With(name, jcs.Value{})
			}
			names = names[:0]
			for _, m := range v.Members() {
				names = append(names, m.Name)
			}
		}
		w.b = append(w.b, '{')
		for i, name := range names {
			if i > 0 {
				w.b = append(w.b, ',')
			}
			w.space()
			w.string(name)
			w.space()
			w.b = append(w.b, ':')
			w.value(depth - 1)
		}
		w.b = append(w.b, '}')
	}
}

func (w *writer) text() string {
	letters := []string{"a", "b", "id", "type", "__proto__", "1", "10", "2", "é", "\ufb33", "\uffff", "\U0001F600", "\U0010FFFF", "\ud7ff", "\ue000", "\"", "\\", "/", "\b", "\n", "\x01", "\x1f", "\x7f", "\u2028", "\ufeff", " "}
	s := ""
	for range w.r.IntN(4) {
		s += pick(w.r, letters)
	}
	return s
}

func (w *writer) string(s string) {
	canonical := jcs.NewString(s).Canonical()
	if !w.loose || w.r.IntN(2) == 0 {
		w.b = append(w.b, canonical...)
		return
	}
	w.b = append(w.b, '"')
	for _, c := range s {
		switch {
		case c == '/' && w.r.IntN(2) == 0:
			w.b = append(w.b, `\/`...)
		case c > 0xffff:
			w.b = fmt.Appendf(w.b, `\u%04x\u%04X`, 0xd800+(c-0x10000)>>10, 0xdc00+(c-0x10000)&0x3ff)
		case c < 0x20 || c == '"' || c == '\\' || w.r.IntN(3) == 0:
			w.b = fmt.Appendf(w.b, pick(w.r, []string{`\u%04x`, `\u%04X`}), c)
		default:
			w.b = append(w.b, string(c)...)
		}
	}
	w.b = append(w.b, '"')
}

func (w *writer) number() string {
	f := math.Float64frombits(w.r.Uint64())
	if w.r.IntN(2) == 0 {
		f = math.Ldexp(float64(w.r.IntN(1<<20)), w.r.IntN(120)-60)
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		f = 0
	}
	if !w.loose {
		return jcs.NewNumber(f).Number()
	}
	switch w.r.IntN(6) {
	case 0:
		return strconv.FormatFloat(f, 'e', -1, 64)
	case 1:
		return strconv.FormatFloat(f, 'f', -1, 64)
	case 2:
		return strconv.FormatFloat(f, 'E', w.r.IntN(20), 64)
	case 3:
		return strconv.FormatUint(w.r.Uint64()>>w.r.IntN(64), 10)
	case 4:
		return fmt.Sprintf("%d.%0*d", w.r.IntN(1000), 1+w.r.IntN(18), w.r.IntN(1000))
	}
	return fmt.Sprintf("%de%d", w.r.IntN(100000), w.r.IntN(40)-20)
}

func mutatedBytes(r *rand.Rand, b []byte) []byte {
	b = slices.Clone(b)
	for range 1 + r.IntN(2) {
		at := r.IntN(len(b) + 1)
		end := min(len(b), at+r.IntN(3))
		var with []byte
		switch r.IntN(4) {
		case 0:
		case 1:
			with = []byte{byte(r.IntN(256))}
		case 2:
			with = []byte(pick(r, []string{"{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "\\ud83d", "\\ude00", "\\u0000", "0", "9", ".", "e", "E", "-", "+", "\xef\xbb\xbf", "\xed\xa0\xbd", "\xc3", "null", `"a":1,`, " "}))
		default:
			with = slices.Clone(b[at:end])
			end = at
		}
		b = slices.Concat(b[:at], with, b[end:])
	}
	return b
}

// members are those that Keys looks at, and a few others.
var (
	lists      = []string{"epcList", "childEPCs", "outputEPCList", "inputEPCList"}
	quantities = []string{"quantityList", "childQuantityList", "outputQuantityList", "inputQuantityList"}
	singles    = []string{"parentID", "transformationID", "identifier", "id"}
	places     = []string{"readPoint", "bizLocation"}
	types      = []string{"ObjectEvent", "AggregationEvent", "TransformationEvent", "AssociationEvent", "tallyroot:Genesis", "tallyroot:Operator", "tallyroot:Participant", "tallyroot:Product", "tallyroot:Place", "tallyroot:Void", "tallyroot:Later", "tallyroot:", "Tallyroot:Genesis", ""}
)

func TestKeys(t *testing.T) {
	r := generator()
	c := newCases(t)
	links := readDictionary(t)
	identifier := func() string {
		switch r.IntN(4) {
		case 0:
			return pick(r, odd)
		case 1:
			return pick(r, []string{"\U0001F600", "\ufb33", "\ue000", "a\U0001F600", "a\ufb33", "urn:x:1", "a", "b", ""})
		}
		id := links.link(r)
		if u := urnOf(r, id); u != "" && r.IntN(3) == 0 {
			return u
		}
		return id
	}
	// text is an identifier, or rarely something else that may stand in its place.
	text := func() jcs.Value {
		if r.IntN(12) == 0 {
			w := writer{r: r}
			w.value(2)
			v, err := jcs.Parse(w.b)
			if err != nil {
				t.Fatalf("%s: %v", w.b, err)
			}
			return v
		}
		// JSON holds no NUL.
		return jcs.NewString(strings.ReplaceAll(identifier(), "\x00", ""))
	}
	list := func(item func() jcs.Value) jcs.Value {
		if r.IntN(12) == 0 {
			return text()
		}
		var items []jcs.Value
		for range r.IntN(4) {
			items = append(items, item())
			if r.IntN(4) == 0 {
				items = append(items, items[len(items)-1])
			}
		}
		return jcs.NewArray(items...)
	}
	object := func(name string) func() jcs.Value {
		return func() jcs.Value {
			if r.IntN(12) == 0 {
				return text()
			}
			return jcs.NewObject(jcs.Member{Name: name, Value: text()}, jcs.Member{Name: "quantity", Value: jcs.NewNumber(2)})
		}
	}
	kinds := map[uint8]int{}
	for range *number / 4 {
		v := jcs.NewObject()
		if r.IntN(10) > 0 {
			v = v.With("type", jcs.NewString(pick(r, types)))
		}
		sometimes := func(names []string, value func() jcs.Value) {
			for _, name := range names {
				if r.IntN(3) == 0 {
					v = v.With(name, value())
				}
			}
		}
		if r.IntN(3) > 0 { // else it may name no object
			sometimes(lists, func() jcs.Value { return list(text) })
			sometimes(quantities, func() jcs.Value { return list(object("epcClass")) })
		}
		sometimes(singles, text)
		sometimes(places, object("id"))
		participants := pick(r, [][]string{{"farm"}, {"farm", "dairy"}, {"operator"}})
		for _, k := range c.keys(v, participants...) {
			kinds[k.Kind]++
		}
	}
	for kind := range uint8(8) {
		if kinds[kind] < 50 {
			t.Errorf("only %d keys of kind %d", kinds[kind], kind)
		}
	}
	for _, s := range texts {
		if v, err := jcs.Parse([]byte(s)); err == nil {
			c.keys(v, "farm")
		}
	}
	c.run()
}

// TestPublishedEvents reads every published event, and gives it keys.
func TestPublishedEvents(t *testing.T) {
	r := generator()
	c := newCases(t)
	files, keys := 0, 0
	err := filepath.WalkDir(filepath.Join(testdata.Dir(t), "epcis"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, ".json") {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		c.json(b)
		for range 20 {
			c.json(mutatedBytes(r, b))
		}
		v, err := jcs.Parse(b)
		if err != nil {
			return nil
		}
		for _, event := range append(eventsIn(v), v) {
			keys += len(c.keys(event, "farm"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 50 || keys < 300 {
		t.Errorf("only %d keys in %d files", keys, files)
	}
	c.run()
}

// eventsIn finds the objects that have an eventTime, wherever they stand.
func eventsIn(v jcs.Value) (events []jcs.Value) {
	if _, ok := v.Get("eventTime"); ok {
		events = append(events, v)
	}
	for _, m := range v.Members() {
		events = append(events, eventsIn(m.Value)...)
	}
	for _, item := range v.Items() {
		events = append(events, eventsIn(item)...)
	}
	return events
}
