package epcis_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/provenance/epcis"
	"github.com/tallyroot/tallyroot/provenance/jcs"
)

func TestEvents(t *testing.T) {
	const a, b = `{"type":"ObjectEvent","x":1}`, `{"type":"ObjectEvent","x":2}`
	for _, c := range []struct{ name, doc, want string }{
		{"an event", a, a},
		{"an object of another kind", `{"type":"tallyroot:Product"}`, `{"type":"tallyroot:Product"}`},
		{"an array", `[` + a + `,` + b + `,7]`, a + b + `7`},
		{"an empty array", `[]`, ``},
		{"a document", `{"type":"EPCISDocument","epcisBody":{"eventList":[` + a + `,` + b + `]}}`, a + b},
		{"a query document", `{"type":"EPCISQueryDocument","epcisBody":{"queryResults":{"resultsBody":{"eventList":[` + a + `]}}}}`, a},
		{"results", `{"resultsBody":{"eventList":[` + a + `]}}`, a},
		{"a list", `{"eventList":[` + a + `]}`, a},
		{"a draft's single event", `{"type":"EPCISDocument","epcisBody":{"event":` + a + `}}`, a},
		{"an event with a misleading extension", `{"type":"ObjectEvent","eventList":[]}`, `{"eventList":[],"type":"ObjectEvent"}`},
		{"documents in an array", `[{"eventList":[` + a + `]},7,{"eventList":[` + b + `]}]`, a + `7` + b},
		{"a context", `{"@context":"urn:c","eventList":[` + a + `,7]}`, `{"@context":"urn:c","type":"ObjectEvent","x":1}7`},
		{"contexts of both", `{"@context":["urn:c",{"p":"urn:1:"}],"eventList":[{"@context":{"p":"urn:2:"}}]}`, `{"@context":["urn:c",{"p":"urn:1:"},{"p":"urn:2:"}]}`},
		{"the same context", `{"@context":"urn:c","eventList":[{"@context":"urn:c"}]}`, `{"@context":"urn:c"}`},
		{"the same address", `{"@context":["urn:c",{"p":"urn:1:"}],"eventList":[{"@context":["urn:c",{"q":"urn:2:"}]}]}`, `{"@context":["urn:c",{"p":"urn:1:"},{"q":"urn:2:"}]}`},
		{"the same object, overruled", `{"@context":[{"p":"urn:1:"},{"p":"urn:2:"}],"eventList":[{"@context":{"p":"urn:1:"}}]}`, `{"@context":[{"p":"urn:2:"},{"p":"urn:1:"}]}`},
	} {
		events, err := epcis.Events(parse(t, c.doc))
		var got strings.Builder
		for _, e := range events {
			got.Write(e.Canonical())
		}
		if err != nil || got.String() != c.want {
			t.Errorf("%s: %s (%v), want %s", c.name, got.String(), err, c.want)
		}
	}
	for _, doc := range []string{`null`, `7`, `"x"`, `{"type":"EPCISDocument"}`, `{"type":"EPCISQueryDocument","epcisBody":{}}`, `{"eventList":{}}`, `[{"eventList":7}]`} {
		if events, err := epcis.Events(parse(t, doc)); !errors.Is(err, epcis.ErrNoEvents) {
			t.Errorf("%s: %v, %v", doc, events, err)
		}
	}
}

// TestEventsKeepMeaning: what a prefix of the document means, it means in the
// event that stands alone.
func TestEventsKeepMeaning(t *testing.T) {
	doc := parse(t, `{"@context":["`+epcis.StandardContext+`",{"a":"https://a/"},{"b":"https://b/"}],"type":"EPCISDocument","epcisBody":{"eventList":[
		{"type":"ObjectEvent","a:x":1,"b:y":2},
		{"@context":[{"b":"https://c/"}],"type":"ObjectEvent","a:x":1,"b:y":2}]}}`)
	events, err := epcis.Events(doc)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"{https://a/}x=1{https://b/}y=2", "{https://a/}x=1{https://c/}y=2"} {
		if got := epcis.PreHash(events[i]); got != "eventType=ObjectEvent"+want {
			t.Errorf("event %d: %s", i, got)
		}
	}
	if original, _ := doc.Get("epcisBody"); !strings.Contains(string(original.Canonical()), `[{"a:x":1,"b:y":2,`) {
		t.Error("the document was changed")
	}
}

func TestContext(t *testing.T) {
	var zero epcis.Context
	for _, c := range []struct {
		context      epcis.Context
		prefix, want string
		known        bool
	}{
		{zero, "cbvmda", "urn:epcglobal:cbv:mda", true},
		{zero, "gs1", "https://ref.gs1.org/voc/", true},
		{zero, "ex", "", false},
		{epcis.ContextOf(parse(t, `{"gs1":"https://gs1.org/voc/","cbvmda":"urn:epcglobal:cbv:mda:"}`)), "gs1", "https://ref.gs1.org/voc/", true},
		{epcis.ContextOf(parse(t, `{"gs1":"https://gs1.org/voc/","cbvmda":"urn:epcglobal:cbv:mda:"}`)), "cbvmda", "urn:epcglobal:cbv:mda:", true},
		{epcis.ContextOf(parse(t, `{"a":"https://a/","b":"a:b/","c":{"@id":"b:c"},"d":{"@type":"@id"},"e":7}`)), "b", "https://a/b/", true},
		{epcis.ContextOf(parse(t, `[["nested"],null,7,{"@version":1.1,"@vocab":"https://v/"},{"a":"a:a"}]`)), "a", "a:a", true},
		{epcis.ContextOf(jcs.Value{}), "@vocab", "", false},
	} {
		if got, ok := c.context.Namespace(c.prefix); got != c.want || ok != c.known {
			t.Errorf("%s of %+v: %q %v, want %q %v", c.prefix, c.context, got, ok, c.want, c.known)
		}
	}
}
