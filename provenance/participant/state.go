package participant

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"

	"github.com/tallyroot/tallyroot/provenance/entry"
)

// Why a statement has no effect. Those of View.Verify and ErrStatement are
// reasons too.
var (
	ErrOrder     = errors.New("the statement stands before one that was folded already")
	ErrGenesis   = errors.New("a Genesis is leaf 0 and nothing else is")
	ErrNoGenesis = errors.New("the log does not begin with a Genesis")
	ErrSigners   = errors.New("the statement is not signed by the one who may make it, alone")
	ErrNumber    = errors.New("the statement's number is not the next one")
	ErrKeyID     = errors.New("another key that was held under this name has the same key id")
	ErrKeyProof  = errors.New("a key's signature of the statement is missing or does not hold")
	ErrKeyChange = errors.New("own keys change without the signature of one that held until now, nor is it a recovery")
)

// A NumberError says which number a statement has and which it must have. It is
// an ErrNumber.
type NumberError struct{ Have, Want uint64 }

func (e *NumberError) Error() string {
	if e.Have < e.Want {
		return fmt.Sprintf("the statement's number %d was there before; the next is %d", e.Have, e.Want)
	}
	return fmt.Sprintf("the statement's number is %d, and the next is %d", e.Have, e.Want)
}

// Is makes the error an ErrNumber.
func (e *NumberError) Is(target error) bool { return target == ErrNumber }

func checkNumber(have, want uint64) error {
	if have != want {
		return &NumberError{have, want}
	}
	return nil
}

// Effect is what an entry did to what it is about.
type Effect struct {
	Type     string // of the entry
	About    string // the participant's id, entry.Operator or the identifier; "" for what is no statement
	Number   uint64
	Applied  bool
	Recovery bool  // own keys changed on the operator's word alone: for readers to see
	Err      error // why a statement has no effect; nil for what is no statement
}

// Info is what holds about a participant. What it points to must not be changed.
type Info struct {
	ID       string
	Number   uint64
	Name     string
	Own      []entry.Verifier
	Managed  []entry.Verifier
	Grants   []string
	Active   bool
	Recovery bool   // this statement changed own keys on the operator's word alone
	Index    uint64 // of the statement
}

// State is the fold of a log's statements. One goroutine may Apply while others
// read: a lock is held for each call, and no View is copied. The memory that it
// takes grows with the statements, not with the log.
type State struct {
	mu       sync.RWMutex
	next     uint64 // the least position that Apply takes
	genesis  *Genesis
	operator []operatorKey // by position
	members  map[string]*member
	// held are the keys ever held, the operator's included, by name and key id.
	held map[keyHandle][32]byte
}

type keyHandle struct {
	name string
	id   uint32
}

type operatorKey struct {
	index uint64
	key   entry.Verifier
}

// member is the history of one participant, by position.
type member struct{ versions []Info }

// NewState gives the state of an empty log.
func NewState() *State {
	return &State{members: make(map[string]*member), held: make(map[keyHandle][32]byte)}
}

// Apply takes the next entry of the log. Entries that are no statement about
// Genesis, Operator or Participant change nothing and may be left out, so only
// those need be given; the positions must rise.
func (s *State) Apply(index uint64, e *entry.Entry) Effect {
	s.mu.Lock()
	defer s.mu.Unlock()
	effect, change := s.judge(index, e)
	if effect.Applied {
		change()
	}
	s.next = max(s.next, index+1)
	return effect
}

// Try tells what Apply would do, and does nothing.
func (s *State) Try(index uint64, e *entry.Entry) Effect {
	s.mu.RLock()
	defer s.mu.RUnlock()
	effect, _ := s.judge(index, e)
	return effect
}

// judge decides what the entry does, and gives how.
func (s *State) judge(index uint64, e *entry.Entry) (effect Effect, change func()) {
	effect.Type = e.Type()
	if !entry.IsStatement(e.JSON) {
		return effect, nil
	}
	if index < s.next {
		effect.Err = ErrOrder
		return effect, nil
	}
	switch effect.Type {
	case entry.TypeGenesis:
		effect.About = entry.Operator
		change, effect.Err = s.judgeGenesis(index, e)
	case entry.TypeOperator:
		effect.About = entry.Operator
		change, effect.Err = s.judgeRollover(index, e, &effect)
	case entry.TypeParticipant:
		change, effect.Err = s.judgeStatement(index, e, &effect)
	case entry.TypeVoid:
		effect.Err = s.judgeVoid(index, e, &effect)
		change = func() {}
	case entry.TypeProduct, entry.TypePlace:
		return effect, nil // a Master folds those
	default:
		effect.Err = fmt.Errorf("%w: unknown type %q", ErrStatement, effect.Type)
	}
	effect.Applied = effect.Err == nil
	return effect, change
}

func (s *State) judgeGenesis(index uint64, e *entry.Entry) (func(), error) {
	if index != 0 || s.genesis != nil {
		return nil, ErrGenesis
	}
	g, key, err := verifyGenesis(e)
	if err != nil {
		return nil, err
	}
	return func() {
		s.genesis = &g
		s.setOperator(index, key)
	}, nil
}

// verifyGenesis judges a Genesis by itself: it is signed with the key that it
// names, for the log that it names.
func verifyGenesis(e *entry.Entry) (Genesis, entry.Verifier, error) {
	g, err := ParseGenesis(e.JSON)
	if err != nil {
		return g, entry.Verifier{}, err
	}
	if len(e.Participants) != 1 || e.Participants[0] != entry.Operator {
		return g, entry.Verifier{}, ErrSigners
	}
	if e.Origin != g.Origin {
		return g, entry.Verifier{}, originError(e.Origin, g.Origin)
	}
	key, err := entry.ParseVerifier(g.OperatorKey)
	if err != nil {
		return g, key, err
	}
	if !key.Verify(e.Text, e.Signatures[0]) {
		return g, key, &SignatureError{entry.Operator, ErrBadSignature}
	}
	return g, key, nil
}

func (s *State) setOperator(index uint64, key entry.Verifier) {
	s.operator = append(s.operator, operatorKey{index, key})
	s.hold(key)
}

func (s *State) hold(key entry.Verifier) { s.held[keyHandle{key.Name, key.ID}] = key.Public }

// free tells whether the key may be held: no other key under its name had its id.
func (s *State) free(key entry.Verifier) bool {
	public, taken := s.held[keyHandle{key.Name, key.ID}]
	return !taken || public == key.Public
}

// byOperator judges that the operator alone signed the entry.
func (s *State) byOperator(index uint64, e *entry.Entry) error {
	if s.genesis == nil {
		return ErrNoGenesis
	}
	if len(e.Participants) != 1 || e.Participants[0] != entry.Operator {
		return ErrSigners
	}
	return s.verify(index, e)
}

func (s *State) judgeRollover(index uint64, e *entry.Entry, effect *Effect) (func(), error) {
	r, err := ParseRollover(e.JSON)
	effect.Number = r.Number
	if err != nil {
		return nil, err
	}
	if err := s.byOperator(index, e); err != nil {
		return nil, err
	}
	if err := checkNumber(r.Number, uint64(len(s.operator))); err != nil {
		return nil, err
	}
	key, err := entry.ParseVerifier(r.OperatorKey)
	if err != nil {
		return nil, err
	}
	if want := entry.OperatorKeyName(s.genesis.Origin); key.Name != want {
		return nil, Problems{{"operatorKey", fmt.Sprintf("has the name %q", key.Name), want}}
	}
	if !s.free(key) {
		return nil, fmt.Errorf("%w: %s", ErrKeyID, key)
	}
	if signers, ok := proven(ProofText(e.Origin, e.JSON), r.Proofs, []entry.Verifier{key}); !ok || len(signers) != 1 {
		return nil, fmt.Errorf("%w: %s", ErrKeyProof, key)
	}
	return func() { s.setOperator(index, key) }, nil
}

func (s *State) judgeVoid(index uint64, e *entry.Entry, effect *Effect) error {
	v, err := ParseVoid(e.JSON)
	effect.Number = v.Number
	if err != nil {
		return err
	}
	if err := s.byOperator(index, e); err != nil {
		return err
	}
	return checkNumber(v.Number, index)
}

func (s *State) judgeStatement(index uint64, e *entry.Entry, effect *Effect) (func(), error) {
	st, err := ParseStatement(e.JSON)
	effect.About, effect.Number, effect.Recovery = st.ID, st.Number, st.Recovery
	if err != nil {
		return nil, err
	}
	if err := s.byOperator(index, e); err != nil {
		return nil, err
	}
	if err := st.checkNames(s.genesis.Origin); err != nil {
		return nil, err
	}
	var before Info
	if m := s.members[st.ID]; m != nil {
		before = m.versions[len(m.versions)-1]
	}
	if err := checkNumber(st.Number, before.Number+1); err != nil {
		return nil, err
	}
	info := Info{
		ID: st.ID, Number: st.Number, Name: st.Name, Grants: st.Grants, Active: st.State == Active, Recovery: st.Recovery, Index: index,
		Own: verifiers(st.OwnKeys), Managed: verifiers(st.ManagedKeys),
	}
	if err := s.checkKeys(info); err != nil {
		return nil, err
	}
	if err := checkOwnKeys(before.Own, info.Own, st.Recovery, ProofText(e.Origin, e.JSON), st.Proofs); err != nil {
		return nil, err
	}
	return func() { s.setMember(info) }, nil
}

func verifiers(vkeys []string) []entry.Verifier {
	keys := make([]entry.Verifier, len(vkeys))
	for i, vkey := range vkeys {
		keys[i], _ = entry.ParseVerifier(vkey) // the statement's parser did
	}
	return keys
}

// checkKeys judges that no two keys ever held under one name share a key id,
// those of this statement included.
func (s *State) checkKeys(info Info) error {
	fresh := make(map[keyHandle]bool)
	for _, keys := range [][]entry.Verifier{info.Own, info.Managed} {
		for _, key := range keys {
			handle := keyHandle{key.Name, key.ID}
			if !s.free(key) || fresh[handle] {
				return fmt.Errorf("%w: %s", ErrKeyID, key)
			}
			fresh[handle] = true
		}
	}
	return nil
}

// checkOwnKeys judges the signatures that a change of own keys needs: each new
// key's, and one of a key that held until now unless there was none or it is a
// recovery. Every proof that is there must hold.
func checkOwnKeys(before, after []entry.Verifier, recovery bool, text []byte, proofs []string) error {
	signers, ok := proven(text, proofs, slices.Concat(before, after))
	if !ok {
		return ErrKeyProof
	}
	changed := len(before) != len(after)
	for _, key := range after {
		if slices.Contains(before, key) {
			continue
		}
		changed = true
		if !slices.Contains(signers, key) {
			return fmt.Errorf("%w: %s is new", ErrKeyProof, key)
		}
	}
	if !changed || recovery || len(before) == 0 {
		return nil
	}
	for _, key := range signers {
		if slices.Contains(before, key) {
			return nil
		}
	}
	return ErrKeyChange
}

func (s *State) setMember(info Info) {
	m := s.members[info.ID]
	if m == nil {
		m = new(member)
		s.members[info.ID] = m
	}
	m.versions = append(m.versions, info)
	for _, key := range slices.Concat(info.Own, info.Managed) {
		s.hold(key)
	}
}

// Genesis gives the log's first statement; false before there is one.
func (s *State) Genesis() (Genesis, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.genesis == nil {
		return Genesis{}, false
	}
	return *s.genesis, true
}

// Participants gives what holds now about each participant, by id.
func (s *State) Participants() []Info {
	s.mu.RLock()
	defer s.mu.RUnlock()
	infos := make([]Info, 0, len(s.members))
	for _, id := range slices.Sorted(maps.Keys(s.members)) {
		versions := s.members[id].versions
		infos = append(infos, versions[len(versions)-1])
	}
	return infos
}

// At is the state by which the entry at that position is judged: the statements
// before it.
func (s *State) At(index uint64) View { return View{s, index} }

// Latest is the state after all that Apply has taken.
func (s *State) Latest() View { return View{s, math.MaxUint64} }
