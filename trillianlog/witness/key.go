package witness

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
)

const (
	// typeCosignature is the signature type of Ed25519 cosignatures
	// (https://c2sp.org/signed-note#signature-types).
	typeCosignature = 0x04
	privatePrefix   = "PRIVATE+KEY+"
)

var b64 = base64.StdEncoding.Strict()

// A Key is the private key of a cosigner, with its name. It makes Ed25519
// cosignatures, version 1 (https://c2sp.org/tlog-cosignature). It is safe for
// concurrent use.
type Key struct {
	name    string
	id      uint32
	private ed25519.PrivateKey
}

// NewKey makes a key from crypto/rand. The name stands in every cosignature: a URL
// without its scheme, such as witness.example.com/w1.
func NewKey(name string) (*Key, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return newKey(name, private), nil
}

func newKey(name string, private ed25519.PrivateKey) *Key {
	k := &Key{name: name, private: private}
	h := sha256.New()
	h.Write([]byte(name + "\n"))
	h.Write(k.public())
	k.id = binary.BigEndian.Uint32(h.Sum(nil))
	return k
}

func checkName(name string) error {
	if checkpoint.ValidOrigin(name) != nil {
		return fmt.Errorf("%.80q cannot be the name of a witness: want one such as witness.example.com/w1, of at most %d bytes, without spaces, plus signs and control characters", name, checkpoint.MaxOriginSize)
	}
	return nil
}

// ParseKey reads a private key from the text that Secret gives. Its errors never
// hold any of the key.
func ParseKey(secret string) (*Key, error) {
	rest, ok := strings.CutPrefix(secret, privatePrefix)
	name, rest, ok2 := strings.Cut(rest, "+")
	id, text, ok3 := strings.Cut(rest, "+")
	raw, err := b64.DecodeString(text)
	if !ok || !ok2 || !ok3 || err != nil || b64.EncodeToString(raw) != text {
		return nil, errors.New("this is no private key: want PRIVATE+KEY+<name>+<key id>+<base64>")
	}
	if err := checkName(name); err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	if len(raw) != 1+ed25519.SeedSize || raw[0] != typeCosignature {
		return nil, errors.New("this is no private key of a witness: want one byte 0x04 and 32 bytes of seed")
	}
	k := newKey(name, ed25519.NewKeyFromSeed(raw[1:]))
	if want := fmt.Sprintf("%08x", k.id); id != want {
		return nil, fmt.Errorf("private key %s: its key id must be %s: its name or its text was changed", name, want)
	}
	return k, nil
}

// Secret is the private key as text, in the form of golang.org/x/mod/sumdb/note
// with the signature type of cosignatures. A Key has no String, so that no log line
// shows it by mistake.
func (k *Key) Secret() string {
	return privatePrefix + k.format(append([]byte{typeCosignature}, k.private.Seed()...))
}

// Verifier is the public key as a vkey, for the witness lines of policies.
func (k *Key) Verifier() string { return k.format(k.public()) }

func (k *Key) format(raw []byte) string {
	return fmt.Sprintf("%s+%08x+%s", k.name, k.id, b64.EncodeToString(raw))
}

// public is the public key behind its type.
func (k *Key) public() []byte {
	return append([]byte{typeCosignature}, k.private.Public().(ed25519.PublicKey)...)
}

// Name is the key's name.
func (k *Key) Name() string { return k.name }

// Cosign gives the cosignature of a checkpoint's text at a time, in seconds of the
// Unix epoch. The same text and time give the same cosignature.
func (k *Key) Cosign(text string, at uint64) checkpoint.Signature {
	message := append(make([]byte, 0, 48+len(text)), "cosignature/v1\ntime "...)
	message = strconv.AppendUint(message, at, 10)
	message = append(message, '\n')
	message = append(message, text...)
	sig := binary.BigEndian.AppendUint64(make([]byte, 0, 8+ed25519.SignatureSize), at)
	return checkpoint.Signature{Name: k.name, KeyID: k.id, Sig: append(sig, ed25519.Sign(k.private, message)...)}
}

// cosigned gives the time of a cosignature that the key made of a text, and false if
// it did not make it.
func (k *Key) cosigned(text string, s checkpoint.Signature) (at uint64, ok bool) {
	if s.Name != k.name || s.KeyID != k.id || len(s.Sig) != 8+ed25519.SignatureSize {
		return 0, false
	}
	at = binary.BigEndian.Uint64(s.Sig)
	return at, bytes.Equal(k.Cosign(text, at).Sig, s.Sig)
}

// hasPublic tells whether a vkey, of any name and type, holds this public key.
func (k *Key) hasPublic(vkey string) bool {
	parts := strings.SplitN(vkey, "+", 3)
	raw, err := b64.DecodeString(parts[len(parts)-1])
	return err == nil && len(raw) > 0 && bytes.Equal(raw[1:], k.public()[1:])
}
