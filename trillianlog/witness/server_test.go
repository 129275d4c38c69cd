package witness

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/witness/witnesstest"
)

func TestCosigns(t *testing.T) {
	l, other := witnesstest.NewLog(t, "log.example/a"), witnesstest.NewLog(t, "log.example/a/index")
	l.Grow(20)
	other.Grow(5)
	b := newBench(t, nil, l, other)
	start := b.clock()
	sizes := []uint64{0, 3, 3, 4, 16, 20}
	old := uint64(0)
	for i, size := range sizes {
		b.setClock(start.Add(time.Duration(i) * time.Hour))
		if at := b.cosigned(b.post(grow(l, old, size)), l.Signed(size)); !at.Equal(b.clock()) {
			t.Fatalf("size %d is cosigned at %s, want %s", size, at, b.clock())
		}
		old = size
	}
	b.cosigned(b.post(grow(other, 0, 5)), other.Signed(5))

	// Again, at the same second and later, and after a restart: the same checkpoint
	// and no step back in time.
	same := b.post(grow(l, 20, 20))
	if again := b.post(grow(l, 20, 20)); again.body != same.body {
		t.Errorf("within a second: %q and %q", same.body, again.body)
	}
	b.setClock(start.Add(24 * time.Hour))
	b.restart()
	if at := b.cosigned(b.post(grow(l, 20, 20)), l.Signed(20)); !at.Equal(b.clock()) {
		t.Errorf("asked again at %s: %s", b.clock(), at)
	}
	if conflict := b.post(grow(l, 0, 20)); conflict.status != 409 || conflict.body != "20\n" || conflict.header.Get("Content-Type") != "text/x.tlog.size" {
		t.Errorf("asked as if for the first time: %+v", conflict)
	}
	want := []LogStatus{{"log.example/a", true, 20, b.clock().UTC()}, {"log.example/a/index", true, 5, start.Add(5 * time.Hour).UTC()}}
	if got := b.server.Status(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("status %v, want %v", got, want)
	}
}

// A note may carry other signatures, which are neither believed nor handed on.
func TestOtherSignaturesAreIgnored(t *testing.T) {
	l, stranger := witnesstest.NewLog(t, "log.example/a"), witnesstest.NewLog(t, "stranger.example")
	l.Grow(3)
	b := newBench(t, nil, l)
	signed := l.Signed(3, stranger.Signer(), l.Signer())
	b.cosigned(b.post(ask(0, nil, signed)), signed)
	last := b.get("/" + fileName(l.Origin) + "/checkpoint")
	if last.status != 200 || strings.Count(last.body, "— ") != 2 || strings.Contains(last.body, "stranger") {
		t.Errorf("handed on: %+v", last)
	}
}

// What anybody may look up is the last checkpoint that was cosigned.
func TestMonitoring(t *testing.T) {
	l := witnesstest.NewLog(t, "log.example/a")
	l.Grow(9)
	b := newBench(t, nil, l)
	const path = "/b2d3e0cf2e483fbc179ff15f4e95ebef4f0ad5565d228215674c9ee83f0faf1d/checkpoint" // printf log.example/a | sha256sum
	for _, none := range []string{path, "/" + fileName("log.example/b") + "/checkpoint", "/x/checkpoint", "/", "/checkpoint", "/log.example/a/checkpoint"} {
		if got := b.get(none); got.status != 404 {
			t.Errorf("%s: %+v", none, got)
		}
	}
	b.post(grow(l, 0, 4))
	b.post(grow(l, 4, 9))
	b.post(grow(l.Fork(2), 9, 9))
	got := b.get(path)
	c, n, err := checkpoint.Parse([]byte(got.body))
	if err != nil || c != l.At(9) || len(n.Signatures) != 2 || got.header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Fatalf("%+v: %v", got, err)
	}
	b.cosigned(answer{status: 200, body: string(n.Signatures[1].Append(nil))}, l.Signed(9))
	for method, want := range map[string]int{http.MethodPut: 405, http.MethodDelete: 405, http.MethodHead: 200} {
		req, err := http.NewRequest(method, b.web.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if got := b.read(resp); got.status != want {
			t.Errorf("%s: %+v", method, got)
		}
	}
	if got := b.get("/add-checkpoint"); got.status != 405 {
		t.Errorf("GET add-checkpoint: %+v", got)
	}
}

// Rule: what it knows, it derived itself.
func TestVerify(t *testing.T) {
	l := witnesstest.NewLog(t, "log.example/a/index")
	l.Grow(9)
	var mu sync.Mutex
	var verdict error
	var asked []checkpoint.Checkpoint
	b := newBench(t, func(o *Options) {
		o.Role, o.VerifyWait = "index-verifier", time.Hour
		o.Verify = func(ctx context.Context, c checkpoint.Checkpoint, signed []byte) error {
			mu.Lock()
			defer mu.Unlock()
			if got, err := checkpoint.Open(signed, mustVerifier(t, l.Key)); err != nil || got != c {
				t.Errorf("asked about %v with %q: %v", c, signed, err)
			}
			asked = append(asked, c)
			return verdict
		}
	}, l)
	say := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		verdict, asked = err, nil
	}
	was := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(asked)
	}
	b.cosigned(b.post(grow(l, 0, 3)), l.Signed(3))

	say(nil)
	b.setClock(b.clock().Add(time.Hour))
	b.cosigned(b.post(grow(l, 3, 3)), l.Signed(3))
	if got := b.post(grow(l, 0, 9)); got.status != 409 || was() != 0 {
		t.Errorf("%+v, asked %d times about what was verified before or cannot be cosigned", got, was())
	}
	if got := b.post(ask(3, nil, l.Signed(9))); got.status != 422 || was() != 0 {
		t.Errorf("%+v, asked %d times", got, was())
	}

	say(errors.New("derived up to 2 of 9"))
	if got := b.post(grow(l, 3, 9)); got.status != 503 || got.header.Get("Retry-After") != "1" || !strings.Contains(got.body, "derived up to 2 of 9") {
		t.Errorf("not yet: %+v", got)
	}
	say(fmt.Errorf("%w: leaf 4 has another map root", ErrRefuted))
	if got := b.post(grow(l, 3, 9)); got.status != 422 || !strings.Contains(got.body, "leaf 4") {
		t.Errorf("refuted: %+v", got)
	}
	if b.server.Status()[0].Size != 3 {
		t.Error("what was not verified is remembered as cosigned")
	}
	say(nil)
	b.cosigned(b.post(grow(l, 3, 9)), l.Signed(9))

	// Whoever trusts its key trusts it for that: no plain witness may use it.
	b.server.Close()
	plain := b.options
	plain.Role, plain.Verify = "", nil
	if s, err := Open(plain); err == nil || !strings.Contains(err.Error(), "index-verifier") {
		t.Errorf("opened in another role: %v, %v", s, err)
	}
}

// What cannot be verified in time is asked for again later, also by those who wait
// behind it.
func TestVerifyWait(t *testing.T) {
	l := witnesstest.NewLog(t, "log.example/a/index")
	l.Grow(3)
	b := newBench(t, func(o *Options) {
		o.VerifyWait = 10 * time.Millisecond
		o.Verify = func(ctx context.Context, _ checkpoint.Checkpoint, _ []byte) error {
			<-ctx.Done()
			return ctx.Err()
		}
	}, l)
	var wait sync.WaitGroup
	for range 5 {
		wait.Go(func() {
			if got := b.post(grow(l, 0, 3)); got.status != 503 || got.header.Get("Retry-After") != "1" {
				t.Errorf("%+v", got)
			}
		})
	}
	wait.Wait()
}

// Times of cosignatures never go back, also when the clock does.
func TestClock(t *testing.T) {
	l := witnesstest.NewLog(t, "log.example/a")
	l.Grow(9)
	b := newBench(t, nil, l)
	start := b.clock()
	b.cosigned(b.post(grow(l, 0, 1)), l.Signed(1))
	b.setClock(start.Add(-MaxClockBack))
	b.restart()
	if at := b.cosigned(b.post(grow(l, 1, 2)), l.Signed(2)); !at.Equal(start) {
		t.Errorf("a minute back: %s, want %s", at, start)
	}
	b.setClock(start.Add(-MaxClockBack - time.Second))
	if got := b.post(grow(l, 2, 3)); got.status != 503 || got.header.Get("Retry-After") != "60" {
		t.Errorf("further back: %+v", got)
	}
	b.setClock(time.Unix(0, 0))
	if got := b.post(grow(l, 2, 3)); got.status != 503 {
		t.Errorf("a clock that is not set: %+v", got)
	}
	b.setClock(start.Add(time.Second))
	if at := b.cosigned(b.post(grow(l, 2, 3)), l.Signed(3)); !at.Equal(b.clock()) {
		t.Errorf("right again: %s", at)
	}
}

// Logs come, go and change keys while the witness serves, and what it knows of them
// stays.
func TestSetLogs(t *testing.T) {
	a, next, c := witnesstest.NewLog(t, "log.example/a"), witnesstest.NewLog(t, "log.example/a"), witnesstest.NewLog(t, "log.example/c")
	for _, l := range []*witnesstest.Log{a, next, c} {
		l.Grow(9)
	}
	b := newBench(t, nil, a)
	b.cosigned(b.post(grow(a, 0, 3)), a.Signed(3))
	set := func(want string, keys ...string) {
		t.Helper()
		var logs []Log
		for _, key := range keys {
			logs = append(logs, Log{Key: key})
		}
		err := b.server.SetLogs(logs)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Fatalf("%v, want %q", err, want)
		}
	}
	set("", a.Key, c.Key)
	b.cosigned(b.post(grow(c, 0, 2)), c.Signed(2))
	set("", c.Key)
	if got := b.post(grow(a, 3, 4)); got.status != 404 {
		t.Errorf("no longer followed: %+v", got)
	}
	if got := b.server.Status(); len(got) != 2 || got[0].Followed || got[0].Size != 3 || !got[1].Followed {
		t.Errorf("status %v", got)
	}
	// The same entries by another key: while it changes, both sign; a note with both
	// signatures is taken before, meanwhile and after.
	both := func(size uint64) []byte { return a.Signed(size, next.Signer()) }
	set("", a.Key, next.Key, next.Key)
	b.restart() // with the options' logs: a alone
	if got := b.post(grow(a, 0, 4)); got.status != 409 || got.body != "3\n" {
		t.Errorf("followed again: %+v", got)
	}
	b.cosigned(b.post(ask(3, a.Proof(3, 4), both(4))), both(4))
	set("", a.Key, next.Key)
	b.cosigned(b.post(ask(4, a.Proof(4, 5), both(5))), both(5))
	set("", next.Key)
	b.cosigned(b.post(ask(5, next.Proof(5, 6), next.Signed(6))), next.Signed(6))
	if got := b.post(grow(a, 6, 7)); got.status != 403 {
		t.Errorf("signed with the old key: %+v", got)
	}

	set("public key of 0 bytes", "log.example/x+00000000+AQ==")
	own := strings.SplitN(b.server.Verifier(), "+", 3)[2]
	raw, err := base64.StdEncoding.DecodeString(own)
	if err != nil {
		t.Fatal(err)
	}
	key, err := note.NewEd25519VerifierKey("log.example/self", raw[1:])
	if err != nil {
		t.Fatal(err)
	}
	set("witness of himself", key)
	if got := b.post(grow(next, 6, 7)); got.status != 200 {
		t.Errorf("a list that was refused has changed something: %+v", got)
	}
}
