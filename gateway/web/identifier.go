package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
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

// linkset answers with the links of an identifier (RFC 9264, section 4.2, with
// the link types of the GS1 Web Vocabulary).
func (h *handler) linkset(w http.ResponseWriter, r *http.Request, canonical string) {
	page := h.public(canonical)
	id := url.QueryEscape(canonical)
	journey := target{h.publicURL + "/v1/journey?id=" + id, "The journey's entries, with their proofs", typeJSON}
	set := map[string]any{
		"anchor":                                      page,
		"https://ref.gs1.org/voc/defaultLink":         []target{{page, "Product information and journey", typeHTML}},
		"https://ref.gs1.org/voc/pip":                 []target{{page, "Product information", typeHTML}},
		"https://ref.gs1.org/voc/traceability":        []target{{page, "Where it comes from and what happened to it", typeHTML}, journey},
		"https://ref.gs1.org/voc/epcis":               []target{{h.publicURL + "/v1/history?id=" + id, "Its EPCIS events, as signed entries with proofs", typeJSON}},
		"https://ref.gs1.org/voc/verificationService": []target{{h.publicURL + "/log/checkpoint", "The log's newest checkpoint", "text/plain"}},
		"https://ref.gs1.org/voc/defaultLinkMulti":    []target{{page, "Product information and journey", typeHTML}, journey},
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
