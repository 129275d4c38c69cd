package provenance

import (
	"context"

	"github.com/tallyroot/tallyroot/provenance/history"
)

// JourneyHistories gives the histories with which a reader can follow a thing for
// itself, those too that hold nothing, with all that package verify checks; then
// those of the operator and of the participants who signed the entries, each once.
// All of it is proved at one checkpoint of each log, those of the newest snapshot.
//
// A history for which there is no room is left out, and of one that is longer than a
// page there is the beginning: the journey is incomplete then, and notFollowed has
// the identifier.
func (r *Reader) JourneyHistories(ctx context.Context, id string) (*history.Journey, error) {
	if err := checkThing(id); err != nil {
		return nil, err
	}
	q, end, err := r.ask(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	f, err := q.follow(ctx, id, true)
	if err != nil {
		return nil, err
	}
	return f.answer(ctx)
}

func (f *followed) answer(ctx context.Context) (*history.Journey, error) {
	j := &history.Journey{}
	by := newSigners()
	proofs := map[uint64][][32]byte{} // many entries stand in several histories
	for _, key := range f.journey.Keys {
		read := f.histories[key]
		if read == nil {
			continue // there was no room
		}
		h := f.frame(key, read.positions, read.proof, len(read.entries))
		for _, e := range read.entries {
			proof, ok := proofs[e.Index]
			if !ok {
				var err error
				if proof, err = f.prove(e.Index); err != nil {
					return nil, err
				}
				proofs[e.Index] = proof
			}
			h.Entries = append(h.Entries, history.Entry{Index: e.Index, Entry: e.Bytes, Proof: proof})
		}
		if err := by.of(h.Entries); err != nil {
			return nil, err
		}
		j.Histories = append(j.Histories, *h)
	}
	missed := f.journey.Missed
	room := MaxJourneyBytes
	for _, key := range by.keys {
		if len(j.Histories) == history.MaxHistories || room <= 0 {
			missed = append(missed, key)
			continue
		}
		h, err := f.history(ctx, key, 0, history.PageLimit)
		if err != nil {
			return nil, err
		}
		for _, e := range h.Entries {
			room -= len(e.Entry)
		}
		if len(h.Entries) < len(h.Positions) || room < 0 {
			missed = append(missed, key)
			continue
		}
		j.Histories = append(j.Histories, *h)
	}
	j.NotFollowed = identifiers(missed)
	return j, nil
}
