package credentials_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/provenance/credentials"
)

// untouched is a store that must not be asked.
type untouched struct {
	credentials.Store
	t *testing.T
}

func (u untouched) Token(participant string, number uint64) (credentials.Token, bool, error) {
	u.t.Errorf("asked for %q, %d", participant, number)
	return credentials.Token{}, false, nil
}

// What cannot be a token that was issued costs the store nothing.
func TestCheckAsksOnlyForTokens(t *testing.T) {
	good := credentials.NewSecret("farm", 1)
	for token, want := range map[string]error{
		"":                        credentials.ErrMalformed,
		"x":                       credentials.ErrMalformed,
		"tallyroot_farm_1":        credentials.ErrMalformed,
		"tallyroot_farm_x_secret": credentials.ErrMalformed,
		"tallyroot_farm_18446744073709551616_secret":        credentials.ErrMalformed,
		"tallyroot_farm_-1_secret":                          credentials.ErrMalformed,
		"Tallyroot" + good[9:]:                              credentials.ErrMalformed,
		strings.Repeat("a", 1<<16):                          credentials.ErrMalformed,
		good + strings.Repeat("x", 64):                      credentials.ErrUnknown,
		good + "x":                                          credentials.ErrUnknown,
		good[:len(good)-1]:                                  credentials.ErrUnknown,
		strings.Replace(good, "_1_", "_0_", 1):              credentials.ErrUnknown,
		strings.Replace(good, "_farm_", "_Farm_", 1):        credentials.ErrUnknown,
		strings.Replace(good, "_farm_", "_operator_", 1):    credentials.ErrUnknown,
		strings.Replace(good, "_farm_", "_fa'rm_", 1):       credentials.ErrUnknown,
		strings.Replace(good, "_farm_", "_f\xff\x00rm_", 1): credentials.ErrUnknown,
	} {
		if id, err := credentials.Check(untouched{t: t}, token, time.Now()); id != "" || !errors.Is(err, want) {
			t.Errorf("%.60q: %q, %v; want %v", token, id, err, want)
		}
	}
}

// taken is a store in which every number is taken by the time it is used.
type taken struct {
	credentials.Store
	tried int
}

func (*taken) Tokens(string) ([]credentials.Token, error) { return nil, nil }

func (s *taken) AddToken(credentials.Token) error {
	s.tried++
	return credentials.ErrTaken
}

func TestIssueGivesUp(t *testing.T) {
	s := &taken{}
	secret, _, err := credentials.Issue(s, "farm", time.Now(), time.Time{})
	if secret != "" || !errors.Is(err, credentials.ErrTaken) || s.tried < 2 {
		t.Errorf("%q, %v after %d tries", secret, err, s.tried)
	}
}
