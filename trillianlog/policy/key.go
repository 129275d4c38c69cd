package policy

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"golang.org/x/mod/sumdb/note"
)

// Signature types of https://c2sp.org/signed-note.
const (
	typeEd25519     = 0x01
	typeCosignature = 0x04
)

// A key is an Ed25519 verifier key of a log or a witness: a note.Verifier.
type key struct {
	name   string
	id     uint32
	public ed25519.PublicKey
	kind   byte
}

func (k *key) Name() string    { return k.name }
func (k *key) KeyHash() uint32 { return k.id }

// Verify tells whether sig is the key's signature, or cosignature, of a
// checkpoint's text.
func (k *key) Verify(text, sig []byte) bool {
	if k.kind == typeEd25519 {
		return ed25519.Verify(k.public, text, sig)
	}
	seconds, sig, ok := splitCosignature(sig)
	if !ok {
		return false
	}
	msg := append(make([]byte, 0, 48+len(text)), "cosignature/v1\ntime "...)
	msg = strconv.AppendInt(msg, seconds, 10)
	msg = append(msg, '\n')
	return ed25519.Verify(k.public, append(msg, text...), sig)
}

// splitCosignature takes the time, in seconds of the Unix epoch, from a
// cosignature. The specification allows none beyond 2^63 - 1.
func splitCosignature(sig []byte) (seconds int64, ed25519Sig []byte, ok bool) {
	if len(sig) != 8+ed25519.SignatureSize {
		return 0, nil, false
	}
	seconds = int64(binary.BigEndian.Uint64(sig))
	return seconds, sig[8:], seconds >= 0
}

// parseKey reads a vkey (https://c2sp.org/signed-note#verifier-keys) of one type,
// strictly: there is one way to write a key.
func parseKey(vkey string, kind byte) (*key, error) {
	name, rest, ok := strings.Cut(vkey, "+")
	hash, text, ok2 := strings.Cut(rest, "+")
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if !ok || !ok2 || err != nil || len(raw) == 0 || checkpoint.ValidOrigin(name) != nil {
		return nil, errors.New("is not a verifier key: want <name>+<8 hex digits>+<base64>")
	}
	if raw[0] != kind {
		return nil, fmt.Errorf("has the signature type %#02x; want %#02x (%s)", raw[0], kind, map[byte]string{
			typeEd25519:     "Ed25519",
			typeCosignature: "Ed25519 cosignature/v1",
		}[kind])
	}
	if len(raw) != 1+ed25519.PublicKeySize {
		return nil, fmt.Errorf("has a public key of %d bytes; Ed25519 has %d", len(raw)-1, ed25519.PublicKeySize)
	}
	h := sha256.New()
	h.Write([]byte(name))
	h.Write([]byte{'\n'})
	h.Write(raw)
	id := binary.BigEndian.Uint32(h.Sum(nil))
	if want := fmt.Sprintf("%08x", id); hash != want {
		return nil, fmt.Errorf("has the key id %.20q; its name and public key give %s", hash, want)
	}
	return &key{name: name, id: id, public: raw[1:], kind: kind}, nil
}

func samePublicKey(a note.Verifier, b *key) bool {
	k, ok := a.(*key)
	return ok && k.public.Equal(b.public)
}
