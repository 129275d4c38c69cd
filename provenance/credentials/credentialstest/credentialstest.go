// Package credentialstest is the suite that every credentials.Store passes.
package credentialstest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/provenance/credentials"
)

// Now is the time of the suite's tokens.
var Now = time.Date(2026, 5, 1, 12, 30, 15, 123456000, time.UTC)

// Run tests a store. fresh makes an empty one and gives what opens it; the suite
// closes what it opened before it opens it again.
func Run(t *testing.T, fresh func(t *testing.T) (open func() credentials.Store)) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, open func() credentials.Store)
	}{
		{"tokens", tokens},
		{"revoke", revoke},
		{"issue at once", issueAtOnce},
		{"managed keys", managedKeys},
		{"participants", participants},
		{"copy", copyStore},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, fresh(t)) })
	}
}

// check fails the test unless the token is judged so.
func check(t *testing.T, s credentials.Store, token, want string, at time.Time, wantErr error) {
	t.Helper()
	if got, err := credentials.Check(s, token, at); got != want || !errors.Is(err, wantErr) {
		t.Errorf("%.40s: %q, %v; want %q, %v", token, got, err, want, wantErr)
	}
}

// Issue makes a token, or ends the test.
func Issue(t testing.TB, s credentials.Store, participant string, expires time.Time) (string, credentials.Token) {
	t.Helper()
	secret, record, err := credentials.Issue(s, participant, Now, expires)
	if err != nil {
		t.Fatal(err)
	}
	return secret, record
}

// reopen closes the store and opens it again, as another process would.
func reopen(t *testing.T, s credentials.Store, open func() credentials.Store) credentials.Store {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return open()
}

func tokens(t *testing.T, open func() credentials.Store) {
	s := open()
	never := time.Time{}
	first, _ := Issue(t, s, "farm", never)
	second, record := Issue(t, s, "farm", Now.Add(time.Hour))
	if record.Number != 2 {
		t.Fatalf("%+v", record)
	}
	other, _ := Issue(t, s, "farm.north-1", never)
	for range 2 {
		check(t, s, first, "farm", Now, nil)
		check(t, s, second, "farm", Now.Add(time.Hour-1), nil)
		check(t, s, second, "", Now.Add(time.Hour), credentials.ErrExpired)
		check(t, s, other, "farm.north-1", Now, nil)
		check(t, s, first[:len(first)-1]+"~", "", Now, credentials.ErrUnknown)
		check(t, s, strings.Replace(first, "_1_", "_2_", 1), "", Now, credentials.ErrUnknown)
		check(t, s, strings.Replace(first, "_1_", "_3_", 1), "", Now, credentials.ErrUnknown)
		check(t, s, strings.Replace(first, "_1_", "_18446744073709551615_", 1), "", Now, credentials.ErrUnknown)
		check(t, s, strings.Replace(first, "_farm_", "_farm.north-1_", 1), "", Now, credentials.ErrUnknown)
		check(t, s, strings.Replace(first, "_farm_", "_farm._", 1), "", Now, credentials.ErrUnknown)
		check(t, s, strings.Replace(first, "_farm_", "_nobody_", 1), "", Now, credentials.ErrUnknown)

		list, err := s.Tokens("farm")
		if err != nil || len(list) != 2 || list[0].Number != 1 || list[1] != record {
			t.Errorf("%+v, %v; want %+v second", list, err, record)
		}
		if got, ok, err := s.Token("farm", 2); !ok || err != nil || got != record {
			t.Errorf("%+v, %v, %v; want %+v", got, ok, err, record)
		}
		if err := s.AddToken(record); !errors.Is(err, credentials.ErrTaken) {
			t.Errorf("added twice: %v", err)
		}
		if list, err := s.Tokens("nobody"); err != nil || len(list) != 0 {
			t.Errorf("%+v, %v", list, err)
		}
		// All of it is there for the next process.
		s = reopen(t, s, open)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func revoke(t *testing.T, open func() credentials.Store) {
	s := open()
	defer func() { _ = s.Close() }()
	secret, _ := Issue(t, s, "farm", time.Time{})
	other, _ := Issue(t, s, "farm", time.Time{})
	check(t, s, secret, "farm", Now, nil)
	for i, at := range []time.Time{Now.Add(time.Second), Now.Add(time.Minute)} {
		got, ok, err := s.RevokeToken("farm", 1, at)
		if err != nil || !ok || !got.Revoked.Equal(Now.Add(time.Second)) {
			t.Errorf("time %d: %+v, %v, %v", i, got, ok, err)
		}
		// In the process that revoked it, it ends at once, and that is said only
		// to who has the secret.
		check(t, s, secret, "", Now, credentials.ErrRevoked)
		check(t, s, secret[:len(secret)-1]+"~", "", Now, credentials.ErrUnknown)
		s = reopen(t, s, open)
	}
	check(t, s, secret, "", Now, credentials.ErrRevoked)
	check(t, s, other, "farm", Now, nil)
	for _, number := range []uint64{0, 3} {
		if _, ok, err := s.RevokeToken("farm", number, Now); ok || err != nil {
			t.Errorf("token %d: %v, %v", number, ok, err)
		}
	}
}

// Numbers are given once, however many ask for one.
func issueAtOnce(t *testing.T, open func() credentials.Store) {
	s := open()
	defer s.Close()
	const each, at = 3, 4
	var wg sync.WaitGroup
	for range at {
		wg.Go(func() {
			for range each {
				secret, _, err := credentials.Issue(s, "farm", Now, time.Time{})
				if err != nil {
					t.Error(err)
					return
				}
				check(t, s, secret, "farm", Now, nil)
			}
		})
	}
	wg.Wait()
	list, err := s.Tokens("farm")
	if err != nil || len(list) != each*at || list[len(list)-1].Number != each*at {
		t.Errorf("%d tokens, %v", len(list), err)
	}
}

func managedKeys(t *testing.T, open func() credentials.Store) {
	s := open()
	defer func() { _ = s.Close() }()
	if key, err := s.ManagedKey("farm"); key != "" || err != nil {
		t.Errorf("%q, %v", key, err)
	}
	for range 2 {
		for i, participant := range []string{"farm", "mill"} {
			for _, key := range []string{fmt.Sprintf("the key %d", i), "a second key, which comes too late"} {
				if err := s.AddManagedKey(participant, key); err != nil {
					t.Fatal(err)
				}
				if got, err := s.ManagedKey(participant); got != fmt.Sprintf("the key %d", i) || err != nil {
					t.Errorf("%q, %v", got, err)
				}
			}
		}
		s = reopen(t, s, open)
	}
}

func participants(t *testing.T, open func() credentials.Store) {
	s := open()
	defer s.Close()
	Issue(t, s, "mill", time.Time{})
	Issue(t, s, "mill", time.Time{})
	for _, id := range []string{"mill", "farm", "farm.north"} {
		if err := s.AddManagedKey(id, "key"); err != nil {
			t.Fatal(err)
		}
	}
	Issue(t, s, "shop", time.Time{})
	got, err := s.Participants()
	if want := []string{"farm", "farm.north", "mill", "shop"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}

// copyStore copies the store into one in memory and from there into another of its
// kind.
func copyStore(t *testing.T, open func() credentials.Store) {
	from, to := newMemory(), open()
	defer to.Close()
	farm, record := Issue(t, from, "farm", Now.Add(time.Hour))
	mill, _ := Issue(t, from, "mill", time.Time{})
	if err := from.AddManagedKey("farm", "the farm's key"); err != nil {
		t.Fatal(err)
	}
	copied := func(from, to credentials.Store, want int) {
		t.Helper()
		if n, err := credentials.Copy(t.Context(), from, to); n != want || err != nil {
			t.Errorf("copied %d, %v; want %d", n, err, want)
		}
	}
	copied(from, to, 3)
	copied(from, to, 0)
	check(t, to, farm, "farm", Now, nil)
	check(t, to, mill, "mill", Now, nil)
	if got, _, err := to.Token("farm", 1); got != record || err != nil {
		t.Errorf("%+v, %v; want %+v", got, err, record)
	}
	if key, err := to.ManagedKey("farm"); key != "the farm's key" || err != nil {
		t.Errorf("%q, %v", key, err)
	}
	// What came since comes with the next copy.
	Issue(t, from, "farm", time.Time{})
	if _, _, err := from.RevokeToken("mill", 1, Now); err != nil {
		t.Fatal(err)
	}
	copied(from, to, 1)
	check(t, to, mill, "", Now, credentials.ErrRevoked)
	back := newMemory()
	copied(to, back, 4)
	check(t, back, mill, "", Now, credentials.ErrRevoked)
	check(t, back, farm, "farm", Now, nil)

	// Another service's tokens and keys stay out.
	stranger := newMemory()
	Issue(t, stranger, "farm", time.Time{})
	if _, err := credentials.Copy(t.Context(), stranger, to); err == nil {
		t.Error("another token of the same number was copied")
	}
	stranger = newMemory()
	if err := stranger.AddManagedKey("farm", "another key"); err != nil {
		t.Fatal(err)
	}
	if _, err := credentials.Copy(t.Context(), stranger, to); err == nil {
		t.Error("another key was copied")
	}
}
