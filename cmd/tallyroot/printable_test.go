package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/cmd/tallyroot/internal/client"
)

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "Żółta Farma 農場\n\tx": "Żółta Farma 農場\n\tx",
		"\x1b[31mX\x07\r\x7f": `\u001b[31mX\u0007\u000d\u007f`,
		"a\u009b31m\u202eb":   `a\u009b31m\u202eb`,
	} {
		if got := printable(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// TestRefusalsAreText reports events whose fields have names that would command a
// terminal.
func TestRefusalsAreText(t *testing.T) {
	var out bytes.Buffer
	r := &report{err: &out, refused: 1}
	r.list(inputEvent{}, client.Result{}, &client.Error{Message: "\x1b]0;x\x07: is no field"})
	r.list(inputEvent{}, client.Result{Warnings: []string{"\x1b[2J"}}, nil)
	if out.Len() == 0 || strings.ContainsAny(out.String(), "\x1b\x07") {
		t.Errorf("printed %q", out.String())
	}
}
