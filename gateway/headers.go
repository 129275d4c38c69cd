package gateway

import (
	"net/http"
	"strings"
)

// securityHeaders stand on every answer. A page that needs more than the API's
// policy sets its own Content-Security-Policy over this one.
func (s *Server) securityHeaders(h http.Header, r *http.Request) {
	h["X-Content-Type-Options"] = nosniff
	h["Content-Security-Policy"] = apiPolicy
	h["Referrer-Policy"] = noReferrer
	h["Cross-Origin-Opener-Policy"] = sameOrigin
	h["Permissions-Policy"] = noPermissions
	if r.TLS != nil {
		h["Strict-Transport-Security"] = oneYear
	}
}

// Shared by all answers: never changed, only replaced.
var (
	nosniff       = []string{"nosniff"}
	apiPolicy     = []string{"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"}
	noReferrer    = []string{"no-referrer"}
	sameOrigin    = []string{"same-origin"}
	noPermissions = []string{"camera=(), geolocation=(), microphone=(), payment=(), usb=()"}
	oneYear       = []string{"max-age=31536000"}
)

// public tells whether any page may read the path with its own script: proofs
// are worth checking by code that does not come from this server. Nothing of
// it depends on who asks.
func public(path string) bool {
	switch {
	case strings.HasPrefix(path, "/log/"), strings.HasPrefix(path, "/index/"), path == "/openapi.json", path == "/qr":
		return true
	case strings.HasPrefix(path, "/v1/"):
		return path != "/v1/participants" && !strings.HasPrefix(path, "/v1/participants/")
	}
	return false
}

// shared lets other origins' pages make public reads (CORS). Writes are left
// out: they need a token, which belongs in no page.
func shared(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !public(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		h := w.Header()
		switch r.Method {
		case http.MethodGet, http.MethodHead:
			h.Set("Access-Control-Allow-Origin", "*")
			h.Set("Access-Control-Expose-Headers", "ETag, Retry-After, X-Request-Id")
			h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		case http.MethodOptions:
			h.Set("Access-Control-Allow-Origin", "*")
			h.Set("Access-Control-Allow-Methods", "GET, HEAD")
			h.Set("Access-Control-Allow-Headers", "Accept, If-None-Match, Range")
			h.Set("Access-Control-Max-Age", "86400")
			h.Set("Allow", "GET, HEAD, OPTIONS")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// reading lets only GET and HEAD pass.
func (s *Server) reading(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			s.writeProblem(w, r, routingProblem(r, http.StatusMethodNotAllowed))
			return
		}
		next.ServeHTTP(w, r)
	})
}
