package entry_test

import (
	"bytes"
	stdlib "crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/jcs"
)

const origin = "example.org/log"

// key gives the key of a role that a seed of equal bytes makes.
func key(t testing.TB, role, participant string, seed byte) *entry.Key {
	t.Helper()
	name := entry.KeyName(origin, role, participant)
	if participant == entry.Operator {
		name = entry.OperatorKeyName(origin)
	}
	k, err := entry.KeyFromSeed(name, [32]byte(bytes.Repeat([]byte{seed}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sign(t testing.TB, json string, keys ...*entry.Key) []byte {
	t.Helper()
	var participants []string
	for _, k := range keys {
		participants = append(participants, k.Name()[strings.LastIndex(k.Name(), "/")+1:])
	}
	b, err := entry.Sign(origin, participants, []byte(json), keys...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestShape(t *testing.T) {
	farm, dairy := key(t, "own", "farm", 1), key(t, "managed", "dairy", 2)
	b := sign(t, `{"type":"ObjectEvent"}`, farm, dairy)
	text := "tallyroot/entry/v1 example.org/log farm,dairy\n{\"type\":\"ObjectEvent\"}\n"
	want := text + "\n— " + farm.Sign([]byte(text)).String() + "\n— " + dairy.Sign([]byte(text)).String() + "\n"
	if string(b) != want {
		t.Fatalf("got\n%s\nwant\n%s", b, want)
	}
	e, err := entry.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if e.Origin != origin || strings.Join(e.Participants, " ") != "farm dairy" || e.Type() != "ObjectEvent" || string(e.Text) != text || string(e.Canonical()) != `{"type":"ObjectEvent"}` {
		t.Errorf("parsed wrongly: %+v", e)
	}
	if !bytes.Equal(e.Append(nil), b) {
		t.Error("Append does not give the bytes that were parsed")
	}
	if !farm.Verifier().Verify(e.Text, e.Signatures[0]) || !dairy.Verifier().Verify(e.Text, e.Signatures[1]) {
		t.Error("a good signature does not hold")
	}
	if farm.Verifier().Verify(e.Text, e.Signatures[1]) {
		t.Error("dairy's signature holds for farm")
	}
}

// TestSignedNote opens our entries with the implementation of signed notes that
// Go's checksum database uses.
func TestSignedNote(t *testing.T) {
	farm := key(t, "own", "farm", 1)
	b := sign(t, `{"a":"é— x"}`, farm)
	v, err := note.NewVerifier(farm.Verifier().String())
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open(b, note.VerifierList(v))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(farm.Secret())
	if err != nil {
		t.Fatal(err)
	}
	again, err := note.Sign(&note.Note{Text: n.Text}, signer)
	if err != nil || !bytes.Equal(again, b) {
		t.Errorf("note.Sign gives other bytes (%v):\n%s", err, again)
	}
}

func TestMutations(t *testing.T) {
	farm, dairy := key(t, "own", "farm", 1), key(t, "own", "dairy", 2)
	const json = `{"a":1,"type":"ObjectEvent"}`
	good := string(sign(t, json, farm))
	both := string(sign(t, json, farm, dairy))
	line := "— " + farm.Sign([]byte("x")).String() + "\n"
	replace := func(s, old, new string) string {
		if !strings.Contains(s, old) {
			t.Fatalf("nothing to replace: %q", old)
		}
		return strings.Replace(s, old, new, 1)
	}
	last := strings.LastIndex(good, "=") - 1 // the last character before the padding
	for _, c := range []struct {
		name, entry string
		want        error
	}{
		{"empty", "", entry.ErrHeader},
		{"one line", "tallyroot/entry/v1 example.org/log farm", entry.ErrHeader},
		{"version 2", replace(good, "/v1 ", "/v2 "), entry.ErrHeader},
		{"byte order mark", "\ufeff" + good, entry.ErrHeader},
		{"CRLF", replace(good, "farm\n", "farm\r\n"), entry.ErrHeader},
		{"two spaces before the origin", replace(good, " example", "  example"), entry.ErrHeader},
		{"two spaces before the participant", replace(good, " farm\n", "  farm\n"), entry.ErrHeader},
		{"trailing space", replace(good, " farm\n", " farm \n"), entry.ErrHeader},
		{"no participant", replace(good, " farm\n", "\n"), entry.ErrHeader},
		{"empty participant", replace(good, " farm\n", " \n"), entry.ErrHeader},
		{"upper case", replace(good, " farm\n", " Farm\n"), entry.ErrHeader},
		{"participant twice", replace(good, " farm\n", " farm,farm\n"), entry.ErrHeader},
		{"trailing comma", replace(good, " farm\n", " farm,\n"), entry.ErrHeader},
		{"three participants", replace(both, " farm,dairy\n", " farm,dairy,shop\n"), entry.ErrHeader},
		{"operator with another", replace(both, " farm,dairy\n", " operator,dairy\n"), entry.ErrHeader},
		{"plus in the origin", replace(good, "example.org", "example+org"), entry.ErrHeader},
		{"umlaut in the origin", replace(good, "example.org", "exämple.org"), entry.ErrHeader},
		{"no JSON", "tallyroot/entry/v1 example.org/log farm\n\n" + line, entry.ErrJSON},
		{"JSON does not end", "tallyroot/entry/v1 example.org/log farm\n" + json, entry.ErrJSON},
		{"not canonical: space", replace(good, `{"a":1`, `{"a": 1`), entry.ErrJSON},
		{"not canonical: order", replace(good, json, `{"type":"ObjectEvent","a":1}`), entry.ErrJSON},
		{"not canonical: number", replace(good, `:1,`, `:1.0,`), entry.ErrJSON},
		{"not canonical: escape", replace(good, `ObjectEvent`, `Object\u0045vent`), entry.ErrJSON},
		{"duplicate member", replace(good, `"a":1`, `"a":1,"a":1`), entry.ErrJSON},
		{"invalid UTF-8", replace(good, `ObjectEvent`, "Object\xffvent"), entry.ErrJSON},
		{"array", replace(good, json, `[]`), entry.ErrJSON},
		{"string", replace(good, json, `"x"`), entry.ErrJSON},
		{"two lines of JSON", replace(good, json, json+"\n"+json), entry.ErrSignatures},
		{"no empty line", replace(good, "\n\n", "\n"), entry.ErrSignatures},
		{"two empty lines", replace(good, "\n\n", "\n\n\n"), entry.ErrSignatures},
		{"no signature", replace(good, good[strings.Index(good, "—"):], ""), entry.ErrSignatures},
		{"hyphen for the dash", replace(good, "— ", "- "), entry.ErrSignatures},
		{"no line feed at the end", good[:len(good)-1], entry.ErrSignatures},
		{"trailing byte", good + "\n", entry.ErrSignatures},
		{"extra signature", good + line, entry.ErrSignatures},
		{"the same signature twice", good + good[strings.Index(good, "—"):], entry.ErrSignatures},
		{"countersigner without signature", replace(good, " farm\n", " farm,dairy\n"), entry.ErrSignatures},
		{"signer that is not in the header", replace(both, " farm,dairy\n", " farm\n"), entry.ErrSignatures},
		{"signatures in the other order", replace(both, " farm,dairy\n", " dairy,farm\n"), entry.ErrSignatures},
		{"relabelled participant", replace(good, " farm\n", " dairy\n"), entry.ErrSignatures},
		{"relabelled origin", replace(good, " example.org/log ", " example.org/other "), entry.ErrSignatures},
		{"operator's key name", replace(good, "— example.org/log/own/farm", "— example.org/log/operator"), entry.ErrSignatures},
		{"longer key name", replace(good, "/own/farm ", "/own/farms "), entry.ErrSignatures},
		{"key name of another role", replace(good, "/own/farm ", "/known/farm "), entry.ErrSignatures},
		{"base64 with stray bits", good[:last] + next(good[last]) + good[last+1:], entry.ErrSignatures},
		{"base64 without padding", replace(good, "=\n", "\n"), entry.ErrSignatures},
		{"base64 of the URL alphabet", good[:last-10] + "-" + good[last-9:], entry.ErrSignatures},
		{"carriage return in the base64", good[:last-10] + "\r" + good[last-9:], entry.ErrSignatures},
		{"carriage return at the end", good[:len(good)-1] + "\r\n", entry.ErrSignatures},
	} {
		if _, err := entry.Parse([]byte(c.entry)); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
	if _, err := entry.Parse([]byte(good)); err != nil {
		t.Error(err)
	}
	if _, err := entry.Parse([]byte(both)); err != nil {
		t.Error(err)
	}
	managed := replace(good, "/own/farm ", "/managed/farm ")
	if e, err := entry.Parse([]byte(managed)); err != nil || farm.Verifier().Verify(e.Text, e.Signatures[0]) {
		t.Errorf("the name of a role is part of what a signature is checked by: %v", err)
	}
}

// next gives a base64 character whose unused low bits differ.
func next(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	return string(alphabet[strings.IndexByte(alphabet, c)^1])
}

func TestSizeLimit(t *testing.T) {
	farm := key(t, "own", "farm", 1)
	overhead := len(sign(t, `{"a":""}`, farm))
	fits := `{"a":"` + strings.Repeat("x", entry.MaxSize-overhead) + `"}`
	b := sign(t, fits, farm)
	if len(b) != 65535 {
		t.Fatalf("%d bytes", len(b))
	}
	if _, err := entry.Parse(b); err != nil {
		t.Errorf("65,535 bytes: %v", err)
	}
	large := strings.Replace(fits, "x", "xx", 1)
	_, err := entry.Sign(origin, []string{"farm"}, []byte(large), farm)
	var tooLarge *entry.TooLargeError
	if !errors.As(err, &tooLarge) || !errors.Is(err, entry.ErrTooLarge) || tooLarge.Size != 65536 || tooLarge.Limit != 65535 {
		t.Errorf("65,536 bytes signed: %v", err)
	}
	if _, err := entry.Parse(append(b, 'x')); !errors.Is(err, entry.ErrTooLarge) || !strings.Contains(err.Error(), "65536") || !strings.Contains(err.Error(), "65535") {
		t.Errorf("65,536 bytes parsed: %v", err)
	}
}

func TestSignRefuses(t *testing.T) {
	farm, operator := key(t, "own", "farm", 1), key(t, "", "operator", 3)
	for _, c := range []struct {
		name         string
		origin       string
		participants []string
		json         string
		keys         []*entry.Key
		want         error
	}{
		{"no key", origin, []string{"farm"}, `{}`, nil, entry.ErrKeys},
		{"two keys", origin, []string{"farm"}, `{}`, []*entry.Key{farm, farm}, entry.ErrKeys},
		{"another's key", origin, []string{"dairy"}, `{}`, []*entry.Key{farm}, entry.ErrKeys},
		{"a participant's key for the operator", origin, []string{"operator"}, `{}`, []*entry.Key{farm}, entry.ErrKeys},
		{"the operator's key for a participant", origin, []string{"farm"}, `{}`, []*entry.Key{operator}, entry.ErrKeys},
		{"key of another log", "example.org/other", []string{"farm"}, `{}`, []*entry.Key{farm}, entry.ErrKeys},
		{"nobody", origin, nil, `{}`, nil, entry.ErrHeader},
		{"bad origin", "a b", []string{"farm"}, `{}`, []*entry.Key{farm}, entry.ErrHeader},
		{"two lines", origin, []string{"farm"}, "{\n}", []*entry.Key{farm}, entry.ErrJSON},
		{"array", origin, []string{"farm"}, "[]", []*entry.Key{farm}, entry.ErrJSON},
	} {
		if _, err := entry.Sign(c.origin, c.participants, []byte(c.json), c.keys...); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
}

func TestIdentity(t *testing.T) {
	for _, c := range []struct{ json, want string }{
		{`{"eventID":"urn:x:1","type":"ObjectEvent"}`, "farm\x00urn:x:1"},
		{`{"errorDeclaration":{"declarationTime":"2026-01-01T00:00:00Z"},"eventID":"urn:x:1"}`, "farm\x00urn:x:1\x002026-01-01T00:00:00Z"},
		{`{"origin":"example.org/log","type":"tallyroot:Genesis"}`, "farm\x00tallyroot:Genesis\x00example.org/log\x000"},
		{`{"id":"dairy","number":12,"type":"tallyroot:Participant"}`, "farm\x00tallyroot:Participant\x00dairy\x0012"},
		{`{"number":1,"type":"tallyroot:Operator"}`, "farm\x00tallyroot:Operator\x00operator\x001"},
		{`{"identifier":"urn:x:p","number":3,"type":"tallyroot:Product"}`, "farm\x00tallyroot:Product\x00urn:x:p\x003"},
		{`{"identifier":"urn:x:p","number":3,"type":"tallyroot:Place"}`, "farm\x00tallyroot:Place\x00urn:x:p\x003"},
		{`{"number":77,"type":"tallyroot:Void"}`, "farm\x00tallyroot:Void\x00\x0077"},
		{`{"type":"ObjectEvent"}`, ""},
		{`{"eventID":7,"type":"ObjectEvent"}`, ""},
		{`{"eventID":"","type":"ObjectEvent"}`, ""},
		{`{"errorDeclaration":{},"eventID":"urn:x:1"}`, ""},
		{`{"errorDeclaration":null,"eventID":"urn:x:1"}`, ""},
		{`{"id":"dairy","number":"1","type":"tallyroot:Participant"}`, ""},
		{`{"id":"dairy","number":-1,"type":"tallyroot:Participant"}`, ""},
		{`{"id":"dairy","number":1.5,"type":"tallyroot:Participant"}`, ""},
		{`{"id":"dairy","type":"tallyroot:Participant"}`, ""},
		{`{"eventID":"urn:x:1","number":1,"type":"tallyroot:Unknown"}`, ""},
	} {
		v, err := jcs.Parse([]byte(c.json))
		if err != nil {
			t.Fatal(err)
		}
		got, err := entry.Identity("farm", v)
		switch {
		case c.want == "" && !errors.Is(err, entry.ErrNoIdentity):
			t.Errorf("%s: got %v, want ErrNoIdentity", c.json, err)
		case c.want != "" && (err != nil || got != sha256.Sum256([]byte(c.want))):
			t.Errorf("%s: got %x, %v", c.json, got, err)
		}
	}
}

func TestLeafHash(t *testing.T) {
	// RFC 6962's empty leaf.
	hash := entry.LeafHash(nil)
	if got := hex.EncodeToString(hash[:]); got != "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d" {
		t.Error(got)
	}
}

func TestNames(t *testing.T) {
	for id, ok := range map[string]bool{
		"farm": true, "0": true, "a.b-c": true, "a-": true, strings.Repeat("a", 63): true,
		"": false, "operator": false, "-a": false, ".a": false, "A": false, "a_b": false, "ä": false, "a b": false, "a,b": false, strings.Repeat("a", 64): false,
	} {
		if err := entry.ParticipantID(id); (err == nil) != ok {
			t.Errorf("%q: %v", id, err)
		}
	}
	for name, want := range map[string]string{
		"Green Valley Farm": "green-valley-farm", "Müller's Farm & Co.": "muellers-farm-co", "  São José  ": "sao-jose",
		"COOPÉRATIVE n°7": "cooperative-n-7", "Operator": "", "": "", "農場": "", "农场 12": "12",
		strings.Repeat("ab ", 40): strings.TrimSuffix(strings.Repeat("ab-", 21), "-"),
	} {
		got, err := entry.Slug(name)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v; want %q", name, got, err, want)
		}
		if err == nil && entry.ParticipantID(got) != nil {
			t.Errorf("%q gives an id that is none", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	farm, dairy := key(f, "own", "farm", 1), key(f, "managed", "dairy", 2)
	f.Add(sign(f, `{"type":"ObjectEvent"}`, farm))
	f.Add(sign(f, `{"a":[1.5,null,{"b":"é"}]}`, farm, dairy))
	f.Add(sign(f, `{}`, key(f, "", "operator", 3)))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := entry.Parse(b)
		if err != nil {
			return
		}
		if !bytes.Equal(e.Append(nil), b) {
			t.Error("what was parsed does not print back")
		}
		text, err := entry.Text(e.Origin, e.Participants, e.JSON.Canonical())
		if err != nil || !bytes.Equal(text, e.Text) {
			t.Errorf("Text is not made of Origin, Participants and JSON: %v", err)
		}
	})
}

func TestSignIsStandard(t *testing.T) {
	k := key(t, "own", "farm", 9)
	private := stdlib.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32))
	for n := range 200 {
		text := bytes.Repeat([]byte{byte(n)}, n)
		if sig := k.Sign(text); !bytes.Equal(sig.Sig[:], stdlib.Sign(private, text)) {
			t.Fatalf("the signature of %d bytes is not RFC 8032's", n)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	farm := key(b, "managed", "farm", 1)
	json := []byte(`{"a":"` + strings.Repeat("x", 580) + `"}`)
	participants := []string{"farm"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := entry.Sign(origin, participants, json, farm); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	bytes := sign(b, `{"a":"`+strings.Repeat("x", 580)+`"}`, key(b, "managed", "farm", 1))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := entry.Parse(bytes); err != nil {
			b.Fatal(err)
		}
	}
}
