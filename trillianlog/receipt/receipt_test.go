package receipt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/internal/testdata"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/transparency-dev/formats/proof"
)

const signedText = "example.com/log\n7\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n— example.com/log AAAAAAA=\n"

const hashLine = "gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=\n"

func TestRoundTrip(t *testing.T) {
	for _, text := range []string{
		header + "index 0\n\n" + signedText,
		header + "index 18446744073709551615\n" + hashLine + hashLine + "\n" + signedText,
		header + "extra AAE=\nindex 3\n" + strings.Repeat(hashLine, MaxProof) + "\n" + signedText,
	} {
		r, err := Parse([]byte(text))
		if err != nil {
			t.Errorf("%.60q: %v", text, err)
			continue
		}
		if got := r.Append(nil); string(got) != text || len(got) != r.Size() {
			t.Errorf("%q prints back as %q, Size says %d", text, got, r.Size())
		}
		var other proof.TLogProof
		if err := other.Unmarshal([]byte(text)); err != nil || string(other.Marshal()) != text {
			t.Errorf("formats/proof reads %q differently: %v", text, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"empty":               "",
		"no header":           "index 0\n\n" + signedText,
		"other version":       strings.Replace(header, "v1", "v2", 1) + "index 0\n\n" + signedText,
		"no index":            header + "\n" + signedText,
		"no index but hashes": header + hashLine + "\n" + signedText,
		"leading zero":        header + "index 07\n\n" + signedText,
		"negative":            header + "index -7\n\n" + signedText,
		"2^64":                header + "index 18446744073709551616\n\n" + signedText,
		"two spaces":          header + "index  7\n\n" + signedText,
		"CRLF":                strings.ReplaceAll(header+"index 7\n\n"+signedText, "\n", "\r\n"),
		"empty extra":         header + "extra \nindex 7\n\n" + signedText,
		"extra not base64":    header + "extra %\nindex 7\n\n" + signedText,
		"extra with CR":       header + "extra AA\rE=\nindex 7\n\n" + signedText,
		"extra not canonical": header + "extra AAF=\nindex 7\n\n" + signedText,
		"extra twice":         header + "extra AAE=\nextra AAE=\nindex 7\n\n" + signedText,
		"extra after index":   header + "index 7\nextra AAE=\n\n" + signedText,
		"short hash":          header + "index 7\nAAE=\n\n" + signedText,
		"hash not canonical":  header + "index 7\n" + strings.Replace(hashLine, "lQ=", "lR=", 1) + "\n" + signedText,
		"too many hashes":     header + "index 7\n" + strings.Repeat(hashLine, MaxProof+1) + "\n" + signedText,
		"no blank line":       header + "index 7\n" + signedText,
		"two blank lines":     header + "index 7\n\n\n" + signedText,
		"no checkpoint":       header + "index 7\n\n",
		"lax checkpoint":      header + "index 7\n\n" + strings.Replace(signedText, "\n7\n", "\n07\n", 1),
		"text after it":       header + "index 7\n\n" + signedText + "more\n",
		"too large":           header + "index 7\n\n" + signedText + strings.Repeat("x", MaxSize),
		"extra too large":     header + "extra " + b64.EncodeToString(make([]byte, MaxExtraSize+1)) + "\nindex 7\n\n" + signedText,
	} {
		if r, err := Parse([]byte(text)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %+v, %v; want ErrMalformed", name, r, err)
		}
	}
	atLimit := header + "extra " + b64.EncodeToString(make([]byte, MaxExtraSize)) + "\nindex 7\n\n" + signedText
	if _, err := Parse([]byte(atLimit)); err != nil {
		t.Errorf("extra data of %d bytes: %v", MaxExtraSize, err)
	}
}

// The published vectors for inclusion proofs.
func TestInclusionVectors(t *testing.T) {
	dir := filepath.Join(testdata.Dir(t), "rfc6962", "inclusion")
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
			LeafIdx, TreeSize uint64
			Root, LeafHash    []byte
			Proof             [][]byte
			WantErr           bool
		}
		if err := json.Unmarshal(data, &v); err != nil {
			return err
		}
		n++
		got := verifyVector(v.LeafIdx, v.TreeSize, v.Root, v.LeafHash, v.Proof)
		if (got != nil) != v.WantErr {
			t.Errorf("%s: got %v, wantErr %v", path, got, v.WantErr)
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

// verifyVector writes a vector as the text of a receipt and verifies what Parse
// reads. The text takes whatever bytes the vector has.
func verifyVector(index, size uint64, root, leaf []byte, path [][]byte) error {
	var text bytes.Buffer
	fmt.Fprintf(&text, "%sindex %d\n", header, index)
	for _, h := range path {
		fmt.Fprintln(&text, b64.EncodeToString(h))
	}
	fmt.Fprintf(&text, "\no\n%d\n%s\n\n— o AAAAAAA=\n", size, b64.EncodeToString(root))
	r, err := Parse(text.Bytes())
	if err != nil {
		return err
	}
	if len(leaf) != 32 {
		return errors.New("a leaf hash has 32 bytes")
	}
	_, err = r.Verify([32]byte(leaf), func(signed []byte) (checkpoint.Checkpoint, error) {
		c, _, err := checkpoint.Parse(signed)
		return c, err
	})
	return err
}

func TestVerifyErrors(t *testing.T) {
	r, err := Parse([]byte(header + "index 7\n\n" + signedText))
	if err != nil {
		t.Fatal(err)
	}
	refused := errors.New("refused")
	at := func(size uint64, err error) func([]byte) (checkpoint.Checkpoint, error) {
		return func(signed []byte) (checkpoint.Checkpoint, error) {
			if string(signed) != signedText {
				t.Errorf("open was given %q", signed)
			}
			return checkpoint.Checkpoint{Origin: "o", Size: size}, err
		}
	}
	for _, test := range []struct {
		open func([]byte) (checkpoint.Checkpoint, error)
		want error
	}{
		{at(7, nil), ErrIndex},
		{at(0, nil), ErrIndex},
		{at(8, nil), ErrProof},
		{at(8, refused), refused},
	} {
		if c, err := r.Verify([32]byte{}, test.open); !errors.Is(err, test.want) || c != (checkpoint.Checkpoint{}) {
			t.Errorf("got %v, %v; want %v", c, err, test.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(header + "index 0\n\n" + signedText))
	f.Add([]byte(header + "extra AAE=\nindex 3\n" + hashLine + hashLine + "\n" + signedText))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Parse(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("%v is not ErrMalformed", err)
			}
			return
		}
		if got := r.Append(nil); !bytes.Equal(got, b) || len(got) != r.Size() {
			t.Fatalf("%q prints back as %q", b, got)
		}
		if len(b) > 60_000 {
			return // the other implementation has a limit on lines
		}
		var other proof.TLogProof
		if err := other.Unmarshal(b); err != nil || other.Index != r.Index || len(other.Hashes) != len(r.Proof) {
			t.Fatalf("formats/proof reads %q differently: %v", b, err)
		}
	})
}
