package verify_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/provenance/history"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/verify"
	"github.com/tallyroot/tallyroot/provenance/verify/verifytest"
)

// whole is the trust of a reader who may hear that something is complete.
func (l *log) whole() verify.Trust {
	rebuilds := verifytest.NewCosigner("iv.example")
	l.LogCosigners = []*verifytest.Cosigner{verifytest.NewCosigner("w.example")}
	l.IndexCosigners = []*verifytest.Cosigner{rebuilds}
	return verify.Trust{
		Policy: parsePolicy(l.T, l.LogPolicy()), IndexPolicy: parsePolicy(l.T, l.IndexPolicy()), IndexVerifiers: []string{rebuilds.Verifier()},
		Now: time.Unix(now, 0),
	}
}

// cheese is a journey's log: cheese from milk and salt, in a box on a pallet.
func cheese(t testing.TB) *log {
	l := newLog(t)
	n := 0
	event := func(members string) {
		n++
		l.sign(parse(t, fmt.Sprintf(`{"eventID":"urn:e:%d","eventTime":"2026-11-01T%02d:00:00Z",%s}`, n, n, members)), l.farm)
	}
	event(`"type":"ObjectEvent","action":"ADD","epcList":["urn:x:milk"]`)
	event(`"type":"ObjectEvent","action":"ADD","epcList":["urn:x:salt"]`)
	event(`"type":"TransformationEvent","inputEPCList":["urn:x:salt"],"transformationID":"urn:t:1"`)
	event(`"type":"TransformationEvent","inputEPCList":["urn:x:milk"],"outputEPCList":["urn:x:cheese"],"transformationID":"urn:t:1"`)
	event(`"type":"AggregationEvent","action":"ADD","parentID":"urn:x:box","childEPCs":["urn:x:cheese"]`)
	event(`"type":"AggregationEvent","action":"ADD","parentID":"urn:x:pallet","childEPCs":["urn:x:box"]`)
	event(`"type":"ObjectEvent","action":"OBSERVE","epcList":["urn:x:pallet"]`)
	l.sign(parse(t, `{"eventID":"urn:e:last","eventTime":"2026-11-01T23:00:00Z","type":"ObjectEvent","action":"OBSERVE","epcList":["urn:x:cheese"]}`), l.dairy)
	return l
}

func TestJourney(t *testing.T) {
	l := cheese(t)
	trust := l.whole()
	saved := l.publish().Journey("urn:x:cheese", trust)
	v, err := verify.Journey(saved.Append(nil), "urn:x:cheese", trust)
	if err != nil {
		t.Fatal(err)
	}
	if v.Claim() != verify.Complete || !v.Asked || v.ID != "urn:x:cheese" || len(v.Journey.Steps) != 8 || len(v.Histories) != len(saved.Histories) {
		t.Errorf("%s: %v", v.Claim(), v)
	}
	if s := v.String(); !strings.Contains(s, "Complete up to entry 11, witnessed at 2027-01-15T08:00:00Z.") || !strings.Contains(s, "8 entries tell of urn:x:cheese, in 8 histories") {
		t.Errorf("it says: %s", s)
	}
	for _, step := range v.Journey.Steps {
		if j := v.Entry(step); j.Index != step.Index || !j.Counts() {
			t.Errorf("step %d: %+v", step.Index, j)
		}
	}
	if h := v.History(historyindex.Key{Identifier: "urn:x:milk"}); h == nil || len(h.Entries) != 1 || v.History(historyindex.Key{Identifier: "urn:x:no"}) != nil {
		t.Errorf("history %+v", h)
	}

	// Without any one of the histories it is not complete.
	for i := range saved.Histories {
		less := &history.Journey{Histories: slices.Delete(slices.Clone(saved.Histories), i, i+1)}
		v, err := verify.Journey(less.Append(nil), "urn:x:cheese", trust)
		if left := saved.Histories[i]; err == nil && v.Claim() != verify.Incomplete {
			t.Errorf("without %s %s it is %s", left.Kind, left.ID, v.Claim())
		} else if err == nil && !strings.Contains(v.String(), "JOURNEY INCOMPLETE") {
			t.Errorf("it says: %s", v)
		} else if err != nil && left.Kind != "operator" {
			t.Errorf("without %s %s: %v", left.Kind, left.ID, err)
		}
	}

	trust.IndexVerifiers = nil
	if v, err = verify.Journey(saved.Append(nil), "", trust); err != nil || v.Claim() != verify.CompleteByOperator || v.Asked {
		t.Fatalf("%v, %v", v, err)
	}
	if s := v.String(); !strings.Contains(s, "according to the operator's index; not independently rebuilt") || !strings.Contains(s, "The file itself") || !strings.Contains(s, "The operator's key was taken") {
		t.Errorf("it says: %s", s)
	}
}

// TestAnyByte changes single bytes of a good journey: it fails then, or says the
// same as before.
func TestAnyByte(t *testing.T) {
	l := cheese(t)
	trust := l.whole()
	good := l.publish().Journey("urn:x:cheese", trust).Append(nil)
	random := rand.New(rand.NewPCG(1, 2))
	failed := 0
	for range 400 {
		bad := slices.Clone(good)
		bad[random.IntN(len(bad))] ^= 1 << random.IntN(8)
		v, err := verify.Journey(bad, "urn:x:cheese", trust)
		var typed *verify.Error
		switch {
		case errors.As(err, &typed) && typed.Reason.Error() != "":
			failed++
		case err != nil:
			t.Fatalf("an error without a reason: %v", err)
		case v.Claim() != verify.Incomplete && len(v.Journey.Steps) != 8:
			t.Errorf("%s with %d steps", v.Claim(), len(v.Journey.Steps))
		}
	}
	if failed < 390 {
		t.Errorf("only %d of 400 failed", failed)
	}
}

func TestIndexedPages(t *testing.T) {
	l := newLog(t)
	for i := range history.PageLimit + 4 {
		l.sign(observed(t, fmt.Sprint("urn:x:", i)), l.farm)
	}
	l.sign(observed(t, "urn:x:7"), l.farm) // once more, on the second page
	trust := l.whole()
	asked := historyindex.Key{Identifier: lot}
	h := l.publish().History(asked)
	all := h.Entries
	var pages []*verify.HistoryVerdict
	for _, page := range [][2]int{{0, 1000}, {1000, 1005}} {
		h.Entries = all[page[0]:page[1]]
		v, err := verify.History(h.Append(nil), asked, trust)
		if err != nil || v.Claim() != verify.Page || v.First != page[0] || v.Whole() || len(v.Positions) != len(all) {
			t.Fatalf("page %v: %v, %v", page, v, err)
		}
		if s := v.String(); !strings.Contains(s, "are not in it. Of their list") {
			t.Errorf("it says: %s", s)
		}
		pages = append(pages, v)
	}
	joined, err := verify.Join(pages)
	if err != nil || joined.Claim() != verify.Complete || len(joined.Entries) != 1005 || !strings.Contains(joined.String(), "Complete up to entry") {
		t.Fatalf("joined: %v, %v", joined, err)
	}
	if last := joined.Entries[1004]; last.DuplicateOf == nil || *last.DuplicateOf != all[7].Index || pages[1].Entries[4].DuplicateOf != nil {
		t.Errorf("a duplicate on another page: %v, and in the page %v", last.DuplicateOf, pages[1].Entries[4].DuplicateOf)
	}
	if _, err := verify.Join([]*verify.HistoryVerdict{pages[1], pages[0]}); !errors.Is(err, verify.ErrPage) {
		t.Errorf("the wrong way round: %v", err)
	}
	if part, err := verify.Join(pages[1:]); err != nil || part.Claim() != verify.Page {
		t.Errorf("a part: %v, %v", part, err)
	}
	apart := *pages[1]
	apart.Signed = "another one"
	if _, err := verify.Join([]*verify.HistoryVerdict{pages[0], &apart}); !errors.Is(err, verify.ErrApart) {
		t.Errorf("of another checkpoint: %v", err)
	}
	// A page of another one's list is not whole, nor is the list.
	h.Positions = h.Positions[:1002]
	h.Entries = all[1000:1002]
	if _, err := verify.History(h.Append(nil), asked, trust); !errors.Is(err, verify.ErrList) {
		t.Errorf("a list cut short: %v", err)
	}
	// In a journey, what is not whole is missing.
	j := l.publish().Journey("urn:x:never", trust)
	h = l.publish().History(asked)
	h.Entries = h.Entries[:1000]
	for i := range j.Histories {
		j.Histories[i] = l.publish().Bare(historyindex.Key{Identifier: "urn:x:never"})
	}
	s := l.publish()
	j.Histories = nil
	for _, key := range []historyindex.Key{asked, {Kind: historyindex.Input, Identifier: lot}, {Kind: historyindex.Place, Identifier: lot},
		{Kind: historyindex.Operator, Identifier: "operator"}, {Kind: historyindex.Participant, Identifier: "farm"}} {
		j.Histories = append(j.Histories, s.Bare(key))
	}
	j.Histories[0].Entries = j.Histories[0].Entries[:1000]
	v, err := verify.Journey(j.Append(nil), lot, trust)
	if err != nil || v.Claim() != verify.Incomplete || !slices.Equal(v.Missing, []historyindex.Key{asked}) {
		t.Errorf("%v, %v", v, err)
	}
}

func FuzzJourney(f *testing.F) {
	l := cheese(f)
	trust := l.whole()
	f.Add(l.publish().Journey("urn:x:cheese", trust).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := verify.Journey(b, "", trust)
		var typed *verify.Error
		if (v == nil) != (err != nil) || err != nil && !errors.As(err, &typed) {
			t.Errorf("got %v, %v", v, err)
		}
	})
}

// BenchmarkJourney checks a journey of 10 lots and 60 entries.
func BenchmarkJourney(b *testing.B) {
	l := newLog(b)
	for i := range 10 {
		for n := range 5 {
			l.sign(parse(b, fmt.Sprintf(`{"eventID":"urn:e:%d:%d","eventTime":"2026-11-01T%02d:00:00Z","type":"ObjectEvent","action":"OBSERVE","quantityList":[{"epcClass":"%s/10/L%d","quantity":20,"uom":"KGM"}],"bizStep":"shipping","disposition":"in_transit","readPoint":{"id":"urn:epc:id:sgln:9506000.00000.0"}}`, i, n, n, gtin, i)), l.farm)
		}
		l.sign(parse(b, fmt.Sprintf(`{"eventID":"urn:t:%d","eventTime":"2026-11-01T%02d:00:00Z","type":"TransformationEvent","inputQuantityList":[{"epcClass":"%s/10/L%d","quantity":20,"uom":"KGM"}],"outputQuantityList":[{"epcClass":"%s/10/L%d"}]}`, i, 22-i, gtin, i+1, gtin, i)), l.dairy)
	}
	trust := l.whole()
	saved := l.publish().Journey(gtin+"/10/L0", trust).Append(nil)
	v, err := verify.Journey(saved, gtin+"/10/L0", trust)
	if err != nil || len(v.Journey.Steps) < 60 {
		b.Fatal(len(v.Journey.Steps), err)
	}
	b.SetBytes(int64(len(saved)))
	for b.Loop() {
		if _, err := verify.Journey(saved, gtin+"/10/L0", trust); err != nil {
			b.Fatal(err)
		}
	}
}
