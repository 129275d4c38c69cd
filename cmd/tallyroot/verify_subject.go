package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/tallyroot/tallyroot/cmd/tallyroot/internal/client"
	"github.com/tallyroot/tallyroot/internal/durable"
	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/history"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/verify"
)

// maxSaved bounds what is verified, before it is known to be a history or less.
const maxSaved = history.MaxSize

// receiptMagic begins a receipt (https://c2sp.org/tlog-proof).
const receiptMagic = "c2sp.org/tlog-proof@v1\n"

// What can be verified, as --json calls it.
const (
	formReceipt = "receipt"
	formEntry   = "entry" // and its receipt
	formHistory = "history"
	formJourney = "journey"
	formProof   = "proof"
)

// A subject is a file, or what a URL answered.
type subject struct {
	name   string
	text   []byte
	asked  historyindex.Key // what the reader asked for, by the URL; without an identifier: nothing
	event  string           // likewise, an event's id
	want   string           // the form that the URL's question has for an answer; "": any
	server string           // the URL's service
}

func isURL(name string) bool {
	return strings.HasPrefix(name, "https://") || strings.HasPrefix(name, "http://")
}

func readSubject(ctx context.Context, name string) (*subject, error) {
	if isURL(name) {
		return fetchSubject(ctx, name)
	}
	text, err := readSmallFile(name, maxSaved)
	return &subject{name: name, text: text}, err
}

// fetchSubject asks a URL for JSON. What it names is what the reader asked for,
// whatever the answer says of itself.
func fetchSubject(ctx context.Context, name string) (*subject, error) {
	u, err := url.Parse(name)
	if err != nil || u.Host == "" || u.User != nil {
		return nil, fmt.Errorf("%q is no address to ask: write it like https://shop.example/01/09506000134352/10/LOT-7", name)
	}
	s := &subject{name: name, server: u.Scheme + "://" + u.Host}
	query := u.Query()
	if err := s.readQuestion(u, query); err != nil {
		return nil, err
	}
	cl, err := client.New(s.server, "")
	if err != nil {
		return nil, err
	}
	answer, err := cl.Do(ctx, client.Request{Method: http.MethodGet, Path: u.EscapedPath(), Query: query})
	if err != nil {
		return nil, err
	}
	if answer.Status != http.StatusOK {
		return nil, fmt.Errorf("%s answers %d: there are no proofs yet", name, answer.Status)
	}
	s.text = answer.Body
	return s, nil
}

// readQuestion reads what a URL asks for: a Digital Link's path, or the parameters of
// an address under /v1/. Another form of answer would say less: a history nothing of
// what a thing was made from, a proof that was saved nothing of today.
func (s *subject) readQuestion(u *url.URL, query url.Values) (err error) {
	id := query.Get("id")
	switch {
	case strings.HasSuffix(u.Path, "/v1/event"):
		s.event, s.want = id, formEntry
		return nil
	case strings.HasSuffix(u.Path, "/v1/history"):
		s.want = formHistory
		if query.Has("kind") {
			if s.asked.Kind, err = historyindex.ParseKind(query.Get("kind")); err != nil {
				return err
			}
		}
	case !strings.Contains(u.Path, "/v1/"):
		if link := canonicalOr(u.String(), ""); gs1.IsGS1(link) {
			id = link
		}
	}
	if id != "" && s.want == "" {
		s.want = formJourney
	}
	s.asked.Identifier = id
	return nil
}

// A form is what a subject is, by how it looks. Whether it is one, its check says.
type form struct {
	kind           string
	entry, receipt []byte   // of formEntry
	pages          [][]byte // of formHistory
}

func (s *subject) form() (f form, err error) {
	if bytes.HasPrefix(s.text, []byte(receiptMagic)) {
		return form{kind: formReceipt}, nil
	}
	unknown := func(what string) (form, error) {
		return form{}, &verify.Error{Reason: verify.ErrMalformed, Err: errors.New(what)}
	}
	parts, err := splitJSON(s.text)
	var members map[string]json.RawMessage
	if err != nil || len(parts) == 0 || json.Unmarshal(parts[0], &members) != nil {
		if bytes.HasPrefix(bytes.TrimSpace(s.text), []byte("<")) {
			return unknown("it is a web page, and no proof: is this the address of a product?")
		}
		return unknown("it is neither a receipt nor a saved proof, history or journey: a receipt begins with " + strings.TrimSpace(receiptMagic) + ", the others are JSON")
	}
	has := func(name string) bool { _, ok := members[name]; return ok }
	switch {
	case has("proof"):
		return form{kind: formProof}, nil
	case has("histories"):
		return form{kind: formJourney}, nil
	case has("logCheckpoint"):
		return form{kind: formHistory, pages: parts}, nil
	case len(parts) == 1 && has("entry") && has("receipt"):
		var receipt string
		if json.Unmarshal(members["entry"], &f.entry) != nil || json.Unmarshal(members["receipt"], &receipt) != nil {
			return unknown("its entry is not base64, or its receipt no text")
		}
		f.kind, f.receipt = formEntry, []byte(receipt)
		return f, nil
	}
	return unknown("it is JSON, but neither a saved proof, a journey, a saved history (`tallyroot history ID --json`) nor an entry with its receipt (`tallyroot event show ID --json`)")
}

// save keeps a journey as a proof, whatever comes of its check: a lie is worth keeping
// too.
func (s *subject) save(file string) error {
	f, err := s.form()
	if err != nil {
		return err
	}
	if f.kind != formJourney {
		return fmt.Errorf("only a journey can be saved as a proof, and this is a %s: keep it as it is", f.kind)
	}
	j, err := history.DecodeJourney(s.text)
	if err != nil {
		return err
	}
	id := canonicalOr(s.asked.Identifier, "")
	if id == "" && len(j.Histories) > 0 {
		id = j.Histories[0].ID
	}
	return durable.WriteFile(file, history.AppendProof(nil, id, bytes.TrimSpace(s.text)), 0o644)
}
