package participant

import (
	"slices"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/jcs"
)

// ProofText is what a key signs to agree to a statement, beside the operator's
// signature of the entry. It is
//
//	tallyroot/key-proof/v1 <origin> <participant id, or "operator">
//	<the statement's canonical JSON without its member proofs>
//
// each line with its line feed. The first line keeps it apart from every other
// text that such a key signs.
func ProofText(origin string, statement jcs.Value) []byte {
	about := entry.Operator
	if id, ok := statement.Get("id"); ok {
		about = id.Text()
	}
	text := append([]byte("tallyroot/key-proof/v1 "), origin...)
	text = append(text, ' ')
	text = append(text, about...)
	text = append(text, '\n')
	text = statement.Without("proofs").AppendCanonical(text)
	return append(text, '\n')
}

// Prove adds the keys' signatures to the statement's Proofs. It comes last: what
// they sign is all the rest.
func (s *Statement) Prove(origin string, keys ...*entry.Key) {
	s.Proofs = prove(s.Proofs, origin, s.JSON(), keys)
}

// Prove adds the key's signature to Proofs.
func (r *Rollover) Prove(origin string, key *entry.Key) {
	r.Proofs = prove(r.Proofs, origin, r.JSON(), []*entry.Key{key})
}

func prove(proofs []string, origin string, statement jcs.Value, keys []*entry.Key) []string {
	text := ProofText(origin, statement)
	for _, k := range keys {
		proofs = append(proofs, k.Sign(text).String())
	}
	return proofs
}

// proven gives which of the keys signed the text; false when a proof is by none
// of them, or one does not hold.
func proven(text []byte, proofs []string, keys []entry.Verifier) (signers []entry.Verifier, ok bool) {
	for _, line := range proofs {
		sig, err := entry.ParseSignature(line)
		if err != nil {
			return nil, false
		}
		i := slices.IndexFunc(keys, func(v entry.Verifier) bool { return v.Name == sig.Name && v.ID == sig.KeyID })
		if i < 0 || !keys[i].Verify(text, sig) {
			return nil, false
		}
		signers = append(signers, keys[i])
	}
	return signers, true
}
