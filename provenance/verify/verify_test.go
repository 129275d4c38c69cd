package verify_test

import (
	"bytes"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/history"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/jcs"
	"github.com/tallyroot/tallyroot/provenance/participant"
	"github.com/tallyroot/tallyroot/provenance/verify"
	"github.com/tallyroot/tallyroot/provenance/verify/verifytest"
)

// TestImports holds that a third party who verifies imports no server, database
// or network code with it.
func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Skipf("go list does not run here: %v", err)
	}
	deps := strings.Fields(string(out))
	if len(deps) < 20 {
		t.Fatalf("go list gave only %q", deps)
	}
	for _, dep := range deps {
		for _, bad := range []string{"net", "net/http", "google.golang.org/grpc", "github.com/google/trillian", "github.com/cockroachdb/pebble", "google.golang.org/protobuf", "log/syslog", "database/sql"} {
			if dep == bad || strings.HasPrefix(dep, bad+"/") && bad != "net" {
				t.Errorf("verify imports %s", dep)
			}
		}
	}
}

func TestReceipt(t *testing.T) {
	l := newLog(t)
	index := l.sign(observed(t, "urn:x:1"), l.farm)
	for range 5 {
		l.sign(observed(t, "urn:x:more"), l.farm)
	}
	v, err := verify.Receipt(l.Log.Leaves[index], l.receipt(index), l.trust())
	if err != nil {
		t.Fatal(err)
	}
	if v.Index != index || v.Checkpoint.Size != 9 || v.Witnessed || v.Entry.Type() != "ObjectEvent" || v.LeafHash != entry.LeafHash(l.Log.Leaves[index]) || v.Signed != l.publish().LogCheckpoint() {
		t.Errorf("got %+v", v)
	}
	if s := v.String(); !strings.Contains(s, "quorum none") || !strings.Contains(s, "position 3 of 9") {
		t.Errorf("the verdict does not say what it rests on: %s", s)
	}
	// Each leaf at each size.
	for size := 1; size <= len(l.Log.Leaves); size++ {
		small := *l.World
		small.Log = verifytest.Tree{}
		for _, b := range l.Log.Leaves[:size] {
			small.Log.Add(b)
		}
		s := small.Publish(now)
		for i, b := range small.Log.Leaves {
			if _, err := verify.Receipt(b, s.Receipt(uint64(i)), l.trust()); err != nil {
				t.Errorf("leaf %d of %d: %v", i, size, err)
			}
		}
	}
}

func TestReceiptMutations(t *testing.T) {
	l := newLog(t)
	index := l.sign(observed(t, "urn:x:1"), l.farm)
	other := l.sign(observed(t, "urn:x:2"), l.farm)
	moved := l.Log.Add(signed(t, "example.org/other", observed(t, "urn:x:3"), key(t, entry.KeyName("example.org/other", entry.RoleManaged, "farm"), "")))
	junk := l.Log.Add([]byte("not an entry"))
	good, b := l.receipt(index), l.Log.Leaves[index]
	replace := func(b []byte, old, new string) []byte {
		if !bytes.Contains(b, []byte(old)) {
			t.Fatalf("nothing to replace: %s", old)
		}
		return bytes.Replace(b, []byte(old), []byte(new), 1)
	}
	strange, err := verify.LogKey(key(t, origin, "9").Verifier().String())
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, err := verify.LogKey(key(t, "example.org/other", "1").Verifier().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name           string
		entry, receipt []byte
		trust          verify.Trust
		want           error
	}{
		{"no policy", b, good, verify.Trust{}, verify.ErrPolicy},
		{"empty receipt", b, nil, l.trust(), verify.ErrMalformed},
		{"trailing byte", b, append(bytes.Clone(good), '\n'), l.trust(), verify.ErrMalformed},
		{"an entry in its place", b, b, l.trust(), verify.ErrMalformed},
		{"another log key", b, good, strange, verify.ErrLogUnsigned},
		{"another origin", b, good, elsewhere, verify.ErrLogOrigin},
		{"changed size", b, replace(good, "\n7\n", "\n8\n"), l.trust(), verify.ErrLogSignature},
		{"index beyond the size", b, replace(good, "index 3\n", "index 7\n"), l.trust(), verify.ErrBeyond},
		{"changed index", b, replace(good, "index 3\n", "index 2\n"), l.trust(), verify.ErrInclusion},
		{"another entry", l.Log.Leaves[other], good, l.trust(), verify.ErrInclusion},
		{"no entry", nil, good, l.trust(), verify.ErrInclusion},
		{"relabelled entry", replace(b, "LOT-7", "LOT-8"), good, l.trust(), verify.ErrInclusion},
		{"an entry for another log", l.Log.Leaves[moved], l.receipt(moved), l.trust(), verify.ErrOrigin},
		{"a leaf that is no entry", l.Log.Leaves[junk], l.receipt(junk), l.trust(), verify.ErrEntry},
	} {
		_, err := verify.Receipt(c.entry, c.receipt, c.trust)
		var typed *verify.Error
		if !errors.Is(err, c.want) || !errors.As(err, &typed) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
}

func mustVerify(t testing.TB, l *log, kind historyindex.Kind, id string) *verify.HistoryVerdict {
	t.Helper()
	v, err := verify.History(l.history(kind, id).Append(nil), historyindex.Key{Kind: kind, Identifier: id}, l.trust())
	if err != nil {
		t.Fatalf("%v %s: %v", kind, id, err)
	}
	return v
}

func TestHistory(t *testing.T) {
	l := newLog(t)
	first := l.sign(observed(t, "urn:x:1"), l.farm)
	l.sign(parse(t, `{"type":"ObjectEvent","eventID":"urn:x:2","action":"OBSERVE","epcList":["urn:x:other"]}`), l.farm)
	handover := l.sign(observed(t, "urn:x:3"), l.dairy, l.farm)
	v := mustVerify(t, l, historyindex.Object, lot)
	if len(v.Entries) != 2 || v.Entries[0].Index != first || v.Entries[1].Index != handover || !v.Asked || v.Unauthenticated() != 0 || v.Total != 2 {
		t.Fatalf("got %+v", v)
	}
	for i := range v.Entries {
		if j := &v.Entries[i]; !j.Counts() || len(j.Keys) != len(j.Entry.Participants) {
			t.Errorf("entry %d does not count: %+v", j.Index, j)
		}
	}
	if v.Claim() != verify.CompleteByOperator || !slices.Equal(v.Positions, []uint64{first, handover}) || !v.Whole() {
		t.Errorf("it claims %s of %d", v.Claim(), v.Positions)
	}
	if v.Entries[1].Keys[0] != l.dairy.Verifier() || v.Entries[1].Keys[1] != l.farm.Verifier() {
		t.Errorf("signed with %v", v.Entries[1].Keys)
	}
	if s := v.String(); !strings.HasPrefix(s, "Complete up to entry 6 according to the operator's index; not independently rebuilt.") || !strings.Contains(s, "quorum none") || !strings.Contains(s, "2 of 2 entries") {
		t.Errorf("the verdict says: %s", s)
	}
	// Asked in another spelling, and not asked at all.
	saved := l.history(historyindex.Object, lot).Append(nil)
	if _, err := verify.History(saved, historyindex.Key{Identifier: "urn:epc:class:lgtin:9506000.013435.LOT-7"}, l.trust()); err != nil {
		t.Errorf("asked by the class URN: %v", err)
	}
	if v, err := verify.History(saved, historyindex.Key{}, l.trust()); err != nil || v.Asked || !strings.Contains(v.String(), "The file itself") {
		t.Errorf("not asked: %v, %v", v, err)
	}
	for _, kind := range []historyindex.Kind{historyindex.By, historyindex.Participant} {
		if v := mustVerify(t, l, kind, "farm"); len(v.Entries) == 0 || !v.Entries[0].Counts() {
			t.Errorf("%v farm: %+v", kind, v)
		}
	}
	if v := mustVerify(t, l, historyindex.Operator, entry.Operator); len(v.Entries) != 1 || !v.Entries[0].Counts() || v.Entries[0].Effect == nil || v.Entries[0].Keys[0] != l.Operator.Verifier() {
		t.Errorf("operator: %+v", v)
	}
	twice := l.history(historyindex.Operator, entry.Operator)
	twice.Participants = append(twice.Participants, l.bare(historyindex.Operator, entry.Operator))
	if _, err := verify.History(twice.Append(nil), historyindex.Key{}, l.trust()); err != nil {
		t.Errorf("the operator's history with itself inside: %v", err)
	}
	if v := mustVerify(t, l, historyindex.By, entry.Operator); len(v.Entries) != 3 || v.Unauthenticated() != 0 {
		t.Errorf("by operator: %+v", v)
	}
	if v := mustVerify(t, l, historyindex.Object, "urn:x:never"); len(v.Entries) != 0 || v.Total != 0 {
		t.Errorf("nothing: %+v", v)
	}
}

func TestUnauthenticated(t *testing.T) {
	l := newLog(t)
	stranger := key(t, entry.KeyName(origin, entry.RoleOwn, "stranger"), "7")
	old := l.farm
	next := key(t, entry.KeyName(origin, entry.RoleManaged, "farm"), "8")
	l.sign(observed(t, "urn:x:0"), next) // before its key holds
	l.sign(observed(t, "urn:x:1"), stranger)
	forged, err := entry.Parse(signed(t, origin, observed(t, "urn:x:2"), old))
	if err != nil {
		t.Fatal(err)
	}
	forged.Signatures[0].Sig[40] ^= 1
	l.Log.Add(forged.Append(nil))
	l.Log.Add(signed(t, "example.org/other", observed(t, "urn:x:3"), key(t, entry.KeyName("example.org/other", entry.RoleManaged, "farm"), "")))
	l.sign(observed(t, "urn:x:4"), old)
	l.sign(participant.Statement{ID: "farm", Number: 2, Name: "Farm", ManagedKeys: []string{next.Verifier().String()}, State: participant.Active}.JSON(), l.Operator)
	l.sign(observed(t, "urn:x:5"), old)
	l.sign(observed(t, "urn:x:6"), next)
	l.sign(participant.Statement{ID: "farm", Number: 4, Name: "Farm", ManagedKeys: []string{old.Verifier().String()}, State: participant.Active}.JSON(), l.Operator)
	l.sign(observed(t, "urn:x:7"), old) // number 3 was skipped
	l.sign(participant.Statement{ID: "farm", Number: 3, Name: "Farm", ManagedKeys: []string{next.Verifier().String()}, State: participant.Disabled}.JSON(), l.Operator)
	l.sign(observed(t, "urn:x:8"), next)
	l.sign(observed(t, "urn:x:9"), l.dairy, next)

	v := mustVerify(t, l, historyindex.Object, lot)
	want := map[string]error{
		"urn:x:0": participant.ErrUnknownKey, "urn:x:1": participant.ErrUnknownParticipant, "urn:x:2": participant.ErrBadSignature, "urn:x:3": participant.ErrOrigin,
		"urn:x:4": nil, "urn:x:5": participant.ErrUnknownKey, "urn:x:6": nil, "urn:x:7": participant.ErrUnknownKey, "urn:x:8": participant.ErrDisabled, "urn:x:9": participant.ErrDisabled,
	}
	if len(v.Entries) != len(want) || v.Unauthenticated() != 8 || !strings.Contains(v.String(), "8 entries are unauthenticated") {
		t.Errorf("%d entries: %s", len(v.Entries), v)
	}
	for i := range v.Entries {
		j := &v.Entries[i]
		id, _ := j.Entry.JSON.Get("eventID")
		if !errors.Is(j.Signature, want[id.Text()]) || (j.Signature == nil) != (want[id.Text()] == nil) || j.Counts() != (j.Signature == nil) {
			t.Errorf("%s: got %v, want %v", id.Text(), j.Signature, want[id.Text()])
		}
	}
	h := mustVerify(t, l, historyindex.Participant, "farm")
	for i, applied := range []bool{true, true, false, true} {
		if e := h.Entries[i].Effect; e == nil || e.Applied != applied {
			t.Errorf("statement %d: %+v", i, e)
		}
	}
}

func TestDuplicatesAndWithdrawals(t *testing.T) {
	l := newLog(t)
	declare := func(v jcs.Value, at string) jcs.Value {
		return v.With("errorDeclaration", parse(t, `{"declarationTime":"`+at+`"}`)).With("recordTime", jcs.NewString(at))
	}
	a, b, c := observed(t, "urn:x:a"), observed(t, "urn:x:b"), observed(t, "urn:x:c")
	early := l.sign(declare(c, "2026-01-01T00:00:00Z"), l.farm) // before its original
	origA := l.sign(a, l.farm)
	again := l.sign(a, l.farm)
	byDairy := l.sign(a, l.dairy) // another's, with the same id
	origB := l.sign(b, l.farm)
	declA := l.sign(declare(a, "2026-01-02T00:00:00Z"), l.farm)
	second := l.sign(declare(a, "2026-01-03T00:00:00Z"), l.farm)
	differs := l.sign(declare(b, "2026-01-02T00:00:00Z").With("action", jcs.NewString("ADD")), l.farm)
	other := l.sign(declare(b, "2026-01-02T00:00:00Z"), l.dairy)
	untimed := l.sign(b.With("errorDeclaration", jcs.NewObject()), l.farm)
	origC := l.sign(c, l.farm)

	at := map[uint64]*verify.Judged{}
	v := mustVerify(t, l, historyindex.Object, lot)
	for i := range v.Entries {
		at[v.Entries[i].Index] = &v.Entries[i]
	}
	none := ^uint64(0)
	value := func(p *uint64) uint64 {
		if p == nil {
			return none
		}
		return *p
	}
	for _, c := range []struct {
		name                               string
		index                              uint64
		duplicateOf, withdrawnBy, withdraw uint64
	}{
		{"early declaration", early, none, none, origC},
		{"withdrawn event", origA, none, declA, none},
		{"the same again", again, origA, none, none},
		{"another's event of the same id", byDairy, none, none, none},
		{"event that nobody withdraws", origB, none, none, none},
		{"declaration", declA, none, none, origA},
		{"second declaration", second, none, none, origA},
		{"declaration that differs", differs, none, none, none},
		{"another's declaration", other, none, none, none},
		{"declaration without time", untimed, none, none, none},
		{"event withdrawn before", origC, none, early, none},
	} {
		j := at[c.index]
		if value(j.DuplicateOf) != c.duplicateOf || value(j.WithdrawnBy) != c.withdrawnBy || value(j.Withdraws) != c.withdraw {
			t.Errorf("%s: duplicate of %d, withdrawn by %d, withdraws %d", c.name, value(j.DuplicateOf), value(j.WithdrawnBy), value(j.Withdraws))
		}
	}
	if at[again].Counts() {
		t.Error("a duplicate counts")
	}
}

func TestMaster(t *testing.T) {
	l := newLog(t)
	product := func(number uint64, name string) jcs.Value {
		return participant.Product{Identifier: gtin, Number: number, Name: name}.JSON()
	}
	l.sign(product(1, "Mango"), l.farm)
	l.sign(product(1, "Not granted"), l.dairy)
	l.sign(product(3, "Skipped"), l.farm)
	l.sign(product(2, "Mango, dried"), l.farm)
	l.sign(participant.Place{Identifier: gtin, Number: 1, Name: "A place"}.JSON(), l.farm)
	v := mustVerify(t, l, historyindex.Master, gtin)
	for i, want := range []error{nil, participant.ErrGrant, participant.ErrNumber, nil, nil} {
		if e := v.Entries[i].Effect; e == nil || !errors.Is(e.Err, want) || e.Applied != (want == nil) {
			t.Errorf("statement %d: %+v, want %v", i, e, want)
		}
	}
	if v.Master.Product == nil || v.Master.Product.Statement.Name != "Mango, dried" || v.Master.Product.Index != 6 || v.Master.Place == nil || v.Master.Next(entry.TypeProduct, "farm") != 3 {
		t.Errorf("got %+v", v.Master)
	}
}

func TestOperatorKey(t *testing.T) {
	l := newLog(t)
	next := key(t, entry.OperatorKeyName(origin), "33")
	r := participant.Rollover{Number: 1, OperatorKey: next.Verifier().String()}
	r.Prove(origin, next)
	l.sign(r.JSON(), l.Operator)
	l.sign(observed(t, "urn:x:1"), l.farm)
	saved := l.history(historyindex.Object, lot).Append(nil)
	for _, c := range []struct {
		name, key string
		want      error
		trusted   bool
	}{
		{"none", "", nil, false},
		{"the first", l.Operator.Verifier().String(), nil, true},
		{"the present", next.Verifier().String(), nil, true},
		{"another", key(t, entry.OperatorKeyName(origin), "34").Verifier().String(), verify.ErrOperator, false},
		{"no key", "x", verify.ErrOperator, false},
	} {
		trust := l.trust()
		trust.OperatorKey = c.key
		v, err := verify.History(saved, historyindex.Key{}, trust)
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) || err == nil && v.OperatorTrusted != c.trusted {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// everywhere puts a log's checkpoint into a history and those in it.
func everywhere(h *history.History, checkpoint string) {
	h.LogCheckpoint = checkpoint
	for i := range h.Participants {
		h.Participants[i].LogCheckpoint = checkpoint
	}
}

func TestHistoryMutations(t *testing.T) {
	l := newLog(t)
	l.sign(observed(t, "urn:x:1"), l.farm)
	l.sign(observed(t, "urn:x:2"), l.dairy)
	elsewhere := l.sign(parse(t, `{"type":"ObjectEvent","eventID":"urn:x:2","action":"OBSERVE","epcList":["urn:x:other"]}`), l.farm)
	l.Log.Add([]byte("not an entry"))
	asked := historyindex.Key{Kind: historyindex.Object, Identifier: lot}
	type mutation struct {
		name   string
		want   error
		change func(h *history.History, trust *verify.Trust)
	}
	older := l.publish().LogCheckpoint()
	l.sign(observed(t, "urn:x:3"), l.farm)
	for _, c := range []mutation{
		{"nothing", nil, func(h *history.History, trust *verify.Trust) {}},
		{"extra signer's history", nil, func(h *history.History, trust *verify.Trust) {
			h.Participants = append(h.Participants, l.bare(historyindex.Participant, "nobody"))
		}},
		{"unknown kind", verify.ErrMalformed, func(h *history.History, trust *verify.Trust) { h.Kind = "everything" }},
		{"another kind", verify.ErrAsked, func(h *history.History, trust *verify.Trust) { h.Kind = "input" }},
		{"another identifier", verify.ErrAsked, func(h *history.History, trust *verify.Trust) { h.ID = gtin }},
		{"no checkpoint", verify.ErrLogForm, func(h *history.History, trust *verify.Trust) { everywhere(h, "") }},
		{"unsigned checkpoint", verify.ErrLogForm, func(h *history.History, trust *verify.Trust) {
			text, _, _ := strings.Cut(h.LogCheckpoint, "—")
			everywhere(h, text)
		}},
		{"older checkpoint", verify.ErrMixed, func(h *history.History, trust *verify.Trust) { h.LogCheckpoint = older }},
		{"older checkpoint everywhere", verify.ErrInclusion, func(h *history.History, trust *verify.Trust) { everywhere(h, older) }},
		{"positions swapped", verify.ErrOrder, func(h *history.History, trust *verify.Trust) {
			h.Positions[0], h.Positions[1] = h.Positions[1], h.Positions[0]
		}},
		{"position twice", verify.ErrOrder, func(h *history.History, trust *verify.Trust) { h.Positions[1] = h.Positions[0] }},
		{"position beyond the size", verify.ErrBeyond, func(h *history.History, trust *verify.Trust) { h.Positions[2] = 8 }},
		{"entry left out", verify.ErrPage, func(h *history.History, trust *verify.Trust) { h.Entries = h.Entries[1:] }},
		{"all entries left out", verify.ErrPage, func(h *history.History, trust *verify.Trust) { h.Entries = nil }},
		{"position left out", verify.ErrList, func(h *history.History, trust *verify.Trust) { h.Positions = h.Positions[:2] }},
		{"entries swapped", verify.ErrPage, func(h *history.History, trust *verify.Trust) {
			h.Entries[0], h.Entries[1] = h.Entries[1], h.Entries[0]
		}},
		{"another position", verify.ErrList, func(h *history.History, trust *verify.Trust) { h.Positions[1], h.Entries[1].Index = 5, 5 }},
		{"changed entry", verify.ErrInclusion, func(h *history.History, trust *verify.Trust) {
			h.Entries[0].Entry = bytes.Replace(h.Entries[0].Entry, []byte("OBSERVE"), []byte("DELETED"), 1)
		}},
		{"changed proof", verify.ErrInclusion, func(h *history.History, trust *verify.Trust) { h.Entries[0].Proof[0][0] ^= 1 }},
		{"shorter proof", verify.ErrInclusion, func(h *history.History, trust *verify.Trust) { h.Entries[0].Proof = h.Entries[0].Proof[1:] }},
		{"longer proof", verify.ErrInclusion, func(h *history.History, trust *verify.Trust) {
			h.Entries[0].Proof = append(h.Entries[0].Proof, [32]byte{})
		}},
		{"entry without the key", verify.ErrList, func(h *history.History, trust *verify.Trust) {
			h.Positions[2] = elsewhere
			h.Positions, h.Entries = h.Positions[:3], h.Entries[:3]
			h.Entries[2] = l.publish().Entry(elsewhere)
		}},
		{"leaf that is no entry", verify.ErrList, func(h *history.History, trust *verify.Trust) {
			h.Positions[2] = 6
			h.Entries[2] = l.publish().Entry(6)
		}},
		{"no signers' histories", verify.ErrGenesis, func(h *history.History, trust *verify.Trust) { h.Participants = nil }},
		{"no operator's history", verify.ErrGenesis, func(h *history.History, trust *verify.Trust) { h.Participants = h.Participants[1:] }},
		{"no history of a signer", verify.ErrParticipants, func(h *history.History, trust *verify.Trust) { h.Participants = h.Participants[:2] }},
		{"signer's history twice", verify.ErrParticipants, func(h *history.History, trust *verify.Trust) {
			h.Participants = append(h.Participants, h.Participants[1])
		}},
		{"signer's history of another kind", verify.ErrParticipants, func(h *history.History, trust *verify.Trust) { h.Participants[1].Kind = "by" }},
		{"operator's history by another name", verify.ErrParticipants, func(h *history.History, trust *verify.Trust) { h.Participants[0].ID = "farm" }},
		{"signer's history at another checkpoint", verify.ErrMixed, func(h *history.History, trust *verify.Trust) {
			h.Participants[1].LogCheckpoint = older
		}},
		{"signer's statement under another name", verify.ErrMapKey, func(h *history.History, trust *verify.Trust) { h.Participants[1].ID = "mallory" }},
		{"signer's statement changed", verify.ErrInclusion, func(h *history.History, trust *verify.Trust) { h.Participants[1].Entries[0].Entry[0] ^= 1 }},
		{"Genesis left out", verify.ErrGenesis, func(h *history.History, trust *verify.Trust) {
			h.Participants[0].Positions, h.Participants[0].Entries = nil, nil
		}},
		{"no policy", verify.ErrPolicy, func(h *history.History, trust *verify.Trust) { trust.Policy = nil }},
		{"a policy for the index", nil, func(h *history.History, trust *verify.Trust) { trust.IndexPolicy = parsePolicy(t, l.IndexPolicy()) }},
	} {
		h, trust := l.history(historyindex.Object, lot), l.trust()
		for i := range h.Participants { // each mutation has bytes of its own
			for j := range h.Participants[i].Entries {
				h.Participants[i].Entries[j].Entry = bytes.Clone(h.Participants[i].Entries[j].Entry)
			}
		}
		c.change(h, &trust)
		_, err := verify.History(h.Append(nil), asked, trust)
		var typed *verify.Error
		if c.want == nil && err != nil || c.want != nil && (!errors.Is(err, c.want) || !errors.As(err, &typed)) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
	h := l.history(historyindex.Object, lot)
	h.Entries[1].Proof[0][0] ^= 1
	_, err := verify.History(h.Append(nil), asked, l.trust())
	var typed *verify.Error
	if !errors.As(err, &typed) || !typed.AtIndex || typed.Index != h.Entries[1].Index {
		t.Errorf("the error does not name the entry: %v", err)
	}
}

// TestForeignGenesis shows a log whose first entry names another log key than
// the one that the reader trusts.
func TestForeignGenesis(t *testing.T) {
	l := newLog(t)
	l.LogKey = key(t, origin, "77")
	_, err := verify.History(l.history(historyindex.Participant, "farm").Append(nil), historyindex.Key{}, l.trust())
	if !errors.Is(err, verify.ErrGenesis) {
		t.Errorf("got %v", err)
	}
	empty := *l.World
	empty.Log = verifytest.Tree{}
	empty.Log.Add(l.Log.Leaves[1])
	_, err = verify.History((&log{World: &empty}).history(historyindex.Participant, "farm").Append(nil), historyindex.Key{}, l.trust())
	if !errors.Is(err, verify.ErrGenesis) {
		t.Errorf("a log without a Genesis: %v", err)
	}
}

func TestPages(t *testing.T) {
	l := newLog(t)
	for range history.PageLimit + 5 {
		l.sign(observed(t, "urn:x:same"), l.farm)
	}
	h := l.history(historyindex.Object, lot)
	all := h.Entries
	page := func(first, last int) error {
		h.Entries = all[first:last]
		v, err := verify.History(h.Append(nil), historyindex.Key{}, l.trust())
		if err == nil && (v.First != first || len(v.Entries) != last-first || v.Total != len(all)) {
			t.Errorf("page %d to %d: first %d, %d entries", first, last, v.First, len(v.Entries))
		}
		return err
	}
	for _, p := range [][2]int{{0, 1000}, {1000, 1005}, {3, 4}} {
		if err := page(p[0], p[1]); err != nil {
			t.Errorf("page %v: %v", p, err)
		}
	}
	if err := page(0, 1001); !errors.Is(err, verify.ErrPage) {
		t.Errorf("a page of 1001: %v", err)
	}
	if err := page(0, 0); !errors.Is(err, verify.ErrPage) {
		t.Errorf("an empty page: %v", err)
	}
	h.Entries = append(all[:2:2], all[3])
	if _, err := verify.History(h.Append(nil), historyindex.Key{}, l.trust()); !errors.Is(err, verify.ErrPage) {
		t.Errorf("a page with a gap: %v", err)
	}
}

func TestNowNeedsWitnesses(t *testing.T) {
	l := newLog(t)
	trust := l.trust()
	trust.Now = time.Unix(0, 0)
	if _, err := verify.Receipt(l.Log.Leaves[0], l.receipt(0), trust); err != nil {
		t.Errorf("with quorum none there is no time to compare: %v", err)
	}
}

func FuzzHistory(f *testing.F) {
	l := newLog(f)
	l.sign(observed(f, "urn:x:1"), l.farm)
	f.Add(l.history(historyindex.Object, lot).Append(nil))
	trust := l.trust()
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := verify.History(b, historyindex.Key{}, trust)
		var typed *verify.Error
		if (v == nil) != (err != nil) || err != nil && !errors.As(err, &typed) {
			t.Errorf("got %v, %v", v, err)
		}
		if err == nil && v.Claim() == verify.Complete { // nobody has rebuilt that index
			t.Errorf("the verdict says: %s", v)
		}
	})
}
