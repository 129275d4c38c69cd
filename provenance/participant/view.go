package participant

import (
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/tallyroot/tallyroot/provenance/entry"
)

// Why an entry's signatures do not hold.
var (
	ErrOrigin             = errors.New("the entry is of another log")
	ErrUnknownParticipant = errors.New("the participant is not registered")
	ErrDisabled           = errors.New("the participant is disabled")
	ErrUnknownKey         = errors.New("the signing key does not hold")
	ErrBadSignature       = errors.New("the signature does not hold")
)

// A SignatureError says whose signature does not hold. It wraps
// ErrUnknownParticipant, ErrDisabled, ErrUnknownKey or ErrBadSignature.
type SignatureError struct {
	Participant string
	Err         error
}

func (e *SignatureError) Error() string {
	return fmt.Sprintf("signature of %s: %v", e.Participant, e.Err)
}

// Unwrap gives the reason.
func (e *SignatureError) Unwrap() error { return e.Err }

func originError(have, want string) error {
	return fmt.Errorf("%w: it is written for %q, and this is %q", ErrOrigin, have, want)
}

// View is a State as it was at one position. It stays what it is while the State
// grows.
type View struct {
	state *State
	at    uint64
}

// Participant gives what holds about the participant; false when it is not
// registered.
func (v View) Participant(id string) (Info, bool) {
	v.state.mu.RLock()
	defer v.state.mu.RUnlock()
	info := v.state.find(id, v.at)
	if info == nil {
		return Info{}, false
	}
	return *info, true
}

// OperatorKey gives the operator's key; false before the Genesis.
func (v View) OperatorKey() (entry.Verifier, bool) {
	v.state.mu.RLock()
	defer v.state.mu.RUnlock()
	return v.state.operatorAt(v.at)
}

// Covers tells whether the participant is active and has a grant that covers
// the canonical identifier.
func (v View) Covers(participant, identifier string) bool {
	v.state.mu.RLock()
	defer v.state.mu.RUnlock()
	info := v.state.find(participant, v.at)
	return info != nil && info.Active &&
		slices.ContainsFunc(info.Grants, func(grant string) bool { return Covers(grant, identifier) })
}

// Verify judges the entry's signatures. Its error is an ErrOrigin, an
// ErrNoGenesis or a *SignatureError. The Genesis itself, at position 0, is judged
// by the key that it names.
func (v View) Verify(e *entry.Entry) error {
	if v.at == 0 && e.Type() == entry.TypeGenesis {
		_, _, err := verifyGenesis(e)
		return err
	}
	keys, err := v.Keys(e)
	if err != nil {
		return err
	}
	return verifyAll(e, keys)
}

// Keys finds the key of each of the entry's signatures, in their order, for a
// caller that verifies many at once. It fails as Verify does, where that needs no
// signature.
func (v View) Keys(e *entry.Entry) ([]entry.Verifier, error) {
	v.state.mu.RLock()
	defer v.state.mu.RUnlock()
	return v.state.keys(v.at, e)
}

// The rest is called with the state's lock held.

func (s *State) find(id string, at uint64) *Info {
	m := s.members[id]
	if m == nil {
		return nil
	}
	n := len(m.versions)
	if m.versions[n-1].Index >= at { // the newest does not count yet
		n = sort.Search(n, func(i int) bool { return m.versions[i].Index >= at })
	}
	if n == 0 {
		return nil
	}
	return &m.versions[n-1]
}

func (s *State) operatorAt(at uint64) (entry.Verifier, bool) {
	n := sort.Search(len(s.operator), func(i int) bool { return s.operator[i].index >= at })
	if n == 0 {
		return entry.Verifier{}, false
	}
	return s.operator[n-1].key, true
}

func (s *State) keys(at uint64, e *entry.Entry) ([]entry.Verifier, error) {
	if s.genesis == nil {
		return nil, ErrNoGenesis
	}
	if e.Origin != s.genesis.Origin {
		return nil, originError(e.Origin, s.genesis.Origin)
	}
	keys := make([]entry.Verifier, len(e.Participants))
	for i, id := range e.Participants {
		key, err := s.key(at, id, e.Signatures[i])
		if err != nil {
			return nil, &SignatureError{id, err}
		}
		keys[i] = key
	}
	return keys, nil
}

// key finds the participant's key that has the signature's name and key id.
func (s *State) key(at uint64, id string, sig entry.Signature) (entry.Verifier, error) {
	fits := func(key entry.Verifier) bool { return key.Name == sig.Name && key.ID == sig.KeyID }
	if id == entry.Operator {
		if key, ok := s.operatorAt(at); ok && fits(key) {
			return key, nil
		}
		return entry.Verifier{}, ErrUnknownKey
	}
	info := s.find(id, at)
	switch {
	case info == nil:
		return entry.Verifier{}, ErrUnknownParticipant
	case !info.Active:
		return entry.Verifier{}, ErrDisabled
	}
	for _, keys := range [][]entry.Verifier{info.Own, info.Managed} {
		if i := slices.IndexFunc(keys, fits); i >= 0 {
			return keys[i], nil
		}
	}
	return entry.Verifier{}, ErrUnknownKey
}

func (s *State) verify(at uint64, e *entry.Entry) error {
	keys, err := s.keys(at, e)
	if err != nil {
		return err
	}
	return verifyAll(e, keys)
}

func verifyAll(e *entry.Entry, keys []entry.Verifier) error {
	for i, key := range keys {
		if !key.Verify(e.Text, e.Signatures[i]) {
			return &SignatureError{e.Participants[i], ErrBadSignature}
		}
	}
	return nil
}
