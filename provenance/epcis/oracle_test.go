package epcis_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/tallyroot/tallyroot/internal/testdata"
	"github.com/tallyroot/tallyroot/provenance/epcis"
	"github.com/tallyroot/tallyroot/provenance/jcs"
)

// oracle is GS1's own schema with its formats asserted, for one event.
func oracle(tb testing.TB) func(event jcs.Value) error {
	tb.Helper()
	path := filepath.Join(testdata.Dir(tb), "schema", "EPCIS-JSON-Schema.json")
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		tb.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	compiler.UseRegexpEngine(compileNegative)
	if err := compiler.AddResource("epcis.json", doc); err != nil {
		tb.Fatal(err)
	}
	schema, err := compiler.Compile("epcis.json#/definitions/EPCIS-Document-Event")
	if err != nil {
		tb.Fatal(err)
	}
	return func(event jcs.Value) error {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(event.Canonical()))
		if err != nil {
			return err
		}
		return schema.Validate(v)
	}
}

// negative is a pattern ^(?!x), which Go's regular expressions lack and the
// schema needs.
type negative struct {
	*regexp.Regexp
	not bool
}

func (n negative) MatchString(s string) bool { return n.Regexp.MatchString(s) != n.not }

func compileNegative(pattern string) (jsonschema.Regexp, error) {
	inner, not := strings.CutPrefix(pattern, "^(?!")
	if not {
		pattern = "^" + strings.TrimSuffix(inner, ")")
	}
	re, err := regexp.Compile(pattern)
	return negative{re, not}, err
}

// now is after every published event.
var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

type indexRow struct {
	File, Format, EPCIS, Kind string
	Valid                     bool
	SchemaValid               *bool
}

func published(tb testing.TB) (dir string, rows []indexRow) {
	tb.Helper()
	dir = filepath.Join(testdata.Dir(tb), "epcis")
	b, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		tb.Fatal(err)
	}
	var all []indexRow
	if err := json.Unmarshal(b, &all); err != nil {
		tb.Fatal(err)
	}
	for _, row := range all {
		if row.Format == "json" && (row.Kind == "document" || row.Kind == "event" || row.Kind == "query-document") {
			rows = append(rows, row)
		}
	}
	return dir, rows
}

type difference struct {
	file   string
	event  int
	refuse bool // we do, the schema does not
	why    string
}

// differences are where our verdict on a published event differs from the
// schema's, and why.
var differences = []difference{
	{"openepcis/2.0/EPCIS/JSON/Capture/Documents/AggregationEvent_with_persistentDisposition.json", 1, false,
		"persistentDisposition in an AggregationEvent: the XML schema and CBV 2.0 have it, the JSON schema forgot it"},
	{"dpp/upstream/gs1-rail/wheel-temperature-sensor.jsonld", 0, false,
		"members without prefix, from extension contexts"},
	{"openepcis/2.0/EPCIS/JSON/Capture/Documents/SensorData_with_combined_events.json", 12, true,
		"a GRAI that does not begin with 0"},
	{"openepcis/2.0/EPCIS/JSON/Query/SensorData_with_combined_events.json", 12, true,
		"a GRAI that does not begin with 0"},
	{"openepcis/2.0/EPCIS/JSON/Query/queryDocument.json", 0, true,
		"a GRAI with a wrong check digit"},
}

// TestPublishedEvents holds our verdict on every published event against the
// schema's, and our verdict on every file against its publisher's.
func TestPublishedEvents(t *testing.T) {
	dir, rows := published(t)
	judge := oracle(t)
	compared, met := 0, 0
	for _, row := range rows {
		events := eventsOf(t, filepath.Join(dir, row.File))
		refused := 0
		for i, event := range events {
			compared++
			problems, _ := epcis.Validate(event, now)
			verdict := judge(event)
			if len(problems) > 0 {
				refused++
			}
			for _, p := range problems {
				if p.Wrong == "" || strings.ContainsAny(p.String(), "\n\r") {
					t.Errorf("%s event %d: a problem that helps nobody: %q", row.File, i, p)
				}
			}
			if (verdict == nil) == (len(problems) == 0) {
				continue
			}
			met++
			if !slices.ContainsFunc(differences, func(d difference) bool {
				return d.file == row.File && d.event == i && d.refuse == (len(problems) > 0)
			}) {
				t.Errorf("%s event %d: problems %v, the schema says %v", row.File, i, problems, verdict)
			}
		}
		if !row.Valid && refused == 0 {
			t.Errorf("%s is filed as invalid, and every event of it passes", row.File)
		}
	}
	if compared < 100 || met != len(differences) {
		t.Errorf("compared %d events; met %d of %d differences", compared, met, len(differences))
	}
}
