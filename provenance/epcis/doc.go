// Package epcis understands EPCIS 2.0 events in JSON (GS1 EPCIS 2.0, JSON-LD
// binding) and gives each its CBV 2.0 event hash.
//
// It promises four things:
//
//   - Validate names every field of an event that is wrong, what is wrong with
//     it and what would be right, several at once, and warns of what is
//     allowed but likely a mistake.
//   - Hash is the event hash id of CBV 2.0 §8.9, the same for every JSON form
//     of one event. It is total: any JSON object has one, valid or not.
//   - Events takes a document, a query document, an array or a single event
//     apart and carries the document's @context into each event, so that every
//     prefix in it keeps its meaning when the event stands alone.
//   - An event is never changed: extensions, ILMD, sensor elements,
//     certifications and @context come back as the same JSON value.
//
// It never fetches anything: what it needs of the EPCIS context is built in,
// and of other contexts it knows only that their terms are somebody's. It
// fills in no defaults, and repairs nothing.
package epcis
