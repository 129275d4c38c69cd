package participant

import "github.com/tallyroot/tallyroot/provenance/entry"

// A Batch judges the signatures of many entries together, which costs about half of
// judging them one by one with View.Verify, and decides the same. The zero Batch is
// empty and ready.
type Batch struct {
	signatures entry.Batch
	judged     []Judgement
	asked      []question // one for each signature in the batch
}

// A Judgement says what View.Verify says of an entry.
type Judgement struct {
	Keys []entry.Verifier // with which it was signed, in the signatures' order; nil with an Err
	Err  error
}

type question struct {
	entry  int // in judged
	signer string
}

// Add adds the question that v.Verify(e) would answer.
func (b *Batch) Add(v View, e *entry.Entry) {
	if v.at == 0 && e.Type() == entry.TypeGenesis {
		_, key, err := verifyGenesis(e)
		b.judged = append(b.judged, judgement([]entry.Verifier{key}, err))
		return
	}
	keys, err := v.Keys(e)
	for i, key := range keys {
		b.signatures.Add(key, e.Text, e.Signatures[i])
		b.asked = append(b.asked, question{len(b.judged), e.Participants[i]})
	}
	b.judged = append(b.judged, judgement(keys, err))
}

func judgement(keys []entry.Verifier, err error) Judgement {
	if err != nil {
		keys = nil
	}
	return Judgement{keys, err}
}

// Verify answers all questions, in the order of Add, and empties the batch.
func (b *Batch) Verify() []Judgement {
	judged := b.judged
	for i, holds := range b.signatures.Verify() {
		q := b.asked[i]
		if !holds && judged[q.entry].Err == nil {
			judged[q.entry] = Judgement{Err: &SignatureError{q.signer, ErrBadSignature}}
		}
	}
	b.judged, b.asked = nil, nil
	return judged
}
