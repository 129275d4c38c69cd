package quorum_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
	"github.com/tallyroot/tallyroot/trillianlog/witness/quorum"
	"github.com/tallyroot/tallyroot/trillianlog/witness/witnesstest"
)

// Each thing that a witness may do wrong: its cosignature is not used, the error and
// the metrics say what it was.
func TestWrongAnswers(t *testing.T) {
	moved := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("a redirect was followed: %s", r.URL)
	}))
	defer moved.Close()
	other := newFake(t, "witness.example/other", witnesstest.NewLog(t, "log.example/b"))
	l := witnesstest.NewLog(t, "log.example/a")
	l.Grow(100)
	size := "Content-Type: text/x.tlog.size"
	for _, test := range []struct {
		name, result, want string
		answer             func(f *fake)
	}{
		{"unknown log", "refused", "does not follow this log", func(f *fake) { f.answers(404, "", "unknown\n") }},
		{"unknown key", "refused", "another key", func(f *fake) { f.answers(403, "", "") }},
		{"malformed", "refused", `(400 Bad Request: "\"old\"")`, func(f *fake) { f.answers(400, "", `"old"`) }},
		{"too large", "refused", "413", func(f *fake) { f.answers(413, "", "") }},
		{"a redirect", "refused", moved.URL, func(f *fake) { f.answers(307, "Location: "+moved.URL, "") }},
		{"a redirect that makes GET of POST", "refused", moved.URL, func(f *fake) { f.answers(302, "Location: "+moved.URL, "") }},
		{"no content", "refused", "204", func(f *fake) { f.answers(204, "", "") }},
		{"bad proof", "inconsistent", "for a continuation of size 0", func(f *fake) { f.answers(422, "", "proof") }},
		{"another root, as version 1 has it", "inconsistent", "another history", func(f *fake) { f.answers(409, "", "root") }},
		{"409 without the type", "inconsistent", "another history", func(f *fake) { f.answers(409, "Content-Type: text/plain", "50\n") }},
		{"409 without a line end", "inconsistent", "409", func(f *fake) { f.answers(409, size, "50") }},
		{"409 with a leading zero", "inconsistent", "409", func(f *fake) { f.answers(409, size, "050\n") }},
		{"409 with more", "inconsistent", "409", func(f *fake) { f.answers(409, size, "50\n60\n") }},
		{"409 beyond 2^64", "inconsistent", "409", func(f *fake) { f.answers(409, size, "18446744073709551616\n") }},
		{"409 with the size that was named", "malformed", "namely 0", func(f *fake) { f.answers(409, size, "0\n") }},
		{"no cosignature", "malformed", "no list of cosignatures", func(f *fake) { f.answers(200, "", "") }},
		{"no line end", "malformed", "no list of cosignatures", func(f *fake) { f.answers(200, "", strings.TrimSpace(f.cosign(l.At(60).Body(), time.Now()))) }},
		{"a page", "malformed", "no list of cosignatures", func(f *fake) { f.answers(200, "", "<html>\n") }},
		{"another witness's", "malformed", "another key than the policy's", func(f *fake) { f.answers(200, "", other.cosign(l.At(60).Body(), time.Now())) }},
		{"one for another checkpoint", "malformed", "does not hold", func(f *fake) { f.answers(200, "", f.cosign(l.At(61).Body(), time.Now())) }},
		{"a new text above the lines", "malformed", "no list of cosignatures", func(f *fake) {
			f.answers(200, "", "\n"+l.At(61).Body()+"\n"+f.cosign(l.At(61).Body(), time.Now()))
		}},
		{"too many lines", "malformed", "no list of cosignatures", func(f *fake) {
			f.answers(200, "", strings.Repeat(f.cosign(l.At(60).Body(), time.Now()), checkpoint.MaxSignatures+1))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, 1, "quorum w0\n", nil)
			w.client.Close() // the next one asks for the other log
			w.log = l
			f := newFake(t, "witness.example/0", l)
			w.policy = parse(t, "log "+l.Key+"\nwitness w0 "+f.vkey()+" "+f.web.URL+"/prefix\nquorum w0\n")
			w.restart(nil)
			test.answer(f)
			_, err := w.cosign(60)
			var failed *quorum.Error
			if !errors.Is(err, policy.ErrQuorum) || !errors.As(err, &failed) || len(failed.Witnesses) != 1 || failed.Witnesses[0].Name != "w0" ||
				!strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), f.web.URL) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if got := counted(t, w.client, "tallyroot_quorum_answers_total", "result", test.result); got < 1 {
				t.Errorf("%v answers are counted as %s", got, test.result)
			}
			st := w.client.Status()
			if st.Err == nil || st.Missed != 1 || st.Witnesses[0].Err == nil || st.Witnesses[0].FailedAt.IsZero() || st.Witnesses[0].Cosigned != 0 {
				t.Errorf("status %+v", st)
			}
		})
	}
}

// What may pass is asked for again, while there is patience.
func TestTriesAgain(t *testing.T) {
	for name, fail := range map[string]func(w http.ResponseWriter, n int){
		"errors of its own": func(w http.ResponseWriter, n int) { w.WriteHeader(500 + n) },
		"busy":              func(w http.ResponseWriter, n int) { w.Header().Set("Retry-After", "0"); w.WriteHeader(503) },
		"too many requests": func(w http.ResponseWriter, n int) { w.WriteHeader(429) },
		"breaks off": func(w http.ResponseWriter, n int) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "— w")
		},
		"hangs up":         func(w http.ResponseWriter, n int) { panic(http.ErrAbortHandler) },
		"answers too much": func(w http.ResponseWriter, n int) { io.WriteString(w, strings.Repeat("x", 100<<10)) },
		"another size first": func(w http.ResponseWriter, n int) {
			w.Header().Set("Content-Type", "text/x.tlog.size")
			w.WriteHeader(409)
			fmt.Fprintf(w, "%d\n", n)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1, "quorum w0\n", nil)
			n := 0
			w.fakes[0].set(func(f *fake) {
				f.before = func(w http.ResponseWriter, r *http.Request) bool {
					n++
					if n <= 2 {
						fail(w, n)
					}
					return n <= 2
				}
			})
			w.mustCosign(9, "w0")
			if st := w.client.Status(); st.Err != nil || st.Witnesses[0].Err != nil || st.Witnesses[0].Cosigned != 1 {
				t.Errorf("status %+v", st)
			}
			if got := len(w.fakes[0].asked()); name != "another size first" && got != 3 {
				t.Errorf("asked %d times", got)
			}
		})
	}
}

// One that never agrees to a size is given up, and one that wants to be left alone is.
func TestBounded(t *testing.T) {
	w := newWorld(t, 1, "quorum w0\n", nil)
	n := 0
	w.fakes[0].set(func(f *fake) {
		f.before = func(w http.ResponseWriter, r *http.Request) bool {
			n++
			w.Header().Set("Content-Type", "text/x.tlog.size")
			w.WriteHeader(409)
			fmt.Fprintf(w, "%d\n", n%3+1)
			return true
		}
	})
	w.failing(9, w.log.Prover(9), "4 times in a row", 0)
	w.restart(nil)
	before := len(w.fakes[0].asked())
	w.fakes[0].answers(503, "Retry-After: 30", "derived up to 7 of 9")
	w.failing(9, w.log.Prover(9), "derived up to 7 of 9", 0)
	time.Sleep(300 * time.Millisecond) // more than the first pause
	if got := w.fakes[0].asked()[before:]; len(got) != 1 {
		t.Errorf("asked from %v though it wanted 30 s", got)
	}
}

// A witness whose clock readers would not believe does not count.
func TestClocks(t *testing.T) {
	w := newWorld(t, 1, "quorum w0\n", nil)
	for i, test := range []struct {
		ahead time.Duration
		want  string
	}{
		{policy.MaxAhead - time.Minute, ""},
		{policy.MaxAhead + time.Minute, "ahead of ours"},
		{time.Minute - policy.DefaultMaxAge, ""},
		{-time.Minute - policy.DefaultMaxAge, "behind ours"},
	} {
		size := uint64(i + 1)
		w.restart(nil)
		w.fakes[0].set(func(f *fake) { f.now = time.Now().Add(test.ahead) })
		if test.want == "" {
			w.mustCosign(size, "w0")
		} else {
			w.failing(size, w.log.Prover(size), test.want, 0)
		}
	}
}

// A proof that the log cannot give, or that is none, is not sent.
func TestProofs(t *testing.T) {
	for name, prove := range map[string]func(uint64) ([][]byte, error){
		"cannot be given":     func(uint64) ([][]byte, error) { return nil, errors.New("the back end is away") },
		"is empty":            func(uint64) ([][]byte, error) { return nil, nil },
		"is too long":         func(uint64) ([][]byte, error) { return make([][]byte, 64), nil },
		"has half a hash":     func(uint64) ([][]byte, error) { return [][]byte{make([]byte, 16)}, nil },
		"has too long a hash": func(uint64) ([][]byte, error) { return [][]byte{make([]byte, 33)}, nil },
	} {
		w := newWorld(t, 2, "group g all w0 w1\nquorum g\n", nil)
		w.mustCosign(5, "w0", "w1")
		w.restart(nil)
		w.failing(9, prove, "from size 5 to 9", 0, 1)
		for _, f := range w.fakes {
			for _, old := range f.asked()[1:] {
				if old != 0 {
					t.Errorf("a proof that %s: asked from %v", name, f.asked())
				}
			}
		}
		w.restart(nil)
		w.mustCosign(9, "w0", "w1")
	}
}

// The same proof is asked for once, whatever number of witnesses needs it.
func TestOneProofForAll(t *testing.T) {
	w := newWorld(t, 3, "group g all w0 w1 w2\nquorum g\n", nil)
	w.mustCosign(5, "w0", "w1", "w2")
	calls := make(chan uint64, 10)
	_, err := w.client.Cosign(t.Context(), w.log.Signed(9), func(from uint64) ([][]byte, error) {
		calls <- from
		return w.log.Proof(from, 9), nil
	})
	if err != nil || len(calls) != 1 || <-calls != 5 {
		t.Errorf("%v, %d more calls", err, len(calls))
	}
}
