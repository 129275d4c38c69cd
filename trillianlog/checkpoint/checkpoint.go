// Package checkpoint reads, writes, signs and opens the checkpoints of a
// transparency log: what https://c2sp.org/tlog-checkpoint describes, inside a
// signed note of https://c2sp.org/signed-note.
//
// It takes a narrower form than the specification allows: no extension lines,
// and an origin that is also a key name, because the log's key is named after
// its origin. What it accepts prints back byte for byte; everything else is an
// error. It never follows a clock, keeps no state and does no I/O.
package checkpoint

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxOriginSize bounds an origin, in bytes. ML-DSA cosignatures count it in one byte.
const MaxOriginSize = 255

// rootSize is the length of a root hash in base64.
const rootSize = 44

// ErrMalformed is what every error about the form of a checkpoint wraps.
var ErrMalformed = errors.New("malformed checkpoint")

// b64 refuses non-canonical trailing bits, so that text and bytes are one to one.
var b64 = base64.StdEncoding.Strict()

// A Checkpoint is the head of a log: the root hash that its first Size entries
// have (RFC 6962, section 2.1).
type Checkpoint struct {
	Origin string // names the log and its key
	Size   uint64 // number of entries
	Root   [sha256.Size]byte
}

// Body gives the text that is signed: three lines, each with its LF.
func (c Checkpoint) Body() string {
	return string(c.AppendBody(make([]byte, 0, len(c.Origin)+20+rootSize+3)))
}

// String is Body.
func (c Checkpoint) String() string { return c.Body() }

// AppendBody appends the body to dst.
func (c Checkpoint) AppendBody(dst []byte) []byte {
	dst = append(dst, c.Origin...)
	dst = append(dst, '\n')
	dst = strconv.AppendUint(dst, c.Size, 10)
	dst = append(dst, '\n')
	dst = b64.AppendEncode(dst, c.Root[:])
	return append(dst, '\n')
}

// ParseBody reads the text of a checkpoint, without signatures. For every text
// that it accepts, Body gives that text again.
func ParseBody(text string) (Checkpoint, error) {
	origin, rest, ok := strings.Cut(text, "\n")
	size, rest, ok2 := strings.Cut(rest, "\n")
	root, rest, ok3 := strings.Cut(rest, "\n")
	switch {
	case !ok || !ok2 || !ok3:
		return Checkpoint{}, fmt.Errorf("%w: want the three lines origin, size and root hash, each ending in LF", ErrMalformed)
	case rest != "":
		return Checkpoint{}, fmt.Errorf("%w: text follows the third line; extension lines are not accepted", ErrMalformed)
	}
	if err := ValidOrigin(origin); err != nil {
		return Checkpoint{}, fmt.Errorf("%w: line 1: %w", ErrMalformed, err)
	}
	c := Checkpoint{Origin: origin}
	var err error
	c.Size, err = strconv.ParseUint(size, 10, 64)
	if err != nil || strconv.FormatUint(c.Size, 10) != size {
		return Checkpoint{}, fmt.Errorf("%w: line 2: the size %.30q is not a decimal number below 2^64 without leading zeros", ErrMalformed, size)
	}
	if c.Root, err = DecodeHash(root); err != nil {
		return Checkpoint{}, fmt.Errorf("%w: line 3: the root hash %w", ErrMalformed, err)
	}
	return c, nil
}

// ValidOrigin tells whether s can be the origin of a log and the name of its
// key: not empty, at most MaxOriginSize bytes of UTF-8, without Unicode spaces,
// plus signs and control characters.
func ValidOrigin(s string) error {
	switch {
	case len(s) > MaxOriginSize:
		return fmt.Errorf("the origin has %d bytes; the limit is %d", len(s), MaxOriginSize)
	case !validName(s):
		return fmt.Errorf("%.80q cannot be an origin: want a name such as example.com/log, without spaces, plus signs and control characters", s)
	}
	return nil
}

// validName tells whether s can name a key in a signed note.
func validName(s string) bool {
	if s == "" || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r < 0x20 || r == '+' || unicode.IsSpace(r) {
			return false
		}
	}
	return true
}

// DecodeHash reads one SHA-256 hash in strict base64, as it stands on a line of
// a checkpoint or of a proof.
func DecodeHash(s string) (hash [sha256.Size]byte, err error) {
	var buf [rootSize]byte
	if len(s) != rootSize {
		return hash, fmt.Errorf("has %d characters; 32 bytes in base64 have %d", len(s), rootSize)
	}
	// The length leaves no room for the line breaks that the decoder would skip.
	n, err := b64.Decode(buf[:], []byte(s))
	if err != nil || n != len(hash) {
		return hash, fmt.Errorf("%q is not 32 bytes in standard base64 with padding", s)
	}
	copy(hash[:], buf[:])
	return hash, nil
}

// AppendHash appends what DecodeHash reads.
func AppendHash(dst []byte, hash [sha256.Size]byte) []byte { return b64.AppendEncode(dst, hash[:]) }
