package trillianlog_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/trillian"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/embedded/embeddedtest"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
)

// stopsWith opens the log and expects it to serve what is published, to publish
// nothing and to take nothing, for the given reason.
func (w *world) stopsWith(reason trillianlog.Reason, change func(*trillianlog.Options)) {
	w.tb.Helper()
	before, err := os.ReadFile(w.path("log/checkpoint"))
	if err != nil {
		w.tb.Fatal(err)
	}
	l := w.open(change)
	_, err = l.Add(leaf("too late", "text"))
	if err == nil {
		var ticket *trillianlog.Ticket
		if ticket, err = l.Add(leaf("too late 2", "text")); err == nil {
			_, err = ticket.Wait(context.Background())
		}
	}
	var stopped *trillianlog.StopError
	if !errors.As(err, &stopped) || stopped.Reason != reason || !errors.Is(err, trillianlog.ErrStopped) {
		w.tb.Fatalf("an append is answered %v, want %q", err, reason)
	}
	st := l.Status()
	if !errors.As(st.Err, &stopped) || stopped.Reason != reason || st.Publishing == nil || st.Writable == nil {
		w.tb.Fatalf("status %+v, want %q", st, reason)
	}
	w.check(l)
	w.close(l)
	after, err := os.ReadFile(w.path("log/checkpoint"))
	if err != nil || string(after) != string(before) {
		w.tb.Fatalf("something was published: %q, %v", after, err)
	}
}

// storeUnpublished leaves n leaves in the store that no checkpoint covers.
func (w *world) storeUnpublished(prefix string, n int) {
	w.tb.Helper()
	l := w.open(func(o *trillianlog.Options) {
		o.SetFault(func(string) error { return trillianlog.ErrCrash })
	})
	published, _ := l.Published()
	var leaves []trillianlog.Leaf
	for i := range n {
		leaves = append(leaves, leaf(fmt.Sprintf("%s-%d", prefix, i), "text"))
	}
	if _, err := l.AddAll(leaves); err != nil {
		w.tb.Fatal(err)
	}
	w.close(l)
	if now, _ := l.Published(); now != published {
		w.tb.Fatalf("%d leaves are published", now.Size)
	}
	o, err := w.options(nil)
	if err != nil {
		w.tb.Fatal(err)
	}
	if next, _, err := o.Backend.Next(context.Background()); err != nil || next != published.Size+uint64(n) {
		w.tb.Fatalf("%d leaves are stored (%v), want %d more than %d", next, err, n, published.Size)
	}
	if err := o.Backend.Close(); err != nil {
		w.tb.Fatal(err)
	}
}

// Rule 1: Trillian's root is not believed.

func TestAFlippedByteInAStoredLeafStopsTheLog(t *testing.T) {
	w := newWorld(t)
	l := w.open(nil)
	w.log(l, "before", 5)
	w.close(l)
	w.storeUnpublished("lost", 300)
	embeddedtest.FlipLeaf(t, w.path("store"), 150)
	w.stopsWith(trillianlog.Corrupt, nil)
	w.stopsWith(trillianlog.Corrupt, nil) // and again after the next start
}

// tampered changes what Trillian answers.
type tampered struct {
	trillianlog.Backend
	client tamperedClient
}

func (b *tampered) Client() trillian.TrillianLogClient { return &b.client }

type tamperedClient struct {
	trillian.TrillianLogClient
	armed  atomic.Bool
	leaves func(*trillian.GetLeavesByRangeResponse)
	root   func(*trillian.GetLatestSignedLogRootResponse)
}

func (c *tamperedClient) GetLeavesByRange(ctx context.Context, r *trillian.GetLeavesByRangeRequest, _ ...grpc.CallOption) (*trillian.GetLeavesByRangeResponse, error) {
	response, err := c.TrillianLogClient.GetLeavesByRange(ctx, r)
	if err == nil && c.leaves != nil && c.armed.Load() {
		c.leaves(response)
	}
	return response, err
}

func (c *tamperedClient) GetLatestSignedLogRoot(ctx context.Context, r *trillian.GetLatestSignedLogRootRequest, _ ...grpc.CallOption) (*trillian.GetLatestSignedLogRootResponse, error) {
	response, err := c.TrillianLogClient.GetLatestSignedLogRoot(ctx, r)
	if err == nil && c.root != nil && c.armed.Load() {
		c.root(response)
	}
	return response, err
}

func TestWhatTrillianSaysIsCompared(t *testing.T) {
	tests := []struct {
		name   string
		reason trillianlog.Reason
		leaves func(*trillian.GetLeavesByRangeResponse)
		root   func(*trillian.GetLatestSignedLogRootResponse)
	}{
		{"a leaf changed with its hash", trillianlog.Corrupt, func(r *trillian.GetLeavesByRangeResponse) {
			r.Leaves[0].LeafValue = []byte("forged")
			r.Leaves[0].MerkleLeafHash = rfc6962.DefaultHasher.HashLeaf(r.Leaves[0].LeafValue)
		}, nil},
		{"a leaf changed alone", trillianlog.Corrupt, func(r *trillian.GetLeavesByRangeResponse) {
			r.Leaves[0].LeafValue = []byte("forged")
		}, nil},
		{"a leaf of another place", trillianlog.Corrupt, func(r *trillian.GetLeavesByRangeResponse) {
			r.Leaves[0].LeafIndex++
		}, nil},
		{"another root", trillianlog.Corrupt, nil, func(r *trillian.GetLatestSignedLogRootResponse) {
			// version (2), size (8), length (1), root hash
			if r.SignedLogRoot.LogRoot[9] == 5 {
				return
			}
			r.SignedLogRoot = proto.CloneOf(r.SignedLogRoot) // the back end keeps the other one
			r.SignedLogRoot.LogRoot[11] ^= 1
		}},
		{"a smaller tree", trillianlog.RolledBack, nil, func(r *trillian.GetLatestSignedLogRootResponse) {
			r.SignedLogRoot = proto.CloneOf(r.SignedLogRoot) // the back end keeps the other one
			r.SignedLogRoot.LogRoot[9] = 1
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			var b *tampered
			l := w.open(func(o *trillianlog.Options) {
				b = &tampered{Backend: o.Backend, client: tamperedClient{TrillianLogClient: o.Backend.Client(), leaves: tt.leaves, root: tt.root}}
				o.Backend = b
			})
			w.log(l, "before", 5)
			b.client.armed.Store(true)
			err := w.logOne(l, leaf("a", "text"))
			var stopped *trillianlog.StopError
			if !errors.As(err, &stopped) || stopped.Reason != tt.reason {
				t.Fatalf("got %v", err)
			}
			if _, err := l.Add(leaf("b", "text")); !errors.Is(err, trillianlog.ErrStopped) {
				t.Fatalf("got %v", err)
			}
			if st := l.Status(); !errors.Is(st.Err, trillianlog.ErrStopped) || st.Published != 5 {
				t.Fatalf("status %+v", st)
			}
			w.check(l)
		})
	}
}

// Rule 2: never two histories.

func TestARolledBackStoreStopsTheLog(t *testing.T) {
	w := newWorld(t)
	l := w.open(nil)
	w.log(l, "before", 20)
	w.close(l)
	copyDir(t, w.path("store"), w.path("backup"))
	l = w.open(nil)
	w.log(l, "after", 20)
	w.close(l)
	copyDir(t, w.path("backup"), w.path("store"))
	w.stopsWith(trillianlog.RolledBack, nil)
	w.stopsWith(trillianlog.RolledBack, nil)
}

func TestAForkedStoreStopsTheLog(t *testing.T) {
	for _, more := range []int{20, 40} { // as many leaves as were signed, and more
		w := newWorld(t)
		l := w.open(nil)
		w.log(l, "before", 20)
		w.close(l)
		copyDir(t, w.path("store"), w.path("fork"))
		l = w.open(nil)
		w.log(l, "after", 20)
		w.close(l)
		// The same leaves up to 20, then others.
		f := &world{tb: t, dir: t.TempDir(), skey: w.skey, vkey: w.vkey,
			receipts: make(map[uint64]acknowledged), checkpoints: make(map[uint64]checkpoint.Checkpoint)}
		l = f.open(nil)
		f.log(l, "before", 20)
		f.log(l, "forked", more)
		f.close(l)
		copyDir(t, f.path("store"), w.path("store"))
		w.stopsWith(trillianlog.Forked, nil)
	}
}

func TestALostLastCheckpointIsRefused(t *testing.T) {
	w := newWorld(t)
	l := w.open(nil)
	w.log(l, "before", 7)
	w.close(l)
	if err := os.Remove(w.path("last-checkpoint")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, err := w.tryOpen(nil)
		if !errors.Is(err, trillianlog.ErrNoLastCheckpoint) || !strings.Contains(err.Error(), "tallyroot recover") {
			t.Fatalf("got %v", err)
		}
	}
	// Also if nothing but the store is left.
	if err := os.RemoveAll(w.path("log")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.tryOpen(nil); !errors.Is(err, trillianlog.ErrNoLastCheckpoint) {
		t.Fatalf("got %v", err)
	}
}

func TestALastCheckpointFromTheStartBindsTheLog(t *testing.T) {
	w := newWorld(t)
	w.close(w.open(nil))
	text, err := trillianlog.FileLastCheckpoint(w.path("last-checkpoint")).Load(t.Context())
	if err != nil || string(text) != origin+"\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n" {
		t.Fatalf("an empty log is bound to %q, %v", text, err)
	}
	w.storeUnpublished("first", 3)
	if err := os.Remove(w.path("last-checkpoint")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.tryOpen(nil); !errors.Is(err, trillianlog.ErrNoLastCheckpoint) {
		t.Fatalf("got %v", err)
	}
}

func TestAnOlderLastCheckpointStopsTheLog(t *testing.T) {
	w := newWorld(t)
	l := w.open(nil)
	w.log(l, "before", 7)
	old, err := os.ReadFile(w.path("last-checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	w.log(l, "after", 7)
	w.close(l)
	if err := os.WriteFile(w.path("last-checkpoint"), old, 0o600); err != nil {
		t.Fatal(err)
	}
	w.stopsWith(trillianlog.LastCheckpointBehind, nil)
}

func TestALastCheckpointThatIsNotOursIsRefused(t *testing.T) {
	w := newWorld(t)
	l := w.open(nil)
	w.log(l, "before", 7)
	w.close(l)
	good, err := trillianlog.FileLastCheckpoint(w.path("last-checkpoint")).Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "x", strings.Replace(string(good), origin, "log.example/other", 1), string(good) + "extension\n"} {
		if err := os.WriteFile(w.path("last-checkpoint"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := w.tryOpen(nil); err == nil || errors.Is(err, trillianlog.ErrNoLastCheckpoint) {
			t.Fatalf("%q: %v", text, err)
		}
	}
	c, err := checkpoint.ParseBody(string(good))
	if err != nil {
		t.Fatal(err)
	}
	c.Root[0] ^= 1
	if err := os.WriteFile(w.path("last-checkpoint"), []byte(c.Body()), 0o600); err != nil {
		t.Fatal(err)
	}
	w.stopsWith(trillianlog.Forked, nil)
}

// Another process publishes the same log, on a store of its own, and they share
// the last checkpoint: whoever comes second stops.
func TestASecondPublisherStops(t *testing.T) {
	w := newWorld(t)
	l := w.open(nil)
	w.log(l, "before", 3)
	text, err := trillianlog.FileLastCheckpoint(w.path("last-checkpoint")).Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	other, err := checkpoint.ParseBody(string(text))
	if err != nil {
		t.Fatal(err)
	}
	other.Size, other.Root[0] = other.Size+1, other.Root[0]^1
	if err := trillianlog.FileLastCheckpoint(w.path("last-checkpoint")).Swap(t.Context(), text, []byte(other.Body())); err != nil {
		t.Fatal(err)
	}
	err = w.logOne(l, leaf("a", "text"))
	var stopped *trillianlog.StopError
	if !errors.As(err, &stopped) || stopped.Reason != trillianlog.LastCheckpointTaken {
		t.Fatalf("got %v", err)
	}
	w.check(l)
}

func TestAnotherKeyIsRefused(t *testing.T) {
	w := newWorld(t)
	l := w.open(nil)
	w.log(l, "before", 3)
	w.close(l)
	skey, vkey, err := note.GenerateKey(nil, origin)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.tryOpen(func(o *trillianlog.Options) { o.Signer, _ = note.NewSigner(skey) }); err == nil {
		t.Fatal("a signer that the policy does not know is taken")
	}
	if _, err := w.tryOpen(func(o *trillianlog.Options) {
		o.Signer, _ = note.NewSigner(skey)
		o.Policy, _ = policy.None(vkey)
	}); err == nil {
		t.Fatal("a published checkpoint by another key is taken")
	}
}

// Where the store cannot even be opened, what is published is served.
func TestAnUnusableStoreStopsTheLog(t *testing.T) {
	w := newWorld(t)
	l := w.open(nil)
	w.log(l, "before", 20)
	w.close(l)
	w.stopsWith(trillianlog.Corrupt, func(o *trillianlog.Options) {
		if err := o.Backend.Close(); err != nil {
			t.Fatal(err)
		}
		o.Backend = trillianlog.Unusable(errors.New("its files are damaged"))
	})
	w.log(w.open(nil), "after", 3)
}
