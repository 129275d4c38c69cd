package epcis

import "github.com/tallyroot/tallyroot/provenance/jcs"

// ErrorDeclared tells whether event is an error declaration, one that says
// that an event logged before under the same eventID was wrong (EPCIS 2.0
// §7.4.1.2), and when it was declared. The time is as it was written; "" when
// there is none.
func ErrorDeclared(event jcs.Value) (declarationTime string, ok bool) {
	declaration, ok := event.Get("errorDeclaration")
	if !ok {
		return "", false
	}
	at, _ := declaration.Get("declarationTime")
	return at.Text(), true
}

// SameButDeclaration tells whether declaration may withdraw original: the two
// are the same JSON value in everything but errorDeclaration and recordTime.
func SameButDeclaration(original, declaration jcs.Value) bool {
	if original.Kind() != jcs.Object || declaration.Kind() != jcs.Object {
		return false
	}
	return jcs.Equal(
		original.Without("errorDeclaration", "recordTime"),
		declaration.Without("errorDeclaration", "recordTime"))
}
