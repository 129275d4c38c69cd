package web

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/tallyroot/tallyroot/provenance/jcs"
)

// units are the commonest of UN/ECE Recommendation 20.
var units = map[string]string{
	"KGM": "kg", "GRM": "g", "MGM": "mg", "TNE": "t", "LBR": "lb", "ONZ": "oz",
	"LTR": "litres", "MLT": "ml", "HLT": "hl", "MTQ": "m³", "GLL": "gal (US)",
	"MTR": "m", "CMT": "cm", "MMT": "mm", "KMT": "km", "MTK": "m²", "HAR": "ha",
	"CEL": "°C", "FAH": "°F", "KEL": "K", "P1": "%", "A93": "g/m³", "PAL": "Pa", "HPA": "hPa", "MBR": "mbar", "BAR": "bar",
	"LUX": "lx", "2N": "dB", "MPS": "m/s", "KMH": "km/h", "VLT": "V", "HUR": "hours", "MIN": "min", "SEC": "s", "DD": "°", "59": "ppm",
	"EA": "pieces", "H87": "pieces", "C62": "pieces", "XBX": "boxes", "XPX": "pallets", "XCS": "cases", "XBG": "bags", "XCR": "crates",
}

// unit is how a unit of measure is written; a code that is not known stands as
// it is.
func unit(code string) string {
	if u, ok := units[code]; ok {
		return u
	}
	return shorten(code, 12)
}

// measure writes a value with its unit: 4,200 kg, −0.4 °C, 87 %.
func measure(value float64, code string) string {
	s := grouped(value)
	switch u := unit(code); u {
	case "":
	case "°":
		s += u
	default:
		s += "\u00a0" + u
	}
	return s
}

// grouped writes a number to three decimals, with commas between thousands.
func grouped(value float64) string {
	if math.Abs(value) >= 1e15 {
		return strconv.FormatFloat(value, 'g', 6, 64)
	}
	s := strconv.FormatFloat(math.Abs(value), 'f', 3, 64)
	whole, decimals, _ := strings.Cut(s, ".")
	decimals = strings.TrimRight(decimals, "0")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if decimals != "" {
		whole += "." + decimals
	}
	if value < 0 && strings.Trim(whole, "0.,") != "" {
		whole = "\u2212" + whole
	}
	return whole
}

// A reading is what a sensor reported, for people.
type reading struct {
	What       string // Temperature
	Value      string // 2.1 °C to 4.8 °C, on average 3.3 °C
	Span       string // over which time
	Alarm      bool
	Min, Max   string
	Mean, Last string
}

// maxReadings bounds the readings that one step shows.
const maxReadings = 12

// readings gives the reports of an event's sensors.
func readings(v jcs.Value, offset *time.Location) (list []reading) {
	for _, element := range items(v, "sensorElementList") {
		metadata, _ := element.Get("sensorMetadata")
		for _, report := range items(element, "sensorReport") {
			r := reading{What: readable(term("", text(report, "type"))), Span: span(metadata, report, offset)}
			code := text(report, "uom")
			value := func(name string) string {
				m, ok := report.Get(name)
				if !ok || m.Kind() != jcs.Number {
					return ""
				}
				return measure(m.Float(), code)
			}
			r.Last, r.Min, r.Max, r.Mean = value("value"), value("minValue"), value("maxValue"), value("meanValue")
			r.Value = wordsOf(r)
			if r.Value == "" {
				r.Value = otherValue(report)
			}
			if text(report, "exception") != "" {
				r.Alarm, r.What = true, "Alarm: "+readable(strings.ToLower(term("", text(report, "exception"))))
			}
			if r.What == "" {
				r.What = "Measured"
			}
			if (r.Value != "" || r.Alarm) && len(list) < maxReadings {
				list = append(list, r)
			}
		}
	}
	return list
}

func wordsOf(r reading) string {
	var parts []string
	if r.Last != "" {
		parts = append(parts, r.Last)
	}
	switch {
	case r.Min != "" && r.Max != "":
		parts = append(parts, "between "+r.Min+" and "+r.Max)
	case r.Min != "":
		parts = append(parts, "never below "+r.Min)
	case r.Max != "":
		parts = append(parts, "never above "+r.Max)
	}
	if r.Mean != "" {
		parts = append(parts, r.Mean+" on average")
	}
	return strings.Join(parts, ", ")
}

// otherValue is what a report holds that is no number of its unit.
func otherValue(report jcs.Value) string {
	for _, name := range []string{"stringValue", "hexBinaryValue", "uriValue"} {
		if s := text(report, name); s != "" {
			return shorten(s, maxValue)
		}
	}
	if b, ok := report.Get("booleanValue"); ok && b.Kind() == jcs.Bool {
		if b.Bool() {
			return "yes"
		}
		return "no"
	}
	if c, ok := report.Get("component"); ok {
		return readable(term("component", c.Text()))
	}
	return ""
}

// span is the time that a sensor's report is about.
func span(metadata, report jcs.Value, offset *time.Location) string {
	at := func(v jcs.Value, name string) (time.Time, bool) {
		t, err := time.Parse(time.RFC3339, text(v, name))
		return t.In(offset), err == nil
	}
	from, ok1 := at(metadata, "startTime")
	to, ok2 := at(metadata, "endTime")
	if ok1 && ok2 {
		return shortTime(from) + " to " + shortTime(to)
	}
	for _, v := range []jcs.Value{report, metadata} {
		if t, ok := at(v, "time"); ok {
			return shortTime(t)
		}
	}
	return ""
}

func shortTime(t time.Time) string { return t.Format("2 Jan, 15:04") }

// moment is an event's time in the offset of the place where it happened.
func moment(v jcs.Value) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339, text(v, "eventTime"))
	if err != nil {
		return time.Time{}, false
	}
	if zone, err := time.Parse("-07:00", text(v, "eventTimeZoneOffset")); err == nil {
		_, seconds := zone.Zone()
		return t.In(time.FixedZone("", seconds)), true
	}
	return t, true
}

// offsetWords says how a time's clock differs from UTC.
func offsetWords(t time.Time) string {
	_, seconds := t.Zone()
	if seconds == 0 {
		return "UTC"
	}
	sign := "+"
	if seconds < 0 {
		sign, seconds = "\u2212", -seconds
	}
	if minutes := seconds / 60 % 60; minutes != 0 {
		return fmt.Sprintf("UTC%s%d:%02d", sign, seconds/3600, minutes)
	}
	return fmt.Sprintf("UTC%s%d", sign, seconds/3600)
}
