package verify_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/tallyroot/tallyroot/provenance/verify"
)

// TestEachReasonHasAVector holds that every way to fail is met by the vectors that
// all verifiers share.
func TestEachReasonHasAVector(t *testing.T) {
	paths, err := filepath.Glob("../testdata/vectors/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	met := map[verify.Reason]bool{}
	claims := map[verify.Claim]bool{}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var cases []struct {
			Verdict struct {
				Reason verify.Reason
				Claim  verify.Claim
			}
		}
		if err := json.Unmarshal(b, &cases); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for _, c := range cases {
			met[c.Verdict.Reason], claims[c.Verdict.Claim] = true, true
		}
	}
	for _, r := range verify.Reasons() {
		if !met[r] {
			t.Errorf("no vector fails for the reason %s", r)
		}
		if r.Error() == "" {
			t.Errorf("the reason %s says nothing", r)
		}
	}
	for _, c := range []verify.Claim{verify.Complete, verify.CompleteByOperator, verify.Incomplete} {
		if !claims[c] {
			t.Errorf("no vector claims %s", c)
		}
	}
}
