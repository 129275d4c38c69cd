package gateway

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestSplitArray(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []string // nil: an error
	}{
		{`[]`, []string{}},
		{" [ \n ] \t", []string{}},
		{`[{}]`, []string{`{}`}},
		{`[{"a":"],[\"\\"},[1,[2]], 3 ,"x,y"]`, []string{`{"a":"],[\"\\"}`, `[1,[2]]`, `3`, `"x,y"`}},
		{"[not JSON, {\"a\":}]", []string{"not JSON", `{"a":}`}}, // judged one by one
		{``, nil}, {` `, nil}, {`{}`, nil}, {`[`, nil}, {`[{}`, nil}, {`[{},`, nil}, {`[{},]`, nil}, {`[,{}]`, nil}, {`[{},,{}]`, nil},
		{`[{]}]`, nil}, {`[{}}]`, nil}, {`[{}] x`, nil}, {`[{}][]`, nil}, {`["a]`, nil}, {`["a\"]`, nil}, {`["a\`, nil},
	} {
		got, err := splitArray([]byte(c.in), 10)
		if (err == nil) != (c.want != nil) || len(got) != len(c.want) {
			t.Errorf("%s: %q, %v", c.in, got, err)
			continue
		}
		for i := range c.want {
			if string(got[i]) != c.want[i] {
				t.Errorf("%s: element %d is %s, want %s", c.in, i, got[i], c.want[i])
			}
		}
	}
}

func TestSplitLimit(t *testing.T) {
	for n, ok := range map[int]bool{0: true, 9: true, 10: true, 11: false} {
		array := "[" + strings.TrimSuffix(strings.Repeat("{},", n), ",") + "]"
		lines := strings.Repeat("{}\n\n", n)
		if got, err := splitArray([]byte(array), 10); (err == nil) != ok || ok && len(got) != n {
			t.Errorf("%d elements: %d, %v", n, len(got), err)
		}
		if got, err := splitLines([]byte(lines), 10); (err == nil) != ok || ok && len(got) != n {
			t.Errorf("%d lines: %d, %v", n, len(got), err)
		}
	}
}

func TestSplitLines(t *testing.T) {
	got, err := splitLines([]byte("{}\r\n\n  \n[1]\nlast"), 10)
	if err != nil || string(bytes.Join(got, []byte("|"))) != "{}|[1]|last" {
		t.Errorf("%q, %v", got, err)
	}
}

// What JSON calls an array is split into what JSON calls its elements.
func FuzzSplitArray(f *testing.F) {
	for _, s := range []string{`[]`, `[{"a":"],[\"\\"},[1,[2]], 3 ,"x,y"]`, `[{}`, `[{},]`, `["\u00e9",-1e5,null]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := splitArray(b, 1000)
		var want []json.RawMessage
		if json.Unmarshal(b, &want) != nil || bytes.Equal(bytes.TrimSpace(b), []byte("null")) || len(want) > 1000 {
			return
		}
		if err != nil || len(got) != len(want) {
			t.Fatalf("%q: %d elements, %v; want %d", b, len(got), err, len(want))
		}
		for i := range want {
			if !bytes.Equal(got[i], bytes.TrimSpace(want[i])) {
				t.Errorf("%q: element %d is %q, want %q", b, i, got[i], want[i])
			}
		}
	})
}
