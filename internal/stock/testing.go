package stock

import (
	"errors"
	"os"
	"testing"
)

// Own gives a log server and a signer for this test alone. It skips where the
// programs are missing, except where TALLYROOT_TEST_ALL says that everything is
// there.
func Own(t testing.TB, o Options) *Trillian {
	t.Helper()
	s, err := New(t.TempDir(), o)
	if errors.Is(err, ErrMissing) && os.Getenv("TALLYROOT_TEST_ALL") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Kill() })
	return s
}
