package epcis

import (
	"fmt"
	"strings"

	"github.com/tallyroot/tallyroot/provenance/jcs"
)

// event checks the members of an event, then what they mean together.
func (c *checker) event(event jcs.Value) {
	if event.Kind() != jcs.Object {
		c.wrong("an event is a JSON object, and this is "+describe(event), "")
		return
	}
	members := event.Members()
	var at [fieldCount]*jcs.Value
	for i := range members {
		if f := fieldOf(members[i].Name); f != fieldNone {
			at[f] = &members[i].Value
		}
	}
	if context := at[fieldContext]; context != nil {
		if n := definitions(*context); n > MaxDefinitions {
			c.problems.add("@context", fmt.Sprintf("defines %d names", n), fmt.Sprintf("define at most %d in an event, or publish a context of your own and give its address", MaxDefinitions))
		} else {
			c.context.add(*context)
		}
	}
	kind := c.kind(at[fieldType])
	for i := range members {
		name, v := members[i].Name, members[i].Value
		c.enter(name)
		switch f := fieldOf(name); {
		case f == fieldNone:
			c.extension(name, v)
		case !kind.allowed.has(f):
			c.wrong("is no field of "+kind.withArticle(), "leave it out, or send another type of event")
		default:
			c.field(f, v, kind)
		}
		c.leave()
	}
	if at[fieldEventTime] == nil {
		c.missing("eventTime", "write when it happened, such as 2026-04-02T09:15:00.000+02:00")
	}
	if at[fieldEventTimeZoneOffset] == nil {
		c.missing("eventTimeZoneOffset", "write the offset from UTC that held where it happened, such as +02:00")
	}
	c.together(kind, &at)
}

// anyEvent stands for an event whose type is not known, so that the rest of it
// can still be judged.
var anyEvent = eventType{"event", ^set(0)}

func (t *eventType) withArticle() string {
	if strings.HasPrefix(t.name, "T") {
		return "a " + t.name
	}
	return "an " + t.name
}

func (c *checker) kind(v *jcs.Value) *eventType {
	want := "write one of " + strings.Join(EventTypes(), ", ")
	if v == nil {
		c.missing("type", want)
		return &anyEvent
	}
	if kind := eventTypeOf(v.Text()); kind != nil {
		return kind
	}
	c.enter("type")
	defer c.leave()
	if c.is(*v, jcs.String) {
		c.wrong(quote(v.Text())+" is no type of event that EPCIS 2.0 defines", want)
	}
	return &anyEvent
}

// field checks one of EPCIS's own fields by itself.
func (c *checker) field(f field, v jcs.Value, kind *eventType) {
	switch f {
	case fieldType: // judged by kind
	case fieldContext:
		c.contextForm(v)
	case fieldEventTime:
		if m, ok := c.time(v); ok && m.at.Sub(c.now) > Future {
			c.warn(quote(v.Text())+" is more than a day in the future", "make sure that the clock and the offset were right")
		}
	case fieldRecordTime:
		c.time(v)
	case fieldEventTimeZoneOffset:
		c.offset(v)
	case fieldEventID:
		c.uri(v)
	case fieldCertificationInfo:
		if v.Kind() == jcs.Array {
			c.each(v, (*checker).uri)
		} else {
			c.uri(v)
		}
	case fieldErrorDeclaration:
		c.errorDeclaration(v)
	case fieldAction:
		if c.is(v, jcs.String) && v.Text() != "OBSERVE" && v.Text() != "ADD" && v.Text() != "DELETE" {
			c.wrong(quote(v.Text())+" is no action", "write ADD, OBSERVE or DELETE")
		}
	case fieldEPCList, fieldInputEPCList, fieldOutputEPCList, fieldChildEPCs:
		c.each(v, (*checker).identifier)
		c.unique(v, f != fieldChildEPCs && kind.name != TransactionEvent)
	case fieldParentID, fieldTransformationID:
		c.identifier(v)
	case fieldQuantityList, fieldChildQuantityList, fieldInputQuantityList, fieldOutputQuantityList:
		c.each(v, (*checker).quantity)
	case fieldBizStep:
		c.word(v, bizStepValue, "bizStep")
	case fieldDisposition:
		c.disposition(v)
	case fieldPersistentDisposition:
		c.persistentDisposition(v)
	case fieldReadPoint, fieldBizLocation:
		c.location(v)
	case fieldBizTransactionList:
		c.each(v, (*checker).bizTransaction)
	case fieldSourceList:
		c.each(v, (*checker).source)
	case fieldDestinationList:
		c.each(v, (*checker).destination)
	case fieldSensorElementList:
		c.each(v, (*checker).sensorElement)
	case fieldILMD:
		if c.is(v, jcs.Object) {
			c.extensions(v)
		}
	}
}

func (c *checker) offset(v jcs.Value) {
	if !c.is(v, jcs.String) {
		return
	}
	s := v.Text()
	if _, strict, ok := parseOffset(s); !ok || !strict || len(s) != len("+hh:mm") {
		c.wrong(quote(s)+" is no offset from UTC", "write a sign, hours and minutes, from -14:00 to +14:00, such as +02:00")
	}
}

// contextForm checks the form of an @context; its meaning is in c.context.
func (c *checker) contextForm(v jcs.Value) {
	const want = "write the address of a context, an object of prefixes, or an array of both"
	one := func(c *checker, v jcs.Value) {
		switch v.Kind() {
		case jcs.Object:
		case jcs.String:
			c.uri(v)
		default:
			c.wrong("is "+describe(v), want)
		}
	}
	if v.Kind() != jcs.Array {
		one(c, v)
		return
	}
	c.each(v, one)
	if definitions(v) > MaxDefinitions {
		return
	}
	for i, item := range v.Items() {
		for _, before := range v.Items()[:i] {
			if jcs.Equal(item, before) {
				c.enterItem(i)
				c.wrong("stands twice", "leave one out")
				c.leave()
				break
			}
		}
	}
}

// unique wants no item of a list of identifiers twice. Where the schema lets
// it pass, it is a warning.
func (c *checker) unique(v jcs.Value, must bool) {
	items := v.Items()
	// Few are compared one by one, which takes no memory.
	const few = 8
	var seen map[string]bool
	if len(items) > few {
		seen = make(map[string]bool, len(items))
	}
	for i, item := range items {
		id := item.Text()
		again := id != "" && seen[id]
		if seen != nil {
			seen[id] = true
		} else {
			for _, before := range items[:i] {
				again = again || id != "" && before.Text() == id
			}
		}
		if !again {
			continue
		}
		c.enterItem(i)
		if must {
			c.wrong(quote(id)+" stands twice", "name each thing once")
		} else {
			c.warn(quote(id)+" stands twice", "name each thing once")
		}
		c.leave()
	}
}

// nonEmpty tells whether a list is there and has an item.
func nonEmpty(v *jcs.Value) bool { return v != nil && len(v.Items()) > 0 }

// together checks what only the whole event shows: EPCIS 2.0 §7.4.2 to §7.4.6.
func (c *checker) together(kind *eventType, at *[fieldCount]*jcs.Value) {
	action := ""
	if at[fieldAction] != nil {
		action = at[fieldAction].Text()
	} else if kind.name != TransformationEvent && kind != &anyEvent {
		c.missing("action", "write ADD, OBSERVE or DELETE")
	}
	switch kind.name {
	case ObjectEvent:
		if at[fieldEPCList] == nil && !nonEmpty(at[fieldQuantityList]) && !(nonEmpty(at[fieldSensorElementList]) && at[fieldReadPoint] != nil) {
			c.wrong("an ObjectEvent must say what it is about", "give epcList, quantityList, or sensorElementList with readPoint")
		}
		if at[fieldILMD] != nil && at[fieldAction] != nil && action != "ADD" {
			c.enter("ilmd")
			c.wrong("stands in an ObjectEvent with action "+quote(action), "ilmd is for action ADD alone, where things come into being")
			c.leave()
		}
	case AggregationEvent, AssociationEvent:
		if !nonEmpty(at[fieldChildEPCs]) && !nonEmpty(at[fieldChildQuantityList]) && action != "DELETE" {
			c.wrong(kind.withArticle()+" must name the children", "give childEPCs or childQuantityList; only DELETE may leave both out, for all children")
		}
		if at[fieldParentID] == nil {
			switch {
			case kind.name == AssociationEvent:
				c.missing("parentID", "name what the children are associated with")
			case action == "ADD" || action == "DELETE":
				c.missing("parentID", "name what the children are put in or taken out of; only OBSERVE may leave it out")
			}
		}
	case TransactionEvent:
		if !nonEmpty(at[fieldBizTransactionList]) {
			if at[fieldBizTransactionList] == nil {
				c.missing("bizTransactionList", "name the business transactions that the things belong to")
			} else if at[fieldBizTransactionList].Kind() == jcs.Array {
				c.problems.add("bizTransactionList", "is empty", "name the business transactions that the things belong to")
			}
		}
		if at[fieldEPCList] == nil && !nonEmpty(at[fieldQuantityList]) && action != "DELETE" {
			c.wrong("a TransactionEvent must say what it is about", "give epcList or quantityList; only DELETE may leave both out, for all things")
		}
	case TransformationEvent:
		in := nonEmpty(at[fieldInputEPCList]) || nonEmpty(at[fieldInputQuantityList])
		out := nonEmpty(at[fieldOutputEPCList]) || nonEmpty(at[fieldOutputQuantityList])
		linked := at[fieldTransformationID] != nil
		switch {
		case !in && !out:
			c.wrong("a TransformationEvent must say what went in and what came out", "give inputEPCList or inputQuantityList, and outputEPCList or outputQuantityList")
		case !in && !linked:
			c.wrong("a TransformationEvent must say what went in", "give inputEPCList or inputQuantityList, or the transformationID under which the inputs are logged apart")
		case !out && !linked:
			c.wrong("a TransformationEvent must say what came out", "give outputEPCList or outputQuantityList, or the transformationID under which the outputs are logged apart")
		}
	}
}
