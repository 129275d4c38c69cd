package trillianlog_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/trillian"
	"github.com/google/trillian/types"
	"google.golang.org/grpc"

	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/outagetest"
)

// A back end goes away while leaves come, in every way at every call, and comes
// back: new leaves are refused at once, nobody is left waiting, what is published
// can be proved, and leaves are taken again without anybody's doing.
func TestOutages(t *testing.T) {
	tests := []struct {
		name    string
		fault   outagetest.Fault
		calls   []string
		timeout time.Duration // of one call
	}{
		{"down", outagetest.Fails, calls, time.Hour},
		{"hanging", outagetest.Hangs, calls, time.Hour},
		{"answers lost", outagetest.Loses, calls, time.Hour},
		{"no writes", outagetest.Fails, []string{"add"}, time.Hour},
		{"writes lost", outagetest.Loses, []string{"add", "find"}, time.Hour},
		{"writes hang", outagetest.Hangs, []string{"add"}, 400 * time.Millisecond},
		{"no look-ups", outagetest.Fails, []string{"find"}, time.Hour},
		{"look-ups hang", outagetest.Hangs, []string{"find"}, 400 * time.Millisecond},
		{"no end", outagetest.Loses, []string{"next", "add"}, time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			l, f := w.openFaulty(func(o *trillianlog.Options) { o.CallTimeout = tt.timeout })
			w.logAtLast(l, "before", 5)
			var said outcomes
			var clients sync.WaitGroup
			over := make(chan struct{})
			for client := range 8 {
				clients.Go(func() {
					for i := 0; ; i++ {
						err := said.send(w, l, leaf(fmt.Sprintf("%d-%d", client, i), "text"))
						select {
						case <-over:
							return
						default:
						}
						if err != nil {
							time.Sleep(time.Millisecond)
						}
					}
				})
			}
			for round := range 2 {
				f.Set(tt.fault, tt.calls...)
				var st trillianlog.Status
				eventually(t, "the log refuses", func() bool { st = l.Status(); return st.Writable != nil })
				if !errors.Is(st.Writable, trillianlog.ErrUnavailable) || st.Readable != nil || st.Err != nil {
					t.Errorf("round %d: status %+v", round, st)
				}
				w.check(l) // reads go on
				f.Set(outagetest.Works)
				eventually(t, "leaves are taken again", func() bool { st = l.Status(); return st.Writable == nil })
				w.logAtLast(l, fmt.Sprint("after-", round), 3)
			}
			close(over)
			clients.Wait()
			w.logAtLast(l, "last", 1)
			said.check(w, l)
			if st := l.Status(); st.Writable != nil || st.Publishing != nil || st.Stored != st.Published || st.QueueLeaves != 0 || st.QueueBytes != 0 {
				t.Errorf("in the end: %+v", st)
			}
		})
	}
}

// Faults at random under load. What was acknowledged is there, what was refused is
// not, nothing is there twice, and nothing was lost on the way.
func TestOutagesAtRandom(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t)
	l, f := w.openFaulty(func(o *trillianlog.Options) { o.CallTimeout = 60 * time.Millisecond; o.MaxBatch = 5 })
	var said outcomes
	var clients sync.WaitGroup
	over := make(chan struct{})
	for client := range 16 {
		clients.Go(func() {
			for i := 0; ; i++ {
				_ = said.send(w, l, leaf(fmt.Sprintf("%d-%d", client, i), "text"))
				select {
				case <-over:
					return
				case <-time.After(time.Millisecond):
				}
			}
		})
	}
	for range 60 {
		f.Set(outagetest.Fault(random.IntN(4)), calls[random.IntN(len(calls))])
		time.Sleep(time.Duration(random.IntN(40)) * time.Millisecond)
		if random.IntN(3) == 0 {
			f.Set(outagetest.Works)
			time.Sleep(time.Duration(random.IntN(40)) * time.Millisecond)
		}
	}
	f.Set(outagetest.Works)
	w.logAtLast(l, "last", 1)
	close(over)
	clients.Wait()
	said.check(w, l)
	w.close(l)
	w.check(w.open(nil))
}

// What was being written when the outage began is found, or not, when it is over,
// before anything else is taken.
func TestAnUnknownOutcomeIsResolved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l, f := w.openFaulty(nil)
	w.log(l, "before", 2)
	if l.Resumed() != 0 {
		t.Fatalf("resumed at %d", l.Resumed())
	}
	f.Set(outagetest.Loses, "add")
	f.Set(outagetest.Fails, "next")
	a := leaf("a", "text")
	if _, err := add(t, l, a).Wait(t.Context()); !errors.Is(err, trillianlog.ErrUnknown) || !errors.Is(err, trillianlog.ErrUnavailable) {
		t.Fatalf("got %v", err)
	}
	if _, err := l.Add(a); !errors.Is(err, trillianlog.ErrUnavailable) || errors.Is(err, trillianlog.ErrUnknown) {
		t.Fatalf("sent again at once: %v", err)
	}
	f.Set(outagetest.Works)
	eventually(t, "leaves are taken again", func() bool { return l.Refusal() == nil })
	if l.Resumed() != 3 {
		t.Fatalf("resumed at %d, with 3 leaves stored", l.Resumed())
	}
	if placed := wait(t, add(t, l, a)); placed != (trillianlog.Placed{Index: 2, Existed: true}) {
		t.Fatalf("got %+v", placed)
	}
	w.check(l)
}

// A write that takes long is answered, and nothing is taken beside it; when it
// ends well after all, its leaves are there.
func TestAStalledWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	gate := newGate()
	l := w.open(func(o *trillianlog.Options) {
		gate.options(o)
		o.SetProbe(time.Millisecond, 500*time.Millisecond)
		o.CallTimeout = 4 * time.Second
	})
	ticket := add(t, l, leaf("a", "text"))
	if n := <-gate.arrived; n != 1 {
		t.Fatalf("%d leaves", n)
	}
	queued := add(t, l, leaf("queued", "text"))
	if _, err := ticket.Wait(t.Context()); !errors.Is(err, trillianlog.ErrUnknown) {
		t.Fatalf("got %v", err)
	}
	if _, err := queued.Wait(t.Context()); !errors.Is(err, trillianlog.ErrUnavailable) || errors.Is(err, trillianlog.ErrUnknown) {
		t.Fatalf("what waits behind it: %v", err)
	}
	if _, err := l.Add(leaf("b", "text")); !errors.Is(err, trillianlog.ErrUnavailable) {
		t.Fatalf("got %v", err)
	}
	if st := l.Status(); st.Writable == nil || !strings.Contains(st.Writable.Error(), "under way for") {
		t.Fatalf("status %+v", st)
	}
	gate.pass <- struct{}{}
	eventually(t, "leaves are taken again", func() bool { return l.Refusal() == nil })
	defer gate.drain()()
	if placed := wait(t, add(t, l, leaf("a", "text"))); placed != (trillianlog.Placed{Index: 0, Existed: true}) {
		t.Fatalf("got %+v", placed)
	}
	if placed := wait(t, add(t, l, leaf("queued", "text"))); placed != (trillianlog.Placed{Index: 1}) {
		t.Fatalf("got %+v", placed)
	}
}

// A back end that was put back to an older state while it was away stops the log
// before an index is given twice.
func TestABackEndThatComesBackOlder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var restored atomic.Bool
	l, f := w.openFaulty(func(o *trillianlog.Options) {
		f := o.Backend.(*outagetest.Backend)
		f.Backend = older{f.Backend, &restored}
	})
	w.log(l, "before", 5)
	f.Set(outagetest.Fails)
	eventually(t, "the log refuses", func() bool { return l.Refusal() != nil })
	restored.Store(true)
	f.Set(outagetest.Works)
	var stopped *trillianlog.StopError
	eventually(t, "the log stops", func() bool { return errors.As(l.Status().Err, &stopped) })
	if stopped.Reason != trillianlog.RolledBack {
		t.Fatalf("got %v", stopped)
	}
	if _, err := l.Add(leaf("a", "text")); !errors.Is(err, trillianlog.ErrStopped) {
		t.Fatalf("a leaf is answered %v", err)
	}
	w.check(l)
}

// older is a back end that has forgotten all leaves but two, once it is restored.
type older struct {
	trillianlog.Backend
	restored *atomic.Bool
}

func (o older) Next(ctx context.Context) (uint64, []uint64, error) {
	if o.restored.Load() {
		return 2, nil, nil
	}
	return o.Backend.Next(ctx)
}

// However long an outage takes and however many come, the log says one line at its
// beginning and one at its end.
func TestAnOutageIsSaidOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	said := &allLog{Handler: quiet.Handler()}
	l, f := w.openFaulty(func(o *trillianlog.Options) { o.Logger = slog.New(said) })
	w.log(l, "before", 1)
	for _, fault := range []outagetest.Fault{outagetest.Fails, outagetest.Loses} {
		said.take()
		f.Set(fault)
		refused := 0
		eventually(t, "1000 are refused", func() bool {
			for range 100 {
				if _, err := l.Add(leaf(fmt.Sprint(fault, refused), "text")); err != nil {
					refused++
				}
			}
			return refused > 1000
		})
		asked := f.Count()["root"]
		eventually(t, "it is asked again and again", func() bool { return f.Count()["root"] > asked+20 })
		f.Set(outagetest.Works)
		eventually(t, "leaves are taken again", func() bool { return l.Refusal() == nil })
		w.log(l, fmt.Sprint("after-", fault), 1)
		lines := said.take()
		for _, want := range []string{"takes no leaves", "answers again"} {
			if n := len(slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return !strings.Contains(line, want) })); n != 1 {
				t.Errorf("%d lines say %q:\n%s", n, want, strings.Join(lines, "\n"))
			}
		}
		if len(lines) > 6 { // and that a write was not confirmed, that publishing stands still
			t.Errorf("%d lines:\n%s", len(lines), strings.Join(lines, "\n"))
		}
	}
	// It answers, and takes no writes: every leaf that is tried is refused.
	f.Set(outagetest.Fails, "add")
	for tried := 0; tried < 10; {
		if err := w.logOne(l, leaf(fmt.Sprint("refused-", tried), "text")); err == nil {
			t.Fatal("it was taken")
		}
		tried++
		eventually(t, "one more is tried", func() bool {
			if l.Status().Writable == nil {
				t.Fatal("between two writes that were refused, the log says that it takes leaves")
			}
			return l.Refusal() == nil
		})
	}
	f.Set(outagetest.Works, "add")
	eventually(t, "one is taken", func() bool { return w.logOne(l, leaf("taken", "text")) == nil })
	if err := l.Status().Writable; err != nil {
		t.Errorf("after a write was taken: %v", err)
	}
	lines := said.take()
	if len(lines) > 3 || !strings.Contains(lines[len(lines)-1], "takes leaves again") {
		t.Errorf("%d lines:\n%s", len(lines), strings.Join(lines, "\n"))
	}
}

// allLog keeps every line.
type allLog struct {
	slog.Handler
	mu    sync.Mutex
	lines []string
}

func (a *allLog) Enabled(context.Context, slog.Level) bool { return true }

func (a *allLog) Handle(_ context.Context, r slog.Record) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	line := r.Message
	r.Attrs(func(attr slog.Attr) bool { line += " " + attr.String(); return true })
	a.lines = append(a.lines, line)
	return nil
}

func (a *allLog) take() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	lines := a.lines
	a.lines = nil
	return lines
}

// The log closes, and leaves no goroutine behind, whatever the back end does.
func TestCloseDuringAnOutage(t *testing.T) {
	for _, fault := range []outagetest.Fault{outagetest.Fails, outagetest.Hangs, outagetest.Loses} {
		for _, known := range []bool{false, true} {
			w := newWorld(t)
			l, f := w.openFaulty(nil)
			w.log(l, "before", 3)
			f.Set(fault)
			ticket := add(t, l, leaf("a", "text"))
			if known {
				eventually(t, "the log refuses", func() bool { return l.Refusal() != nil })
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := ticket.Wait(t.Context()); !errors.Is(err, trillianlog.ErrClosed) && !errors.Is(err, trillianlog.ErrUnavailable) {
				t.Fatalf("got %v", err)
			}
			if err := w.store.Settle(); err != nil {
				t.Fatal(err)
			}
			if left := goroutines(); left != "" {
				t.Fatalf("left behind:\n%s", left)
			}
			l = w.open(nil)
			w.check(l)
			w.close(l)
		}
	}
}

// goroutines gives the stacks of those that run the log's own methods.
func goroutines() string {
	b := make([]byte, 1<<20)
	b = b[:runtime.Stack(b, true)]
	var left []string
	for _, stack := range strings.Split(string(b), "\n\n") {
		if strings.Contains(stack, "trillianlog.(*sequencer)") || strings.Contains(stack, "trillianlog.(*publisher)") || strings.Contains(stack, "trillianlog.(*rpc)") {
			left = append(left, stack)
		}
	}
	return strings.Join(left, "\n\n")
}

// signerless is a back end whose trees another process would grow: while asleep it
// does not.
type signerless struct {
	trillianlog.Backend
	client signerlessClient
}

func (s *signerless) Client() trillian.TrillianLogClient { return &s.client }

type signerlessClient struct {
	trillian.TrillianLogClient
	mu     sync.Mutex
	asleep *trillian.GetLatestSignedLogRootResponse // the last root before
}

func (c *signerlessClient) GetLatestSignedLogRoot(ctx context.Context, r *trillian.GetLatestSignedLogRootRequest, _ ...grpc.CallOption) (*trillian.GetLatestSignedLogRootResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asleep != nil {
		return c.asleep, nil
	}
	return c.TrillianLogClient.GetLatestSignedLogRoot(ctx, r)
}

func (c *signerlessClient) sleep(t *testing.T, id int64) {
	root, err := c.TrillianLogClient.GetLatestSignedLogRoot(t.Context(), &trillian.GetLatestSignedLogRootRequest{LogId: id})
	if err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asleep = root
}

// future gives the root that stays a time that is an hour ahead.
func (c *signerlessClient) future(t *testing.T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var v1 types.LogRootV1
	if err := v1.UnmarshalBinary(c.asleep.SignedLogRoot.LogRoot); err != nil {
		t.Fatal(err)
	}
	v1.TimestampNanos = uint64(time.Now().Add(time.Hour).UnixNano())
	text, err := v1.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	c.asleep = &trillian.GetLatestSignedLogRootResponse{SignedLogRoot: &trillian.SignedLogRoot{LogRoot: text}}
}

func (c *signerlessClient) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asleep = nil
}

// Leaves that do not get into the tree are taken all the same, and the log says
// that they do not.
func TestLeavesThatAreNotIntegrated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var b *signerless
	l := w.open(func(o *trillianlog.Options) {
		b = &signerless{o.Backend, signerlessClient{TrillianLogClient: o.Backend.Client()}}
		o.Backend, o.IntegrationTimeout = b, 50*time.Millisecond
	})
	w.log(l, "before", 2)
	b.client.sleep(t, b.TreeID())
	tickets := []*trillianlog.Ticket{add(t, l, leaf("a", "text"))}
	eventually(t, "a is stored", func() bool { return l.Status().Stored == 3 })
	// The next ones are not held back.
	tickets = append(tickets, add(t, l, leaf("b", "text")))
	eventually(t, "b is stored", func() bool { return l.Status().Stored == 4 })
	var st trillianlog.Status
	eventually(t, "the log says so", func() bool { st = l.Status(); return st.Publishing != nil })
	if text := st.Publishing.Error(); !strings.Contains(text, "2 leaves are stored and have not been in the tree for") || !strings.Contains(text, "signer running") {
		t.Errorf("it says %q", text)
	}
	if st.Writable != nil || st.Readable != nil || st.Err != nil || st.Published != 2 {
		t.Errorf("status %+v", st)
	}
	b.client.future(t)
	eventually(t, "the log says why", func() bool { return strings.Contains(l.Status().Publishing.Error(), "set the clocks of both") })
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tickets[0].Wait(done); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	b.client.wake()
	for i, ticket := range tickets {
		if placed := wait(t, ticket); placed.Index != uint64(2+i) {
			t.Fatalf("got %+v", placed)
		}
	}
	eventually(t, "all is well", func() bool { return l.Status().Publishing == nil })
	w.check(l)
	// A log that ends does not wait for it for ever.
	b.client.sleep(t, b.TreeID())
	ticket := add(t, l, leaf("c", "text"))
	w.close(l)
	if _, err := ticket.Wait(t.Context()); !errors.Is(err, trillianlog.ErrClosed) {
		t.Fatalf("got %v", err)
	}
	if placed := wait(t, add(t, w.open(nil), leaf("c", "text"))); placed != (trillianlog.Placed{Index: 4, Existed: true}) {
		t.Fatalf("got %+v", placed)
	}
}

// What waits for a checkpoint is bounded, and leaves are taken again when there is
// one.
func TestUnpublishedBound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var b *signerless
	l := w.open(func(o *trillianlog.Options) {
		b = &signerless{o.Backend, signerlessClient{TrillianLogClient: o.Backend.Client()}}
		o.Backend, o.MaxUnpublished = b, 3
	})
	b.client.sleep(t, b.TreeID())
	var tickets []*trillianlog.Ticket
	for i := range 3 {
		tickets = append(tickets, add(t, l, leaf(fmt.Sprint(i), "text")))
		eventually(t, "it is stored", func() bool { st := l.Status(); return st.Stored == uint64(i+1) && st.QueueLeaves == 0 })
	}
	if _, err := l.Add(leaf("3", "text")); !errors.Is(err, trillianlog.ErrBusy) {
		t.Fatalf("got %v", err)
	}
	if st := l.Status(); !errors.Is(st.Writable, trillianlog.ErrBusy) {
		t.Fatalf("status %+v", st)
	}
	b.client.wake()
	for _, ticket := range tickets {
		wait(t, ticket)
	}
	if placed := wait(t, add(t, l, leaf("3", "text"))); placed.Index != 3 {
		t.Fatalf("got %+v", placed)
	}
	w.check(l)
}

func TestHooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var mu sync.Mutex
	leaves, provable := 0, 0
	failed := map[string]int{}
	l, f := w.openFaulty(func(o *trillianlog.Options) {
		o.OnBatch = func(n int, took time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			if leaves += n; n == 0 || took <= 0 {
				t.Errorf("a batch of %d in %v", n, took)
			}
		}
		o.OnProvable = func(took time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			if provable++; took < 0 {
				t.Errorf("provable after %v", took)
			}
		}
		o.OnError = func(call string) { mu.Lock(); failed[call]++; mu.Unlock() }
	})
	w.log(l, "a", 5)
	w.log(l, "a", 5) // there already: no new leaves
	for _, call := range []string{"add", "find", "next", "root"} {
		f.Set(outagetest.Fails, call)
		if call == "next" {
			f.Set(outagetest.Loses, "add")
		}
		_, _ = l.Add(leaf("during-"+call, "text"))
		eventually(t, "the error of "+call+" is counted", func() bool { mu.Lock(); defer mu.Unlock(); return failed[call] > 0 })
		f.Set(outagetest.Works)
		eventually(t, "leaves are taken again", func() bool { return w.logOne(l, leaf("after-"+call, "text")) == nil })
	}
	mu.Lock()
	defer mu.Unlock()
	if leaves < 9 || provable < 9 {
		t.Errorf("%d new leaves, %d batches provable", leaves, provable)
	}
}
