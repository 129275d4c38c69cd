// Package client asks a Tallyroot service over its REST interface.
//
// It promises that an error says what the service answered, field by field, and
// that a request is sent again only where that is safe: reads always are, and so
// is logging an event, since the service recognises an event that it has. It
// checks nothing that it receives: that is the work of the package verify.
package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Media types of request bodies.
const (
	TypeJSON   = "application/json"
	TypeNDJSON = "application/x-ndjson"
	TypeEntry  = "application/vnd.tallyroot.entry"
)

const (
	// MaxAnswer bounds what is read of one answer.
	MaxAnswer = 256 << 20
	// Attempts is how often one request is sent at most.
	Attempts = 6
	// firstPause and longestPause bound the wait between two attempts.
	firstPause   = 250 * time.Millisecond
	longestPause = 20 * time.Second
	// requestTimeout is longer than the longest `timeout` that the service takes.
	requestTimeout = 2 * time.Minute
)

// A Client asks one service. It is safe for concurrent use.
type Client struct {
	UserAgent string
	base      *url.URL
	token     string
	http      *http.Client
	pause     func(context.Context, time.Duration) error
}

// New makes a client of the service at server, an http or https URL. The token
// may be empty: reads are public.
func New(server, token string) (*Client, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("%q is not the address of a service; write it like http://127.0.0.1:8080", server)
	}
	if strings.ContainsAny(token, " \t\r\n") {
		return nil, errors.New("the token has a space or a line break in it; a token is one word")
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	u.RawQuery, u.Fragment = "", ""
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 16
	return &Client{
		UserAgent: "tallyroot", base: u, token: token, pause: sleep,
		http: &http.Client{Transport: transport, Timeout: requestTimeout},
	}, nil
}

// Participant is whom the token speaks for, as the token's own text says; empty
// for the operator's, and without one.
func (c *Client) Participant() string {
	parts := strings.Split(c.token, "_")
	if len(parts) < 4 || parts[0] != "tallyroot" || parts[1] == "operator" {
		return ""
	}
	return parts[1]
}

// Server is the service's address, without a slash at its end.
func (c *Client) Server() string { return c.base.String() }

// A Request is one question. Path begins with a slash and is written as in the
// documentation; identifiers in it are escaped by the caller.
type Request struct {
	Method string
	Path   string
	Query  url.Values
	Type   string // media type of Body
	Body   []byte
	// Once forbids to send the request again after a failure in which the
	// service may have acted: for what makes a new thing each time.
	Once bool
}

// A Response is what the service answered, with a status below 300.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do sends the request, again where that is safe and may help, and reads the
// whole answer. A status of 300 or more is an *Error.
func (c *Client) Do(ctx context.Context, r Request) (*Response, error) {
	pause := firstPause
	for attempt := 1; ; attempt++ {
		resp, err := c.once(ctx, r)
		if err == nil {
			return resp, nil
		}
		wait, again := retryable(err, r.Once)
		if !again || attempt == Attempts || ctx.Err() != nil {
			return nil, err
		}
		if wait == 0 {
			wait = pause/2 + rand.N(pause/2)
			pause = min(2*pause, longestPause)
		}
		if c.pause(ctx, min(wait, longestPause)) != nil {
			return nil, err
		}
	}
}

// JSON sends in, if it is not nil, and decodes the answer into out, if that is
// not nil.
func (c *Client) JSON(ctx context.Context, r Request, in, out any) error {
	if in != nil {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(in); err != nil {
			return err
		}
		r.Type, r.Body = TypeJSON, b.Bytes()
	}
	resp, err := c.Do(ctx, r)
	if err != nil {
		return err
	}
	if out == nil {
		return nil
	}
	return c.decode(resp, out)
}

func (c *Client) decode(resp *Response, out any) error {
	if err := json.Unmarshal(resp.Body, out); err != nil {
		return fmt.Errorf("%s answered something that is not the JSON of its interface (%w); is this a Tallyroot service of this version?", c.base, err)
	}
	return nil
}

func (c *Client) once(ctx context.Context, r Request) (*Response, error) {
	target := c.base.String() + r.Path
	if len(r.Query) > 0 {
		target += "?" + r.Query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, target, bytes.NewReader(r.Body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", c.UserAgent)
	req.Header.Set("Accept", TypeJSON)
	if r.Type != "" {
		req.Header.Set("Content-Type", r.Type)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxAnswer+1))
	if err != nil {
		return nil, c.unreachable(err)
	}
	if len(body) > MaxAnswer {
		return nil, fmt.Errorf("the answer of %s is larger than %d bytes", c.base, MaxAnswer)
	}
	if resp.StatusCode >= 300 {
		return nil, newError(resp.StatusCode, resp.Header, body)
	}
	return &Response{Status: resp.StatusCode, Header: resp.Header, Body: body}, nil
}

// ErrUnreachable is in the chain of every error that came from the connection
// and not from the service.
var ErrUnreachable = errors.New("no answer")

type unreachableError struct {
	text  string
	cause error
}

func (e *unreachableError) Error() string   { return e.text }
func (e *unreachableError) Unwrap() []error { return []error{ErrUnreachable, e.cause} }

func (c *Client) unreachable(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	text := fmt.Sprintf("%s does not answer: %v", c.base, err)
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		text = fmt.Sprintf("no service listens at %s: is that its address? `tallyroot serve` and `tallyroot demo` start one", c.base)
	case errors.As(err, &dns):
		text = fmt.Sprintf("the name %s cannot be resolved (%v): check the address", c.base.Hostname(), err)
	case errors.Is(err, context.Canceled):
		text = "interrupted"
	}
	return &unreachableError{text, err}
}

// retryable tells whether to send a request again, and after how long if the
// service said so.
func retryable(err error, once bool) (wait time.Duration, again bool) {
	var e *Error
	if errors.As(err, &e) {
		switch e.Status {
		case http.StatusTooManyRequests, http.StatusServiceUnavailable:
			return e.RetryAfter, true // the service did not act
		case http.StatusBadGateway, http.StatusGatewayTimeout:
			return e.RetryAfter, !once
		}
		return 0, false
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return 0, false
	}
	// Nobody listens, the name does not exist, the certificate is not trusted: said
	// at once, not after a minute.
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	if errors.Is(err, syscall.ECONNREFUSED) || errors.As(err, &dns) || errors.As(err, &certificate) {
		return 0, false
	}
	return 0, errors.Is(err, ErrUnreachable) && !once
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
