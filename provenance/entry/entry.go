// Package entry reads, writes and signs entries: the bytes of a log's leaves.
//
// An entry is a C2SP signed note (https://c2sp.org/signed-note) of one fixed shape:
//
//	tallyroot/entry/v1 <origin> <participant>[,<participant>]
//	<canonical JSON object, one line>
//
//	— <key name> <base64 of 4+64 bytes>
//
// with one signature line for each participant of the header, in that order,
// and nothing else. What is signed is the text: the first two lines with their
// line feeds. Its first line names the log and the signers, so an entry cannot be
// moved to another log, nor given a signer that it did not have.
//
// Parse takes exactly the bytes that Append gives back, and refuses all others.
// Signatures are Ed25519 by the rules of ZIP-215, so that every implementation
// agrees on every one of them, the odd points included.
//
// The package knows no clock, and does not know whose key is whose: package
// participant judges that. The format is described for other implementations in
// docs/entries.md.
package entry

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/tallyroot/tallyroot/provenance/jcs"
)

const (
	// MaxSize is the largest entry, in bytes: the length that an entry bundle of
	// tlog-tiles can give it.
	MaxSize = 65535

	// MaxParticipants is how many participants may sign one entry: who hands over
	// and who takes over.
	MaxParticipants = 2

	headerPrefix    = "tallyroot/entry/v1 "
	signaturePrefix = "— "
	signatureSize   = 4 + 64
)

// The ways in which bytes can fail to be an entry.
var (
	ErrTooLarge   = errors.New("the entry is too large")
	ErrHeader     = errors.New("the entry's first line is malformed")
	ErrJSON       = errors.New("the entry's second line is not a canonical JSON object")
	ErrSignatures = errors.New("the entry's signature lines are malformed")
)

// A TooLargeError says how large an entry is, in bytes, and how large it may be.
// It is an ErrTooLarge.
type TooLargeError struct{ Size, Limit int }

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the entry has %d bytes; at most %d are allowed", e.Size, e.Limit)
}

// Is makes the error an ErrTooLarge.
func (e *TooLargeError) Is(target error) bool { return target == ErrTooLarge }

// An Entry is a well-formed entry. Whether its signatures hold is for package
// participant to say.
type Entry struct {
	Origin       string      // of the log
	Participants []string    // the signers, in the header's order
	JSON         jcs.Value   // what they say: an object
	Text         []byte      // what is signed: the header and the JSON, each with its line feed
	Signatures   []Signature // one for each participant, in the same order
}

// A Signature is one signature line.
type Signature struct {
	Name  string // of the key, as in KeyName or OperatorKeyName
	KeyID uint32
	Sig   [64]byte
}

// Parse reads an entry. The Entry's Text is a part of b, which must not change
// afterwards. Its error is an ErrTooLarge, ErrHeader, ErrJSON or ErrSignatures.
func Parse(b []byte) (*Entry, error) {
	if len(b) > MaxSize {
		return nil, &TooLargeError{len(b), MaxSize}
	}
	header, rest, ok := bytes.Cut(b, []byte("\n"))
	if !ok {
		return nil, fmt.Errorf("%w: it does not end", ErrHeader)
	}
	e := new(Entry)
	if err := e.parseHeader(string(header)); err != nil {
		return nil, err
	}
	line, rest, ok := bytes.Cut(rest, []byte("\n"))
	if !ok {
		return nil, fmt.Errorf("%w: the line does not end", ErrJSON)
	}
	var err error
	if e.JSON, err = jcs.ParseCanonical(line); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrJSON, err)
	}
	if e.JSON.Kind() != jcs.Object {
		return nil, fmt.Errorf("%w: it is of kind %v", ErrJSON, e.JSON.Kind())
	}
	e.Text = b[: len(header)+len(line)+2 : len(header)+len(line)+2]
	if e.Signatures, err = parseSignatures(rest, e.Origin, e.Participants); err != nil {
		return nil, err
	}
	return e, nil
}

// Signers gives the Participants of bytes that are known to be an entry: it reads
// the header alone. Its error is an ErrHeader.
func Signers(b []byte) ([]string, error) {
	header, _, ok := bytes.Cut(b, []byte("\n"))
	if !ok {
		return nil, fmt.Errorf("%w: it does not end", ErrHeader)
	}
	e := new(Entry)
	err := e.parseHeader(string(header))
	return e.Participants, err
}

func (e *Entry) parseHeader(header string) error {
	rest, ok := strings.CutPrefix(header, headerPrefix)
	if !ok {
		return fmt.Errorf("%w: it does not begin with %q", ErrHeader, headerPrefix)
	}
	origin, list, ok := strings.Cut(rest, " ")
	if !ok {
		return fmt.Errorf("%w: it names no participant", ErrHeader)
	}
	participants := strings.SplitN(list, ",", MaxParticipants+1)
	if err := checkHeader(origin, participants); err != nil {
		return err
	}
	e.Origin, e.Participants = origin, participants
	return nil
}

// checkHeader gives the reason why an entry of this origin and these
// participants cannot be, as an ErrHeader.
func checkHeader(origin string, participants []string) error {
	if err := CheckOrigin(origin); err != nil {
		return fmt.Errorf("%w: %w", ErrHeader, err)
	}
	if len(participants) == 0 || len(participants) > MaxParticipants {
		return fmt.Errorf("%w: it must name 1 to %d participants", ErrHeader, MaxParticipants)
	}
	for i, p := range participants {
		if p == Operator {
			if len(participants) > 1 {
				return fmt.Errorf("%w: the operator signs alone", ErrHeader)
			}
			continue
		}
		if err := ParticipantID(p); err != nil {
			return fmt.Errorf("%w: %w", ErrHeader, err)
		}
		if i > 0 && p == participants[0] {
			return fmt.Errorf("%w: it names %s twice", ErrHeader, p)
		}
	}
	return nil
}

// parseSignatures reads what follows the text: the empty line and the
// signature lines.
func parseSignatures(b []byte, origin string, participants []string) ([]Signature, error) {
	rest, ok := bytes.CutPrefix(b, []byte("\n"))
	if !ok {
		return nil, fmt.Errorf("%w: an empty line must follow the JSON", ErrSignatures)
	}
	signatures := make([]Signature, len(participants))
	for i, participant := range participants {
		line, after, ok := bytes.Cut(rest, []byte("\n"))
		if !ok {
			return nil, fmt.Errorf("%w: line %d of %d is missing or does not end", ErrSignatures, i+1, len(participants))
		}
		line, ok = bytes.CutPrefix(line, []byte(signaturePrefix))
		if !ok {
			return nil, fmt.Errorf("%w: line %d does not begin with an em dash and a space", ErrSignatures, i+1)
		}
		var err error
		if signatures[i], err = ParseSignature(string(line)); err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrSignatures, i+1, err)
		}
		if name := signatures[i].Name; !isKeyOf(name, origin, participant) {
			return nil, fmt.Errorf("%w: line %d: %q is no key name of %s in %s", ErrSignatures, i+1, name, participant, origin)
		}
		rest = after
	}
	if len(rest) != 0 {
		return nil, fmt.Errorf("%w: %d bytes follow the last of the %d lines", ErrSignatures, len(rest), len(participants))
	}
	return signatures, nil
}

// ParseSignature reads `<key name> <base64 of key id and signature>`: a signed
// note's signature line without the dash before it.
func ParseSignature(line string) (Signature, error) {
	name, encoded, ok := strings.Cut(line, " ")
	if !ok || checkName("key name", name, maxKeyName) != nil {
		return Signature{}, errors.New("want a key name, a space and a signature in base64")
	}
	var raw [signatureSize + 1]byte // DecodedLen counts the padding
	if len(encoded) != base64.StdEncoding.EncodedLen(signatureSize) {
		return Signature{}, fmt.Errorf("the signature has %d characters; want the %d of %d bytes in base64", len(encoded), base64.StdEncoding.EncodedLen(signatureSize), signatureSize)
	}
	if n, err := base64.StdEncoding.Strict().Decode(raw[:], []byte(encoded)); err != nil || n != signatureSize {
		return Signature{}, errors.New("the signature is not canonical base64 (standard alphabet, padded)")
	}
	s := Signature{Name: name, KeyID: binary.BigEndian.Uint32(raw[:4])}
	copy(s.Sig[:], raw[4:])
	return s, nil
}

// Append appends s as ParseSignature reads it to dst.
func (s Signature) Append(dst []byte) []byte {
	var raw [signatureSize]byte
	binary.BigEndian.PutUint32(raw[:4], s.KeyID)
	copy(raw[4:], s.Sig[:])
	dst = append(dst, s.Name...)
	dst = append(dst, ' ')
	return base64.StdEncoding.AppendEncode(dst, raw[:])
}

func (s Signature) String() string { return string(s.Append(nil)) }

// Append appends the entry's bytes to dst. Of e it needs Text and Signatures.
func (e *Entry) Append(dst []byte) []byte {
	dst = append(dst, e.Text...)
	dst = append(dst, '\n')
	for _, s := range e.Signatures {
		dst = append(dst, signaturePrefix...)
		dst = s.Append(dst)
		dst = append(dst, '\n')
	}
	return dst
}

// Canonical is the entry's JSON as it stands in Text, without its line feed.
func (e *Entry) Canonical() []byte {
	_, line, _ := bytes.Cut(e.Text, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\n"))
}

// Type is the JSON's member type: an EPCIS event type, one of the statement
// types of this package, or whatever stands there. It is empty when there is
// none.
func (e *Entry) Type() string { return typeOf(e.JSON) }

func typeOf(v jcs.Value) string {
	t, _ := v.Get("type")
	return t.Text()
}

// LeafHash is the RFC 6962 hash of an entry as a leaf: SHA-256(0x00 ‖ entry).
func LeafHash(entry []byte) (hash [32]byte) {
	h := sha256.New()
	h.Write([]byte{0})
	h.Write(entry)
	h.Sum(hash[:0])
	return hash
}
