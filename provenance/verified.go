package provenance

import (
	"sync"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/participant"
)

// VerifyAt says why the signatures of the entry that stands at a published position
// do not hold there; nil when they do.
func (s *Service) VerifyAt(index uint64, e *entry.Entry) error {
	return s.verified.check(s.projection.State(), located{e, index, e.Append(nil)})
}

// maxVerified bounds how many entries each of the two halves remembers.
const maxVerified = 1 << 15

// verified remembers, of the entries whose signatures hold, those that were asked
// for last: when the new half is full, it becomes the old one.
type verified struct {
	mu       sync.Mutex
	new, old map[uint64][32]byte
}

// check says why the signatures of an entry do not hold by the state at its
// position; nil when they do. What held once is remembered: the state below a
// position never changes, and readers ask for the same things.
func (v *verified) check(state *participant.State, e located) error {
	hash := entry.LeafHash(e.bytes)
	if v.has(e.index, hash) {
		return nil
	}
	if err := state.At(e.index).Verify(e.Entry); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.put(e.index, hash)
	return nil
}

func (v *verified) has(index uint64, hash [32]byte) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	have, ok := v.new[index]
	if !ok {
		if have, ok = v.old[index]; ok {
			v.put(index, have)
		}
	}
	return ok && have == hash
}

func (v *verified) put(index uint64, hash [32]byte) {
	if v.new == nil || len(v.new) >= maxVerified {
		v.old, v.new = v.new, make(map[uint64][32]byte)
	}
	v.new[index] = hash
}
