package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/klog/v2"
)

// What Trillian says goes into the log at lower levels: what it calls an error
// comes back to its caller, who may only have to try again.
func TestTrillianSpeaksThroughTheLog(t *testing.T) {
	state := klog.CaptureState()
	defer state.Restore()
	var out bytes.Buffer
	said := func(level slog.Level) string {
		out.Reset()
		useLogger(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: level})))
		klog.Info("a batch")
		klog.Warning("a remark")
		klog.Error("a failure")
		klog.Flush()
		return out.String()
	}
	if text := said(slog.LevelInfo); strings.Contains(text, "a batch") || strings.Contains(text, "a remark") ||
		!strings.Contains(text, `level=WARN msg="a failure"`) || !strings.Contains(text, "from=trillian") {
		t.Errorf("at level info: %s", text)
	}
	if text := said(slog.LevelDebug); !strings.Contains(text, `level=DEBUG msg="a batch"`) || !strings.Contains(text, "a remark") {
		t.Errorf("at level debug: %s", text)
	}
	if text := said(slog.LevelError); text != "" {
		t.Errorf("at level error: %s", text)
	}
}

// Profiles are given at loopback addresses only, and not under a name that leads
// there.
func TestDebugListen(t *testing.T) {
	for _, address := range []string{"", "6060", ":6060", "0.0.0.0:6060", "[::]:6060", "192.0.2.1:6060", "example.org:6060", "127.0.0.1:99999"} {
		if l, err := listenDebug(t.Context(), address); err == nil {
			t.Errorf("%q: it listens at %s", address, l.Addr())
		}
	}
	listener, err := listenDebug(t.Context(), "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		serveDebug(ctx, listener, slog.New(slog.DiscardHandler))
	}()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]int{
		"127.0.0.1:" + port: 200, "localhost:" + port: 200, "[::1]:" + port: 200, "localhost": 200,
		"evil.example:" + port: 403, "evil.example": 403, "127.0.0.1.evil.example": 403, "10.0.0.1:" + port: 403,
	} {
		request, err := http.NewRequest(http.MethodGet, "http://"+listener.Addr().String()+"/debug/pprof/", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = host
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("as %s: %d", host, response.StatusCode)
		}
	}
	cancel()
	<-ended
}

// Only the certificate in the file is good, in whatever name it is.
func TestHealthOverTLS(t *testing.T) {
	cert, key := selfSigned(t)
	other, _ := selfSigned(t)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") }))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	defer s.Close()
	ask := func(file string) error {
		config, err := onlyCertificate(file)
		if err != nil {
			return err
		}
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
		status, text, err := askHealth(t.Context(), client, s.URL)
		if err == nil && (status != http.StatusOK || text != "ok") {
			err = fmt.Errorf("%d %q", status, text)
		}
		return err
	}
	if err := ask(cert); err != nil {
		t.Error(err)
	}
	if err := ask(other); err == nil || !strings.Contains(err.Error(), "another certificate") {
		t.Errorf("with another certificate: %v", err)
	}
	if err := ask(key); err == nil || !strings.Contains(err.Error(), "holds no certificate") {
		t.Errorf("with no certificate: %v", err)
	}
}

// An answer of any length, and of any bytes, is one short line.
func TestHealthSaysOneLine(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, "not ready\n- one\r\n- two \xff\n", strings.Repeat("x", 1<<20))
	}))
	defer s.Close()
	status, text, err := askHealth(t.Context(), http.DefaultClient, s.URL)
	if err != nil || status != http.StatusServiceUnavailable || !strings.HasPrefix(text, "not ready; - one; - two ?; xxx") || len([]rune(text)) != healthLine+1 {
		t.Errorf("%d, %q, %v", status, text, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := askHealth(ctx, http.DefaultClient, s.URL); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled one: %v", err)
	}
}
