package main

import (
	"encoding/json"
	"fmt"

	"github.com/tallyroot/tallyroot/provenance/epcis"
	"github.com/tallyroot/tallyroot/provenance/jcs"
)

// The demonstration's story: apples from Skåne and pears from Langeland become
// jars of purée in Malmö, and some of the jars are sold in Copenhagen. Its people
// and companies do not exist. The numbers have GS1's prefixes for examples and
// demonstrations, 9506000 and 9520001.
const (
	demoApples = "https://id.gs1.org/01/09506000100104"
	demoPears  = "https://id.gs1.org/01/09506000100272"
	demoPuree  = "https://id.gs1.org/01/09506000100340"

	demoApplesA = demoApples + "/10/A-0914"
	demoApplesB = demoApples + "/10/A-0921"
	demoPearsA  = demoPears + "/10/P-0918"
	demoLot     = demoPuree + "/10/PUR-1002"

	// demoItem is the jar on the shelf whose page the demonstration shows.
	demoItem = demoLot + "/21/0007"

	demoOrchard  = "https://id.gs1.org/414/9520001000010"
	demoGarden   = "https://id.gs1.org/414/9520001000027"
	demoPackers  = "https://id.gs1.org/414/9520001000034"
	demoKitchen  = "https://id.gs1.org/414/9520001000041"
	demoDepot    = "https://id.gs1.org/414/9520001000058"
	demoGrocer   = "https://id.gs1.org/414/9520001000065"
	demoLogger   = "https://id.gs1.org/8004/9506000LOGGER17"
	demoCaseA    = "https://id.gs1.org/00/095060000000002019"
	demoCaseB    = "https://id.gs1.org/00/095060000000002026"
	demoPallet   = "https://id.gs1.org/00/095060000000003016"
	demoPalletA  = "https://id.gs1.org/00/095060000000001012"
	demoPalletB  = "https://id.gs1.org/00/095060000000001029"
	demoPalletP  = "https://id.gs1.org/00/095060000000001036"
	demoPalletAB = "https://id.gs1.org/00/095060000000001043"
)

// A demoParticipant is an organisation of the story.
type demoParticipant struct {
	ID, Name string
	Grants   []string
}

func demoParticipants() []demoParticipant {
	return []demoParticipant{
		{"two-shores", "Two Shores Fruit Co-operative", []string{"9506000", demoPackers}},
		{"bredahill", "Bredahill Orchard", []string{demoOrchard}},
		{"sandager", "Sandager Pear Garden", []string{demoGarden}},
		{"sundby", "Sundby Kitchen", []string{demoKitchen}},
		{"nordvogn", "Nordvogn Haulage", []string{demoDepot}},
		{"torvet", "Torvet Greengrocer", []string{demoGrocer}},
	}
}

// A demoEntry is what a participant logs: an event or a statement.
type demoEntry struct {
	By   string
	ID   string // the eventID; "" for a statement
	JSON []byte
}

// object is a JSON object.
type object map[string]any

// demoEntries tells the story in the order in which it is logged. Everything in
// it is fixed, so that it is the same entry, with the same eventID, whenever the
// demonstration starts.
func demoEntries() ([]demoEntry, error) {
	s := &storyteller{}
	s.statements()
	s.apples(demoApplesA, demoPalletA, 840, "2025-09-14", "2025-09-15")
	s.apples(demoApplesB, demoPalletB, 620, "2025-09-21", "2025-09-22")
	s.inspections()
	s.pears()
	s.coldStore()
	s.kitchen()
	s.delivery()
	s.shop()
	return s.entries, s.err
}

type storyteller struct {
	entries []demoEntry
	err     error
}

func (s *storyteller) say(by string, statement object) {
	b, err := json.Marshal(statement)
	if err != nil {
		s.err = err
	}
	s.entries = append(s.entries, demoEntry{By: by, JSON: b})
}

// event logs an event. Its eventID is the CBV 2.0 hash of it.
func (s *storyteller) event(by, time, place string, members object) {
	e := object{
		"@context":            []any{epcis.StandardContext, object{"fruit": "https://two-shores.example/terms/"}},
		"type":                "ObjectEvent",
		"eventTime":           time + "+02:00",
		"eventTimeZoneOffset": "+02:00",
	}
	if place != "" {
		e["readPoint"] = object{"id": place}
	}
	for name, value := range members {
		e[name] = value
	}
	if e["type"] != "TransformationEvent" && e["action"] == nil {
		e["action"] = "OBSERVE"
	}
	b, err := json.Marshal(e)
	if err != nil {
		s.err = err
		return
	}
	v, err := jcs.Parse(b)
	if err != nil {
		s.err = fmt.Errorf("an event of the demonstration: %w", err)
		return
	}
	id := epcis.Hash(v)
	s.entries = append(s.entries, demoEntry{by, id, v.With("eventID", jcs.NewString(id)).AppendCanonical(nil)})
}

// withdraw takes the last event back.
func (s *storyteller) withdraw(by, time, reason string) {
	last := s.entries[len(s.entries)-1]
	v, err := jcs.Parse(last.JSON)
	if err != nil {
		s.err = err
		return
	}
	v = v.With("errorDeclaration", jcs.NewObject(
		jcs.Member{Name: "declarationTime", Value: jcs.NewString(time + "+02:00")},
		jcs.Member{Name: "reason", Value: jcs.NewString(reason)},
	))
	s.entries = append(s.entries, demoEntry{by, last.ID, v.AppendCanonical(nil)})
}

func (s *storyteller) statements() {
	product := func(id, name, description string) {
		s.say("two-shores", object{"type": "tallyroot:Product", "identifier": id, "name": name, "brand": "Two Shores", "description": description})
	}
	product(demoPuree, "Apple and pear purée", "Aroma apples from Österlen and Conference pears from Langeland, cooked within three weeks of the harvest. Nothing added. 360 g.")
	product(demoApples, "Aroma apples", "An old Swedish dessert apple, picked by hand.")
	product(demoPears, "Conference pears", "Grown on the clay of Langeland.")
	place := func(by, id, name, address string, latitude, longitude float64) {
		s.say(by, object{"type": "tallyroot:Place", "identifier": id, "name": name, "address": address, "latitude": latitude, "longitude": longitude})
	}
	place("bredahill", demoOrchard, "Bredahill Orchard", "Bredavägen 12, Kivik, Sweden", 55.683, 14.226)
	place("sandager", demoGarden, "Sandager Pear Garden", "Sandagervej 4, Langeland, Denmark", 54.957, 10.822)
	place("two-shores", demoPackers, "Two Shores packhouse", "Hamngatan 3, Simrishamn, Sweden", 55.557, 14.350)
	place("sundby", demoKitchen, "Sundby Kitchen", "Kajgatan 21, Malmö, Sweden", 55.609, 13.003)
	place("nordvogn", demoDepot, "Nordvogn depot", "Havnevej 90, Køge, Denmark", 55.458, 12.190)
	place("torvet", demoGrocer, "Torvet Greengrocer", "Torvegade 7, Copenhagen, Denmark", 55.676, 12.590)
}

func quantity(class string, n float64, uom string) []any {
	q := object{"epcClass": class, "quantity": n}
	if uom != "" {
		q["uom"] = uom
	}
	return []any{q}
}

func to(place string) []any {
	return []any{object{"type": "location", "destination": place}}
}

// temperature is a sensor's element: the least, the most and the mean of a time.
func temperature(from, until string, least, most, mean float64) []any {
	return []any{object{
		"sensorMetadata": object{"startTime": from + "+02:00", "endTime": until + "+02:00", "deviceID": demoLogger},
		"sensorReport":   []any{object{"type": "Temperature", "minValue": least, "maxValue": most, "meanValue": mean, "uom": "CEL"}},
	}}
}

// load packs things on a unit, or takes them off it.
func (s *storyteller) load(by, time, place, action, unit string, things object) {
	e := object{"type": "AggregationEvent", "action": action, "parentID": unit, "bizStep": "packing"}
	if action == "DELETE" {
		e["bizStep"] = "unpacking"
	}
	for name, value := range things {
		e[name] = value
	}
	s.event(by, time, place, e)
}

func (s *storyteller) ship(by, time, from, unit, destination string) {
	s.event(by, time, from, object{"epcList": []any{unit}, "bizStep": "shipping", "disposition": "in_transit", "destinationList": to(destination)})
}

func (s *storyteller) receive(by, time, at, unit string) {
	s.event(by, time, at, object{"epcList": []any{unit}, "bizStep": "receiving", "disposition": "in_progress", "bizLocation": object{"id": at}})
}

// apples brings a lot from the tree to the packhouse.
func (s *storyteller) apples(lot, pallet string, kilograms float64, day, next string) {
	s.event("bredahill", day+"T10:40:00", demoOrchard, object{
		"action": "ADD", "bizStep": "commissioning", "disposition": "active", "quantityList": quantity(lot, kilograms, "KGM"),
		"ilmd": object{"cbvmda:harvestStartDate": day, "cbvmda:harvestEndDate": day, "fruit:variety": "Aroma", "fruit:picking": "by hand"},
	})
	s.event("bredahill", day+"T15:20:00", demoOrchard, object{
		"bizStep": "https://two-shores.example/terms/cooling", "quantityList": quantity(lot, kilograms, "KGM"),
		"sensorElementList": []any{object{
			"sensorMetadata": object{"time": day + "T15:20:00+02:00"},
			"sensorReport":   []any{object{"type": "Temperature", "value": 3.4, "uom": "CEL"}, object{"type": "RelativeHumidity", "value": 91, "uom": "P1"}},
		}},
	})
	on := object{"childQuantityList": quantity(lot, kilograms, "KGM")}
	s.load("bredahill", next+"T06:30:00", demoOrchard, "ADD", pallet, on)
	s.ship("bredahill", next+"T07:05:00", demoOrchard, pallet, demoPackers)
	s.receive("two-shores", next+"T07:50:00", demoPackers, pallet)
	s.load("two-shores", next+"T08:15:00", demoPackers, "DELETE", pallet, on)
}

// inspections has the report that was wrong and is taken back.
func (s *storyteller) inspections() {
	inspect := func(time, lot string, sugar, defects float64) {
		s.event("two-shores", time, demoPackers, object{
			"bizStep": "inspecting", "disposition": "conformant", "quantityList": []any{object{"epcClass": lot}},
			"fruit:sugarContent": object{"value": sugar, "uom": "°Brix"}, "fruit:defects": object{"value": defects, "uom": "P1"},
		})
	}
	inspect("2025-09-15T09:30:00", demoApplesA, 21.4, 2)
	s.withdraw("two-shores", "2025-09-15T11:05:00", "incorrect_data")
	inspect("2025-09-15T09:30:00", demoApplesA, 12.4, 2)
	inspect("2025-09-22T09:10:00", demoApplesB, 12.1, 3)
}

func (s *storyteller) pears() {
	amount := quantity(demoPearsA, 410, "KGM")
	s.event("sandager", "2025-09-18T11:30:00", demoGarden, object{
		"action": "ADD", "bizStep": "commissioning", "disposition": "active", "quantityList": amount,
		"ilmd": object{"cbvmda:harvestStartDate": "2025-09-17", "cbvmda:harvestEndDate": "2025-09-18", "fruit:variety": "Conference"},
	})
	s.event("sandager", "2025-09-18T16:00:00", demoGarden, object{"bizStep": "https://two-shores.example/terms/cooling", "quantityList": amount})
	on := object{"childQuantityList": amount}
	s.load("sandager", "2025-09-30T05:40:00", demoGarden, "ADD", demoPalletP, on)
	s.ship("sandager", "2025-09-30T06:15:00", demoGarden, demoPalletP, demoKitchen)
	s.event("nordvogn", "2025-09-30T10:20:00", "", object{
		"bizStep": "sensor_reporting", "epcList": []any{demoPalletP},
		"sensorElementList": temperature("2025-09-30T06:15:00", "2025-09-30T10:15:00", 2.1, 4.8, 3.3),
	})
	s.receive("sundby", "2025-09-30T10:30:00", demoKitchen, demoPalletP)
	s.load("sundby", "2025-09-30T10:50:00", demoKitchen, "DELETE", demoPalletP, on)
}

// coldStore is what the packhouse's sensors say of the room, and of no goods.
func (s *storyteller) coldStore() {
	s.event("two-shores", "2025-10-01T06:00:00", demoPackers, object{
		"bizStep": "sensor_reporting", "sensorElementList": temperature("2025-09-15T08:00:00", "2025-10-01T06:00:00", 1.2, 3.9, 2.4),
	})
}

func (s *storyteller) kitchen() {
	apples := object{"childQuantityList": append(quantity(demoApplesA, 800, "KGM"), quantity(demoApplesB, 600, "KGM")...)}
	s.load("two-shores", "2025-10-01T06:20:00", demoPackers, "ADD", demoPalletAB, apples)
	s.ship("two-shores", "2025-10-01T06:45:00", demoPackers, demoPalletAB, demoKitchen)
	s.receive("sundby", "2025-10-01T08:20:00", demoKitchen, demoPalletAB)
	s.load("sundby", "2025-10-01T08:40:00", demoKitchen, "DELETE", demoPalletAB, object{"childEPCs": []any{}})
	inputs := append(quantity(demoApplesA, 800, "KGM"), quantity(demoApplesB, 600, "KGM")...)
	s.event("sundby", "2025-10-02T13:10:00", demoKitchen, object{
		"type": "TransformationEvent", "bizStep": "https://two-shores.example/terms/cooking", "disposition": "active",
		"inputQuantityList":  append(inputs, quantity(demoPearsA, 400, "KGM")...),
		"outputQuantityList": quantity(demoLot, 4320, ""),
		"ilmd":               object{"cbvmda:bestBeforeDate": "2027-04-02", "cbvmda:countryOfOrigin": "SE"},
	})
	s.event("sundby", "2025-10-03T09:00:00", demoKitchen, object{
		"bizStep": "inspecting", "disposition": "conformant", "quantityList": []any{object{"epcClass": demoLot}},
		"certificationInfo":  "https://two-shores.example/certificates/PUR-1002.pdf",
		"bizTransactionList": []any{object{"type": "testres", "bizTransaction": "https://two-shores.example/tests/PUR-1002-LAB"}},
	})
	s.event("sundby", "2025-10-03T10:20:00", demoKitchen, object{"action": "ADD", "bizStep": "commissioning", "disposition": "active", "epcList": demoJars(1, 12)})
}

// demoJars are single jars of the lot.
func demoJars(first, last int) (jars []any) {
	for n := first; n <= last; n++ {
		jars = append(jars, fmt.Sprintf("%s/21/%04d", demoLot, n))
	}
	return jars
}

func (s *storyteller) delivery() {
	s.load("sundby", "2025-10-03T10:40:00", demoKitchen, "ADD", demoCaseA, object{"childEPCs": demoJars(1, 12)})
	s.load("sundby", "2025-10-06T07:30:00", demoKitchen, "ADD", demoPallet, object{"childEPCs": []any{demoCaseA, demoCaseB}})
	s.event("sundby", "2025-10-06T07:40:00", demoKitchen, object{
		"type": "TransactionEvent", "action": "ADD", "epcList": []any{demoPallet},
		"bizTransactionList": []any{object{"type": "po", "bizTransaction": "https://torvet.example/orders/PO-2214"}},
	})
	s.event("nordvogn", "2025-10-06T08:00:00", demoKitchen, object{
		"type": "AssociationEvent", "action": "ADD", "bizStep": "installing", "parentID": demoPallet, "childEPCs": []any{demoLogger},
	})
	s.ship("sundby", "2025-10-06T08:15:00", demoKitchen, demoPallet, demoDepot)
	s.event("nordvogn", "2025-10-06T09:35:00", "", object{
		"bizStep": "sensor_reporting", "epcList": []any{demoPallet},
		"sensorElementList": temperature("2025-10-06T08:15:00", "2025-10-06T09:30:00", 11.8, 14.2, 12.9),
	})
	s.receive("nordvogn", "2025-10-06T09:40:00", demoDepot, demoPallet)
	s.event("nordvogn", "2025-10-06T09:50:00", demoDepot, object{
		"type": "AssociationEvent", "action": "DELETE", "bizStep": "removing", "parentID": demoPallet, "childEPCs": []any{demoLogger},
	})
	s.load("nordvogn", "2025-10-07T05:30:00", demoDepot, "DELETE", demoPallet, object{"childEPCs": []any{demoCaseA, demoCaseB}})
	s.ship("nordvogn", "2025-10-07T06:00:00", demoDepot, demoCaseA, demoGrocer)
}

func (s *storyteller) shop() {
	s.receive("torvet", "2025-10-07T06:50:00", demoGrocer, demoCaseA)
	s.load("torvet", "2025-10-07T07:20:00", demoGrocer, "DELETE", demoCaseA, object{"childEPCs": demoJars(1, 12)})
	s.event("torvet", "2025-10-07T07:30:00", demoGrocer, object{
		"bizStep": "stocking", "disposition": "sellable_accessible", "epcList": demoJars(1, 12), "bizLocation": object{"id": demoGrocer},
	})
	s.event("torvet", "2025-10-08T16:45:00", demoGrocer, object{
		"action": "DELETE", "bizStep": "retail_selling", "disposition": "retail_sold", "epcList": demoJars(3, 3),
	})
}
