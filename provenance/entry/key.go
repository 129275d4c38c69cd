package entry

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
)

const (
	algorithmEd25519 = 1
	privatePrefix    = "PRIVATE+KEY+"
)

// zip215 makes verification follow ZIP-215 (https://zips.z.cash/zip-0215):
// the cofactored equation, S below the group's order, points in any encoding
// and of any order.
var zip215 = &ed25519.Options{Verify: ed25519.VerifyOptionsZIP_215}

// A Verifier is the public part of a key: what others need to check its
// signatures.
type Verifier struct {
	Name   string
	ID     uint32 // the key id of signed-note: the first 4 bytes of SHA-256(name ‖ LF ‖ 0x01 ‖ public key)
	Public [32]byte
}

// ErrWeakKey says that a public key is no key that may be registered: its
// encoding is not the canonical one, it is no point of the curve, or it is of
// small order, so that anybody can make signatures that hold for it.
var ErrWeakKey = errors.New("the public key is not a canonical point of full order")

// NewVerifier gives the Verifier of a name and a public key, which must be
// canonical and not of small order (else ErrWeakKey).
func NewVerifier(name string, public [32]byte) (Verifier, error) {
	if err := checkName("key name", name, maxKeyName); err != nil {
		return Verifier{}, err
	}
	compressed := curve.CompressedEdwardsY(public)
	var point curve.EdwardsPoint
	if _, err := point.SetCompressedY(&compressed); err != nil || !compressed.IsCanonicalVartime() || point.IsSmallOrder() {
		return Verifier{}, ErrWeakKey
	}
	return Verifier{name, keyID(name, public), public}, nil
}

func keyID(name string, public [32]byte) uint32 {
	b := make([]byte, 0, maxKeyName+2+len(public))
	b = append(b, name...)
	b = append(b, '\n', algorithmEd25519)
	b = append(b, public[:]...)
	sum := sha256.Sum256(b)
	return binary.BigEndian.Uint32(sum[:])
}

// ParseVerifier reads a verifier key of signed-note,
// `<name>+<key id in hex>+<base64 of 0x01 ‖ public key>`, strictly. A key that
// may not be registered is an ErrWeakKey.
func ParseVerifier(vkey string) (Verifier, error) {
	if strings.HasPrefix(vkey, privatePrefix) {
		return Verifier{}, errors.New("this is a private key; give its verifier key")
	}
	name, id, raw, err := parseKey(vkey)
	if err != nil {
		return Verifier{}, fmt.Errorf("verifier key %q: %w", vkey, err)
	}
	v, err := NewVerifier(name, raw)
	if err != nil {
		return Verifier{}, fmt.Errorf("verifier key %q: %w", vkey, err)
	}
	if v.ID != id {
		return Verifier{}, fmt.Errorf("verifier key %q: its key id must be %08x", vkey, v.ID)
	}
	return v, nil
}

// parseKey reads `<name>+<hash>+<base64 of 0x01 and 32 bytes>`.
func parseKey(s string) (name string, id uint32, raw [32]byte, err error) {
	parts := strings.SplitN(s, "+", 3) // the base64 may hold plus signs
	if len(parts) != 3 {
		return "", 0, raw, errors.New("want <name>+<key id>+<key>")
	}
	parsed, err := strconv.ParseUint(parts[1], 16, 32)
	if err != nil || fmt.Sprintf("%08x", parsed) != parts[1] {
		return "", 0, raw, errors.New("the key id must be 8 hexadecimal digits in lower case")
	}
	b, err := base64.StdEncoding.Strict().DecodeString(parts[2])
	if err != nil || base64.StdEncoding.EncodeToString(b) != parts[2] {
		return "", 0, raw, errors.New("the key is not canonical base64")
	}
	if len(b) != 1+len(raw) || b[0] != algorithmEd25519 {
		return "", 0, raw, errors.New("the key is not an Ed25519 key (1 byte 0x01, then 32 bytes)")
	}
	copy(raw[:], b[1:])
	return parts[0], uint32(parsed), raw, nil
}

func formatKey(name string, id uint32, raw []byte) string {
	return fmt.Sprintf("%s+%08x+%s", name, id, base64.StdEncoding.EncodeToString(append([]byte{algorithmEd25519}, raw...)))
}

// String is the verifier key of signed-note.
func (v Verifier) String() string { return formatKey(v.Name, v.ID, v.Public[:]) }

// Verify tells whether sig is v's signature of text: the name and key id are
// v's and the signature holds by ZIP-215.
func (v Verifier) Verify(text []byte, sig Signature) bool {
	return sig.Name == v.Name && sig.KeyID == v.ID &&
		ed25519.VerifyWithOptions(v.Public[:], text, sig.Sig[:], zip215)
}

// A Key is a private key with its name. It is safe for concurrent use.
type Key struct {
	verifier Verifier
	private  ed25519.PrivateKey
}

// NewKey makes a key from 32 bytes of rand, which must be a source of secrets
// such as crypto/rand.Reader.
func NewKey(rand io.Reader, name string) (*Key, error) {
	var seed [32]byte
	if _, err := io.ReadFull(rand, seed[:]); err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return KeyFromSeed(name, seed)
}

// KeyFromSeed gives the key that a secret seed (RFC 8032) and a name make.
func KeyFromSeed(name string, seed [32]byte) (*Key, error) {
	private := ed25519.NewKeyFromSeed(seed[:])
	v, err := NewVerifier(name, [32]byte(private[32:]))
	if err != nil {
		return nil, err
	}
	return &Key{v, private}, nil
}

// ParseKey reads a private key in the text form of golang.org/x/mod/sumdb/note,
// `PRIVATE+KEY+<name>+<key id>+<base64 of 0x01 ‖ seed>`. Its errors never hold
// any of the key.
func ParseKey(skey string) (*Key, error) {
	rest, ok := strings.CutPrefix(skey, privatePrefix)
	if !ok {
		return nil, fmt.Errorf("this is no private key: it does not begin with %s", privatePrefix)
	}
	name, id, seed, err := parseKey(rest)
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	k, err := KeyFromSeed(name, seed)
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	if k.verifier.ID != id {
		return nil, fmt.Errorf("private key %s: its key id must be %08x: its name or its text was changed", name, k.verifier.ID)
	}
	return k, nil
}

// Secret is the text that ParseKey reads. It has this name, and a Key has no
// String, so that no log line shows a private key by mistake.
func (k *Key) Secret() string {
	return privatePrefix + formatKey(k.verifier.Name, k.verifier.ID, k.private.Seed())
}

// Name is the key's name.
func (k *Key) Name() string { return k.verifier.Name }

// Verifier is the key's public part.
func (k *Key) Verifier() Verifier { return k.verifier }

// Sign signs a text. Signatures are deterministic: the same text gives the
// same one.
func (k *Key) Sign(text []byte) Signature {
	return Signature{k.verifier.Name, k.verifier.ID, [64]byte(ed25519.Sign(k.private, text))}
}
