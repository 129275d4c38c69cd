package credentials

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// The store's keys: a letter, the participant, and for a token a zero byte (no
// slug has one) and the number.
const (
	tokenKey   = 't'
	managedKey = 'm'
)

// pebbleStore is the embedded Store. Tokens, asked on every write, are
// remembered in memory; the folder holds thousands at most.
type pebbleStore struct {
	db *pebble.DB

	mu     sync.RWMutex
	tokens map[string][]Token // by participant, in rising order
}

// Open opens, or makes, the embedded store in dir. Only one process at a time
// can have it open.
func Open(dir string, logger pebble.Logger) (Store, error) {
	// Pebble's own files can be read by all: the folder is what keeps the keys.
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, err
	}
	db, err := pebble.Open(dir, &pebble.Options{Logger: logger, MemTableSize: 1 << 20, FormatMajorVersion: pebble.FormatNewest})
	if err != nil {
		return nil, fmt.Errorf("open the store of tokens and keys in %s: %w", dir, err)
	}
	s := &pebbleStore{db: db, tokens: map[string][]Token{}}
	if err := s.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("read the tokens in %s: %w", dir, err), db.Close())
	}
	return s, nil
}

func (s *pebbleStore) load() error {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{tokenKey}, UpperBound: []byte{tokenKey + 1}})
	if err != nil {
		return err
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		var t Token
		if err := json.Unmarshal(it.Value(), &t); err != nil {
			return fmt.Errorf("the record %q: %w", it.Key(), err)
		}
		s.tokens[t.Participant] = append(s.tokens[t.Participant], t)
	}
	return it.Error()
}

func (s *pebbleStore) Token(participant string, number uint64) (Token, bool, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, t := range s.tokens[participant] {
		if t.Number == number {
			return t, true, nil
		}
	}
	return Token{}, false, nil
}

func (s *pebbleStore) Tokens(participant string) ([]Token, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return append([]Token(nil), s.tokens[participant]...), nil
}

func (s *pebbleStore) PutToken(t Token) error {
	value, err := json.Marshal(t)
	if err != nil {
		return err
	}
	key := append([]byte{tokenKey}, t.Participant...)
	key = binary.BigEndian.AppendUint64(append(key, 0), t.Number)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.db.Set(key, value, pebble.Sync); err != nil {
		return fmt.Errorf("store a token: %w", err)
	}
	list := s.tokens[t.Participant]
	for i := range list {
		if list[i].Number == t.Number {
			list[i] = t
			return nil
		}
	}
	s.tokens[t.Participant] = append(list, t)
	return nil
}

func (s *pebbleStore) ManagedKey(participant string) (string, error) {
	value, closer, err := s.db.Get(append([]byte{managedKey}, participant...))
	if errors.Is(err, pebble.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the managed key of %s: %w", participant, err)
	}
	defer closer.Close()
	return string(value), nil
}

func (s *pebbleStore) PutManagedKey(participant, key string) error {
	if err := s.db.Set(append([]byte{managedKey}, participant...), []byte(key), pebble.Sync); err != nil {
		return fmt.Errorf("store the managed key of %s: %w", participant, err)
	}
	return nil
}

func (s *pebbleStore) Close() error { return s.db.Close() }
