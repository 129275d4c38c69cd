package provenance_test

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/trillian"
	"google.golang.org/grpc"

	"github.com/tallyroot/tallyroot/provenance"
	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/embedded"
)

// mute is a back end that stores leaves and, while it is mute, gives none back.
type mute struct {
	trillianlog.Backend
	on *atomic.Bool
}

type muteClient struct {
	trillian.TrillianLogClient
	on *atomic.Bool
}

func (m mute) Client() trillian.TrillianLogClient { return muteClient{m.Backend.Client(), m.on} }

func (m muteClient) GetLeavesByRange(ctx context.Context, in *trillian.GetLeavesByRangeRequest, opts ...grpc.CallOption) (*trillian.GetLeavesByRangeResponse, error) {
	if m.on.Load() {
		return nil, errors.New("mute")
	}
	return m.TrillianLogClient.GetLeavesByRange(ctx, in, opts...)
}

// TestNothingIsTakenBeforeTheRestIsRead stops a service when a statement is
// durable that nobody has read, and starts it again: what comes then must not be
// judged by the state before that statement.
func TestNothingIsTakenBeforeTheRestIsRead(t *testing.T) {
	dir := t.TempDir()
	on := new(atomic.Bool)
	start := func() *provenance.Service {
		c := config(t, dir)
		c.Backend = func(ctx context.Context, dir string) (trillianlog.Backend, error) {
			b, err := embedded.Open(ctx, dir, embedded.Options{})
			return mute{b, on}, err
		}
		s, err := provenance.Open(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	s := start()
	farm := add(t, s, "Farm")
	on.Store(true)
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.DisableParticipant(short, admin, farm.Participant); !errors.Is(err, provenance.ErrUnderWay) {
		t.Fatalf("disabled: %v", err)
	}
	for s.Status().Stored < 3 {
		runtime.Gosched()
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = start()
	if _, err := s.Log(t.Context(), farm, event(1, "")); !errors.Is(err, provenance.ErrUnavailable) {
		t.Errorf("while the statement is not read: %v", err)
	}
	if _, _, err := s.AddParticipant(t.Context(), admin, provenance.NewParticipant{Name: "Other"}); !errors.Is(err, provenance.ErrUnavailable) {
		t.Errorf("a statement while one is not read: %v", err)
	}
	on.Store(false)
	for s.Status().Published < 3 {
		runtime.Gosched()
	}
	if _, err := s.Log(t.Context(), farm, event(1, "")); !errors.Is(err, provenance.ErrForbidden) {
		t.Errorf("when it is read: %v", err)
	}
}

// TestStatementsDoNotWaitForEver sends a statement while another one waits for a
// checkpoint that does not come: it has its own time.
func TestStatementsDoNotWaitForEver(t *testing.T) {
	on := new(atomic.Bool)
	c := config(t, t.TempDir())
	c.Backend = func(ctx context.Context, dir string) (trillianlog.Backend, error) {
		b, err := embedded.Open(ctx, dir, embedded.Options{})
		return mute{b, on}, err
	}
	s, err := provenance.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	farm := add(t, s, "Farm", "0950600")
	statement := provenance.Submission{Body: []byte(`{"type":"tallyroot:Product","identifier":"https://id.gs1.org/01/09506000134352","name":"Pears"}`)}
	on.Store(true)
	long, end := context.WithCancel(t.Context())
	waits := make(chan error, 1)
	go func() {
		_, err := s.Log(long, farm, statement)
		waits <- err
	}()
	for s.Status().Stored < 3 {
		runtime.Gosched()
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Log(gone, farm, statement); !errors.Is(err, provenance.ErrUnavailable) {
		t.Errorf("beside one that waits: %v", err)
	}
	end()
	if err := <-waits; err != nil {
		t.Errorf("the one that waited: %v", err)
	}
	on.Store(false)
}
