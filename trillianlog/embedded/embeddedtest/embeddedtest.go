// Package embeddedtest does to a store of package embedded what must never
// happen to one, so that tests can see whether somebody notices.
package embeddedtest

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2"
)

// FlipLeaf flips one bit in the last byte of the value of the leaf at index,
// in the closed store in dir. Nothing else changes: tiles, root and all
// checksums of the database are as an honest store's.
func FlipLeaf(t testing.TB, dir string, index uint64) {
	t.Helper()
	db, err := pebble.Open(dir, &pebble.Options{ErrorIfNotExists: true, FormatMajorVersion: pebble.FormatTableFormatV6, Logger: quiet{}})
	if err != nil {
		t.Fatalf("opening the store to change a leaf: %v", err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Fatalf("closing the store after changing a leaf: %v", err)
		}
	}()
	key := leafKey(t, db, index)
	value, closer, err := db.Get(key)
	if err != nil {
		t.Fatalf("leaf %d: %v", index, err)
	}
	changed := append([]byte{}, value...)
	closer.Close()
	// A leaf's record ends with its value.
	changed[len(changed)-1] ^= 1
	if err := db.Set(key, changed, pebble.Sync); err != nil {
		t.Fatalf("leaf %d: %v", index, err)
	}
}

// leafKey is 'l', the tree's id and the index; the id stands under "ml".
func leafKey(t testing.TB, db *pebble.DB, index uint64) []byte {
	t.Helper()
	tree, closer, err := db.Get([]byte("ml"))
	if err != nil {
		t.Fatalf("the store does not say which tree is the log: %v", err)
	}
	defer closer.Close()
	return binary.BigEndian.AppendUint64(append([]byte{'l'}, tree...), index)
}

// Copy copies the closed store in the folder from to the folder to.
func Copy(t testing.TB, from, to string) {
	t.Helper()
	if err := os.MkdirAll(to, 0o700); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(from, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, f.Name()), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

type quiet struct{}

func (quiet) Infof(string, ...any)      {}
func (quiet) Errorf(string, ...any)     {}
func (quiet) Fatalf(f string, a ...any) { panic(fmt.Sprintf("pebble: "+f, a...)) }
