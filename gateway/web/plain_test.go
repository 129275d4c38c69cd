package web

import (
	"errors"
	"strings"
	"testing"
)

// TestPlain writes text whole and byte by byte: characters may be cut anywhere.
func TestPlain(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "",
		"line\n\tline":                "line\n\tline",
		"Östergård, 梨, الراعي, 🍐":     "Östergård, 梨, الراعي, 🍐",
		"a\x00b\x7fc\r":               "a\ufffdb\ufffdc\ufffd",
		"a\u061cb\u200e\u200f":        "a\ufffdb\ufffd\ufffd",
		"\u202a\u202e\u2066\u2069":    "\ufffd\ufffd\ufffd\ufffd",
		"\u2028\u2029":                "\ufffd\ufffd",
		"\u200b\u2060\ufeff\u00ad":    "\ufffd\ufffd\ufffd\ufffd",
		"\u3164\u115f\U000e0041":      "\ufffd\ufffd\ufffd",
		"ab\u200dcd":                  "ab\ufffdcd",
		"\u200dab":                    "\ufffdab",
		"क्\u200dष می\u200cخ":         "क्\u200dष می\u200cخ",
		"👩\u200d🌾 ❤\ufe0f\u200d🔥":     "👩\u200d🌾 ❤\ufe0f\u200d🔥",
		"می\u200c\u200cخ":             "می\u200c\ufffdخ",
		"\u0600\u0661":                "\u0600\u0661", // a sign that can be seen
		"\xff\xc3(":                   "\ufffd\ufffd(",
		strings.Repeat("ä\u202e", 50): strings.Repeat("ä\ufffd", 50),
	} {
		whole, bytewise := plain{limit: 1000}, plain{limit: 1000}
		if n, err := whole.Write([]byte(text)); n != len(text) || err != nil {
			t.Fatalf("%q: %d, %v", text, n, err)
		}
		for i := range len(text) {
			if _, err := bytewise.Write([]byte{text[i]}); err != nil {
				t.Fatal(err)
			}
		}
		if whole.String() != want || bytewise.String() != want {
			t.Errorf("%q: %q, byte by byte %q, want %q", text, whole.String(), bytewise.String(), want)
		}
	}
	p := plain{limit: 4}
	if _, err := p.Write([]byte("four")); err != nil {
		t.Error(err)
	}
	if _, err := p.Write([]byte("!")); !errors.Is(err, errTooLarge) {
		t.Errorf("more than the limit: %v", err)
	}
}

func TestRoom(t *testing.T) {
	r := room{limit: 3 * smallAnswer}
	give, ok := r.take(9 * smallAnswer)
	if !ok {
		t.Fatal("what is alone is not taken")
	}
	if _, ok := r.take(smallAnswer + 1); ok {
		t.Error("more than there is room for")
	}
	if _, ok := r.take(smallAnswer); !ok {
		t.Error("a small answer is not taken")
	}
	give()
	for i, want := range []bool{true, true, false} {
		if _, ok := r.take(smallAnswer + smallAnswer/2); ok != want {
			t.Errorf("answer %d: %t", i, ok)
		}
	}
	if held := r.held.Load(); held != r.limit {
		t.Errorf("%d bytes are held", held)
	}
}
