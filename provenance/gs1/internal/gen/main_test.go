package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/tallyroot/tallyroot/internal/testdata"
)

func TestTableIsGenerated(t *testing.T) {
	dictionary, err := os.ReadFile(filepath.Join(testdata.Dir(t), "digitallink", "gs1-syntax-dictionary.txt"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := generate(string(dictionary))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../table.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("table.go is not what the dictionary gives: run GS1_SYNTAX_DICTIONARY=… go generate ./provenance/gs1")
	}
}

func TestGenerateRefuses(t *testing.T) {
	for _, dictionary := range []string{"what", "01", "01 * req=02"} {
		if out, err := generate(dictionary); err == nil {
			t.Errorf("%q gave %s", dictionary, out)
		}
	}
}
