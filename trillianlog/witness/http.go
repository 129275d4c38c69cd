package witness

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"
)

const (
	// sizeType is the content type of a 409.
	sizeType = "text/x.tlog.size"
	textType = "text/plain; charset=utf-8"
)

func (s *Server) newRoutes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /add-checkpoint", s.serveAdd)
	mux.HandleFunc("GET /{log}/checkpoint", s.serveLast)
	return mux
}

// ServeHTTP answers below the prefix, which the caller has stripped.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	s.routes.ServeHTTP(w, r)
}

func (s *Server) serveAdd(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	status := s.answerAdd(w, r)
	s.metrics.observe(status, time.Since(start))
}

func (s *Server) answerAdd(w http.ResponseWriter, r *http.Request) (status int) {
	control := http.NewResponseController(w)
	// Where deadlines are not supported, the server around this one has its own.
	_ = control.SetReadDeadline(time.Now().Add(s.options.bodyWait))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxRequest))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return writeRefusal(w, refuse(http.StatusRequestEntityTooLarge, "the request has more than %d bytes", MaxRequest))
	case errors.Is(err, os.ErrDeadlineExceeded):
		return writeRefusal(w, refuse(http.StatusRequestTimeout, "the request did not come within %s", s.options.bodyWait))
	case err != nil:
		return writeRefusal(w, refuse(http.StatusBadRequest, "the request breaks off"))
	}
	sig, err := s.admit(r.Context(), body)
	_ = control.SetWriteDeadline(time.Now().Add(s.options.bodyWait))
	if err != nil {
		var refused *refusal
		errors.As(err, &refused) // it always is one
		return writeRefusal(w, refused)
	}
	w.Header().Set("Content-Type", textType)
	w.Write(sig)
	return http.StatusOK
}

// admit is add for as many requests at once as there are slots.
func (s *Server) admit(ctx context.Context, body []byte) (lines []byte, err error) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		return nil, later(time.Second, "the witness works on %d requests already", s.options.MaxRequests)
	}
	if !s.enter() {
		return nil, later(time.Second, "the witness is closing")
	}
	defer s.using.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.life, cancel)()
	sig, err := s.add(ctx, body)
	if err != nil {
		return nil, err
	}
	return sig.Append(nil), nil
}

func writeRefusal(w http.ResponseWriter, r *refusal) (status int) {
	h := w.Header()
	if r.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(int(r.retry/time.Second)))
	}
	text := r.text
	if r.size != nil {
		h.Set("Content-Type", sizeType)
		text = strconv.FormatUint(*r.size, 10)
	} else {
		h.Set("Content-Type", textType)
	}
	w.WriteHeader(r.status)
	io.WriteString(w, text+"\n")
	return r.status
}

// serveLast gives the last checkpoint of a log that was cosigned, to anybody who
// compares what different witnesses have seen.
func (s *Server) serveLast(w http.ResponseWriter, r *http.Request) {
	signed := s.last(r.PathValue("log"))
	h := w.Header()
	h.Set("Content-Type", textType)
	h.Set("Cache-Control", "no-store")
	h.Set("Access-Control-Allow-Origin", "*")
	if signed == nil {
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, "this witness has not cosigned a checkpoint of such a log; the address holds the SHA-256 of the log's origin in hexadecimal\n")
		return
	}
	w.Write(signed)
}

// last gives the last note that was cosigned of a log, nil if there is none.
func (s *Server) last(name string) []byte {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if st := s.byName[name]; st != nil {
		return st.last.Load().signed
	}
	return nil
}
