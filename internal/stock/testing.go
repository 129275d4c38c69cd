package stock

import (
	"errors"
	"os"
	"testing"
)

// Own gives a log server and a signer for this test alone.
func Own(t testing.TB, o Options) *Trillian {
	t.Helper()
	s, err := New(t.TempDir(), o)
	Check(t, err)
	t.Cleanup(func() { _ = s.Kill() })
	return s
}

// Check ends the test if err is not nil. Where the programs are missing it skips
// it, except where TALLYROOT_TEST_ALL says that everything is there.
func Check(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, ErrMissing) && os.Getenv("TALLYROOT_TEST_ALL") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}
