package vectors

import (
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/participant"
	"github.com/tallyroot/tallyroot/provenance/verify/verifytest"
)

// entries are bytes that are entries, and such that are none.
func entries(t testing.TB) (cases []Case) {
	w := newWorld(t)
	made := func(json string, keys ...*entry.Key) string {
		return string(verifytest.Entry(t, origin, verifytest.JSON(t, json), keys...))
	}
	good := made(`{"eventID":"urn:e:1","type":"ObjectEvent"}`, w.farm)
	both := made(`{"eventID":"urn:e:1","type":"ObjectEvent"}`, w.farm, w.mill)
	add := func(name, what, want string, b string) {
		cases = append(cases, Case{Name: "entry: " + name, What: what, Input: M{"kind": "entry", "entry": b64([]byte(b))}, Verdict: M{"reason": want}})
	}
	change := func(name, what, want, old, new string) { add(name, what, want, replaced(good, old, new)) }
	add("an event", "One signer.", "", good)
	add("a hand-over", "Two signers.", "", both)
	add("an error declaration", "Its time is a part of its identity.", "", made(`{"errorDeclaration":{"declarationTime":"2026-11-30T00:00:00Z"},"eventID":"urn:e:1","type":"ObjectEvent"}`, w.farm))
	add("an event without an id", "It has no identity.", "", made(`{"type":"ObjectEvent"}`, w.farm))
	add("an error declaration without its time", "It has no identity.", "", made(`{"errorDeclaration":{},"eventID":"urn:e:1","type":"ObjectEvent"}`, w.farm))
	add("without a type", "Whatever stands there.", "", made(`{}`, w.farm))
	add("a Genesis", "Signed by the operator.", "", string(verifytest.Entry(t, origin, w.Genesis().JSON(), w.Operator)))
	add("a Participant", "Its identity is made of its id and number.", "", made(`{"type":"tallyroot:Participant","id":"farm","number":7}`, w.Operator))
	add("an Operator", "Its identity is made of its number.", "", made(`{"type":"tallyroot:Operator","number":1}`, w.Operator))
	add("a Product", "Its identity is made of the identifier and number.", "", string(verifytest.Entry(t, origin, participant.Product{Identifier: gtin, Number: 3, Name: "Mango"}.JSON(), w.farm)))
	add("a Void", "Its identity is made of its number.", "", string(verifytest.Entry(t, origin, participant.Void{Number: 12}.JSON(), w.Operator)))
	add("a statement without a number", "It has no identity.", "", made(`{"type":"tallyroot:Place","identifier":"urn:x:1"}`, w.farm))
	add("a statement with a broken number", "It has no identity.", "", made(`{"type":"tallyroot:Place","identifier":"urn:x:1","number":1.5}`, w.farm))
	add("a statement of an unknown type", "It has no identity.", "", made(`{"type":"tallyroot:Later","number":1}`, w.farm))
	add("odd JSON", "A member named __proto__, characters that JSON leaves alone and some do not.", "", made(`{"__proto__":{"a":[1e21,5e-324,0.000001,1e-7,-1.5]},"\u007f":"\u2028\ud83d\ude00","type":"ObjectEvent"}`, w.farm))
	add("empty", "Nothing.", "header", "")
	change("another version", "Its first line says so.", "header", "/v1 ", "/v2 ")
	change("upper-case participant", "An id is a slug.", "header", " farm\n", " Farm\n")
	change("participant with an underscore", "An id is a slug.", "header", " farm\n", " far_m\n")
	change("participant of 64 characters", "An id has at most 63.", "header", " farm\n", " "+strings.Repeat("f", 64)+"\n")
	change("participant beginning with a dot", "An id begins with a letter or digit.", "header", " farm\n", " .farm\n")
	change("no participant", "There is none.", "header", " farm\n", " \n")
	change("no participants at all", "Nor a space.", "header", " farm\n", "\n")
	change("a participant twice", "Each once.", "header", " farm\n", " farm,farm\n")
	change("three participants", "At most two.", "header", " farm\n", " farm,mill,carrier\n")
	change("the operator with another", "The operator signs alone.", "header", " farm\n", " operator,farm\n")
	change("a space behind the participants", "There is one spelling.", "header", " farm\n", " farm \n")
	change("two spaces", "There is one spelling.", "header", " farm\n", "  farm\n")
	change("no origin", "It must name the log.", "header", origin, "")
	change("an origin with a plus sign", "It cannot be a key's name.", "header", origin, "v.example/log+")
	change("an origin that is not ASCII", "Origins are.", "header", origin, "v.example/l\u00f6g")
	change("carriage return behind the header", "Lines end in a line feed.", "header", " farm\n", " farm\r\n")
	change("JSON with a space", "It is not canonical.", "json", `","type"`, `", "type"`)
	change("members out of order", "They are sorted by UTF-16 units.", "json", `"eventID":"urn:e:1","type":"ObjectEvent"`, `"type":"ObjectEvent","eventID":"urn:e:1"`)
	change("member twice", "Each once.", "json", `"eventID":"urn:e:1"`, `"eventID":"urn:e:1","eventID":"urn:e:1"`)
	change("an escaped slash", "It is not canonical.", "json", `urn:e:1`, `urn:e\/1`)
	change("an escape for a letter", "It is not canonical.", "json", `urn:e:1`, `\u0075rn:e:1`)
	change("an upper-case escape", "It is not canonical.", "json", `urn:e:1`, `\u000B`)
	change("an escape where there is a short one", "It is not canonical.", "json", `urn:e:1`, `\u000a`)
	change("a lone surrogate", "It is no character.", "json", `urn:e:1`, `\ud800`)
	change("no UTF-8", "Bytes that are none.", "json", `urn:e:1`, "\xff\xfe")
	change("U+0000", "It is refused.", "json", `urn:e:1`, `\u0000`)
	change("1.0", "It is not canonical.", "json", `"urn:e:1"`, `1.0`)
	change("1E3", "It is not canonical.", "json", `"urn:e:1"`, `1E3`)
	change("-0", "It is not canonical.", "json", `"urn:e:1"`, `-0`)
	change("a number that is rounded", "2^53 + 1 is no double.", "json", `"urn:e:1"`, `9007199254740993`)
	change("a number that is too large", "It becomes infinite.", "json", `"urn:e:1"`, `1e309`)
	change("a byte order mark", "Before the JSON.", "json", "\n{", "\n\ufeff{")
	change("a list", "It must be an object.", "json", `{"eventID":"urn:e:1","type":"ObjectEvent"}`, `[]`)
	change("a text", "It must be an object.", "json", `{"eventID":"urn:e:1","type":"ObjectEvent"}`, `"x"`)
	change("64 deep", "As deep as it may be.", "", `"urn:e:1"`, strings.Repeat("[", 63)+strings.Repeat("]", 63))
	change("65 deep", "Deeper than it may be.", "json", `"urn:e:1"`, strings.Repeat("[", 64)+strings.Repeat("]", 64))
	change("no empty line", "One stands before the signatures.", "signatures", "\n\n", "\n")
	change("two empty lines", "One stands before the signatures.", "signatures", "\n\n", "\n\n\n")
	change("a hyphen", "It is an em dash.", "signatures", "\u2014", "-")
	change("another one's key", "The line's name is not the participant's.", "signatures", "/own/farm ", "/own/mill ")
	change("another role's key", "There are two.", "signatures", "/own/farm ", "/other/farm ")
	change("another log's key", "The line's name is not of this log.", "signatures", "\u2014 "+origin, "\u2014 other.example/log")
	change("no signature", "The line is missing.", "signatures", good[strings.Index(good, "\u2014"):], "")
	add("a signature too few", "Two participants, one line.", "signatures", both[:strings.LastIndex(both, "\u2014")])
	add("a signature too many", "One participant, two lines.", "signatures", good+good[strings.Index(good, "\u2014"):])
	add("signatures swapped", "They stand in the participants' order.", "signatures", func() string {
		first, second := strings.Index(both, "\u2014"), strings.LastIndex(both, "\u2014")
		return both[:first] + both[second:] + both[first:second]
	}())
	add("no line feed at the end", "Each line ends in one.", "signatures", good[:len(good)-1])
	add("text behind it", "Nothing follows.", "signatures", good+"x")
	add("base64 that is not canonical", "The last character has bits that say nothing.", "signatures", func() string {
		i := len(good) - 3 // the last character before the padding
		return good[:i] + string(good[i]+1) + good[i+1:]
	}())
	add("base64 without padding", "There is one spelling.", "signatures", strings.Replace(good, "=\n", "\n", 1))
	add("a signature cut short", "It has 4 and 64 bytes.", "signatures", good[:len(good)-6]+"\n")
	return cases
}

// keys are what stands in the index for entries of many shapes, what identifiers
// name, and what grants cover.
func keys(t testing.TB) (cases []Case) {
	for _, c := range []struct{ name, json string }{
		{"object event", `{"type":"ObjectEvent","action":"OBSERVE","epcList":["urn:x:1","urn:epc:id:sgtin:9506000.013435.S1"],"quantityList":[{"epcClass":"` + gtin + `/10/L1","quantity":1.5,"uom":"KGM"}],"readPoint":{"id":"urn:epc:id:sgln:9506000.00000.0"}}`},
		{"link with lot and serial", `{"type":"ObjectEvent","epcList":["https://shop.example/01/09506000134352/10/L1/21/S1?x=y#z"]}`},
		{"a lot's class URN", `{"type":"ObjectEvent","quantityList":[{"epcClass":"urn:epc:class:lgtin:9506000.013435.L1"}]}`},
		{"a pattern for a product", `{"type":"ObjectEvent","quantityList":[{"epcClass":"urn:epc:idpat:sgtin:9506000.013435.*"}]}`},
		{"a serial that is escaped", `{"type":"ObjectEvent","epcList":["urn:epc:id:sgtin:9506000.013435.a%2Fb%22","https://id.gs1.org/01/09506000134352/21/a%2fb%22"]}`},
		{"pallet", `{"type":"AggregationEvent","action":"ADD","parentID":"urn:epc:id:sscc:9506000.0000000001","childEPCs":["urn:epc:id:sgtin:9506000.013435.1","` + gtin + `/10/L/21/2"],"childQuantityList":[{"epcClass":"` + gtin + `/10/L","quantity":3}]}`},
		{"all taken out", `{"type":"AggregationEvent","action":"DELETE","parentID":"urn:epc:id:sscc:9506000.0000000001"}`},
		{"association", `{"type":"AssociationEvent","action":"ADD","parentID":"urn:epc:id:grai:9506000.00001.1","childEPCs":["urn:x:sensor"]}`},
		{"association with a place", `{"type":"AssociationEvent","action":"ADD","parentID":"urn:epc:id:sgln:9506000.00000.12","childEPCs":["urn:x:sensor"]}`},
		{"transaction", `{"type":"TransactionEvent","action":"ADD","parentID":"urn:epc:id:sscc:9506000.0000000001","epcList":["urn:x:1"],"bizTransactionList":[{"type":"po","bizTransaction":"urn:epc:id:gdti:9506000.00001.1"}]}`},
		{"transformation", `{"type":"TransformationEvent","inputEPCList":["urn:x:in"],"inputQuantityList":[{"epcClass":"` + gtin + `/10/L1"}],"outputEPCList":["urn:x:out"],"outputQuantityList":[{"epcClass":"` + gtin + `/10/L2"}],"transformationID":"urn:epc:id:gdti:9506000.00001.7"}`},
		{"in and out", `{"type":"TransformationEvent","inputEPCList":["urn:x:1"],"outputEPCList":["urn:x:1"]}`},
		{"inputs alone, at a place", `{"type":"TransformationEvent","inputEPCList":["urn:x:in"],"transformationID":"urn:x:t","readPoint":{"id":"urn:x:door"}}`},
		{"sensor", `{"type":"ObjectEvent","action":"OBSERVE","readPoint":{"id":"urn:epc:id:sgln:9506000.00000.0"},"bizLocation":{"id":"https://id.gs1.org/414/9506000000008/254/1"},"sensorElementList":[{"sensorReport":[{"type":"Temperature","value":4.5}]}]}`},
		{"empty lists name no object", `{"type":"ObjectEvent","epcList":[],"quantityList":[],"readPoint":{"id":"urn:x:door"}}`},
		{"a list of what is no string names no object", `{"type":"ObjectEvent","epcList":[7,null],"readPoint":{"id":"urn:x:door"}}`},
		{"an empty string names an object", `{"type":"ObjectEvent","epcList":[""],"readPoint":{"id":"urn:x:door"}}`},
		{"each once", `{"type":"ObjectEvent","epcList":["urn:x:1","urn:x:1"],"quantityList":[{"epcClass":"urn:x:1"}]}`},
		{"malformed members", `{"type":"ObjectEvent","epcList":"urn:x:1","childEPCs":[7,null,["urn:x:2"],{"id":"urn:x:3"}],"quantityList":[7,{"epcClass":[]},"urn:x:4"],"parentID":{},"inputEPCList":{"0":"urn:x:5"},"transformationID":null,"readPoint":"urn:x:6","bizLocation":{"id":7}}`},
		{"no identifiers: the exact strings", `{"type":"ObjectEvent","epcList":["no identifier","urn:epc:id:sgtin:bad","https://id.gs1.org/01/09506000134353","https://id.gs1.org/01/9506000134352","HTTP://X","a:\u00e9","\ud83d\ude00"]}`},
		{"unknown type", `{"type":"SomethingElse","epcList":["urn:x:1"]}`},
		{"no type", `{"epcList":["urn:x:1"]}`},
		{"a type that is no string", `{"type":["tallyroot:Participant"],"id":"farm"}`},
		{"members deeper down", `{"type":"ObjectEvent","extension":{"epcList":["urn:x:1"]},"ilmd":{"parentID":"urn:x:2"}}`},
		{"__proto__", `{"type":"ObjectEvent","__proto__":{"epcList":["urn:x:1"]},"readPoint":{"__proto__":{"id":"urn:x:2"}}}`},
		{"Genesis", `{"type":"tallyroot:Genesis","origin":"v.example/log"}`},
		{"Operator", `{"type":"tallyroot:Operator","id":"farm"}`},
		{"Participant", `{"type":"tallyroot:Participant","id":"farm","epcList":["urn:x:1"],"readPoint":{"id":"urn:x:2"}}`},
		{"Participant of an id that is none", `{"type":"tallyroot:Participant","id":"Farm & Co"}`},
		{"malformed Participant", `{"type":"tallyroot:Participant","id":7}`},
		{"Product", `{"type":"tallyroot:Product","identifier":"` + gtin + `","name":"Mango"}`},
		{"Product of a link with lot and serial", `{"type":"tallyroot:Product","identifier":"` + gtin + `/10/L/21/S"}`},
		{"Place", `{"type":"tallyroot:Place","identifier":"urn:epc:id:sgln:9506000.00000.0"}`},
		{"Void", `{"type":"tallyroot:Void","number":7}`},
		{"unknown statement", `{"type":"tallyroot:Later","epcList":["urn:x:1"]}`},
		{"sorting", `{"type":"ObjectEvent","epcList":["urn:x:b","urn:x:a","urn:x:B","\uffff","\ud83d\ude00","urn:x:aa","urn:x"]}`},
	} {
		for _, participants := range [][]string{{"farm", "dairy"}, {"operator"}} {
			name := c.name
			if participants[0] == "operator" {
				if !strings.HasPrefix(c.json, `{"type":"tallyroot:`) {
					continue
				}
				name += ", by the operator"
			}
			cases = append(cases, Case{Name: "keys: " + name, Input: M{"kind": "keys", "participants": list(participants), "json": c.json}, Verdict: M{"reason": ""}})
		}
	}
	for _, id := range identifiers {
		cases = append(cases, Case{Name: "identifier: " + id, Input: M{"kind": "identifier", "id": id}, Verdict: M{"reason": ""}})
	}
	for _, c := range []struct {
		grant, id string
		covers    bool
	}{
		{"9506000", gtin, true}, {"9506000", gtin + "/10/L", true}, {"09506000", gtin, true}, {"0950600", gtin, true}, {"95060001", gtin, true}, {"95060002", gtin, false},
		{"9506000", "https://id.gs1.org/00/395060000000000012", true}, {"9506000", "https://id.gs1.org/414/9506000000008", true}, {"9506000", "https://id.gs1.org/8003/09506000000017A", true},
		{"0950600", "https://id.gs1.org/414/9506000000008", false}, {"9506000", "https://shop.example/01/09506000134352", false}, {"9506000", "urn:x:9506000", false},
		{"urn:x:", "urn:x:1", true}, {"urn:x", "urn:x:1", false}, {"urn:x", "urn:x", true}, {"urn:x", "urn:x/1", true}, {"https://a.example/", "https://a.example/b", true},
		{"https://a.example", "https://a.example.evil/b", false}, {"https://a.example/b", "https://a.example/bc", false}, {"https://a.example/b", "https://a.example/b/c", true},
		{"https://a.example/b#", "https://a.example/b#c", true}, {gtin, gtin + "/10/L", true}, {gtin + "/10/L", gtin, false},
	} {
		cases = append(cases, Case{
			Name: "grant: " + c.grant + " of " + c.id, Input: M{"kind": "grant", "grant": c.grant, "id": c.id}, Verdict: M{"ok": c.covers},
		})
	}
	return cases
}

// identifiers in many spellings.
var identifiers = []string{
	gtin, gtin + "/10/L1", gtin + "/21/S1", gtin + "/10/L1/21/S1", gtin + "/22/V/10/L1/21/S1", gtin + "/22/V", gtin + "/235/T1",
	"http://id.gs1.org/01/09506000134352", "HTTPS://ID.GS1.ORG/01/09506000134352/10/L1", "https://shop.example/a/b/01/09506000134352/10/L1?17=271231&x=y#z",
	"https://shop.example:8443/01/09506000134352", "https://id.gs1.org/01/09506000134352?10=L1", "https://id.gs1.org/01/09506000134352/", "https://id.gs1.org/01/09506000134353",
	"https://id.gs1.org/01/9506000134352", "https://id.gs1.org/gtin/09506000134352", "https://id.gs1.org/01/09506000134352/21/S1/10/L1", "https://id.gs1.org/01/09506000134352/10/",
	"https://id.gs1.org/01/09506000134352/10/a%2Fb", "https://id.gs1.org/01/09506000134352/10/a%2fb", "https://id.gs1.org/01/09506000134352/10/a+b", "https://id.gs1.org/01/09506000134352/10/a%20b",
	"https://id.gs1.org/01/09506000134352/10/%4C1", "https://id.gs1.org/01/09506000134352/10/%00", "https://id.gs1.org/01/09506000134352/10/L%", "https://id.gs1.org/01/09506000134352/10/~._-",
	"https://id.gs1.org/01/09506000134352/10/!*'()", "https://id.gs1.org/01/09506000134352/10/123456789012345678901",
	"https://id.gs1.org/00/395060000000000012", "https://id.gs1.org/00/095060000000000014", "https://id.gs1.org/414/9506000000008", "https://id.gs1.org/414/9506000000008/254/12", "https://id.gs1.org/417/9506000000008",
	"https://id.gs1.org/8003/09506000000017A", "https://id.gs1.org/8004/9506000A", "https://id.gs1.org/253/9506000000017X", "https://id.gs1.org/8006/095060001343520102/21/S1",
	"urn:epc:id:sgtin:9506000.013435.S1", "urn:epc:id:sgtin:9506000.013435.a%2Fb", "urn:epc:id:sgtin:9506000.013435.", "urn:epc:id:sgtin:950600.0013435.S1", "urn:epc:class:lgtin:9506000.013435.L1",
	"urn:epc:idpat:sgtin:9506000.013435.*", "urn:epc:id:sscc:9506000.0000000001", "urn:epc:id:sgln:9506000.00000.0", "urn:epc:id:sgln:9506000.00000.12", "urn:epc:id:pgln:9506000.00000",
	"urn:epc:id:grai:9506000.00001.A", "urn:epc:id:giai:9506000.A1", "urn:epc:id:gdti:9506000.00001.7", "urn:epc:id:gsrn:9506000.0000000001", "urn:epc:id:gsrnp:9506000.0000000001",
	"urn:epc:id:itip:9506000.013435.01.02.S1", "urn:epc:id:cpi:9506000.P-1.7", "urn:epc:id:gid:95100000.12345.400", "urn:epc:id:upui:9506000.013435.51qIgY)%3C%26Jp3*j7`SDB",
	"URN:EPC:ID:SGTIN:9506000.013435.S1", "urn:EPC:id:sgtin:9506000.013435.S1", "urn:epc:id:sgtin:bad", "urn:epc:tag:sgtin-96:3.9506000.013435.1",
	"urn:x:1", "urn:X:1", "URN:x:1", "urn:x:a%2Fb", "urn:x:", "urn:", ":x", "x", "", " urn:x:1", "urn:x:1 ", "urn:x:\u00e9", "https://example.org/thing/7", "https://example.org", "http:", "http://",
	"https:///x", "did:web:example.org", "tallyroot:key:00", "mailto:a@b.example", "https://example.org/01/", "ni:///sha-256;abc?ver=CBV2.0",
}
