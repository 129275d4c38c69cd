package provenance_test

import (
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
