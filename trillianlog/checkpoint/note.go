package checkpoint

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
)

// Limits on a signed checkpoint. Sixteen post-quantum signatures of 5 kB fit.
const (
	MaxSignatures = 100
	MaxSize       = 256 << 10 // bytes
)

const (
	sigPrefix = "— "
	keyIDSize = 4
)

// A Note is a signed text (https://c2sp.org/signed-note).
type Note struct {
	Text       string      // ends in LF
	Signatures []Signature // in the order of the lines; none of them has been verified
}

// A Signature is one signature line of a note.
type Signature struct {
	Name  string // of the key
	KeyID uint32
	Sig   []byte // what follows the key id; its form depends on the key's type
}

// ParseNote reads a signed note. For every text that it accepts, Append gives
// that text again. It does not verify anything.
func ParseNote(signed []byte) (*Note, error) {
	if len(signed) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes; the limit is %d", ErrMalformed, len(signed), MaxSize)
	}
	if !utf8.Valid(signed) {
		return nil, fmt.Errorf("%w: not UTF-8", ErrMalformed)
	}
	for i, c := range signed {
		if c < 0x20 && c != '\n' {
			return nil, fmt.Errorf("%w: control character %#02x at byte %d", ErrMalformed, c, i)
		}
	}
	split := bytes.LastIndex(signed, []byte("\n\n"))
	if split < 0 {
		return nil, fmt.Errorf("%w: no blank line between the text and its signatures", ErrMalformed)
	}
	n := &Note{Text: string(signed[:split+1])}
	lines := string(signed[split+2:])
	if lines == "" {
		return nil, fmt.Errorf("%w: no signature line", ErrMalformed)
	}
	for lines != "" {
		line, rest, ok := strings.Cut(lines, "\n")
		if !ok {
			return nil, fmt.Errorf("%w: the last signature line does not end in LF", ErrMalformed)
		}
		if len(n.Signatures) == MaxSignatures {
			return nil, fmt.Errorf("%w: more than %d signatures", ErrMalformed, MaxSignatures)
		}
		sig, err := parseSignature(line)
		if err != nil {
			return nil, fmt.Errorf("%w: signature line %d: %w", ErrMalformed, len(n.Signatures)+1, err)
		}
		n.Signatures = append(n.Signatures, sig)
		lines = rest
	}
	return n, nil
}

func parseSignature(line string) (Signature, error) {
	line, ok := strings.CutPrefix(line, sigPrefix)
	name, text, ok2 := strings.Cut(line, " ")
	if !ok || !ok2 || !validName(name) {
		return Signature{}, fmt.Errorf("want an em dash, the key's name and the signature, separated by single spaces")
	}
	raw, err := b64.DecodeString(text)
	if err != nil || len(raw) <= keyIDSize {
		return Signature{}, fmt.Errorf("the signature by %.80q is not a key id and a signature in standard base64 with padding", name)
	}
	return Signature{Name: name, KeyID: binary.BigEndian.Uint32(raw), Sig: raw[keyIDSize:]}, nil
}

// Append appends the signed note to dst.
func (n *Note) Append(dst []byte) []byte {
	dst = append(dst, n.Text...)
	dst = append(dst, '\n')
	for _, s := range n.Signatures {
		dst = s.Append(dst)
	}
	return dst
}

// Append appends the signature's line, with its LF, to dst.
func (s Signature) Append(dst []byte) []byte {
	raw := make([]byte, 0, 128)
	raw = binary.BigEndian.AppendUint32(raw, s.KeyID)
	raw = append(raw, s.Sig...)
	dst = append(dst, sigPrefix...)
	dst = append(dst, s.Name...)
	dst = append(dst, ' ')
	dst = b64.AppendEncode(dst, raw)
	return append(dst, '\n')
}

// Verified gives the signatures that known keys made. A line counts as made by a
// known key when both name and key id agree; if such a signature does not hold,
// the whole note is refused with a *SignatureError. Signatures by unknown keys
// are ignored. The same key may have several lines: all are verified and given.
func (n *Note) Verified(known ...note.Verifier) ([]Signature, error) {
	text := []byte(n.Text)
	var held []Signature
	for _, s := range n.Signatures {
		for _, v := range known {
			if v.KeyHash() != s.KeyID || v.Name() != s.Name {
				continue
			}
			if !v.Verify(text, s.Sig) {
				return nil, &SignatureError{Name: s.Name, KeyID: s.KeyID}
			}
			held = append(held, s)
			break
		}
	}
	return held, nil
}

// A SignatureError says that a line names a known key, but that this key did not
// sign the text.
type SignatureError struct {
	Name  string
	KeyID uint32
}

func (e *SignatureError) Error() string {
	return fmt.Sprintf("the signature by %s+%08x does not hold: the checkpoint was changed after it was signed, or another key of that name signed it", e.Name, e.KeyID)
}
