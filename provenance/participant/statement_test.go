package participant_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/jcs"
	"github.com/tallyroot/tallyroot/provenance/participant"
)

func ptr(f float64) *float64 { return &f }

// parsers reads a statement of each type and builds its JSON again.
var parsers = map[string]func(jcs.Value) (jcs.Value, error){
	entry.TypeGenesis:     again(participant.ParseGenesis),
	entry.TypeParticipant: again(participant.ParseStatement),
	entry.TypeOperator:    again(participant.ParseRollover),
	entry.TypeProduct:     again(participant.ParseProduct),
	entry.TypePlace:       again(participant.ParsePlace),
	entry.TypeVoid:        again(participant.ParseVoid),
}

func again[T interface{ JSON() jcs.Value }](parse func(jcs.Value) (T, error)) func(jcs.Value) (jcs.Value, error) {
	return func(v jcs.Value) (jcs.Value, error) {
		s, err := parse(v)
		if err != nil {
			return jcs.Value{}, err
		}
		return s.JSON(), nil
	}
}

// statements are good ones of each type, with and without what is optional.
func statements(t testing.TB) []jcs.Value {
	full := statement("farm", 7)
	full.OwnKeys, full.ManagedKeys, full.Recovery, full.State = vkeys(own(t, "farm", 1), own(t, "farm", 2)), vkeys(managed(t, "farm", 3)), true, participant.Disabled
	full.Grants = []string{"9506000", "09506000134352", gtin, "urn:example:farm:", "https://farm.example/#"}
	full.Prove(origin, own(t, "farm", 1), own(t, "farm", 2))
	rollover := participant.Rollover{Number: 1, OperatorKey: operatorKey(t, 4).Verifier().String()}
	bare := rollover.JSON()
	rollover.Prove(origin, operatorKey(t, 4))
	return []jcs.Value{
		genesis(t).JSON(), statement("farm", 1).JSON(), full.JSON(), bare, rollover.JSON(),
		participant.Product{Identifier: gtin, Number: 1, Name: "Mango"}.JSON(),
		participant.Product{Identifier: gtin + "/10/LOT-7", Number: participant.MaxNumber, Name: "Mango", Brand: "Sun", Description: "Two\nlines, é", Picture: &participant.Picture{Digest: "sha256:" + strings.Repeat("0f", 32), Link: "https://example.org/a.png"}}.JSON(),
		participant.Place{Identifier: "https://id.gs1.org/414/9506000000008", Number: 1, Name: "Orchard"}.JSON(),
		participant.Place{Identifier: "urn:x:door", Number: 2, Name: "Door", Address: "1 Road\nTown", Latitude: ptr(-90), Longitude: ptr(179.5)}.JSON(),
		participant.Void{Number: 0}.JSON(), participant.Void{Number: 12}.JSON(),
	}
}

func TestStatementsRoundTrip(t *testing.T) {
	for _, v := range statements(t) {
		kind, _ := v.Get("type")
		got, err := parsers[kind.Text()](v)
		if err != nil {
			t.Errorf("%s: %v", v.Canonical(), err)
		} else if !jcs.Equal(got, v) {
			t.Errorf("got  %s\nwant %s", got.Canonical(), v.Canonical())
		}
	}
	var s participant.Statement
	s, err := participant.ParseStatement(statements(t)[2])
	if err != nil || s.Number != 7 || !s.Recovery || len(s.OwnKeys) != 2 || len(s.Proofs) != 2 || s.State != participant.Disabled {
		t.Errorf("got %+v, %v", s, err)
	}
}

// TestStatementMutations changes one member of a good statement.
func TestStatementMutations(t *testing.T) {
	good := map[string]jcs.Value{}
	for _, v := range statements(t) {
		kind, _ := v.Get("type")
		good[kind.Text()] = v // the last, fullest one
	}
	good[entry.TypeParticipant] = statements(t)[2]
	str, num, list := jcs.NewString, jcs.NewNumber, func(texts ...string) jcs.Value {
		var items []jcs.Value
		for _, s := range texts {
			items = append(items, jcs.NewString(s))
		}
		return jcs.NewArray(items...)
	}
	absent := jcs.Value{}
	many := func(n int) (texts []string) {
		for range n {
			texts = append(texts, "9506"+strings.Repeat("0", len(texts)%7)+strings.Repeat("1", len(texts)/1000))
		}
		return texts
	}
	for _, c := range []struct {
		statement, member string
		value             jcs.Value
		path              string // of the problem
	}{
		{entry.TypeGenesis, "origin", absent, "origin"},
		{entry.TypeGenesis, "origin", str("example.org/other"), "logKey"},
		{entry.TypeGenesis, "logKey", str("x"), "logKey"},
		{entry.TypeGenesis, "logKey", str(operatorKey(t, 3).Verifier().String()), "logKey"},
		{entry.TypeGenesis, "indexKey", str(named(t, origin, 1).Verifier().String()), "indexKey"},
		{entry.TypeGenesis, "operatorKey", num(1), "operatorKey"},
		{entry.TypeGenesis, "keysVersion", num(2), "keysVersion"},
		{entry.TypeGenesis, "keysVersion", str("1"), "keysVersion"},
		{entry.TypeGenesis, "note", str("x"), "note"},
		{entry.TypeGenesis, "type", str(entry.TypeVoid), "type"},
		{entry.TypeParticipant, "id", str("operator"), "id"},
		{entry.TypeParticipant, "id", str("Farm"), "id"},
		{entry.TypeParticipant, "id", str(""), "id"},
		{entry.TypeParticipant, "number", num(0), "number"},
		{entry.TypeParticipant, "number", num(-1), "number"},
		{entry.TypeParticipant, "number", num(1.5), "number"},
		{entry.TypeParticipant, "number", num(1 << 53), "number"},
		{entry.TypeParticipant, "number", str("7"), "number"},
		{entry.TypeParticipant, "name", str(""), "name"},
		{entry.TypeParticipant, "name", str(strings.Repeat("x", 257)), "name"},
		{entry.TypeParticipant, "name", str("a\tb"), "name"},
		{entry.TypeParticipant, "ownKeys", absent, "ownKeys"},
		{entry.TypeParticipant, "ownKeys", str("x"), "ownKeys"},
		{entry.TypeParticipant, "ownKeys", list("x"), "ownKeys[0]"},
		{entry.TypeParticipant, "ownKeys", list(entry.Verifier{Name: "x", Public: [32]byte{1}}.String()), "ownKeys[0]"},
		{entry.TypeParticipant, "ownKeys", list(append(vkeys(own(t, "farm", 1)), vkeys(own(t, "farm", 1))...)...), "ownKeys[1]"},
		{entry.TypeParticipant, "managedKeys", list(many(17)...), "managedKeys"},
		{entry.TypeParticipant, "grants", list("950"), "grants[0]"},
		{entry.TypeParticipant, "grants", list("9506000", "no grant"), "grants[1]"},
		{entry.TypeParticipant, "grants", list("9506000", "9506000"), "grants[1]"},
		{entry.TypeParticipant, "grants", list(many(1001)...), "grants"},
		{entry.TypeParticipant, "grants", jcs.NewArray(num(9506000)), "grants[0]"},
		{entry.TypeParticipant, "state", str("asleep"), "state"},
		{entry.TypeParticipant, "recovery", jcs.NewBool(false), "recovery"},
		{entry.TypeParticipant, "recovery", str("true"), "recovery"},
		{entry.TypeParticipant, "proofs", list(), "proofs"},
		{entry.TypeParticipant, "proofs", list("x"), "proofs[0]"},
		{entry.TypeParticipant, "since", str("2026"), "since"},
		{entry.TypeOperator, "number", num(0), "number"},
		{entry.TypeOperator, "operatorKey", str("x"), "operatorKey"},
		{entry.TypeOperator, "proofs", list("x"), "proofs[0]"},
		{entry.TypeOperator, "id", str("x"), "id"},
		{entry.TypeProduct, "identifier", str("urn:epc:class:lgtin:9506000.013435.LOT-7"), "identifier"},
		{entry.TypeProduct, "identifier", str(gtin + "/10/L/21/S"), "identifier"},
		{entry.TypeProduct, "identifier", str("https://id.gs1.org/01/09506000134353"), "identifier"},
		{entry.TypeProduct, "identifier", str("mango"), "identifier"},
		{entry.TypeProduct, "identifier", absent, "identifier"},
		{entry.TypeProduct, "name", absent, "name"},
		{entry.TypeProduct, "brand", str(""), "brand"},
		{entry.TypeProduct, "brand", jcs.NewBool(true), "brand"},
		{entry.TypeProduct, "description", str(strings.Repeat("x", 8193)), "description"},
		{entry.TypeProduct, "picture", str("https://example.org/a.png"), "picture"},
		{entry.TypeProduct, "picture", jcs.NewObject(), "picture.digest"},
		{entry.TypeProduct, "picture", object("digest", "sha256:00", "link", "https://example.org/"), "picture.digest"},
		{entry.TypeProduct, "picture", object("digest", "sha256:"+strings.Repeat("0F", 32), "link", "https://example.org/"), "picture.digest"},
		{entry.TypeProduct, "picture", object("digest", "sha256:"+strings.Repeat("00", 32), "link", "javascript:alert(1)"), "picture.link"},
		{entry.TypeProduct, "picture", object("digest", "sha256:"+strings.Repeat("00", 32), "link", "https://a b"), "picture.link"},
		{entry.TypeProduct, "picture", object("digest", "sha256:"+strings.Repeat("00", 32), "link", "https://x", "alt", "x"), "picture.alt"},
		{entry.TypePlace, "latitude", num(90.1), "latitude"},
		{entry.TypePlace, "longitude", num(-180.1), "longitude"},
		{entry.TypePlace, "longitude", absent, "latitude"},
		{entry.TypePlace, "latitude", str("1"), "latitude"},
		{entry.TypePlace, "address", str("a\x7fb"), "address"},
		{entry.TypePlace, "brand", str("x"), "brand"},
		{entry.TypeVoid, "number", absent, "number"},
		{entry.TypeVoid, "why", str("x"), "why"},
	} {
		v := good[c.statement].Without(c.member)
		if !c.value.IsNull() {
			v = v.With(c.member, c.value)
		}
		_, err := parsers[c.statement](v)
		var problems participant.Problems
		if !errors.As(err, &problems) || !errors.Is(err, participant.ErrStatement) {
			t.Errorf("%s with %s = %.60s: %v", c.statement, c.member, c.value.Canonical(), err)
			continue
		}
		if problems[0].Path != c.path || problems[0].Wrong == "" || problems[0].Want == "" {
			t.Errorf("%s with %s = %.60s: the problem is %+v, want it at %s", c.statement, c.member, c.value.Canonical(), problems[0], c.path)
		}
	}
	for kind, parse := range parsers {
		for _, v := range []jcs.Value{{}, jcs.NewArray(), jcs.NewObject(), str("x")} {
			if _, err := parse(v); !errors.Is(err, participant.ErrStatement) {
				t.Errorf("%s of %s: %v", kind, v.Canonical(), err)
			}
		}
	}
	_, err := participant.ParseProduct(jcs.NewObject())
	var problems participant.Problems
	if !errors.As(err, &problems) || len(problems) < 4 {
		t.Errorf("several mistakes are not reported together: %v", err)
	}
}

func object(members ...string) jcs.Value {
	var list []jcs.Member
	for i := 0; i < len(members); i += 2 {
		list = append(list, jcs.Member{Name: members[i], Value: jcs.NewString(members[i+1])})
	}
	return jcs.NewObject(list...)
}

func TestProofText(t *testing.T) {
	s := statement("farm", 1)
	without := string(participant.ProofText(origin, s.JSON()))
	if want := "tallyroot/key-proof/v1 example.org/log farm\n" + string(s.JSON().Canonical()) + "\n"; without != want {
		t.Errorf("got %q, want %q", without, want)
	}
	s.Prove(origin, own(t, "farm", 1))
	if with := string(participant.ProofText(origin, s.JSON())); with != without {
		t.Errorf("the proofs are part of what they sign: %s", with)
	}
	r := participant.Rollover{Number: 1, OperatorKey: "k"}
	if got := string(participant.ProofText(origin, r.JSON())); got != "tallyroot/key-proof/v1 example.org/log operator\n{\"number\":1,\"operatorKey\":\"k\",\"type\":\"tallyroot:Operator\"}\n" {
		t.Errorf("got %q", got)
	}
}

func TestCovers(t *testing.T) {
	for _, c := range []struct {
		grant, identifier string
		want              bool
	}{
		{"9506000", gtin, true},
		{"9506000", gtin + "/10/LOT-7", true},
		{"9506000", gtin + "/21/1", true},
		{"09506000", gtin, true},
		{"0950600", gtin, true},
		{"09506000134352", gtin, true},
		{"9506000134352", gtin, true},
		{"9506001", gtin, false},
		{"506000", gtin, false},
		{"9506000", "https://id.gs1.org/01/19506000134359", true}, // a case of the same company
		{"1950600", "https://id.gs1.org/01/19506000134359", false},
		{"9506000", "https://id.gs1.org/00/395060001234567894", true},
		{"3950600", "https://id.gs1.org/00/395060001234567894", false},
		{"9506000", "https://id.gs1.org/414/9506000000008", true},
		{"9506000", "https://id.gs1.org/414/9506000000008/254/dock", true},
		{"0950600", "https://id.gs1.org/414/9506000000008", false},
		{"9506000", "https://id.gs1.org/8003/09506000134352S1", true},
		{"9506000", "https://id.gs1.org/8004/9506000ABC", true},
		{"9506000", "https://farm.example/01/09506000134352", false},
		{"9506000", "urn:x:9506000", false},
		{"9506000", "https://id.gs1.org/01/", false},
		{"9506000", "https://id.gs1.org/01", false},
		{"9506000", "https://id.gs1.org/", false},
		{gtin, gtin, true},
		{gtin, gtin + "/10/LOT-7", true},
		{gtin, gtin + "7", false},
		{gtin + "/10/LOT-7", gtin, false},
		{gtin + "/10/LOT-7", gtin + "/10/LOT-77", false},
		{"urn:x:farm", "urn:x:farm", true},
		{"urn:x:farm", "urn:x:farmer", false},
		{"urn:x:farm", "urn:x:farm:1", false},
		{"urn:x:farm:", "urn:x:farm:1", true},
		{"https://farm.example/", "https://farm.example/field/1", true},
		{"https://farm.example/places#", "https://farm.example/places#1", true},
		{"https://farm.example", "https://farm.example.evil/x", false},
	} {
		if err := participant.CheckGrant(c.grant); err != nil {
			t.Errorf("%s is no grant: %v", c.grant, err)
		}
		if got := participant.Covers(c.grant, c.identifier); got != c.want {
			t.Errorf("%s covers %s: %v", c.grant, c.identifier, got)
		}
	}
	for _, grant := range []string{"", "950", "950600013435212", "farm", ":x", "urn:", "urn:x y", "Urn:x", "1rn:x", "urn:é", "urn:x\n", "urn:" + strings.Repeat("x", participant.MaxLink)} {
		if participant.CheckGrant(grant) == nil {
			t.Errorf("%q is taken as a grant", grant)
		}
	}
}

func FuzzStatements(f *testing.F) {
	for _, v := range statements(f) {
		f.Add(v.Canonical())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := jcs.Parse(b)
		if err != nil {
			return
		}
		for kind, parse := range parsers {
			got, err := parse(v)
			if err == nil && !jcs.Equal(got, v) {
				t.Errorf("%s: %s reads back as %s", kind, v.Canonical(), got.Canonical())
			}
		}
	})
}

func FuzzCovers(f *testing.F) {
	f.Add("9506000", gtin)
	f.Add("urn:x:", "urn:x:1")
	f.Fuzz(func(t *testing.T, grant, identifier string) {
		if participant.CheckGrant(grant) != nil {
			return
		}
		if participant.Covers(grant, identifier) && !strings.Contains(identifier, grant) {
			t.Errorf("%q covers %q", grant, identifier)
		}
		if grant[0] > '9' && !participant.Covers(grant, grant) {
			t.Errorf("%q does not cover itself", grant)
		}
	})
}

// FuzzApply folds statements that are only half right.
func FuzzApply(f *testing.F) {
	for _, v := range statements(f) {
		f.Add(v.Canonical())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := jcs.Parse(b)
		if err != nil || v.Kind() != jcs.Object || len(b) > 10000 {
			return
		}
		l := newLog(t)
		e := signed(t, v, operatorKey(t, 3))
		effect := l.state.Apply(l.next, e)
		if effect.Applied && effect.Err != nil || entry.IsStatement(v) && !effect.Applied && effect.Err == nil && effect.Type != entry.TypeProduct && effect.Type != entry.TypePlace {
			t.Errorf("%s: %+v", b, effect)
		}
		before := l.state.Participants()
		l.state.Apply(l.next+1, e)
		if effect.Applied && !reflect.DeepEqual(before, l.state.Participants()) {
			t.Errorf("%s has an effect twice", b)
		}
	})
}
