package epcis

import (
	"strings"

	"github.com/tallyroot/tallyroot/provenance/jcs"
)

// The elements inside an event's fields: EPCIS 2.0 §7.3.

// part checks one member of an element; nil lets anything pass.
type part struct {
	name     string
	required bool
	check    func(*checker, jcs.Value)
}

// others is what an element may hold beside its parts.
type others uint8

const (
	noOthers others = iota
	prefixed        // extensions
	anything        // the schema does not say
)

// element checks an object part by part.
func (c *checker) element(v jcs.Value, parts []part, more others) {
	if !c.is(v, jcs.Object) {
		return
	}
next:
	for _, m := range v.Members() {
		for i := range parts {
			if parts[i].name == m.Name {
				c.enter(m.Name)
				parts[i].check(c, m.Value)
				c.leave()
				continue next
			}
		}
		c.enter(m.Name)
		switch more {
		case noOthers:
			names := make([]string, len(parts))
			for i := range parts {
				names[i] = parts[i].name
			}
			c.wrong("does not belong here", "leave it out; here stand only "+strings.Join(names, ", "))
		case prefixed:
			c.extension(m.Name, m.Value)
		case anything:
			c.prefixes(m.Name, m.Value)
		}
		c.leave()
	}
	for i := range parts {
		if !parts[i].required {
			continue
		}
		if _, ok := v.Get(parts[i].name); !ok {
			c.missing(parts[i].name, "")
		}
	}
}

var quantityParts = []part{
	{"epcClass", true, (*checker).identifier},
	{"quantity", false, (*checker).number},
	{"uom", false, (*checker).uom},
}

func (c *checker) quantity(v jcs.Value) { c.element(v, quantityParts, noOthers) }

func (c *checker) number(v jcs.Value) {
	if v.Kind() == jcs.String {
		if _, ok := appendDecimal(nil, v.Text()); ok {
			c.wrong("is a number written as a string", "leave the quotation marks out")
			return
		}
	}
	c.is(v, jcs.Number)
}

func (c *checker) boolean(v jcs.Value) { c.is(v, jcs.Bool) }

func (c *checker) string(v jcs.Value) { c.is(v, jcs.String) }

func (c *checker) hex(v jcs.Value) {
	if c.is(v, jcs.String) && (v.Text() == "" || !isHex(v.Text())) {
		c.wrong(quote(v.Text())+" is not hexadecimal", "write only 0-9 and a-f")
	}
}

// uom wants a unit of UN/CEFACT Recommendation 20.
func (c *checker) uom(v jcs.Value) {
	if !c.is(v, jcs.String) {
		return
	}
	s := v.Text()
	ok := len(s) == 2 || len(s) == 3
	for i := range len(s) {
		ok = ok && (s[i] >= 'A' && s[i] <= 'Z' || s[i] >= '0' && s[i] <= '9')
	}
	if !ok {
		c.wrong(quote(s)+" is no unit of measure", "write its code of UN/CEFACT Recommendation 20, such as KGM, LTR or CEL")
	}
}

func (c *checker) disposition(v jcs.Value) { c.word(v, dispositionValue, "disposition") }

var persistentDispositionParts = []part{
	{"set", false, (*checker).dispositions},
	{"unset", false, (*checker).dispositions},
}

func (c *checker) persistentDisposition(v jcs.Value) {
	c.element(v, persistentDispositionParts, noOthers)
	_, set := v.Get("set")
	_, unset := v.Get("unset")
	if v.Kind() == jcs.Object && !set && !unset {
		c.wrong("says nothing", "give set, unset, or both")
	}
}

func (c *checker) dispositions(v jcs.Value) {
	c.each(v, (*checker).disposition)
	c.unique(v, true)
	if v.Kind() == jcs.Array && len(v.Items()) == 0 {
		c.wrong("is empty", "name a disposition, or leave it out")
	}
}

var locationParts = []part{{"id", true, (*checker).identifier}}

func (c *checker) location(v jcs.Value) {
	if v.Kind() == jcs.String {
		c.wrong("is a string", `write {"id": `+quote(v.Text())+"}")
		return
	}
	c.element(v, locationParts, anything)
}

var bizTransactionParts = []part{
	{"type", false, func(c *checker, v jcs.Value) { c.word(v, bizTransactionTypeValue, "type of business transaction") }},
	{"bizTransaction", true, (*checker).reference},
}

func (c *checker) bizTransaction(v jcs.Value) { c.element(v, bizTransactionParts, noOthers) }

func (c *checker) sourceDestType(v jcs.Value) {
	c.word(v, sourceDestTypeValue, "type of source or destination")
}

var sourceParts = []part{
	{"type", true, (*checker).sourceDestType},
	{"source", true, (*checker).reference},
}

func (c *checker) source(v jcs.Value) { c.element(v, sourceParts, noOthers) }

var destinationParts = []part{
	{"type", true, (*checker).sourceDestType},
	{"destination", true, (*checker).reference},
}

func (c *checker) destination(v jcs.Value) { c.element(v, destinationParts, noOthers) }

var errorDeclarationParts = []part{
	{"declarationTime", true, (*checker).anyTime},
	{"reason", false, func(c *checker, v jcs.Value) { c.word(v, errorReasonValue, "reason") }},
	{"correctiveEventIDs", false, func(c *checker, v jcs.Value) { c.each(v, (*checker).uri) }},
}

func (c *checker) errorDeclaration(v jcs.Value) { c.element(v, errorDeclarationParts, prefixed) }

var sensorMetadataParts = []part{
	{"time", false, (*checker).anyTime},
	{"startTime", false, (*checker).anyTime},
	{"endTime", false, (*checker).anyTime},
	{"deviceID", false, (*checker).reference},
	{"deviceMetadata", false, (*checker).uri},
	{"rawData", false, (*checker).uri},
	{"dataProcessingMethod", false, (*checker).uri},
	{"bizRules", false, (*checker).uri},
}

var sensorReportParts = []part{
	{"type", true, func(c *checker, v jcs.Value) { c.word(v, measurementValue, "type of measurement") }},
	{"exception", false, func(c *checker, v jcs.Value) { c.word(v, alertValue, "sensor alert") }},
	{"deviceID", false, (*checker).reference},
	{"deviceMetadata", false, (*checker).uri},
	{"rawData", false, (*checker).uri},
	{"dataProcessingMethod", false, (*checker).uri},
	{"bizRules", false, (*checker).uri},
	{"time", false, (*checker).anyTime},
	{"microorganism", false, (*checker).uri},
	{"chemicalSubstance", false, (*checker).uri},
	{"coordinateReferenceSystem", false, (*checker).uri},
	{"value", false, (*checker).number},
	{"component", false, func(c *checker, v jcs.Value) { c.word(v, componentValue, "component") }},
	{"stringValue", false, (*checker).string},
	{"booleanValue", false, (*checker).boolean},
	{"hexBinaryValue", false, (*checker).hex},
	{"uriValue", false, (*checker).uri},
	{"minValue", false, (*checker).number},
	{"maxValue", false, (*checker).number},
	{"meanValue", false, (*checker).number},
	{"sDev", false, (*checker).number},
	{"percRank", false, (*checker).number},
	{"percValue", false, (*checker).number},
	{"uom", false, (*checker).string},
}

var sensorElementParts = []part{
	{"sensorMetadata", false, func(c *checker, v jcs.Value) { c.element(v, sensorMetadataParts, prefixed) }},
	{"sensorReport", true, func(c *checker, v jcs.Value) {
		c.each(v, func(c *checker, v jcs.Value) { c.element(v, sensorReportParts, prefixed) })
		if v.Kind() == jcs.Array && len(v.Items()) == 0 {
			c.wrong("is empty", "give at least one report")
		}
	}},
}

func (c *checker) sensorElement(v jcs.Value) { c.element(v, sensorElementParts, prefixed) }
