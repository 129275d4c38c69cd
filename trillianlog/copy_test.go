package trillianlog_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/trillian"
	"github.com/google/trillian/types"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/embedded"
	"github.com/tallyroot/tallyroot/trillianlog/embedded/embeddedtest"
)

// copying is a copy of the closed log to the store in the folder to.
func (w *world) copying(to string) trillianlog.Copying {
	w.tb.Helper()
	o, err := w.options(nil)
	if err != nil {
		w.tb.Fatal(err)
	}
	key, err := note.NewVerifier(w.vkey)
	if err != nil {
		w.tb.Fatal(err)
	}
	target, err := embedded.Open(w.tb.Context(), w.path(to), embedded.Options{Logger: quiet})
	if err != nil {
		w.tb.Fatal(err)
	}
	w.tb.Cleanup(func() { target.Close() })
	w.tb.Cleanup(func() { o.Backend.Close() })
	return trillianlog.Copying{From: o.Backend, To: target, Origin: origin, Tiles: o.Tiles, Last: o.Last, LogKeys: []note.Verifier{key}}
}

// copy runs the copy and closes both stores.
func (w *world) copy(o trillianlog.Copying) (trillianlog.Copied, error) {
	w.tb.Helper()
	copied, err := trillianlog.Copy(w.tb.Context(), o)
	if err := errors.Join(o.From.Close(), o.To.Close()); err != nil {
		w.tb.Fatal(err)
	}
	return copied, err
}

// use makes the store in the folder the log's, and keeps the old one.
func (w *world) use(folder string) {
	w.tb.Helper()
	if err := errors.Join(os.Rename(w.path("store"), w.path("old")), os.Rename(w.path(folder), w.path("store"))); err != nil {
		w.tb.Fatal(err)
	}
}

// A log goes on where it was moved to: every receipt holds, a leaf that was
// logged before is recognised, and the old store is then the one that is behind.
func TestCopy(t *testing.T) {
	w := newWorld(t)
	l := w.open(nil)
	w.load(l, "before", 800)
	w.close(l)
	w.storeUnpublished("unpublished", 10)

	o := w.copying("new")
	o.DryRun = true
	dry, err := w.copy(o)
	if err != nil || dry.Size != 810 || dry.Found != 0 || dry.Written != 810 {
		t.Fatalf("a dry run: %+v, %v", dry, err)
	}
	o = w.copying("new")
	steps := map[trillianlog.CopyStep]uint64{}
	o.Progress = func(step trillianlog.CopyStep, done, total uint64) {
		if done <= steps[step] || total != 810 {
			t.Errorf("%s: %d of %d after %d", step, done, total, steps[step])
		}
		steps[step] = done
	}
	copied, err := w.copy(o)
	if err != nil || copied.Checkpoint != dry.Checkpoint || copied.Written != 810 {
		t.Fatalf("%+v, %v; the dry run said %+v", copied, err, dry)
	}
	for _, step := range []trillianlog.CopyStep{trillianlog.CopyChecks, trillianlog.CopyWrites, trillianlog.CopyReadsBack} {
		if steps[step] != 810 {
			t.Errorf("%s: %d", step, steps[step])
		}
	}
	again, err := w.copy(w.copying("new"))
	if err != nil || again.Checkpoint != copied.Checkpoint || again.Found != 810 || again.Written != 0 {
		t.Fatalf("a second time: %+v, %v", again, err)
	}

	w.use("new")
	l = w.open(nil)
	ticket, err := l.Add(leaf("before-3-7", "text"))
	if err != nil {
		t.Fatal(err)
	}
	if placed, err := ticket.Wait(t.Context()); err != nil || !placed.Existed {
		t.Fatalf("a leaf that was logged before the move: %+v, %v", placed, err)
	}
	w.log(l, "after", 5)
	w.check(l)
	w.close(l)

	// What is copied on top of a copy is only the rest.
	back, err := w.copy(w.copying("old"))
	if err != nil || back.Found != 810 || back.Written != 5 {
		t.Fatalf("back: %+v, %v", back, err)
	}
}

// A copy that is cut off goes on, wherever that was and whatever of a write the
// target has.
func TestCopyGoesOn(t *testing.T) {
	w := newWorld(t)
	l := w.open(nil)
	w.load(l, "before", 1600)
	w.close(l)
	torn := errors.New("torn")
	for i, part := range []func([]*trillian.LogLeaf) []*trillian.LogLeaf{
		func(all []*trillian.LogLeaf) []*trillian.LogLeaf { return nil },
		func(all []*trillian.LogLeaf) []*trillian.LogLeaf { return all[:len(all)/2] },
		func(all []*trillian.LogLeaf) []*trillian.LogLeaf { return all[len(all)/2:] },
		func(all []*trillian.LogLeaf) []*trillian.LogLeaf { return all },
	} {
		for _, strike := range []int{1, 3} { // at which write
			t.Run(fmt.Sprint(i, strike), func(t *testing.T) {
				to := fmt.Sprintf("new-%d-%d", i, strike)
				ctx, cancel := context.WithCancelCause(t.Context())
				calls := 0
				o := w.copying(to)
				o.To = &flaky{Backend: o.To, add: func(ctx context.Context, r *trillian.AddSequencedLeavesRequest, next trillian.TrillianLogClient) (*trillian.AddSequencedLeavesResponse, error) {
					if calls++; calls != strike {
						return next.AddSequencedLeaves(ctx, r)
					}
					if leaves := part(r.Leaves); len(leaves) > 0 {
						if _, err := next.AddSequencedLeaves(context.WithoutCancel(ctx), &trillian.AddSequencedLeavesRequest{LogId: r.LogId, Leaves: leaves}); err != nil {
							t.Error(err)
						}
					}
					cancel(torn)
					return nil, torn
				}}
				if _, err := trillianlog.Copy(ctx, o); !errors.Is(err, torn) {
					t.Fatalf("the first run: %v", err)
				}
				if err := errors.Join(o.From.Close(), o.To.Close()); err != nil {
					t.Fatal(err)
				}
				copied, err := w.copy(w.copying(to))
				if err != nil || copied.Size != 1600 || copied.Found+copied.Written != 1600 || strike > 1 && copied.Found < 512 {
					t.Fatalf("the second run: %+v, %v", copied, err)
				}
			})
		}
	}
}

// A back end that fails for a moment is asked again, and what it did not confirm
// is not written twice.
func TestCopyTriesAgain(t *testing.T) {
	w := newWorld(t)
	l := w.open(nil)
	w.load(l, "before", 800)
	w.close(l)
	o := w.copying("new")
	calls := 0
	o.To = &flaky{Backend: o.To, add: func(ctx context.Context, r *trillian.AddSequencedLeavesRequest, next trillian.TrillianLogClient) (*trillian.AddSequencedLeavesResponse, error) {
		response, err := next.AddSequencedLeaves(ctx, r)
		if calls++; calls%2 == 1 {
			return nil, status.Error(codes.Unavailable, "connection reset")
		}
		return response, err
	}}
	if copied, err := w.copy(o); err != nil || copied.Written != 800 {
		t.Fatalf("%+v, %v", copied, err)
	}
}

func TestCopyRefuses(t *testing.T) {
	tests := []struct {
		name   string
		want   error  // may be nil
		says   string // in the error
		break_ func(t *testing.T, w *world)
		change func(o *trillianlog.Copying) // may be nil
	}{
		{"a target with another log", trillianlog.ErrOtherLog, "leaf of another identity", func(t *testing.T, w *world) {
			other := newWorld(t)
			l := other.open(nil)
			other.log(l, "other", 3)
			other.close(l)
			copyDir(t, other.path("store"), w.path("new"))
		}, nil},
		{"a target that is ahead", trillianlog.ErrOtherLog, "the source has 5 leaves", func(t *testing.T, w *world) {
			copyDir(t, w.dir, w.dir+"-backup")
			l := w.open(nil)
			w.log(l, "after", 5)
			w.close(l)
			copyDir(t, w.path("store"), w.dir+"-backup/new")
			copyDir(t, w.dir+"-backup", w.dir)
		}, nil},
		{"a leaf changed in the source", trillianlog.ErrAltered, "the first 5 give the root", func(t *testing.T, w *world) {
			embeddedtest.FlipLeaf(t, w.path("store"), 3)
		}, nil},
		{"a leaf changed in the target", trillianlog.ErrOtherLog, "its leaf 3 has the hash", func(t *testing.T, w *world) {
			if _, err := w.copy(w.copying("new")); err != nil {
				t.Fatal(err)
			}
			embeddedtest.FlipLeaf(t, w.path("new"), 3)
		}, nil},
		{"a source that was rolled back", trillianlog.ErrAltered, "not the newest copy", func(t *testing.T, w *world) {
			copyDir(t, w.path("store"), w.path("backup"))
			l := w.open(nil)
			w.log(l, "after", 5)
			w.close(l)
			copyDir(t, w.path("backup"), w.path("store"))
		}, nil},
		{"a source that was signed otherwise", trillianlog.ErrAltered, "a checkpoint of that size says", func(t *testing.T, w *world) {
			w.swapLast(func(c *checkpoint.Checkpoint) { c.Root[0] ^= 1 })
		}, nil},
		{"a published checkpoint of another root", trillianlog.ErrAltered, "a checkpoint of that size says", func(t *testing.T, w *world) {
			other := newWorld(t)
			other.skey, other.vkey = w.skey, w.vkey
			l := other.open(nil)
			other.log(l, "other", 2)
			other.close(l)
			copyDir(t, other.path("log"), w.path("log"))
		}, nil},
		{"a published checkpoint of another key", nil, "the published checkpoint", func(t *testing.T, w *world) {
			other := newWorld(t)
			l := other.open(nil)
			other.log(l, "other", 2)
			other.close(l)
			copyDir(t, other.path("log"), w.path("log"))
		}, nil},
		{"no last checkpoint", trillianlog.ErrNoLastCheckpoint, "tallyroot recover", func(t *testing.T, w *world) {
			w.remove("last-checkpoint")
		}, nil},
		{"an empty source", nil, "nothing to copy", func(t *testing.T, w *world) {
			w.remove("store")
			w.remove("last-checkpoint")
			w.remove("log")
		}, nil},
		{"the store of nothing", trillianlog.ErrAltered, "it has 0 and a checkpoint of 5 was signed", func(t *testing.T, w *world) {
			w.remove("store")
		}, nil},
		{"a last checkpoint of another log", nil, "the last checkpoint is of the log", func(t *testing.T, w *world) {
			w.swapLast(func(c *checkpoint.Checkpoint) { c.Origin = "another.example/log" })
		}, nil},
		{"a source that is written to", nil, "a service is writing to it", func(*testing.T, *world) {}, func(o *trillianlog.Copying) {
			asked, from := 0, o.From
			o.From = &flaky{Backend: from, next: func(ctx context.Context) error {
				if asked++; asked == 1 {
					return nil
				}
				l := leaf("meanwhile", "text")
				_, err := from.Client().AddSequencedLeaves(ctx, &trillian.AddSequencedLeavesRequest{LogId: from.TreeID(),
					Leaves: []*trillian.LogLeaf{{LeafIndex: 5, LeafValue: l.Value, LeafIdentityHash: l.Identity[:]}}})
				return err
			}}
		}},
		{"another identity in the target", nil, "identity is not", func(*testing.T, *world) {}, func(o *trillianlog.Copying) {
			o.To = altering{o.To, func(l *trillian.LogLeaf) { l.LeafIdentityHash[31] ^= 1 }}
		}},
		{"a target that nobody integrates", nil, "is Trillian's log signer running?", func(*testing.T, *world) {}, func(o *trillianlog.Copying) {
			o.To, o.Patience = stale{o.To}, time.Millisecond
		}},
		{"a leaf changed in what is read back", trillianlog.ErrAltered, "the target: its leaves are not those that were logged: leaf 0 was changed", func(*testing.T, *world) {}, func(o *trillianlog.Copying) {
			o.To = altering{o.To, func(l *trillian.LogLeaf) { l.LeafValue[0] ^= 1 }}
		}},
		{"a leaf changed with its hash", trillianlog.ErrAltered, "the target: its leaves are not those that were logged: the first 5", func(*testing.T, *world) {}, func(o *trillianlog.Copying) {
			o.To = altering{o.To, func(l *trillian.LogLeaf) {
				l.LeafValue[0] ^= 1
				hash := rfcLeafHash(l.LeafValue)
				l.MerkleLeafHash = hash[:]
			}}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			l := w.open(nil)
			w.log(l, "before", 5)
			w.close(l)
			tt.break_(t, w)
			before := w.last()
			o := w.copying("new")
			if tt.change != nil {
				tt.change(&o)
			}
			_, err := w.copy(o)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("got %v, want %v that says %q", err, tt.want, tt.says)
			}
			if !bytes.Equal(w.last(), before) {
				t.Fatal("the last checkpoint was changed")
			}
		})
	}
}

// Nothing is written to a target that may not have it.
func TestCopyComparesBeforeItWrites(t *testing.T) {
	w := newWorld(t)
	l := w.open(nil)
	w.load(l, "before", 800)
	w.close(l)
	if _, err := w.copy(w.copying("new")); err != nil {
		t.Fatal(err)
	}
	l = w.open(nil)
	w.load(l, "after", 800)
	w.close(l)
	embeddedtest.FlipLeaf(t, w.path("store"), 1599) // the very last
	if _, err := w.copy(w.copying("new")); !errors.Is(err, trillianlog.ErrAltered) {
		t.Fatalf("got %v", err)
	}
	o := w.copying("new")
	if next, _, err := o.To.Next(t.Context()); err != nil || next != 800 {
		t.Fatalf("the target has %d leaves, %v", next, err)
	}
}

// last is the last checkpoint's file, nil if there is none.
func (w *world) last() []byte {
	b, err := os.ReadFile(w.path("last-checkpoint"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		w.tb.Fatal(err)
	}
	return b
}

// swapLast changes what the log is bound to.
func (w *world) swapLast(change func(*checkpoint.Checkpoint)) {
	w.tb.Helper()
	last := trillianlog.FileLastCheckpoint(w.path("last-checkpoint"))
	text, err := last.Load(w.tb.Context())
	if err != nil {
		w.tb.Fatal(err)
	}
	c, err := checkpoint.ParseBody(string(text))
	if err != nil {
		w.tb.Fatal(err)
	}
	change(&c)
	if err := last.Swap(w.tb.Context(), text, []byte(c.Body())); err != nil {
		w.tb.Fatal(err)
	}
}

// stale is a back end whose tree stays empty.
type stale struct{ trillianlog.Backend }

func (s stale) Client() trillian.TrillianLogClient { return staleClient{s.Backend.Client()} }

type staleClient struct{ trillian.TrillianLogClient }

func (c staleClient) GetLatestSignedLogRoot(context.Context, *trillian.GetLatestSignedLogRootRequest, ...grpc.CallOption) (*trillian.GetLatestSignedLogRootResponse, error) {
	root, err := (&types.LogRootV1{RootHash: rfc6962.DefaultHasher.EmptyRoot()}).MarshalBinary()
	return &trillian.GetLatestSignedLogRootResponse{SignedLogRoot: &trillian.SignedLogRoot{LogRoot: root}}, err
}

// altering is a back end that gives the first leaf otherwise than it was stored.
type altering struct {
	trillianlog.Backend
	change func(*trillian.LogLeaf)
}

func (a altering) Client() trillian.TrillianLogClient {
	return alteringClient{a.Backend.Client(), a.change}
}

type alteringClient struct {
	trillian.TrillianLogClient
	change func(*trillian.LogLeaf)
}

func (c alteringClient) GetLeavesByRange(ctx context.Context, request *trillian.GetLeavesByRangeRequest, options ...grpc.CallOption) (*trillian.GetLeavesByRangeResponse, error) {
	response, err := c.TrillianLogClient.GetLeavesByRange(ctx, request, options...)
	if err == nil && request.StartIndex == 0 {
		response.Leaves[0] = proto.Clone(response.Leaves[0]).(*trillian.LogLeaf)
		c.change(response.Leaves[0])
	}
	return response, err
}
