package epcis_test

import (
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/provenance/epcis"
)

// TestPreHash tables the rules of CBV 2.0 §8.9 one by one.
func TestPreHash(t *testing.T) {
	for _, c := range []struct{ rule, event, want string }{
		{"nothing", `{}`, "eventType="},
		{"left out", `{"type":"ObjectEvent","eventID":"urn:x:1","recordTime":"2026-01-01T00:00:00Z","certificationInfo":"urn:x:2","errorDeclaration":{"reason":"x"},"rdfs:comment":"c","comment":"d","@context":"urn:x:3"}`, "eventType=ObjectEvent"},
		{"empty lists and values", `{"epcList":[],"quantityList":[],"bizStep":"","sensorElementList":[{}],"readPoint":{},"bizLocation":{"id":""},"bizTransactionList":[{}],"ex:n":null}`, "eventType="},
		{"fields in order", `{"disposition":"active","bizStep":"receiving","action":"ADD","eventTimeZoneOffset":"+02:00","eventTime":"2026-04-02T09:15:00+02:00"}`,
			"eventType=eventTime=2026-04-02T07:15:00.000ZeventTimeZoneOffset=+02:00action=ADDbizStep=https://ref.gs1.org/cbv/BizStep-receivingdisposition=https://ref.gs1.org/cbv/Disp-active"},
		{"lists are sorted as bytes", `{"epcList":["urn:x:b","urn:x:É","urn:x:a","urn:x:B"]}`, "eventType=epcListepc=urn:x:Bepc=urn:x:aepc=urn:x:bepc=urn:x:É"},
		{"sorted by what is written", `{"epcList":["urn:epc:id:sscc:4012345.0000000333","https://id.gs1.org/00/040123450000001112"]}`,
			"eventType=epcListepc=https://id.gs1.org/00/040123450000001112epc=https://id.gs1.org/00/040123450000003338"},
		{"quantities", `{"quantityList":[{"uom":"KGM","quantity":200.50,"epcClass":"urn:x:b"},{"epcClass":"urn:x:a"}]}`,
			"eventType=quantityListquantityElementepcClass=urn:x:aquantityElementepcClass=urn:x:bquantity=200.5uom=KGM"},
		{"typed entries", `{"bizTransactionList":[{"type":"po","bizTransaction":"urn:x:1"},{"bizTransaction":"urn:x:2"}],"sourceList":[{"source":"urn:x:s","type":"urn:epcglobal:cbv:sdt:location"}]}`,
			"eventType=bizTransactionListbizTransaction=urn:x:2type=https://ref.gs1.org/cbv/BTT-pobizTransaction=urn:x:1sourceListtype=https://ref.gs1.org/cbv/SDT-locationsource=urn:x:s"},
		{"set before unset", `{"persistentDisposition":{"unset":["active"],"set":["inactive","damaged"]}}`,
			"eventType=persistentDispositionset=https://ref.gs1.org/cbv/Disp-damagedset=https://ref.gs1.org/cbv/Disp-inactiveunset=https://ref.gs1.org/cbv/Disp-active"},
		{"vocabulary in all its forms", `{"ex:a":["urn:epcglobal:cbv:bizstep:receiving","cbv:BizStep-receiving","gs1:Temperature","receiving","urn:epcglobal:cbv:bt:1:2"]}`,
			"eventType=ex:a=https://ref.gs1.org/cbv/BizStep-receivingex:a=https://ref.gs1.org/cbv/BizStep-receivingex:a=https://ref.gs1.org/voc/Temperatureex:a=receivingex:a=urn:epcglobal:cbv:bt:1:2"},
		{"a word of one's own", `{"bizStep":"pondering","disposition":"urn:x:lost"}`, "eventType=bizStep=ponderingdisposition=urn:x:lost"},
		{"namespaces", `{"@context":[{"ex":"https://example.com/"},{"t":"ex:term","b":{"@id":"https://example.org/b/"},"ex":"https://example.net/"}],"ex:a":1,"t":2,"b:c":3,"no:d":4,"rdfs:label":5,"e":6}`,
			"eventType=e=6no:d=4{http://www.w3.org/2000/01/rdf-schema#}label=5{https://example.net/}a=1{https://example.net/}term=2{https://example.org/b/}c=3"},
		{"@vocab", `{"@context":{"@vocab":"https://example.com/"},"a":1}`, "eventType={https://example.com/}a=1"},
		{"a context inside", `{"@context":{"ex":"https://a/"},"ex:a":{"@context":{"ex":"https://b/"},"ex:b":1},"ex:c":2}`, "eventType={https://a/}a{https://b/}b=1{https://a/}c=2"},
		{"extensions nest", `{"ex:a":{"ex:c":[1,{"ex:d":2},[3,4]],"ex:b":true},"ex:e":{},"ex:f":"","ex:g":{"#text":" x ","ex:h":1}}`,
			"eventType=ex:aex:b=trueex:c=1ex:c=3=4ex:cex:d=2ex:eex:fex:g=xex:h=1"},
		{"numbers", `{"ex:a":["007","+1.50","-0","0.0","1e3","1E-3",".5","5.","12345678901234567890.10","1e","1.2.3","-",1e21,1e-7,-1.5e-10]}`,
			"eventType=" + "ex:a=-" + "ex:a=-0.00000000015" + "ex:a=0" + "ex:a=0" + "ex:a=0.0000001" + "ex:a=0.001" + "ex:a=0.5" + "ex:a=1.2.3" + "ex:a=1.5" + "ex:a=1000" + "ex:a=1000000000000000000000" + "ex:a=12345678901234567890.1" + "ex:a=1e" + "ex:a=5" + "ex:a=7"},
		{"a power out of reach", `{"ex:a":["1e400","1e401","1e99999999999"]}`, "eventType=ex:a=1" + strings.Repeat("0", 400) + "ex:a=1e401ex:a=1e99999999999"},
		{"white space around", `{"bizStep":" receiving\t","ex:a":"\u00a0x\n"}`, "eventType=bizStep=https://ref.gs1.org/cbv/BizStep-receivingex:a=x"},
		{"ilmd, then what is inside fields, then extensions", `{"ex:z":1,"readPoint":{"ex:r":2,"id":"urn:x:r","label":"dropped"},"ilmd":{"ex:i":3},"sensorElementList":[{"ex:s":4,"sensorReport":[{"type":"Time","ex:q":5,"leftValue":6},{"ex:p":7}],"sensorMetadata":{"ex:m":8}}]}`,
			"eventType=readPointid=urn:x:rsensorElementsensorReporttype=https://ref.gs1.org/voc/Timeilmdex:i=3readPointex:r=2sensorElementsensorMetadataex:m=8sensorReportex:p=7sensorReportex:q=5ex:s=4ex:z=1"},
		{"a place as a string", `{"readPoint":"urn:x:r"}`, "eventType=readPointid=urn:x:r"},
		{"one where a list is due", `{"epcList":"urn:x:a","sensorElementList":{"sensorReport":{"type":"Time"}}}`, "eventType=epcListepc=urn:x:asensorElementsensorReporttype=https://ref.gs1.org/voc/Time"},
		{"nonsense", `{"epcList":{"a":1},"bizStep":{},"readPoint":[[]],"quantityList":[1,[2]],"sensorElementList":["x"],"eventTime":5,"type":["x"],"ilmd":7}`, "eventType=eventTime=5ilmd=7"},
	} {
		if got := epcis.PreHash(parse(t, c.event)); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.rule, got, c.want)
		}
	}
}

func TestPreHashTime(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"2026-04-02T09:15:00+02:00", "2026-04-02T07:15:00.000Z"},
		{"2026-04-02T09:15:00.1Z", "2026-04-02T09:15:00.100Z"},
		{"2026-04-02T09:15:00.1414Z", "2026-04-02T09:15:00.141Z"},
		{"2026-04-02T09:15:00.1415Z", "2026-04-02T09:15:00.142Z"},
		{"2026-04-02T09:15:00.14149999999999Z", "2026-04-02T09:15:00.141Z"},
		{"2026-12-31T23:59:59.9995-00:01", "2027-01-01T00:01:00.000Z"},
		{"2026-01-01T00:00:00+14:00", "2025-12-31T10:00:00.000Z"},
		{"2026-04-02t09:15:00z", "2026-04-02T09:15:00.000Z"},
		{"2026-04-02 09:15:00+0200", "2026-04-02T07:15:00.000Z"},
		{"2026-04-02T09:15:00-02", "2026-04-02T11:15:00.000Z"},
		{"2026-04-02T09:15:00", "2026-04-02T09:15:00.000Z"},
		{"9999-12-31T23:59:59.9999Z", "9999-12-31T23:59:59.9999Z"},
		{"0001-01-01T00:00:00+01:00", "0001-01-01T00:00:00+01:00"},
		{"2026-04-02", "2026-04-02"},
		{"2026-02-30T00:00:00Z", "2026-02-30T00:00:00Z"},
		{"2026-04-02T09:15:00.Z", "2026-04-02T09:15:00.Z"},
		{"2026-04-02T09:15:00+2:00", "2026-04-02T09:15:00+2:00"},
		{"2026-04-02T09:15:00+14:01", "2026-04-02T09:15:00+14:01"},
		{"soon", "soon"},
	} {
		event := parse(t, `{"eventTime":"`+c.in+`"}`)
		if got := epcis.PreHash(event); got != "eventType=eventTime="+c.want {
			t.Errorf("%s: %s", c.in, got)
		}
	}
}

func TestParseForHash(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`{"a":1}`, `{"a":1}`},
		{"\ufeff[]", `[]`},
		{`[0.1000000000000000055511151231257827,1e400,-12345678901234567890,1.50,"1e400 \" 1e400"]`, `["0.1000000000000000055511151231257827","1e400","-12345678901234567890",1.5,"1e400 \" 1e400"]`},
	} {
		v, err := epcis.ParseForHash([]byte(c.in))
		if err != nil || string(v.Canonical()) != c.want {
			t.Errorf("%s: %s (%v), want %s", c.in, v.Canonical(), err, c.want)
		}
	}
	for _, c := range []struct{ in, want string }{
		{`{"a":1,"a":2}`, "stands twice"}, {`[01]`, "byte"}, {`[1e400,nul]`, "byte 7"}, {`[1e400,1e400,x]`, "byte 13"}, {`["`, "inside a string"}, {``, "byte 0"}, {`-`, "digit"},
	} {
		if _, err := epcis.ParseForHash([]byte(c.in)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.in, err, c.want)
		}
	}
}
