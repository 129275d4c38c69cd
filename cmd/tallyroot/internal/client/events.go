package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// A Result is what the service says of one event.
type Result struct {
	Status   int      `json:"status"` // HTTP's: 201, 200, 202, or an error's
	EventID  string   `json:"eventId,omitempty"`
	Index    *Uint64  `json:"index,omitempty"`    // absent until a checkpoint covers the event
	LeafHash []byte   `json:"leafHash,omitempty"` // likewise
	Receipt  string   `json:"receipt,omitempty"`  // likewise
	Warnings []string `json:"warnings,omitempty"`
	Error    *Status  `json:"error,omitempty"`
}

// Taken tells whether the service has the event: logged now, logged before, or
// on its way into a checkpoint.
func (r Result) Taken() bool { return r.Status >= 200 && r.Status < 300 }

// Refusal is the error of an event that was not taken, nil of one that was.
func (r Result) Refusal() *Error {
	if r.Taken() {
		return nil
	}
	e := &Error{Status: r.Status, Message: fmt.Sprintf("the service answered %d %s", r.Status, http.StatusText(r.Status))}
	if r.Error != nil {
		e.Fields = r.Error.Fields()
		if r.Error.Message != "" {
			e.Message = r.Error.Message
		}
	}
	return e
}

// Log sends events, each one JSON text without line feeds, and gives their
// results in the same order.
func (c *Client) Log(ctx context.Context, events [][]byte) ([]Result, error) {
	return c.many(ctx, "/v1/events:batch", events)
}

// Validate asks what Log would answer; nothing is logged.
func (c *Client) Validate(ctx context.Context, events [][]byte) ([]Result, error) {
	return c.many(ctx, "/v1/events:validate", events)
}

func (c *Client) many(ctx context.Context, path string, events [][]byte) ([]Result, error) {
	var out struct {
		Results []Result `json:"results"`
	}
	body := append(bytes.Join(events, []byte("\n")), '\n')
	resp, err := c.Do(ctx, Request{Method: http.MethodPost, Path: path, Type: TypeNDJSON, Body: body})
	if err != nil {
		return nil, err
	}
	if err := c.decode(resp, &out); err != nil {
		return nil, err
	}
	if len(out.Results) != len(events) {
		return nil, fmt.Errorf("%s answered %d results for %d events", c.base, len(out.Results), len(events))
	}
	return out.Results, nil
}

// LogEntry sends one entry that is signed already. A refusal of the entry is a
// Result; the error is for everything else.
func (c *Client) LogEntry(ctx context.Context, entry []byte) (Result, error) {
	resp, err := c.Do(ctx, Request{Method: http.MethodPost, Path: "/v1/events", Type: TypeEntry, Body: entry})
	var refused *Error
	if errors.As(err, &refused) && refused.aboutTheBody() {
		s := Status{Message: refused.Message, Details: []Detail{{FieldViolations: refused.Fields}}}
		return Result{Status: refused.Status, Error: &s}, nil
	}
	if err != nil {
		return Result{}, err
	}
	r := Result{}
	if err := c.decode(resp, &r); err != nil {
		return Result{}, err
	}
	r.Status = resp.Status
	return r, nil
}

// ValidateEntry asks what LogEntry would answer.
func (c *Client) ValidateEntry(ctx context.Context, entry []byte) (Result, error) {
	resp, err := c.Do(ctx, Request{Method: http.MethodPost, Path: "/v1/events:validate", Type: TypeEntry, Body: entry})
	if err != nil {
		return Result{}, err
	}
	var out struct {
		Results []Result `json:"results"`
	}
	if err := c.decode(resp, &out); err != nil {
		return Result{}, err
	}
	if len(out.Results) != 1 {
		return Result{}, fmt.Errorf("%s answered %d results for one entry", c.base, len(out.Results))
	}
	return out.Results[0], nil
}

// aboutTheBody tells whether another body could be taken where this one was
// not, so that a command goes on with the next.
func (e *Error) aboutTheBody() bool {
	switch e.Status {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

// An Event is an entry of the log as the service gives it.
type Event struct {
	Entry   []byte  `json:"entry"`
	Index   Uint64  `json:"index"`
	Receipt string  `json:"receipt,omitempty"`
	Others  []Place `json:"others,omitempty"`
}

// A Place is where another entry of the same id stands.
type Place struct {
	Index       Uint64 `json:"index"`
	Participant string `json:"participant"`
}

// Event reads one entry by the query of GET /v1/event. While a taken event is not
// yet covered, the service answers 404 with Retry-After: that is waited for,
// within bounds.
func (c *Client) Event(ctx context.Context, query url.Values) (*Event, error) {
	for attempt := 1; ; attempt++ {
		resp, err := c.Do(ctx, Request{Method: http.MethodGet, Path: "/v1/event", Query: query})
		var missing *Error
		if errors.As(err, &missing) && missing.Status == http.StatusNotFound && missing.RetryAfter > 0 && attempt < Attempts {
			if c.pause(ctx, min(missing.RetryAfter, longestPause)) == nil {
				continue
			}
		}
		if err != nil {
			return nil, err
		}
		var out Event
		if err := c.decode(resp, &out); err != nil {
			return nil, err
		}
		return &out, nil
	}
}

// Checkpoint reads the newest published checkpoint of the log.
func (c *Client) Checkpoint(ctx context.Context) ([]byte, error) {
	resp, err := c.Do(ctx, Request{Method: http.MethodGet, Path: "/log/checkpoint"})
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}
