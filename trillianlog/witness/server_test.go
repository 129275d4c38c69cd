package witness

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/datadir"
	"github.com/tallyroot/tallyroot/trillianlog/witness/witnesstest"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// bench is a witness with a clock that a test sets, on a real connection.
type bench struct {
	tb      testing.TB
	options Options
	server  *Server
	web     *httptest.Server

	mu  sync.Mutex
	now time.Time
}

func newBench(tb testing.TB, change func(*Options), logs ...*witnesstest.Log) *bench {
	tb.Helper()
	b := &bench{tb: tb, now: time.Unix(1_800_000_000, 0)}
	b.options = Options{Dir: filepath.Join(tb.TempDir(), "witness"), Name: "witness.example/w1", Now: b.clock, Logger: quiet}
	for _, l := range logs {
		b.options.Logs = append(b.options.Logs, Log{Key: l.Key})
	}
	if change != nil {
		change(&b.options)
	}
	b.start()
	tb.Cleanup(b.stop)
	return b
}

func (b *bench) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *bench) setClock(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = now
}

func (b *bench) start() {
	b.tb.Helper()
	server, err := Open(b.options)
	if err != nil {
		b.tb.Fatal(err)
	}
	b.server, b.web = server, httptest.NewServer(server)
}

func (b *bench) stop() {
	b.tb.Helper()
	b.web.Close()
	if err := b.server.Close(); err != nil {
		b.tb.Error(err)
	}
}

func (b *bench) restart() {
	b.tb.Helper()
	b.stop()
	b.start()
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (b *bench) post(body string) answer {
	b.tb.Helper()
	resp, err := http.Post(b.web.URL+"/add-checkpoint", "", strings.NewReader(body))
	if err != nil {
		b.tb.Fatal(err)
	}
	return b.read(resp)
}

func (b *bench) get(path string) answer {
	b.tb.Helper()
	resp, err := http.Get(b.web.URL + path)
	if err != nil {
		b.tb.Fatal(err)
	}
	return b.read(resp)
}

func (b *bench) read(resp *http.Response) answer {
	b.tb.Helper()
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.tb.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}

// ask writes a request by hand, as the specification has it.
func ask(old uint64, proof [][]byte, signed []byte) string {
	var s strings.Builder
	fmt.Fprintf(&s, "old %d\n", old)
	for _, hash := range proof {
		s.WriteString(base64.StdEncoding.EncodeToString(hash) + "\n")
	}
	s.WriteString("\n")
	s.Write(signed)
	return s.String()
}

// grow asks for a log's checkpoint and its proof from old.
func grow(l *witnesstest.Log, old, size uint64) string {
	var proof [][]byte
	if old != 0 && old != size {
		proof = l.Proof(old, size)
	}
	return ask(old, proof, l.Signed(size))
}

// cosigned checks an answer of 200 with another implementation, and gives the time
// of the cosignature.
func (b *bench) cosigned(a answer, signed []byte) time.Time {
	b.tb.Helper()
	if a.status != http.StatusOK {
		b.tb.Fatalf("%d %s", a.status, a.body)
	}
	verifier, err := fnote.NewVerifierForCosignatureV1(b.server.Verifier())
	if err != nil {
		b.tb.Fatal(err)
	}
	n, err := note.Open([]byte(string(signed)+a.body), note.VerifierList(verifier))
	if err != nil || len(n.Sigs) != 1 {
		b.tb.Fatalf("%v: %+v", err, n)
	}
	at, err := fnote.CoSigV1Timestamp(n.Sigs[0])
	if err != nil {
		b.tb.Fatal(err)
	}
	return at
}

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

// Each wrong thing gets its status, and none changes what was cosigned.
func TestAttacks(t *testing.T) {
	l, unknown := witnesstest.NewLog(t, "log.example/a"), witnesstest.NewLog(t, "log.example/unknown")
	impostor, other := witnesstest.NewLog(t, "log.example/a"), witnesstest.NewLog(t, "log.example/b")
	fresh := witnesstest.NewLog(t, "log.example/fresh")
	for _, l := range []*witnesstest.Log{l, unknown, impostor, other, fresh} {
		l.Grow(40)
	}
	fork := l.Fork(7)
	wrongEmpty := func(l *witnesstest.Log) []byte {
		signed, err := checkpoint.Sign(checkpoint.Checkpoint{Origin: l.Origin, Root: [32]byte{1}}, l.Signer())
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	resigned := func(c checkpoint.Checkpoint, signer note.Signer) []byte {
		n := checkpoint.Note{Text: c.Body()}
		sig, err := signer.Sign([]byte(n.Text))
		if err != nil {
			t.Fatal(err)
		}
		n.Signatures = []checkpoint.Signature{{Name: signer.Name(), KeyID: signer.KeyHash(), Sig: sig}}
		return n.Append(nil)
	}
	changed := func(signed []byte, from, to string) []byte { return bytes.Replace(signed, []byte(from), []byte(to), 1) }
	proof := l.Proof(10, 30)
	swapped := append([][]byte{proof[1], proof[0]}, proof[2:]...)

	b := newBench(t, nil, l, other, fresh)
	b.cosigned(b.post(grow(l, 0, 10)), l.Signed(10))
	b.cosigned(b.post(grow(other, 0, 10)), other.Signed(10))
	for _, test := range []struct {
		name   string
		body   string
		status int
	}{
		{"nothing", "", 400},
		{"no request", "hello", 400},
		{"an extension line", ask(10, proof, changed(l.Signed(30), "\n\n", "\nmore\n\n")), 400},
		{"no signature", ask(10, proof, []byte(l.At(30).Body())), 400},
		{"old above size", ask(31, nil, l.Signed(30)), 400},
		{"old above size, as stored", ask(10, nil, l.Signed(9)), 400},

		{"an unknown log", grow(unknown, 0, 5), 404},
		{"an unknown log, old above size", ask(9, nil, unknown.Signed(5)), 404},
		{"another log's checkpoint by a known key", ask(0, nil, resigned(unknown.At(5), l.Signer())), 404},

		{"signed by nobody known", grow(impostor, 10, 30), 403},
		{"signed by another log's key", ask(10, proof, resigned(l.At(30), other.Signer())), 403},
		{"another size than was signed", ask(10, proof, changed(l.Signed(30), "\n30\n", "\n31\n")), 403},
		{"one of two signatures broken", ask(10, proof, append(l.Signed(30), fork.Signed(30)[len(fork.At(30).Body())+1:]...)), 403},
		{"forged, old above size", ask(40, nil, changed(l.Signed(30), "\n30\n", "\n31\n")), 403},

		{"old below what was cosigned", grow(l, 9, 30), 409},
		{"old above what was cosigned", grow(l, 11, 30), 409},
		{"as if for the first time", grow(l, 0, 30), 409},
		{"back to an older size", grow(l, 5, 9), 409},
		{"an older fork", grow(fork, 8, 9), 409},
		{"a new log, not at the start", grow(fresh, 5, 30), 409},

		{"no proof", ask(10, nil, l.Signed(30)), 422},
		{"a short proof", ask(10, proof[1:], l.Signed(30)), 422},
		{"a long proof", ask(10, append(proof, proof[0]), l.Signed(30)), 422},
		{"a proof in another order", ask(10, swapped, l.Signed(30)), 422},
		{"the proof of another size", ask(10, l.Proof(10, 31), l.Signed(30)), 422},
		{"the proof from another size", ask(10, l.Proof(9, 30), l.Signed(30)), 422},
		{"a fork's proof", grow(fork, 10, 30), 422},
		{"a fork's checkpoint", ask(10, proof, fork.Signed(30)), 422},
		{"the same size, another root", grow(fork, 10, 10), 422},
		{"the same checkpoint with a proof", ask(10, proof, l.Signed(10)), 422},
		{"the first one with a proof", ask(0, proof, fresh.Signed(30)), 422},
		{"the first one, empty, with a proof", ask(0, proof, fresh.Signed(0)), 422},
		{"a wrong empty root", ask(0, nil, wrongEmpty(fresh)), 422},
	} {
		got := b.post(test.body)
		if got.status != test.status {
			t.Errorf("%s: %d %q, want %d", test.name, got.status, got.body, test.status)
		}
		if size := got.header.Get("Content-Type") == "text/x.tlog.size"; size != (test.status == 409) {
			t.Errorf("%s: content type %q", test.name, got.header.Get("Content-Type"))
		}
		if strings.Contains(got.body, "— ") || !strings.HasSuffix(got.body, "\n") || strings.Count(got.body, "\n") != 1 {
			t.Errorf("%s: body %q", test.name, got.body)
		}
	}
	for _, l := range []*witnesstest.Log{l, other} {
		b.cosigned(b.post(grow(l, 10, 40)), l.Signed(40))
	}
	b.cosigned(b.post(grow(fresh, 0, 40)), fresh.Signed(40))
}

func TestLimits(t *testing.T) {
	l := witnesstest.NewLog(t, "log.example/a")
	l.Grow(300)
	b := newBench(t, func(o *Options) { o.MaxRate = 3 }, l)
	if got := b.post(strings.Repeat("x", MaxRequest+1)); got.status != 413 {
		t.Errorf("one byte too many: %+v", got)
	}
	if got := b.post(strings.Repeat("x", MaxRequest)); got.status != 400 {
		t.Errorf("as large as may be: %+v", got)
	}
	// As many steps at once as a second allows.
	statuses := map[int]int{}
	for size := uint64(1); size <= 4; size++ {
		got := b.post(grow(l, size-1, size))
		statuses[got.status]++
		if got.status == 429 && got.header.Get("Retry-After") != "1" {
			t.Errorf("without Retry-After: %+v", got)
		}
	}
	// The bucket fills while the test runs: the fourth may have got through.
	if statuses[200] < 3 || statuses[200]+statuses[429] != 4 {
		t.Errorf("statuses %v", statuses)
	}
}

// A witness that is busy says so, and answers again afterwards.
func TestBusy(t *testing.T) {
	l := witnesstest.NewLog(t, "log.example/a")
	l.Grow(3)
	entered, leave := make(chan struct{}), make(chan struct{})
	b := newBench(t, func(o *Options) {
		o.MaxRequests = 1
		o.VerifyWait = time.Hour
		o.Verify = func(context.Context, checkpoint.Checkpoint, []byte) error {
			close(entered)
			<-leave
			return nil
		}
	}, l)
	first := make(chan answer)
	go func() { first <- b.post(grow(l, 0, 3)) }()
	<-entered
	if got := b.post(grow(l, 0, 3)); got.status != 503 || got.header.Get("Retry-After") != "1" {
		t.Errorf("beyond the limit: %+v", got)
	}
	close(leave)
	b.cosigned(<-first, l.Signed(3))
	b.cosigned(b.post(grow(l, 3, 3)), l.Signed(3))
}

// Rule: what it knows, it derived itself.
func TestVerify(t *testing.T) {
	l := witnesstest.NewLog(t, "log.example/a/index")
	l.Grow(9)
	var mu sync.Mutex
	var verdict error
	var asked []checkpoint.Checkpoint
	b := newBench(t, func(o *Options) {
		o.Role, o.VerifyWait = "index-verifier", 10*time.Millisecond
		o.Verify = func(ctx context.Context, c checkpoint.Checkpoint, signed []byte) error {
			mu.Lock()
			defer mu.Unlock()
			if got, err := checkpoint.Open(signed, mustVerifier(t, l.Key)); err != nil || got != c {
				t.Errorf("asked about %v with %q: %v", c, signed, err)
			}
			asked = append(asked, c)
			if errors.Is(verdict, context.DeadlineExceeded) {
				<-ctx.Done()
				return ctx.Err()
			}
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
	say(context.DeadlineExceeded)
	if got := b.post(grow(l, 3, 9)); got.status != 503 || was() != 1 {
		t.Errorf("not in time: %+v", got)
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

func mustVerifier(t testing.TB, key string) note.Verifier {
	v, err := note.NewVerifier(key)
	if err != nil {
		t.Fatal(err)
	}
	return v
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

func TestOpen(t *testing.T) {
	l := witnesstest.NewLog(t, "log.example/a")
	l.Grow(9)
	b := newBench(t, nil, l)
	b.cosigned(b.post(grow(l, 0, 3)), l.Signed(3))
	dir := b.options.Dir
	for name, mode := range map[string]os.FileMode{"": 0o700 | os.ModeDir, "witness.key": 0o600, "witness.vkey": 0o644, "role": 0o600, "cosigned": 0o700 | os.ModeDir, "cosigned/" + fileName(l.Origin): 0o600} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v; want %v", name, info.Mode(), err, mode)
		}
	}
	if text, err := os.ReadFile(filepath.Join(dir, "witness.vkey")); err != nil || string(text) != b.server.Verifier()+"\n" {
		t.Errorf("witness.vkey: %q, %v", text, err)
	}
	if s, err := Open(b.options); !errors.Is(err, datadir.ErrLocked) {
		t.Errorf("a second process: %v, %v", s, err)
	}
	b.web.Close()
	b.server.Close()
	if got := httptest.NewRecorder(); true {
		b.server.ServeHTTP(got, httptest.NewRequest("POST", "/add-checkpoint", strings.NewReader(grow(l, 3, 4))))
		if got.Code != 503 {
			t.Errorf("asked after it was closed: %d", got.Code)
		}
	}
	refused := func(name, want string, change func(o *Options)) {
		t.Helper()
		o := b.options
		o.Dir = filepath.Join(t.TempDir(), "copy")
		if err := os.CopyFS(o.Dir, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		change(&o)
		s, err := Open(o)
		if err == nil {
			s.Close()
		}
		if want == "" != (err == nil) || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "PRIVATE")) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	file := "cosigned/" + fileName(l.Origin)
	rewrite := func(o *Options, name string, change func([]byte) []byte) {
		path := filepath.Join(o.Dir, name)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, change(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(o *Options, name string) {
		if err := os.RemoveAll(filepath.Join(o.Dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	refused("as it was", "", func(o *Options) {})
	refused("without a name", "", func(o *Options) { o.Name = "" })
	refused("without logs", "", func(o *Options) { o.Logs = nil })
	refused("a leftover of a crash", "", func(o *Options) { os.WriteFile(filepath.Join(o.Dir, file+".spare"), []byte("half"), 0o600) })
	refused("killed while it was new", "", func(o *Options) {
		remove(o, "witness.key")
		remove(o, file)
	})
	refused("another name", "for life", func(o *Options) { o.Name = "witness.example/w2" })
	refused("new, without a name", "needs a name", func(o *Options) { o.Dir, o.Name = t.TempDir(), "" })
	refused("new, with a bad name", "cannot be the name", func(o *Options) { o.Dir, o.Name = t.TempDir(), "a b" })
	refused("a bad log", "not a verifier key", func(o *Options) { o.Logs = []Log{{Key: "x"}} })
	refused("the memory is lost", "forgets", func(o *Options) { remove(o, "cosigned") })
	refused("the key is lost", "is missing", func(o *Options) { remove(o, "witness.key") })
	refused("the role is lost", "role", func(o *Options) { remove(o, "role") })
	refused("another key", "not cosigned with the key", func(o *Options) {
		rewrite(o, "witness.key", func([]byte) []byte { return []byte(newTestKey(t, o.Name).Secret() + "\n") })
	})
	refused("a damaged key", "private key", func(o *Options) { rewrite(o, "witness.key", func(b []byte) []byte { return b[:40] }) })
	refused("a cut file", "damaged", func(o *Options) { rewrite(o, file, func(b []byte) []byte { return b[:20] }) })
	refused("an empty file", "damaged", func(o *Options) { rewrite(o, file, func(b []byte) []byte { return nil }) })
	refused("a changed size", "not cosigned with the key", func(o *Options) {
		rewrite(o, file, func(b []byte) []byte { return bytes.Replace(b, []byte("\n3\n"), []byte("\n2\n"), 1) })
	})
	refused("without our cosignature", "not cosigned with the key", func(o *Options) { rewrite(o, file, func([]byte) []byte { return l.Signed(3) }) })
	refused("under another log's name", "renamed", func(o *Options) {
		os.Rename(filepath.Join(o.Dir, file), filepath.Join(o.Dir, "cosigned/"+fileName("log.example/b")))
	})
	refused("some other file", "damaged", func(o *Options) { os.WriteFile(filepath.Join(o.Dir, "cosigned/notes.txt"), []byte("hello"), 0o600) })
	b.start()
}

// Two checkpoints of one size that the log signed are kept for everybody to see.
func TestForkIsKept(t *testing.T) {
	l := witnesstest.NewLog(t, "log.example/a")
	l.Grow(9)
	b := newBench(t, nil, l)
	b.post(grow(l, 0, 5))
	b.post(grow(l.Fork(3), 5, 5))
	b.post(grow(l.Fork(1), 5, 5))
	path := filepath.Join(b.options.Dir, "forks", fileName(l.Origin))
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	first, second, ok := strings.Cut(string(text), "\n\nlog.example/a\n")
	if !ok {
		t.Fatalf("kept: %q", text)
	}
	for i, signed := range []string{first + "\n", "log.example/a\n" + second} {
		c, err := checkpoint.Open([]byte(signed), mustVerifier(t, l.Key))
		if err != nil || c != []checkpoint.Checkpoint{l.At(5), l.Fork(3).At(5)}[i] {
			t.Errorf("note %d is %v, %v", i, c, err)
		}
	}
}
