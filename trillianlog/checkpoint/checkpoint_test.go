package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/internal/testdata"
	"github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"
)

const rootText = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="

// seeded is a source of keys that are the same each time.
type seeded byte

func (s seeded) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(s)
	}
	return len(b), nil
}

func newKey(t testing.TB, name string, seed byte) (note.Signer, note.Verifier) {
	t.Helper()
	skey, vkey, err := note.GenerateKey(seeded(seed), name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return s, v
}

func TestParseBody(t *testing.T) {
	long := strings.Repeat("o", MaxOriginSize)
	for _, text := range []string{
		"example.com/log\n0\n" + rootText + "\n",
		"example.com/log\n20852163\n" + rootText + "\n",
		"höhe.example/log\n18446744073709551615\n" + rootText + "\n",
		long + "\n1\n" + rootText + "\n",
	} {
		c, err := ParseBody(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if c.Body() != text {
			t.Errorf("%q prints back as %q", text, c.Body())
		}
	}
	for name, text := range map[string]string{
		"empty":                   "",
		"no last LF":              "example.com/log\n1\n" + rootText,
		"two lines":               "example.com/log\n1\n",
		"extension line":          "example.com/log\n1\n" + rootText + "\nmore\n",
		"empty fourth line":       "example.com/log\n1\n" + rootText + "\n\n",
		"empty origin":            "\n1\n" + rootText + "\n",
		"origin with space":       "go.sum database tree\n1\n" + rootText + "\n",
		"origin with wide space":  "example.com/\u2003log\n1\n" + rootText + "\n",
		"origin with plus":        "example.com/log+1\n1\n" + rootText + "\n",
		"origin with control":     "example.com/\x01log\n1\n" + rootText + "\n",
		"origin not UTF-8":        "example.com/\xff\n1\n" + rootText + "\n",
		"origin one too long":     long + "o\n1\n" + rootText + "\n",
		"leading zeros":           "example.com/log\n007\n" + rootText + "\n",
		"double zero":             "example.com/log\n00\n" + rootText + "\n",
		"plus sign":               "example.com/log\n+7\n" + rootText + "\n",
		"minus sign":              "example.com/log\n-7\n" + rootText + "\n",
		"underscore":              "example.com/log\n1_0\n" + rootText + "\n",
		"hexadecimal":             "example.com/log\n0x7\n" + rootText + "\n",
		"space after size":        "example.com/log\n7 \n" + rootText + "\n",
		"no size":                 "example.com/log\n\n" + rootText + "\n",
		"2^64":                    "example.com/log\n18446744073709551616\n" + rootText + "\n",
		"CRLF":                    "example.com/log\r\n7\r\n" + rootText + "\r\n",
		"short root":              "example.com/log\n7\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxqw==\n",
		"long root":               "example.com/log\n7\n" + strings.Repeat("A", 48) + "\n",
		"root without padding":    "example.com/log\n7\n" + strings.TrimSuffix(rootText, "=") + "\n",
		"root in URL base64":      "example.com/log\n7\n" + strings.ReplaceAll(rootText, "/", "_") + "\n",
		"root with trailing bits": "example.com/log\n7\n" + strings.Replace(rootText, "q2I=", "q2J=", 1) + "\n",
		"root with CR":            "example.com/log\n7\n" + rootText[:42] + "\r=\n",
	} {
		if c, err := ParseBody(text); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %v, %v; want ErrMalformed", name, c, err)
		}
	}
}

// What another implementation reads and writes must be the same text.
func TestBodyAgainstFormats(t *testing.T) {
	for _, size := range []uint64{0, 1, 1 << 40} {
		c := Checkpoint{Origin: "example.com/log", Size: size, Root: sha256.Sum256([]byte{byte(size)})}
		other := log.Checkpoint{Origin: c.Origin, Size: c.Size, Hash: c.Root[:]}
		if got := c.Body(); got != string(other.Marshal()) {
			t.Errorf("got %q, formats/log writes %q", got, other.Marshal())
		}
	}
}

func TestSignAndOpen(t *testing.T) {
	signer, verifier := newKey(t, "example.com/log", 1)
	nextSigner, nextVerifier := newKey(t, "example.com/log", 2)
	otherSigner, otherVerifier := newKey(t, "example.com/other", 3)
	c := Checkpoint{Origin: "example.com/log", Size: 7, Root: sha256.Sum256([]byte("seven"))}

	signed, err := Sign(c, signer)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := Sign(c, signer); !bytes.Equal(signed, again) {
		t.Errorf("signed twice: %q, %q", signed, again)
	}
	if reference, err := note.Sign(&note.Note{Text: c.Body()}, signer); err != nil || !bytes.Equal(signed, reference) {
		t.Errorf("got %q, x/mod signs %q, %v", signed, reference, err)
	}
	if n, err := note.Open(signed, note.VerifierList(verifier)); err != nil || n.Text != c.Body() {
		t.Errorf("x/mod does not open it: %v", err)
	}
	overlap, err := Sign(c, nextSigner, signer, otherSigner)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Sign(c, otherSigner); err == nil {
		t.Error("another log's key signed")
	}
	forged := c
	forged.Size++
	byOther, err := Sign(Checkpoint{Origin: "example.com/other", Size: 7, Root: c.Root}, otherSigner)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Replace(signed, []byte("\n7\n"), []byte("\n8\n"), 1)
	var origin *OriginError
	var signature *SignatureError
	for _, test := range []struct {
		name   string
		signed []byte
		log    []note.Verifier
		ok     func(error) bool
	}{
		{"signed", signed, []note.Verifier{verifier}, isNil},
		{"one of two keys", signed, []note.Verifier{nextVerifier, verifier}, isNil},
		{"several signatures", overlap, []note.Verifier{verifier}, isNil},
		{"both keys", overlap, []note.Verifier{verifier, nextVerifier}, isNil},
		{"changed", changed, []note.Verifier{verifier}, func(err error) bool { return errors.As(err, &signature) }},
		{"one signature changed", bytes.Replace(overlap, []byte("\n7\n"), []byte("\n8\n"), 1), []note.Verifier{nextVerifier}, func(err error) bool { return errors.As(err, &signature) }},
		{"no keys", signed, nil, func(err error) bool { return errors.As(err, &origin) }},
		{"another log's key", signed, []note.Verifier{otherVerifier}, func(err error) bool { return errors.As(err, &origin) }},
		{"another log's checkpoint", byOther, []note.Verifier{verifier}, func(err error) bool { return errors.As(err, &origin) }},
		{"unknown key of that name", signed, []note.Verifier{nextVerifier}, func(err error) bool { return errors.Is(err, ErrUnsigned) }},
	} {
		if got, err := Open(test.signed, test.log...); !test.ok(err) || err == nil && got != c {
			t.Errorf("%s: got %v, %v", test.name, got, err)
		}
	}
	// A signature by the other log's key over our text does not make it ours.
	n := Note{Text: c.Body()}
	sig, _ := otherSigner.Sign([]byte(n.Text))
	n.Signatures = []Signature{{Name: otherSigner.Name(), KeyID: otherSigner.KeyHash(), Sig: sig}}
	if _, err := Open(n.Append(nil), verifier, otherVerifier); !errors.Is(err, ErrUnsigned) {
		t.Errorf("signed by another log's key only: %v", err)
	}
}

func isNil(err error) bool { return err == nil }

func TestParseNote(t *testing.T) {
	signer, verifier := newKey(t, "example.com/log", 1)
	signed, err := Sign(Checkpoint{Origin: "example.com/log", Size: 7}, signer)
	if err != nil {
		t.Fatal(err)
	}
	text, line, _ := strings.Cut(string(signed), "\n\n")
	text += "\n\n"
	for _, n := range []int{1, 16, MaxSignatures} {
		many := []byte(text + strings.Repeat(line, n))
		if _, err := Open(many, verifier); err != nil {
			t.Errorf("%d signatures: %v", n, err)
		}
		if _, parsed, err := Parse(many); err != nil || !bytes.Equal(parsed.Append(nil), many) {
			t.Errorf("%d signatures do not print back: %v", n, err)
		}
	}
	// As large as sixteen post-quantum signatures.
	big := Signature{Name: "witness.example/w", KeyID: 1, Sig: make([]byte, 5000)}
	large := []byte(text + line)
	for range 16 {
		large = big.Append(large)
	}
	if _, err := Open(large, verifier); err != nil {
		t.Errorf("%d bytes: %v", len(large), err)
	}
	for name, bad := range map[string]string{
		"too many signatures":   text + strings.Repeat(line, MaxSignatures+1),
		"too large":             text + line + strings.Repeat("x", MaxSize),
		"no signature":          text,
		"no blank line":         strings.Replace(text, "\n\n", "\n", 1) + line,
		"no last LF":            text + strings.TrimSuffix(line, "\n"),
		"hyphen for dash":       text + strings.Replace(line, "—", "-", 1),
		"two spaces":            text + strings.Replace(line, "— ", "—  ", 1),
		"trailing space":        text + strings.Replace(line, "\n", " \n", 1),
		"name with plus":        text + strings.Replace(line, "/log", "/l+g", 1),
		"no name":               text + "— \n",
		"empty signature":       text + "— example.com/log \n",
		"key id only":           text + "— example.com/log AAAAAA==\n",
		"base64 not canonical":  text + strings.Replace(line, "=\n", "\n", 1),
		"CR in base64":          text + strings.Replace(line, "=\n", "=\r\n", 1),
		"blank line in between": text + line + "\n" + line,
		"tab in the text":       "\t" + text + line,
		"not UTF-8":             "\xff" + text + line,
	} {
		if _, _, err := Parse([]byte(bad)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %v, want ErrMalformed", name, err)
		}
	}
}

// The published vectors for consistency proofs.
func TestConsistencyVectors(t *testing.T) {
	dir := filepath.Join(testdata.Dir(t), "rfc6962", "consistency")
	n := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var v struct {
			Size1, Size2 uint64
			Root1, Root2 []byte
			Proof        [][]byte
			WantErr      bool
		}
		if err := json.Unmarshal(data, &v); err != nil {
			return err
		}
		// A hash of another length cannot be said in this interface: the parsers refuse
		// it before.
		ok := len(v.Root1) == 32 && len(v.Root2) == 32
		var proof [][32]byte
		for _, h := range v.Proof {
			if ok = ok && len(h) == 32; ok {
				proof = append(proof, [32]byte(h))
			}
		}
		if !ok {
			return nil
		}
		n++
		older := Checkpoint{Origin: "o", Size: v.Size1, Root: [32]byte(v.Root1)}
		newer := Checkpoint{Origin: "o", Size: v.Size2, Root: [32]byte(v.Root2)}
		got := newer.Follows(older, proof)
		// The vectors leave the root of an empty tree open; here it is fixed.
		if older.Size == 0 && older.Root != sha256.Sum256(nil) || newer.Size == 0 && newer.Root != sha256.Sum256(nil) {
			v.WantErr = true
		}
		if (got != nil) != v.WantErr {
			t.Errorf("%s: got %v, wantErr %v", path, got, v.WantErr)
		}
		if got != nil && !errors.Is(got, ErrInconsistent) {
			t.Errorf("%s: %v is not ErrInconsistent", path, got)
		}
		newer.Origin = "p"
		if newer.Follows(older, proof) == nil {
			t.Errorf("%s: another origin was accepted", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n < 50 {
		t.Errorf("only %d vectors found", n)
	}
}

func FuzzParse(f *testing.F) {
	signer, _ := newKey(f, "example.com/log", 1)
	signed, err := Sign(Checkpoint{Origin: "example.com/log", Size: 7}, signer)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed)
	f.Add([]byte("example.com/log\n0\n" + rootText + "\n\n— a AAAAAAA=\n— b AAAAAAA=\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, n, err := Parse(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("%v is not ErrMalformed", err)
			}
			return
		}
		if got := n.Append(nil); !bytes.Equal(got, b) {
			t.Fatalf("%q prints back as %q", b, got)
		}
		if c.Body() != n.Text {
			t.Fatalf("%q prints back as %q", n.Text, c.Body())
		}
		// The reference parser reads every note that this one reads.
		var unverified *note.UnverifiedNoteError
		if _, err := note.Open(b, nil); !errors.As(err, &unverified) {
			t.Fatalf("x/mod refuses %q: %v", b, err)
		}
	})
}
