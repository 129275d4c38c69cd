package provenance_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/provenance"
)

// TestKeysThatAreNotTheLogs starts a service on directories in which an operator
// has lost or mixed up files. Nothing is made anew that readers know by the old
// one.
func TestKeysThatAreNotTheLogs(t *testing.T) {
	other := t.TempDir()
	if err := open(t, other).Close(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		spoil func(dir string) error
		want  string
	}{
		"store and a key lost": {func(dir string) error {
			if err := os.RemoveAll(filepath.Join(dir, "store")); err != nil {
				return err
			}
			return os.Remove(filepath.Join(dir, "operator.key"))
		}, "operator.key is missing"},
		"another log's operator.key": {func(dir string) error {
			text, err := os.ReadFile(filepath.Join(other, "operator.key"))
			if err != nil {
				return err
			}
			if err := os.Remove(filepath.Join(dir, "operator.vkey")); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, "operator.key"), text, 0o600)
		}, "put operator.key back"},
		"another log's log.vkey": {func(dir string) error {
			text, err := os.ReadFile(filepath.Join(other, "log.vkey"))
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, "log.vkey"), text, 0o644)
		}, "log.vkey is not the public part"},
	} {
		dir := t.TempDir()
		if err := open(t, dir).Close(); err != nil {
			t.Fatal(err)
		}
		if err := c.spoil(dir); err != nil {
			t.Fatal(err)
		}
		s, err := provenance.Open(t.Context(), config(t, dir))
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error that says %q", name, err, c.want)
		}
	}
}

// TestOpenKeys: a start says once which private keys others can read.
func TestOpenKeys(t *testing.T) {
	dir := t.TempDir()
	if err := open(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	for _, modes := range []map[string]os.FileMode{
		{"log.key": 0o600, "index.key": 0o600, "operator.key": 0o600},
		{"log.key": 0o640, "index.key": 0o400, "operator.key": 0o604},
		{"log.key": 0o600, "index.key": 0o660, "operator.key": 0o600},
	} {
		said := new(bytes.Buffer)
		open := 0
		for name, mode := range modes {
			if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
				t.Fatal(err)
			}
			if mode&0o077 != 0 {
				open = 1
			}
		}
		c := config(t, dir)
		c.Logger = slog.New(slog.NewTextHandler(said, nil))
		s, err := provenance.Open(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(said.String(), "chmod 600"); n != open {
			t.Errorf("%v: %d warnings: %s", modes, n, said)
		}
		for name, mode := range modes {
			if named := strings.Contains(said.String(), filepath.Join(dir, name)); named != (mode&0o077 != 0) {
				t.Errorf("%s of the mode %v, named: %v: %s", name, mode, named, said)
			}
		}
	}
}
