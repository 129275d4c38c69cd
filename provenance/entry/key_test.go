package entry_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/tallyroot/tallyroot/provenance/entry"
)

func TestKeyText(t *testing.T) {
	for range 20 {
		skey, vkey, err := note.GenerateKey(rand.Reader, "example.org/log/own/farm")
		if err != nil {
			t.Fatal(err)
		}
		k, err := entry.ParseKey(skey)
		if err != nil || k.Secret() != skey || k.Verifier().String() != vkey || k.Name() != "example.org/log/own/farm" {
			t.Fatalf("%s: %v", vkey, err)
		}
		v, err := entry.ParseVerifier(vkey)
		if err != nil || v != k.Verifier() || v.String() != vkey {
			t.Fatalf("%s: %v", vkey, err)
		}
		if s := fmt.Sprintf("%v %+v", k.Verifier(), v); strings.Contains(s, "PRIVATE") {
			t.Errorf("a verifier prints as %s", s)
		}
	}
	k, err := entry.NewKey(rand.Reader, "x")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := entry.ParseKey(k.Secret()); err != nil || again.Verifier() != k.Verifier() {
		t.Errorf("a new key does not read back: %v", err)
	}
	if _, err := entry.NewKey(strings.NewReader("too short"), "x"); err == nil {
		t.Error("a key was made of 9 bytes")
	}
}

func TestKeyTextRefused(t *testing.T) {
	k := key(t, "own", "farm", 1)
	vkey, skey := k.Verifier().String(), k.Secret()
	id := strings.Split(vkey, "+")[1]
	for name, bad := range map[string]string{
		"empty": "", "name only": "x", "no key": "x+" + id, "empty name": vkey[strings.Index(vkey, "+"):],
		"another name": "x" + vkey, "space": " " + vkey, "line feed": vkey + "\n", "line feed inside": vkey[:len(vkey)-8] + "\n" + vkey[len(vkey)-8:],
		"another id": strings.Replace(vkey, id, "00000000", 1), "upper case": strings.Replace(vkey, id, "ABCDEF01", 1), "short id": strings.Replace(vkey, id, id[1:], 1),
		"cosignature key": strings.Replace(vkey, "+A", "+B", 1), "truncated": vkey[:len(vkey)-4], "longer": vkey + "AAAA", "private key": skey,
		"small order": entry.Verifier{Name: "x", Public: [32]byte{1}}.String(),
	} {
		if _, err := entry.ParseVerifier(bad); err == nil {
			t.Errorf("verifier key, %s: taken", name)
		} else if secret := skey[len(skey)-20:]; strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error shows a private key: %v", name, err)
		}
	}
	if _, err := entry.ParseVerifier(entry.Verifier{Name: "x", Public: [32]byte{1}}.String()); !errors.Is(err, entry.ErrWeakKey) {
		t.Errorf("small order: %v", err)
	}
	for name, bad := range map[string]string{
		"empty": "", "verifier key": vkey, "another name": strings.Replace(skey, "example", "example2", 1), "truncated": skey[:len(skey)-4],
		"another id": strings.Replace(skey, id, "00000000", 1), "line feed": skey + "\n",
	} {
		_, err := entry.ParseKey(bad)
		if err == nil {
			t.Errorf("private key, %s: taken", name)
		} else if strings.Contains(err.Error(), skey[len(skey)-20:]) {
			t.Errorf("%s: the error shows a private key: %v", name, err)
		}
	}
	if k, err := entry.KeyFromSeed(strings.Repeat("x", 400), [32]byte{}); err == nil {
		t.Errorf("a name of 400 bytes: %v", k.Name())
	}
}

func FuzzParseVerifier(f *testing.F) {
	f.Add(key(f, "own", "farm", 1).Verifier().String())
	f.Fuzz(func(t *testing.T, s string) {
		if v, err := entry.ParseVerifier(s); err == nil && v.String() != s {
			t.Errorf("%q prints as %q", s, v)
		}
	})
}

func FuzzParseSignature(f *testing.F) {
	f.Add(key(f, "own", "farm", 1).Sign(nil).String())
	f.Fuzz(func(t *testing.T, s string) {
		if v, err := entry.ParseSignature(s); err == nil && v.String() != s {
			t.Errorf("%q prints as %q", s, v)
		}
	})
}
