package embedded_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/backendtest"
	"github.com/tallyroot/tallyroot/trillianlog/embedded"
	"github.com/tallyroot/tallyroot/trillianlog/embedded/embeddedtest"
)

func TestBackend(t *testing.T) {
	backendtest.Run(t, func(t *testing.T) backendtest.Subject {
		dir := filepath.Join(t.TempDir(), "store")
		return backendtest.Subject{
			Open: func(t testing.TB) trillianlog.Backend {
				t.Helper()
				b, err := embedded.Open(t.Context(), dir, embedded.Options{Logger: backendtest.Quiet})
				if err != nil {
					t.Fatal(err)
				}
				return b
			},
			Tamper: func(t testing.TB, index uint64) { embeddedtest.FlipLeaf(t, dir, index) },
			Save: func(t testing.TB) func(testing.TB) {
				saved := filepath.Join(t.TempDir(), "saved")
				copyDir(t, dir, saved)
				return func(t testing.TB) { copyDir(t, saved, dir) }
			},
		}
	})
}

func copyDir(t testing.TB, from, to string) {
	t.Helper()
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}
