// Command build makes verifier.js, the one file that the product page loads, from
// src and the libraries of package-lock.json. In gateway/web/verifier:
//
//	npm ci && go run ./build           writes it
//	npm ci && go run ./build -check    fails unless it is what the sources give
//	npm ci && go run ./build -tests D  bundles the tests into the folder D, for node --test D
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/tallyroot/tallyroot/gateway/web/verifier/internal/bundle"
)

const output = "verifier.js"

func main() {
	check := flag.Bool("check", false, "only tell whether "+output+" is what the sources give")
	tests := flag.String("tests", "", "bundle the tests into this `folder` instead")
	flag.Parse()
	if err := run(*check, *tests); err != nil {
		fmt.Fprintln(os.Stderr, "build the verifier:", err)
		os.Exit(1)
	}
}

func run(check bool, tests string) error {
	if err := bundle.Ready("."); err != nil {
		return err
	}
	if tests != "" {
		return bundle.TestsForNode(".", tests)
	}
	script, err := bundle.Script(".")
	if err != nil {
		return err
	}
	if !check {
		fmt.Printf("%s: %d bytes, %d compressed\n", output, len(script), bundle.Compressed(script))
		return os.WriteFile(output, script, 0o644)
	}
	have, err := os.ReadFile(output)
	if err == nil && !bytes.Equal(have, script) {
		err = errors.New(output + " is not what the sources give: run go run ./build in gateway/web/verifier, and commit it")
	}
	return err
}
