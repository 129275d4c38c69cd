package web_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/tallyroot/tallyroot/gateway/web"
	"github.com/tallyroot/tallyroot/provenance"
	"github.com/tallyroot/tallyroot/provenance/gs1"
)

const (
	gtin  = "https://id.gs1.org/01/09506000134352"
	lot   = gtin + "/10/LOT-7"
	item  = lot + "/21/0007"
	other = lot + "/21/0008"
	sscc  = "https://id.gs1.org/00/095060000000003016"
	field = "https://id.gs1.org/414/9506000134314"
)

func path(id string) string { return strings.TrimPrefix(id, gs1.Stem) }

func quantity(class string, n float64) []any {
	return []any{map[string]any{"epcClass": class, "quantity": n, "uom": "KGM"}}
}

// verifierTag is the one script that may stand on a page.
var verifierTag = regexp.MustCompile(`<script src="/assets/[0-9a-f]{16}\.js" integrity="sha256-[A-Za-z0-9+/&#;]{43,}=" defer></script>`)

// TestHostile logs what wants to be markup everywhere that text can stand.
func TestHostile(t *testing.T) {
	s := open(t)
	const bad = `"><script>alert(1)</script><img src=x onerror=alert(2)>`
	s.log(s.farm, map[string]any{"type": "tallyroot:Product", "identifier": gtin, "name": "Name " + bad, "brand": "Brand " + bad, "description": "About " + bad,
		"picture": map[string]any{"digest": "sha256:" + strings.Repeat("0", 64), "link": "https://pictures.example/x.png"}})
	s.log(s.farm, map[string]any{"type": "tallyroot:Place", "identifier": field, "name": "Field " + bad, "address": "Way " + bad, "latitude": 51.5, "longitude": -0.1})
	hostile := "https://example.org/?'\"><script>alert(3)</script>"
	index := s.log(s.farm, map[string]any{
		"@context": []any{"https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld", map[string]any{"x": "https://example.org/x/"}},
		"epcList":  []any{item, hostile, "javascript:alert(4)"}, "action": "ADD", "bizStep": "https://example.org/steps/<script>alert(5)</script>",
		"readPoint": map[string]any{"id": field}, "certificationInfo": "javascript:alert(6)", "x:note": bad,
		"ilmd": map[string]any{"x:" + "kind": bad},
	})
	for _, target := range []string{path(item), path(gtin), "/", fmt.Sprintf("/entry/%d", index), "/id?id=" + url.QueryEscape(hostile), "/id?id=" + url.QueryEscape("javascript:alert(4)"), "/id?id=" + url.QueryEscape(bad), "/" + url.PathEscape(bad)} {
		a := s.get(target)
		a.body = verifierTag.ReplaceAllString(a.body, "")
		if tags := regexp.MustCompile(`(?i)<(script|img [^>]*onerror|i>)`).FindAllString(a.body, -1); len(tags) > 0 {
			t.Errorf("%s holds the tags %q", target, tags)
		}
		a.lacks(t, `href="javascript:`, `src="https://`, `style="`, "<style")
		if have := a.header.Get("Content-Security-Policy"); !strings.HasPrefix(have, "default-src 'none'; style-src 'self'; img-src 'self'") || strings.Contains(have, "unsafe") {
			t.Errorf("%s: the policy is %q", target, have)
		}
	}
	a := s.get(path(item))
	a.holds(t, "Name &#34;&gt;&lt;script&gt;", "Brand &#34;", "Field &#34;", "Green &lt;i&gt;Valley&lt;/i&gt; Farm", `href="https://pictures.example/x.png"`, "not loaded by this page")
}

// TestNothingLogged: an identifier that nobody has spoken of has a page.
func TestNothingLogged(t *testing.T) {
	s := open(t)
	for _, target := range []string{path(gtin), path(item), path(sscc), "/id?id=urn%3Auuid%3A1"} {
		a := s.get(target)
		if a.code != 200 {
			t.Errorf("%s: %d", target, a.code)
		}
		a.holds(t, "Nothing logged yet", `<html lang="en">`)
		a.body = strings.ReplaceAll(a.body, "autocomplete=", "")
		a.lacks(t, "omplete")
	}
	s.get("/").holds(t, "Nothing logged yet")
}

// TestJourney is the page of an item that was made from something, packed,
// moved and measured; one report is taken back.
func TestJourney(t *testing.T) {
	s := open(t)
	fruit := "https://id.gs1.org/01/09506000134369/10/F1"
	s.log(s.farm, map[string]any{"type": "tallyroot:Product", "identifier": gtin, "name": "Purée", "brand": "Valley"})
	s.log(s.farm, map[string]any{"type": "tallyroot:Place", "identifier": field, "name": "Upper Field", "address": "Hill 1, Town, Land", "latitude": 51.5, "longitude": -0.1})
	at := func(hour int) string { return fmt.Sprintf("2026-03-01T%02d:30:00+01:00", hour) }
	s.log(s.farm, map[string]any{"eventTime": at(1), "quantityList": quantity(fruit, 4200), "action": "ADD", "bizStep": "commissioning", "readPoint": map[string]any{"id": field},
		"ilmd": map[string]any{"cbvmda:harvestEndDate": "2026-02-28"}})
	s.log(s.farm, map[string]any{"eventTime": at(2), "type": "TransformationEvent", "inputQuantityList": quantity(fruit, 4200), "outputQuantityList": quantity(lot, 4000),
		"ilmd": map[string]any{"cbvmda:bestBeforeDate": "2027-03-01"}})
	s.log(s.farm, map[string]any{"eventTime": at(3), "epcList": []any{item, other}, "action": "ADD", "bizStep": "commissioning"})
	s.log(s.farm, map[string]any{"eventTime": at(4), "type": "AggregationEvent", "parentID": sscc, "childEPCs": []any{item}, "action": "ADD", "bizStep": "packing"})
	wrong := map[string]any{"eventTime": at(5), "epcList": []any{sscc}, "bizStep": "inspecting", "eventID": "urn:uuid:11111111-1111-4111-8111-111111111111"}
	index := s.log(s.farm, wrong)
	wrong["errorDeclaration"] = map[string]any{"declarationTime": "2026-03-02T00:00:00Z", "reason": "did_not_occur"}
	withdrawal := s.log(s.farm, wrong)
	s.log(s.farm, map[string]any{"eventTime": at(6), "epcList": []any{sscc}, "bizStep": "shipping", "disposition": "in_transit",
		"destinationList": []any{map[string]any{"type": "location", "destination": "geo:52.5,13.4"}}})
	s.log(s.farm, map[string]any{"eventTime": at(7), "epcList": []any{sscc}, "bizStep": "sensor_reporting", "sensorElementList": []any{map[string]any{
		"sensorReport": []any{map[string]any{"type": "Temperature", "minValue": -1.5, "maxValue": 4.25, "meanValue": 2, "uom": "CEL"}}}}})
	s.log(s.shop, map[string]any{"eventTime": at(8), "type": "AggregationEvent", "parentID": sscc, "childEPCs": []any{item}, "action": "DELETE", "bizStep": "unpacking"})
	s.log(s.shop, map[string]any{"eventTime": at(9), "epcList": []any{sscc}, "bizStep": "destroying", "action": "DELETE"})      // the empty pallet
	s.log(s.shop, map[string]any{"eventTime": at(9), "epcList": []any{other}, "bizStep": "retail_selling", "action": "DELETE"}) // not this item

	a := s.get(path(item))
	a.holds(t, "Purée", "item 0007 of lot LOT-7", "Harvested", "4,200\u00a0kg", "Made from one ingredient", "Packed onto a pallet or into a case",
		"Shipped", "52.50° N, 13.40° E", "Temperature recorded", "between \u22121.5\u00a0°C and 4.25\u00a0°C, 2\u00a0°C on average",
		"Unpacked from a pallet or from a case", "1 March 2027", "1 March 2026", "01:30 UTC&#43;1", `datetime="2026-03-01T01:30:00&#43;01:00"`,
		"Corner Shop", "<s><bdi>Inspected</bdi></s>", "Taken back", "it did not happen", fmt.Sprintf("/entry/%d", withdrawal), fmt.Sprintf(`id="e%d"`, index),
		"quorum none", "on behalf of", "not on your device", "Not checked on your device", "That is the server’s word", "tallyroot verify", "That nothing was left out. Only your device can find that", "checkpoint of", "Upper Field",
		`<svg class="map"`, `class="pin"`)
	a.lacks(t, "omplete", "Destroyed", "Sold", "could not be proved", fmt.Sprintf(`id="e%d"`, withdrawal))
	if n := strings.Count(a.body, `<li class="step`); n != 8+0 {
		t.Errorf("the page has %d steps", n)
	}
	// The lot's own page tells what happened to its items.
	s.get(path(lot)).holds(t, "Sold</bdi> (some of it)", "some of its items", "this batch")
	// The pallet's page begins with the packing, and ends with itself.
	s.get(path(sscc)).holds(t, "Loaded with goods", "Goods taken off", "Destroyed")
	// The fruit's page ends with what became of it.
	s.get(path(fruit)).holds(t, "What became of it", "Used to make something new")
	s.get("/").holds(t, "Seen lately", "Purée")
}

// TestManySteps: a page of what was reported very often stays a page.
func TestManySteps(t *testing.T) {
	s := open(t)
	subs := make([]provenance.Submission, 1100)
	for i := range subs {
		subs[i].Body = fmt.Appendf(nil, `{"type":"ObjectEvent","action":"OBSERVE","eventTime":"2026-01-01T00:00:00Z","eventTimeZoneOffset":"+00:00","eventID":"urn:x:%d","epcList":[%q],"bizStep":"storing","readPoint":{"id":"urn:place:1"}}`, i, item)
	}
	for i, r := range s.service.LogBatch(t.Context(), s.farm, subs) {
		if r.Err != nil {
			t.Fatalf("%d: %v", i, r.Err)
		}
	}
	a := s.get(path(item))
	a.holds(t, "newest 300 steps", "800 older ones are left out", `href="/v1/journey?id=`, "urn:place:1", `id="place-1"`,
		`id="e`+strconv.FormatUint(s.newest(), 10)+`"`)
	a.lacks(t, `<svg class="map"`)
	if n := strings.Count(a.body, `<li class="step`); n != 300 {
		t.Errorf("the page has %d steps", n)
	}
}

// TestLargePage: a page that would be larger than a page may be has fewer steps.
func TestLargePage(t *testing.T) {
	s := open(t)
	s.log(s.farm, map[string]any{"type": "tallyroot:Product", "identifier": gtin, "name": strings.Repeat(`"`, 256)})
	var list []string
	for i := range 12 {
		list = append(list, fmt.Sprintf("%q", gtin+"/21/"+strconv.Itoa(i)))
	}
	subs := make([]provenance.Submission, 310)
	for i := range subs {
		subs[i].Body = fmt.Appendf(nil, `{"type":"ObjectEvent","action":"OBSERVE","eventTime":"2026-01-01T00:00:00Z","eventTimeZoneOffset":"+00:00","eventID":"urn:x:%d","epcList":[%q,%s],"bizStep":"storing"}`, i, item, strings.Join(list, ","))
	}
	for i, r := range s.service.LogBatch(t.Context(), s.farm, subs) {
		if r.Err != nil {
			t.Fatalf("%d: %v", i, r.Err)
		}
	}
	a := s.get(path(item))
	if n := strings.Count(a.body, `<li class="step`); a.code != 200 || len(a.body) > 3<<20 || n != 75 {
		t.Errorf("%d: %d bytes, %d steps", a.code, len(a.body), n)
	}
	a.holds(t, "newest 75 steps", "235 older ones are left out")

	// Beyond what all large pages may hold together, people wait.
	web.Fill(s.pages)
	for _, accept := range []string{"text/html", "application/json"} {
		a := s.get(path(item), "Accept", accept)
		if a.code != 503 || a.header.Get("Retry-After") != "2" || !strings.HasPrefix(a.header.Get("Content-Type"), accept) {
			t.Errorf("without room: %d, %v", a.code, a.header)
		}
		a.holds(t, "Try this one again")
	}
	if a := s.get(path(other)); a.code != 200 {
		t.Errorf("a small page without room: %d", a.code)
	}
}

// TestTooLong: of a history that is too long to read, the newest is not known.
func TestTooLong(t *testing.T) {
	s := open(t)
	note := strings.Repeat("x", 60_000)
	subs := make([]provenance.Submission, provenance.MaxJourneyBytes/len(note)+1)
	for i := range subs {
		subs[i].Body = fmt.Appendf(nil, `{"@context":["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld",{"x":"https://example.org/x/"}],"type":"ObjectEvent","action":"OBSERVE","eventTime":"2026-01-01T00:00:00Z","eventTimeZoneOffset":"+00:00","eventID":"urn:x:%d","epcList":[%q],"bizStep":"storing","x:note":%q}`, i, item, note)
	}
	for i, r := range s.service.LogBatch(t.Context(), s.farm, subs) {
		if r.Err != nil {
			t.Fatalf("%d: %v", i, r.Err)
		}
	}
	a := s.get(path(item))
	a.holds(t, "More was reported", `/v1/history?id=`)
	a.lacks(t, "Last seen", note[:1000])
	if len(a.body) > 1<<20 {
		t.Errorf("the page has %d bytes", len(a.body))
	}
}

// TestHidden logs what nobody sees, and what turns text around, everywhere that
// text can stand.
func TestHidden(t *testing.T) {
	s := open(t)
	const bad = "a\u202eb\u2066c\u200bd\u2028e\ufefff\u00adg\U000e0041i"
	const shown = "a\ufffdb\ufffdc\ufffdd\ufffde\ufffdf\ufffdg\ufffdi"
	s.log(s.farm, map[string]any{"type": "tallyroot:Product", "identifier": gtin, "name": "Name " + bad, "brand": "می\u200cخواهم 👩\u200d🌾", "description": "About " + bad})
	s.log(s.farm, map[string]any{"type": "tallyroot:Place", "identifier": field, "name": "Field " + bad, "address": "Way " + bad})
	index := s.log(s.farm, map[string]any{
		"@context": []any{"https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld", map[string]any{"x": "https://example.org/x/"}},
		"epcList":  []any{item}, "readPoint": map[string]any{"id": field}, "x:note": bad + "\u0085",
		"sensorElementList": []any{map[string]any{"sensorReport": []any{map[string]any{"type": "Temperature", "stringValue": "Warm " + bad}}}},
	})
	entry := fmt.Sprintf("/entry/%d", index)
	for _, target := range []string{path(item), path(field), "/", entry, "/id?id=" + url.QueryEscape(bad)} {
		a := s.get(target)
		for _, r := range a.body {
			if r != '\n' && r != '\t' && r != 0x200c && r != 0x200d && (unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Cf, unicode.Zl, unicode.Zp)) {
				t.Errorf("%s holds %U", target, r)
			}
		}
	}
	s.get(path(item)).holds(t, "<bdi>Name "+shown, "<bdi>Field "+shown, "<bdi>Way "+shown, "<bdi>Warm "+shown, "<dd><bdi>"+shown+"\ufffd", "<bdi>می\u200cخواهم 👩\u200d🌾</bdi>", "<bdi>Green &lt;i&gt;")
	s.get(entry).holds(t, `&#34;a\u202eb\u2066c\u200bd\u2028e\ufefff\u00adg\udb40\udc41i\u0085&#34;`)
	if e, err := s.service.EventAt(t.Context(), index); err != nil || s.get(entry+".entry").body != string(e.Entry) || !strings.Contains(string(e.Entry), bad+"\u0085") {
		t.Errorf("the file is not the entry as it stands in the log (%v)", err)
	}
}

// TestPlace is the page of a place, with what its sensors said.
func TestPlace(t *testing.T) {
	s := open(t)
	s.get(path(field)).holds(t, "GLN 9506000134314", "Nothing logged yet")
	s.log(s.farm, map[string]any{"type": "tallyroot:Place", "identifier": field, "name": "Upper Field", "address": "Hill 1, Town, Land", "latitude": 51.5, "longitude": -0.1})
	s.get(path(field)).holds(t, "<h1><bdi>Upper Field</bdi></h1>", "GLN 9506000134314", "Hill 1, Town, Land", "51.50° N, 0.10° W", "Where it is", `<svg class="map"`, "as <bdi>Green", "Nothing logged yet")
	warm := map[string]any{"bizStep": "sensor_reporting", "readPoint": map[string]any{"id": field}, "eventID": "urn:uuid:22222222-1111-4111-8111-111111111111",
		"sensorElementList": []any{map[string]any{"sensorReport": []any{map[string]any{"type": "Temperature", "value": 41.5, "uom": "CEL"}}}}}
	s.log(s.farm, warm)
	warm["errorDeclaration"] = map[string]any{"declarationTime": "2026-03-02T00:00:00Z", "reason": "did_not_occur"}
	s.log(s.farm, warm)
	delete(warm, "errorDeclaration")
	warm["eventID"] = "urn:uuid:33333333-1111-4111-8111-111111111111"
	s.log(s.shop, warm)
	s.log(s.farm, map[string]any{"epcList": []any{item}, "bizStep": "storing", "readPoint": map[string]any{"id": field}}) // an object's
	a := s.get(path(field))
	a.holds(t, "What was reported here", "Temperature recorded", "41.5\u00a0°C", "Corner Shop", "Taken back", "Last reported", `class="pin"`, "quorum none", "not on your device")
	a.lacks(t, "Nothing logged yet", "omplete", "Stored", "some of it", "Where it has been")
	if n := strings.Count(a.body, `<li class="step`); n != 2 {
		t.Errorf("the page has %d steps", n)
	}
	if j := s.get(path(field), "Accept", "application/json"); !strings.Contains(j.body, `"kind":"place"`) {
		t.Error("the journey has no history of the place")
	}
	s.get(path(item)).holds(t, `<a href="`+path(field)+`"><bdi>Upper Field</bdi></a>`)
	s.get("/id?id="+url.QueryEscape("geo:52.5,13.4")).holds(t, "52.50° N, 13.40° E", `<svg class="map"`)
}

// TestLinkTypes follows the links of the linkset, one by one.
func TestLinkTypes(t *testing.T) {
	s := open(t)
	page := publicURL + path(item)
	journey := publicURL + "/v1/journey?id=" + url.QueryEscape(item)
	for _, c := range []struct {
		linkType, accept string
		code             int
		want             string
	}{
		{"gs1:pip", "*/*", 307, page},
		{"pip", "application/linkset+json", 307, page},
		{"https://ref.gs1.org/voc/pip", "text/html", 307, page},
		{"https://gs1.org/voc/defaultLink", "text/html", 307, page},
		{"gs1:traceability", "text/html", 307, page},
		{"gs1:traceability", "application/json", 307, journey},
		{"gs1:epcis", "text/html", 307, publicURL + "/v1/history?id=" + url.QueryEscape(item)},
		{"gs1:verificationService", "", 307, publicURL + "/log/checkpoint"},
		{"gs1:recipeInfo", "text/html", 404, "linkType=linkset"},
		{"gs1:gs1:pip", "text/html", 404, "traceability"},
		{"<script>", "text/html", 404, "&lt;script&gt;"},
		{"gs1:recipeInfo", "application/json", 404, "traceability"},
	} {
		a := s.get(path(item)+"?linkType="+url.QueryEscape(c.linkType), "Accept", c.accept)
		if a.code != c.code {
			t.Errorf("%s: %d, want %d", c.linkType, a.code, c.code)
		}
		if c.code == 404 {
			a.holds(t, c.want)
		} else if have := a.header.Get("Location"); have != c.want {
			t.Errorf("%s, Accept %q: %s, want %s", c.linkType, c.accept, have, c.want)
		}
	}
	if a := s.get(path(item) + "?linkType="); a.code != 200 {
		t.Errorf("an empty link type: %d", a.code)
	}
}

func TestNegotiation(t *testing.T) {
	s := open(t)
	s.log(s.farm, map[string]any{"epcList": []any{item}, "action": "ADD", "bizStep": "commissioning"})
	for _, c := range []struct{ target, accept, want string }{
		{path(item), "", "text/html"},
		{path(item), "*/*", "text/html"},
		{path(item), "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"},
		{path(item), "application/json", "application/json"},
		{path(item), "application/json;q=0.9, text/html;q=0.8", "application/json"},
		{path(item), "application/json;q=0.8, text/html", "text/html"},
		{path(item), "application/json, */*;q=0.1", "application/json"},
		{path(item), "application/*", "application/json"},
		{path(item), "application/linkset+json", "application/linkset+json"},
		{path(item), "application/json;q=0", "text/html"},
		{path(item), "image/png", "text/html"},
		{path(item), ";;;,,", "text/html"},
		{path(item) + "?linkType=all", "text/html", "application/linkset+json"},
		{path(item) + "?linkType=linkset", "*/*", "application/linkset+json"},
		{path(item) + "?linkType=all", "application/json", "application/linkset+json"},
		{path(item) + "?17=261231", "*/*", "text/html"},
		{"/id?id=urn:uuid:1", "application/json", "application/json"},
	} {
		headers := []string{"Accept", c.accept}
		if c.accept == "" {
			headers = nil
		}
		a := s.get(c.target, headers...)
		if have, _, _ := strings.Cut(a.header.Get("Content-Type"), ";"); a.code != 200 || have != c.want {
			t.Errorf("%s, Accept %q: %d %s, want %s", c.target, c.accept, a.code, have, c.want)
		}
		if !strings.Contains(strings.Join(a.header.Values("Vary"), ","), "Accept") {
			t.Errorf("%s does not say that it varies", c.target)
		}
	}
	// The journey is the one that the API gives, byte for byte.
	api, page := s.get("/v1/journey?id="+url.QueryEscape(item)), s.get(path(item), "Accept", "application/json")
	if api.body != page.body || api.code != 200 {
		t.Error("the page's JSON is not the API's")
	}
	var set struct {
		Linkset []map[string]json.RawMessage `json:"linkset"`
	}
	if err := json.Unmarshal([]byte(s.get(path(item)+"?linkType=all").body), &set); err != nil || len(set.Linkset) != 1 {
		t.Fatalf("the linkset: %v", err)
	}
	for _, name := range []string{"anchor", "https://ref.gs1.org/voc/pip", "https://ref.gs1.org/voc/traceability", "https://ref.gs1.org/voc/defaultLink"} {
		if !strings.Contains(string(set.Linkset[0][name]), publicURL+path(item)) {
			t.Errorf("the linkset's %s is %s", name, set.Linkset[0][name])
		}
	}
}

func TestRefused(t *testing.T) {
	s := open(t)
	for _, c := range []struct {
		target string
		code   int
		says   string
	}{
		{"/01/09506000134353", 400, "check digit"},
		{"/01/9506000134352", 400, "14"},
		{"/gtin/09506000134352", 400, "Digital Link"},
		{"/01/09506000134352/", 400, "slash"},
		{"/01", 400, "Digital Link"},
		{"/00/1", 400, "18"},
		{"/id", 400, "identifier"},
		{"/id?id=apple", 400, "URI"},
		{"/id?id=12345678901232", 400, "check digit"},
		{"/qr", 400, "identifier"},
		{"/qr?id=apple", 400, "URI"},
		{"/qr?id=" + url.QueryEscape(gtin) + "&format=gif", 400, "format=svg"},
		{"/qr?id=urn:x:" + strings.Repeat("a", 600), 400, "limit is 512"},
		{"/nothing", 404, "Digital Link"},
		{"/assets/x.css", 404, "nothing here"},
		{"/entry/x", 404, "/entry/0"},
		{"/entry/007", 404, "/entry/0"},
		{"/entry/99999", 404, "no entry"},
		{"/entry/0.gif", 404, "0.entry"},
	} {
		a := s.get(c.target)
		if a.code != c.code {
			t.Errorf("%s: %d, want %d", c.target, a.code, c.code)
		}
		a.holds(t, c.says)
		j := s.get(c.target, "Accept", "application/json")
		var problem struct {
			Code    int
			Message string
		}
		if err := json.Unmarshal([]byte(j.body), &problem); err != nil || j.code != c.code || problem.Code == 0 || !strings.Contains(problem.Message, c.says) {
			t.Errorf("%s as JSON: %d %s", c.target, j.code, j.body)
		}
	}
	if a := s.do("POST", path(gtin)); a.code != 405 || a.header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d", a.code)
	}
}

// TestLookup: whatever stands on a label leads to the one page.
func TestLookup(t *testing.T) {
	s := open(t)
	for text, want := range map[string]string{
		"09506000134352":              path(gtin),
		"9506000134352":               path(gtin),
		" 9506 0001 34352 ":           path(gtin),
		"(01)09506000134352(10)LOT-7": path(lot),
		"https://shop.example/x/01/09506000134352/10/LOT-7?17=261231": path(lot),
		"urn:epc:id:sgtin:9506000.013435.0007":                        path(gtin) + "/21/0007",
		"095060000000003016":                                          path(sscc),
	} {
		a := s.get("/id?id=" + url.QueryEscape(text))
		if a.code != 303 || a.header.Get("Location") != want {
			t.Errorf("%q: %d %s, want %s", text, a.code, a.header.Get("Location"), want)
		}
	}
}

// TestCompressed: a compressed Digital Link leads to the page, too.
func TestCompressed(t *testing.T) {
	s := open(t)
	link, err := gs1.ParseLink(publicURL + path(item))
	if err != nil {
		t.Fatal(err)
	}
	compressed, err := link.Compress()
	if err != nil {
		t.Fatal(err)
	}
	a := s.get(strings.TrimPrefix(compressed, publicURL))
	if a.code != 303 || a.header.Get("Location") != path(item) {
		t.Errorf("%s: %d %s", compressed, a.code, a.header.Get("Location"))
	}
}

// TestFiles: style sheet, entries, receipts and codes, and how long they may be
// kept.
func TestFiles(t *testing.T) {
	s := open(t)
	index := s.log(s.farm, map[string]any{"epcList": []any{item}, "bizStep": "storing"})
	page := s.get(path(item))
	style := regexp.MustCompile(`href="(/assets/[0-9a-f]{16}\.css)"`).FindStringSubmatch(page.body)
	if style == nil {
		t.Fatal("the page has no style sheet")
	}
	for _, c := range []struct{ target, contentType, cache string }{
		{style[1], "text/css", "immutable"},
		{fmt.Sprintf("/entry/%d", index), "text/html", "no-cache"},
		{fmt.Sprintf("/entry/%d.entry", index), "application/vnd.tallyroot.entry", "no-cache"},
		{fmt.Sprintf("/entry/%d.tlog-proof", index), "text/plain", "no-cache"},
		{"/qr?id=" + url.QueryEscape(item), "image/png", "max-age"},
		{"/qr?format=svg&id=" + url.QueryEscape(item), "image/svg+xml", "max-age"},
		{"/qr?format=svg&id=urn:uuid:1", "image/svg+xml", "max-age"},
		{path(item), "text/html", "no-cache"},
	} {
		a := s.get(c.target)
		if a.code != 200 || !strings.HasPrefix(a.header.Get("Content-Type"), c.contentType) || !strings.Contains(a.header.Get("Cache-Control"), c.cache) {
			t.Errorf("%s: %d %s, %s", c.target, a.code, a.header.Get("Content-Type"), a.header.Get("Cache-Control"))
		}
		if tag := a.header.Get("ETag"); tag != "" {
			if again := s.get(c.target, "If-None-Match", tag); again.code != 304 {
				t.Errorf("%s with its ETag: %d", c.target, again.code)
			}
		}
	}
	e, err := s.service.EventAt(t.Context(), index)
	if err != nil {
		t.Fatal(err)
	}
	if s.get(fmt.Sprintf("/entry/%d.entry", index)).body != string(e.Entry) {
		t.Error("the file is not the entry")
	}
	s.get("/entry/0").holds(t, "first entry", "the operator of this service")
	s.get(fmt.Sprintf("/entry/%d", index)).holds(t, "Stored, 1 March 2026", "farm", "tallyroot verify", "checked on your device", "quorum none")
	for _, target := range []string{"/", "/entry/0", path(item), path(gtin), path(field), "/check"} {
		a := s.get(target)
		a.holds(t, "device", "quorum none")
		// The policy of a page lets no script run but the verifier, and only where it is.
		if have := a.header.Get("Content-Security-Policy"); strings.Contains(have, "script-src") != verifierTag.MatchString(a.body) {
			t.Errorf("%s has the policy %q", target, have)
		}
		a.body = strings.ReplaceAll(a.body, "autocomplete=", "")
		a.lacks(t, "omplete")
	}
}
