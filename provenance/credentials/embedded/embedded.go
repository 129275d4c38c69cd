// Package embedded keeps tokens and managed keys in a folder, for one process at
// a time.
//
// The private keys lie there as they are: who can read the folder can sign for
// the managed participants. It is made for its owner alone.
package embedded

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/tallyroot/tallyroot/internal/pebblelog"
	"github.com/tallyroot/tallyroot/provenance/credentials"
)

// The store's keys: a letter, the participant, and for a token a zero byte (no
// slug has one) and the number.
const (
	tokenKey   = 't'
	managedKey = 'm'
)

// store is a credentials.Store. Tokens, asked on every write, are remembered in
// memory; the folder holds thousands at most.
type store struct {
	db *pebble.DB

	mu     sync.RWMutex
	tokens map[string][]credentials.Token // by participant, in rising order
}

// Open opens, or makes, the store in dir. Only one process at a time can have it
// open. logger is told what the disk does; nil is slog.Default().
func Open(dir string, logger *slog.Logger) (credentials.Store, error) {
	if logger == nil {
		logger = slog.Default()
	}
	// Pebble's own files can be read by all: the folder is what keeps the keys.
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, err
	}
	db, err := pebble.Open(dir, &pebble.Options{Logger: pebblelog.Logger{To: logger}, MemTableSize: 1 << 20, FormatMajorVersion: pebble.FormatNewest})
	if err != nil {
		return nil, fmt.Errorf("open the store of tokens and keys in %s: %w", dir, err)
	}
	s := &store{db: db, tokens: map[string][]credentials.Token{}}
	if err := s.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("read the tokens in %s: %w", dir, err), db.Close())
	}
	return s, nil
}

// each calls f with every record whose key begins with the letter, in order.
func (s *store) each(letter byte, f func(key, value []byte) error) error {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{letter}, UpperBound: []byte{letter + 1}})
	if err != nil {
		return err
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		if err := f(it.Key(), it.Value()); err != nil {
			return fmt.Errorf("the record %q: %w", it.Key(), err)
		}
	}
	return it.Error()
}

func (s *store) load() error {
	return s.each(tokenKey, func(_, value []byte) error {
		var t credentials.Token
		if err := json.Unmarshal(value, &t); err != nil {
			return err
		}
		s.tokens[t.Participant] = append(s.tokens[t.Participant], t)
		return nil
	})
}

// find gives the place of a token in its participant's list. The caller holds mu.
func (s *store) find(participant string, number uint64) (list []credentials.Token, i int, found bool) {
	list = s.tokens[participant]
	i, found = slices.BinarySearchFunc(list, number, func(t credentials.Token, n uint64) int { return cmp.Compare(t.Number, n) })
	return list, i, found
}

func (s *store) Token(participant string, number uint64) (credentials.Token, bool, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list, i, found := s.find(participant, number)
	if !found {
		return credentials.Token{}, false, nil
	}
	return list[i], true, nil
}

func (s *store) Tokens(participant string) ([]credentials.Token, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(s.tokens[participant]), nil
}

func (s *store) AddToken(t credentials.Token) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	list, i, found := s.find(t.Participant, t.Number)
	if found {
		return credentials.ErrTaken
	}
	if err := s.put(t); err != nil {
		return err
	}
	s.tokens[t.Participant] = slices.Insert(list, i, t)
	return nil
}

func (s *store) RevokeToken(participant string, number uint64, at time.Time) (credentials.Token, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list, i, found := s.find(participant, number)
	if !found {
		return credentials.Token{}, false, nil
	}
	t := list[i]
	if !t.Revoked.IsZero() {
		return t, true, nil
	}
	t.Revoked = at.UTC()
	if err := s.put(t); err != nil {
		return credentials.Token{}, true, err
	}
	list[i] = t
	return t, true, nil
}

// put makes a token's record durable.
func (s *store) put(t credentials.Token) error {
	value, err := json.Marshal(t)
	if err != nil {
		return err
	}
	key := append([]byte{tokenKey}, t.Participant...)
	key = binary.BigEndian.AppendUint64(append(key, 0), t.Number)
	if err := s.db.Set(key, value, pebble.Sync); err != nil {
		return fmt.Errorf("store a token: %w", err)
	}
	return nil
}

func (s *store) ManagedKey(participant string) (string, error) {
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

func (s *store) AddManagedKey(participant, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if have, err := s.ManagedKey(participant); err != nil || have != "" {
		return err
	}
	if err := s.db.Set(append([]byte{managedKey}, participant...), []byte(key), pebble.Sync); err != nil {
		return fmt.Errorf("store the managed key of %s: %w", participant, err)
	}
	return nil
}

func (s *store) Participants() ([]string, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	ids := slices.Collect(maps.Keys(s.tokens))
	err := s.each(managedKey, func(key, _ []byte) error {
		ids = append(ids, string(key[1:]))
		return nil
	})
	slices.Sort(ids)
	return slices.Compact(ids), err
}

func (s *store) Close() error { return s.db.Close() }
