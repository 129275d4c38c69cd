package epcis

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tallyroot/tallyroot/internal/testdata"
)

// TestVocabularies holds the words against the published schema's.
func TestVocabularies(t *testing.T) {
	dir := filepath.Join(testdata.Dir(t), "schema", "JSON-Schema", "schemas")
	for kind, file := range map[valueKind]string{
		bizStepValue: "bizStep", dispositionValue: "disposition", bizTransactionTypeValue: "bizTransaction-type",
		sourceDestTypeValue: "source-dest-type", componentValue: "component", errorReasonValue: "error-reason",
		measurementValue: "measurement-type", alertValue: "sensor-alert-type",
	} {
		b, err := os.ReadFile(filepath.Join(dir, file+"-JSON-Schema.json"))
		if err != nil {
			t.Fatal(err)
		}
		var schema struct {
			Definitions map[string]struct {
				AnyOf []struct{ Enum []string }
			}
		}
		if err := json.Unmarshal(b, &schema); err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, d := range schema.Definitions {
			for _, a := range d.AnyOf {
				want = append(want, a.Enum...)
			}
		}
		slices.Sort(want)
		if got := vocabularies[kind].words; !slices.Equal(got, want) || len(want) == 0 {
			t.Errorf("%s: %v, the schema has %v", file, got, want)
		}
	}
}

func TestFieldNames(t *testing.T) {
	for f := fieldNone + 1; f < fieldCount; f++ {
		if fieldOf(f.String()) != f {
			t.Errorf("%s is field %d, not %d", f, fieldOf(f.String()), f)
		}
	}
	if fieldOf("") != fieldNone || fieldOf("eventtime") != fieldNone {
		t.Error("a name that is none is a field")
	}
}

func TestNearest(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"recieving", "receiving"}, {"RECEIVING", "receiving"}, {"shiping", "shipping"}, {"receivingx", "receiving"},
		{"pondering", ""}, {"x", ""}, {"", ""}, {"öäü", ""},
	} {
		if got := vocabularies[bizStepValue].nearest(c.in); got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
	if got := nearestField("epclist"); got != "epcList" {
		t.Errorf("epclist: %q", got)
	}
}
