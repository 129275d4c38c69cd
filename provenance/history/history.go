// Package history is the saved form of a history: the entries under one key of
// the history index, in the log's order, each with the proof that it stands in
// the log at one checkpoint, and with the histories of those who signed them.
//
// It reads and writes JSON and holds nothing to be true: package verify does
// that. Without the index's own proof, which this form does not carry, a history
// shows that its entries are in the log, and not that they are all there are.
package history

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"

	"github.com/tallyroot/tallyroot/provenance/jcs"
)

const (
	// PageLimit is how many entries a history holds at most; one with more
	// positions is read in pages.
	PageLimit = 1000

	// MaxSize bounds a saved history, in bytes.
	MaxSize = 256 << 20

	// maxProof is how many hashes an inclusion proof can have.
	maxProof = 64
)

// ErrMalformed says that bytes are not a saved history.
var ErrMalformed = errors.New("malformed history")

// A History holds the entries under one key.
type History struct {
	ID            string    // the key's identifier
	Kind          string    // the key's kind, by name
	LogCheckpoint string    // signed; all that follows is proved at it
	Positions     []uint64  // of all entries under the key below the checkpoint's size
	Entries       []Entry   // all of them, or the page of them that was asked for
	Participants  []History // of kind operator, and of kind participant for each signer; nil inside of another
}

// An Entry is one entry and its inclusion proof, from the leaf's sibling to the
// root's child.
type Entry struct {
	Index uint64
	Entry []byte
	Proof [][32]byte
}

// Append appends the history's JSON to dst: one object, in which 64-bit numbers
// are strings and bytes standard base64.
func (h *History) Append(dst []byte) []byte {
	dst = h.appendMembers(dst)
	dst = append(dst, `,"participants":[`...)
	for i := range h.Participants {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = h.Participants[i].appendMembers(dst)
		dst = append(dst, '}')
	}
	return append(dst, "]}"...)
}

// appendMembers appends the object without its participants and last brace.
func (h *History) appendMembers(dst []byte) []byte {
	dst = appendString(append(dst, `{"id":`...), h.ID)
	dst = appendString(append(dst, `,"kind":`...), h.Kind)
	dst = appendString(append(dst, `,"logCheckpoint":`...), h.LogCheckpoint)
	dst = append(dst, `,"positions":[`...)
	for i, position := range h.Positions {
		dst = appendNumber(appendComma(dst, i), position)
	}
	dst = append(dst, `],"entries":[`...)
	for i := range h.Entries {
		dst = h.Entries[i].append(appendComma(dst, i))
	}
	return append(dst, ']')
}

func (e *Entry) append(dst []byte) []byte {
	dst = appendNumber(append(dst, `{"index":`...), e.Index)
	dst = appendBytes(append(dst, `,"entry":`...), e.Entry)
	dst = append(dst, `,"proof":[`...)
	for i := range e.Proof {
		dst = appendBytes(appendComma(dst, i), e.Proof[i][:])
	}
	return append(dst, "]}"...)
}

func appendComma(dst []byte, i int) []byte {
	if i > 0 {
		dst = append(dst, ',')
	}
	return dst
}

func appendString(dst []byte, s string) []byte { return jcs.NewString(s).AppendCanonical(dst) }

func appendNumber(dst []byte, n uint64) []byte {
	dst = append(dst, '"')
	dst = strconv.AppendUint(dst, n, 10)
	return append(dst, '"')
}

func appendBytes(dst, b []byte) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, b)
	return append(dst, '"')
}

// Decode reads what Append gives, in any JSON spelling of it. Members that it
// does not know, numbers with leading zeros and base64 that is not canonical are
// refused. Its error is an ErrMalformed.
func Decode(b []byte) (*History, error) {
	if len(b) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes; the limit is %d", ErrMalformed, len(b), MaxSize)
	}
	v, err := jcs.Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	r := &reader{}
	h := r.history("", v, true)
	if r.err != nil {
		return nil, r.err
	}
	return &h, nil
}

// A reader keeps the first error.
type reader struct{ err error }

func (r *reader) fail(path, format string, args ...any) {
	if r.err == nil {
		if path == "" {
			path = "the history"
		}
		r.err = fmt.Errorf("%w: %s: %s", ErrMalformed, path, fmt.Sprintf(format, args...))
	}
}

// object checks that v is an object of exactly those members.
func (r *reader) object(path string, v jcs.Value, names ...string) {
	if v.Kind() != jcs.Object {
		r.fail(path, "it is of JSON kind %v, and must be an object", v.Kind())
		return
	}
	for _, name := range names {
		if _, ok := v.Get(name); !ok {
			r.fail(path, "the member %s is missing", name)
		}
	}
	if len(v.Members()) > len(names) {
		r.fail(path, "it has other members than %q", names)
	}
}

func (r *reader) history(path string, v jcs.Value, whole bool) (h History) {
	names := []string{"id", "kind", "logCheckpoint", "positions", "entries", "participants"}
	if !whole {
		names = names[:len(names)-1]
	}
	r.object(path, v, names...)
	member := func(name string) (string, jcs.Value) {
		m, _ := v.Get(name)
		return join(path, name), m
	}
	h.ID = r.text(member("id"))
	h.Kind = r.text(member("kind"))
	h.LogCheckpoint = r.text(member("logCheckpoint"))
	at, list := member("positions")
	for i, item := range r.list(at, list) {
		h.Positions = append(h.Positions, r.number(fmt.Sprintf("%s[%d]", at, i), item))
	}
	at, list = member("entries")
	for i, item := range r.list(at, list) {
		h.Entries = append(h.Entries, r.entry(fmt.Sprintf("%s[%d]", at, i), item))
	}
	if whole {
		at, list = member("participants")
		for i, item := range r.list(at, list) {
			h.Participants = append(h.Participants, r.history(fmt.Sprintf("%s[%d]", at, i), item, false))
		}
	}
	return h
}

func (r *reader) entry(path string, v jcs.Value) (e Entry) {
	r.object(path, v, "index", "entry", "proof")
	index, _ := v.Get("index")
	e.Index = r.number(join(path, "index"), index)
	bytes, _ := v.Get("entry")
	e.Entry = r.bytes(join(path, "entry"), bytes)
	proof, _ := v.Get("proof")
	hashes := r.list(join(path, "proof"), proof)
	if len(hashes) > maxProof {
		r.fail(join(path, "proof"), "it has %d hashes; at most %d are possible", len(hashes), maxProof)
		return e
	}
	for i, item := range hashes {
		at := fmt.Sprintf("%s[%d]", join(path, "proof"), i)
		hash := r.bytes(at, item)
		if len(hash) != 32 {
			r.fail(at, "it has %d bytes; a hash has 32", len(hash))
			return e
		}
		e.Proof = append(e.Proof, [32]byte(hash))
	}
	return e
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func (r *reader) text(path string, v jcs.Value) string {
	if v.Kind() != jcs.String {
		r.fail(path, "it is of JSON kind %v, and must be a string", v.Kind())
	}
	return v.Text()
}

func (r *reader) list(path string, v jcs.Value) []jcs.Value {
	if v.Kind() != jcs.Array {
		r.fail(path, "it is of JSON kind %v, and must be an array", v.Kind())
	}
	return v.Items()
}

func (r *reader) number(path string, v jcs.Value) uint64 {
	s := r.text(path, v)
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || strconv.FormatUint(n, 10) != s {
		r.fail(path, "%.30q is not a whole number below 2^64 as a string", s)
	}
	return n
}

func (r *reader) bytes(path string, v jcs.Value) []byte {
	s := r.text(path, v)
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	// The decoder passes over line breaks.
	if err != nil || base64.StdEncoding.EncodedLen(len(b)) != len(s) {
		r.fail(path, "it is not canonical base64 (standard alphabet, padded)")
	}
	return b
}
