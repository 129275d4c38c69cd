package web

import (
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/provenance/jcs"
)

func parse(t *testing.T, text string) jcs.Value {
	t.Helper()
	v, err := jcs.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestDeeds words every type of event, and terms in every form.
func TestDeeds(t *testing.T) {
	pallet := angle{inside: "onto a pallet or into a case"}
	for _, c := range []struct {
		event string
		angle angle
		want  string
	}{
		{`{"type":"ObjectEvent","action":"ADD","bizStep":"commissioning"}`, angle{}, "Batch registered"},
		{`{"type":"ObjectEvent","action":"ADD","bizStep":"commissioning"}`, angle{serial: true}, "Given its identity"},
		{`{"type":"ObjectEvent","action":"ADD","bizStep":"commissioning","ilmd":{"cbvmda:harvestEndDate":"2026-01-01"}}`, angle{}, "Harvested"},
		{`{"type":"ObjectEvent","action":"OBSERVE","bizStep":"shipping"}`, angle{}, "Shipped"},
		{`{"type":"ObjectEvent","action":"OBSERVE","bizStep":"cbv:BizStep-shipping"}`, angle{}, "Shipped"},
		{`{"type":"ObjectEvent","action":"OBSERVE","bizStep":"urn:epcglobal:cbv:bizstep:shipping"}`, angle{}, "Shipped"},
		{`{"type":"ObjectEvent","action":"OBSERVE","bizStep":"https://ref.gs1.org/cbv/BizStep-retail_selling"}`, angle{}, "Sold"},
		{`{"type":"ObjectEvent","action":"OBSERVE","bizStep":"https://example.org/terms#harvesting"}`, angle{}, "Harvested"},
		{`{"type":"ObjectEvent","action":"OBSERVE","bizStep":"https://example.org/terms/hand-polishing_twice"}`, angle{}, "Hand polishing twice"},
		{`{"type":"ObjectEvent","action":"OBSERVE","bizStep":"urn:x:waxCoating/"}`, angle{}, "Wax coating"},
		{`{"type":"ObjectEvent","action":"ADD"}`, angle{}, "First recorded"},
		{`{"type":"ObjectEvent","action":"OBSERVE"}`, angle{}, "Seen"},
		{`{"type":"ObjectEvent","action":"DELETE"}`, angle{}, "Taken out of use"},
		{`{"type":"ObjectEvent","action":"OBSERVE","sensorElementList":[{"sensorReport":[{"type":"Temperature"}]}]}`, angle{}, "Temperature recorded"},
		{`{"type":"ObjectEvent","action":"OBSERVE","sensorElementList":[{"sensorReport":[{"type":"gs1:Temperature"},{"type":"Illuminance"}]}]}`, angle{}, "Measured"},
		{`{"type":"AggregationEvent","action":"ADD","bizStep":"packing"}`, pallet, "Packed onto a pallet or into a case"},
		{`{"type":"AggregationEvent","action":"DELETE"}`, pallet, "Unpacked from a pallet or from a case"},
		{`{"type":"AggregationEvent","action":"ADD"}`, angle{parent: true}, "Loaded with goods"},
		{`{"type":"AggregationEvent","action":"DELETE"}`, angle{parent: true}, "Goods taken off"},
		{`{"type":"AggregationEvent","action":"OBSERVE"}`, pallet, "Seen packed together"},
		{`{"type":"AggregationEvent","action":"OBSERVE","bizStep":"receiving"}`, pallet, "Received"},
		{`{"type":"TransactionEvent","action":"ADD"}`, angle{}, "Put on an order or document"},
		{`{"type":"TransactionEvent","action":"DELETE"}`, angle{}, "Taken off an order or document"},
		{`{"type":"TransactionEvent","action":"OBSERVE","bizStep":"shipping"}`, angle{}, "Shipped"},
		{`{"type":"AssociationEvent","action":"ADD"}`, angle{}, "Device attached"},
		{`{"type":"AssociationEvent","action":"DELETE"}`, angle{}, "Device removed"},
		{`{"type":"AssociationEvent","action":"OBSERVE"}`, angle{}, "Device in place"},
		{`{"type":"TransformationEvent","inputQuantityList":[{},{}],"inputEPCList":["a"]}`, angle{output: true}, "Made from three ingredients"},
		{`{"type":"TransformationEvent","inputEPCList":["a"]}`, angle{output: true}, "Made from one ingredient"},
		{`{"type":"TransformationEvent","outputEPCList":["a"]}`, angle{output: true}, "Made"},
		{`{"type":"TransformationEvent","bizStep":"commissioning","inputEPCList":["a"]}`, angle{input: true}, "Used to make something new"},
		{`{"type":"TransformationEvent","bizStep":"https://example.org/roasting","inputEPCList":["a"]}`, angle{output: true}, "Roasted"},
		{`{"type":"Unheard","action":"ADD","bizStep":{"no":"text"}}`, angle{}, "First recorded"},
	} {
		d := deedOf(parse(t, c.event), c.angle)
		if d.Title != c.want {
			t.Errorf("%s: %q, want %q", c.event, d.Title, c.want)
		}
	}
}

// TestMarks draws what does not count, and what could not be proved.
func TestMarks(t *testing.T) {
	templates, err := parseTemplates(&handler{})
	if err != nil {
		t.Fatal(err)
	}
	p := &productPage{Steps: 4, Unproved: 1, Odd: 3, Size: 9, Chapters: []chapter{{Heading: "Its journey", Groups: []group{{Steps: []*step{
		{Index: 1, Title: "Stored", Duplicate: true},
		{Index: 2, Title: "Stored", Unauthenticated: "the key <is> unknown"},
		{Index: 3, Title: "Stored", Declaration: true},
		{Index: 4, Title: "Stored", NotProved: "the proof leads elsewhere"},
	}}}}}}
	var b strings.Builder
	if err := templates.ExecuteTemplate(&b, "product", p); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"A duplicate.", "Its signature does not hold.", "the key &lt;is&gt; unknown", "A withdrawal without effect:",
		"Not proved</strong>: entry 4", "the proof leads elsewhere", "1 step could not be proved.", "Do not rely on this page"} {
		if !strings.Contains(b.String(), text) {
			t.Errorf("the page does not hold %q", text)
		}
	}
	b.Reset()
	if err := templates.ExecuteTemplate(&b, "says", p); err != nil || strings.Contains(b.String(), "steps shown") {
		t.Errorf("a page with a step that is not proved says %q (%v)", b.String(), err)
	}
}

// TestIcons: each deed has a symbol, and each symbol a deed.
func TestIcons(t *testing.T) {
	frame, err := os.ReadFile("templates/frame.html")
	if err != nil {
		t.Fatal(err)
	}
	for step, d := range deeds {
		if !strings.Contains(string(frame), `<symbol id="i-`+d.Icon+`"`) {
			t.Errorf("%s has the symbol %q, which is not drawn", step, d.Icon)
		}
		if d.Title == "" {
			t.Errorf("%s has no words", step)
		}
	}
}

// TestSteps holds the words against the list of CBV 2.0, section 7.1.
func TestSteps(t *testing.T) {
	for _, step := range strings.Fields(`accepting arriving assembling collecting commissioning consigning
		creating_class_instance cycle_counting decommissioning departing destroying disassembling
		dispensing encoding entering_exiting holding inspecting installing killing loading
		other packing picking receiving removing repackaging repairing replacing
		reserving retail_selling sampling sensor_reporting shipping staging_outbound
		stock_taking stocking storing transporting unloading unpacking void_shipping`) {
		if _, ok := deeds[step]; !ok {
			t.Errorf("%s has no words of its own", step)
		}
	}
}

func TestReadings(t *testing.T) {
	for _, c := range []struct{ report, what, value string }{
		{`{"type":"Temperature","value":-0.44,"uom":"CEL"}`, "Temperature", "\u22120.44\u00a0°C"},
		{`{"type":"Temperature","minValue":2,"maxValue":4.5,"meanValue":3.1234,"uom":"CEL"}`, "Temperature", "between 2\u00a0°C and 4.5\u00a0°C, 3.123\u00a0°C on average"},
		{`{"type":"RelativeHumidity","maxValue":91,"uom":"P1"}`, "Relative humidity", "never above 91\u00a0%"},
		{`{"type":"Mass","minValue":1234567,"uom":"KGM"}`, "Mass", "never below 1,234,567\u00a0kg"},
		{`{"type":"https://example.org/voc/ShockCount","value":3,"uom":"X9"}`, "Shock count", "3\u00a0X9"},
		{`{"type":"Illuminance","booleanValue":true}`, "Illuminance", "yes"},
		{`{"type":"Illuminance","stringValue":"dark"}`, "Illuminance", "dark"},
		{`{"type":"Temperature","exception":"ALARM_CONDITION","value":12,"uom":"CEL"}`, "Alarm: Alarm condition", "12\u00a0°C"},
	} {
		list := readings(parse(t, `{"sensorElementList":[{"sensorReport":[`+c.report+`]}]}`), time.UTC)
		if len(list) != 1 || list[0].What != c.what || list[0].Value != c.value {
			t.Errorf("%s: %+v, want %s %s", c.report, list, c.what, c.value)
		}
	}
}

func TestNumbers(t *testing.T) {
	for value, want := range map[float64]string{0: "0", -0.0001: "0", 999: "999", 1000: "1,000", 123456.75: "123,456.75", -1234: "\u22121,234", 1e18: "1e+18"} {
		if have := grouped(value); have != want {
			t.Errorf("%g: %q, want %q", value, have, want)
		}
	}
}

func TestOffsets(t *testing.T) {
	for zone, want := range map[string]string{"Z": "UTC", "+01:00": "UTC+1", "-08:00": "UTC\u22128", "+05:45": "UTC+5:45", "-03:30": "UTC\u22123:30"} {
		v := parse(t, `{"eventTime":"2026-03-01T10:00:00`+zone+`"}`)
		if at, ok := moment(v); !ok || offsetWords(at) != want {
			t.Errorf("%s: %q, want %q", zone, offsetWords(at), want)
		}
	}
	// The event's own offset counts, not the one that its time is written in.
	at, _ := moment(parse(t, `{"eventTime":"2026-03-01T23:30:00Z","eventTimeZoneOffset":"+02:00"}`))
	if have := at.Format("2 January 15:04"); have != "2 March 01:30" {
		t.Error(have)
	}
}

func TestGeo(t *testing.T) {
	for uri, ok := range map[string]bool{"geo:52.5,13.4": true, "geo:-90,180;u=5": true, "geo:91,0": false, "geo:1": false, "geo:nan,1": false, "geo:1,inf": false, "https://x": false} {
		if _, have := geo(uri); have != ok {
			t.Errorf("%s: %t", uri, have)
		}
	}
}

// TestChart draws places all over the world, and on both sides of the date line.
func TestChart(t *testing.T) {
	for name, spots := range map[string][]spot{
		"one":        {{13, 55}},
		"region":     {{14.2, 55.7}, {10.8, 54.9}, {12.6, 55.7}},
		"world":      {{-122, 37}, {-70, -33}, {2, 51}, {151, -33}, {37, -1}},
		"date line":  {{178, -38}, {-179.5, -16}, {-175, -21}},
		"same place": {{5, 5}, {5, 5}},
		"pole":       {{0, 90}, {10, 89.5}},
	} {
		var places []*place
		var way []int
		for i, s := range spots {
			places = append(places, &place{Number: i + 1, Name: "p", At: &s})
			way = append(way, i)
		}
		places = append(places, &place{Number: len(places) + 1, Name: "nowhere"})
		c := drawChart(places, map[string][]int{"x": append(way, len(places)-1)})
		if c == nil || len(c.Pins) == 0 || len(c.Pins) > len(spots) {
			t.Fatalf("%s: %+v", name, c)
		}
		for _, p := range c.Pins {
			if !(p.X >= 0 && p.X <= mapWidth && p.Y >= 0 && p.Y <= mapHeight) {
				t.Errorf("%s: a pin at %g, %g", name, p.X, p.Y)
			}
		}
		if strings.Contains(c.Land+c.Borders+c.Route, "NaN") || strings.Contains(c.Land, "Inf") {
			t.Errorf("%s: a path that is no path", name)
		}
	}
	region := drawChart([]*place{{Number: 1, At: &spot{14, 55}}, {Number: 2, At: &spot{10, 54}}}, nil)
	if len(region.Land) < 500 || len(region.Land) > 200_000 {
		t.Errorf("%d bytes of land", len(region.Land))
	}
	if drawChart([]*place{{Number: 1}}, nil) != nil {
		t.Error("a map of nowhere")
	}
	if len(landData) > 60_000 {
		t.Errorf("the outlines have %d bytes", len(landData))
	}
}

// TestContrast computes WCAG 2.2's contrast of each text and ground that the
// style sheet puts together, in both schemes.
func TestContrast(t *testing.T) {
	css := string(styleSheet)
	light := variables(css[:strings.Index(css, "@media")])
	dark := variables(css[strings.Index(css, "@media"):])
	for name, scheme := range map[string]map[string]string{"light": light, "dark": dark} {
		for _, pair := range []struct {
			text, grounds string
			least         float64
		}{
			{"ink", "paper card leaf-wash amber-wash berry-wash slate-wash code", 4.5},
			{"soft", "paper card leaf-wash amber-wash slate-wash code berry-wash", 4.5},
			{"leaf", "paper card leaf-wash amber-wash berry-wash code", 4.5},
			{"berry", "paper card code leaf-wash amber-wash berry-wash", 4.5},
			{"amber", "amber-wash", 4.5},
			{"plum", "plum-wash", 4.5},
			{"slate", "slate-wash", 4.5},
			{"on-leaf", "leaf", 4.5},
			{"amber", "paper card", 3}, // the ring of what has the focus
			{"leaf", "sea land", 3},    // the map's ways
		} {
			for ground := range strings.FieldsSeq(pair.grounds) {
				if have := contrast(t, scheme[pair.text], scheme[ground]); have < pair.least {
					t.Errorf("%s: %s on %s has %.2f, want %.1f", name, pair.text, ground, have, pair.least)
				}
			}
		}
	}
}

func variables(css string) map[string]string {
	found := map[string]string{}
	for _, m := range regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6});`).FindAllStringSubmatch(css, -1) {
		if found[m[1]] == "" {
			found[m[1]] = m[2]
		}
	}
	return found
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	luminance := func(color string) (l float64) {
		n, err := strconv.ParseUint(strings.TrimPrefix(color, "#"), 16, 32)
		if err != nil || len(color) != 7 {
			t.Fatalf("the colour %q", color)
		}
		for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
			c := float64(n>>(16-8*i)&0xff) / 255
			if c <= 0.04045 {
				c /= 12.92
			} else {
				c = math.Pow((c+0.055)/1.055, 2.4)
			}
			l += weight * c
		}
		return l
	}
	l := []float64{luminance(a), luminance(b)}
	slices.Sort(l)
	return (l[1] + 0.05) / (l[0] + 0.05)
}
