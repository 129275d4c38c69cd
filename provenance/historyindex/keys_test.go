package historyindex_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/internal/testdata"
	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/epcis"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/jcs"
)

func made(t testing.TB, json string, participants ...string) *entry.Entry {
	t.Helper()
	v, err := jcs.Parse([]byte(json))
	if err != nil {
		t.Fatal(err)
	}
	return &entry.Entry{Origin: "example.org/log", Participants: participants, JSON: v}
}

func TestKeys(t *testing.T) {
	const (
		gtin = "https://id.gs1.org/01/09506000134352"
		lot  = gtin + "/10/L1"
		item = gtin + "/21/S1"
	)
	for _, c := range []struct {
		name, json string
		want       []string
	}{
		{"object event", `{"type":"ObjectEvent","epcList":["urn:x:1","urn:epc:id:sgtin:9506000.013435.S1"],"quantityList":[{"epcClass":"` + lot + `"}],"readPoint":{"id":"urn:x:door"}}`,
			[]string{"object " + lot, "object " + item, "object urn:x:1"}},
		{"link with lot and serial", `{"type":"ObjectEvent","epcList":["https://shop.example/01/09506000134352/10/L1/21/S1?x=y"]}`,
			[]string{"object " + lot, "object " + item}},
		{"each once", `{"type":"ObjectEvent","epcList":["urn:x:1","urn:x:1"],"quantityList":[{"epcClass":"urn:x:1"}]}`,
			[]string{"object urn:x:1"}},
		{"aggregation", `{"type":"AggregationEvent","parentID":"urn:x:pallet","childEPCs":["urn:x:a"],"childQuantityList":[{"epcClass":"urn:x:c","quantity":2}]}`,
			[]string{"object urn:x:a", "object urn:x:c", "object urn:x:pallet"}},
		{"transformation", `{"type":"TransformationEvent","inputEPCList":["urn:x:in"],"inputQuantityList":[{"epcClass":"urn:x:inc"}],"outputEPCList":["urn:x:out"],"outputQuantityList":[{"epcClass":"urn:x:outc"}],"transformationID":"urn:x:t"}`,
			[]string{"object urn:x:out", "object urn:x:outc", "input urn:x:in", "input urn:x:inc", "transformation urn:x:t"}},
		{"in and out", `{"type":"TransformationEvent","inputEPCList":["urn:x:1"],"outputEPCList":["urn:x:1"]}`,
			[]string{"object urn:x:1", "input urn:x:1"}},
		{"inputs alone", `{"type":"TransformationEvent","inputEPCList":["urn:x:in"],"transformationID":"urn:x:t","readPoint":{"id":"urn:x:door"}}`,
			[]string{"input urn:x:in", "transformation urn:x:t", "place urn:x:door"}},
		{"sensor", `{"type":"ObjectEvent","readPoint":{"id":"urn:epc:id:sgln:9506000.00000.0"},"bizLocation":{"id":"urn:x:room"},"sensorElementList":[{}]}`,
			[]string{"place https://id.gs1.org/414/9506000000008", "place urn:x:room"}},
		{"empty lists name no object", `{"type":"ObjectEvent","epcList":[],"quantityList":[],"readPoint":{"id":"urn:x:door"}}`,
			[]string{"place urn:x:door"}},
		{"malformed members", `{"type":"ObjectEvent","epcList":"urn:x:1","childEPCs":[7,null,["urn:x:2"],{"id":"urn:x:3"}],"quantityList":[7,{"epcClass":[]},"urn:x:4"],"parentID":{},"inputEPCList":{"0":"urn:x:5"},"transformationID":null,"readPoint":"urn:x:6","bizLocation":{"id":7}}`,
			nil},
		{"no identifier: the exact string", `{"type":"ObjectEvent","epcList":["no identifier","","urn:epc:id:sgtin:bad"]}`,
			[]string{"object ", "object no identifier", "object urn:epc:id:sgtin:bad"}},
		{"unknown type", `{"type":"SomethingElse","epcList":["urn:x:1"]}`, []string{"object urn:x:1"}},
		{"no type", `{"epcList":["urn:x:1"]}`, []string{"object urn:x:1"}},
		{"type is no string", `{"type":["tallyroot:Participant"],"id":"farm"}`, nil},
		{"members deeper down", `{"type":"ObjectEvent","extension":{"epcList":["urn:x:1"]},"ilmd":{"parentID":"urn:x:2"}}`, nil},
		{"participant", `{"type":"tallyroot:Participant","id":"farm","epcList":["urn:x:1"],"readPoint":{"id":"urn:x:2"}}`, []string{"participant farm"}},
		{"malformed participant", `{"type":"tallyroot:Participant","id":7}`, nil},
		{"genesis", `{"type":"tallyroot:Genesis"}`, []string{"operator operator"}},
		{"operator", `{"type":"tallyroot:Operator","id":"farm"}`, []string{"operator operator"}},
		{"product", `{"type":"tallyroot:Product","identifier":"https://id.gs1.org/01/09506000134352","name":"Mango"}`, []string{"master " + gtin}},
		{"place", `{"type":"tallyroot:Place","identifier":"urn:epc:id:sgln:9506000.00000.0"}`, []string{"master https://id.gs1.org/414/9506000000008"}},
		{"void", `{"type":"tallyroot:Void","number":7}`, nil},
		{"unknown statement", `{"type":"tallyroot:Later","epcList":["urn:x:1"]}`, nil},
	} {
		var got []string
		for _, k := range historyindex.Keys(made(t, c.json, "farm", "dairy")) {
			got = append(got, k.String())
		}
		want := append([]string{"by dairy", "by farm"}, c.want...)
		slices.Sort(want)
		slices.Sort(got)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, want)
		}
	}
}

func TestSortedAndUnique(t *testing.T) {
	var list []string
	for n := range 3000 {
		list = append(list, fmt.Sprintf(`"urn:x:%d"`, n*7919%2500))
	}
	e := made(t, `{"epcList":[`+strings.Join(list, ",")+`],"inputEPCList":["urn:x:1"]}`, "farm")
	keys := historyindex.Keys(e)
	if len(keys) != 2502 { // more than MaxKeys: a reader still wants them all
		t.Errorf("%d keys", len(keys))
	}
	for i := 1; i < len(keys); i++ {
		if historyindex.Compare(keys[i-1], keys[i]) >= 0 {
			t.Fatalf("%v before %v", keys[i-1], keys[i])
		}
	}
	if !historyindex.Has(e, historyindex.Key{Kind: historyindex.Input, Identifier: "urn:x:1"}) || historyindex.Has(e, historyindex.Key{Kind: historyindex.Input, Identifier: "urn:x:2"}) {
		t.Error("Has is wrong")
	}
}

func TestHash(t *testing.T) {
	want := sha256.Sum256([]byte("tallyroot/index/v1/key\x00\x03\x00farm"))
	if got := (historyindex.Key{Kind: historyindex.Participant, Identifier: "farm"}).Hash(); got != want {
		t.Errorf("got %x", got)
	}
	// A fixed value: it must never change.
	got := (historyindex.Key{Kind: historyindex.Object, Identifier: "https://id.gs1.org/01/09506000134352/10/LOT-7"}).Hash()
	if s := hex.EncodeToString(got[:]); s != "53f17cecc0c6e7dfe6645ba11bcdaa6715a1664b093a3d963e681cb7ede173e2" {
		t.Errorf("got %s", s)
	}
}

func TestKindNames(t *testing.T) {
	for i, name := range []string{"object", "input", "by", "participant", "master", "transformation", "operator", "place"} {
		k, err := historyindex.ParseKind(name)
		if err != nil || int(k) != i || k.String() != name {
			t.Errorf("%s: %v, %v", name, k, err)
		}
	}
	for _, name := range []string{"", "Object", "objects", "kind 9"} {
		if _, err := historyindex.ParseKind(name); err == nil {
			t.Errorf("%q is taken as a kind", name)
		}
	}
	if historyindex.Kind(200).String() != "kind 200" {
		t.Error("an unknown kind has no name")
	}
}

// TestPublishedEvents holds that every published event can be found by
// something.
func TestPublishedEvents(t *testing.T) {
	events := 0
	err := filepath.WalkDir(filepath.Join(testdata.Dir(t), "epcis"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".jsonld") && !strings.HasSuffix(path, ".json") {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		doc, err := jcs.Parse(b)
		if err != nil {
			return nil
		}
		list, err := epcis.Events(doc)
		if err != nil {
			return nil
		}
		for _, event := range list {
			if !epcis.IsEvent(event) {
				continue
			}
			events++
			// One of the invalid examples is about nothing at all.
			if keys := historyindex.Keys(&entry.Entry{JSON: event}); (len(keys) == 0) != strings.HasSuffix(path, "ObjectEvent_without_identifier_list.json") {
				t.Errorf("%s: %d keys: %s", path, len(keys), event.Canonical())
			}
		}
		return nil
	})
	if err != nil || events < 100 {
		t.Errorf("%d events, %v", events, err)
	}
}

func FuzzKeys(f *testing.F) {
	f.Add(`{"type":"ObjectEvent","epcList":["urn:x:1"],"quantityList":[{"epcClass":"https://id.gs1.org/01/09506000134352/10/L/21/S"}]}`)
	f.Add(`{"type":"tallyroot:Participant","id":"farm"}`)
	f.Fuzz(func(t *testing.T, json string) {
		v, err := jcs.Parse([]byte(json))
		if err != nil {
			return
		}
		e := &entry.Entry{Participants: []string{"farm"}, JSON: v}
		keys := historyindex.Keys(e)
		if !reflect.DeepEqual(keys, historyindex.Keys(e)) {
			t.Error("Keys is not a function")
		}
		for _, k := range keys {
			if !historyindex.Has(e, k) {
				t.Errorf("Has does not find %v", k)
			}
		}
	})
}

func BenchmarkKeys(b *testing.B) {
	e := made(b, `{"type":"ObjectEvent","epcList":["urn:epc:id:sgtin:9506000.013435.S1","https://id.gs1.org/01/09506000134352/21/S2"],"readPoint":{"id":"urn:x:door"}}`, "farm")
	b.ReportAllocs()
	for b.Loop() {
		historyindex.Keys(e)
	}
}
