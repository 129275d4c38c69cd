package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"os"
	"strings"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tallyroot/tallyroot/provenance"
)

// Content types of what is logged.
const (
	contentJSON   = "application/json"
	contentLD     = "application/ld+json"
	contentNDJSON = "application/x-ndjson"
	contentEntry  = "application/vnd.tallyroot.entry"
)

// bodyRule is what one POST route takes.
type bodyRule struct {
	what  string // names it in errors
	limit int
	types []string
	logs  bool // what comes is to be logged
}

// bodyRules are the routes whose body is the event's own bytes, by path.
func bodyRules(l Limits) map[string]bodyRule {
	return map[string]bodyRule{
		"/v1/events":          {"the event", l.EventBytes, []string{contentJSON, contentLD, contentEntry}, true},
		"/v1/events:batch":    {"the batch", l.BatchBytes, []string{contentJSON, contentLD, contentNDJSON}, true},
		"/v1/events:validate": {"the batch", l.BatchBytes, []string{contentJSON, contentLD, contentNDJSON, contentEntry}, false},
	}
}

// requestBody is a body that was read whole. The marshalers take its bytes and
// type from it.
type requestBody struct {
	data        []byte
	contentType string
	rest        bytes.Reader
}

func (b *requestBody) Read(p []byte) (int, error) { return b.rest.Read(p) }
func (b *requestBody) Close() error               { return nil }

// readBody reads the body whole, checks its type and keeps to the limit. What
// is over the limit is refused unread where its length is announced. Memory
// grows with what has come, not with what is announced.
func readBody(w http.ResponseWriter, r *http.Request, rule bodyRule) (*requestBody, *status.Status) {
	b := &requestBody{}
	var st *status.Status
	if b.contentType, st = bodyType(r.Header, rule); st != nil {
		return nil, st
	}
	limit := int64(rule.limit)
	if r.ContentLength > limit {
		return nil, tooLarge(rule.what, "bytes", int(r.ContentLength), rule.limit)
	}
	body := http.MaxBytesReader(w, r.Body, limit)
	var err error
	if r.ContentLength > 0 && r.ContentLength <= smallBody {
		b.data = make([]byte, r.ContentLength)
		_, err = io.ReadFull(body, b.data)
	} else {
		b.data, err = io.ReadAll(body)
	}
	if err != nil {
		var over *http.MaxBytesError
		var timeout net.Error
		switch {
		case errors.As(err, &over):
			return nil, tooLarge(rule.what, "bytes", -1, rule.limit)
		case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
			return nil, problem(codes.DeadlineExceeded, "the body did not come in time; nothing was logged; send it again", info(reasonSlow))
		}
		return nil, problem(codes.InvalidArgument, "the body broke off before its end; nothing was logged; send it again")
	}
	b.rest.Reset(b.data)
	return b, nil
}

// drainBytes is how much of a refused body is read and thrown away, so that its
// sender, who may read no answer before it has sent all, gets to see why.
const drainBytes = 40 << 20

func drain(r *http.Request) {
	if r.Header.Get("Expect") == "" && r.ContentLength <= drainBytes {
		_, _ = io.CopyN(io.Discard, r.Body, drainBytes) // the answer is the same if it fails
	}
}

// bodyType is the media type of the body. What has none is taken as JSON.
func bodyType(h http.Header, rule bodyRule) (string, *status.Status) {
	sent := h["Content-Type"]
	if len(sent) == 0 || len(sent) == 1 && sent[0] == contentJSON {
		return contentJSON, nil
	}
	wants := "send " + strings.Join(rule.types, " or ")
	if len(sent) > 1 {
		return "", problem(codes.InvalidArgument, "there are several Content-Type headers; "+wants, info(reasonMediaType))
	}
	name, parameters, err := mime.ParseMediaType(sent[0])
	if err == nil {
		if charset, ok := parameters["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
			return "", problem(codes.InvalidArgument, fmt.Sprintf("the charset %.40q is not taken; send UTF-8", charset), info(reasonMediaType, "contentType", sent[0]))
		}
		if name == "application/ndjson" || name == "application/jsonl" {
			name = contentNDJSON // its other names
		}
		for _, t := range rule.types {
			if t == name {
				if coding := h.Get("Content-Encoding"); coding != "" && coding != "identity" {
					return "", problem(codes.InvalidArgument, fmt.Sprintf("the Content-Encoding %.40q is not taken; send the body as it is", coding), info(reasonMediaType))
				}
				return name, nil
			}
		}
	}
	return "", problem(codes.InvalidArgument, fmt.Sprintf("the Content-Type %.80q is not taken here; %s", sent[0], wants), info(reasonMediaType, "contentType", sent[0]))
}

// one is the single submission of a body.
func one(b *httpbody.HttpBody, l Limits) (provenance.Submission, error) {
	if len(b.GetData()) > l.EventBytes {
		return provenance.Submission{}, tooLarge("the event", "bytes", len(b.GetData()), l.EventBytes).Err()
	}
	switch t := mediaType(b); t {
	case contentJSON, contentLD:
		return provenance.Submission{Body: b.GetData()}, nil
	case contentEntry:
		return provenance.Submission{Body: b.GetData(), Signed: true}, nil
	default:
		return provenance.Submission{}, unknownType(t, contentJSON, contentLD, contentEntry)
	}
}

// many are the submissions of a batch, in order.
func many(b *httpbody.HttpBody, l Limits) ([]provenance.Submission, error) {
	if len(b.GetData()) > l.BatchBytes {
		return nil, tooLarge("the batch", "bytes", len(b.GetData()), l.BatchBytes).Err()
	}
	var events [][]byte
	var err error
	switch t := mediaType(b); t {
	case contentJSON, contentLD:
		if looksLikeLines(b.GetData()) {
			events, err = splitLines(b.GetData(), l.BatchEvents)
			break
		}
		events, err = splitArray(b.GetData(), l.BatchEvents)
	case contentNDJSON:
		events, err = splitLines(b.GetData(), l.BatchEvents)
	default:
		return nil, unknownType(t, contentJSON, contentLD, contentNDJSON)
	}
	if err != nil {
		return nil, err
	}
	subs := make([]provenance.Submission, len(events))
	for i, e := range events {
		subs[i].Body = e
	}
	return subs, nil
}

// either is a batch, or one event or entry.
func either(b *httpbody.HttpBody, l Limits) ([]provenance.Submission, error) {
	t := mediaType(b)
	array := len(bytes.TrimLeft(b.GetData(), jsonSpace)) > 0 && bytes.TrimLeft(b.GetData(), jsonSpace)[0] == '['
	if t == contentNDJSON || array && t != contentEntry {
		return many(b, l)
	}
	sub, err := one(b, l)
	return []provenance.Submission{sub}, err
}

// mediaType is the type without parameters, for what came over gRPC too.
func mediaType(b *httpbody.HttpBody) string {
	switch t := b.GetContentType(); t {
	case "":
		return contentJSON
	case contentJSON, contentLD, contentNDJSON, contentEntry:
		return t
	default:
		name, _, err := mime.ParseMediaType(t)
		if err != nil {
			return t
		}
		return name
	}
}

func unknownType(t string, want ...string) error {
	return problem(codes.InvalidArgument, fmt.Sprintf("the content type %.80q is not taken here; send %s", t, strings.Join(want, " or ")), info(reasonMediaType, "contentType", t)).Err()
}
