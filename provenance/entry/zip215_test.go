package entry_test

import (
	"bytes"
	stdlib "crypto/ed25519"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/hdevalence/ed25519consensus"
	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"github.com/tallyroot/tallyroot/provenance/entry"
)

// smallOrder are all encodings of the points of small order, the canonical
// ones and the others, as the test vectors of ZIP-215 list them.
var smallOrder = []string{
	"0100000000000000000000000000000000000000000000000000000000000000",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"0000000000000000000000000000000000000000000000000000000000000080",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
	"0000000000000000000000000000000000000000000000000000000000000000",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
	"0100000000000000000000000000000000000000000000000000000000000080",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// verify asks Verifier.Verify, a Batch of several and another implementation,
// wants all to agree, and gives the answer.
func verify(t testing.TB, public, sig, text []byte) bool {
	t.Helper()
	v := entry.Verifier{Name: "x", ID: 1, Public: [32]byte(public)}
	s := entry.Signature{Name: "x", KeyID: 1, Sig: [64]byte(sig)}
	single := v.Verify(text, s)
	var batch entry.Batch
	good := key(t, "own", "farm", 1)
	batch.Add(good.Verifier(), text, good.Sign(text))
	batch.Add(v, text, s)
	batch.Add(v, text, s)
	answers := batch.Verify()
	if len(answers) != 3 || !answers[0] || answers[1] != single || answers[2] != single {
		t.Errorf("%x: one by one %v, in a batch %v", sig, single, answers)
	}
	if other := ed25519consensus.Verify(public, text, sig); other != single {
		t.Errorf("%x: ed25519consensus says %v, we %v", sig, other, single)
	}
	return single
}

// TestZIP215 holds verification against the 196 vectors of ZIP-215: every
// encoding of every point of small order as key and as R, with S = 0, over "Zcash".
func TestZIP215(t *testing.T) {
	n, refusedElsewhere := 0, 0
	for _, public := range smallOrder {
		for _, r := range smallOrder {
			sig := append(unhex(t, r), make([]byte, 32)...)
			if !verify(t, unhex(t, public), sig, []byte("Zcash")) {
				t.Errorf("key %s, R %s: refused", public, r)
			}
			if !stdlib.Verify(unhex(t, public), []byte("Zcash"), sig) {
				refusedElsewhere++
			}
			n++
		}
	}
	if n != 196 || refusedElsewhere < 100 {
		t.Errorf("%d vectors, of which crypto/ed25519 refuses only %d", n, refusedElsewhere)
	}
}

// TestSpeccheck holds verification against the cases of "Taming the many
// EdDSAs" (github.com/novifinancial/ed25519-speccheck), of which ZIP-215 takes
// all but those whose S is not below the group's order.
func TestSpeccheck(t *testing.T) {
	b, err := os.ReadFile("testdata/speccheck.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Message, Signature string
		Key                string `json:"pub_key"`
	}
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatal(err)
	}
	want := []bool{true, true, true, true, true, true, false, false, false, true, true, true}
	if len(cases) != len(want) {
		t.Fatalf("%d cases", len(cases))
	}
	for i, c := range cases {
		if got := verify(t, unhex(t, c.Key), unhex(t, c.Signature), unhex(t, c.Message)); got != want[i] {
			t.Errorf("case %d: got %v, want %v", i, got, want[i])
		}
	}
}

// TestMixedOrder signs with a key that has a part of small order.
func TestMixedOrder(t *testing.T) {
	h := sha512.Sum512(bytes.Repeat([]byte{7}, 32))
	h[0], h[31] = h[0]&248, h[31]&127|64
	var s, k, r scalar.Scalar
	var torsion, public, nonce curve.EdwardsPoint
	mustScalar := func(_ *scalar.Scalar, err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	mustScalar(s.SetBytesModOrder(h[:32]))
	eighth := curve.CompressedEdwardsY(unhex(t, smallOrder[1]))
	if _, err := torsion.SetCompressedY(&eighth); err != nil {
		t.Fatal(err)
	}
	public.MulBasepoint(curve.ED25519_BASEPOINT_TABLE, &s)
	public.Add(&public, &torsion)
	var encoded, encodedR curve.CompressedEdwardsY
	encoded.SetEdwardsPoint(&public)
	v, err := entry.NewVerifier("x", [32]byte(encoded[:]))
	if err != nil {
		t.Fatalf("a key of mixed order may be registered: %v", err)
	}
	differ := 0
	for n := range 16 {
		text := []byte{byte(n)}
		nonceHash := sha512.Sum512(text)
		mustScalar(r.SetBytesModOrderWide(nonceHash[:]))
		nonce.MulBasepoint(curve.ED25519_BASEPOINT_TABLE, &r)
		nonce.Add(&nonce, &torsion)
		encodedR.SetEdwardsPoint(&nonce)
		challenge := sha512.Sum512(append(append(bytes.Clone(encodedR[:]), v.Public[:]...), text...))
		mustScalar(k.SetBytesModOrderWide(challenge[:]))
		k.Mul(&k, &s)
		k.Add(&k, &r)
		sig := make([]byte, 64)
		copy(sig, encodedR[:])
		if err := k.ToBytes(sig[32:]); err != nil {
			t.Fatal(err)
		}
		if !verify(t, v.Public[:], sig, text) {
			t.Errorf("text %d: refused", n)
		}
		if !stdlib.Verify(v.Public[:], text, sig) {
			differ++
		}
	}
	if differ == 0 {
		t.Error("crypto/ed25519 takes them all: this test shows nothing")
	}
}

// order is the group's order, little-endian.
const order = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010"

func TestSignatureNotCanonical(t *testing.T) {
	k := key(t, "own", "farm", 1)
	public, text := k.Verifier().Public, []byte("text")
	sig := k.Sign(text)
	if !verify(t, public[:], sig.Sig[:], text) {
		t.Fatal("a good signature does not hold")
	}
	carry := 0
	for i, b := range unhex(t, order) { // S + the order: the same to a lax verifier
		sum := int(sig.Sig[32+i]) + int(b) + carry
		sig.Sig[32+i], carry = byte(sum), sum>>8
	}
	if verify(t, public[:], sig.Sig[:], text) {
		t.Error("S above the group's order holds")
	}
	sig = k.Sign(text)
	another := key(t, "own", "farm", 2).Verifier().Public
	for _, i := range []int{0, 31, 32, 62} {
		bad := sig
		bad.Sig[i] ^= 1
		if verify(t, public[:], bad.Sig[:], text) {
			t.Errorf("a signature with byte %d changed holds", i)
		}
	}
	if verify(t, public[:], sig.Sig[:], []byte("another")) || verify(t, another[:], sig.Sig[:], text) {
		t.Error("a signature holds for another text or key")
	}
}

func TestWeakKeys(t *testing.T) {
	for _, s := range smallOrder {
		if _, err := entry.NewVerifier("x", [32]byte(unhex(t, s))); !errors.Is(err, entry.ErrWeakKey) {
			t.Errorf("%s, of small order: %v", s, err)
		}
	}
	onCurve := 0
	for low := 0xed; low <= 0xff; low++ { // y from p to 2^255 - 1
		public := [32]byte(bytes.Repeat([]byte{0xff}, 32))
		public[0], public[31] = byte(low), 0x7f
		if _, err := entry.NewVerifier("x", public); !errors.Is(err, entry.ErrWeakKey) {
			t.Errorf("y = p + %d: %v", low-0xed, err)
		}
		var point curve.EdwardsPoint
		compressed := curve.CompressedEdwardsY(public)
		if _, err := point.SetCompressedY(&compressed); err == nil && !point.IsSmallOrder() {
			onCurve++
		}
	}
	if onCurve == 0 {
		t.Error("no encoding was refused for its form alone: this test shows nothing")
	}
}

func TestBatchNames(t *testing.T) {
	a, b := key(t, "own", "farm", 1), key(t, "own", "dairy", 1)
	text := []byte("text")
	var batch entry.Batch
	if batch.Verify() != nil {
		t.Error("an empty batch answers")
	}
	batch.Add(a.Verifier(), text, a.Sign(text))
	batch.Add(a.Verifier(), text, b.Sign(text)) // the same key by another name
	if got := batch.Verify(); len(got) != 2 || !got[0] || got[1] {
		t.Errorf("got %v", got)
	}
	batch.Add(b.Verifier(), text, b.Sign(text))
	if got := batch.Verify(); len(got) != 1 || !got[0] {
		t.Errorf("a batch used again: %v", got)
	}
}

func BenchmarkVerify(b *testing.B) {
	k := key(b, "own", "farm", 1)
	text := bytes.Repeat([]byte("x"), 600)
	sig := k.Sign(text)
	v := k.Verifier()
	b.Run("single", func(b *testing.B) {
		for b.Loop() {
			if !v.Verify(text, sig) {
				b.Fatal()
			}
		}
	})
	b.Run("single-ed25519consensus", func(b *testing.B) {
		for b.Loop() {
			if !ed25519consensus.Verify(v.Public[:], text, sig.Sig[:]) {
				b.Fatal()
			}
		}
	})
	var keys []entry.Verifier
	var sigs []entry.Signature
	for seed := range 64 {
		k := key(b, "own", "farm", byte(seed))
		keys, sigs = append(keys, k.Verifier()), append(sigs, k.Sign(text))
	}
	b.Run("batch-of-64", func(b *testing.B) {
		for b.Loop() {
			var batch entry.Batch
			for i, v := range keys {
				batch.Add(v, text, sigs[i])
			}
			for _, ok := range batch.Verify() {
				if !ok {
					b.Fatal()
				}
			}
		}
	})
}
