package epcis_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/provenance/epcis"
	"github.com/tallyroot/tallyroot/provenance/jcs"
)

// base is a valid event, to be changed.
const base = `{"type":"ObjectEvent","eventTime":"2026-04-02T09:15:00+02:00","eventTimeZoneOffset":"+02:00","epcList":["https://id.gs1.org/01/09506000134352/21/1001"],"action":"ADD"}`

// changed is base with members set; null leaves one out.
func changed(tb testing.TB, changes string) jcs.Value {
	tb.Helper()
	v := parse(tb, base)
	for _, m := range parse(tb, changes).Members() {
		if m.Value.IsNull() {
			v = v.Without(m.Name)
		} else {
			v = v.With(m.Name, m.Value)
		}
	}
	return v
}

// TestProblems: each mistake is named by its path, with what was wrong and what
// would be right.
func TestProblems(t *testing.T) {
	for _, c := range []struct {
		changes string
		want    []string // "path: part of the sentence", in any order
	}{
		{`{}`, nil},
		{`{"type":null}`, []string{"type: is missing; write one of ObjectEvent"}},
		{`{"type":"ObjektEvent"}`, []string{`type: "ObjektEvent" is no type of event`}},
		{`{"type":7}`, []string{`type: is a number; give a string`}},
		{`{"eventTime":null,"action":null,"eventTimeZoneOffset":null}`, []string{"eventTime: is missing", "eventTimeZoneOffset: is missing", "action: is missing"}},
		{`{"eventTime":"2026-04-02T09:15:00"}`, []string{`eventTime: "2026-04-02T09:15:00" has no offset from UTC; write`}},
		{`{"eventTime":"yesterday"}`, []string{`eventTime: "yesterday" is no time; write`}},
		{`{"eventTime":"2026-02-29T00:00:00Z"}`, []string{`eventTime: "2026-02-29T00:00:00Z" is no time`}},
		{`{"eventTime":"2024-02-29T00:00:00Z"}`, nil},
		{`{"eventTime":"2026-04-02T24:00:00Z"}`, []string{"eventTime: "}},
		{`{"eventTime":"2026-04-02 09:15:00Z"}`, []string{`eventTime: "2026-04-02 09:15:00Z" is not in the form of xsd:dateTimeStamp`}},
		{`{"eventTimeZoneOffset":"Z"}`, []string{`eventTimeZoneOffset: "Z" is no offset`}},
		{`{"eventTimeZoneOffset":"+14:00"}`, nil},
		{`{"eventTimeZoneOffset":"+14:01"}`, []string{"eventTimeZoneOffset: "}},
		{`{"eventTimeZoneOffset":"+0200"}`, []string{"eventTimeZoneOffset: "}},
		{`{"action":"add"}`, []string{`action: "add" is no action; write ADD, OBSERVE or DELETE`}},
		{`{"bizStep":"recieving"}`, []string{`bizStep: "recieving" is no bizStep of the standard vocabulary; did you mean "receiving"?`}},
		{`{"bizStep":"urn:epcglobal:cbv:bizstep:receiving"}`, []string{`is the form of EPCIS 1.x; write the bare word, as EPCIS 2.0 has it in JSON: "receiving"`}},
		{`{"disposition":"https://ns.gs1.org/cbv/Disp-active"}`, []string{`disposition: `}},
		{`{"epcList":["https://id.gs1.org/01/09506000134353/21/1"]}`, []string{"epcList[0]: "}},
		{`{"epcList":["urn:example:a","urn:example:b","urn:example:a"]}`, []string{`epcList[2]: "urn:example:a" stands twice`}},
		{`{"epcList":["apples"]}`, []string{`epcList[0]: "apples" is not a URI`}},
		{`{"epcList":null}`, []string{"an ObjectEvent must say what it is about; give epcList, quantityList, or sensorElementList with readPoint"}},
		{`{"action":"OBSERVE","ilmd":{}}`, []string{`ilmd: stands in an ObjectEvent with action "OBSERVE"; ilmd is for action ADD`}},
		{`{"ilmd":{"lot":"7"}}`, []string{"ilmd.lot: is no field of EPCIS, and has no prefix; an extension needs a prefix"}},
		{`{"childEPCs":["urn:example:a"]}`, []string{"childEPCs: is no field of an ObjectEvent"}},
		{`{"disposition ":"active"}`, []string{"disposition : is no field of EPCIS, and has no prefix; did you mean disposition?"}},
		{`{"bizstep":"receiving"}`, []string{"bizstep: is no field of EPCIS, and has no prefix; did you mean bizStep?"}},
		{`{"@context":{"my_ns":"https://example.com/"},"my_ns:x":1}`, []string{"my_ns:x: is no name that an extension may have"}},
		{`{"quantityList":[{"epcClass":"urn:example:a","quantity":"7","uom":"kg"},{"quantity":7}]}`,
			[]string{"quantityList[0].quantity: is a number written as a string", `quantityList[0].uom: "kg" is no unit`, "quantityList[1].epcClass: is missing"}},
		{`{"quantityList":[{"epcClass":"urn:example:a","example:x":1}]}`, []string{"quantityList[0].example:x: does not belong here; leave it out; here stand only epcClass, quantity, uom"}},
		{`{"readPoint":"urn:example:dock"}`, []string{`readPoint: is a string; write {"id": "urn:example:dock"}`}},
		{`{"readPoint":{}}`, []string{"readPoint.id: is missing"}},
		{`{"sourceList":[{"source":"urn:example:a"}],"destinationList":[{"type":"owner","destination":7}]}`,
			[]string{"sourceList[0].type: is missing", `destinationList[0].type: "owner" is no type of source or destination`, "destinationList[0].destination: is a number"}},
		{`{"bizTransactionList":{}}`, []string{"bizTransactionList: is an object; give an array"}},
		{`{"persistentDisposition":{}}`, []string{"persistentDisposition: says nothing; give set, unset, or both"}},
		{`{"persistentDisposition":{"set":[]}}`, []string{"persistentDisposition.set: is empty"}},
		{`{"sensorElementList":[{"sensorReport":[{"type":"Temperature","value":"4"},{"value":5,"time":"now"}]}]}`,
			[]string{"sensorElementList[0].sensorReport[0].value: is a number written as a string", "sensorElementList[0].sensorReport[1].type: is missing", `sensorElementList[0].sensorReport[1].time: "now" is no time`}},
		{`{"sensorElementList":[{}]}`, []string{"sensorElementList[0].sensorReport: is missing"}},
		{`{"sensorElementList":[{"sensorReport":[]}]}`, []string{"sensorElementList[0].sensorReport: is empty"}},
		{`{"sensorElementList":[{"sensorReport":[{"type":"Temperature","hexBinaryValue":"0g","booleanValue":"true"}]}]}`,
			[]string{"hexBinaryValue: ", "booleanValue: is a string; give a boolean"}},
		{`{"errorDeclaration":{"reason":"typo"}}`, []string{"errorDeclaration.declarationTime: is missing", `errorDeclaration.reason: "typo" is no reason`}},
		{`{"certificationInfo":["urn:example:a",7]}`, []string{"certificationInfo[1]: is a number; give a string"}},
		{`{"eventID":"7"}`, []string{`eventID: "7" is no URI`}},
		{`{"@context":7}`, []string{"@context: is a number"}},
		{`{"@context":["https://example.com/a","https://example.com/a"]}`, []string{"@context[1]: stands twice"}},
		{`{"type":"AggregationEvent","epcList":null}`, []string{"an AggregationEvent must name the children", "parentID: is missing"}},
		{`{"type":"AggregationEvent","epcList":null,"parentID":"urn:example:p","childEPCs":["urn:example:c"]}`, nil},
		{`{"type":"AggregationEvent","epcList":null,"action":"OBSERVE","childEPCs":["urn:example:c"]}`, nil},
		{`{"type":"AggregationEvent","epcList":null,"action":"DELETE","parentID":"urn:example:p"}`, nil},
		{`{"type":"AssociationEvent","epcList":null,"action":"OBSERVE","childEPCs":["urn:example:c"]}`, []string{"parentID: is missing"}},
		{`{"type":"TransactionEvent"}`, []string{"bizTransactionList: is missing"}},
		{`{"type":"TransactionEvent","bizTransactionList":[]}`, []string{"bizTransactionList: is empty"}},
		{`{"type":"TransactionEvent","epcList":null,"bizTransactionList":[{"bizTransaction":"urn:example:po"}]}`, []string{"a TransactionEvent must say what it is about"}},
		{`{"type":"TransactionEvent","bizTransactionList":[{"bizTransaction":"urn:example:po"}]}`, nil},
		{`{"type":"TransformationEvent","epcList":null,"action":null}`, []string{"a TransformationEvent must say what went in and what came out"}},
		{`{"type":"TransformationEvent","epcList":null,"action":null,"inputEPCList":["urn:example:a"]}`, []string{"a TransformationEvent must say what came out"}},
		{`{"type":"TransformationEvent","epcList":null,"action":null,"inputEPCList":["urn:example:a"],"transformationID":"urn:example:t"}`, nil},
		{`{"type":"TransformationEvent","epcList":null,"action":null,"outputEPCList":["urn:example:a"]}`, []string{"a TransformationEvent must say what went in"}},
		{`{"type":"TransformationEvent","epcList":null,"action":null,"inputQuantityList":[{"epcClass":"urn:example:a"}],"outputQuantityList":[{"epcClass":"urn:example:b"}]}`, nil},
		{`{"type":"TransformationEvent","epcList":null,"inputEPCList":["urn:example:a"],"outputEPCList":["urn:example:b"]}`, []string{"action: is no field of a TransformationEvent"}},
	} {
		problems, _ := epcis.Validate(changed(t, c.changes), now)
		if len(problems) != len(c.want) {
			t.Errorf("%s: %d problems %v, want %v", c.changes, len(problems), problems, c.want)
			continue
		}
		for _, want := range c.want {
			found := false
			for _, p := range problems {
				found = found || strings.Contains(p.String(), want)
			}
			if !found {
				t.Errorf("%s: %v, want %q", c.changes, problems, want)
			}
		}
	}
	for _, text := range []string{`null`, `[]`, `"x"`, `7`, `true`} {
		if problems, _ := epcis.Validate(parse(t, text), now); len(problems) != 1 {
			t.Errorf("%s: %v", text, problems)
		}
	}
}

func TestWarnings(t *testing.T) {
	for _, c := range []struct{ changes, want string }{
		{`{}`, ""},
		{`{"example:x":1}`, `example:x: the prefix "example" is not defined, so it is a namespace of its own; add`},
		{`{"@context":{"example":"https://example.com/"},"example:x":{"other:y":[{"other:z":1}]}}`, `example:x.other:y: the prefix "other" is not defined`},
		{`{"@context":{"example":"https://example.com/"},"example:x":{"@context":{"other":"https://example.org/"},"other:y":1}}`, ""},
		{`{"@context":[{"example":"https://example.com/"}],"example:x":1,"gs1:y":1,"cbvmda:z":1,"https://example.com/w":1}`, ""},
		{`{"@context":"https://example.com/context.jsonld","example:x":1}`, ""},
		{`{"@context":"https://example.com/context.jsonld","eventtime":1}`, "eventtime: is no field of EPCIS; it is taken for a term of https://example.com/context.jsonld, which is not looked up; did you mean eventTime?"},
		{`{"@context":{"moisture":"https://example.com/moisture"},"moisture":1}`, ""},
		{`{"@context":{"@vocab":"https://example.com/"},"moisture":1}`, ""},
		{`{"epcList":["https://shop.example/gtin/09506000134352"]}`, "epcList[0]: "},
		{`{"epcList":["https://id.gs1.org/01/9506000134352"]}`, "epcList[0]: "},
		{`{"bizStep":"https://ref.gs1.org/cbv/BizStep-recieving"}`, "bizStep: "},
		{`{"bizStep":"cbv:BizStep-receiving"}`, ""},
		{`{"type":"TransactionEvent","epcList":["urn:example:a","urn:example:a"],"bizTransactionList":[{"bizTransaction":"urn:example:po"}]}`, `epcList[1]: "urn:example:a" stands twice`},
		{`{"eventID":"ni:///sha-256;` + strings.Repeat("0", 64) + `?ver=CBV2.0"}`, "eventID: is not the event hash of this event; its hash is " + epcis.Hash(changed(t, `{}`))},
		{`{"eventID":"` + epcis.Hash(changed(t, `{}`)) + `"}`, ""},
		{`{"eventID":"ni:///sha-256;` + strings.Repeat("0", 64) + `?ver=CBV2.1"}`, ""},
	} {
		problems, warnings := epcis.Validate(changed(t, c.changes), now)
		if len(problems) > 0 {
			t.Errorf("%s: %v", c.changes, problems)
		}
		if c.want == "" && len(warnings) > 0 || c.want != "" && (len(warnings) != 1 || !strings.Contains(warnings[0].String(), c.want)) {
			t.Errorf("%s: warnings %v, want %q", c.changes, warnings, c.want)
		}
	}
}

func TestFuture(t *testing.T) {
	event := parse(t, base)
	at := time.Date(2026, 4, 2, 7, 15, 0, 0, time.UTC)
	if _, warnings := epcis.Validate(event, at.Add(-epcis.Future)); len(warnings) > 0 {
		t.Errorf("a day ahead: %v", warnings)
	}
	if problems, warnings := epcis.Validate(event, at.Add(-epcis.Future-1)); len(problems) > 0 || len(warnings) != 1 || warnings[0].Path != "eventTime" {
		t.Errorf("more than a day ahead: %v %v", problems, warnings)
	}
}

// TestMany: a thousand mistakes give as many problems as there is room for, and
// a word that there are more.
func TestMany(t *testing.T) {
	for _, c := range []struct{ have, want int }{
		{epcis.MaxProblems, epcis.MaxProblems},
		{epcis.MaxProblems + 1, epcis.MaxProblems + 1},
		{1000, epcis.MaxProblems + 1},
	} {
		var list []string
		for i := range c.have {
			list = append(list, fmt.Sprintf("%q", fmt.Sprint("no uri ", i)))
		}
		event := changed(t, `{"epcList":[`+strings.Join(list, ",")+`]}`)
		if problems, _ := epcis.Validate(event, now); len(problems) != c.want {
			t.Errorf("%d mistakes give %d problems, want %d", c.have, len(problems), c.want)
		}
	}
}

func TestDefinitions(t *testing.T) {
	for _, n := range []int{epcis.MaxDefinitions, epcis.MaxDefinitions + 1} {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf(`"n%d":"https://example.com/%d/"`, i, i))
		}
		event := changed(t, `{"@context":{`+strings.Join(list, ",")+`}}`)
		problems, _ := epcis.Validate(event, now)
		if (len(problems) > 0) != (n > epcis.MaxDefinitions) {
			t.Errorf("%d definitions: %v", n, problems)
		}
	}
}

func TestDeclaration(t *testing.T) {
	original := changed(t, `{"eventID":"urn:uuid:1","recordTime":"2026-04-03T00:00:00Z"}`)
	declaration := changed(t, `{"eventID":"urn:uuid:1","errorDeclaration":{"declarationTime":"2026-04-04T00:00:00Z","reason":"incorrect_data"}}`)
	if at, ok := epcis.ErrorDeclared(declaration); !ok || at != "2026-04-04T00:00:00Z" {
		t.Errorf("got %q, %v", at, ok)
	}
	if _, ok := epcis.ErrorDeclared(original); ok {
		t.Error("the original is taken for a declaration")
	}
	if at, ok := epcis.ErrorDeclared(changed(t, `{"errorDeclaration":{}}`)); !ok || at != "" {
		t.Errorf("got %q, %v", at, ok)
	}
	if !epcis.SameButDeclaration(original, declaration) {
		t.Error("the declaration should fit the original")
	}
	if epcis.SameButDeclaration(original, declaration.With("action", jcs.NewString("DELETE"))) {
		t.Error("a declaration of something else fits the original")
	}
	if epcis.SameButDeclaration(jcs.Value{}, jcs.Value{}) {
		t.Error("null fits null")
	}
}

func TestIsEvent(t *testing.T) {
	for _, kind := range epcis.EventTypes() {
		if !epcis.IsEvent(parse(t, `{"type":"`+kind+`"}`)) {
			t.Errorf("%s is no event", kind)
		}
	}
	for _, text := range []string{`{}`, `{"type":"tallyroot:Product"}`, `{"type":["ObjectEvent"]}`, `"ObjectEvent"`, `{"isA":"ObjectEvent"}`} {
		if epcis.IsEvent(parse(t, text)) {
			t.Errorf("%s is an event", text)
		}
	}
}
