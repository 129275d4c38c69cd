// Package testdata finds the published case files that the tests are held against.
// They are not part of this repository.
package testdata

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Dir gives the folder of the case files: $TALLYROOT_TESTDATA, else
// ../shared/testdata beside the repository. It skips the test, saying so, when
// neither is there.
func Dir(tb testing.TB) string {
	tb.Helper()
	dir := os.Getenv("TALLYROOT_TESTDATA")
	if dir == "" {
		_, file, _, _ := runtime.Caller(0)
		dir = filepath.Join(filepath.Dir(file), "..", "..", "..", "shared", "testdata")
	}
	if _, err := os.Stat(filepath.Join(dir, "README.md")); err != nil {
		tb.Skipf("the published case files are not here (%v): set TALLYROOT_TESTDATA to their folder", err)
	}
	return dir
}
