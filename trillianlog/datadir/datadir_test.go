package datadir_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/trillianlog/datadir"
)

func TestLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	d, err := datadir.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("%v, %v", info, err)
	}
	if _, err := datadir.Lock(dir); !errors.Is(err, datadir.ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Fatalf("a second time: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d, err = datadir.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if d.Path() != dir {
		t.Fatal(d.Path())
	}
}

func TestVersion(t *testing.T) {
	for _, tt := range []struct {
		text  string
		ok    bool
		newer bool
	}{
		{"1\n", true, false},
		{"2\n", false, true},
		{"2147483647\n", false, true},
		{"2147483648\n", false, false},
		{"0\n", false, false},
		{"01\n", false, false},
		{"+1\n", false, false},
		{"1", false, false},
		{"1\n\n", false, false},
		{"", false, false},
		{"one\n", false, false},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "version"), []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := datadir.Lock(dir)
		if (err == nil) != tt.ok || errors.Is(err, datadir.ErrNewer) != tt.newer {
			t.Errorf("%q: %v", tt.text, err)
		}
		if d != nil {
			d.Close()
		}
		// Whoever is refused does not keep the folder.
		if err := os.WriteFile(filepath.Join(dir, "version"), []byte("1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		d, err = datadir.Lock(dir)
		if err != nil {
			t.Fatalf("%q: %v", tt.text, err)
		}
		d.Close()
	}
}

func TestVersionIsWritten(t *testing.T) {
	dir := t.TempDir()
	d, err := datadir.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if text, err := os.ReadFile(filepath.Join(dir, "version")); err != nil || string(text) != "1\n" {
		t.Fatalf("%q, %v", text, err)
	}
}
