package gateway

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	v1 "github.com/tallyroot/tallyroot/proto/tallyroot/v1"
)

// sameAsProtojson holds what is written by hand against protojson: it is JSON,
// protojson reads the same message out of it, and it has the members that
// protojson would write, but for those in except.
func sameAsProtojson(t *testing.T, m proto.Message, except ...string) {
	t.Helper()
	have, err := marshalJSON(m)
	if err != nil {
		t.Fatal(err)
	}
	read := m.ProtoReflect().New().Interface()
	if err := protojson.Unmarshal(have, read); err != nil {
		t.Fatalf("protojson does not read it: %v\n%s", err, have)
	}
	if !proto.Equal(read, m) {
		t.Errorf("protojson reads another message out of\n%s", have)
	}
	want, err := marshalOptions.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	a, b := canonical(t, have, except), canonical(t, want, except)
	if a != b {
		t.Errorf("differs from protojson's:\n%s\n%s", a, b)
	}
}

// canonical sorts members and leaves out those in except, at every level.
func canonical(t *testing.T, b []byte, except []string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	var strip func(any)
	strip = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, name := range except {
				delete(v, name)
			}
			for _, m := range v {
				strip(m)
			}
		case []any:
			for _, m := range v {
				strip(m)
			}
		}
	}
	strip(v)
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

var oddTexts = []string{"", "plain", "quote\" back\\slash", "line\nfeed\r\ttab\x00\x1f", "<&>'", "ü木😀\u2028", strings.Repeat("x", 3000)}

func TestLoggedJSON(t *testing.T) {
	for _, text := range oddTexts {
		for _, index := range []uint64{0, 1, math.MaxUint64} {
			sameAsProtojson(t, &v1.LogEventResponse{EventId: text, Index: &index, LeafHash: make([]byte, 32), Receipt: &text, Warnings: oddTexts})
		}
		sameAsProtojson(t, &v1.LogEventResponse{EventId: text})
	}
}

func TestResultsJSON(t *testing.T) {
	refused := problem(codes.InvalidArgument, "wrong", info(reasonTooLarge, "limit", "1")).Proto()
	for _, text := range oddTexts {
		index := uint64(7)
		results := []*v1.LogEventResult{
			{Status: 201, EventId: &text, Index: &index, LeafHash: []byte{1}, Receipt: &text, Warnings: []string{text}},
			{Status: 202, EventId: &text},
			{Status: 400, Error: refused},
		}
		sameAsProtojson(t, &v1.LogEventsResponse{Results: results}, "warnings") // left out of refusals
		sameAsProtojson(t, &v1.ValidateEventsResponse{Results: results}, "warnings")
	}
	sameAsProtojson(t, &v1.LogEventsResponse{})
}

func TestReadJSON(t *testing.T) {
	for _, text := range oddTexts {
		sameAsProtojson(t, &v1.Event{EventId: text, Participant: text})
		sameAsProtojson(t, &v1.Event{
			Entry: []byte(text), Index: math.MaxUint64, Receipt: &text, EventId: text, LeafHash: make([]byte, 32), Participant: text,
			Others: []*v1.Event_Place{{Index: 1, Participant: text}, {}},
		})
	}
	sameAsProtojson(t, &v1.InclusionProof{})
	sameAsProtojson(t, &v1.InclusionProof{Index: 1, Size: math.MaxUint64, LeafHash: []byte{1}, Proof: [][]byte{{1}, {2, 3}}, Root: []byte{0}})
}

func TestHistoryJSON(t *testing.T) {
	for _, text := range oddTexts {
		bare := &v1.History{Id: text, Kind: "object", LogCheckpoint: text, MapProof: &v1.History_MapProof{}}
		full := &v1.History{
			Id: text, Kind: "object", LogCheckpoint: text, Positions: []uint64{0, 1, math.MaxUint64},
			IndexCheckpoint: text, IndexLeaf: text, IndexProof: [][]byte{{1}, {2}},
			MapProof:     &v1.History_MapProof{Present: true, Key: []byte{1}, Value: []byte{2}, Path: []*v1.History_MapProof_Step{{Bit: 3, Hash: []byte{4}}}},
			Entries:      []*v1.History_Entry{{Index: 1, Entry: []byte("entry"), Proof: [][]byte{{1}, {2}}}, {Index: 2, Entry: []byte{}}},
			Participants: []*v1.History{bare},
		}
		for _, h := range []*v1.History{bare, full} {
			sameAsProtojson(t, h, "participants")
			sameAsProtojson(t, &v1.Journey{Histories: []*v1.History{h, h}, NotFollowed: []string{text}}, "participants")
		}
	}
}

// Text that is not UTF-8 has no JSON form: it is an error, never other bytes.
func TestInvalidUTF8IsAnError(t *testing.T) {
	bad := "a\xffb"
	for _, m := range []proto.Message{
		&v1.LogEventResponse{EventId: bad}, &v1.LogEventResponse{Warnings: []string{bad}},
		&v1.LogEventsResponse{Results: []*v1.LogEventResult{{EventId: &bad}}}, &v1.History{Id: bad}, &v1.Event{EventId: bad}, &v1.Journey{NotFollowed: []string{bad}},
	} {
		if b, err := marshalJSON(m); err == nil {
			t.Errorf("%T: %s", m, b)
		}
	}
}

func FuzzStringJSON(f *testing.F) {
	for _, text := range oddTexts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		b, ok := appendString(nil, text)
		var read string
		if err := json.Unmarshal(b, &read); ok != (err == nil) || ok && read != text {
			t.Errorf("%q gives %s, which reads %q: %v", text, b, read, err)
		}
	})
}

func BenchmarkLoggedJSON(b *testing.B) {
	index, receipt := rand.Uint64(), strings.Repeat("a line of a receipt, as long as a hash in base64\n", 25)
	m := &v1.LogEventResponse{EventId: "ni:///sha-256;" + strings.Repeat("0", 64) + "?ver=CBV2.0", Index: &index, LeafHash: make([]byte, 32), Receipt: &receipt}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := marshalJSON(m); err != nil {
			b.Fatal(err)
		}
	}
}
