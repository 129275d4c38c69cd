// Command openapi completes the OpenAPI document that is generated from the
// proto files: it reads the merged document on stdin and writes the complete
// one to stdout.
//
// The generator knows messages and routes. It does not know that some bodies
// are raw bytes, which answers have a status other than 200, who may call, and
// what is served beside the proto's services; that is added here.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
)

type object = map[string]any

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "openapi:", err)
		os.Exit(1)
	}
}

func run(r io.Reader, w io.Writer) error {
	var doc struct {
		OpenAPI    string            `json:"openapi"`
		Info       object            `json:"info"`
		Tags       []object          `json:"tags"`
		Paths      map[string]object `json:"paths"`
		Components map[string]object `json:"components"`
	}
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	if err := d.Decode(&doc); err != nil {
		return err
	}

	operation := func(method, path string) (object, error) {
		op, ok := doc.Paths[path][method].(object)
		if !ok {
			return nil, fmt.Errorf("the generated document has no %s %s", method, path)
		}
		return op, nil
	}
	for _, b := range bodies {
		op, err := operation("post", b.path)
		if err != nil {
			return err
		}
		content := object{}
		for _, t := range b.types {
			content[t.name] = object{"schema": t.schema}
		}
		op["requestBody"] = object{"required": true, "content": content}
	}
	for _, o := range outcomes {
		op, err := operation(o.method, o.path)
		if err != nil {
			return err
		}
		responses := op["responses"].(object)
		if o.like != "" {
			like := responses[o.like].(object)
			responses[o.status] = object{"description": o.description, "content": like["content"]}
		} else {
			fallback := responses["default"].(object)
			responses[o.status] = object{"description": o.description, "content": fallback["content"]}
		}
	}
	for _, s := range secured {
		op, err := operation(s.method, s.path)
		if err != nil {
			return err
		}
		op["security"] = []object{{s.scheme: []string{}}}
	}
	for _, item := range doc.Paths {
		for _, op := range item {
			if op, ok := op.(object); ok {
				if responses, ok := op["responses"].(object); ok {
					responses["default"].(object)["description"] = "An error, with its gRPC code, a sentence and details."
					if ok := responses["200"].(object); ok["description"] == "A successful response." {
						ok["description"] = "The answer."
					}
				}
			}
		}
	}
	delete(doc.Components["schemas"], "google.api.HttpBody")
	doc.Components["securitySchemes"] = object{
		"participant": object{"type": "http", "scheme": "bearer", "description": "A participant's token."},
		"admin":       object{"type": "http", "scheme": "bearer", "description": "The operator's token, `admin.token` in the service's data directory."},
	}
	doc.Tags = append(doc.Tags, object{"name": "Files", "description": "Served beside the API: static log files, codes, operation."})
	for path, f := range files {
		if _, taken := doc.Paths[path]; taken {
			return fmt.Errorf("%s is in the generated document already", path)
		}
		doc.Paths[path] = object{"get": f.operation()}
	}

	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(doc)
}

type mediaType struct {
	name   string
	schema object
}

var (
	event  = object{"type": "object", "description": "An EPCIS 2.0 event, or a product or place statement.", "required": []string{"type"}, "properties": object{"type": object{"type": "string"}}, "additionalProperties": true}
	events = object{"type": "array", "maxItems": 10000, "items": event}
	single = []mediaType{
		{"application/json", event},
		{"application/ld+json", event},
		{"application/vnd.tallyroot.entry", object{"type": "string", "description": "A signed entry."}},
	}
	batch = []mediaType{
		{"application/json", events},
		{"application/ld+json", events},
		{"application/x-ndjson", object{"type": "string", "description": "One event a line."}},
	}
	either = object{"oneOf": []object{event, events}}
)

// bodies are the requests whose body is the event's own bytes.
var bodies = []struct {
	path  string
	types []mediaType
}{
	{"/v1/events", single},
	{"/v1/events:batch", batch},
	{"/v1/events:validate", []mediaType{{"application/json", either}, {"application/ld+json", either}, batch[2], single[2]}},
}

// outcomes are answers with a status of their own; like names the status whose
// body they share, none means an error.
var outcomes = []struct{ method, path, status, like, description string }{
	{"post", "/v1/events", "200", "200", "The same text was logged before: its first place."},
	{"post", "/v1/events", "201", "200", "Logged, and covered by a published checkpoint."},
	{"post", "/v1/events", "202", "200", "Taken, not yet covered by a checkpoint: `eventId` and `warnings` alone."},
	{"post", "/v1/events", "400", "", "The event is refused: each field is named."},
	{"post", "/v1/events", "401", "", "The token is missing, unknown, revoked or expired."},
	{"post", "/v1/events", "403", "", "The participant may not say this."},
	{"post", "/v1/events", "409", "", "Another text has this identity."},
	{"post", "/v1/events", "413", "", "The body or the entry is too large: the limit and the size are named."},
	{"post", "/v1/events", "415", "", "The content type is not one that is taken."},
	{"post", "/v1/events", "429", "", "Too many requests: see `Retry-After`."},
	{"post", "/v1/events", "503", "", "The log cannot take events now: see `Retry-After`."},
	{"post", "/v1/events:batch", "413", "", "Too many events, or too many bytes."},
	{"post", "/v1/events:batch", "503", "", "The log cannot take events now: see `Retry-After`."},
	{"get", "/v1/event", "404", "", "No such event; with `Retry-After` while one is under way."},
}

var secured = []struct{ method, path, scheme string }{
	{"post", "/v1/events", "participant"},
	{"post", "/v1/events:batch", "participant"},
	{"post", "/v1/events:validate", "participant"},
	{"post", "/v1/participants", "admin"},
	{"get", "/v1/participants", "admin"},
	{"post", "/v1/participants/{id}:disable", "admin"},
	{"post", "/v1/participants/{id}/tokens", "admin"},
	{"post", "/v1/participants/{id}/tokens/{number}:revoke", "admin"},
}

type file struct {
	summary, contentType, description string
	parameters                        []object
}

func (f file) operation() object {
	op := object{
		"tags": []string{"Files"}, "summary": f.summary,
		"responses": object{"200": object{"description": f.description, "content": object{f.contentType: object{}}}},
	}
	if f.parameters != nil {
		op["parameters"] = f.parameters
	}
	return op
}

func path(name, description string) object {
	return object{"name": name, "in": "path", "required": true, "description": description, "schema": object{"type": "string"}}
}

var files = map[string]file{
	"/log/checkpoint":             {"The newest checkpoint.", "text/plain", "A c2sp.org/tlog-checkpoint: a signed note.", nil},
	"/log/tile/{level}/{index}":   {"A tile of hashes.", "application/octet-stream", "Hashes of 32 bytes, by c2sp.org/tlog-tiles. Full tiles never change.", []object{path("level", "The tile's level, 0 for leaves."), path("index", "Its index, like `x001/234`; a partial tile ends in `.p/` and its width.")}},
	"/log/tile/entries/{index}":   {"A bundle of entries.", "application/octet-stream", "Each entry after its length (2 bytes, big-endian), by c2sp.org/tlog-tiles.", []object{path("index", "The bundle's index, like `x001/234`; a partial one ends in `.p/` and its width.")}},
	"/index/checkpoint":           {"The index log's newest checkpoint.", "text/plain", "A c2sp.org/tlog-checkpoint: a signed note.", nil},
	"/index/tile/{level}/{index}": {"A tile of the index log's hashes.", "application/octet-stream", "Hashes of 32 bytes, by c2sp.org/tlog-tiles. The newest leaf's tiles are there a moment before the checkpoint is.", []object{path("level", "The tile's level, 0 for leaves."), path("index", "Its index, like `x001/234`; a partial tile ends in `.p/` and its width.")}},
	"/index/tile/entries/{index}": {"A bundle of the index log's leaves.", "application/octet-stream", "Each leaf after its length (2 bytes, big-endian), by c2sp.org/tlog-tiles: the map's root, and the log's checkpoint without signatures.", []object{path("index", "The bundle's index, like `x001/234`; a partial one ends in `.p/` and its width.")}},
	"/qr": {"The QR code of an identifier.", "image/png", "A GS1 Digital Link on this service's domain, as a QR code.", []object{
		{"name": "id", "in": "query", "required": true, "description": "The identifier.", "schema": object{"type": "string"}},
		{"name": "format", "in": "query", "description": "`png` (the default) or `svg`.", "schema": object{"type": "string", "enum": []string{"png", "svg"}}},
	}},
	"/healthz": {"Whether the process runs.", "text/plain", "`ok`", nil},
	"/readyz": {"Whether the service takes and publishes events, and has something to read.", "text/plain", "`writes:`, `reads:` and `histories:`, each on a line with the reason why not. 503 with the same lines when one of the first two does not go on. As an object with `Accept: application/json`.", []object{
		{"name": "of", "in": "query", "description": "`reads`: 503 only when there is nothing to read. `histories`: only while none can be given.", "schema": object{"type": "string", "enum": []string{"writes", "reads", "histories"}}},
	}},
	"/metrics":      {"Metrics for Prometheus.", "text/plain", "Prometheus text format.", nil},
	"/openapi.json": {"This document.", "application/json", "OpenAPI 3.1.", nil},
	"/docs":         {"This document as a page.", "text/html", "The API reference.", nil},
}
