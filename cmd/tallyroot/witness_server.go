package main

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/tallyroot/tallyroot/internal/netlimit"
	"github.com/tallyroot/tallyroot/trillianlog/witness"
)

// What a witness lets one client and all of them take. A request's body and its
// answer are bounded by the witness itself.
const (
	witnessConnections   = 1024 // open at the same time, further ones wait
	witnessStreams       = 64   // concurrent requests on one HTTP/2 connection
	witnessHeaderBytes   = 16 << 10
	witnessHeaderTimeout = 10 * time.Second
	witnessReadTimeout   = 20 * time.Second
	witnessWriteTimeout  = time.Minute
	witnessIdleTimeout   = 6 * time.Minute // longer than a log keeps its connections
	witnessDrainTimeout  = 15 * time.Second
)

// A witnessConfig says what openWitness opens.
type witnessConfig struct {
	Witness witness.Options
	Listen  string
	TLS     *tls.Config            // nil: plain text
	Metrics []prometheus.Collector // beside the witness's own
}

// A witnessServer is a witness on a port that takes connections once Run is called.
type witnessServer struct {
	Witness  *witness.Server
	http     *http.Server
	listener net.Listener
}

// openWitness takes the port, then opens the witness's folder.
func openWitness(ctx context.Context, c witnessConfig) (*witnessServer, error) {
	listener, err := listen(ctx, c.Listen)
	if err != nil {
		return nil, err
	}
	w, err := witness.Open(c.Witness)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	s := &witnessServer{Witness: w, listener: listener}
	routes, err := witnessRoutes(w, c.Metrics)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	s.http = &http.Server{
		Handler:           routes,
		TLSConfig:         c.TLS,
		MaxHeaderBytes:    witnessHeaderBytes,
		ReadHeaderTimeout: witnessHeaderTimeout,
		ReadTimeout:       witnessReadTimeout,
		WriteTimeout:      witnessWriteTimeout,
		IdleTimeout:       witnessIdleTimeout,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: witnessStreams},
		ErrorLog:          slog.NewLogLogger(c.Witness.Logger.Handler(), slog.LevelDebug),
	}
	return s, nil
}

// witnessRoutes adds what its operator asks for to the witness's own addresses.
func witnessRoutes(w *witness.Server, more []prometheus.Collector) (http.Handler, error) {
	registry := prometheus.NewRegistry()
	for _, c := range append(more, w, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})) {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	mux := http.NewServeMux()
	mux.Handle("/", w)
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = io.WriteString(w, "ok\n")
	})
	return mux, nil
}

// Name is the witness's name.
func (s *witnessServer) Name() string {
	name, _, _ := strings.Cut(s.Witness.Verifier(), "+")
	return name
}

// URL is where the witness listens.
func (s *witnessServer) URL() string { return listenedURL(s.listener, s.http.TLSConfig != nil) }

// Run serves until ctx ends, lets what is under way finish, and closes the witness.
func (s *witnessServer) Run(ctx context.Context) error {
	stopped := make(chan error, 1)
	unhook := context.AfterFunc(ctx, func() {
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), witnessDrainTimeout)
		defer cancel()
		err := s.http.Shutdown(drain)
		if err != nil {
			err = errors.Join(err, s.http.Close())
		}
		stopped <- err
	})
	listener := netlimit.Listener(s.listener, witnessConnections)
	var err error
	if s.http.TLSConfig != nil {
		err = s.http.ServeTLS(listener, "", "")
	} else {
		err = s.http.Serve(listener)
	}
	if unhook() { // it ended by itself
		return errors.Join(err, s.http.Close(), s.close())
	}
	return errors.Join(<-stopped, s.close())
}

func (s *witnessServer) close() error {
	err := s.listener.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return errors.Join(err, s.Witness.Close())
}
