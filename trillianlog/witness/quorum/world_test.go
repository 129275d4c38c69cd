package quorum_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
	"github.com/tallyroot/tallyroot/trillianlog/witness/quorum"
	"github.com/tallyroot/tallyroot/trillianlog/witness/witnesstest"
)

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

// failing asks until each witness that is named is known to have failed in a way, and
// then no longer.
func (w *world) failing(size uint64, prove func(uint64) ([][]byte, error), want string, witnesses ...int) {
	w.Helper()
	ctx, cancel := context.WithCancel(w.Context())
	defer cancel()
	asked := make(chan error)
	go func() {
		_, err := w.client.Cosign(ctx, w.log.Signed(size), prove)
		asked <- err
	}()
	w.until(want, func(st quorum.Status) bool {
		for _, i := range witnesses {
			if err := st.Witnesses[i].Err; err == nil || !strings.Contains(err.Error(), want) {
				return false
			}
		}
		return true
	})
	cancel()
	if err := <-asked; !errors.Is(err, context.Canceled) {
		w.Errorf("%s: %v", want, err)
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
