package epcis_test

import (
	"testing"

	"github.com/tallyroot/tallyroot/provenance/epcis"
)

// sample is an event of the size that the service is measured with.
const sample = `{"@context":["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld",{"example":"https://example.com/ns/"}],"type":"ObjectEvent","eventTime":"2026-04-02T09:15:00.000+02:00","eventTimeZoneOffset":"+02:00","epcList":["https://id.gs1.org/01/09506000134352/21/1001"],"action":"OBSERVE","bizStep":"shipping","disposition":"in_transit","readPoint":{"id":"https://id.gs1.org/414/9506000134000"},"bizLocation":{"id":"https://id.gs1.org/414/9506000134017"},"bizTransactionList":[{"type":"po","bizTransaction":"urn:epcglobal:cbv:bt:9506000134000:PO-4711"}],"example:container":"MSKU-1234567"}`

func BenchmarkValidate(b *testing.B) {
	event := parse(b, sample)
	if problems, warnings := epcis.Validate(event, now); len(problems)+len(warnings) > 0 {
		b.Fatal(problems, warnings)
	}
	b.ReportAllocs()
	for b.Loop() {
		epcis.Validate(event, now)
	}
}

func BenchmarkHash(b *testing.B) {
	event := parse(b, sample)
	b.ReportAllocs()
	for b.Loop() {
		epcis.Hash(event)
	}
}
