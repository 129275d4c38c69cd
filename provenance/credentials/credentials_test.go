package credentials_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/provenance/credentials"
)

func open(t *testing.T, dir string) credentials.Store {
	t.Helper()
	s, err := credentials.Open(dir, quiet{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(format string, args ...any) {
	panic(format)
}

var now = time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)

func TestTokens(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	first, _, err := credentials.Issue(s, "farm", now, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	second, record, err := credentials.Issue(s, "farm", now, now.Add(time.Hour))
	if err != nil || record.Number != 2 {
		t.Fatalf("%+v, %v", record, err)
	}
	other, _, err := credentials.Issue(s, "farm.north-1", now, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	check := func(token, want string, at time.Time, wantErr error) {
		t.Helper()
		if got, err := credentials.Check(s, token, at); got != want || !errors.Is(err, wantErr) {
			t.Errorf("%.40s: %q, %v; want %q, %v", token, got, err, want, wantErr)
		}
	}
	check(first, "farm", now, nil)
	check(second, "farm", now.Add(time.Hour-1), nil)
	check(second, "", now.Add(time.Hour), credentials.ErrExpired)
	check(other, "farm.north-1", now, nil)
	check(first+"x", "", now, credentials.ErrUnknown)
	check(strings.Replace(first, "_1_", "_2_", 1), "", now, credentials.ErrUnknown)
	check(strings.Replace(first, "_1_", "_3_", 1), "", now, credentials.ErrUnknown)
	check(strings.Replace(first, "_farm_", "_farm.north-1_", 1), "", now, credentials.ErrUnknown)
	for _, bad := range []string{"", "x", "tallyroot_farm_1", "tallyroot_farm_x_" + strings.Repeat("A", 43), "Tallyroot" + first[9:], strings.Repeat("a", 1<<16)} {
		check(bad, "", now, credentials.ErrMalformed)
	}
	// Revoked and expired are said only to who has the secret.
	record.Revoked = now
	if err := s.PutToken(record); err != nil {
		t.Fatal(err)
	}
	check(second, "", now, credentials.ErrRevoked)
	check(second[:len(second)-1]+"~", "", now, credentials.ErrUnknown)

	// All of it is there for the next process.
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	defer s.Close()
	check(first, "farm", now, nil)
	check(second, "", now, credentials.ErrRevoked)
	if list, err := s.Tokens("farm"); err != nil || len(list) != 2 || list[0].Number != 1 {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestManagedKeys(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if key, err := s.ManagedKey("farm"); key != "" || err != nil {
		t.Errorf("%q, %v", key, err)
	}
	if err := s.PutManagedKey("farm", "a key"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	defer s.Close()
	if key, err := s.ManagedKey("farm"); key != "a key" || err != nil {
		t.Errorf("%q, %v", key, err)
	}
}

// The secret of a token is nowhere on disk.
func TestOnlyHashesAreStored(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	token, _, err := credentials.Issue(s, "farm", now, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	secret := token[strings.LastIndex(token, "_1_")+3:]
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(content, []byte(secret)) {
			t.Errorf("%s holds the token's secret", name)
		}
	}
}
