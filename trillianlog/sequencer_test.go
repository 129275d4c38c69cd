package trillianlog_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/trillian"

	"github.com/tallyroot/tallyroot/trillianlog"
)

func wait(t *testing.T, ticket *trillianlog.Ticket) trillianlog.Placed {
	t.Helper()
	placed, err := ticket.Wait(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return placed
}

func add(t *testing.T, l *trillianlog.Log, leaf trillianlog.Leaf) *trillianlog.Ticket {
	t.Helper()
	ticket, err := l.Add(leaf)
	if err != nil {
		t.Fatal(err)
	}
	return ticket
}

// gate holds every write to the back end until the test lets it go.
type gate struct {
	arrived chan int // how many leaves a write has
	pass    chan struct{}
}

func newGate() *gate { return &gate{make(chan int), make(chan struct{})} }

func (g *gate) options(o *trillianlog.Options) {
	o.Backend = &flaky{Backend: o.Backend, add: func(ctx context.Context, r *trillian.AddSequencedLeavesRequest, next trillian.TrillianLogClient) (*trillian.AddSequencedLeavesResponse, error) {
		g.arrived <- len(r.Leaves)
		<-g.pass
		return next.AddSequencedLeaves(ctx, r)
	}}
}

func (g *gate) one() int {
	n := <-g.arrived
	g.pass <- struct{}{}
	return n
}

// drain lets everything pass until the returned function is called.
func (g *gate) drain() (stop func()) {
	end := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-g.arrived:
				g.pass <- struct{}{}
			case <-end:
				return
			}
		}
	}()
	return func() { close(end); <-done }
}

func TestIndicesAreInTheOrderOfTheCalls(t *testing.T) {
	w := newWorld(t)
	l := w.open(nil)
	var tickets []*trillianlog.Ticket
	for i := range 2500 {
		tickets = append(tickets, add(t, l, leaf(fmt.Sprint(i), "text")))
	}
	for i, ticket := range tickets {
		if placed := wait(t, ticket); placed.Index != uint64(i) || placed.Existed {
			t.Fatalf("call %d got %+v", i, placed)
		}
		text, err := l.Receipt(uint64(i))
		if err != nil {
			t.Fatal(err)
		}
		w.keep(uint64(i), leaf(fmt.Sprint(i), "text").Value, text)
	}
	w.check(l)
}

func TestWhatGathersDuringAWriteIsTheNextBatch(t *testing.T) {
	g := newGate()
	w := newWorld(t)
	l := w.open(func(o *trillianlog.Options) { g.options(o); o.MaxBatch = 10 })
	first := add(t, l, leaf("first", "text"))
	if n := <-g.arrived; n != 1 {
		t.Fatalf("the first write has %d leaves", n)
	}
	var leaves []trillianlog.Leaf
	for i := range 23 {
		leaves = append(leaves, leaf(fmt.Sprint(i), "text"))
	}
	tickets, err := l.AddAll(leaves)
	if err != nil {
		t.Fatal(err)
	}
	g.pass <- struct{}{}
	for i, want := range []int{10, 10, 3} {
		if n := g.one(); n != want {
			t.Fatalf("write %d has %d leaves, want %d", i+2, n, want)
		}
	}
	if placed := wait(t, first); placed.Index != 0 {
		t.Fatalf("first: %+v", placed)
	}
	for i, ticket := range tickets {
		if placed := wait(t, ticket); placed.Index != uint64(i+1) {
			t.Fatalf("leaf %d: %+v", i, placed)
		}
	}
	if c := l.Status().Counts; c.Batches != 4 || c.Leaves != 24 {
		t.Fatalf("counts %+v", c)
	}
}

func TestABatchIsBoundedInBytes(t *testing.T) {
	g := newGate()
	w := newWorld(t)
	l := w.open(g.options)
	add(t, l, leaf("first", "text"))
	<-g.arrived
	big := string(bytes.Repeat([]byte("x"), trillianlog.MaxLeaf-10))
	var leaves []trillianlog.Leaf
	for i := range 60 {
		leaves = append(leaves, leaf(fmt.Sprint(i), big))
	}
	if _, err := l.AddAll(leaves); err != nil {
		t.Fatal(err)
	}
	g.pass <- struct{}{}
	// 48 of 65,530 bytes or so fit in 3 MiB.
	if a, b := g.one(), g.one(); a != 48 || b != 12 {
		t.Fatalf("writes of %d and %d leaves", a, b)
	}
}

func TestDuplicatesAndConflicts(t *testing.T) {
	a, other := leaf("a", "text"), leaf("a", "other text")
	check := func(t *testing.T, ticket *trillianlog.Ticket, existed bool) {
		t.Helper()
		if placed := wait(t, ticket); placed != (trillianlog.Placed{Index: 1, Existed: existed}) {
			t.Fatalf("got %+v", placed)
		}
	}
	conflicts := func(t *testing.T, ticket *trillianlog.Ticket) {
		t.Helper()
		_, err := ticket.Wait(context.Background())
		var conflict *trillianlog.Conflict
		if !errors.As(err, &conflict) || conflict.Index != 1 {
			t.Fatalf("got %v", err)
		}
	}
	g := newGate()
	w := newWorld(t)
	l := w.open(g.options)
	add(t, l, leaf("0", "text"))
	<-g.arrived
	// Queued.
	first := add(t, l, a)
	second, third := add(t, l, a), add(t, l, other)
	g.pass <- struct{}{}
	if n := <-g.arrived; n != 1 {
		t.Fatalf("%d leaves are written, want one of each identity", n)
	}
	// Being written.
	fourth, fifth := add(t, l, a), add(t, l, other)
	g.pass <- struct{}{}
	check(t, first, false)
	check(t, second, true)
	conflicts(t, third)
	check(t, fourth, true)
	conflicts(t, fifth)
	// Stored.
	check(t, add(t, l, a), true)
	conflicts(t, add(t, l, other))
	// A conflict that came first does not hide that the next one is there.
	g2 := g.drain()
	tickets, err := l.AddAll([]trillianlog.Leaf{other, a, leaf("c", "text"), leaf("c", "text")})
	if err != nil {
		t.Fatal(err)
	}
	conflicts(t, tickets[0])
	check(t, tickets[1], true)
	if p := wait(t, tickets[2]); p.Index != 2 || p.Existed {
		t.Fatalf("got %+v", p)
	}
	if p := wait(t, tickets[3]); p.Index != 2 || !p.Existed {
		t.Fatalf("got %+v", p)
	}
	g2()
	w.close(l)

	l = w.open(nil)
	check(t, add(t, l, a), true)
	conflicts(t, add(t, l, other))
}

func TestQueueBounds(t *testing.T) {
	g := newGate()
	w := newWorld(t)
	l := w.open(func(o *trillianlog.Options) { g.options(o); o.MaxQueue, o.MaxQueueBytes = 3, 100 })
	text := "0123456789" // with the name and the colon, 20 bytes
	first := add(t, l, leaf("leaf-000", text))
	<-g.arrived // what is being written counts
	add(t, l, leaf("leaf-001", text))
	third := add(t, l, leaf("leaf-002", text))
	if _, err := l.Add(leaf("leaf-003", text)); !errors.Is(err, trillianlog.ErrBusy) {
		t.Fatalf("a fourth leaf: %v", err)
	}
	st := l.Status()
	if st.QueueLeaves != 3 || st.QueueBytes != 60 {
		t.Fatalf("status %+v", st)
	}
	g.pass <- struct{}{}
	g.one()
	wait(t, first)
	wait(t, third)
	if st := l.Status(); st.QueueLeaves != 0 || st.QueueBytes != 0 {
		t.Fatalf("status %+v", st)
	}
	exact := leaf("leaf-004", string(bytes.Repeat([]byte("x"), 90)))
	if _, err := l.Add(leaf("leaf-004", string(bytes.Repeat([]byte("x"), 91)))); !errors.Is(err, trillianlog.ErrBusy) {
		t.Fatalf("101 bytes: %v", err)
	}
	last := add(t, l, exact)
	g.one()
	if placed := wait(t, last); placed.Index != 3 {
		t.Fatalf("got %+v: a refused leaf took an index", placed)
	}
}

func TestLeafSize(t *testing.T) {
	w := newWorld(t)
	l := w.open(nil)
	for _, size := range []int{1, trillianlog.MaxLeaf} {
		value := bytes.Repeat([]byte("x"), size)
		placed := wait(t, add(t, l, trillianlog.Leaf{Value: value, Identity: rfcLeafHash(value)}))
		if got, err := l.Tiles().Entry(t.Context(), placed.Index); err != nil || !bytes.Equal(got, value) {
			t.Fatalf("%d bytes: %v", size, err)
		}
	}
	for _, size := range []int{0, trillianlog.MaxLeaf + 1} {
		if _, err := l.Add(trillianlog.Leaf{Value: make([]byte, size)}); err == nil {
			t.Fatalf("a leaf of %d bytes is taken", size)
		}
	}
}

func TestWaitersMayGiveUp(t *testing.T) {
	g := newGate()
	w := newWorld(t)
	l := w.open(g.options)
	a := leaf("a", "text")
	ticket := add(t, l, a)
	<-g.arrived
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ticket.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	g.pass <- struct{}{}
	if placed := wait(t, ticket); placed.Existed {
		t.Fatalf("got %+v", placed)
	}
	if _, err := ticket.Wait(ctx); err != nil {
		t.Fatalf("an answer that is there is withheld: %v", err)
	}
}

func TestNoSpace(t *testing.T) {
	var mu sync.Mutex
	var full error
	set := func(err error) { mu.Lock(); full = err; mu.Unlock() }
	w := newWorld(t)
	l := w.open(func(o *trillianlog.Options) {
		o.Reserve = func() error { mu.Lock(); defer mu.Unlock(); return full }
	})
	w.log(l, "before", 3)
	set(errors.New("1 MiB free, 64 MiB are wanted"))
	a := leaf("a", "text")
	if _, err := add(t, l, a).Wait(t.Context()); !errors.Is(err, trillianlog.ErrNoSpace) {
		t.Fatalf("got %v", err)
	}
	if err := l.Status().Writable; !errors.Is(err, trillianlog.ErrNoSpace) {
		t.Fatalf("status says %v", err)
	}
	set(nil)
	if placed := wait(t, add(t, l, a)); placed != (trillianlog.Placed{Index: 3}) {
		t.Fatalf("got %+v", placed)
	}
	if err := l.Status().Writable; err != nil {
		t.Fatal(err)
	}
	w.check(l)
}

func TestCloseFinishesWhatIsUnderWay(t *testing.T) {
	w := newWorld(t)
	l := w.open(nil)
	var leaves []trillianlog.Leaf
	for i := range 3000 {
		leaves = append(leaves, leaf(fmt.Sprint(i), "text"))
	}
	tickets, err := l.AddAll(leaves)
	if err != nil {
		t.Fatal(err)
	}
	w.close(l)
	for i, ticket := range tickets {
		if placed := wait(t, ticket); placed.Index != uint64(i) {
			t.Fatalf("got %+v", placed)
		}
	}
	if _, err := l.Add(leaf("late", "text")); !errors.Is(err, trillianlog.ErrClosed) {
		t.Fatalf("got %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
