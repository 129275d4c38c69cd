package witness

import (
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

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

func mustVerifier(t testing.TB, key string) note.Verifier {
	v, err := note.NewVerifier(key)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
