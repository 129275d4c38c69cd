package main

import (
	"bytes"
	"os"
	"testing"
)

func TestTheTableIsWhatTheSourceGives(t *testing.T) {
	want, err := generate("../../../../../provenance/gs1")
	if err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile("../../src/gs1/table.ts")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want) {
		t.Error("src/gs1/table.ts is not what provenance/gs1 gives: run go generate ./gateway/web/verifier/... and commit it")
	}
}
