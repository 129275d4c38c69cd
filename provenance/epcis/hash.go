package epcis

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/tallyroot/tallyroot/provenance/jcs"
)

// Version is the version of the Core Business Vocabulary whose event hash
// algorithm is meant.
type Version uint8

const (
	// CBV20 is the published algorithm, and the zero Version: the one whose
	// hash may stand as an event's eventID.
	CBV20 Version = iota
	// CBV21 is the draft of its successor. It differs where an event has
	// sensor elements, or extensions inside readPoint, bizLocation or sensor
	// elements.
	CBV21
)

func (v Version) String() string {
	if v == CBV21 {
		return "CBV2.1"
	}
	return "CBV2.0"
}

// Hash gives the CBV 2.0 event hash id of event (CBV 2.0 §8.9), as
// "ni:///sha-256;<64 hex digits>?ver=CBV2.0". The @context that counts is the
// event's own (Events carries a document's into it); without one it is
// EPCIS's. It is total, and does not validate.
func Hash(event jcs.Value) string { return CBV20.Hash(event) }

// PreHash gives the string whose SHA-256 is in Hash: the event's fields in the
// order and the form that make all representations of one event alike.
func PreHash(event jcs.Value) string { return CBV20.PreHash(event) }

// Hash is the event hash by the algorithm of v.
func (v Version) Hash(event jcs.Value) string {
	b := newBuilder(v, event)
	sum := sha256.Sum256(b.buf)
	id := make([]byte, 0, len("ni:///sha-256;?ver=CBV2.0")+2*len(sum))
	id = append(id, "ni:///sha-256;"...)
	id = hex.AppendEncode(id, sum[:])
	id = append(id, "?ver="...)
	return string(append(id, v.String()...))
}

// PreHash is the string that is hashed by the algorithm of v.
func (v Version) PreHash(event jcs.Value) string { return string(newBuilder(v, event).buf) }

// builder writes a pre-hash string. Elements are written in the order in which
// they come; a list's children are sorted when they have all been written.
type builder struct {
	buf     []byte
	spans   []span // of the children of the lists being written, innermost last
	tmp     []byte
	context Context
	version Version
	// Where buf and spans begin; most events need no more.
	bytes    [1024]byte
	children [16]span
}

// span is where a child stands in buf.
type span struct{ from, to int }

func newBuilder(version Version, event jcs.Value) *builder {
	b := &builder{version: version}
	b.buf, b.spans = b.bytes[:0], b.children[:0]
	b.event(event)
	return b
}

// sorted puts the children written since the mark into bytewise order, and
// tells whether there were any.
func (b *builder) sorted(mark int) bool {
	children := b.spans[mark:]
	b.spans = b.spans[:mark]
	if len(children) < 2 {
		return len(children) == 1
	}
	order := func(x, y span) int { return bytes.Compare(b.buf[x.from:x.to], b.buf[y.from:y.to]) }
	if slices.IsSortedFunc(children, order) {
		return true
	}
	// Children stand one after the other, with nothing between them.
	from, to := children[0].from, children[len(children)-1].to
	slices.SortStableFunc(children, order)
	b.tmp = b.tmp[:0]
	for _, c := range children {
		b.tmp = append(b.tmp, b.buf[c.from:c.to]...)
	}
	copy(b.buf[from:to], b.tmp)
	return true
}

// child ends a child that was begun at from; an empty one is none.
func (b *builder) child(from int) {
	if len(b.buf) > from {
		b.spans = append(b.spans, span{from, len(b.buf)})
	}
}

// event writes the whole of an event.
func (b *builder) event(event jcs.Value) {
	members := event.Members()
	var at [fieldCount]*jcs.Value
	for i := range members {
		if f := fieldOf(members[i].Name); f != fieldNone {
			at[f] = &members[i].Value
		}
	}
	if c := at[fieldContext]; c != nil {
		b.context.add(*c)
	}
	b.buf = append(b.buf, "eventType="...)
	if t := at[fieldType]; t != nil {
		b.buf = append(b.buf, trim(t.Text())...)
	}
	for f := fieldEventTime; f < fieldILMD; f++ {
		if at[f] != nil {
			b.field(f, *at[f])
		}
	}
	if ilmd := at[fieldILMD]; ilmd != nil {
		b.element("ilmd", *ilmd)
	}
	if b.version == CBV20 {
		for f := fieldEPCList; f < fieldILMD; f++ {
			if at[f] != nil {
				b.inner(f, *at[f])
			}
		}
	}
	b.extensions(members, isExtensionOfEvent)
}

// field writes one of EPCIS's fields, if it has a value.
func (b *builder) field(f field, v jcs.Value) {
	switch f {
	case fieldEventTime:
		b.simple(f.String(), v, timeValue)
	case fieldEPCList, fieldInputEPCList, fieldChildEPCs, fieldOutputEPCList:
		b.list(f.String(), v, (*builder).epc)
	case fieldQuantityList, fieldChildQuantityList, fieldInputQuantityList, fieldOutputQuantityList:
		b.list(f.String(), v, (*builder).quantity)
	case fieldBizStep:
		b.simple(f.String(), v, bizStepValue)
	case fieldDisposition:
		b.simple(f.String(), v, dispositionValue)
	case fieldPersistentDisposition:
		b.list(f.String(), v, (*builder).persistentDisposition)
	case fieldReadPoint, fieldBizLocation:
		b.list(f.String(), v, (*builder).location)
	case fieldBizTransactionList:
		b.list(f.String(), v, (*builder).bizTransaction)
	case fieldSourceList:
		b.list(f.String(), v, (*builder).source)
	case fieldDestinationList:
		b.list(f.String(), v, (*builder).destination)
	case fieldSensorElementList:
		name := f.String()
		if b.version == CBV20 {
			name = ""
		}
		b.list(name, v, (*builder).sensorElement)
	default:
		b.simple(f.String(), v, plainValue)
	}
}

// simple writes name=value, once for each value; nothing for an empty one.
func (b *builder) simple(name string, v jcs.Value, kind valueKind) {
	if v.Kind() == jcs.Array {
		mark := len(b.spans)
		for _, item := range v.Items() {
			from := len(b.buf)
			b.pair(name, item, kind)
			b.child(from)
		}
		b.sorted(mark)
		return
	}
	b.pair(name, v, kind)
}

func (b *builder) pair(name string, v jcs.Value, kind valueKind) {
	from := len(b.buf)
	b.buf = append(b.buf, name...)
	b.buf = append(b.buf, '=')
	if !b.value(v, kind) {
		b.buf = b.buf[:from]
	}
}

// list writes a name and its sorted children; nothing when all are empty. What
// should be an array and is none counts as an array of one.
func (b *builder) list(name string, v jcs.Value, write func(*builder, jcs.Value)) {
	start, mark := len(b.buf), len(b.spans)
	b.buf = append(b.buf, name...)
	if v.Kind() == jcs.Array {
		for _, item := range v.Items() {
			from := len(b.buf)
			write(b, item)
			b.child(from)
		}
	} else {
		from := len(b.buf)
		write(b, v)
		b.child(from)
	}
	if !b.sorted(mark) {
		b.buf = b.buf[:start]
	}
}

func (b *builder) epc(v jcs.Value) { b.pair("epc", v, plainValue) }

// begin writes the name of an element; end takes it back when nothing came
// after it.
func (b *builder) begin(name string) int {
	b.buf = append(b.buf, name...)
	return len(b.buf)
}

func (b *builder) end(name string, begun int) {
	if len(b.buf) == begun {
		b.buf = b.buf[:begun-len(name)]
	}
}

func (b *builder) quantity(v jcs.Value) {
	begun := b.begin("quantityElement")
	b.member(v, "epcClass", plainValue)
	b.member(v, "quantity", plainValue)
	b.member(v, "uom", plainValue)
	b.inline(v)
	b.end("quantityElement", begun)
}

func (b *builder) persistentDisposition(v jcs.Value) {
	b.member(v, "set", dispositionValue)
	b.member(v, "unset", dispositionValue)
	b.inline(v)
}

func (b *builder) location(v jcs.Value) {
	if v.Kind() == jcs.String { // drafts before the ratified binding had it so
		b.pair("id", v, plainValue)
		return
	}
	b.member(v, "id", plainValue)
	b.inline(v)
}

func (b *builder) bizTransaction(v jcs.Value) {
	b.member(v, "type", bizTransactionTypeValue)
	b.member(v, "bizTransaction", plainValue)
	b.inline(v)
}

func (b *builder) source(v jcs.Value) {
	b.member(v, "type", sourceDestTypeValue)
	b.member(v, "source", plainValue)
	b.inline(v)
}

func (b *builder) destination(v jcs.Value) {
	b.member(v, "type", sourceDestTypeValue)
	b.member(v, "destination", plainValue)
	b.inline(v)
}

func (b *builder) member(v jcs.Value, name string, kind valueKind) {
	if m, ok := v.Get(name); ok {
		b.simple(name, m, kind)
	}
}

func (b *builder) sensorElement(v jcs.Value) {
	begun := b.begin("sensorElement")
	if metadata, ok := v.Get("sensorMetadata"); ok {
		b.list("", metadata, (*builder).sensorMetadata)
	}
	if reports, ok := v.Get("sensorReport"); ok {
		b.list("", reports, (*builder).sensorReport)
	}
	b.inline(v)
	b.end("sensorElement", begun)
}

// ordered is a member of a sensor element, in the order of the event hash.
type ordered struct {
	name string
	kind valueKind
}

var sensorMetadataOrder = [...]ordered{
	{"time", timeValue}, {"startTime", timeValue}, {"endTime", timeValue},
	{"deviceID", plainValue}, {"deviceMetadata", plainValue}, {"rawData", plainValue},
	{"dataProcessingMethod", plainValue}, {"bizRules", plainValue},
}

var sensorReportOrder = [...]ordered{
	{"type", measurementValue}, {"exception", alertValue},
	{"deviceID", plainValue}, {"deviceMetadata", plainValue}, {"rawData", plainValue},
	{"dataProcessingMethod", plainValue}, {"time", timeValue},
	{"microorganism", plainValue}, {"chemicalSubstance", plainValue},
	{"value", plainValue}, {"component", componentValue},
	{"stringValue", plainValue}, {"booleanValue", plainValue}, {"hexBinaryValue", plainValue}, {"uriValue", plainValue},
	{"minValue", plainValue}, {"maxValue", plainValue}, {"meanValue", plainValue}, {"sDev", plainValue},
	{"percRank", plainValue}, {"percValue", plainValue}, {"uom", plainValue}, {"coordinateReferenceSystem", plainValue},
}

func (b *builder) sensorMetadata(v jcs.Value) { b.orderly("sensorMetadata", v, sensorMetadataOrder[:]) }

func (b *builder) sensorReport(v jcs.Value) { b.orderly("sensorReport", v, sensorReportOrder[:]) }

func (b *builder) orderly(name string, v jcs.Value, order []ordered) {
	begun := b.begin(name)
	for i := range order {
		b.member(v, order[i].name, order[i].kind)
	}
	b.inline(v)
	b.end(name, begun)
}
