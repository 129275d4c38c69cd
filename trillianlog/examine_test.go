package trillianlog_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/trillian"
	"google.golang.org/grpc"

	"github.com/tallyroot/tallyroot/trillianlog"
)

// misproving is a back end whose consistency proofs are wrong when it is told so, as
// they are when inner nodes of its tree are.
type misproving struct {
	trillian.TrillianLogClient
	wrong atomic.Bool
}

func (m *misproving) GetConsistencyProof(ctx context.Context, r *trillian.GetConsistencyProofRequest, _ ...grpc.CallOption) (*trillian.GetConsistencyProofResponse, error) {
	response, err := m.TrillianLogClient.GetConsistencyProof(ctx, r)
	if err == nil && m.wrong.Load() {
		for i := range response.Proof.Hashes {
			response.Proof.Hashes[i] = make([]byte, len(response.Proof.Hashes[i])) // the back end keeps its own
		}
	}
	return response, err
}

// Leaves that are not integrated for a while stop the log if the tree cannot take
// them, and only then, whatever its size is.
func TestATreeThatDoesNotGrowIsExamined(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var b *signerless
	var proofs *misproving
	l := w.open(func(o *trillianlog.Options) {
		proofs = &misproving{TrillianLogClient: o.Backend.Client()}
		b = &signerless{o.Backend, signerlessClient{TrillianLogClient: proofs}}
		o.Backend, o.IntegrationTimeout = b, 20*time.Millisecond
	})
	w.log(l, "leaf", 1)
	for size := 1; size < 18; size++ {
		b.client.sleep(t, b.TreeID())
		ticket := add(t, l, leaf(fmt.Sprint("waits-", size), "text"))
		eventually(t, "the log says that it waits", func() bool { return l.Status().Publishing != nil })
		if err := l.Status().Err; err != nil {
			t.Fatalf("with %d leaves: %v", size, err)
		}
		b.client.wake()
		wait(t, ticket)
		eventually(t, "all is well", func() bool { return l.Status().Publishing == nil })
	}
	w.log(l, "last", 1) // 19 leaves: 16 and 2 and 1
	b.client.sleep(t, b.TreeID())
	proofs.wrong.Store(true)
	ticket := add(t, l, leaf("never in the tree", "text"))
	var stopped *trillianlog.StopError
	if _, err := ticket.Wait(t.Context()); !errors.As(err, &stopped) || stopped.Reason != trillianlog.Corrupt {
		t.Fatalf("got %v", err)
	}
	w.check(l)
}
