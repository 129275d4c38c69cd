package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tallyroot/tallyroot/gateway/qr"
	"github.com/tallyroot/tallyroot/provenance/gs1"
)

// path is where the page of a canonical identifier is, on this server.
func (h *handler) path(canonical string) string {
	if gs1.IsGS1(canonical) {
		return h.base + strings.TrimPrefix(canonical, gs1.Stem)
	}
	return h.base + "/id?id=" + url.QueryEscape(canonical)
}

// public is the address of that page for everyone.
func (h *handler) public(canonical string) string {
	return h.publicURL + strings.TrimPrefix(h.path(canonical), h.base)
}

// read makes an identifier of what a person typed or scanned: any form that
// gs1.Canonical takes, an element string with brackets, a bare GTIN or SSCC.
func read(text string) (string, error) {
	text = strings.TrimSpace(text)
	digits := strings.NewReplacer(" ", "", "-", "").Replace(text)
	switch {
	case strings.HasPrefix(text, "("):
		elements, err := gs1.ParseBracketed(text)
		if err != nil {
			return "", err
		}
		uri, err := gs1.Generate(gs1.Stem, elements)
		if err != nil {
			return "", err
		}
		return gs1.Canonical(uri)
	case digits != "" && strings.Trim(digits, "0123456789") == "":
		if len(digits) == 18 {
			return gs1.Canonical(gs1.Stem + "/00/" + digits)
		}
		if n := len(digits); n == 8 || n == 12 || n == 13 {
			digits = strings.Repeat("0", 14-n) + digits
		}
		return gs1.Canonical(gs1.Stem + "/01/" + digits)
	}
	return gs1.Canonical(text)
}

// lookup is where the form leads, and the page of everything that is no GS1
// identifier.
func (h *handler) lookup(w http.ResponseWriter, r *http.Request) {
	text := r.URL.Query().Get("id")
	if text == "" {
		h.badIdentifier(w, r, errors.New("there is no identifier: write /id?id=IDENTIFIER"))
		return
	}
	canonical, err := read(text)
	switch {
	case err != nil:
		h.badIdentifier(w, r, err)
	case gs1.IsGS1(canonical):
		http.Redirect(w, r, h.path(canonical), http.StatusSeeOther)
	default:
		h.resolve(w, r, canonical)
	}
}

// qr draws the code that leads to the page of an identifier.
func (h *handler) qr(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if !query.Has("id") {
		h.badIdentifier(w, r, errors.New("there is no identifier: write /qr?id=IDENTIFIER, percent-encoded, and &format=png or &format=svg"))
		return
	}
	canonical, err := gs1.Canonical(query.Get("id"))
	if err != nil {
		h.badIdentifier(w, r, err)
		return
	}
	draw, contentType := qr.PNG, "image/png"
	switch format := query.Get("format"); format {
	case "", "png":
	case "svg":
		draw, contentType = qr.SVG, "image/svg+xml"
	default:
		h.problem(w, r, http.StatusBadRequest, "There is no such format", "Write format=png or format=svg.")
		return
	}
	picture, err := draw(h.public(canonical))
	if err != nil {
		h.problem(w, r, http.StatusBadRequest, "This identifier does not fit a QR code", err.Error())
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "public, max-age=86400")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(picture))
}

// A target is one link of a linkset.
type target struct {
	Href  string `json:"href"`
	Title string `json:"title"`
	Type  string `json:"type,omitempty"`
}

// vocabulary is the GS1 Web Vocabulary, in which link types are terms.
const vocabulary = "https://ref.gs1.org/voc/"

// links are those of an identifier, by the term of their type.
func (h *handler) links(canonical string) map[string][]target {
	page := h.public(canonical)
	id := url.QueryEscape(canonical)
	journey := target{h.publicURL + "/v1/journey?id=" + id, "The journey's entries, with their proofs", typeJSON}
	return map[string][]target{
		"defaultLink":         {{page, "Product information and journey", typeHTML}},
		"defaultLinkMulti":    {{page, "Product information and journey", typeHTML}, journey},
		"pip":                 {{page, "Product information", typeHTML}},
		"traceability":        {{page, "Where it comes from and what happened to it", typeHTML}, journey},
		"epcis":               {{h.publicURL + "/v1/history?id=" + id, "Its EPCIS events, as signed entries with proofs", typeJSON}},
		"verificationService": {{h.publicURL + "/log/checkpoint", "The log's newest checkpoint", "text/plain"}},
	}
}

// linkset answers with the links of an identifier (RFC 9264, section 4.2, with
// the link types of the GS1 Web Vocabulary).
func (h *handler) linkset(w http.ResponseWriter, r *http.Request, canonical string) {
	set := map[string]any{"anchor": h.public(canonical)}
	for term, targets := range h.links(canonical) {
		set[vocabulary+term] = targets
	}
	b, err := json.Marshal(map[string]any{"linkset": []any{set}})
	if err != nil {
		h.failed(w, r, err)
		return
	}
	w.Header().Set("Content-Type", typeLinkset)
	w.Header().Set("Access-Control-Allow-Origin", "*")
	h.send(w, r, b)
}

// follow leads to the link of one type, which is written as a term of the
// vocabulary, with its prefix gs1: or in full. Of several links it takes the one
// whose media type is asked for, else the first (GS1-Conformant Resolver
// Standard 1.2, section 5.4).
func (h *handler) follow(w http.ResponseWriter, r *http.Request, canonical, linkType string) {
	term := linkType
	for _, prefix := range []string{"gs1:", vocabulary, "http://ref.gs1.org/voc/", "https://gs1.org/voc/", "http://gs1.org/voc/", "https://www.gs1.org/voc/"} {
		term = strings.TrimPrefix(term, prefix)
	}
	links := h.links(canonical)
	targets := links[term]
	if len(targets) == 0 {
		h.problem(w, r, http.StatusNotFound, "There is no such link", fmt.Sprintf("Nothing is known of the type %q for this identifier. "+
			"The types are %s; linkType=linkset gives all their links, and without linkType there is the identifier’s page.",
			shorten(linkType, 80), strings.Join(slices.Sorted(maps.Keys(links)), ", ")))
		return
	}
	best := targets[0]
	for _, t := range targets {
		if t.Type == wanted(r) {
			best = t
			break
		}
	}
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Cache-Control", "no-cache")
	http.Redirect(w, r, best.Href, http.StatusTemporaryRedirect)
}
