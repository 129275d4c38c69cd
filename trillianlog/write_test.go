package trillianlog_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/google/trillian"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tallyroot/tallyroot/trillianlog"
)

// What a write that fails has done to the store.
func TestWritesWithUnknownOutcome(t *testing.T) {
	failed := status.Error(codes.Unavailable, "connection reset")
	tests := []struct {
		name  string
		write func(ctx context.Context, r *trillian.AddSequencedLeavesRequest, next trillian.TrillianLogClient) (*trillian.AddSequencedLeavesResponse, error)
	}{
		{"nothing stored", func(context.Context, *trillian.AddSequencedLeavesRequest, trillian.TrillianLogClient) (*trillian.AddSequencedLeavesResponse, error) {
			return nil, failed
		}},
		{"all stored", func(ctx context.Context, r *trillian.AddSequencedLeavesRequest, next trillian.TrillianLogClient) (*trillian.AddSequencedLeavesResponse, error) {
			if _, err := next.AddSequencedLeaves(ctx, r); err != nil {
				return nil, err
			}
			return nil, failed
		}},
		{"the first half stored", func(ctx context.Context, r *trillian.AddSequencedLeavesRequest, next trillian.TrillianLogClient) (*trillian.AddSequencedLeavesResponse, error) {
			return half(ctx, r.LogId, r.Leaves[:len(r.Leaves)/2], next, failed)
		}},
		{"the second half stored", func(ctx context.Context, r *trillian.AddSequencedLeavesRequest, next trillian.TrillianLogClient) (*trillian.AddSequencedLeavesResponse, error) {
			return half(ctx, r.LogId, r.Leaves[len(r.Leaves)/2:], next, failed)
		}},
		{"a leaf refused", func(ctx context.Context, r *trillian.AddSequencedLeavesRequest, next trillian.TrillianLogClient) (*trillian.AddSequencedLeavesResponse, error) {
			n := len(r.Leaves) - 1
			response, err := next.AddSequencedLeaves(ctx, &trillian.AddSequencedLeavesRequest{LogId: r.LogId, Leaves: r.Leaves[:n]})
			if err != nil {
				return nil, err
			}
			response.Results = append(response.Results, &trillian.QueuedLogLeaf{
				Leaf: r.Leaves[n], Status: status.New(codes.FailedPrecondition, "conflict").Proto()})
			return response, nil
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			var f *flaky
			l := w.open(func(o *trillianlog.Options) { f = &flaky{Backend: o.Backend}; o.Backend = f })
			w.log(l, "before", 5)
			asked := 0
			f.next = func(context.Context) error {
				if asked++; asked == 1 {
					return failed // it does not even say what it has
				}
				return nil
			}
			calls := 0
			f.add = func(ctx context.Context, r *trillian.AddSequencedLeavesRequest, next trillian.TrillianLogClient) (*trillian.AddSequencedLeavesResponse, error) {
				if calls++; calls == 1 {
					return tt.write(ctx, r, next)
				}
				return next.AddSequencedLeaves(ctx, r)
			}
			var leaves []trillianlog.Leaf
			for i := range 10 {
				leaves = append(leaves, leaf(fmt.Sprint(i), "text"))
			}
			tickets, err := l.AddAll(leaves)
			if err != nil {
				t.Fatal(err)
			}
			for i, ticket := range tickets {
				if placed := wait(t, ticket); placed != (trillianlog.Placed{Index: uint64(5 + i)}) {
					t.Fatalf("leaf %d: %+v", i, placed)
				}
			}
			w.log(l, "after", 5)
			if c, _ := l.Published(); c.Size != 20 {
				t.Fatalf("size %d", c.Size)
			}
			if err := l.Status().Writable; err != nil {
				t.Fatal(err)
			}
			if l.Status().Counts.Unsettled != 1 {
				t.Fatalf("counts %+v", l.Status().Counts)
			}
			w.check(l)
		})
	}
}

func half(ctx context.Context, id int64, leaves []*trillian.LogLeaf, next trillian.TrillianLogClient, failed error) (*trillian.AddSequencedLeavesResponse, error) {
	if _, err := next.AddSequencedLeaves(ctx, &trillian.AddSequencedLeavesRequest{LogId: id, Leaves: leaves}); err != nil {
		return nil, err
	}
	return nil, failed
}

// A back end that takes a part of a batch and then nothing for a while: what it
// has is acknowledged, the rest is refused, and no index stays empty.
func TestATornBatchLeavesNoHole(t *testing.T) {
	failed := status.Error(codes.ResourceExhausted, "quota")
	w := newWorld(t)
	var f *flaky
	l := w.open(func(o *trillianlog.Options) { f = &flaky{Backend: o.Backend}; o.Backend = f })
	w.log(l, "before", 2)
	down := true
	first := true
	f.add = func(ctx context.Context, r *trillian.AddSequencedLeavesRequest, next trillian.TrillianLogClient) (*trillian.AddSequencedLeavesResponse, error) {
		switch {
		case first:
			first = false
			return half(ctx, r.LogId, r.Leaves[len(r.Leaves)/2:], next, failed)
		case down && string(r.Leaves[0].LeafValue[:4]) != "void":
			return nil, failed
		}
		return next.AddSequencedLeaves(ctx, r)
	}
	tickets, err := l.AddAll([]trillianlog.Leaf{leaf("a", ""), leaf("b", ""), leaf("c", ""), leaf("d", "")})
	if err != nil {
		t.Fatal(err)
	}
	for _, ticket := range tickets[:2] {
		if _, err := ticket.Wait(t.Context()); !errors.Is(err, trillianlog.ErrUnavailable) {
			t.Fatalf("got %v", err)
		}
	}
	for i, ticket := range tickets[2:] {
		if placed := wait(t, ticket); placed.Index != uint64(4+i) {
			t.Fatalf("got %+v", placed)
		}
	}
	down = false
	for l.Refusal() != nil { // it fills the holes first
		runtime.Gosched()
	}
	if placed := wait(t, add(t, l, leaf("a", ""))); placed.Index != 6 || placed.Existed {
		t.Fatalf("got %+v", placed)
	}
	for index := range uint64(2) {
		want, _ := void(index + 2)
		if got, err := l.Tiles().Entry(t.Context(), index+2); err != nil || !bytes.Equal(got, want.Value) {
			t.Fatalf("index %d holds %q, %v", index+2, got, err)
		}
	}
	w.check(l)
}

func TestHolesAreFilledAtTheStart(t *testing.T) {
	w := newWorld(t)
	l := w.open(nil)
	w.log(l, "before", 2)
	w.close(l)

	o, err := w.options(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int64{3, 4, 7} { // 2, 5 and 6 stay empty
		value := leaf(fmt.Sprint(at), "text")
		_, err := o.Backend.Client().AddSequencedLeaves(t.Context(), &trillian.AddSequencedLeavesRequest{
			LogId: o.Backend.TreeID(), Leaves: []*trillian.LogLeaf{{LeafIndex: at, LeafValue: value.Value, LeafIdentityHash: value.Identity[:]}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := o.Backend.Close(); err != nil {
		t.Fatal(err)
	}

	if _, err := w.tryOpen(func(o *trillianlog.Options) { o.Void = nil }); err == nil {
		t.Fatal("a log that cannot fill a hole opens")
	}
	l = w.open(nil)
	if placed := wait(t, add(t, l, leaf("3", "text"))); placed != (trillianlog.Placed{Index: 3, Existed: true}) {
		t.Fatalf("got %+v", placed)
	}
	if placed := wait(t, add(t, l, leaf("new", "text"))); placed != (trillianlog.Placed{Index: 8}) {
		t.Fatalf("got %+v", placed)
	}
	for _, index := range []uint64{2, 5, 6} {
		want, _ := void(index)
		if got, err := l.Tiles().Entry(t.Context(), index); err != nil || !bytes.Equal(got, want.Value) {
			t.Fatalf("index %d holds %q, %v", index, got, err)
		}
	}
	w.check(l)
}
