package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// DefaultParallel is HTTPOptions.Parallel and Options.Parallel where those are 0.
	DefaultParallel = 8
	// DefaultAttempts is HTTPOptions.Attempts where that is 0.
	DefaultAttempts = 6
	// DefaultTimeout is HTTPOptions.Timeout where that is 0.
	DefaultTimeout = time.Minute
	// DefaultSilence is HTTPOptions.Silence where that is 0.
	DefaultSilence = 15 * time.Second

	firstPause   = 250 * time.Millisecond
	longestPause = 30 * time.Second // also of what Retry-After asks for
	maxHeader    = 64 << 10
	maxRedirects = 5
)

// errRedirect says that a server points to where nothing is read.
var errRedirect = errors.New("the server points elsewhere")

// HTTPOptions are how a log is asked for its files. All may be left out.
type HTTPOptions struct {
	// Client asks. Without one there is one that keeps Parallel connections. If it does
	// not say which redirects it follows, those within one host and those to https are
	// followed, a few at a time: a log's server cannot have a reader ask around in the
	// reader's own network.
	Client *http.Client
	// UserAgent names who asks.
	UserAgent string
	// Parallel is how many requests are under way at most.
	Parallel int
	// Attempts is how often one file is asked for at most, when there is no answer, or
	// 429 or 5xx. Pauses between them double, unless the server says how long.
	Attempts int
	// Timeout bounds one attempt.
	Timeout time.Duration
	// Silence is how long a server may take until its answer begins. A Client of
	// the caller's own has its own.
	Silence time.Duration
	// FirstPause is how long the first pause is.
	FirstPause time.Duration
}

// HTTP gives the log whose prefix is base, such as https://log.example.org/log.
// Files may come compressed. An error says that base is no such address.
func HTTP(base string, o HTTPOptions) (Source, error) {
	u, err := url.Parse(base)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("%.200q is no address of a log: want https://host/log", base)
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(base, "#"):
		return nil, fmt.Errorf("the address %.200q has more than a host and a path", u.Redacted())
	}
	if o.Parallel <= 0 {
		o.Parallel = DefaultParallel
	}
	if o.Attempts <= 0 {
		o.Attempts = DefaultAttempts
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Silence <= 0 {
		o.Silence = DefaultSilence
	}
	if o.FirstPause <= 0 {
		o.FirstPause = firstPause
	}
	if o.UserAgent == "" {
		o.UserAgent = "tallyroot"
	}
	if o.Client == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxIdleConnsPerHost = o.Parallel
		transport.MaxResponseHeaderBytes = maxHeader
		transport.ResponseHeaderTimeout = o.Silence
		o.Client = &http.Client{Transport: transport}
	}
	if o.Client.CheckRedirect == nil {
		client := *o.Client
		client.CheckRedirect = checkRedirect
		o.Client = &client
	}
	return &server{base: strings.TrimRight(base, "/"), options: o, slots: make(chan struct{}, o.Parallel)}, nil
}

// checkRedirect is an http.Client's. What answers with https has the name that it was
// asked by.
func checkRedirect(to *http.Request, via []*http.Request) error {
	from := via[len(via)-1].URL
	switch {
	case len(via) > maxRedirects:
		return fmt.Errorf("%w more than %d times", errRedirect, maxRedirects)
	case to.URL.Scheme != "https" && (to.URL.Scheme != from.Scheme || to.URL.Host != from.Host):
		return fmt.Errorf("%w, to %.200q; if the log is there, give that address", errRedirect, to.URL.Redacted())
	}
	return nil
}

type server struct {
	base    string
	options HTTPOptions
	slots   chan struct{} // one for each request that is under way
}

func (s *server) Address(path string) string { return s.base + "/" + path }

func (s *server) Get(ctx context.Context, path string, limit int64) ([]byte, error) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	pause := s.options.FirstPause
	for attempt := 1; ; attempt++ {
		data, err := s.once(ctx, path, limit)
		var t *temporaryError
		if err == nil || !errors.As(err, &t) {
			return data, err
		}
		if attempt == s.options.Attempts {
			return nil, fmt.Errorf("%w (asked %d times)", err, attempt)
		}
		wait := t.after
		if wait == 0 {
			wait = pause/2 + rand.N(pause/2+1)
			pause = min(2*pause, longestPause)
		}
		timer := time.NewTimer(min(wait, longestPause))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
	}
}

func (s *server) once(ctx context.Context, path string, limit int64) ([]byte, error) {
	address := s.Address(path)
	attempt, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(attempt, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", s.options.UserAgent)
	resp, err := s.options.Client.Do(req)
	if err != nil {
		within := s.options.Timeout
		if attempt.Err() == nil {
			within = s.options.Silence
		}
		return nil, s.failed(ctx, address, err, within)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusOK:
	case resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusGone:
		return nil, &fs.PathError{Op: "get", Path: address, Err: fs.ErrNotExist}
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500:
		return nil, &temporaryError{fmt.Errorf("%s: the server answers %s", address, resp.Status), retryAfter(resp.Header)}
	default:
		return nil, fmt.Errorf("%s: the server answers %s", address, resp.Status)
	}
	data, err := readAll(resp.Body, resp.ContentLength, limit, address)
	if err != nil && !errors.Is(err, ErrTooLarge) {
		return nil, s.failed(ctx, address, err, s.options.Timeout)
	}
	return data, err
}

// failed says what became of a request without a whole answer, and whether it may
// go better soon.
func (s *server) failed(ctx context.Context, address string, err error, within time.Duration) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var wrapped *url.Error // it repeats the address
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no answer within %s", within)
	}
	err = fmt.Errorf("%s: %w", address, err)
	// Nobody listens, the name does not exist, the certificate is not trusted, the
	// server points elsewhere: said at once, not after a minute.
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	if errors.Is(err, errRedirect) || errors.Is(err, syscall.ECONNREFUSED) || errors.As(err, &dns) && !dns.Temporary() || errors.As(err, &certificate) {
		return err
	}
	return &temporaryError{err: err}
}

// A temporaryError may be gone soon.
type temporaryError struct {
	err   error
	after time.Duration // 0: the server does not say
}

func (e *temporaryError) Error() string { return e.err.Error() }
func (e *temporaryError) Unwrap() error { return e.err }

// retryAfter reads both forms of the header.
func retryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}
