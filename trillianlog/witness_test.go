package trillianlog_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	fnote "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"

	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
)

// Rule 5: witnessing fails closed.

// witness is a cosigner that a test can make fail.
type witness struct {
	signer note.Signer
	vkey   string
	asked  chan struct{} // one token for each time it was asked; may be nil
	mu     sync.Mutex
	seen   checkpoint.Checkpoint
	fail   error
}

func newWitness(t *testing.T) *witness {
	t.Helper()
	skey, vkey, err := note.GenerateKey(nil, "witness.example")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := fnote.NewSignerForCosignatureV1(skey)
	if err != nil {
		t.Fatal(err)
	}
	vkey, err = fnote.VKeyToCosignatureV1(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return &witness{signer: signer, vkey: vkey}
}

// options make the witness's cosignature a must.
func (w *witness) options(logKey string) func(*trillianlog.Options) {
	return func(o *trillianlog.Options) {
		p, err := policy.Parse([]byte("log " + logKey + "\nwitness w " + w.vkey + "\nquorum w\n"))
		if err != nil {
			panic(err)
		}
		o.Policy, o.Witness = p, w.cosign
	}
}

func (w *witness) set(fail error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail = fail
}

// cosign does what a witness does: it follows the log from proof to proof.
func (w *witness) cosign(_ context.Context, signed []byte, prove func(uint64) ([][]byte, error)) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.asked != nil {
		select {
		case w.asked <- struct{}{}:
		default:
		}
	}
	if w.fail != nil {
		return nil, w.fail
	}
	c, n, err := checkpoint.Parse(signed)
	if err != nil {
		return nil, err
	}
	switch {
	case w.seen.Size == c.Size && w.seen.Root != c.Root, w.seen.Size > c.Size:
		return nil, fmt.Errorf("size %d does not continue %d", c.Size, w.seen.Size)
	case w.seen.Size > 0 && w.seen.Size < c.Size:
		hashes, err := prove(w.seen.Size)
		if err != nil {
			return nil, err
		}
		if err := proof.VerifyConsistency(rfc6962.DefaultHasher, w.seen.Size, c.Size, hashes, w.seen.Root[:], c.Root[:]); err != nil {
			return nil, err
		}
	}
	sig, err := w.signer.Sign([]byte(n.Text))
	if err != nil {
		return nil, err
	}
	w.seen = c
	n.Signatures = append(n.Signatures, checkpoint.Signature{Name: w.signer.Name(), KeyID: w.signer.KeyHash(), Sig: sig})
	return n.Append(nil), nil
}

func TestWithoutWitnessesNothingIsPublished(t *testing.T) {
	w := newWorld(t)
	cosigner := newWitness(t)
	cosigner.asked = make(chan struct{}, 1)
	l := w.open(cosigner.options(w.vkey))
	w.log(l, "before", 3)
	cosigner.set(errors.New("connection refused"))
	select { // forget what was asked before
	case <-cosigner.asked:
	default:
	}
	first := add(t, l, leaf("first", "text"))
	<-cosigner.asked
	second := add(t, l, leaf("second", "text"))
	<-cosigner.asked // once more, at least one attempt has failed
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := first.Wait(done); !errors.Is(err, context.Canceled) {
		t.Fatalf("an answer without a witness: %v", err)
	}
	if st := l.Status(); st.Published != 3 || st.Publishing == nil || st.Err != nil || st.Writable != nil {
		t.Fatalf("status %+v", st)
	}
	cosigner.set(nil)
	if a, b := wait(t, first), wait(t, second); a.Index != 3 || b.Index != 4 {
		t.Fatalf("got %+v, %+v", a, b)
	}
	_, signed := l.Published()
	if _, err := mustParse(t, w.vkey, cosigner.vkey).Check(signed); err != nil {
		t.Fatal(err)
	}
	w.check(l)
}

func mustParse(t *testing.T, logKey, witnessKey string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse([]byte("log " + logKey + "\nwitness w " + witnessKey + "\nquorum w\n"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A witness that was down when the process ended is asked again for the same
// text at the next start; and so is one that a new policy asks for.
func TestCosigningGoesOnAfterARestart(t *testing.T) {
	w := newWorld(t)
	cosigner := newWitness(t)
	l := w.open(nil)
	w.log(l, "uncosigned", 3)
	w.close(l)

	// Nothing new has to come for it.
	published := make(chan uint64, 8)
	l = w.open(func(o *trillianlog.Options) {
		newWitness(t).options(w.vkey)(o)
		o.OnPublish = func(size uint64, _ time.Duration) { published <- size }
	})
	if size := <-published; size != 3 {
		t.Fatalf("size %d", size)
	}
	if _, err := l.Receipt(0); err != nil {
		t.Fatal(err)
	}
	w.close(l)

	cosigner.fail = errors.New("connection refused")
	cosigner.asked = make(chan struct{})
	l = w.open(cosigner.options(w.vkey))
	if _, err := l.Receipt(0); !errors.Is(err, policy.ErrQuorum) {
		t.Fatalf("a receipt that does not meet the policy: %v", err)
	}
	ticket := add(t, l, leaf("a", "text"))
	<-cosigner.asked
	w.close(l)
	if _, err := ticket.Wait(t.Context()); !errors.Is(err, trillianlog.ErrClosed) {
		t.Fatalf("got %v", err)
	}

	cosigner.fail, cosigner.asked = nil, nil
	l = w.open(cosigner.options(w.vkey))
	if placed := wait(t, add(t, l, leaf("a", "text"))); placed != (trillianlog.Placed{Index: 3, Existed: true}) {
		t.Fatalf("got %+v", placed)
	}
	w.check(l)
}

func TestAWitnessThatIsAheadStopsTheLog(t *testing.T) {
	w := newWorld(t)
	cosigner := newWitness(t)
	l := w.open(cosigner.options(w.vkey))
	w.log(l, "before", 3)
	cosigner.set(fmt.Errorf("%w: size 17", trillianlog.ErrWitnessAhead))
	err := w.logOne(l, leaf("a", "text"))
	var stopped *trillianlog.StopError
	if !errors.As(err, &stopped) || stopped.Reason != trillianlog.WitnessAhead {
		t.Fatalf("got %v", err)
	}
	w.check(l)
}

func TestAMissingCosignatureIsSeen(t *testing.T) {
	w := newWorld(t)
	cosigner := newWitness(t)
	asked := make(chan struct{}, 2)
	l := w.open(func(o *trillianlog.Options) {
		cosigner.options(w.vkey)(o)
		o.Witness = func(_ context.Context, signed []byte, _ func(uint64) ([][]byte, error)) ([]byte, error) {
			select {
			case asked <- struct{}{}:
			default:
			}
			return signed, nil
		}
	})
	add(t, l, leaf("a", "text"))
	<-asked
	<-asked
	if st := l.Status(); st.Published != 0 || !errors.Is(st.Publishing, policy.ErrQuorum) {
		t.Fatalf("status %+v", st)
	}
}
