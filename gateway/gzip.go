package gateway

import (
	"compress/gzip"
	"net/http"
	"strings"
	"sync"
)

// gzipFrom is the size in bytes from which an answer is compressed. Below it
// an answer fits in a few packets; single receipts and proofs are hashes, which
// do not shrink.
const gzipFrom = 4 << 10

// compressor compresses JSON and pages for clients that take gzip. It decides
// at the first write, so a handler that writes its answer in small pieces is
// sent as it is.
type compressor struct {
	pool sync.Pool
}

func (c *compressor) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead || r.Header.Get("Range") != "" || !acceptsGzip(r.Header) {
			next.ServeHTTP(w, r)
			return
		}
		g := &gzipWriter{ResponseWriter: w, pool: &c.pool}
		defer g.close()
		next.ServeHTTP(g, r)
	})
}

func acceptsGzip(h http.Header) bool {
	for _, line := range h["Accept-Encoding"] {
		if line == "gzip" {
			return true
		}
		for part := range strings.SplitSeq(line, ",") {
			name, parameters, _ := strings.Cut(strings.TrimSpace(part), ";")
			if strings.EqualFold(strings.TrimSpace(name), "gzip") {
				q := strings.ReplaceAll(parameters, " ", "")
				return q != "q=0" && !strings.HasPrefix(q, "q=0.000") && q != "q=0.0" && q != "q=0.00"
			}
		}
	}
	return false
}

func compressible(contentType string) bool {
	name, _, _ := strings.Cut(contentType, ";")
	switch strings.TrimSpace(name) {
	case contentJSON, contentLD, "application/linkset+json", "image/svg+xml", "text/css", "text/html", "text/javascript", "text/plain":
		return true
	}
	return false
}

type gzipWriter struct {
	http.ResponseWriter
	pool    *sync.Pool
	code    int
	decided bool
	zip     *gzip.Writer // nil: sent as it is
}

func (g *gzipWriter) WriteHeader(code int) {
	if code >= 100 && code < 200 {
		g.ResponseWriter.WriteHeader(code)
		return
	}
	if g.code == 0 {
		g.code = code
	}
}

func (g *gzipWriter) Write(b []byte) (int, error) {
	g.decide(len(b))
	if g.zip != nil {
		return g.zip.Write(b)
	}
	return g.ResponseWriter.Write(b)
}

func (g *gzipWriter) decide(first int) {
	if g.decided {
		return
	}
	g.decided = true
	h := g.Header()
	may := compressible(h.Get("Content-Type")) && h.Get("Content-Encoding") == ""
	if may {
		h.Add("Vary", "Accept-Encoding")
	}
	if may && first >= gzipFrom && (g.code == 0 || g.code >= 200 && g.code != http.StatusNoContent && g.code != http.StatusNotModified && g.code != http.StatusPartialContent) {
		h.Set("Content-Encoding", "gzip")
		h.Del("Content-Length")
		h.Del("Accept-Ranges")
		if tag := h.Get("ETag"); tag != "" && !strings.HasPrefix(tag, "W/") {
			h.Set("ETag", "W/"+tag) // other bytes, the same content
		}
		if z, ok := g.pool.Get().(*gzip.Writer); ok {
			z.Reset(g.ResponseWriter)
			g.zip = z
		} else {
			g.zip, _ = gzip.NewWriterLevel(g.ResponseWriter, gzip.BestSpeed)
		}
	}
	if g.code != 0 {
		g.ResponseWriter.WriteHeader(g.code)
	}
}

func (g *gzipWriter) Flush() {
	g.decide(0)
	if g.zip != nil {
		g.zip.Flush()
	}
	if f, ok := g.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

func (g *gzipWriter) Unwrap() http.ResponseWriter { return g.ResponseWriter }

// close also sends an answer that has a status and no body.
func (g *gzipWriter) close() {
	if !g.decided && g.code != 0 {
		g.decide(0)
	}
	if g.zip != nil {
		g.zip.Close() // the client may be gone: nothing is left to do for it
		g.pool.Put(g.zip)
		g.zip = nil
	}
}
