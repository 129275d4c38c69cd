package epcis

import (
	"strings"

	"github.com/tallyroot/tallyroot/provenance/jcs"
)

// Extensions in the pre-hash string: {namespace}local, =value if it has one,
// then its children, sorted. An array repeats the name for each of its items.

// isComment tells whether a member is for human readers alone.
func isComment(name string) bool { return name == "rdfs:comment" || name == "comment" }

// isExtensionOfEvent tells whether a member of an event is not EPCIS's own.
func isExtensionOfEvent(name string) bool { return fieldOf(name) == fieldNone }

// isExtensionInside tells whether a member of one of EPCIS's own elements is an
// extension: those without a prefix are ignored there.
func isExtensionInside(name string) bool { return strings.Contains(name, ":") }

func isExtensionAnywhere(string) bool { return true }

// extensions writes the members of an object that which picks, sorted.
func (b *builder) extensions(members []jcs.Member, which func(name string) bool) {
	mark := len(b.spans)
	for i := range members {
		name, v := members[i].Name, members[i].Value
		if !which(name) || isComment(name) || name == "@context" || name == "#text" || v.IsNull() {
			continue
		}
		if v.Kind() != jcs.Array {
			from := len(b.buf)
			b.element(name, v)
			b.child(from)
			continue
		}
		for _, item := range v.Items() {
			if item.IsNull() {
				continue
			}
			from := len(b.buf)
			b.element(name, item)
			b.child(from)
		}
	}
	b.sorted(mark)
}

// element writes one element of an extension, or ilmd.
func (b *builder) element(name string, v jcs.Value) {
	if name != "ilmd" {
		b.name(name)
	} else {
		b.buf = append(b.buf, name...)
	}
	switch v.Kind() {
	case jcs.Object:
		// A context inside holds inside.
		outer := b.context
		if c, ok := v.Get("@context"); ok {
			b.context = outer.inner(c)
		}
		if text, ok := v.Get("#text"); ok {
			b.assign(text)
		}
		b.extensions(v.Members(), isExtensionAnywhere)
		b.context = outer
	case jcs.Array:
		// An array in an array: its items have no name of their own.
		mark := len(b.spans)
		for _, item := range v.Items() {
			from := len(b.buf)
			b.element("", item)
			b.child(from)
		}
		b.sorted(mark)
	default:
		b.assign(v)
	}
}

// assign writes =value, or nothing for an empty one.
func (b *builder) assign(v jcs.Value) {
	from := len(b.buf)
	b.buf = append(b.buf, '=')
	if !b.value(v, plainValue) {
		b.buf = b.buf[:from]
	}
}

// name writes the name of an extension as {namespace}local. A name that
// nothing defines stands as it is.
func (b *builder) name(name string) {
	namespace, local, ok := b.context.split(name)
	if !ok {
		b.buf = append(b.buf, name...)
		return
	}
	b.buf = append(b.buf, '{')
	b.buf = append(b.buf, namespace...)
	b.buf = append(b.buf, '}')
	b.buf = append(b.buf, local...)
}

// inline writes the extensions inside one of EPCIS's own elements where CBV 2.1
// has them, at the element's end.
func (b *builder) inline(v jcs.Value) {
	if b.version != CBV20 {
		b.extensions(v.Members(), isExtensionInside)
	}
}

// inner writes the extensions inside a field where CBV 2.0 has them: after
// ilmd, behind the names of the elements in which they stand.
func (b *builder) inner(f field, v jcs.Value) {
	name := f.String()
	switch f {
	case fieldSensorElementList:
		b.list("", v, (*builder).sensorElementInner)
	case fieldQuantityList, fieldChildQuantityList, fieldInputQuantityList, fieldOutputQuantityList:
		b.list(name, v, (*builder).quantityInner)
	case fieldReadPoint, fieldBizLocation, fieldPersistentDisposition, fieldBizTransactionList, fieldSourceList, fieldDestinationList:
		b.list(name, v, (*builder).directInner)
	}
}

func (b *builder) directInner(v jcs.Value) { b.extensions(v.Members(), isExtensionInside) }

func (b *builder) quantityInner(v jcs.Value) { b.named("quantityElement", v) }

func (b *builder) metadataInner(v jcs.Value) { b.named("sensorMetadata", v) }

func (b *builder) reportInner(v jcs.Value) { b.named("sensorReport", v) }

func (b *builder) named(name string, v jcs.Value) {
	begun := b.begin(name)
	b.directInner(v)
	b.end(name, begun)
}

func (b *builder) sensorElementInner(v jcs.Value) {
	begun := b.begin("sensorElement")
	if metadata, ok := v.Get("sensorMetadata"); ok {
		b.list("", metadata, (*builder).metadataInner)
	}
	if reports, ok := v.Get("sensorReport"); ok {
		b.list("", reports, (*builder).reportInner)
	}
	b.directInner(v)
	b.end("sensorElement", begun)
}
