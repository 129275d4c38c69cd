package web

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/jcs"
)

// A deed is what happened, in a shopper's words, and the symbol that stands
// beside it.
type deed struct{ Icon, Title string }

// deeds are the business steps of CBV 2.0, section 7.1, and some of the words
// that trades use beside them. An event may write a step in several forms; here
// stands the last word of each.
var deeds = map[string]deed{
	"accepting":               {"arrive", "Accepted"},
	"arriving":                {"arrive", "Arrived"},
	"assembling":              {"make", "Put together"},
	"collecting":              {"basket", "Collected"},
	"commissioning":           {"tag", "Given its identity"},
	"consigning":              {"hand", "Handed to the carrier"},
	"creating_class_instance": {"make", "Batch made"},
	"cycle_counting":          {"list", "Counted"},
	"decommissioning":         {"end", "Taken out of use"},
	"departing":               {"truck", "Departed"},
	"destroying":              {"end", "Destroyed"},
	"disassembling":           {"unpack", "Taken apart"},
	"dispensing":              {"hand", "Dispensed"},
	"encoding":                {"tag", "Label written"},
	"entering_exiting":        {"door", "Passed a gate"},
	"holding":                 {"pause", "Held back"},
	"inspecting":              {"check", "Inspected"},
	"installing":              {"make", "Installed"},
	"killing":                 {"end", "Tag switched off"},
	"loading":                 {"truck", "Loaded"},
	"other":                   {"dot", "Something else was recorded"},
	"packing":                 {"box", "Packed"},
	"picking":                 {"hand", "Picked for an order"},
	"receiving":               {"arrive", "Received"},
	"removing":                {"unpack", "Removed"},
	"repackaging":             {"box", "Packed anew"},
	"repairing":               {"make", "Repaired"},
	"replacing":               {"make", "Replaced"},
	"reserving":               {"list", "Reserved"},
	"retail_selling":          {"basket", "Sold"},
	"sampling":                {"check", "Sample taken"},
	"sensor_reporting":        {"thermo", "Measured"},
	"shipping":                {"truck", "Shipped"},
	"staging_outbound":        {"door", "Made ready to leave"},
	"stock_taking":            {"list", "Stock taken"},
	"stocking":                {"shelf", "Put on the shelf"},
	"storing":                 {"store", "Stored"},
	"transporting":            {"truck", "On its way"},
	"unloading":               {"unpack", "Unloaded"},
	"unpacking":               {"unpack", "Unpacked"},
	"void_shipping":           {"end", "Shipment called off"},

	"bottling":      {"make", "Bottled"},
	"catching":      {"leaf", "Caught"},
	"cleaning":      {"drop", "Cleaned"},
	"cooking":       {"make", "Cooked"},
	"cooling":       {"cold", "Cooled"},
	"cutting":       {"make", "Cut"},
	"drying":        {"sun", "Dried"},
	"fermenting":    {"make", "Fermented"},
	"freezing":      {"cold", "Frozen"},
	"grading":       {"check", "Graded"},
	"growing":       {"leaf", "Grown"},
	"harvesting":    {"leaf", "Harvested"},
	"landing":       {"arrive", "Landed"},
	"milling":       {"make", "Milled"},
	"pasteurising":  {"make", "Pasteurised"},
	"pasteurizing":  {"make", "Pasteurised"},
	"planting":      {"leaf", "Planted"},
	"pressing":      {"make", "Pressed"},
	"processing":    {"make", "Processed"},
	"producing":     {"make", "Produced"},
	"returning":     {"hand", "Returned"},
	"roasting":      {"sun", "Roasted"},
	"slaughtering":  {"dot", "Slaughtered"},
	"sorting":       {"check", "Sorted"},
	"sowing":        {"leaf", "Sown"},
	"testing":       {"check", "Tested"},
	"transforming":  {"make", "Made into something new"},
	"transhipping":  {"truck", "Transhipped"},
	"transshipping": {"truck", "Transhipped"},
	"washing":       {"drop", "Washed"},
}

// term is the last word of a vocabulary's term, in any of its forms.
func term(field, text string) string {
	text = gs1.CBVTerm(field, text, gs1.CBVWebURI)
	for _, prefix := range []string{"https://ref.gs1.org/cbv/", "gs1:", "https://gs1.org/voc/", "https://ref.gs1.org/voc/"} {
		if rest, ok := strings.CutPrefix(text, prefix); ok {
			text = rest
			if _, word, ok := strings.Cut(rest, "-"); ok && strings.HasPrefix(prefix, "https://ref.gs1.org/cbv") {
				text = word
			}
		}
	}
	text = strings.TrimRight(text, "/#:")
	return text[strings.LastIndexAny(text, "/#:")+1:]
}

// maxTerm bounds the words that are made of a term, and maxValue a value, in
// characters.
const (
	maxTerm  = 80
	maxValue = 200
)

// readable makes words of a term: harvestEndDate, harvest_end_date and
// harvest-end-date are all "Harvest end date".
func readable(word string) string {
	var b strings.Builder
	var last rune
	for i, r := range word {
		switch {
		case r == '_' || r == '-' || r == '.':
			r = ' '
		case unicode.IsUpper(r) && unicode.IsLower(last):
			b.WriteByte(' ')
			if next, _ := utf8.DecodeRuneInString(word[i+utf8.RuneLen(r):]); !unicode.IsUpper(next) {
				r = unicode.ToLower(r)
			}
		}
		if r == ' ' && (last == ' ' || b.Len() == 0) {
			continue
		}
		b.WriteRune(r)
		last = r
	}
	text := strings.TrimSpace(b.String())
	if r, n := utf8.DecodeRuneInString(text); n > 0 && r != utf8.RuneError {
		text = string(unicode.ToUpper(r)) + text[n:]
	}
	return shorten(text, maxTerm)
}

// An angle is how an event is looked at: what of it the reader came for.
type angle struct {
	parent bool // the thing that others are put into
	child  bool
	output bool
	input  bool
	serial bool   // one single item
	inside string // what it is put into, in words
}

// deedOf says what an event reports.
func deedOf(v jcs.Value, a angle) deed {
	step := term("bizStep", text(v, "bizStep"))
	d, known := deeds[strings.ToLower(step)]
	if !known && step != "" {
		d = deed{"dot", readable(step)}
	}
	action := text(v, "action")
	switch text(v, "type") {
	case "TransformationEvent":
		return transformed(v, d, known, a)
	case "AggregationEvent":
		return together(d, step, action, a)
	case "AssociationEvent":
		switch {
		case action == "DELETE":
			return deed{"unpack", "Device removed"}
		case action == "ADD":
			return deed{"link", "Device attached"}
		}
		return deed{"link", "Device in place"}
	case "TransactionEvent":
		switch {
		case step != "" && step != "other":
			return d
		case action == "DELETE":
			return deed{"list", "Taken off an order or document"}
		}
		return deed{"list", "Put on an order or document"}
	}
	if harvested(v) && (step == "" || step == "commissioning" || step == "creating_class_instance") {
		return deed{"leaf", "Harvested"}
	}
	if _, measured := v.Get("sensorElementList"); measured && (step == "" || step == "sensor_reporting") {
		if only(v, "Temperature") {
			return deed{"thermo", "Temperature recorded"}
		}
		return deed{"thermo", "Measured"}
	}
	switch {
	case step == "commissioning" && !a.serial:
		return deed{"tag", "Batch registered"}
	case step != "":
		return d
	case action == "ADD":
		return deed{"tag", "First recorded"}
	case action == "DELETE":
		return deed{"end", "Taken out of use"}
	}
	return deed{"dot", "Seen"}
}

func transformed(v jcs.Value, d deed, known bool, a angle) deed {
	switch {
	case a.input && !a.output:
		return deed{"make", "Used to make something new"}
	case known && d.Title != deeds["commissioning"].Title && d.Title != deeds["creating_class_instance"].Title && d.Title != deeds["transforming"].Title:
		return deed{"make", d.Title}
	}
	n := len(items(v, "inputEPCList")) + len(items(v, "inputQuantityList"))
	switch n {
	case 0:
		return deed{"make", "Made"}
	case 1:
		return deed{"make", "Made from one ingredient"}
	}
	return deed{"make", "Made from " + number(n) + " ingredients"}
}

// together words an aggregation, as the thing inside or the thing around it
// lives it.
func together(d deed, step, action string, a angle) deed {
	packing := step == "" || step == "packing" || step == "unpacking" || step == "loading" || step == "unloading"
	switch {
	case !packing:
		return d
	case action == "ADD" && a.parent:
		return deed{"box", "Loaded with goods"}
	case action == "ADD":
		return deed{"box", "Packed " + a.inside}
	case action == "DELETE" && a.parent:
		return deed{"unpack", "Goods taken off"}
	case action == "DELETE":
		return deed{"unpack", "Unpacked " + strings.Replace(strings.Replace(a.inside, "onto ", "from ", 1), "into ", "from ", 1)}
	}
	return deed{"box", "Seen packed together"}
}

// harvested tells whether an event's master data says when a harvest was.
func harvested(v jcs.Value) bool {
	ilmd, _ := v.Get("ilmd")
	for _, m := range ilmd.Members() {
		if strings.Contains(strings.ToLower(m.Name), "harvest") {
			return true
		}
	}
	return false
}

// only tells whether an event's sensors report nothing but one kind.
func only(v jcs.Value, kind string) bool {
	n := 0
	for _, element := range items(v, "sensorElementList") {
		for _, report := range items(element, "sensorReport") {
			if term("", text(report, "type")) != kind {
				return false
			}
			n++
		}
	}
	return n > 0
}

// reasons are those of CBV 2.0, section 7.5, for which an event is withdrawn.
var reasons = map[string]string{
	"did_not_occur":  "it did not happen",
	"incorrect_data": "what it said was wrong",
}

func reasonOf(declaration jcs.Value) string {
	d, _ := declaration.Get("errorDeclaration")
	text := text(d, "reason")
	if text == "" {
		return "no reason given"
	}
	word := term("reason", text)
	if words, ok := reasons[word]; ok {
		return words
	}
	return readable(word)
}

// number writes small numbers in words.
func number(n int) string {
	if n >= 0 && n <= 9 {
		return [...]string{"no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}[n]
	}
	return grouped(float64(n))
}

// plural is "one step", "12 steps".
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(float64(n)) + " " + many
}

// What follows reads members; what is not of EPCIS's form is passed over.

func text(v jcs.Value, name string) string {
	m, _ := v.Get(name)
	return m.Text()
}

func items(v jcs.Value, name string) []jcs.Value {
	m, _ := v.Get(name)
	return m.Items()
}

// nested is the string v.outer.inner.
func nested(v jcs.Value, outer, inner string) string {
	m, _ := v.Get(outer)
	return text(m, inner)
}
