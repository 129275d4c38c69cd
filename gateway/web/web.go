// Package web is the face for shoppers: a page for every product, lot, item and
// shipping unit, with its journey as the log has it, drawn as a timeline and a
// map; a page for every entry; the QR code that leads there.
//
// A page works without a script, asks nothing of any other server, and shows
// what the log's participants said as text, never as markup. It never says itself
// that a history is complete, and what it says is this server's word. On a product's
// page the reader's own device checks it, with package verifier, and says so; where
// no script runs, the page says that nothing was checked, and how to.
package web

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tallyroot/tallyroot/gateway/web/verifier"
	"github.com/tallyroot/tallyroot/provenance"
	"github.com/tallyroot/tallyroot/provenance/gs1"
)

// Options is what the pages are made from.
type Options struct {
	// Service is what the pages show.
	Service *provenance.Service
	// PublicURL is where shoppers reach the pages, without a slash at its end:
	// QR codes and linksets lead there.
	PublicURL string
	// IndexVerifiers are those witnesses of the index policy, by their names or keys
	// there, who rebuild the index before they cosign it. The pages propose them to
	// readers, as they do the policies.
	IndexVerifiers []string
	// Logger gets the failures; nil: slog.Default().
	Logger *slog.Logger
}

type handler struct {
	service   *provenance.Service
	publicURL string
	base      string // the path of publicURL, before every link of a page
	logger    *slog.Logger
	templates *template.Template
	assets    map[string]asset // by path
	style     string           // the path of the style sheet
	script    string           // the path of the verifier
	trust     verifier.Trust   // what is proposed to readers
	verifying string           // the policy of a page that checks itself
	icon      string           // the path of the site's icon
	room      room
}

// asset is a file that never changes under its path.
type asset struct {
	contentType string
	data        []byte
}

var (
	//go:embed style.css
	styleSheet []byte
	//go:embed icon.svg
	siteIcon []byte
)

// New makes the handler of the pages. It answers every path that it is given,
// with a page that says so where there is nothing.
func New(o Options) (http.Handler, error) {
	u, err := url.Parse(o.PublicURL)
	if err != nil || u.Host == "" {
		return nil, errors.New("web: PublicURL must be a URL such as https://trace.example.org")
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	h := &handler{
		service: o.Service, publicURL: strings.TrimSuffix(o.PublicURL, "/"),
		base: strings.TrimSuffix(u.EscapedPath(), "/"), logger: o.Logger, assets: map[string]asset{}, room: room{limit: maxHeld},
	}
	h.style = h.asset("css", "text/css; charset=utf-8", slices.Concat(styleSheet, verifier.Style))
	h.script = h.asset("js", "text/javascript; charset=utf-8", verifier.Script)
	h.verifying = contentPolicy + "; " + verifier.ContentSecurityPolicy
	if h.trust, err = proposal(o); err != nil {
		return nil, err
	}
	h.icon = h.asset("svg", "image/svg+xml", siteIcon)
	h.templates, err = parseTemplates(h)
	return h, err
}

// asset keeps data under a path that names its content.
func (h *handler) asset(extension, contentType string, data []byte) string {
	sum := sha256.Sum256(data)
	path := "/assets/" + hex.EncodeToString(sum[:8]) + "." + extension
	h.assets[path] = asset{contentType, data}
	return h.base + path
}

// contentPolicy is the Content-Security-Policy of the pages: no script runs but the
// verifier on the pages that have it, and nothing comes from elsewhere.
const contentPolicy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", contentPolicy)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		h.problem(w, r, http.StatusMethodNotAllowed, "This page can only be read", "Events are logged at /v1/events; the reference is at /docs.")
		return
	}
	path := r.URL.EscapedPath()
	if rest, ok := strings.CutPrefix(path, h.base); ok && strings.HasPrefix(rest, "/") {
		path = rest
	}
	switch {
	case path == "/":
		h.landing(w, r)
	case path == "/id":
		h.lookup(w, r)
	case path == "/check":
		h.check(w, r)
	case path == "/qr":
		h.qr(w, r)
	case strings.HasPrefix(path, "/assets/"):
		h.file(w, r, path)
	case strings.HasPrefix(path, "/entry/"):
		h.entry(w, r, strings.TrimPrefix(path, "/entry/"))
	default:
		h.digitalLink(w, r, path)
	}
}

// digitalLink answers a path that is, or should be, a GS1 Digital Link.
func (h *handler) digitalLink(w http.ResponseWriter, r *http.Request, path string) {
	uri := gs1.Stem + path
	if query := r.URL.RawQuery; query != "" {
		uri += "?" + query
	}
	link, err := gs1.ParseLink(uri)
	switch {
	case err == nil:
		h.resolve(w, r, link.Canonical())
	case meant(path):
		h.badIdentifier(w, r, err)
	case isCompressed(uri, &link):
		http.Redirect(w, r, h.path(link.Canonical()), http.StatusSeeOther)
	default:
		h.problem(w, r, http.StatusNotFound, "There is nothing here", "A product's page is at its GS1 Digital Link, such as "+h.publicURL+"/01/09506000134352.")
	}
}

// isCompressed reads a compressed Digital Link (GS1 Digital Link: Compression).
func isCompressed(uri string, link *gs1.Link) bool {
	l, err := gs1.Decompress(uri)
	*link = l
	return err == nil
}

// meant tells whether a path can only have been meant as a Digital Link: it has
// a segment of two to four digits, or a short name, with a value behind it.
func meant(path string) bool {
	segments := strings.Split(strings.Trim(path, "/"), "/")
	for i, s := range segments {
		if n := len(s); n >= 2 && n <= 4 && strings.Trim(s, "0123456789") == "" {
			return i+1 < len(segments) || i == 0
		}
	}
	switch segments[0] {
	case "gtin", "sscc", "gln", "gtinx", "itip", "grai", "giai", "gdti", "gsrn":
		return true
	}
	return false
}

func (h *handler) file(w http.ResponseWriter, r *http.Request, path string) {
	a, ok := h.assets[path]
	if !ok {
		h.problem(w, r, http.StatusNotFound, "There is nothing here", "The page that led here is older than this server; load it again.")
		return
	}
	w.Header().Set("Content-Type", a.contentType)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.data))
}

// page writes a page. Whoever has it asks again each time whether it changed.
func (h *handler) page(w http.ResponseWriter, r *http.Request, code int, name string, data any) {
	body, err := h.render(name, data)
	if err != nil && code == http.StatusOK {
		h.failed(w, r, err)
		return
	} else if err != nil {
		h.logger.ErrorContext(r.Context(), "a page could not be made", "request", requestID(w), "path", r.URL.Path, "error", err)
		http.Error(w, "This page could not be made.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if code != http.StatusOK {
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(code)
		_, _ = w.Write(body)
		return
	}
	h.send(w, r, body)
}

// render makes a page of at most maxPage bytes; errTooLarge when it has more.
func (h *handler) render(name string, data any) ([]byte, error) {
	b := plain{limit: maxPage}
	if err := h.templates.ExecuteTemplate(&b, name, data); err != nil {
		return nil, fmt.Errorf("the page %s: %w", name, err)
	}
	return b.Bytes(), nil
}

// send answers with what may change as the log grows.
func (h *handler) send(w http.ResponseWriter, r *http.Request, body []byte) {
	sum := sha256.Sum256(body)
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:12])+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// requestID is the id that the server around has given the request.
func requestID(w http.ResponseWriter) string { return w.Header().Get("X-Request-Id") }

// retryNotIndexed is how many seconds somebody waits who asks for a journey before
// the history index is there.
const retryNotIndexed = 5

// failed answers a request that this server could not fulfil.
func (h *handler) failed(w http.ResponseWriter, r *http.Request, err error) {
	var refused *provenance.Refused
	switch {
	case errors.As(err, &refused):
		h.badIdentifier(w, r, err)
	case errors.Is(err, provenance.ErrNotFound):
		h.problem(w, r, http.StatusNotFound, "There is nothing here", err.Error())
	case errors.Is(err, provenance.ErrNotIndexed):
		w.Header().Set("Retry-After", strconv.Itoa(retryNotIndexed))
		h.problem(w, r, http.StatusServiceUnavailable, "Not yet", sentence(provenance.ErrNotIndexed.Error()))
	case r.Context().Err() != nil: // nobody is there to read it
	default:
		h.logger.ErrorContext(r.Context(), "a page could not be made", "request", requestID(w), "path", r.URL.Path, "error", err)
		h.problem(w, r, http.StatusInternalServerError, "This page could not be made", "Try again in a moment. The reason is in the server's own log, under the request's id "+requestID(w)+".")
	}
}
