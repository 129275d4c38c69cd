package provenance_test

import (
	"errors"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/provenance"
	"github.com/tallyroot/tallyroot/provenance/credentials"
)

// away is a store of tokens and keys that can be made unreachable.
type away struct {
	credentials.Store
	gone bool
}

func (a *away) Token(participant string, number uint64) (credentials.Token, bool, error) {
	if a.gone {
		return credentials.Token{}, false, credentials.ErrUnavailable
	}
	return a.Store.Token(participant, number)
}

func (a *away) Tokens(participant string) ([]credentials.Token, error) {
	if a.gone {
		return nil, credentials.ErrUnavailable
	}
	return a.Store.Tokens(participant)
}

func (a *away) RevokeToken(participant string, number uint64, at time.Time) (credentials.Token, bool, error) {
	if a.gone {
		return credentials.Token{}, false, credentials.ErrUnavailable
	}
	return a.Store.RevokeToken(participant, number, at)
}

func (a *away) ManagedKey(participant string) (string, error) {
	if a.gone {
		return "", credentials.ErrUnavailable
	}
	return a.Store.ManagedKey(participant)
}

// Of a token that cannot be looked up nobody is told that it is not good.
func TestCredentialsAway(t *testing.T) {
	c := config(t, t.TempDir())
	inner := c.Credentials
	var store *away
	c.Credentials = func(dir string) (credentials.Store, error) {
		s, err := inner(dir)
		store = &away{Store: s}
		return store, err
	}
	s, err := provenance.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, token, err := s.AddParticipant(t.Context(), admin, provenance.NewParticipant{Name: "Farm"})
	if err != nil {
		t.Fatal(err)
	}
	store.gone = true
	for name, do := range map[string]func() error{
		"Authenticate": func() error { _, err := s.Authenticate(token.Secret); return err },
		"Tokens":       func() error { _, err := s.Tokens(admin, "farm"); return err },
		"AddToken":     func() error { _, err := s.AddToken(t.Context(), admin, "farm", time.Time{}); return err },
		"RevokeToken":  func() error { _, err := s.RevokeToken(admin, "farm", 1); return err },
		"AddParticipant": func() error {
			_, _, err := s.AddParticipant(t.Context(), admin, provenance.NewParticipant{Name: "Mill"})
			return err
		},
	} {
		if err := do(); !errors.Is(err, provenance.ErrUnavailable) || errors.Is(err, provenance.ErrUnauthenticated) {
			t.Errorf("%s: %v", name, err)
		}
	}
	store.gone = false
	if caller, err := s.Authenticate(token.Secret); caller.Participant != "farm" || err != nil {
		t.Errorf("%+v, %v", caller, err)
	}
}
