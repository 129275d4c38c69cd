package policy

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	fnote "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/formats/witness"
	"golang.org/x/mod/sumdb/note"
)

const origin = "example.com/log"

// testKey is an Ed25519 key that is the same for the same seed.
type testKey struct {
	name    string
	private ed25519.PrivateKey
}

func newTestKey(name string, seed byte) testKey {
	return testKey{name, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))}
}

// vkey writes the public key by hand: parseKey is what is tested.
func (k testKey) vkey(kind byte) string {
	public := append([]byte{kind}, k.private.Public().(ed25519.PublicKey)...)
	return fmt.Sprintf("%s+%08x+%s", k.name, k.id(kind), base64.StdEncoding.EncodeToString(public))
}

func (k testKey) id(kind byte) uint32 {
	vkey, err := note.NewEd25519VerifierKey(k.name, k.private.Public().(ed25519.PublicKey))
	if err != nil {
		panic(err)
	}
	if kind == typeCosignature {
		if vkey, err = fnote.VKeyToCosignatureV1(vkey); err != nil {
			panic(err)
		}
	}
	_, rest, _ := strings.Cut(vkey, "+")
	var id uint32
	fmt.Sscanf(rest[:8], "%x", &id)
	return id
}

func (k testKey) sign(text string) checkpoint.Signature {
	return checkpoint.Signature{Name: k.name, KeyID: k.id(typeEd25519), Sig: ed25519.Sign(k.private, []byte(text))}
}

func (k testKey) cosign(text string, seconds uint64) checkpoint.Signature {
	msg := fmt.Sprintf("cosignature/v1\ntime %d\n%s", seconds, text)
	sig := binary.BigEndian.AppendUint64(nil, seconds)
	return checkpoint.Signature{Name: k.name, KeyID: k.id(typeCosignature), Sig: append(sig, ed25519.Sign(k.private, []byte(msg))...)}
}

var (
	logKey = newTestKey(origin, 1)
	w1     = newTestKey("witness.example/1", 2)
	w2     = newTestKey("witness.example/2", 3)
	w3     = newTestKey("witness.example/3", 4)
)

func logLine() string { return "log " + logKey.vkey(typeEd25519) + "\n" }

func witnessLines() string {
	return "witness W1 " + w1.vkey(typeCosignature) + "\n" +
		"witness W2 " + w2.vkey(typeCosignature) + " https://witness.example/2\n" +
		"witness W3 " + w3.vkey(typeCosignature) + "\n"
}

func mustParse(t testing.TB, text string) *Policy {
	t.Helper()
	p, err := Parse([]byte(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return p
}

func TestParse(t *testing.T) {
	p := mustParse(t, "# who we trust\n\n \tlog\t"+logKey.vkey(typeEd25519)+"  https://example.com/log \n"+witnessLines()+
		"group both all W1 W2\ngroup one any W3 both\n  # in the end\nquorum one")
	want := "log " + logKey.vkey(typeEd25519) + " https://example.com/log\n" + witnessLines() +
		"group both 2 W1 W2\ngroup one 1 W3 both\nquorum one\n"
	if got := p.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if !p.NeedsWitnesses() || !p.HasLog(logKey.vkey(typeEd25519)) || len(p.Logs()) != 1 || len(p.Witnesses()) != 3 {
		t.Errorf("got %+v", p)
	}
	if p.Witnesses()[1].URL != "https://witness.example/2" || p.Logs()[0].URL != "https://example.com/log" {
		t.Errorf("URLs: %+v, %+v", p.Witnesses(), p.Logs())
	}

	none := mustParse(t, "quorum none\n")
	if none.NeedsWitnesses() || none.HasLog(logKey.vkey(typeEd25519)) {
		t.Errorf("got %+v", none)
	}
	with, err := none.WithLog(logKey.vkey(typeEd25519))
	if err != nil || with.String() != logLine()+"quorum none\n" || none.String() != "quorum none\n" {
		t.Errorf("WithLog: %v, %v; before: %v", with, err, none)
	}
	direct, err := None(logKey.vkey(typeEd25519))
	if err != nil || direct.String() != with.String() {
		t.Errorf("None: %v, %v", direct, err)
	}
	// Names are octets, and the words of the syntax may be names.
	mustParse(t, "witness any "+w1.vkey(typeCosignature)+"\nwitness \xff "+w2.vkey(typeCosignature)+"\ngroup all all any \xff\nquorum all\n")
}

func TestParseRefuses(t *testing.T) {
	l, w := logLine(), witnessLines()
	v1 := w1.vkey(typeCosignature)
	for name, text := range map[string]string{
		"empty":                      "",
		"no quorum":                  l + w,
		"two quorums":                l + w + "quorum W1\nquorum W2\n",
		"quorum twice none":          l + "quorum none\nquorum none\n",
		"quorum unknown":             l + w + "quorum W4\n",
		"quorum before its witness":  l + "quorum W1\n" + w,
		"quorum of two":              l + w + "quorum W1 W2\n",
		"empty quorum":               l + w + "quorum\n",
		"unknown keyword":            l + "trust me\nquorum none\n",
		"keyword in capitals":        l + "Quorum none\n",
		"no-break space":             l + "quorum\u00a0none\n",
		"CR":                         l + "quorum none\r\n",
		"NUL":                        l + "#\x00\nquorum none\n",
		"DEL":                        l + "#\x7f\nquorum none\n",
		"log without key":            "log\nquorum none\n",
		"log with too much":          strings.TrimSpace(l) + " https://a b\nquorum none\n",
		"log twice":                  l + l + "quorum none\n",
		"log's public key twice":     l + "log " + newTestKey("example.com/other", 1).vkey(typeEd25519) + "\nquorum none\n",
		"log with a witness's key":   "log " + v1 + "\nquorum none\n",
		"witness with a log's key":   "witness W1 " + w1.vkey(typeEd25519) + "\nquorum none\n",
		"witness without key":        "witness W1\nquorum none\n",
		"witness twice":              w + "witness W4 " + v1 + "\nquorum none\n",
		"witness's key under a name": w + "witness W4 " + newTestKey("other.example", 2).vkey(typeCosignature) + "\nquorum none\n",
		"name twice":                 w + "witness W1 " + newTestKey("other.example", 9).vkey(typeCosignature) + "\nquorum none\n",
		"witness called none":        "witness none " + v1 + "\nquorum none\n",
		"group called none":          w + "group none any W1\nquorum none\n",
		"group with a taken name":    w + "group W1 any W2\nquorum none\n",
		"group of none":              w + "group G any none\nquorum G\n",
		"group without members":      w + "group G any\nquorum G\n",
		"group of itself":            w + "group G any W1 G\nquorum G\n",
		"group of a later one":       w + "group G any H\ngroup H any W1\nquorum G\n",
		"member twice":               w + "group G 2 W1 W1\nquorum G\n",
		"member of two groups":       w + "group G any W1 W2\ngroup H any W1 W3\nquorum G\n",
		"threshold 0":                w + "group G 0 W1 W2\nquorum G\n",
		"threshold above n":          w + "group G 3 W1 W2\nquorum G\n",
		"threshold 01":               w + "group G 01 W1 W2\nquorum G\n",
		"threshold +1":               w + "group G +1 W1 W2\nquorum G\n",
		"threshold most":             w + "group G most W1 W2\nquorum G\n",
		"key id wrong":               "witness W1 " + strings.Replace(v1, "+", "+0", 1)[:len(v1)] + "\nquorum none\n",
		"key id in capitals":         "witness W1 " + upperID(v1) + "\nquorum none\n",
		"key with padding":           "witness W1 " + v1 + "=\nquorum none\n",
		"key of 31 bytes":            "witness W1 a+00000000+" + base64.StdEncoding.EncodeToString(append([]byte{typeCosignature}, make([]byte, 31)...)) + "\nquorum none\n",
		"key empty":                  "witness W1 a+00000000+\nquorum none\n",
		"key without name":           "witness W1 +00000000+BA==\nquorum none\n",
		"too large":                  "quorum none\n" + strings.Repeat("#\n", MaxSize/2),
		"too many logs":              manyLogs(MaxLogs+1) + "quorum none\n",
		"too many witnesses":         manyWitnesses(MaxWitnesses+1) + "quorum none\n",
		"too many groups":            w + manyGroups(MaxGroups+1) + "quorum none\n",
	} {
		if p, err := Parse([]byte(text)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %v, %v; want ErrMalformed", name, p, err)
		}
	}
	mustParse(t, manyLogs(MaxLogs)+manyWitnesses(MaxWitnesses)+"quorum none\n")
	mustParse(t, w+manyGroups(MaxGroups)+"quorum none\n")
}

func upperID(vkey string) string {
	parts := strings.Split(vkey, "+")
	parts[1] = strings.ToUpper(parts[1])
	if parts[1] == strings.Split(vkey, "+")[1] {
		panic("the key id has no letter: choose another seed")
	}
	return strings.Join(parts, "+")
}

func manyLogs(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "log %s\n", newTestKey("log.example", byte(i)).vkey(typeEd25519))
	}
	return b.String()
}

func manyWitnesses(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "witness %d %s\n", i, newTestKey("witness.example", byte(100+i)).vkey(typeCosignature))
	}
	return b.String()
}

func manyGroups(n int) string {
	var b strings.Builder
	last := "W1"
	for i := range n {
		fmt.Fprintf(&b, "group g%d any %s\n", i, last)
		last = fmt.Sprintf("g%d", i)
	}
	return b.String()
}

func TestCheck(t *testing.T) {
	text := checkpoint.Checkpoint{Origin: origin, Size: 7}.Body()
	note := func(sigs ...checkpoint.Signature) []byte {
		return (&checkpoint.Note{Text: text, Signatures: sigs}).Append(nil)
	}
	log := logKey.sign(text)
	all := "group G all W1 W2 W3\nquorum G\n"
	two := "group G 2 W1 W2 W3\nquorum G\n"
	nested := "group P any W1 W2\ngroup G all P W3\nquorum G\n"
	forged := w2.cosign(text, 50)
	forged.Sig = slices.Clone(forged.Sig)
	forged.Sig[7]++ // another time than was signed
	negative := w2.cosign(text, 1<<63)
	unknown := newTestKey("unknown.example", 40).cosign(text, 99)
	short := w2.cosign(text, 50)
	short.Sig = short.Sig[:71]

	for _, test := range []struct {
		name      string
		quorum    string
		signed    []byte
		witnesses string
		time      int64 // -1: the quorum is not met
	}{
		{"all", all, note(log, w1.cosign(text, 30), w2.cosign(text, 10), w3.cosign(text, 20)), "W1 W2 W3", 10},
		{"all but one", all, note(log, w1.cosign(text, 30), w3.cosign(text, 20)), "W1 W3", -1},
		{"2 of 3, the second latest", two, note(log, w1.cosign(text, 30), w2.cosign(text, 10), w3.cosign(text, 20)), "W1 W2 W3", 20},
		{"2 of 3, two", two, note(log, w1.cosign(text, 30), w2.cosign(text, 10)), "W1 W2", 10},
		{"2 of 3, the same time", two, note(log, w1.cosign(text, 30), w2.cosign(text, 30), w3.cosign(text, 1)), "W1 W2 W3", 30},
		{"2 of 3, one twice", two, note(log, w1.cosign(text, 30), w1.cosign(text, 20)), "W1", -1},
		{"the latest of a witness counts", two, note(log, w1.cosign(text, 20), w1.cosign(text, 40), w1.cosign(text, 30), w2.cosign(text, 35)), "W1 W2", 35},
		{"nested", nested, note(log, w1.cosign(text, 5), w2.cosign(text, 30), w3.cosign(text, 20)), "W1 W2 W3", 20},
		{"nested, the outer is missing", nested, note(log, w1.cosign(text, 5), w2.cosign(text, 30)), "W1 W2", -1},
		{"nested, the inner is missing", nested, note(log, w3.cosign(text, 5)), "W3", -1},
		{"one witness", "quorum W2\n", note(w2.cosign(text, 0), log), "W2", 0},
		{"one witness, another one", "quorum W2\n", note(log, w1.cosign(text, 7)), "W1", -1},
		{"unknown ones are ignored", "quorum W2\n", note(unknown, log, w2.cosign(text, 8)), "W2", 8},
		{"no cosignature", two, note(log), "", -1},
	} {
		p := mustParse(t, logLine()+witnessLines()+test.quorum)
		v, err := p.Check(test.signed)
		if got := strings.Join(v.Witnesses, " "); got != test.witnesses || v.Checkpoint.Size != 7 {
			t.Errorf("%s: cosigned by %q, want %q; %v", test.name, got, test.witnesses, v)
		}
		if test.time < 0 {
			if !errors.Is(err, ErrQuorum) || v.Witnessed || !v.Time.IsZero() {
				t.Errorf("%s: got %+v, %v; want ErrQuorum", test.name, v, err)
			}
			continue
		}
		if err != nil || !v.Witnessed || v.Time.Unix() != test.time {
			t.Errorf("%s: got %+v, %v; want time %d", test.name, v, err, test.time)
		}
	}

	p := mustParse(t, logLine()+witnessLines()+two)
	var signature *checkpoint.SignatureError
	good := []checkpoint.Signature{log, w1.cosign(text, 30), w3.cosign(text, 20)}
	for name, bad := range map[string]checkpoint.Signature{"forged": forged, "beyond 2^63-1": negative, "short": short} {
		if _, err := p.Check(note(append(slices.Clone(good), bad)...)); !errors.As(err, &signature) {
			t.Errorf("%s cosignature by a known key: got %v", name, err)
		}
	}
	if _, err := p.Check(note(good[1:]...)); !errors.Is(err, checkpoint.ErrUnsigned) {
		t.Errorf("not signed by the log: got %v", err)
	}
	none := mustParse(t, logLine()+witnessLines()+"quorum none\n")
	if v, err := none.Check(note(good...)); err != nil || v.Witnessed || !v.Time.IsZero() || len(v.Witnesses) != 2 {
		t.Errorf("quorum none: got %+v, %v", v, err)
	}
	if _, err := none.Check(note(append(good, forged)...)); !errors.As(err, &signature) {
		t.Errorf("quorum none, forged cosignature: got %v", err)
	}
	var other *checkpoint.OriginError
	elsewhere := mustParse(t, "log "+newTestKey("example.com/other", 5).vkey(typeEd25519)+"\nquorum none\n")
	if _, err := elsewhere.Check(note(good...)); !errors.As(err, &other) {
		t.Errorf("another log's policy: got %v", err)
	}
	if _, err := mustParse(t, "quorum none\n").Check(note(good...)); !errors.As(err, &other) {
		t.Errorf("a policy without logs: got %v", err)
	}
	if c, err := p.Open(note(good...)); err != nil || c.Size != 7 {
		t.Errorf("Open: %v, %v", c, err)
	}
}

func TestFresh(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for _, test := range []struct {
		age   time.Duration
		fresh bool
	}{
		{0, true},
		{DefaultMaxAge, true},
		{DefaultMaxAge + time.Second, false},
		{-MaxAhead, true},
		{-MaxAhead - time.Second, false},
	} {
		v := Verdict{Witnessed: true, Time: now.Add(-test.age)}
		if err := v.Fresh(now, DefaultMaxAge); (err == nil) != test.fresh || err != nil && !errors.Is(err, ErrStale) {
			t.Errorf("age %s: %v", test.age, err)
		}
	}
	// A witness may name any second up to 2^63 - 1: none of them is of the past.
	for _, at := range []int64{1<<63 - 1, 1<<63 - 62135596801, 1<<63 - 62135596800, 9223372036 + 1_800_000_000, 1_800_000_301} {
		for _, maxAge := range []time.Duration{DefaultMaxAge, 1<<63 - 1} {
			err := Verdict{Witnessed: true, Time: time.Unix(at, 0).UTC()}.Fresh(now, maxAge)
			if !errors.Is(err, ErrStale) || !strings.Contains(err.Error(), "ahead") {
				t.Errorf("at second %d: %v", at, err)
			}
		}
	}
	if err := (Verdict{Witnessed: true, Time: time.Unix(0, 0)}).Fresh(time.Unix(1<<40, 0), 1<<63-1); err != nil {
		t.Errorf("long ago, at any age: %v", err)
	}
	for at, want := range map[int64]string{0: "1970-01-01T00:00:00Z", 253402300799: "9999-12-31T23:59:59Z", 253402300800: "second 253402300800 since 1970", 1<<63 - 1: "second 9223372036854775807 since 1970"} {
		if got := FormatTime(time.Unix(at, 0)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if err := (Verdict{Time: now}).Fresh(now, DefaultMaxAge); !errors.Is(err, ErrStale) {
		t.Errorf("not witnessed: %v", err)
	}
}

// Cosignatures that another implementation makes are taken, and both agree on the
// quorum of every set of witnesses.
func TestAgainstFormats(t *testing.T) {
	text := checkpoint.Checkpoint{Origin: origin, Size: 7}.Body()
	keys := []testKey{w1, w2, w3}
	var cosignatures []checkpoint.Signature
	for _, k := range keys {
		seed := append([]byte{typeCosignature}, k.private.Seed()...)
		skey := fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", k.name, k.id(typeCosignature), base64.StdEncoding.EncodeToString(seed))
		signer, err := fnote.NewSignerForCosignatureV1(skey)
		if err != nil {
			t.Fatal(err)
		}
		sig, err := signer.Sign([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		cosignatures = append(cosignatures, checkpoint.Signature{Name: signer.Name(), KeyID: signer.KeyHash(), Sig: sig})
	}
	witnesses := ""
	for i, k := range keys {
		witnesses += fmt.Sprintf("witness W%d %s https://witness.example/%d\n", i+1, k.vkey(typeCosignature), i)
	}
	for _, quorum := range []string{
		"quorum none\n", "quorum W2\n",
		"group G any W1 W2 W3\nquorum G\n",
		"group G 2 W1 W2 W3\nquorum G\n",
		"group G all W1 W2 W3\nquorum G\n",
		"group P any W1 W2\ngroup G all P W3\nquorum G\n",
	} {
		p := mustParse(t, logLine()+witnesses+quorum)
		reference, err := witness.ParsePolicy([]byte(witnesses + quorum))
		if err != nil {
			t.Fatal(err)
		}
		for set := range 1 << len(keys) {
			n := checkpoint.Note{Text: text, Signatures: []checkpoint.Signature{logKey.sign(text)}}
			for i, s := range cosignatures {
				if set>>i&1 == 1 {
					n.Signatures = append(n.Signatures, s)
				}
			}
			signed := n.Append(nil)
			v, err := p.Check(signed)
			if want := reference.Satisfied(signed); (err == nil) != want {
				t.Errorf("%q, set %03b: got %v; formats/witness says %v", quorum, set, err, want)
			}
			if err == nil && p.NeedsWitnesses() && time.Since(v.Time) > time.Hour {
				t.Errorf("%q, set %03b: the time is %s", quorum, set, v.Time)
			}
		}
	}
}

// Parse → String is a fixed point with the same meaning, or an error.
func FuzzParse(f *testing.F) {
	f.Add([]byte(logLine() + witnessLines() + "group G 2 W1 W2 W3\nquorum G\n"))
	f.Add([]byte("# nobody\nquorum none"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("%v is not ErrMalformed", err)
			}
			return
		}
		again, err := Parse([]byte(p.String()))
		if err != nil || again.String() != p.String() {
			t.Fatalf("%q prints as %q, which reads as %v, %v", b, p, again, err)
		}
		if again.NeedsWitnesses() != p.NeedsWitnesses() {
			t.Fatalf("%q: the quorum changed", b)
		}
		// Nobody's cosignature meets no quorum but none; everybody's meets each.
		if p.Met(func(string) bool { return false }) == p.NeedsWitnesses() {
			t.Fatalf("%q is met by nobody", b)
		}
		if !p.Met(func(string) bool { return true }) {
			t.Fatalf("%q is not met by everybody", b)
		}
	})
}
