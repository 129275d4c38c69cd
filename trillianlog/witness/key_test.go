package witness

import (
	"fmt"
	"strings"
	"testing"

	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
)

func newTestKey(t testing.TB, name string) *Key {
	t.Helper()
	k, err := NewKey(name)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Another implementation takes our keys and cosignatures, and makes the same ones.
func TestCosignAgainstFormats(t *testing.T) {
	key := newTestKey(t, "witness.example/w1")
	verifier, err := fnote.NewVerifierForCosignatureV1(key.Verifier())
	if err != nil {
		t.Fatal(err)
	}
	text := checkpoint.Checkpoint{Origin: "log.example", Size: 7}.Body()
	for _, at := range []uint64{1, 1_679_315_147, 1<<63 - 1} {
		n := checkpoint.Note{Text: text, Signatures: []checkpoint.Signature{key.Cosign(text, at)}}
		opened, err := note.Open(n.Append(nil), note.VerifierList(verifier))
		if err != nil {
			t.Fatalf("time %d: %v", at, err)
		}
		if got, err := fnote.CoSigV1Timestamp(opened.Sigs[0]); err != nil || uint64(got.Unix()) != at {
			t.Fatalf("time %d reads as %d, %v", at, got.Unix(), err)
		}
		if got, ok := key.cosigned(text, n.Signatures[0]); !ok || got != at {
			t.Fatalf("not recognised as its own: %d, %v", got, ok)
		}
	}
	other, err := fnote.NewSignerForCosignatureV1(key.Secret())
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := other.Sign([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := key.cosigned(text, checkpoint.Signature{Name: other.Name(), KeyID: other.KeyHash(), Sig: theirs}); !ok {
		t.Fatal("the other implementation's cosignature with our key is not ours")
	}
	if _, err := policy.Parse(fmt.Appendf(nil, "witness w %s\nquorum w\n", key.Verifier())); err != nil {
		t.Fatal(err)
	}
}

func TestForeignCosignaturesAreNotOurs(t *testing.T) {
	key, other := newTestKey(t, "witness.example/w1"), newTestKey(t, "witness.example/w1")
	text := checkpoint.Checkpoint{Origin: "log.example", Size: 7}.Body()
	good := key.Cosign(text, 5)
	short := good
	short.Sig = short.Sig[:71]
	anotherTime := good
	anotherTime.Sig = append([]byte(nil), good.Sig...)
	anotherTime.Sig[7]++
	renamed := good
	renamed.Name += "x"
	for name, sig := range map[string]checkpoint.Signature{
		"another key's": other.Cosign(text, 5), "another text's": key.Cosign(text+"x", 5),
		"short": short, "another time": anotherTime, "renamed": renamed, "empty": {},
	} {
		if _, ok := key.cosigned(text, sig); ok {
			t.Errorf("%s is taken for the key's own", name)
		}
	}
}

func TestParseKey(t *testing.T) {
	key := newTestKey(t, "witness.example/w1")
	secret := key.Secret()
	again, err := ParseKey(secret)
	if err != nil || again.Secret() != secret || again.Verifier() != key.Verifier() || again.Name() != "witness.example/w1" {
		t.Fatalf("%v", err)
	}
	logKey, _, err := note.GenerateKey(nil, "witness.example/w1")
	if err != nil {
		t.Fatal(err)
	}
	material := strings.SplitN(secret, "+", 5)[4]
	for name, bad := range map[string]string{
		"empty":            "",
		"public":           key.Verifier(),
		"a log's":          logKey,
		"of another name":  strings.Replace(secret, "/w1", "/w2", 1),
		"with padding":     secret + "=",
		"with a line end":  secret + "\n",
		"with a space":     strings.Replace(secret, "/w1", "/w 1", 1),
		"of half a seed":   secret[:len(secret)-24],
		"without a name":   strings.Replace(secret, "witness.example/w1", "", 1),
		"of another ID":    strings.Replace(secret, fmt.Sprintf("%08x", key.id), "00000000", 1),
		"ID in capitals":   strings.Replace(secret, fmt.Sprintf("%08x", key.id), "ABCDEF01", 1),
		"of another start": strings.Replace(secret, "PRIVATE", "SECRET", 1),
	} {
		got, err := ParseKey(bad)
		if err == nil {
			t.Errorf("%s: taken as %s", name, got.Name())
		} else if strings.Contains(err.Error(), material[4:20]) {
			t.Errorf("%s: the error shows the key: %v", name, err)
		}
	}
	for _, name := range []string{"", "a b", "a+b", "a\nb", strings.Repeat("x", 256), "\xff"} {
		if _, err := NewKey(name); err == nil {
			t.Errorf("a witness is named %.20q", name)
		}
	}
}
