package epcis

import "github.com/tallyroot/tallyroot/provenance/jcs"

// The event types of EPCIS 2.0 (§7.4), as they stand in an event's type.
const (
	ObjectEvent         = "ObjectEvent"
	AggregationEvent    = "AggregationEvent"
	TransactionEvent    = "TransactionEvent"
	TransformationEvent = "TransformationEvent"
	AssociationEvent    = "AssociationEvent"
)

// EventTypes are the five event types.
func EventTypes() []string {
	return []string{ObjectEvent, AggregationEvent, TransactionEvent, TransformationEvent, AssociationEvent}
}

// IsEvent tells whether v is an object whose type is one of the five. It says
// nothing of the rest: that is for Validate.
func IsEvent(v jcs.Value) bool {
	kind, _ := v.Get("type")
	return eventTypeOf(kind.Text()) != nil
}

// set is a set of fields.
type set uint64

func (s set) has(f field) bool { return s&(1<<f) != 0 }

func setOf(fields ...field) set {
	var s set
	for _, f := range fields {
		s |= 1 << f
	}
	return s
}

// eventType is what one event type may hold.
type eventType struct {
	name    string
	allowed set
}

var common = setOf(fieldContext, fieldType, fieldEventTime, fieldRecordTime, fieldEventTimeZoneOffset,
	fieldEventID, fieldCertificationInfo, fieldErrorDeclaration,
	fieldBizStep, fieldDisposition, fieldPersistentDisposition, fieldReadPoint, fieldBizLocation, fieldBizTransactionList,
	fieldSourceList, fieldDestinationList, fieldSensorElementList)

var eventTypes = [...]eventType{
	{ObjectEvent, common | setOf(fieldAction, fieldEPCList, fieldQuantityList, fieldILMD)},
	{AggregationEvent, common | setOf(fieldAction, fieldParentID, fieldChildEPCs, fieldChildQuantityList)},
	{TransactionEvent, common | setOf(fieldAction, fieldParentID, fieldEPCList, fieldQuantityList)},
	{TransformationEvent, common | setOf(fieldInputEPCList, fieldInputQuantityList, fieldOutputEPCList, fieldOutputQuantityList,
		fieldTransformationID, fieldILMD)},
	{AssociationEvent, common | setOf(fieldAction, fieldParentID, fieldChildEPCs, fieldChildQuantityList)},
}

// eventTypeOf finds the event type called name; nil when it is none.
func eventTypeOf(name string) *eventType {
	for i := range eventTypes {
		if eventTypes[i].name == name {
			return &eventTypes[i]
		}
	}
	return nil
}
