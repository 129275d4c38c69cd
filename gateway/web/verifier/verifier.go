// Package verifier holds the script with which the product page checks, on the
// reader's own device, what this service says: verifier.js, built by package
// build from src. What it checks and when it refuses is what provenance/verify
// does, in another language; both agree on all of provenance/testdata/vectors.
//
// The script asks for nothing but the journey that its page names. A page that
// the operator serves runs the operator's code: it shows the script's digest, so
// that anybody can compare it with one built elsewhere.
package verifier

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
)

// Script is verifier.js.
//
//go:embed verifier.js
var Script []byte

// Integrity is the digest of Script for the attribute of that name, by which a
// browser refuses any other one: sha256- and base64.
func Integrity() string {
	sum := sha256.Sum256(Script)
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
