package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"
)

// debugHeaderTimeout bounds how long a request to the profiles may take to be
// asked. Answers take as long as the profile that was asked for.
const debugHeaderTimeout = 10 * time.Second

// listenDebug opens the port of the profiles, at a loopback address only: who
// reads a profile sees what the program does, and can make it slow.
func listenDebug(ctx context.Context, address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, usagef("--debug-listen %q: write it like 127.0.0.1:6060", address)
	}
	if !isLoopback(host) {
		return nil, usagef("--debug-listen %s: profiles are for this machine alone; say a loopback address such as 127.0.0.1:6060, and reach it from elsewhere through ssh -L", address)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("--debug-listen %s: %w", address, err)
	}
	// "localhost" is whatever the machine's tables say.
	if at := listener.Addr().(*net.TCPAddr); !at.IP.IsLoopback() {
		return nil, errors.Join(usagef("--debug-listen %s: that is %s on this machine, which others can reach; say 127.0.0.1", address, at.IP), listener.Close())
	}
	return listener, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// serveDebug answers under /debug/pprof until ctx ends.
func serveDebug(ctx context.Context, listener net.Listener, logger *slog.Logger) {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	server := &http.Server{
		Handler:           onlyForThisMachine(mux),
		ReadHeaderTimeout: debugHeaderTimeout,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	logger.Info("profiles", "url", "http://"+listener.Addr().String()+"/debug/pprof/")
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		logger.Error("the port of the profiles", "error", err)
	}
}

// onlyForThisMachine refuses what a web page of somebody else's makes a browser
// on this machine ask, under a name that leads here.
func onlyForThisMachine(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if !isLoopback(host) {
			http.Error(w, "profiles are for this machine: ask at a loopback address", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
