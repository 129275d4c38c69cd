package vectors

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"github.com/tallyroot/tallyroot/provenance/entry"
)

// smallOrder are all encodings of the points of small order, the canonical ones and
// the others, as the test vectors of ZIP-215 list them.
var smallOrder = unhexed(
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
)

func unhexed(list ...string) (out [][]byte) {
	for _, s := range list {
		b, err := hex.DecodeString(s)
		must(err)
		out = append(out, b)
	}
	return out
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// notCanonical is a point of full order whose y is written as p more than it is.
func notCanonical() []byte {
	for low := 0xed; low <= 0xff; low++ {
		b := make([]byte, 32)
		for i := range b {
			b[i] = 0xff
		}
		b[0], b[31] = byte(low), 0x7f
		compressed := curve.CompressedEdwardsY(b)
		var point curve.EdwardsPoint
		if _, err := point.SetCompressedY(&compressed); err == nil && !point.IsSmallOrder() {
			return b
		}
	}
	panic("there is none")
}

// A mixed is a key whose public point, like the R of its signatures, has a part of
// order 8.
type mixed struct {
	secret  scalar.Scalar
	public  [32]byte
	torsion curve.EdwardsPoint
}

func mixedKey() *mixed {
	k := new(mixed)
	h := sha512.Sum512([]byte("mixed"))
	_, err := k.secret.SetBytesModOrderWide(h[:])
	must(err)
	eighth := curve.CompressedEdwardsY(smallOrder[1])
	_, err = k.torsion.SetCompressedY(&eighth)
	must(err)
	k.public = k.point(&k.secret)
	return k
}

// point gives n times the base point, plus the part of order 8.
func (k *mixed) point(n *scalar.Scalar) [32]byte {
	var p curve.EdwardsPoint
	p.MulBasepoint(curve.ED25519_BASEPOINT_TABLE, n)
	p.Add(&p, &k.torsion)
	var compressed curve.CompressedEdwardsY
	compressed.SetEdwardsPoint(&p)
	return [32]byte(compressed[:])
}

func (k *mixed) verifier(name string) entry.Verifier {
	v, err := entry.NewVerifier(name, k.public)
	must(err)
	return v
}

func (k *mixed) sign(text []byte) (sig [64]byte) {
	return signWith(&k.secret, k.public, text, k.point)
}

// signWith signs with a secret scalar for a public key, with an R of one's own.
func signWith(secret *scalar.Scalar, public [32]byte, text []byte, point func(*scalar.Scalar) [32]byte) (sig [64]byte) {
	var r, c scalar.Scalar
	nonce := sha512.Sum512(append([]byte("nonce"), text...))
	_, err := r.SetBytesModOrderWide(nonce[:])
	must(err)
	encoded := point(&r)
	challenge := sha512.Sum512(append(append(encoded[:], public[:]...), text...))
	_, err = c.SetBytesModOrderWide(challenge[:])
	must(err)
	c.Mul(&c, secret)
	c.Add(&c, &r)
	copy(sig[:], encoded[:])
	must(c.ToBytes(sig[32:]))
	return sig
}

// addOrder adds the group's order to a signature's S.
func addOrder(sig [64]byte) [64]byte {
	order := unhexed("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")[0]
	carry := 0
	for i, b := range order {
		sum := int(sig[32+i]) + int(b) + carry
		sig[32+i], carry = byte(sum), sum>>8
	}
	return sig
}

// keyID is a signed note's key id, of a type and public key.
func keyID(name string, raw []byte) string {
	hash := sha256.Sum256(append([]byte(name+"\n"), raw...))
	return hex.EncodeToString(hash[:4])
}
