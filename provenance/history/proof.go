package history

// ProofVersion is the form of a Proof, and the first thing in its text.
const ProofVersion = "tallyroot/proof/v1"

// A Proof is a journey as a reader saves it and hands it on: one file, with which
// anybody can check it without the service. A journey alone does not say what was
// asked for, which for a link with lot and serial is more than the thing of its
// first history. Whom to trust does not stand in it: whoever could make the file
// could make that too.
type Proof struct {
	ID      string // what was asked for, canonical
	Journey Journey
}

// Append appends the proof's JSON to dst.
func (p *Proof) Append(dst []byte) []byte { return AppendProof(dst, p.ID, p.Journey.Append(nil)) }

// AppendProof appends the JSON of a proof to dst: the journey stands in it byte for
// byte as a service answered with it.
func AppendProof(dst []byte, id string, journey []byte) []byte {
	dst = appendString(append(dst, `{"proof":`...), ProofVersion)
	dst = appendString(append(dst, `,"id":`...), id)
	dst = append(append(dst, `,"journey":`...), journey...)
	return append(dst, '}')
}

var proofMembers = []string{"proof", "id", "journey"}

// DecodeProof reads what Proof.Append gives, as strictly as Decode, and of its own
// version alone.
func DecodeProof(b []byte) (*Proof, error) {
	v, err := parse(b, MaxJourney)
	if err != nil {
		return nil, err
	}
	r := &reader{}
	r.object("", v, proofMembers)
	version, _ := v.Get("proof")
	if got := r.text("proof", version); got != ProofVersion {
		r.fail("proof", "it is of the form %.80q, and only %s is known here", got, ProofVersion)
	}
	id, _ := v.Get("id")
	journey, _ := v.Get("journey")
	p := &Proof{ID: r.text("id", id), Journey: r.journey("journey", journey)}
	if r.err != nil {
		return nil, r.err
	}
	return p, nil
}
