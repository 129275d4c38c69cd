package client

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// An Error is a refusal by the service.
type Error struct {
	Status     int           // HTTP's
	Message    string        // the service's own words
	Fields     []Field       // what is wrong where, if the service said so
	RetryAfter time.Duration // 0 if the service did not say
}

// A Field is one mistake in what was sent.
type Field struct {
	Path   string `json:"field"`
	Reason string `json:"description"`
}

func (f Field) String() string {
	if f.Path == "" { // it is wrong as a whole
		return f.Reason
	}
	return f.Path + ": " + f.Reason
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Message)
	for _, f := range e.Fields {
		if strings.Contains(e.Message, f.Path) && strings.Contains(e.Message, f.Reason) {
			continue // it says that already
		}
		fmt.Fprintf(&b, "\n  %s", f)
	}
	if next := e.next(); next != "" {
		b.WriteString("\n" + next)
	}
	return b.String()
}

// next says what to do about a status whose cause lies in how the command was
// called, which the service cannot know.
func (e *Error) next() string {
	if e.Status == http.StatusUnauthorized {
		return "Check the token: --token-file FILE or TALLYROOT_TOKEN. `tallyroot token add ID` makes a new one."
	}
	return ""
}

// Status is google.rpc.Status as the service prints it.
type Status struct {
	Code    int      `json:"code,omitempty"`
	Message string   `json:"message"`
	Details []Detail `json:"details,omitempty"`
}

// A Detail of a Status; only google.rpc.BadRequest's is read. It is printed as
// it came.
type Detail struct {
	FieldViolations []Field
	text            json.RawMessage
}

func (d *Detail) UnmarshalJSON(text []byte) error {
	var badRequest struct {
		FieldViolations []Field `json:"fieldViolations"`
	}
	if err := json.Unmarshal(text, &badRequest); err != nil {
		return err
	}
	d.FieldViolations, d.text = badRequest.FieldViolations, slices.Clone(text)
	return nil
}

func (d Detail) MarshalJSON() ([]byte, error) {
	if d.text != nil {
		return d.text, nil
	}
	return json.Marshal(struct {
		Type            string  `json:"@type"`
		FieldViolations []Field `json:"fieldViolations,omitempty"`
	}{"type.googleapis.com/google.rpc.BadRequest", d.FieldViolations})
}

// Fields are all the field violations of the status.
func (s Status) Fields() []Field {
	var out []Field
	for _, d := range s.Details {
		out = append(out, d.FieldViolations...)
	}
	return out
}

func newError(status int, h http.Header, body []byte) *Error {
	e := &Error{Status: status, RetryAfter: retryAfter(h)}
	var s Status
	if json.Unmarshal(body, &s) == nil && s.Message != "" {
		e.Message, e.Fields = s.Message, s.Fields()
		return e
	}
	e.Message = fmt.Sprintf("the service answered %d %s", status, http.StatusText(status))
	text := strings.TrimSpace(string(body))
	if text != "" && len(text) < 500 && !strings.HasPrefix(text, "<") {
		e.Message += ": " + text
	}
	return e
}
