package quorum_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/embedded"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
	"github.com/tallyroot/tallyroot/trillianlog/receipt"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
	"github.com/tallyroot/tallyroot/trillianlog/witness"
	"github.com/tallyroot/tallyroot/trillianlog/witness/quorum"
)

const origin = "log.example/real"

// station is a real witness that can be switched off and on at its address.
type station struct {
	t       *testing.T
	options witness.Options
	address string
	key     string
	server  *witness.Server
	web     *http.Server
}

func newStation(t *testing.T, name, logKey string) *station {
	s := &station{t: t, address: "127.0.0.1:0", options: witness.Options{
		Dir: filepath.Join(t.TempDir(), "witness"), Name: name, Logs: []witness.Log{{Key: logKey}}, Logger: quiet,
	}}
	s.on()
	t.Cleanup(s.off)
	s.key = s.server.Verifier()
	return s
}

func (s *station) on() {
	s.t.Helper()
	listener, err := net.Listen("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	if s.server, err = witness.Open(s.options); err != nil {
		s.t.Fatal(err)
	}
	s.address = listener.Addr().String()
	s.web = &http.Server{Handler: s.server}
	go s.web.Serve(listener)
}

func (s *station) off() {
	s.t.Helper()
	if err := errors.Join(s.web.Close(), s.server.Close()); err != nil {
		s.t.Error(err)
	}
}

// openLog opens a real log in dir that asks the policy's witnesses. What it gives
// besides closes it.
func openLog(t *testing.T, dir string, signer note.Signer, p *policy.Policy) (l *trillianlog.Log, closeAll func()) {
	t.Helper()
	asked, err := quorum.New(quorum.Options{Origin: origin, Policy: p, Logger: quiet, Patience: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	store, err := tiles.Open(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	backend, err := embedded.Open(t.Context(), filepath.Join(dir, "store"), embedded.Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	l, err = trillianlog.Open(t.Context(), trillianlog.Options{
		Backend: backend, Tiles: store, Last: trillianlog.FileLastCheckpoint(filepath.Join(dir, "last-checkpoint")),
		Origin: origin, Signer: signer, Policy: p, Witness: asked.Cosign, Logger: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	closeAll = sync.OnceFunc(func() {
		if err := errors.Join(l.Close(), store.Settle()); err != nil {
			t.Error(err)
		}
		asked.Close()
	})
	t.Cleanup(closeAll)
	return l, closeAll
}

func add(t *testing.T, l *trillianlog.Log, text string) *trillianlog.Ticket {
	t.Helper()
	ticket, err := l.Add(trillianlog.Leaf{Value: []byte(text), Identity: sha256.Sum256([]byte(text))})
	if err != nil {
		t.Fatal(err)
	}
	return ticket
}

// TestRealLog has a real log ask real witnesses: a quorum is enough, without one
// nothing is published, and a clone of the log is found out.
func TestRealLog(t *testing.T) {
	secret, key, err := note.GenerateKey(nil, origin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	text := "log " + key + "\n"
	var stations []*station
	for i := range 3 {
		s := newStation(t, fmt.Sprintf("witness.example/%d", i), key)
		stations = append(stations, s)
		text += fmt.Sprintf("witness w%d %s http://%s\n", i, s.key, s.address)
	}
	p := parse(t, text+two)
	dir := t.TempDir()
	l, closeAll := openLog(t, dir, signer, p)
	wait := func(l *trillianlog.Log, ticket *trillianlog.Ticket) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), deadline)
		defer cancel()
		placed, err := ticket.Wait(ctx)
		if err != nil {
			t.Fatal(err)
		}
		proved, err := l.Receipt(placed.Index)
		if err != nil {
			t.Fatal(err)
		}
		r, err := receipt.Parse(proved)
		if err != nil {
			t.Fatal(err)
		}
		v, err := p.Check(r.Checkpoint)
		if err != nil || !v.Witnessed || len(v.Witnesses) < 2 {
			t.Fatalf("leaf %d: %+v, %v", placed.Index, v, err)
		}
	}
	for i := range 20 {
		wait(l, add(t, l, fmt.Sprintf("leaf %d", i)))
	}
	stations[1].off()
	wait(l, add(t, l, "with two of three"))

	stations[0].off()
	late := add(t, l, "with one of three")
	for end := time.Now().Add(deadline); !errors.Is(l.Status().Publishing, policy.ErrQuorum); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("status %+v", l.Status())
		}
	}
	if st := l.Status(); st.Published != 21 || st.Err != nil || st.Writable != nil {
		t.Fatalf("status %+v", st)
	}
	stations[1].on()
	wait(l, late)
	stations[0].on()
	wait(l, add(t, l, "with all"))

	// A clone of the whole machine signs on its own; the first one to come back stops.
	closeAll()
	clone := filepath.Join(t.TempDir(), "clone")
	if err := os.CopyFS(clone, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	other, _ := openLog(t, clone, signer, p)
	wait(other, add(t, other, "the clone's"))
	wait(other, add(t, other, "the clone's second"))
	l, _ = openLog(t, dir, signer, p)
	_, err = add(t, l, "ours").Wait(t.Context())
	var stopped *trillianlog.StopError
	if !errors.As(err, &stopped) || stopped.Reason != trillianlog.WitnessAhead {
		t.Fatalf("got %v", err)
	}
	if st := l.Status(); st.Published != 23 {
		t.Fatalf("status %+v", st)
	}
}
