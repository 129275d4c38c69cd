// Package vectors holds this verifier against the vectors that all verifiers
// share (provenance/testdata/vectors), and makes them.
//
// Its tests run every case of the files, and fail when the files are not those that
// the tables here make; `go test -update` writes them. A table says what is changed
// and what the verdict must be; the rest of a verdict is what the Go verifier says.
package vectors

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// M is a JSON object.
type M = map[string]any

// A Case is one line of a file.
type Case struct {
	Name    string `json:"name"`
	What    string `json:"what"`
	Input   M      `json:"input"`
	Trust   M      `json:"trust,omitempty"`
	Verdict M      `json:"verdict"`
}

// Encode writes a file: a case to a line.
func Encode(cases []Case) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("[\n")
	for i, c := range cases {
		if i > 0 {
			b.WriteString(",\n")
		}
		var line bytes.Buffer
		e := json.NewEncoder(&line)
		e.SetEscapeHTML(false)
		if err := e.Encode(c); err != nil {
			return nil, err
		}
		b.Write(bytes.TrimSuffix(line.Bytes(), []byte("\n")))
	}
	b.WriteString("\n]\n")
	return b.Bytes(), nil
}

// Decode reads a file.
func Decode(b []byte) (cases []Case, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	err = d.Decode(&cases)
	return cases, err
}

// put puts bytes into an object as text, or, where they are no Unicode, as base64
// under a name that says so.
func put(m M, name string, b []byte) M {
	if utf8.Valid(b) {
		m[name] = string(b)
	} else {
		m[name+"Base64"] = base64.StdEncoding.EncodeToString(b)
	}
	return m
}

// get takes them out.
func get(m M, name string) []byte {
	if text, ok := m[name].(string); ok {
		return []byte(text)
	}
	return raw(m, name+"Base64")
}

// raw takes out bytes in base64.
func raw(m M, name string) []byte {
	b, err := base64.StdEncoding.DecodeString(m[name].(string))
	if err != nil {
		panic(fmt.Sprintf("%s: %v", name, err))
	}
	return b
}

func text(m M, name string) string {
	s, _ := m[name].(string)
	return s
}

func texts(m M, name string) (list []string) {
	items, _ := m[name].([]any)
	for _, item := range items {
		list = append(list, item.(string))
	}
	return list
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
