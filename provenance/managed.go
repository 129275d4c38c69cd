package provenance

import (
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tallyroot/tallyroot/provenance/credentials"
	"github.com/tallyroot/tallyroot/provenance/entry"
)

// managedKeys are the keys with which the service signs what participants send
// unsigned: one each, read from the store once.
type managedKeys struct {
	store credentials.Store
	keys  sync.Map // participant → *entry.Key
}

func (m *managedKeys) of(participant string) (*entry.Key, error) {
	if key, ok := m.keys.Load(participant); ok {
		return key.(*entry.Key), nil
	}
	text, err := m.store.ManagedKey(participant)
	if err != nil {
		return nil, storeError(err)
	}
	if text == "" {
		return nil, fmt.Errorf("%w: the service holds no key for %s: send entries that are signed with its own key", ErrForbidden, participant)
	}
	key, err := entry.ParseKey(text)
	if err != nil {
		return nil, fmt.Errorf("the managed key of %s: %w", participant, err)
	}
	m.keys.Store(participant, key)
	return key, nil
}

// make gives the participant a key, durable before it is named in any entry.
// One that is there already, since an earlier attempt was cut off or another
// process was faster, is used.
func (m *managedKeys) make(origin, participant string) (*entry.Key, error) {
	if text, err := m.store.ManagedKey(participant); err != nil {
		return nil, storeError(err)
	} else if text != "" {
		return m.of(participant)
	}
	key, err := entry.NewKey(rand.Reader, entry.KeyName(origin, entry.RoleManaged, participant))
	if err != nil {
		return nil, err
	}
	if err := m.store.AddManagedKey(participant, key.Secret()); err != nil {
		return nil, storeError(err)
	}
	return m.of(participant)
}

// storeError marks an error of the store of tokens and keys, where it only has to
// come back, as one after which the same may be sent again.
func storeError(err error) error {
	if errors.Is(err, credentials.ErrUnavailable) {
		return &Unavailable{Why: "tokens and keys cannot be looked up now; nothing of this was done", After: time.Second, Err: err}
	}
	return err
}
