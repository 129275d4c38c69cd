package verifytest

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/jcs"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
)

// Key gives the signing key that a name and a label have, always the same.
func Key(t testing.TB, name, label string) *entry.Key {
	t.Helper()
	k, err := entry.KeyFromSeed(name, seed(name, label))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func seed(name, label string) [32]byte {
	return sha256.Sum256([]byte("test key\n" + name + "\n" + label))
}

// A Cosigner is a witness or an index-verifier, in memory and without a conscience:
// it cosigns what it is given.
type Cosigner struct {
	Name    string
	private ed25519.PrivateKey
	raw     []byte // type and public key
	id      uint32
}

// NewCosigner gives the cosigner that a name has, always the same.
func NewCosigner(name string) *Cosigner {
	s := seed(name, "cosigner")
	c := &Cosigner{Name: name, private: ed25519.NewKeyFromSeed(s[:])}
	c.raw = append([]byte{0x04}, c.private.Public().(ed25519.PublicKey)...)
	hash := sha256.Sum256(append([]byte(name+"\n"), c.raw...))
	c.id = binary.BigEndian.Uint32(hash[:])
	return c
}

// Verifier is the cosigner's vkey.
func (c *Cosigner) Verifier() string {
	return fmt.Sprintf("%s+%08x+%s", c.Name, c.id, base64.StdEncoding.EncodeToString(c.raw))
}

// Public is the cosigner's public key.
func (c *Cosigner) Public() []byte { return c.raw[1:] }

// Cosign gives the cosignature (https://c2sp.org/tlog-cosignature) of a
// checkpoint's text at a time in seconds.
func (c *Cosigner) Cosign(text string, at uint64) checkpoint.Signature {
	message := "cosignature/v1\ntime " + strconv.FormatUint(at, 10) + "\n" + text
	sig := binary.BigEndian.AppendUint64(nil, at)
	return checkpoint.Signature{Name: c.Name, KeyID: c.id, Sig: append(sig, ed25519.Sign(c.private, []byte(message))...)}
}

// SignCheckpoint gives the log's signature of a checkpoint's text.
func SignCheckpoint(k *entry.Key, text string) checkpoint.Signature {
	s := k.Sign([]byte(text))
	return checkpoint.Signature{Name: s.Name, KeyID: s.KeyID, Sig: s.Sig[:]}
}

// Entry signs an entry of the log of that origin with the keys of its
// participants, in their order.
func Entry(t testing.TB, origin string, v jcs.Value, keys ...*entry.Key) []byte {
	t.Helper()
	var ids []string
	for _, k := range keys {
		ids = append(ids, k.Name()[strings.LastIndex(k.Name(), "/")+1:])
	}
	b, err := entry.Sign(origin, ids, v.Canonical(), keys...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// JSON reads a JSON value.
func JSON(t testing.TB, text string) jcs.Value {
	t.Helper()
	v, err := jcs.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return v
}
