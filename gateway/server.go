// Package gateway opens a provenance.Service to the network: gRPC, the REST
// surface that grpc-gateway makes of the same RPCs, the log's static files, the
// API's reference and what an operator asks for, all on one port; pages are
// hooked in beside them.
//
// It promises to bound everything that a client can take (bytes, time, requests,
// connections), to answer every refusal with the field, what was wrong and what
// would be right, and to log no secrets. It never decides anything about
// events: it parses, calls the Service, and writes down the answer.
package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/reflection"

	"github.com/tallyroot/tallyroot/internal/netlimit"
	v1 "github.com/tallyroot/tallyroot/proto/tallyroot/v1"
	"github.com/tallyroot/tallyroot/provenance"
)

// Server serves one Service. It is safe for concurrent use.
type Server struct {
	service *provenance.Service
	pages   http.Handler
	ready   func() error
	tls     *tls.Config
	logger  *slog.Logger
	limits  Limits

	clientLimit *limiter[netip.Prefix]
	tokenLimit  *limiter[uint64] // by the token's hash
	bodies      load
	answers     load
	metrics     *metrics
	exactRoutes map[string]bool
	unavailable seldom
	stopping    atomic.Bool

	events       *events
	histories    *histories
	participants *participants
	proofs       *proofs

	grpc    *grpc.Server
	handler http.Handler
}

// New makes a server. It listens to nothing yet.
func New(o Options) (*Server, error) {
	if o.Service == nil {
		return nil, errors.New("gateway: there is no Service to serve")
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Registry == nil {
		o.Registry = prometheus.NewRegistry()
	}
	l := o.Limits.withDefaults()
	s := &Server{
		service: o.Service, pages: o.Pages, ready: o.Ready, tls: o.TLS, logger: o.Logger, limits: l,
		clientLimit: newLimiter[netip.Prefix](l.ClientRate, l.ClientBurst, l.Clients),
		tokenLimit:  newLimiter[uint64](l.TokenRate, l.TokenBurst, l.Clients),
		exactRoutes: exactRoutes(),
		bodies:      load{limit: int64(l.BodyBytes)},
		answers:     load{limit: int64(l.AnswerBytes)},
	}
	s.events = &events{Server: s}
	s.histories = &histories{Server: s}
	s.participants = &participants{Server: s}
	s.proofs = &proofs{Server: s}
	var err error
	if s.metrics, err = newMetrics(o.Registry); err != nil {
		return nil, err
	}
	if err := registerLog(o.Registry, o.Service); err != nil {
		return nil, err
	}
	s.grpc = s.newGRPC()
	if s.handler, err = s.newHandler(o.Registry); err != nil {
		return nil, err
	}
	return s, nil
}

// newGRPC makes the gRPC side. Its requests come through the same HTTP server
// and middleware as all others.
func (s *Server) newGRPC() *grpc.Server {
	interceptors := []grpc.UnaryServerInterceptor{s.intercept}
	if s.service.Mirrors() {
		interceptors = append(interceptors, readingAlone)
	}
	g := grpc.NewServer(
		grpc.MaxRecvMsgSize(s.limits.BatchBytes+s.limits.AdminBytes),
		grpc.ChainUnaryInterceptor(interceptors...),
	)
	v1.RegisterEventServiceServer(g, s.events)
	v1.RegisterHistoryServiceServer(g, s.histories)
	v1.RegisterParticipantServiceServer(g, s.participants)
	v1.RegisterLogServiceServer(g, s.proofs)
	reflection.Register(g)
	return g
}

// intercept turns a panic into an error: gRPC calls methods on goroutines of
// their own, out of the reach of the HTTP middleware.
func (s *Server) intercept(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (resp any, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.panicked(ctx, p)
			resp, err = nil, problem(codes.Internal, internalText).Err()
		}
	}()
	return next(ctx, req)
}

// newHandler puts the routes together.
func (s *Server) newHandler(registry *prometheus.Registry) (http.Handler, error) {
	rest, err := s.newREST()
	if err != nil {
		return nil, err
	}
	reference, err := newReference(v1.OpenAPI)
	if err != nil {
		return nil, err
	}
	read := func(h http.HandlerFunc) http.Handler { return s.reading(h) }
	exact := map[string]http.Handler{
		"/healthz":      read(s.healthz),
		"/readyz":       read(s.readyz),
		"/metrics":      s.reading(promhttp.HandlerFor(registry, promhttp.HandlerOpts{})),
		"/openapi.json": read(reference.document),
		"/docs":         read(reference.page),
	}
	logFiles, indexFiles := read(s.logFiles), read(s.indexFiles)
	pages := s.pages
	if pages == nil {
		pages = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.writeProblem(w, r, routingProblem(r, http.StatusNotFound))
		})
	}
	dispatch := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		switch h := exact[path]; {
		case h != nil:
			h.ServeHTTP(w, r)
		case strings.HasPrefix(path, "/v1/"):
			rest.ServeHTTP(w, r)
		case strings.HasPrefix(path, "/log/"):
			logFiles.ServeHTTP(w, r)
		case strings.HasPrefix(path, "/index/"):
			indexFiles.ServeHTTP(w, r)
		default:
			pages.ServeHTTP(w, r)
		}
	})
	zip := &compressor{}
	web := zip.wrap(shared(dispatch))
	return s.observe(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if x := exchangeOf(r.Context()); x.grpc {
			body := &grpcBody{ReadCloser: r.Body, server: s, header: r.Header}
			defer body.give()
			r.Body = body
			s.grpc.ServeHTTP(w, r)
			return
		}
		web.ServeHTTP(w, r)
	})), nil
}

// Handler is the whole server as a handler; gRPC over it needs HTTP/2.
func (s *Server) Handler() http.Handler { return s.handler }

// Serve takes connections from the listener until ctx ends; then it lets the
// requests under way finish and returns nil. It closes the listener.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	if s.tls != nil {
		protocols.SetHTTP2(true)
	} else {
		protocols.SetUnencryptedHTTP2(true)
	}
	server := &http.Server{
		Handler:           s.handler,
		Protocols:         protocols,
		TLSConfig:         s.tls,
		MaxHeaderBytes:    s.limits.HeaderBytes,
		ReadHeaderTimeout: s.limits.HeaderTimeout,
		ReadTimeout:       s.limits.ReadTimeout,
		WriteTimeout:      s.limits.WriteTimeout,
		IdleTimeout:       s.limits.IdleTimeout,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: s.limits.Streams,
			SendPingTimeout:      s.limits.IdleTimeout,
			PingTimeout:          s.limits.HeaderTimeout,
		},
		ErrorLog: slog.NewLogLogger(s.logger.Handler(), slog.LevelDebug),
	}
	stopped := make(chan error, 1)
	unhook := context.AfterFunc(ctx, func() {
		s.stopping.Store(true)
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.limits.DrainTimeout)
		defer cancel()
		err := server.Shutdown(drain)
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("requests were still under way after %v and were cut off", s.limits.DrainTimeout)
			err = errors.Join(err, server.Close())
		}
		s.grpc.Stop()
		stopped <- err
	})
	listener = netlimit.Listener(listener, s.limits.Connections)
	var err error
	if s.tls != nil {
		err = server.ServeTLS(listener, "", "")
	} else {
		err = server.Serve(listener)
	}
	if unhook() { // it ended by itself
		s.grpc.Stop()
		return errors.Join(err, server.Close())
	}
	return <-stopped
}
