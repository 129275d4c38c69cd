package backendtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/trillian"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tallyroot/tallyroot/trillianlog"
)

// Insist is LogOne for a back end that does not always answer: it logs the leaf
// again until that succeeds.
func (w *World) Insist(l *trillianlog.Log, leaf trillianlog.Leaf) error {
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		err := w.LogOne(l, leaf)
		again := errors.Is(err, trillianlog.ErrUnavailable) || errors.Is(err, trillianlog.ErrUnknown)
		if !again || time.Now().After(end) {
			return err
		}
	}
}

// insistMany logs n leaves by several clients.
func (w *World) insistMany(l *trillianlog.Log, prefix string, n int) {
	w.T.Helper()
	const clients = 4
	var all sync.WaitGroup
	for client := range clients {
		all.Go(func() {
			for i := client; i < n; i += clients {
				if err := w.Insist(l, Leaf(fmt.Sprintf("%s-%d", prefix, i), "text")); err != nil {
					w.T.Errorf("%s-%d: %v", prefix, i, err)
					return
				}
			}
		})
	}
	all.Wait()
}

func (w *World) wait(ticket *trillianlog.Ticket) trillianlog.Placed {
	w.T.Helper()
	placed, err := ticket.Wait(context.Background())
	if err != nil {
		w.T.Fatal(err)
	}
	return placed
}

func (w *World) add(l *trillianlog.Log, leaf trillianlog.Leaf) *trillianlog.Ticket {
	w.T.Helper()
	ticket, err := l.Add(leaf)
	if err != nil {
		w.T.Fatal(err)
	}
	return ticket
}

func (w *World) addAll(l *trillianlog.Log, leaves []trillianlog.Leaf) []*trillianlog.Ticket {
	w.T.Helper()
	tickets, err := l.AddAll(leaves)
	if err != nil {
		w.T.Fatal(err)
	}
	return tickets
}

// wholeLog: append, batches, duplicates, conflicts, and all of it again after the
// log was opened again.
func wholeLog(t *testing.T, sub Subject) {
	w := NewWorld(t, sub)
	l := w.Open(nil)
	w.Log(l, "one", 5)
	const n = 1500 // more than one write
	leaves := make([]trillianlog.Leaf, n)
	for i := range leaves {
		leaves[i] = Leaf(fmt.Sprintf("all-%d", i), "text")
	}
	first, second := w.addAll(l, leaves), w.addAll(l, leaves) // the second ones are under way already
	for i := range leaves {
		want := trillianlog.Placed{Index: uint64(5 + i)}
		if got := w.wait(first[i]); got != want {
			t.Fatalf("leaf %d: %+v", i, got)
		}
		want.Existed = true
		if got := w.wait(second[i]); got != want {
			t.Fatalf("leaf %d, sent twice: %+v", i, got)
		}
	}
	w.Log(l, "two", 3)
	for range 2 {
		if got, want := w.wait(w.add(l, leaves[7])), (trillianlog.Placed{Index: 12, Existed: true}); got != want {
			t.Fatalf("a leaf that was logged is at %+v", got)
		}
		var conflict *trillianlog.Conflict
		other := Leaf("all-7", "another text")
		if _, err := w.add(l, other).Wait(t.Context()); !errors.As(err, &conflict) || conflict.Index != 12 {
			t.Fatalf("another leaf of that identity: %v", err)
		}
		if published, _ := l.Published(); published.Size != 5+n+3 {
			t.Fatalf("%d leaves are published", published.Size)
		}
		w.Check(l)
		w.Close(l)
		l = w.Open(nil)
	}
	w.Log(l, "three", 3)
	w.Check(l)
}

// repeats: leaves that are stored come among others, again and again. No index is
// lost to them.
func repeats(t *testing.T, sub Subject) {
	w := NewWorld(t, sub)
	l := w.Open(nil)
	w.Log(l, "old", 3)
	next := uint64(3)
	for i := range 6 {
		leaves := []trillianlog.Leaf{Leaf(fmt.Sprintf("new-%d", i), "text"), Leaf(fmt.Sprintf("newer-%d", i), "text")}
		want := []trillianlog.Placed{{Index: next}, {Index: next + 1}}
		if i%3 > 0 {
			leaves = append(leaves, Leaf("new-0", "text"), Leaf("new-0", "another text"))
			want = append(want, trillianlog.Placed{Index: 3, Existed: true})
		}
		tickets := w.addAll(l, leaves)
		for j, want := range want {
			if got := w.wait(tickets[j]); got != want {
				t.Fatalf("round %d, leaf %d: %+v, want %+v", i, j, got, want)
			}
		}
		next += 2
	}
	if published, _ := l.Published(); published.Size != next {
		t.Fatalf("%d leaves are published, want %d", published.Size, next)
	}
	w.Check(l)
}

// manyClients at a time, some of whom send what others send too.
func manyClients(t *testing.T, sub Subject) {
	const clients, each = 16, 20
	w := NewWorld(t, sub)
	l := w.Open(nil)
	var all sync.WaitGroup
	for client := range clients {
		all.Go(func() {
			for i := range each {
				if err := w.LogOne(l, Leaf(fmt.Sprintf("%d-%d", client/2, i), strings.Repeat("x", 50*client/2))); err != nil {
					var conflict *trillianlog.Conflict
					if !errors.As(err, &conflict) {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	all.Wait()
	if published, _ := l.Published(); published.Size != clients/2*each {
		t.Fatalf("%d leaves are published, want %d", published.Size, clients/2*each)
	}
	w.Check(l)
}

// failingCalls: whichever call fails, before it was done or after, once or for
// some time, what is acknowledged is logged, and logged once.
func failingCalls(t *testing.T, sub Subject) {
	type faults map[string]int // how often each call fails
	const each = 8
	w := NewWorld(t, sub)
	f := new(faulty)
	l := w.Open(f.inject)
	w.Log(l, "first", 3)
	size := uint64(3)
	for i, left := range []faults{
		{callFind: 1}, {callAdd: 1}, {callRoot: 1}, {callLeaves: 1}, {callAdd: 1, callNext: 1},
		{callFind: 4}, {callAdd: 5}, {callRoot: 4}, {callLeaves: 4}, {callAdd: 1, callNext: 4}, {callAdd: 2, callFind: 2},
	} {
		for _, when := range []string{"before", "after"} {
			var mu sync.Mutex
			left := maps.Clone(left)
			fail := func(call string) error {
				mu.Lock()
				defer mu.Unlock()
				if left[call] == 0 {
					return nil
				}
				left[call]--
				return errBroke
			}
			if when == "before" {
				f.set(fail, nil)
			} else {
				f.set(nil, fail)
			}
			w.insistMany(l, fmt.Sprintf("%s-%d", when, i), each)
			f.set(nil, nil)
			size += each
			if t.Failed() {
				return
			}
		}
	}
	if published, _ := l.Published(); published.Size != size {
		t.Fatalf("%d leaves are published, want %d", published.Size, size)
	}
	w.Check(l)
	w.Close(l)
	w.Check(w.Open(nil))
}

var errBroke = status.Error(codes.Unavailable, "the connection broke")

// part does a write with a part of its leaves, and says that it failed.
func part(ctx context.Context, r *trillian.AddSequencedLeavesRequest, from, to int, next trillian.TrillianLogClient) (*trillian.AddSequencedLeavesResponse, error) {
	if from < to {
		if _, err := next.AddSequencedLeaves(ctx, &trillian.AddSequencedLeavesRequest{LogId: r.LogId, Leaves: r.Leaves[from:to]}); err != nil {
			return nil, err
		}
	}
	return nil, errBroke
}

// unknownOutcome: a write that fails may have stored all, none or some.
func unknownOutcome(t *testing.T, sub Subject) {
	w := NewWorld(t, sub)
	f := new(faulty)
	l := w.Open(f.inject)
	w.Log(l, "before", 5)
	size := uint64(5)
	for _, tt := range []struct {
		name  string
		write func(n int) (from, to int)
	}{
		{"nothing stored", func(int) (int, int) { return 0, 0 }},
		{"all stored", func(n int) (int, int) { return 0, n }},
		{"the first half stored", func(n int) (int, int) { return 0, n / 2 }},
		{"the second half stored", func(n int) (int, int) { return n / 2, n }},
	} {
		var once sync.Once
		f.setAdd(func(ctx context.Context, r *trillian.AddSequencedLeavesRequest, next trillian.TrillianLogClient) (response *trillian.AddSequencedLeavesResponse, err error) {
			first := false
			once.Do(func() {
				first = true
				from, to := tt.write(len(r.Leaves))
				response, err = part(ctx, r, from, to, next)
			})
			if first {
				return response, err
			}
			return next.AddSequencedLeaves(ctx, r)
		})
		var leaves []trillianlog.Leaf
		for i := range 10 {
			leaves = append(leaves, Leaf(fmt.Sprintf("%s-%d", tt.name, i), "text"))
		}
		for i, ticket := range w.addAll(l, leaves) {
			if placed := w.wait(ticket); placed != (trillianlog.Placed{Index: size + uint64(i)}) {
				t.Fatalf("%s: leaf %d: %+v", tt.name, i, placed)
			}
		}
		size += 10
		w.Log(l, "after "+tt.name, 2)
		size += 2
	}
	if published, _ := l.Published(); published.Size != size {
		t.Fatalf("%d leaves are published, want %d", published.Size, size)
	}
	w.Check(l)
}

// tornWrite: a back end that takes the second half of a write and then nothing
// but fillers. What it has is acknowledged, and no index stays empty.
func tornWrite(t *testing.T, sub Subject) {
	w := NewWorld(t, sub)
	f := new(faulty)
	l := w.Open(f.inject)
	w.Log(l, "before", 2)
	var mu sync.Mutex
	first, down := true, true
	f.setAdd(func(ctx context.Context, r *trillian.AddSequencedLeavesRequest, next trillian.TrillianLogClient) (*trillian.AddSequencedLeavesResponse, error) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case first:
			first = false
			return part(ctx, r, len(r.Leaves)/2, len(r.Leaves), next)
		case down && !bytes.HasPrefix(r.Leaves[0].LeafValue, []byte("void ")):
			return nil, errBroke
		}
		return next.AddSequencedLeaves(ctx, r)
	})
	tickets := w.addAll(l, []trillianlog.Leaf{Leaf("a", ""), Leaf("b", ""), Leaf("c", ""), Leaf("d", "")})
	for _, ticket := range tickets[:2] {
		if _, err := ticket.Wait(t.Context()); !errors.Is(err, trillianlog.ErrUnavailable) {
			t.Fatalf("got %v", err)
		}
	}
	for i, ticket := range tickets[2:] {
		if placed := w.wait(ticket); placed.Index != uint64(4+i) {
			t.Fatalf("got %+v", placed)
		}
	}
	mu.Lock()
	down = false
	mu.Unlock()
	if err := w.Insist(l, Leaf("a", "")); err != nil {
		t.Fatal(err)
	}
	w.voids(l, 2, 3)
	w.Check(l)
}

// voids wants the indices to hold fillers.
func (w *World) voids(l *trillianlog.Log, indices ...uint64) {
	w.T.Helper()
	for _, index := range indices {
		want, _ := Void(index)
		if got, err := l.Tiles().Entry(context.Background(), index); err != nil || !bytes.Equal(got, want.Value) {
			w.T.Fatalf("index %d holds %q, %v", index, got, err)
		}
	}
}

// store puts leaves of these names into the back end, past any log.
func (w *World) store(first uint64, names ...string) {
	w.T.Helper()
	s := &subject{w.Subject, w.Subject.Open(w.T), w.T}
	defer s.close()
	leaves := make([]*trillian.LogLeaf, len(names))
	for i, name := range names {
		l := Leaf(name, "text")
		leaves[i] = &trillian.LogLeaf{LeafIndex: int64(first) + int64(i), LeafValue: l.Value, LeafIdentityHash: l.Identity[:]}
	}
	for i, code := range s.send(leaves...) {
		if code != codes.OK {
			w.T.Fatalf("%s: %v", names[i], code)
		}
	}
}

// holes that an earlier process left are filled before an index is given.
func holes(t *testing.T, sub Subject) {
	w := NewWorld(t, sub)
	l := w.Open(nil)
	w.Log(l, "before", 2)
	w.Close(l)
	w.store(3, "3", "4") // 2, 5 and 6 stay empty
	w.store(7, "7")
	if _, err := w.TryOpen(func(o *trillianlog.Options) { o.Void = nil }); err == nil {
		t.Fatal("a log that cannot fill a hole opens")
	}
	l = w.Open(nil)
	if placed := w.wait(w.add(l, Leaf("3", "text"))); placed != (trillianlog.Placed{Index: 3, Existed: true}) {
		t.Fatalf("got %+v", placed)
	}
	if placed := w.wait(w.add(l, Leaf("new", "text"))); placed != (trillianlog.Placed{Index: 8}) {
		t.Fatalf("got %+v", placed)
	}
	w.voids(l, 2, 5, 6)
	w.Check(l)
}

// halfWritten: what a process stored before it was killed is published by the
// next one, and counts as taken.
func halfWritten(t *testing.T, sub Subject) {
	w := NewWorld(t, sub)
	w.Close(w.Open(nil))
	for round := range uint64(3) {
		names := make([]string, 300)
		for i := range names {
			names[i] = fmt.Sprintf("lost-%d-%d", round, i)
		}
		size := round * 301
		w.store(size, names...)
		l := w.Open(nil)
		if placed := w.wait(w.add(l, Leaf(names[299], "text"))); placed != (trillianlog.Placed{Index: size + 299, Existed: true}) {
			t.Fatalf("got %+v", placed)
		}
		w.Log(l, fmt.Sprintf("after-%d", round), 1)
		w.Check(l)
		w.Close(l)
	}
}
