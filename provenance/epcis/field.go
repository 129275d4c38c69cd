package epcis

// field is a member of an event that EPCIS defines.
type field uint8

// In the order in which the event hash has them (CBV 2.0 §8.9, property
// order); those that it leaves out come last.
const (
	fieldNone field = iota
	fieldType
	fieldEventTime
	fieldEventTimeZoneOffset
	fieldEPCList
	fieldParentID
	fieldInputEPCList
	fieldChildEPCs
	fieldQuantityList
	fieldChildQuantityList
	fieldInputQuantityList
	fieldOutputEPCList
	fieldOutputQuantityList
	fieldAction
	fieldTransformationID
	fieldBizStep
	fieldDisposition
	fieldPersistentDisposition
	fieldReadPoint
	fieldBizLocation
	fieldBizTransactionList
	fieldSourceList
	fieldDestinationList
	fieldSensorElementList
	fieldILMD
	fieldContext
	fieldEventID
	fieldRecordTime
	fieldErrorDeclaration
	fieldCertificationInfo
	fieldCount
)

var fieldNames = [fieldCount]string{
	fieldType: "type", fieldEventTime: "eventTime", fieldEventTimeZoneOffset: "eventTimeZoneOffset",
	fieldEPCList: "epcList", fieldParentID: "parentID", fieldInputEPCList: "inputEPCList", fieldChildEPCs: "childEPCs",
	fieldQuantityList: "quantityList", fieldChildQuantityList: "childQuantityList", fieldInputQuantityList: "inputQuantityList",
	fieldOutputEPCList: "outputEPCList", fieldOutputQuantityList: "outputQuantityList",
	fieldAction: "action", fieldTransformationID: "transformationID", fieldBizStep: "bizStep", fieldDisposition: "disposition",
	fieldPersistentDisposition: "persistentDisposition", fieldReadPoint: "readPoint", fieldBizLocation: "bizLocation",
	fieldBizTransactionList: "bizTransactionList", fieldSourceList: "sourceList", fieldDestinationList: "destinationList",
	fieldSensorElementList: "sensorElementList", fieldILMD: "ilmd",
	fieldContext: "@context", fieldEventID: "eventID", fieldRecordTime: "recordTime",
	fieldErrorDeclaration: "errorDeclaration", fieldCertificationInfo: "certificationInfo",
}

func (f field) String() string { return fieldNames[f] }

// fieldOf finds the field that a member's name stands for; fieldNone for an
// extension. A switch: it is on the path of every member of every event.
func fieldOf(name string) field {
	switch name {
	case "type":
		return fieldType
	case "eventTime":
		return fieldEventTime
	case "eventTimeZoneOffset":
		return fieldEventTimeZoneOffset
	case "epcList":
		return fieldEPCList
	case "parentID":
		return fieldParentID
	case "inputEPCList":
		return fieldInputEPCList
	case "childEPCs":
		return fieldChildEPCs
	case "quantityList":
		return fieldQuantityList
	case "childQuantityList":
		return fieldChildQuantityList
	case "inputQuantityList":
		return fieldInputQuantityList
	case "outputEPCList":
		return fieldOutputEPCList
	case "outputQuantityList":
		return fieldOutputQuantityList
	case "action":
		return fieldAction
	case "transformationID":
		return fieldTransformationID
	case "bizStep":
		return fieldBizStep
	case "disposition":
		return fieldDisposition
	case "persistentDisposition":
		return fieldPersistentDisposition
	case "readPoint":
		return fieldReadPoint
	case "bizLocation":
		return fieldBizLocation
	case "bizTransactionList":
		return fieldBizTransactionList
	case "sourceList":
		return fieldSourceList
	case "destinationList":
		return fieldDestinationList
	case "sensorElementList":
		return fieldSensorElementList
	case "ilmd":
		return fieldILMD
	case "@context":
		return fieldContext
	case "eventID":
		return fieldEventID
	case "recordTime":
		return fieldRecordTime
	case "errorDeclaration":
		return fieldErrorDeclaration
	case "certificationInfo":
		return fieldCertificationInfo
	}
	return fieldNone
}
