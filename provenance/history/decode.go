package history

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/jcs"
)

// ErrMalformed says that bytes are not a saved history or journey.
var ErrMalformed = errors.New("malformed history")

// Decode reads what History.Append gives, in any JSON spelling of it. Members that
// it does not know, numbers with leading zeros and base64 that is not canonical are
// refused. Its error is an ErrMalformed.
func Decode(b []byte) (*History, error) {
	v, err := parse(b, MaxSize)
	if err != nil {
		return nil, err
	}
	r := &reader{}
	h := r.history("", v, true)
	if r.err != nil {
		return nil, r.err
	}
	return &h, nil
}

// DecodeJourney reads what Journey.Append gives, as strictly as Decode.
func DecodeJourney(b []byte) (*Journey, error) {
	v, err := parse(b, MaxJourney)
	if err != nil {
		return nil, err
	}
	r := &reader{}
	j := r.journey("", v)
	if r.err != nil {
		return nil, r.err
	}
	return &j, nil
}

func parse(b []byte, limit int) (jcs.Value, error) {
	if len(b) > limit {
		return jcs.Value{}, fmt.Errorf("%w: %d bytes; the limit is %d", ErrMalformed, len(b), limit)
	}
	if n := bytes.Count(b, []byte(",")) + bytes.Count(b, []byte("[")) + bytes.Count(b, []byte("{")); n > maxValues {
		return jcs.Value{}, fmt.Errorf("%w: it has some %d JSON values; the limit is %d", ErrMalformed, n, maxValues)
	}
	v, err := jcs.Parse(b)
	if err != nil {
		return v, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return v, nil
}

var (
	journeyMembers = []string{"histories", "notFollowed"}
	historyMembers = []string{"id", "kind", "indexCheckpoint", "indexLeaf", "indexProof", "logCheckpoint", "mapProof", "positions", "entries"}
	entryMembers   = []string{"index", "entry", "proof"}
)

// A reader keeps the first error.
type reader struct{ err error }

func (r *reader) fail(path, format string, args ...any) {
	if r.err == nil {
		if path == "" {
			path = "the whole"
		}
		r.err = fmt.Errorf("%w: %s: %s", ErrMalformed, path, fmt.Sprintf(format, args...))
	}
}

// object checks that v is an object of exactly those members.
func (r *reader) object(path string, v jcs.Value, names []string) {
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

func (r *reader) journey(path string, v jcs.Value) (j Journey) {
	r.object(path, v, journeyMembers)
	member, _ := v.Get("histories")
	at := join(path, "histories")
	list := r.list(at, member)
	if len(list) > MaxHistories {
		r.fail(at, "there are %d; the limit is %d", len(list), MaxHistories)
		list = nil
	}
	for i, item := range list {
		j.Histories = append(j.Histories, r.history(fmt.Sprintf("%s[%d]", at, i), item, false))
	}
	member, _ = v.Get("notFollowed")
	at = join(path, "notFollowed")
	for i, item := range r.list(at, member) {
		j.NotFollowed = append(j.NotFollowed, r.text(fmt.Sprintf("%s[%d]", at, i), item))
	}
	return j
}

// history reads a history; a whole one has participants.
func (r *reader) history(path string, v jcs.Value, whole bool) (h History) {
	names := historyMembers
	if whole {
		names = append(slices.Clip(names), "participants")
	}
	r.object(path, v, names)
	member := func(name string) (string, jcs.Value) {
		m, _ := v.Get(name)
		return join(path, name), m
	}
	h.ID = r.text(member("id"))
	h.Kind = r.text(member("kind"))
	h.Index = Index{Checkpoint: r.text(member("indexCheckpoint")), Leaf: r.text(member("indexLeaf")), LeafProof: r.hashes(member("indexProof"))}
	h.LogCheckpoint = r.text(member("logCheckpoint"))
	at, proof := member("mapProof")
	var err error
	if h.Index.MapProof, err = historyindex.ParseProof(proof); err != nil {
		r.fail(at, "%v", err)
	}
	at, list := member("positions")
	items := r.list(at, list)
	if len(items) > 0 {
		h.Positions = make([]uint64, 0, len(items))
	}
	for i, item := range items {
		h.Positions = append(h.Positions, r.number(at, i, item))
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
	r.object(path, v, entryMembers)
	index, _ := v.Get("index")
	e.Index = r.number(join(path, "index"), -1, index)
	text, _ := v.Get("entry")
	e.Entry = r.bytes(join(path, "entry"), text)
	proof, _ := v.Get("proof")
	e.Proof = r.hashes(join(path, "proof"), proof)
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

// number reads the number at path, or the i-th of a list there unless i is
// negative.
func (r *reader) number(path string, i int, v jcs.Value) uint64 {
	s := v.Text()
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || len(s) > 1 && s[0] == '0' {
		if i >= 0 {
			path = fmt.Sprintf("%s[%d]", path, i)
		}
		r.fail(path, "%.30q is not a whole number below 2^64 as a string", s)
	}
	return n
}

func (r *reader) hashes(path string, v jcs.Value) (hashes [][32]byte) {
	items := r.list(path, v)
	if len(items) > maxProof {
		r.fail(path, "it has %d hashes; at most %d are possible", len(items), maxProof)
		return nil
	}
	for i, item := range items {
		at := fmt.Sprintf("%s[%d]", path, i)
		hash := r.bytes(at, item)
		if len(hash) != 32 {
			r.fail(at, "it has %d bytes; a hash has 32", len(hash))
			return nil
		}
		hashes = append(hashes, [32]byte(hash))
	}
	return hashes
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
