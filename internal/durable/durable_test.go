package durable_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/tallyroot/tallyroot/internal/durable"
)

func TestWriteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	// A leftover of an earlier crash, readable by all, must not lend its mode.
	if err := os.WriteFile(path+".new", []byte("half"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"one", "another, longer", ""} {
		if err := durable.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != text {
			t.Errorf("got %q, %v; want %q", got, err, text)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != fs.FileMode(0o600) {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
	}
	if left, _ := filepath.Glob(path + ".*"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := durable.WriteFile(filepath.Join(path, "no-folder"), nil, 0o600); err == nil {
		t.Error("a file below a file was written")
	}
}

func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "checkpoint")
	synced := 0
	for _, text := range []string{"one", "another, longer", "2", ""} {
		err := durable.Replace(path, []byte(text), 0o644, func(f *os.File) error { synced++; return f.Sync() })
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("got %q, %v; want %q", got, err, text)
		}
	}
	if synced != 8 {
		t.Errorf("%d syncs; want the file's and the folder's each time", synced)
	}
	// What cannot be written leaves the old file.
	if err := os.RemoveAll(path + ".spare"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path+".spare", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := durable.Replace(path, []byte("new"), 0o644, durable.SyncData); err == nil {
		t.Error("written over a folder")
	}
	if got, err := os.ReadFile(path); err != nil || len(got) != 0 {
		t.Errorf("the old file is %q, %v", got, err)
	}
}
