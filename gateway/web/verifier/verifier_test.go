package verifier

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/tallyroot/tallyroot/gateway/web/verifier/internal/bundle"
)

// TestScript holds that the script which the product embeds is what its sources give.
func TestScript(t *testing.T) {
	ready(t)
	want, err := bundle.Script(".")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(Script, want) {
		t.Error("verifier.js is not what the sources give: run go run ./build in gateway/web/verifier, and commit it")
	}
	t.Logf("%d bytes, %d compressed", len(want), bundle.Compressed(want))
}

// TestTypes has the compiler check what esbuild only strips.
func TestTypes(t *testing.T) {
	ready(t)
	if out, err := exec.CommandContext(t.Context(), "node", "node_modules/typescript/bin/tsc", "-p", ".").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestInNode runs the verifier's own tests, among them all vectors that it shares
// with the Go verifier.
func TestInNode(t *testing.T) {
	ready(t)
	folder := t.TempDir()
	if err := bundle.TestsForNode(".", folder); err != nil {
		t.Fatal(err)
	}
	vectors, err := filepath.Abs("../../../provenance/testdata/vectors")
	if err != nil {
		t.Fatal(err)
	}
	published := os.Getenv("TALLYROOT_TESTDATA")
	if published == "" {
		if published, err = filepath.Abs("../../../../shared/testdata"); err != nil {
			t.Fatal(err)
		}
	}
	test := exec.CommandContext(t.Context(), "node", "--enable-source-maps", "--test", folder)
	test.Env = append(os.Environ(), "TALLYROOT_VECTORS="+vectors, "TALLYROOT_TESTDATA="+published)
	if out, err := test.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// ready skips the test where node or the libraries are missing, except where all has
// to be there.
func ready(t *testing.T) {
	t.Helper()
	_, err := exec.LookPath("node")
	if err == nil {
		err = bundle.Ready(".")
	}
	if err != nil && os.Getenv("TALLYROOT_TEST_ALL") != "" {
		t.Fatal(err)
	} else if err != nil {
		t.Skip(err)
	}
}
