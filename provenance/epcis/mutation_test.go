package epcis_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/provenance/epcis"
	"github.com/tallyroot/tallyroot/provenance/jcs"
)

// mutant is an event with one thing changed.
type mutant struct {
	event jcs.Value
	path  string // of what was changed, without indices
	what  string
}

// replacements are put in the place of every value in turn.
var replacements = []string{
	`null`, `true`, `-1.5`, `""`, `"x"`, `"two words"`, `"urn:example:x"`, `"urn:epcglobal:cbv:bizstep:receiving"`, `[]`, `{}`, `["x"]`, `[1]`,
	`["urn:example:x","urn:example:x"]`, `{"id":"urn:example:x"}`, `"2026-02-30T00:00:00Z"`, `"2026-02-03T00:00:00"`, `"2026-02-03T00:00:00.5+02:00"`, `"+02:00"`, `"+2:00"`, `"ADD"`, `"DELETE"`, `"OBSERVE"`, `"KGM"`, `"receiving"`,
	`"HTTPS://example.com/x"`, `"http://example.com/%zz"`, `"urn:x:\u00e9"`, `"a:"`, `"1a:b"`, `"my_ns:x"`, `"x:y z"`, `"http://[::1]/"`, `"http://exa mple/"`, `"urn:x:\"<>"`, `"https://id.gs1.org/01/09506000134351"`,
	`"2026-02-03t00:00:00z"`, `"2026-02-03T24:00:00Z"`, `"2016-12-31T23:59:60Z"`, `"2026-02-03T00:00:00+0200"`, `"2026-02-03T00:00:00+15:00"`, `"0000-01-01T00:00:00Z"`,
	`"-14:00"`, `"+14:01"`, `"+00:60"`, `"Z"`, `"0g"`, `"a0F"`,
	`"AggregationEvent"`, `"TransformationEvent"`, `"TransactionEvent"`,
}

// mutants gives every event that differs from v in one place.
func mutants(tb testing.TB, v jcs.Value, path string, emit func(mutant)) {
	for _, text := range replacements {
		emit(mutant{parse(tb, text), path, "becomes " + text})
	}
	switch v.Kind() {
	case jcs.Object:
		for _, m := range v.Members() {
			emit(mutant{v.Without(m.Name), path + "." + m.Name, "is left out"})
			emit(mutant{v.Without(m.Name).With(m.Name+"x", m.Value), path + "." + m.Name, "is called " + m.Name + "x"})
			if strings.Contains(m.Name, ":") {
				continue // what an extension holds is nobody's business
			}
			mutants(tb, m.Value, path+"."+m.Name, func(inner mutant) {
				emit(mutant{v.With(m.Name, inner.event), inner.path, inner.what})
			})
		}
		for _, name := range []string{"more", "example:more", "ilmd", "quantityList", "childEPCs", "uom", "@id", "exa mple:x", "my_ns:x", "x:", ":x", "1a:b", "\u00e9:x", "ex:\u00e9", "http://example.com/x"} {
			if _, ok := v.Get(name); !ok {
				emit(mutant{v.With(name, jcs.NewString("x")), path, "gains " + name})
			}
		}
	case jcs.Array:
		for i, item := range v.Items() {
			if i > 2 {
				break
			}
			mutants(tb, item, path+"[]", func(inner mutant) {
				items := append([]jcs.Value(nil), v.Items()...)
				items[i] = inner.event
				emit(mutant{jcs.NewArray(items...), inner.path, inner.what})
			})
			emit(mutant{jcs.NewArray(append([]jcs.Value{item}, v.Items()...)...), path, "has its first item twice"})
		}
	}
}

// reasons are why our verdict on a mutant may differ from the schema's.
var reasons = []struct {
	why    string
	refuse bool // we do, the schema does not
	holds  func(m mutant) bool
}{
	{"only the five types are events here", true, func(m mutant) bool { return m.path == ".type" }},
	{"RFC 3986 wants something after the scheme, and no space", true, func(m mutant) bool { return m.has(`"a:"`, `"x:y z"`, "gains x:") }},
	{"identifiers have printable ASCII and a scheme in lower case", true, func(m mutant) bool { return m.has(`"HTTPS://`, `\u00e9`) }},
	{"check digits count", true, func(m mutant) bool { return m.has("09506000134351") }},
	{"xsd:dateTimeStamp has T and Z, no second 60, no year 0, no offset beyond 14:00", true, func(m mutant) bool {
		return m.has("t00:00:00z", ":60Z", "+15:00", "0000-01-01")
	}},
	{"what is put in or taken out must be said of something", true, func(m mutant) bool {
		return strings.HasPrefix(m.path, ".parentID") || strings.HasPrefix(m.path, ".action") || m.path == ".type"
	}},
	{"a name without prefix may be a term of an unknown context", false, func(m mutant) bool {
		return m.has("is called", "gains more", "gains uom", "gains ilmd", "gains quantityList", "gains childEPCs")
	}},
	{"an identifier that is no GS1 identifier stands for itself, byte for byte", false, func(m mutant) bool { return m.has("%zz") }},
}

func (m mutant) has(some ...string) bool {
	return slices.ContainsFunc(some, func(s string) bool { return strings.Contains(m.what, s) })
}

// TestMutants breaks one thing at a time in published events and compares our
// verdict with the schema's.
func TestMutants(t *testing.T) {
	dir, rows := published(t)
	judge := oracle(t)
	seen := map[string]bool{}
	met := make([]int, len(reasons))
	for _, row := range rows {
		for _, event := range eventsOf(t, filepath.Join(dir, row.File)) {
			if problems, _ := epcis.Validate(event, now); len(problems) > 0 || judge(event) != nil {
				continue
			}
			kind, _ := event.Get("type")
			action, _ := event.Get("action")
			context, _ := event.Get("@context")
			foreign := strings.Contains(string(context.Canonical()), "openepcis.io")
			mutants(t, event, "", func(m mutant) {
				key := kind.Text() + m.path + m.what
				if strings.Count(m.path, ".") == 1 { // only fields of the event itself depend on its action
					key += action.Text()
				}
				if seen[key] {
					return
				}
				seen[key] = true
				problems, _ := epcis.Validate(m.event, now)
				refused, verdict := len(problems) > 0, judge(m.event)
				if refused == (verdict != nil) {
					return
				}
				for i, reason := range reasons {
					if reason.refuse == refused && reason.holds(m) && (refused || foreign || m.has("%zz")) {
						met[i]++
						return
					}
				}
				t.Errorf("%s %s %s: problems %v, the schema says %v", kind.Text(), m.path, m.what, problems, verdict)
			})
		}
	}
	if len(seen) < 10000 {
		t.Errorf("only %d mutants", len(seen))
	}
	for i, reason := range reasons {
		if met[i] == 0 {
			t.Errorf("no mutant shows that %s", reason.why)
		}
	}
}
