package gateway

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// exchange is one request and its answer, as the log and the metrics see them.
// It belongs to the goroutine that serves the request, but for what stands under
// mu: gRPC runs its methods on goroutines of their own.
type exchange struct {
	http.ResponseWriter
	request *http.Request
	id      string
	grpc    bool

	status int // of the answer; an RPC of REST sets it before it is written
	wrote  bool
	bytes  int64

	mu          sync.Mutex
	participant string   // of the token, once it was accepted
	cause       error    // what is hidden from the client
	gives       []func() // for the end of the answer
}

// after has f called when the answer is sent.
func (x *exchange) after(f func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.gives = append(x.gives, f)
}

// end calls what waits for the end.
func (x *exchange) end() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, f := range x.gives {
		f()
	}
	x.gives = nil
}

// by notes who asks.
func (x *exchange) by(participant string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.participant = participant
}

// because notes why the request failed.
func (x *exchange) because(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.cause = err
}

func (x *exchange) noted() (participant string, cause error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.participant, x.cause
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

func (x *exchange) WriteHeader(code int) {
	if code >= 100 && code < 200 {
		x.ResponseWriter.WriteHeader(code)
		return
	}
	if x.wrote {
		return
	}
	x.wrote, x.status = true, code
	x.ResponseWriter.WriteHeader(code)
}

func (x *exchange) Write(b []byte) (int, error) {
	if !x.wrote {
		if x.status == 0 {
			x.status = http.StatusOK
		}
		x.WriteHeader(x.status)
	}
	n, err := x.ResponseWriter.Write(b)
	x.bytes += int64(n)
	return n, err
}

// Flush is asked for by gRPC.
func (x *exchange) Flush() {
	if !x.wrote {
		x.WriteHeader(http.StatusOK)
	}
	if f, ok := x.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

// Unwrap lets http.ResponseController reach the connection.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// observe wraps everything that is served: it names the request, bounds what
// one client asks, turns a panic into a 500, counts, and writes the log. No
// header but User-Agent and no query reaches the log: either may hold secrets.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		x := &exchange{ResponseWriter: w, id: requestID(r.Header.Get("X-Request-Id"))}
		x.grpc = r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc")
		r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
		x.request = r
		s.securityHeaders(w.Header(), r)
		w.Header().Set("X-Request-Id", x.id)
		s.metrics.inFlight.Inc()
		defer func() {
			s.metrics.inFlight.Dec()
			defer x.end()
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p)
				}
				s.panicked(r.Context(), p)
				if !x.wrote {
					s.refuse(x, r, problem(codes.Internal, internalText))
				}
			}
			s.record(x, time.Since(start))
		}()
		if client, counted := clientKey(r.RemoteAddr); counted {
			if wait := s.clientLimit.wait(client); wait > 0 {
				s.refuse(x, r, problem(codes.ResourceExhausted, "too many requests from this address; wait and send it again", info(reasonRate), retryIn(wait)))
				return
			}
		}
		next.ServeHTTP(x, r)
	})
}

// refuse answers with an error before any handler has the request.
func (s *Server) refuse(x *exchange, r *http.Request, st *status.Status) {
	if !x.grpc {
		s.writeProblem(x, r, st)
		return
	}
	h := x.Header()
	h.Set("Content-Type", "application/grpc")
	h.Set("Grpc-Status", fmt.Sprint(int(st.Code())))
	h.Set("Grpc-Message", st.Message())
	x.WriteHeader(http.StatusOK)
}

func (s *Server) panicked(ctx context.Context, p any) {
	s.metrics.panics.Inc()
	var id, path string
	if x := exchangeOf(ctx); x != nil {
		id, path = x.id, x.request.URL.Path
	}
	s.logger.LogAttrs(ctx, slog.LevelError, "panic while serving a request",
		slog.String("request", id), slog.String("path", path), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
}

// record counts the exchange and writes its line in the log.
func (s *Server) record(x *exchange, took time.Duration) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	route := s.route(x.request.URL.Path)
	code := x.status
	if x.grpc {
		code = grpcCode(x.Header())
	}
	s.metrics.observe(route, x.request.Method, code, took)

	participant, cause := x.noted()
	level := slog.LevelDebug
	switch {
	case x.status == http.StatusServiceUnavailable, x.grpc && code == int(codes.Unavailable):
		if s.unavailable.due(time.Now()) {
			level = slog.LevelInfo
		}
	case x.status >= 500, x.grpc && (code == int(codes.Internal) || code == int(codes.Unknown)):
		level = slog.LevelError
	case x.status >= 400, x.grpc && code != 0, cause != nil:
		level = slog.LevelInfo
	}
	ctx := x.request.Context()
	if !s.logger.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("request", x.id), slog.String("method", x.request.Method), slog.String("path", x.request.URL.Path),
		slog.Int("status", x.status), slog.Int64("bytes", x.bytes), slog.Duration("took", took), slog.String("remote", x.request.RemoteAddr),
	}
	if x.grpc {
		attrs = append(attrs, slog.Int("grpc", code))
	}
	if participant != "" {
		attrs = append(attrs, slog.String("participant", participant))
	}
	if cause != nil {
		attrs = append(attrs, slog.Any("cause", cause))
	}
	s.logger.LogAttrs(ctx, level, "served", attrs...)
}

// unavailableEvery is how often one of the requests that were answered "not now"
// gets a line above the debug level: while the log takes nothing, it says so
// itself, and everybody's requests are answered so.
const unavailableEvery = time.Minute

// seldom is due at most once in unavailableEvery. The zero value is ready.
type seldom struct{ last atomic.Int64 }

func (s *seldom) due(now time.Time) bool {
	last := s.last.Load()
	return (last == 0 || now.Sub(time.Unix(0, last)) >= unavailableEvery) && s.last.CompareAndSwap(last, now.UnixNano())
}

// requestID takes over the client's id for the request if it is a plain short
// word, and makes one otherwise.
func requestID(sent string) string {
	if n := len(sent); n >= 8 && n <= 64 {
		for i := 0; i < n; i++ {
			c := sent[i]
			if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_') {
				return newRequestID()
			}
		}
		return sent
	}
	return newRequestID()
}

func newRequestID() string {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], rand.Uint64())
	return hex.EncodeToString(b[:])
}
