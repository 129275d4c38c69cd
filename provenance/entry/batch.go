package entry

import (
	"crypto/rand"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
)

// A Batch verifies many signatures together, which costs about half of
// verifying them one by one and, by ZIP-215, decides the same. The zero Batch is
// empty and ready.
type Batch struct {
	batch *ed25519.BatchVerifier
	valid []bool // of those whose name and key id fit; the others are false already
}

// Add adds the question that v.Verify(text, sig) would answer.
func (b *Batch) Add(v Verifier, text []byte, sig Signature) {
	if b.batch == nil {
		b.batch = ed25519.NewBatchVerifier()
	}
	b.batch.AddWithOptions(v.Public[:], text, sig.Sig[:], zip215)
	b.valid = append(b.valid, sig.Name == v.Name && sig.KeyID == v.ID)
}

// Verify answers all questions, in the order of Add, and empties the batch.
func (b *Batch) Verify() []bool {
	valid := b.valid
	if len(valid) == 0 {
		return nil
	}
	if all, each := b.batch.Verify(rand.Reader); !all {
		for i := range valid {
			valid[i] = valid[i] && each[i]
		}
	}
	b.batch, b.valid = nil, nil
	return valid
}
