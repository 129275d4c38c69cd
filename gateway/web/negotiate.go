package web

import (
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	typeHTML    = "text/html"
	typeJSON    = "application/json"
	typeLinkset = "application/linkset+json" // RFC 9264
)

// wanted is the media type in which an identifier's page is asked for: HTML
// unless the header Accept prefers one of the others (RFC 9110, section 12.5.1).
func wanted(r *http.Request) string {
	best, bestQ := typeHTML, 0.0
	for _, offer := range []string{typeHTML, typeJSON, typeLinkset} {
		if q := quality(r.Header.Values("Accept"), offer); q > bestQ {
			best, bestQ = offer, q
		}
	}
	return best
}

// quality is the weight that the Accept header gives to a type; the most
// specific range counts, and no header takes everything.
func quality(accept []string, offer string) float64 {
	if len(accept) == 0 {
		return 1
	}
	q, specific := 0.0, -1
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		name, parameters, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		n := -1
		switch {
		case name == offer:
			n = 2
		case strings.HasSuffix(name, "/*") && name != "*/*" && strings.HasPrefix(offer, strings.TrimSuffix(name, "*")):
			n = 1
		case name == "*/*":
			n = 0
		}
		if n <= specific {
			continue
		}
		weight := 1.0
		if text, ok := parameters["q"]; ok {
			if weight, err = strconv.ParseFloat(text, 64); err != nil || !(weight >= 0 && weight <= 1) {
				weight = 0
			}
		}
		q, specific = weight, n
	}
	return q
}

// resolve answers what is asked about an identifier, in the form that is asked
// for.
func (h *handler) resolve(w http.ResponseWriter, r *http.Request, canonical string) {
	w.Header().Set("Vary", "Accept")
	switch as, linkType := wanted(r), r.URL.Query().Get("linkType"); {
	case linkType == "all" || linkType == "linkset" || linkType == "" && as == typeLinkset:
		h.linkset(w, r, canonical)
	case linkType != "":
		h.follow(w, r, canonical, linkType)
	case as == typeJSON:
		h.journeyJSON(w, r, canonical)
	default:
		h.product(w, r, canonical)
	}
}

// journeyJSON answers as GET /v1/journey does.
func (h *handler) journeyJSON(w http.ResponseWriter, r *http.Request, canonical string) {
	journey, err := h.service.JourneyHistories(r.Context(), canonical)
	if err != nil {
		h.failed(w, r, err)
		return
	}
	size := jsonCost * journey.Weight()
	give, ok := h.room.take(size)
	if !ok {
		h.busy(w, r)
		return
	}
	defer give()
	w.Header().Set("Content-Type", typeJSON)
	w.Header().Set("Access-Control-Allow-Origin", "*") // as under /v1/: proofs are for everyone
	h.send(w, r, journey.Append(nil))
}

// problem says in words, or in JSON to a program, why there is no page.
func (h *handler) problem(w http.ResponseWriter, r *http.Request, code int, title, text string) {
	if wanted(r) != typeHTML {
		b, err := json.Marshal(map[string]any{"code": grpcCode(code), "message": title + ": " + text})
		if err == nil {
			w.Header().Set("Content-Type", typeJSON)
			w.Header().Set("Cache-Control", "no-store")
			w.WriteHeader(code)
			_, _ = w.Write(append(b, '\n'))
			return
		}
	}
	h.page(w, r, code, "problem", problemPage{frame: h.frame(title), Heading: title, Text: text})
}

type problemPage struct {
	frame
	Heading, Text string
	Example       string // what would be right
	Given         string // what was asked for, where a form may correct it
}

// badIdentifier says what would be right.
func (h *handler) badIdentifier(w http.ResponseWriter, r *http.Request, err error) {
	if wanted(r) != typeHTML {
		h.problem(w, r, http.StatusBadRequest, "This is no identifier", err.Error())
		return
	}
	p := problemPage{
		frame: h.frame("Not an identifier"), Heading: "This is no identifier that we can read", Text: sentence(err.Error()),
		Example: h.publicURL + "/01/09506000134352/10/LOT-7", Given: shorten(r.URL.Query().Get("id"), 2*maxValue),
	}
	if strings.Contains(p.Text, "check digit") {
		p.Heading = "A digit must be wrong"
	}
	if p.Given == "" && r.URL.Path != "/id" && r.URL.Path != "/qr" {
		p.Given = shorten(strings.TrimPrefix(r.URL.EscapedPath(), h.base), 2*maxValue)
	}
	h.page(w, r, http.StatusBadRequest, "problem", p)
}

// sentence makes one of an error's text, which often begins with what it is
// about, in quotation marks: the page shows that itself.
func sentence(text string) string {
	if strings.HasPrefix(text, `"`) {
		if _, rest, ok := strings.Cut(text, `": `); ok {
			text = rest
		}
	}
	if first, size := utf8.DecodeRuneInString(text); size > 0 {
		text = string(unicode.ToUpper(first)) + text[size:]
	}
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	return shorten(text, 4*maxValue)
}

// grpcCode is the code that google.rpc.Status has for an HTTP status.
func grpcCode(code int) int {
	switch code {
	case http.StatusBadRequest:
		return 3
	case http.StatusNotFound:
		return 5
	case http.StatusMethodNotAllowed:
		return 12
	case http.StatusServiceUnavailable:
		return 14
	}
	return 13
}
