package witness

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

func logKey(t testing.TB, origin string) string {
	t.Helper()
	_, key, err := note.GenerateKey(nil, origin)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestParseLogs(t *testing.T) {
	a, a2, b := logKey(t, "log.example/a"), logKey(t, "log.example/a"), logKey(t, "log.example/b")
	logs, err := ParseLogs([]byte("# mine\n\nlog " + a + "\n \tlog\t" + a2 + "  https://a.example/log \n  # old\nlog " + b + " https://b.example"))
	want := []Log{{Key: a}, {a2, "https://a.example/log"}, {b, "https://b.example"}}
	if err != nil || fmt.Sprint(logs) != fmt.Sprint(want) {
		t.Fatalf("got %v, %v", logs, err)
	}
	if logs[2].Origin() != "log.example/b" {
		t.Fatal(logs[2].Origin())
	}
	if logs, err := ParseLogs(nil); err != nil || len(logs) != 0 {
		t.Fatalf("an empty list: %v, %v", logs, err)
	}
	keys := ""
	for range MaxLogKeys {
		keys += "log " + logKey(t, "log.example/c") + "\n"
	}
	if _, err := ParseLogs([]byte(keys)); err != nil {
		t.Errorf("%d keys of one log: %v", MaxLogKeys, err)
	}
	for name, text := range map[string]string{
		"no keyword":          a + "\n",
		"no key":              "log\n",
		"too much":            "log " + a + " https://a.example more\n",
		"a witness's key":     "log " + newTestKey(t, "w").Verifier() + "\n",
		"a changed key":       "log " + strings.Replace(a, "log.", "gol.", 1) + "\n",
		"another keyword":     "witness w " + newTestKey(t, "w").Verifier() + "\n",
		"a quorum":            "log " + a + "\nquorum none\n",
		"CR":                  "log " + a + "\r\n",
		"a no-break space":    "log\u00a0" + a + "\n",
		"NUL":                 "#\x00\n",
		"one key too many":    keys + "log " + logKey(t, "log.example/c") + "\n",
		"larger than allowed": strings.Repeat("#\n", MaxListSize/2+1),
	} {
		if logs, err := ParseLogs([]byte(text)); err == nil || !strings.Contains(err.Error(), "list of logs") {
			t.Errorf("%s: %v, %v", name, logs, err)
		}
	}
}
