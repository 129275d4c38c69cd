package history_test

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/provenance/history"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
)

func example() *history.History {
	return &history.History{
		ID: "https://id.gs1.org/01/09506000134352/10/\"é\"", Kind: "object", LogCheckpoint: "a\nb\n",
		Index: history.Index{
			Checkpoint: "i\n", Leaf: "leaf\n", LeafProof: [][32]byte{{8}, {9}},
			MapProof: historyindex.Proof{Present: true, Key: [32]byte{3}, Value: [32]byte{4}, Path: []historyindex.Step{{Bit: 19, Hash: [32]byte{5}}}},
		},
		Positions: []uint64{0, 1<<64 - 1},
		Entries:   []history.Entry{{Index: 1<<64 - 1, Entry: []byte("some bytes"), Proof: [][32]byte{{1}, {2}}}, {Index: 7, Entry: []byte{0xff}}},
		Participants: []history.History{
			{ID: "operator", Kind: "operator", LogCheckpoint: "a\nb\n", Positions: []uint64{0}, Entries: []history.Entry{{Entry: []byte("x")}}},
			{ID: "farm", Kind: "participant", LogCheckpoint: "a\nb\n", Index: history.Index{MapProof: historyindex.Proof{Empty: true}}},
		},
	}
}

func exampleJourney() *history.Journey {
	h := example()
	farm, operator := h.Participants[1], h.Participants[0]
	h.Participants = nil
	return &history.Journey{Histories: []history.History{*h, farm, operator}, NotFollowed: []string{"urn:x:1", ""}}
}

func TestRoundTrip(t *testing.T) {
	for _, h := range []*history.History{example(), {}} {
		b := h.Append(nil)
		got, err := history.Decode(b)
		if err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
		if !reflect.DeepEqual(got, h) {
			t.Errorf("got %+v\nwant %+v", got, h)
		}
	}
	for _, j := range []*history.Journey{exampleJourney(), {}} {
		b := j.Append(nil)
		got, err := history.DecodeJourney(b)
		if err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
		if !reflect.DeepEqual(got, j) {
			t.Errorf("got %+v\nwant %+v", got, j)
		}
	}
}

func TestProof(t *testing.T) {
	p := &history.Proof{ID: "https://id.gs1.org/01/09506000134352/10/\"é\"", Journey: *exampleJourney()}
	b := p.Append(nil)
	got, err := history.DecodeProof(b)
	if err != nil || !reflect.DeepEqual(got, p) {
		t.Errorf("%v: got %+v\nwant %+v", err, got, p)
	}
	// What a service answered stands in it as it came.
	answer := "{ \"notFollowed\":[], \"histories\":[] }\n"
	text := string(history.AppendProof(nil, "urn:x:1", []byte(answer)))
	if want := `{"proof":"tallyroot/proof/v1","id":"urn:x:1","journey":` + answer + `}`; text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	if got, err := history.DecodeProof([]byte(text)); err != nil || got.ID != "urn:x:1" || len(got.Journey.Histories) != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, bad := range []string{
		strings.Replace(text, "/v1", "/v2", 1), strings.Replace(text, `"id":`, `"ID":`, 1), strings.Replace(text, `"urn:x:1"`, `7`, 1), answer, text + text, "",
	} {
		if _, err := history.DecodeProof([]byte(bad)); !errors.Is(err, history.ErrMalformed) {
			t.Errorf("%v: %s", err, bad)
		}
	}
	if _, err := history.DecodeProof([]byte(strings.Replace(text, "/v1", "/v2", 1))); !strings.Contains(err.Error(), "tallyroot/proof/v1") {
		t.Errorf("another version is refused without a word of the one that is known: %v", err)
	}
	if _, err := history.DecodeJourney([]byte(text)); !errors.Is(err, history.ErrMalformed) {
		t.Errorf("a proof is taken for a journey: %v", err)
	}
}

func TestForm(t *testing.T) {
	const zeros = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	h := &history.History{ID: "urn:x:1", Kind: "object", LogCheckpoint: "c\n", Positions: []uint64{5}, Entries: []history.Entry{{Index: 5, Entry: []byte("e"), Proof: [][32]byte{{}}}}}
	h.Index = history.Index{Checkpoint: "i\n", Leaf: "l\n", MapProof: historyindex.Proof{Present: true, Path: []historyindex.Step{{Bit: 7}}}}
	want := `{"id":"urn:x:1","kind":"object","indexCheckpoint":"i\n","indexLeaf":"l\n","indexProof":[],"logCheckpoint":"c\n",` +
		`"mapProof":{"present":true,"key":"` + zeros + `","value":"` + zeros + `","path":[{"bit":7,"hash":"` + zeros + `"}]},` +
		`"positions":["5"],"entries":[{"index":"5","entry":"ZQ==","proof":["` + zeros + `"]}],"participants":[]}`
	if got := string(h.Append(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	h.Index = history.Index{Checkpoint: "i\n", Leaf: "l\n", LeafProof: [][32]byte{{}}, MapProof: historyindex.Proof{Empty: true}}
	h.Positions, h.Entries = nil, nil
	want = `{"id":"urn:x:1","kind":"object","indexCheckpoint":"i\n","indexLeaf":"l\n","indexProof":["` + zeros + `"],"logCheckpoint":"c\n",` +
		`"mapProof":{"present":false,"key":"","value":"","path":[]},"positions":[],"entries":[],"participants":[]}`
	if got := string(h.Append(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	j := &history.Journey{Histories: []history.History{*h}, NotFollowed: []string{"urn:x:2"}}
	want = `{"histories":[` + strings.Replace(want, `,"participants":[]`, "", 1) + `],"notFollowed":["urn:x:2"]}`
	if got := string(j.Append(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestRefused(t *testing.T) {
	good := string(example().Append(nil))
	for _, c := range []struct{ old, new, problem string }{
		{`{"id"`, `[{"id"`, "inside an array"},
		{`{"id"`, "\ufeff" + `{"id"`, "byte order mark"},
		{`"id":`, `"ID":`, "id is missing"},
		{`"kind":"object"`, `"kind":0`, "kind"},
		{`"kind":"object"`, `"kind":"\ud800"`, "surrogate"},
		{`"kind":"object"`, `"kind":"object","kind":"object"`, "twice"},
		{`"kind":"object"`, `"kind":"object","complete":true`, "other members"},
		{`"kind":"object"`, `"kind":"object","__proto__":{}`, "other members"},
		{`"kind":"participant"`, `"kind":"participant","participants":[]`, "participants[1]: it has other members"},
		{`"indexLeaf":"leaf\n",`, ``, "indexLeaf is missing"},
		{`"indexCheckpoint":"i\n",`, ``, "indexCheckpoint is missing"},
		{`"indexProof":["CA`, `"indexProof":["CA==","CA`, "indexProof[0]: it has 1 bytes"},
		{`"bit":19`, `"bit":"19"`, "mapProof"},
		{`"bit":19`, `"bit":256`, "mapProof"},
		{`"positions":["0",`, `"positions":[0,`, "positions[0]"},
		{`"positions":["0",`, `"positions":["00",`, "positions[0]"},
		{`"positions":["0",`, `"positions":["+0",`, "positions[0]"},
		{`"positions":["0",`, `"positions":["-0",`, "positions[0]"},
		{`"positions":["0",`, `"positions":["",`, "positions[0]"},
		{`"positions":["0",`, `"positions":["1_0",`, "positions[0]"},
		{`"positions":["0",`, `"positions":["18446744073709551616",`, "positions[0]"},
		{`"index":"7"`, `"index":7`, "entries[1].index"},
		{`"index":"7"`, `"index":"7","withheld":true`, "entries[1]: it has other members"},
		{`"/w=="`, `"/x=="`, "entries[1].entry: it is not canonical base64"},
		{`"/w=="`, `"/w"`, "entries[1].entry: it is not canonical base64"},
		{`"/w=="`, `"/w==\n"`, "entries[1].entry: it is not canonical base64"},
		{`"/w=="`, `"_w=="`, "entries[1].entry: it is not canonical base64"},
		{`"proof":["AQ`, `"proof":["AQ==","AQ`, "entries[0].proof[0]: it has 1 bytes"},
		{`"proof":["AQ`, `"proof":[` + strings.Repeat(`"AQ==",`, 64) + `"AQ`, "at most 64"},
	} {
		bad := strings.Replace(good, c.old, c.new, 1)
		if bad == good {
			t.Fatalf("nothing to replace: %s", c.old)
		}
		if _, err := history.Decode([]byte(bad)); !errors.Is(err, history.ErrMalformed) || !strings.Contains(err.Error(), c.problem) {
			t.Errorf("%s for %s: got %v, want an error about %q", c.new, c.old, err, c.problem)
		}
	}
}

func TestJourneyRefused(t *testing.T) {
	good := string(exampleJourney().Append(nil))
	for _, c := range []struct{ old, new, problem string }{
		{`"histories":`, `"Histories":`, "histories is missing"},
		{`"notFollowed":`, `"complete":true,"notFollowed":`, "other members"},
		{`"notFollowed":["urn:x:1"`, `"notFollowed":[1`, "notFollowed[0]"},
		{`]}],"notFollowed"`, `],"participants":[]}],"notFollowed"`, "other members"},
		{`"index":"7"`, `"index":7`, "histories[0].entries[1].index"},
		{`{"histories":[{`, `{"histories":[` + strings.Repeat(`{},`, history.MaxHistories) + `{`, "the limit is 4096"},
	} {
		bad := strings.Replace(good, c.old, c.new, 1)
		if bad == good {
			t.Fatalf("nothing to replace: %s", c.old)
		}
		if _, err := history.DecodeJourney([]byte(bad)); !errors.Is(err, history.ErrMalformed) || !strings.Contains(err.Error(), c.problem) {
			t.Errorf("%s for %s: got %v, want an error about %q", c.new, c.old, err, c.problem)
		}
	}
	if _, err := history.DecodeJourney(example().Append(nil)); !errors.Is(err, history.ErrMalformed) {
		t.Errorf("a history is read as a journey: %v", err)
	}
	if _, err := history.Decode([]byte(good)); !errors.Is(err, history.ErrMalformed) {
		t.Errorf("a journey is read as a history: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(example().Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := history.Decode(b)
		if err != nil {
			return
		}
		again, err := history.Decode(h.Append(nil))
		if err != nil || !reflect.DeepEqual(again, h) {
			t.Errorf("what was read does not read back: %v", err)
		}
	})
}

// A text that is small when it is sent and very large in memory is refused before it is
// read.
func TestTooManyValues(t *testing.T) {
	t.Parallel()
	const limit = 4 << 20
	for name, text := range map[string]string{
		"texts":   `{"histories":[],"notFollowed":[` + strings.Repeat(`"",`, limit) + `""]}`,
		"lists":   `{"histories":[],"notFollowed":[` + strings.Repeat(`[`, limit) + strings.Repeat(`]`, limit) + `]}`,
		"objects": `{"histories":[],"notFollowed":[` + strings.Repeat(`{"":`, limit) + `""` + strings.Repeat(`}`, limit) + `]}`,
	} {
		if _, err := history.DecodeJourney([]byte(text)); !errors.Is(err, history.ErrMalformed) || !strings.Contains(err.Error(), "JSON values") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What a browser refuses for its size, Go refuses too.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	p := &history.Proof{ID: "urn:x:1", Journey: *exampleJourney()}
	for name, c := range map[string]struct {
		text   []byte
		decode func([]byte) error
	}{
		"journey": {p.Journey.Append(nil), func(b []byte) error { _, err := history.DecodeJourney(b); return err }},
		"proof":   {p.Append(nil), func(b []byte) error { _, err := history.DecodeProof(b); return err }},
	} {
		large := bytes.Repeat([]byte(" "), 64<<20+1)
		copy(large, c.text)
		if err := c.decode(large[:64<<20]); err != nil {
			t.Errorf("%s of 64 MiB: %v", name, err)
		}
		if err := c.decode(large); !errors.Is(err, history.ErrMalformed) || !strings.Contains(err.Error(), "67108865 bytes; the limit is 67108864") {
			t.Errorf("%s of a byte more: %v", name, err)
		}
	}
}

func FuzzDecodeJourney(f *testing.F) {
	f.Add(exampleJourney().Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		j, err := history.DecodeJourney(b)
		if err != nil {
			return
		}
		again, err := history.DecodeJourney(j.Append(nil))
		if err != nil || !reflect.DeepEqual(again, j) {
			t.Errorf("what was read does not read back: %v", err)
		}
	})
}

func FuzzDecodeProof(f *testing.F) {
	f.Add((&history.Proof{ID: "urn:x:1", Journey: *exampleJourney()}).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := history.DecodeProof(b)
		if err != nil {
			return
		}
		again, err := history.DecodeProof(p.Append(nil))
		if err != nil || !reflect.DeepEqual(again, p) {
			t.Errorf("what was read does not read back: %v", err)
		}
	})
}
