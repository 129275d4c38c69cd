package epcis_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/internal/testdata"
	"github.com/tallyroot/tallyroot/provenance/epcis"
	"github.com/tallyroot/tallyroot/provenance/jcs"
)

func parse(tb testing.TB, text string) jcs.Value {
	tb.Helper()
	v, err := jcs.Parse([]byte(text))
	if err != nil {
		tb.Fatalf("%v in %s", err, text)
	}
	return v
}

func eventsOf(tb testing.TB, path string) []jcs.Value {
	tb.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	doc, err := jcs.Parse(b)
	if err != nil {
		tb.Fatalf("%s: %v", path, err)
	}
	events, err := epcis.Events(doc)
	if err != nil {
		tb.Fatalf("%s: %v", path, err)
	}
	return events
}

func isJSON(name string) bool {
	return strings.HasSuffix(name, ".json") || strings.HasSuffix(name, ".jsonld")
}

// TestPublishedHashes holds every published pre-hash string and hash against
// ours, byte for byte, in both versions.
func TestPublishedHashes(t *testing.T) {
	dir := filepath.Join(testdata.Dir(t), "eventhash")
	var published struct {
		Cases []struct {
			ID     string
			Inputs []string
			Events []map[string]any
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &published); err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, c := range published.Cases {
		for _, input := range c.Inputs {
			if !isJSON(input) {
				continue
			}
			events := eventsOf(t, filepath.Join(dir, input))
			if len(events) != len(c.Events) {
				t.Errorf("%s: %d events, want %d", input, len(events), len(c.Events))
				continue
			}
			for i, event := range events {
				for _, v := range []epcis.Version{epcis.CBV20, epcis.CBV21} {
					want, ok := c.Events[i][v.String()].(string)
					if !ok {
						continue
					}
					compared++
					if pre, ok := c.Events[i][v.String()+"_prehash"].(string); ok && pre != v.PreHash(event) {
						t.Errorf("%s event %d, %s:\n got %s\nwant %s", input, i, v, v.PreHash(event), pre)
						continue
					}
					if got := v.Hash(event); got != want {
						t.Errorf("%s event %d, %s: %s, want %s", input, i, v, got, want)
					}
				}
			}
		}
	}
	if compared < 30 {
		t.Errorf("only %d hashes compared", compared)
	}
}

// TestEqualEvents hashes documents that say the same in different words.
func TestEqualEvents(t *testing.T) {
	dir := filepath.Join(testdata.Dir(t), "eventhash")
	var published struct {
		Equal []struct {
			Rule  string
			Files []string
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &published); err != nil {
		t.Fatal(err)
	}
	groups := 0
	for _, group := range published.Equal {
		var hashes [][]string
		for _, file := range group.Files {
			if !isJSON(file) {
				continue
			}
			var list []string
			for _, event := range eventsOf(t, filepath.Join(dir, file)) {
				list = append(list, epcis.Hash(event))
			}
			hashes = append(hashes, list)
		}
		if len(hashes) < 2 {
			continue
		}
		groups++
		for _, other := range hashes[1:] {
			if strings.Join(other, " ") != strings.Join(hashes[0], " ") {
				t.Errorf("%v: %v differs from %v", group.Files, other, hashes[0])
			}
		}
	}
	if groups == 0 {
		t.Error("no group compared")
	}
}
