package quorum_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
	"github.com/tallyroot/tallyroot/trillianlog/witness/quorum"
	"github.com/tallyroot/tallyroot/trillianlog/witness/witnesstest"
)

// The log's publisher calls it.
var _ trillianlog.WitnessFunc = (*quorum.Client)(nil).Cosign

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// deadline is for conditions that are waited for.
const deadline = 30 * time.Second

// world is a log, its witnesses and a client.
type world struct {
	*testing.T
	log    *witnesstest.Log
	fakes  []*fake
	policy *policy.Policy
	client *quorum.Client
}

// newWorld has n witnesses, of which the quorum is the line that is given.
func newWorld(t *testing.T, n int, quorumLines string, change func(*quorum.Options)) *world {
	t.Helper()
	w := &world{T: t, log: witnesstest.NewLog(t, "log.example/a")}
	w.log.Grow(100)
	text := "log " + w.log.Key + "\n"
	for i := range n {
		f := newFake(t, fmt.Sprintf("witness.example/%d", i), w.log)
		w.fakes = append(w.fakes, f)
		text += fmt.Sprintf("witness w%d %s %s/prefix/\n", i, f.vkey(), f.web.URL)
	}
	w.policy = parse(t, text+quorumLines)
	w.restart(change)
	return w
}

func parse(t *testing.T, text string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (w *world) restart(change func(*quorum.Options)) {
	w.Helper()
	o := quorum.Options{Origin: w.log.Origin, Policy: w.policy, Logger: quiet, Timeout: deadline, Patience: deadline, Grace: deadline}
	if change != nil {
		change(&o)
	}
	if w.client != nil {
		w.client.Close()
	}
	client, err := quorum.New(o)
	if err != nil {
		w.Fatal(err)
	}
	w.client = client
	w.Cleanup(client.Close)
}

// cosign asks for a size, and checks what comes.
func (w *world) cosign(size uint64) (policy.Verdict, error) {
	w.Helper()
	cosigned, err := w.client.Cosign(w.Context(), w.log.Signed(size), w.log.Prover(size))
	if err != nil {
		if cosigned != nil {
			w.Errorf("a checkpoint beside the error %v", err)
		}
		return policy.Verdict{}, err
	}
	v, err := w.policy.Check(cosigned)
	if err != nil || v.Checkpoint != w.log.At(size) {
		w.Fatalf("%v, %v", v, err)
	}
	_, n, err := checkpoint.Parse(cosigned)
	if err != nil || len(n.Signatures) != 1+len(v.Witnesses) {
		w.Fatalf("%d signatures, %v cosigned: %v", len(n.Signatures), v.Witnesses, err)
	}
	return v, nil
}

func (w *world) mustCosign(size uint64, witnesses ...string) {
	w.Helper()
	v, err := w.cosign(size)
	if err != nil {
		w.Fatal(err)
	}
	if !slices.Equal(v.Witnesses, witnesses) {
		w.Fatalf("cosigned by %v, want %v", v.Witnesses, witnesses)
	}
}

// until waits for a condition.
func (w *world) until(what string, is func(quorum.Status) bool) {
	w.Helper()
	end := time.Now().Add(deadline)
	for !is(w.client.Status()) {
		if time.Now().After(end) {
			w.Fatalf("not %s: %+v", what, w.client.Status())
		}
		time.Sleep(time.Millisecond)
	}
}

const two = "group g 2 w0 w1 w2\nquorum g\n"

func TestAllCosign(t *testing.T) {
	w := newWorld(t, 3, two, nil)
	start := time.Now()
	for _, size := range []uint64{0, 1, 7, 7, 64, 100} {
		w.mustCosign(size, "w0", "w1", "w2")
	}
	for _, f := range w.fakes {
		// The size that it has cosigned is known, and the connection is kept.
		if got := f.asked(); !slices.Equal(got, []uint64{0, 0, 1, 7, 7, 64}) || f.connections() != 1 {
			t.Errorf("asked from %v, over %d connections", got, f.connections())
		}
	}
	st := w.client.Status()
	if st.Origin != "log.example/a" || st.Met.Before(start) || st.Missed != 0 || st.Err != nil || st.Ahead != nil || len(st.Witnesses) != 3 {
		t.Errorf("status %+v", st)
	}
	for i, f := range st.Witnesses {
		if f.Name != fmt.Sprintf("w%d", i) || f.Size != 100 || f.Cosigned != 6 || f.Failed != 0 || f.Err != nil || f.CosignedAt.Before(start) || f.Time.IsZero() {
			t.Errorf("status %+v", f)
		}
	}
	// As at the next start, when nothing is known of them.
	w.restart(nil)
	w.mustCosign(100, "w0", "w1", "w2")
	for _, f := range w.fakes {
		if got := f.asked(); !slices.Equal(got[6:], []uint64{0, 100}) {
			t.Errorf("after a restart asked from %v", got)
		}
	}
}

// Cosignatures that a checkpoint has already are replaced.
func TestAskedAgainForAPublishedCheckpoint(t *testing.T) {
	w := newWorld(t, 1, "quorum w0\n", nil)
	w.fakes[0].set(func(f *fake) { f.now = time.Now().Add(-time.Hour) })
	signed, err := w.client.Cosign(t.Context(), w.log.Signed(5), w.log.Prover(5))
	if err != nil {
		t.Fatal(err)
	}
	w.fakes[0].set(func(f *fake) { f.now = time.Time{} })
	fresh, err := w.client.Cosign(t.Context(), signed, w.log.Prover(5))
	if err != nil {
		t.Fatal(err)
	}
	v, err := w.policy.Check(fresh)
	if err != nil || time.Since(v.Time) > 30*time.Minute || strings.Count(string(fresh), "— ") != 2 {
		t.Errorf("%v, %v\n%s", v, err, fresh)
	}
}

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
	w := newWorld(t, 1, "quorum w0\n", func(o *quorum.Options) { o.Patience = 250 * time.Millisecond })
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
	if _, err := w.cosign(9); err == nil || !strings.Contains(err.Error(), "4 times in a row") {
		t.Errorf("got %v", err)
	}
	before := len(w.fakes[0].asked())
	w.fakes[0].answers(503, "Retry-After: 30", "derived up to 7 of 9")
	w.restart(func(o *quorum.Options) { o.Patience = 500 * time.Millisecond })
	if _, err := w.cosign(9); err == nil || !strings.Contains(err.Error(), "derived up to 7 of 9") {
		t.Errorf("got %v", err)
	}
	if got := w.fakes[0].asked()[before:]; len(got) != 1 {
		t.Errorf("asked from %v though it wanted 30 s", got)
	}
}

// A witness whose clock readers would not believe does not count.
func TestClocks(t *testing.T) {
	w := newWorld(t, 1, "quorum w0\n", func(o *quorum.Options) { o.Patience = 50 * time.Millisecond })
	size := uint64(0)
	for _, test := range []struct {
		ahead time.Duration
		want  string
	}{
		{policy.MaxAhead - time.Minute, ""},
		{policy.MaxAhead + time.Minute, "ahead of ours"},
		{time.Minute - policy.DefaultMaxAge, ""},
		{-time.Minute - policy.DefaultMaxAge, "behind ours"},
	} {
		size++
		w.restart(func(o *quorum.Options) {
			if test.want != "" {
				o.Patience = 50 * time.Millisecond
			}
		})
		w.fakes[0].set(func(f *fake) { f.now = time.Now().Add(test.ahead) })
		_, err := w.cosign(size)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s ahead: %v", test.ahead, err)
		}
	}
}

// A witness that hangs costs the others' quorum nothing, is left behind, and comes
// back at the newest checkpoint.
func TestAStragglerComesBack(t *testing.T) {
	w := newWorld(t, 3, two, func(o *quorum.Options) { o.Grace = -1 })
	hang := make(chan struct{})
	arrived := make(chan struct{}, 1)
	w.fakes[2].set(func(f *fake) {
		f.before = func(http.ResponseWriter, *http.Request) bool {
			arrived <- struct{}{}
			<-hang
			f.before = nil
			return false
		}
	})
	for size := uint64(1); size <= 20; size++ {
		w.mustCosign(size, "w0", "w1")
		if size == 1 {
			<-arrived
		}
	}
	close(hang)
	w.until("up to date", func(st quorum.Status) bool { return st.Witnesses[2].Size == 20 })
	if got := w.fakes[2].asked(); !slices.Equal(got, []uint64{0, 1}) {
		t.Errorf("asked from %v", got)
	}
	w.restart(nil) // with grace: all three
	w.mustCosign(21, "w0", "w1", "w2")
}

// One that is gone is named, and the quorum fails closed without it.
func TestFailsClosed(t *testing.T) {
	w := newWorld(t, 3, two, nil)
	w.mustCosign(5, "w0", "w1", "w2")
	w.fakes[0].web.Close()
	w.mustCosign(6, "w1", "w2")
	w.fakes[2].answers(404, "", "")
	w.restart(func(o *quorum.Options) { o.Patience = 200 * time.Millisecond })
	_, err := w.cosign(7)
	var failed *quorum.Error
	if !errors.Is(err, policy.ErrQuorum) || !errors.As(err, &failed) || len(failed.Witnesses) != 2 || failed.Checkpoint.Size != 7 {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{"size 7 of log.example/a", "w0 (" + w.fakes[0].web.URL, "refused", "w2 (" + w.fakes[2].web.URL, "does not follow"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
	w.fakes[2].set(func(f *fake) { f.before = nil })
	w.until("back", func(quorum.Status) bool { _, err := w.cosign(8); return err == nil })
}

// Nobody waits for a witness that failed the last time, whatever the grace.
func TestNoGraceForTheFailing(t *testing.T) {
	w := newWorld(t, 3, two, func(o *quorum.Options) { o.Grace = time.Hour })
	w.fakes[1].answers(503, "Retry-After: 30", "")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // before it is asked again
	defer cancel()
	for _, size := range []uint64{5, 6, 7} {
		if _, err := w.client.Cosign(ctx, w.log.Signed(size), w.log.Prover(size)); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.fakes[1].asked(); len(got) != 1 {
		t.Errorf("asked from %v", got)
	}
}

// It gives up early when the quorum cannot be met any more.
func TestGivesUpEarly(t *testing.T) {
	w := newWorld(t, 3, "group g all w0 w1\nquorum g\n", nil)
	release := make(chan struct{})
	w.fakes[1].set(func(f *fake) {
		f.before = func(http.ResponseWriter, *http.Request) bool { <-release; return false }
	})
	defer close(release)
	w.fakes[0].answers(403, "", "")
	_, err := w.cosign(5)
	if err == nil || !strings.Contains(err.Error(), "w1") || !strings.Contains(err.Error(), "no answer yet") {
		t.Errorf("got %v", err)
	}
}

func TestPatienceAndTimeout(t *testing.T) {
	w := newWorld(t, 1, "quorum w0\n", func(o *quorum.Options) { o.Timeout, o.Patience = 20*time.Millisecond, 150*time.Millisecond })
	release := make(chan struct{})
	w.fakes[0].set(func(f *fake) {
		f.before = func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true }
	})
	defer close(release)
	if _, err := w.cosign(5); !errors.Is(err, policy.ErrQuorum) || !strings.Contains(err.Error(), "no answer within 20ms") {
		t.Errorf("got %v", err)
	}
	w.restart(func(o *quorum.Options) { o.Patience = 20 * time.Millisecond })
	if _, err := w.cosign(5); !errors.Is(err, policy.ErrQuorum) || !strings.Contains(err.Error(), "no answer yet") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.client.Cosign(ctx, w.log.Signed(6), w.log.Prover(6)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if st := w.client.Status(); st.Missed != 1 {
		t.Errorf("who did not wait is counted: %+v", st)
	}
	w.client.Close()
	if _, err := w.cosign(7); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("got %v", err)
	}
}

// Rule 2: a witness that is ahead stops the log, also when others meet the quorum.
func TestAhead(t *testing.T) {
	w := newWorld(t, 3, two, nil)
	w.mustCosign(5, "w0", "w1", "w2")
	w.fakes[1].answers(409, "Content-Type: text/x.tlog.size", "17\n")
	w.until("ahead", func(quorum.Status) bool {
		_, err := w.cosign(6)
		return errors.Is(err, trillianlog.ErrWitnessAhead) && strings.Contains(err.Error(), "size 17") && strings.Contains(err.Error(), "w1")
	})
	if _, err := w.cosign(20); !errors.Is(err, trillianlog.ErrWitnessAhead) {
		t.Errorf("asked again: %v", err)
	}
	if st := w.client.Status(); !errors.Is(st.Ahead, trillianlog.ErrWitnessAhead) {
		t.Errorf("status %+v", st)
	}
	if got := counted(t, w.client, "tallyroot_quorum_ahead", "", ""); got != 1 {
		t.Errorf("the metric is %v", got)
	}
}

// That somebody else brings our own newer checkpoint to a witness is no alarm.
func TestOvertaken(t *testing.T) {
	w := newWorld(t, 2, "group g any w0 w1\nquorum g\n", func(o *quorum.Options) { o.Grace = -1 })
	hang, arrived := make(chan struct{}), make(chan struct{})
	w.fakes[1].set(func(f *fake) {
		f.before = func(http.ResponseWriter, *http.Request) bool {
			close(arrived)
			<-hang
			f.before = nil
			c := w.log.At(9) // that was published meanwhile
			f.size, f.root = 9, c.Root[:]
			return false
		}
	})
	w.mustCosign(5, "w0")
	<-arrived
	w.mustCosign(9, "w0")
	close(hang)
	w.until("up to date", func(st quorum.Status) bool { return st.Witnesses[1].Size == 9 })
	if st := w.client.Status(); st.Ahead != nil || st.Witnesses[1].Failed != 0 {
		t.Errorf("status %+v", st)
	}
	if got := w.fakes[1].asked(); !slices.Equal(got, []uint64{0, 9}) {
		t.Errorf("asked from %v", got)
	}
}

// One that has lost its memory is led to the log again.
func TestForgotten(t *testing.T) {
	w := newWorld(t, 1, "quorum w0\n", nil)
	w.mustCosign(50, "w0")
	c := w.log.At(3)
	for _, forgotten := range []struct {
		size uint64
		root []byte
	}{{3, c.Root[:]}, {0, nil}} {
		w.fakes[0].set(func(f *fake) { f.size, f.root = forgotten.size, forgotten.root })
		w.mustCosign(60, "w0")
	}
}

// What contradicts what was asked for before never leaves.
func TestNeverAsksForTwoHistories(t *testing.T) {
	w := newWorld(t, 1, "quorum w0\n", nil)
	w.mustCosign(50, "w0")
	asked := len(w.fakes[0].asked())
	fork, foreign := w.log.Fork(3), witnesstest.NewLog(t, "log.example/a")
	foreign.Grow(60)
	elsewhere := witnesstest.NewLog(t, "log.example/b")
	elsewhere.Grow(60)
	both := parse(t, w.policy.String()+"log "+elsewhere.Key+"\n")
	broken := []byte(strings.Replace(string(w.log.Signed(60)), "\n60\n", "\n61\n", 1))
	for name, signed := range map[string][]byte{
		"smaller": w.log.Signed(49), "another root": fork.Signed(50), "another key": foreign.Signed(60),
		"another log": elsewhere.Signed(60), "broken": broken, "nothing": nil,
	} {
		if got, err := w.client.Cosign(t.Context(), signed, w.log.Prover(60)); err == nil || !strings.Contains(err.Error(), "ask witnesses: ") {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
	if got := w.fakes[0].asked(); len(got) != asked {
		t.Errorf("asked from %v", got[asked:])
	}
	w.policy = both
	w.restart(nil)
	if _, err := w.client.Cosign(t.Context(), elsewhere.Signed(60), elsewhere.Prover(60)); err == nil || !strings.Contains(err.Error(), `of the log "log.example/b"`) {
		t.Errorf("another log of the policy: %v", err)
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
		w.restart(func(o *quorum.Options) { o.Patience = 50 * time.Millisecond })
		if _, err := w.client.Cosign(t.Context(), w.log.Signed(9), prove); !errors.Is(err, policy.ErrQuorum) || !strings.Contains(err.Error(), "from size 5 to 9") {
			t.Errorf("a proof that %s: %v", name, err)
		}
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

func TestNew(t *testing.T) {
	l := witnesstest.NewLog(t, "log.example/a")
	w0, w1 := newFake(t, "witness.example/0", l), newFake(t, "witness.example/1", l)
	for _, test := range []struct {
		url   string
		plain bool // AllowHTTP
		want  string
	}{
		{"https://witness.example", false, ""},
		{"https://witness.example/a/b/", false, ""},
		{"http://127.0.0.1:7380", false, ""},
		{"http://[::1]:7380/w", false, ""},
		{"http://localhost:7380", false, ""},
		{"http://witness:7380", true, ""},
		{"http://witness:7380", false, "not https"},
		{"http://127.0.0.1.example", false, "not https"},
		{"http://localhost.example", false, "not https"},
		{"http://10.0.0.1", false, "not https"},
		{"ftp://witness.example", true, "no address"},
		{"witness.example", true, "no address"},
		{"https:witness.example", true, "no address"},
		{"https:///path", true, "no address"},
		{"/path", true, "no address"},
		{"https://user:hunter2@witness.example", false, "more than a host and a path"},
		{"https://witness.example?a=b", false, "more than a host and a path"},
		{"https://witness.example?", false, "more than a host and a path"},
		{"https://witness.example#a", false, "more than a host and a path"},
		{"https://witness.example#", false, "more than a host and a path"},
		{"https://witness.example:port", false, "no address"},
	} {
		p := parse(t, "log "+l.Key+"\nwitness w0 "+w0.vkey()+" "+test.url+"\nquorum w0\n")
		c, err := quorum.New(quorum.Options{Origin: l.Origin, Policy: p, AllowHTTP: test.plain, Logger: quiet})
		if err == nil {
			c.Close()
		}
		if test.want == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.url, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error tells the password: %v", test.url, err)
		}
	}
	// Witnesses without an address cannot be asked; enough of the others must be there.
	text := "log " + l.Key + "\nwitness w0 " + w0.vkey() + "\nwitness w1 " + w1.vkey() + " " + w1.web.URL + "/prefix\n"
	for lines, want := range map[string]string{
		"group g all w0 w1\nquorum g\n": "no address",
		"quorum w0\n":                   "no address",
		"group g any w0 w1\nquorum g\n": "",
		"quorum none\n":                 "",
	} {
		c, err := quorum.New(quorum.Options{Origin: l.Origin, Policy: parse(t, text+lines), Logger: quiet})
		if want == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", lines, err)
		}
		if err == nil {
			if signed, err := c.Cosign(t.Context(), l.Signed(0), l.Prover(0)); err != nil || !strings.HasPrefix(string(signed), string(l.Signed(0))) {
				t.Errorf("%q: %s, %v", lines, signed, err)
			}
			c.Close()
		}
	}
}

// The clients of several logs go into one registry, and names need not be UTF-8.
func TestMetrics(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	for _, origin := range []string{"log.example/a", "log.example/a/index"} {
		l := witnesstest.NewLog(t, origin)
		l.Grow(9)
		f, g := newFake(t, "witness.example/0", l), newFake(t, "witness.example/1", l)
		p := parse(t, "log "+l.Key+"\nwitness \xff "+f.vkey()+" "+f.web.URL+"/prefix\nwitness \xfe "+g.vkey()+" "+g.web.URL+"/prefix\ngroup g all \xff \xfe\nquorum g\n")
		c, err := quorum.New(quorum.Options{Origin: origin, Policy: p, Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := registry.Register(c); err != nil {
			t.Fatal(err)
		}
		if _, err := registry.Gather(); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Cosign(t.Context(), l.Signed(9), l.Prover(9)); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]float64{
			"tallyroot_quorum_answers_total": 2, "tallyroot_quorum_witness_up": 2, "tallyroot_quorum_witness_size": 18,
			"tallyroot_quorum_missed_total": 0, "tallyroot_quorum_ahead": 0,
		} {
			if got := counted(t, c, name, "log", origin); got != want {
				t.Errorf("%s of %s is %v, want %v", name, origin, got, want)
			}
		}
	}
	if _, err := registry.Gather(); err != nil {
		t.Fatal(err)
	}
}

// counted adds the values of a metric that have a label.
func counted(t *testing.T, c prometheus.Collector, name, label, value string) (sum float64) {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(c); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			has := label == ""
			for _, l := range m.GetLabel() {
				has = has || l.GetName() == label && l.GetValue() == value
			}
			if has {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}
