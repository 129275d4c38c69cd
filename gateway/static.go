package gateway

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
)

// logFiles serves the log's static files (c2sp.org/tlog-tiles) under /log/.
// What stands under a tile's or bundle's path never changes, be it full or
// partial; a checkpoint is asked for anew each time.
func (s *Server) logFiles(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/log/")
	data, immutable, err := s.service.Tiles().File(path)
	s.staticFile(w, r, path, data, immutable, err)
}

// indexFiles serves those of the index log under /index/. Tiles and bundles are there
// before the checkpoint that commits to them: an index-verifier reads the newest leaf
// in order to cosign that.
func (s *Server) indexFiles(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/index/")
	data, immutable, err := s.service.IndexTiles().DurableFile(path)
	s.staticFile(w, r, path, data, immutable, err)
}

func (s *Server) staticFile(w http.ResponseWriter, r *http.Request, path string, data []byte, immutable bool, err error) {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		w.Header().Set("Cache-Control", "no-store")
		s.writeProblem(w, r, problem(codes.NotFound, "the log has no such file; it has checkpoint, tile/LEVEL/INDEX and tile/entries/INDEX, for what the checkpoint covers"))
		return
	case err != nil:
		s.writeProblem(w, r, statusOf(fail(r.Context(), err)))
		return
	}
	h := w.Header()
	if immutable {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		h.Set("Cache-Control", "no-cache")
	}
	h.Set("Content-Type", "application/octet-stream")
	if path == "checkpoint" {
		h.Set("Content-Type", "text/plain; charset=utf-8")
	}
	serveBytes(w, r, data)
}

// serveBytes answers with data, whole or in part, or with 304.
func serveBytes(w http.ResponseWriter, r *http.Request, data []byte) {
	sum := sha256.Sum256(data)
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:16])+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}
