package witness

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// The example of the specification.
const example = `old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
`

func TestParseRequest(t *testing.T) {
	r, err := ParseRequest([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	if r.Old != 20852014 || len(r.Proof) != 4 || r.Checkpoint.Size != 20852163 || r.Checkpoint.Origin != "example.com/behind-the-sofa" || len(r.Note.Signatures) != 2 {
		t.Fatalf("read as %+v", r)
	}
	if got := r.Append(nil); string(got) != example {
		t.Fatalf("prints back as\n%s", got)
	}
	hash := "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n"
	_, after, _ := strings.Cut(example, "\n\n")
	for _, head := range []string{"old 0\n", "old 18446744073709551615\n", "old 1\n" + hash, "old 1\n" + strings.Repeat(hash, MaxProof)} {
		body := head + "\n" + after
		if r, err := ParseRequest([]byte(body)); err != nil || string(r.Append(nil)) != body {
			t.Errorf("%.60q: %v", head, err)
		}
	}
	for name, body := range map[string]string{
		"empty":                     "",
		"no checkpoint":             "old 0\n\n",
		"no blank line":             "old 0\n" + after,
		"no old line":               "\n" + after,
		"no old line but a hash":    hash + "\n" + after,
		"old size missing":          "old \n\n" + after,
		"no space":                  "old0\n\n" + after,
		"two spaces":                "old  0\n\n" + after,
		"tab":                       "old\t0\n\n" + after,
		"capitals":                  "Old 0\n\n" + after,
		"leading zero":              "old 01\n\n" + after,
		"two zeros":                 "old 00\n\n" + after,
		"plus":                      "old +1\n\n" + after,
		"minus":                     "old -1\n\n" + after,
		"hexadecimal":               "old 0x1\n\n" + after,
		"2^64":                      "old 18446744073709551616\n\n" + after,
		"space behind":              "old 1 \n\n" + after,
		"CRLF":                      "old 1\r\n\r\n" + after,
		"old twice":                 "old 1\nold 1\n\n" + after,
		"short hash":                "old 1\nPlRN\n\n" + after,
		"hash without padding":      "old 1\n" + strings.TrimSuffix(hash, "=\n") + "\n\n" + after,
		"hash not canonical":        "old 1\n" + strings.Replace(hash, "aw=", "ax=", 1) + "\n" + after,
		"hash in URL base64":        "old 1\n" + strings.Replace(hash, "Pl", "_l", 1) + "\n" + after,
		"space before a hash":       "old 1\n " + hash + "\n" + after,
		"two hashes on a line":      "old 1\n" + strings.TrimSpace(hash) + hash + "\n" + after,
		"one hash too many":         "old 1\n" + strings.Repeat(hash, MaxProof+1) + "\n" + after,
		"two blank lines":           "old 1\n\n\n" + after,
		"unsigned checkpoint":       "old 1\n\n" + after[:strings.Index(after, "\n\n")+1],
		"no line end":               strings.TrimSuffix(example, "\n"),
		"size with zeros":           strings.Replace(example, "\n20852163\n", "\n020852163\n", 1),
		"short root":                strings.Replace(example, "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=", "CsUY", 1),
		"extension line":            strings.Replace(example, "jxq2I=\n", "jxq2I=\nmore\n", 1),
		"origin with a space":       strings.Replace(example, "\nexample.com/b", "\nexample.com b", 1),
		"something behind":          example + "\n",
		"a NUL":                     strings.Replace(example, "sofa\n", "sofa\x00\n", 1),
		"one byte more than may be": example + strings.Repeat("x", MaxRequest+1-len(example)),
	} {
		if r, err := ParseRequest([]byte(body)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

// Parse → format is the identity, or an error.
func FuzzParseRequest(f *testing.F) {
	f.Add([]byte(example))
	f.Add([]byte(strings.Replace(example, "old 20852014", "old 0", 1)))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := ParseRequest(body)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("%v is not ErrMalformed", err)
			}
			return
		}
		if got := r.Append(nil); !bytes.Equal(got, body) {
			t.Fatalf("%q prints back as %q", body, got)
		}
		if len(r.Proof) > MaxProof {
			t.Fatalf("%d hashes", len(r.Proof))
		}
		// Whatever it says, it can be judged.
		last := memory{Checkpoint: emptyCheckpoint(r.Checkpoint.Origin)}
		_ = r.Checkpoint.Follows(last.Checkpoint, r.Proof)
		last.Size = r.Old
		_ = r.Checkpoint.Follows(last.Checkpoint, r.Proof)
	})
}
