package fetch

import (
	"compress/gzip"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// ask serves one handler and asks it for a tile.
func ask(t *testing.T, limit int64, o HTTPOptions, answer func(n int64, w http.ResponseWriter)) (data []byte, asked int64, err error) {
	t.Helper()
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/log/tile/0/000" {
			t.Errorf("asked for %s", r.URL)
		}
		answer(n.Add(1), w)
	}))
	defer server.Close()
	o.FirstPause = time.Millisecond
	s, err := HTTP(server.URL+"/log", o)
	if err != nil {
		t.Fatal(err)
	}
	data, err = s.Get(t.Context(), "tile/0/000", limit)
	if err != nil && !strings.Contains(err.Error(), server.URL+"/log/tile/0/000") {
		t.Errorf("%v does not name the file", err)
	}
	return data, n.Load(), err
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	status := func(code int, times int64) func(int64, http.ResponseWriter) {
		return func(n int64, w http.ResponseWriter) {
			if n <= times {
				w.WriteHeader(code)
				return
			}
			w.Write([]byte("good"))
		}
	}
	cut := func(n int64, w http.ResponseWriter) {
		w.Header().Set("Content-Length", "4")
		w.Write([]byte("goo"))
	}
	for name, test := range map[string]struct {
		answer func(int64, http.ResponseWriter)
		asked  int64
		err    error // nil: the answer is "good"; errAny: some
	}{
		"good":            {status(0, 0), 1, nil},
		"busy":            {status(http.StatusServiceUnavailable, 2), 3, nil},
		"too many":        {status(http.StatusTooManyRequests, 1), 2, nil},
		"broken":          {status(http.StatusInternalServerError, 1), 2, nil},
		"stays broken":    {status(http.StatusBadGateway, 99), 4, errAny},
		"not there":       {status(http.StatusNotFound, 99), 1, fs.ErrNotExist},
		"gone":            {status(http.StatusGone, 99), 1, fs.ErrNotExist},
		"forbidden":       {status(http.StatusForbidden, 99), 1, errAny},
		"cut off":         {cut, 4, errAny},
		"at the limit":    {func(_ int64, w http.ResponseWriter) { w.Write([]byte("good")) }, 1, nil},
		"above the limit": {func(_ int64, w http.ResponseWriter) { w.Write([]byte("goods")) }, 1, ErrTooLarge},
		"without a length": {func(_ int64, w http.ResponseWriter) {
			for range 5 {
				w.Write([]byte("x"))
				w.(http.Flusher).Flush()
			}
		}, 1, ErrTooLarge},
		"compressed": {func(_ int64, w http.ResponseWriter) { compressed(w, "good") }, 1, nil},
		"a bomb":     {func(_ int64, w http.ResponseWriter) { compressed(w, strings.Repeat("x", 1<<20)) }, 1, ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, asked, err := ask(t, 4, HTTPOptions{Attempts: 4}, test.answer)
			switch {
			case asked != test.asked:
				t.Errorf("asked %d times, want %d", asked, test.asked)
			case test.err == nil && (err != nil || string(data) != "good"):
				t.Errorf("%q, %v", data, err)
			case test.err == errAny && err == nil:
				t.Errorf("%q", data)
			case test.err != nil && test.err != errAny && !errors.Is(err, test.err):
				t.Errorf("%v, want %v", err, test.err)
			}
		})
	}
}

var errAny = errors.New("any")

func compressed(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(w)
	z.Write([]byte(text))
	z.Close()
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-1": 0, "1.5": 0, "99999999999": 0,
		"Mon, 02 Jan 2006 15:04:05 GMT": 0, // is over
	} {
		if got := retryAfter(http.Header{"Retry-After": {value}}); got != want {
			t.Errorf("%q: %s", value, got)
		}
	}
	if got := retryAfter(http.Header{"Retry-After": {time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)}}); got < 50*time.Minute {
		t.Errorf("in an hour: %s", got)
	}
}

func TestParallelRequestsAreBounded(t *testing.T) {
	t.Parallel()
	w := write(t, 5000)
	var now, most atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		time.Sleep(time.Millisecond)
		data, _, err := w.store.File(strings.TrimPrefix(r.URL.Path, "/"))
		if err != nil {
			t.Error(err)
		}
		rw.Write(data)
	}))
	defer server.Close()
	s, err := HTTP(server.URL, HTTPOptions{Parallel: 3})
	if err != nil {
		t.Fatal(err)
	}
	c, _ := w.store.Checkpoint()
	if err := read(t, Open(s, c, Options{Parallel: 16}), 0, 5000); err != nil {
		t.Fatal(err)
	}
	if most.Load() > 3 {
		t.Errorf("%d requests at once", most.Load())
	}
}

func TestAddress(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "log.example.org", "ftp://log.example.org", "https:///log", "https://u:p@log.example.org", "https://log.example.org?x", "https://log.example.org#", "https://log.example.org/#x", "://"} {
		if s, err := HTTP(bad, HTTPOptions{}); err == nil {
			t.Errorf("%q: %s", bad, s.Address("checkpoint"))
		} else if strings.Contains(err.Error(), ":p@") {
			t.Errorf("%q: the error shows the password: %v", bad, err)
		}
	}
	s, err := HTTP("https://log.example.org/a/log/", HTTPOptions{})
	if err != nil || s.Address("checkpoint") != "https://log.example.org/a/log/checkpoint" {
		t.Error(s, err)
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	s, err := HTTP(server.URL, HTTPOptions{FirstPause: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "checkpoint", 1); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Error(err)
	}
}

// A server that takes the connection and says nothing does not keep anybody for the
// time that a long file may need.
func TestSilence(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-done }))
	defer server.Close()
	defer close(done)
	s, err := HTTP(server.URL, HTTPOptions{Silence: 20 * time.Millisecond, Timeout: time.Hour, Attempts: 2, FirstPause: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "checkpoint", 10); err == nil || !strings.Contains(err.Error(), "no answer within 20ms (asked 2 times)") {
		t.Error(err)
	}
}

// A server cannot have its reader ask somebody else in the reader's own network, nor
// for ever.
func TestRedirects(t *testing.T) {
	t.Parallel()
	var inside atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { inside.Add(1) }))
	defer other.Close()
	for name, test := range map[string]struct {
		to    func(path string) string // for a path below /log/
		tls   bool
		asked int64
		good  bool
	}{
		"within the host": {func(path string) string { return "/copy" + path }, false, 2, true},
		"to http":         {func(path string) string { return other.URL + path }, true, 1, false},
		"to another host": {func(path string) string { return other.URL + path }, false, 1, false},
		"for ever":        {func(path string) string { return path }, false, maxRedirects + 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int64
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				if strings.HasPrefix(r.URL.Path, "/log/") {
					http.Redirect(w, r, test.to(r.URL.Path), http.StatusFound)
					return
				}
				w.Write([]byte("good"))
			}))
			o := HTTPOptions{FirstPause: time.Millisecond}
			if test.tls {
				server.StartTLS()
				o.Client = server.Client()
			} else {
				server.Start()
			}
			defer server.Close()
			s, err := HTTP(server.URL+"/log", o)
			if err != nil {
				t.Fatal(err)
			}
			data, err := s.Get(t.Context(), "tile/0/000", 100)
			if good := err == nil && string(data) == "good"; good != test.good || asked.Load() != test.asked || inside.Load() > 0 {
				t.Errorf("%q, %v, asked %d times, and others %d times", data, err, asked.Load(), inside.Load())
			}
			if err != nil && !errors.Is(err, errRedirect) {
				t.Error(err)
			}
		})
	}
}
