package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tallyroot/tallyroot/cmd/tallyroot/internal/client"
)

// A fakeLog answers POST /v1/events:batch. It covers an event late times after
// it was first sent, and refuses everything after it took limit batches.
type fakeLog struct {
	mu      sync.Mutex
	limit   int
	late    int
	batches int
	seen    map[string]int
}

func (f *fakeLog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.batches == f.limit {
		http.Error(w, `{"code":16,"message":"the token was revoked"}`, http.StatusUnauthorized)
		return
	}
	f.batches++
	var results []string
	for s := bufio.NewScanner(r.Body); s.Scan(); {
		f.seen[s.Text()]++
		switch n := f.seen[s.Text()]; {
		case n <= f.late:
			results = append(results, `{"status":202,"eventId":"x"}`)
		case n == f.late+1:
			results = append(results, `{"status":201,"eventId":"x","index":"1"}`)
		default:
			results = append(results, `{"status":200,"eventId":"x","index":"1"}`)
		}
	}
	fmt.Fprintf(w, `{"results":[%s]}`, strings.Join(results, ","))
}

// send runs `event log --resume` on a file of that many events.
func send(t *testing.T, f *fakeLog, file, cursorFile string) (*report, error) {
	t.Helper()
	s := httptest.NewServer(f)
	defer s.Close()
	cl, err := client.New(s.URL, "secret")
	if err != nil {
		t.Fatal(err)
	}
	resume, err := openResumer(cursorFile)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	r := &report{out: &out, err: &out}
	err = (&sender{client: cl}).sendAll(context.Background(), []string{file}, resume, r)
	return r, err
}

func ndjson(t *testing.T, n int) string {
	t.Helper()
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{\"type\":\"ObjectEvent\",\"n\":%d}\n", i)
	}
	file := filepath.Join(t.TempDir(), "events.ndjson")
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestResume(t *testing.T) {
	const n = 2*batchEvents + 7
	file := ndjson(t, n)
	cursorFile := filepath.Join(t.TempDir(), "cursor.json")
	f := &fakeLog{limit: 1, seen: map[string]int{}}

	r, err := send(t, f, file, cursorFile)
	if err == nil || r.logged != batchEvents {
		t.Fatalf("interrupted: %d logged, %v", r.logged, err)
	}
	f.limit = -1
	r, err = send(t, f, file, cursorFile)
	if err != nil || r.skipped != batchEvents || r.logged != n-batchEvents || r.known != 0 {
		t.Fatalf("resumed: %d skipped, %d logged, %d known, %v", r.skipped, r.logged, r.known, err)
	}
	if len(f.seen) != n {
		t.Errorf("%d different events arrived, want %d", len(f.seen), n)
	}
	if _, err := os.Stat(cursorFile); !os.IsNotExist(err) {
		t.Errorf("the cursor file is still there: %v", err)
	}
	// Without a cursor everything is sent again, and recognised.
	if r, err = send(t, f, file, ""); err != nil || r.known != n {
		t.Errorf("again: %d known, %v", r.known, err)
	}
}

func TestSummary(t *testing.T) {
	for _, c := range []struct {
		r    report
		want string
	}{
		{report{}, "no event"},
		{report{logged: 1}, "1 event: 1 logged"},
		{report{logged: 2, refused: 1, dryRun: true}, "3 events: 2 good (nothing was logged), 1 refused"},
	} {
		c.r.out = io.Discard
		if have := c.r.summary(); have != c.want {
			t.Errorf("%q, want %q", have, c.want)
		}
	}
}

// A cursor beyond the input's end is another input's.
func TestResumeOfAnotherInput(t *testing.T) {
	cursorFile := filepath.Join(t.TempDir(), "cursor.json")
	if err := os.WriteFile(cursorFile, []byte(`{"events":9,"digest":"00"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	f := &fakeLog{limit: -1, seen: map[string]int{}}
	if r, err := send(t, f, ndjson(t, 3), cursorFile); err == nil || r.logged != 0 {
		t.Errorf("%d logged, %v", r.logged, err)
	}
}

// What was taken but not covered is sent again until it is, within bounds.
func TestCoveredLater(t *testing.T) {
	f := &fakeLog{limit: -1, late: 2, seen: map[string]int{}}
	if r, err := send(t, f, ndjson(t, 3), ""); err != nil || r.logged != 3 || f.batches != 3 {
		t.Errorf("%d logged after %d requests, %v", r.logged, f.batches, err)
	}
	f = &fakeLog{limit: -1, late: 1000, seen: map[string]int{}}
	if r, err := send(t, f, ndjson(t, 3), ""); err != nil || r.pending != 3 || f.batches != coverAttempts {
		t.Errorf("%d pending after %d requests, %v", r.pending, f.batches, err)
	}
}

func TestInput(t *testing.T) {
	const event = `{"type":"ObjectEvent","n":1}`
	for name, test := range map[string]struct {
		text        string
		events, bad int
		err         bool
		lines       bool
	}{
		"one event":                {text: event, events: 1},
		"one event, on one line":   {text: event + "\n", events: 1},
		"an array":                 {text: "[" + event + ",\n" + event + "]", events: 2},
		"lines":                    {text: event + "\n\n" + event, events: 2, lines: true},
		"lines of arrays":          {text: "{\"type\":\"ObjectEvent\"}\n[" + event + "," + event + "]\n", events: 3, lines: true},
		"windows' lines":           {text: event + "\r\n" + event + "\r\n", events: 2, lines: true},
		"a bad line":               {text: event + "\n{\n" + event, events: 2, bad: 1, lines: true},
		"an object over lines":     {text: "{\"type\":\n\"ObjectEvent\"}\n", events: 1},
		"nothing":                  {text: "", err: true},
		"not JSON":                 {text: "type: ObjectEvent\n", err: true},
		"something behind it":      {text: event + " x", err: true},
		"duplicate members":        {text: `{"a":1,"a":2}`, err: true},
		"a statement":              {text: `{"type":"tallyroot:Product"}`, events: 1},
		"an event and a statement": {text: `[{"type":"tallyroot:Product"},` + event + `]`, events: 2},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(file, []byte(test.text), 0o644); err != nil {
				t.Fatal(err)
			}
			events, bad, size, failed := 0, 0, int64(0), error(nil)
			for e, err := range inputEvents([]string{file}) {
				if err != nil {
					failed = err
					break
				}
				size += e.bytes
				if (e.line > 0) != test.lines {
					t.Errorf("event %d has line %d", e.number, e.line)
				}
				if e.problem != nil {
					bad++
				} else {
					events++
				}
			}
			if (failed != nil) != test.err || events != test.events || bad != test.bad {
				t.Errorf("%d events, %d bad, %v", events, bad, failed)
			}
			if failed == nil && size > int64(len(test.text))+1 {
				t.Errorf("the progress bar gets %d of %d bytes", size, len(test.text))
			}
		})
	}
}

func TestLineLimit(t *testing.T) {
	r := bufio.NewReaderSize(strings.NewReader(strings.Repeat("x", maxLine)+"\ny"), 16)
	if line, err := readLine(r); err != nil || len(line) != maxLine {
		t.Errorf("a line of the greatest length: %d bytes, %v", len(line), err)
	}
	r = bufio.NewReaderSize(strings.NewReader(strings.Repeat("x", maxLine+2)), 16)
	if _, err := readLine(r); err == nil {
		t.Error("a longer line was taken")
	}
}
