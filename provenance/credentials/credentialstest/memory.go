package credentialstest

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/tallyroot/tallyroot/provenance/credentials"
)

// memory is the least that is a credentials.Store: what the suite copies from and
// to.
type memory struct {
	mu     sync.Mutex
	tokens map[string][]credentials.Token
	keys   map[string]string
}

func newMemory() *memory {
	return &memory{tokens: map[string][]credentials.Token{}, keys: map[string]string{}}
}

func (m *memory) Token(participant string, number uint64) (credentials.Token, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.tokens[participant] {
		if t.Number == number {
			return t, true, nil
		}
	}
	return credentials.Token{}, false, nil
}

func (m *memory) Tokens(participant string) ([]credentials.Token, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.tokens[participant]), nil
}

func (m *memory) AddToken(t credentials.Token) error {
	if _, taken, _ := m.Token(t.Participant, t.Number); taken {
		return credentials.ErrTaken
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tokens[t.Participant] = append(m.tokens[t.Participant], t)
	return nil
}

func (m *memory) RevokeToken(participant string, number uint64, at time.Time) (credentials.Token, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, t := range m.tokens[participant] {
		if t.Number == number {
			if t.Revoked.IsZero() {
				t.Revoked = at
				m.tokens[participant][i] = t
			}
			return t, true, nil
		}
	}
	return credentials.Token{}, false, nil
}

func (m *memory) ManagedKey(participant string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.keys[participant], nil
}

func (m *memory) AddManagedKey(participant, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.keys[participant] == "" {
		m.keys[participant] = key
	}
	return nil
}

func (m *memory) Participants() ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ids := slices.AppendSeq(slices.Collect(maps.Keys(m.tokens)), maps.Keys(m.keys))
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

func (m *memory) Close() error { return nil }
