package embedded_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/provenance/credentials"
	"github.com/tallyroot/tallyroot/provenance/credentials/credentialstest"
	"github.com/tallyroot/tallyroot/provenance/credentials/embedded"
)

func open(t *testing.T, dir string) credentials.Store {
	t.Helper()
	s, err := embedded.Open(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	credentialstest.Run(t, func(t *testing.T) func() credentials.Store {
		dir := t.TempDir()
		return func() credentials.Store { return open(t, dir) }
	})
}

// The secret of a token is nowhere on disk.
func TestOnlyHashesAreStored(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	token, _ := credentialstest.Issue(t, s, "farm", time.Time{})
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

// The folder with the keys is its owner's, whatever it was before.
func TestFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	defer open(t, dir).Close()
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, err := embedded.Open(dir, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("opened twice: %v", err)
	}
}
