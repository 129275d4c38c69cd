package gateway_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/tallyroot/tallyroot/internal/pebblelog"
	v1 "github.com/tallyroot/tallyroot/proto/tallyroot/v1"
	"github.com/tallyroot/tallyroot/provenance"
	"github.com/tallyroot/tallyroot/provenance/mirror"
	"github.com/tallyroot/tallyroot/trillianlog/fetch"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
)

// mirrored gives a host that answers from a copy of another one's log.
func mirrored(t *testing.T, of *host) *host {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	o := mirror.Options{Dir: filepath.Join(t.TempDir(), "mirror"), Logger: quiet, Pebble: pebblelog.Logger{To: quiet}}
	var err, indexErr error
	o.Policy, err = policy.None(of.service.LogKey())
	o.IndexPolicy, indexErr = policy.None(of.service.IndexKey())
	if err := errors.Join(err, indexErr); err != nil {
		t.Fatal(err)
	}
	origin, err := mirror.HTTP(of.URL, fetch.HTTPOptions{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := mirror.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Sync(t.Context(), origin); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	h := &host{t: t, logs: &syncBuffer{}}
	t.Cleanup(func() { h.stop() })
	if h.service, err = provenance.OpenMirror(provenance.MirrorConfig{Dir: o.Dir, Logger: quiet}); err != nil {
		t.Fatal(err)
	}
	h.stops = append(h.stops, h.service.Close)
	h.serve()
	h.indexed()
	return h
}

// A mirror says that it is one to whoever wants more than to read, over gRPC too.
func TestMirror(t *testing.T) {
	of := open(t, nil)
	h := mirrored(t, of)
	conn := h.dial(insecure.NewCredentials())
	events, participants, histories := v1.NewEventServiceClient(conn), v1.NewParticipantServiceClient(conn), v1.NewHistoryServiceClient(conn)
	for name, call := range map[string]func(ctx context.Context, o ...grpc.CallOption) error{
		"LogEvent": func(ctx context.Context, o ...grpc.CallOption) error {
			_, err := events.LogEvent(ctx, &v1.LogEventRequest{Event: &httpbody.HttpBody{}}, o...)
			return err
		},
		"LogEvents": func(ctx context.Context, o ...grpc.CallOption) error {
			_, err := events.LogEvents(ctx, &v1.LogEventsRequest{}, o...)
			return err
		},
		"ValidateEvents": func(ctx context.Context, o ...grpc.CallOption) error {
			_, err := events.ValidateEvents(ctx, &v1.ValidateEventsRequest{}, o...)
			return err
		},
		"ListParticipants": func(ctx context.Context, o ...grpc.CallOption) error {
			_, err := participants.ListParticipants(ctx, &v1.ListParticipantsRequest{}, o...)
			return err
		},
	} {
		if err := call(t.Context()); status.Code(err) != codes.Unimplemented || status.Convert(err).Message() != provenance.ErrMirror.Error() {
			t.Errorf("%s: %v", name, err)
		}
	}
	index := uint64(0)
	event, err := events.GetEvent(t.Context(), &v1.GetEventRequest{Index: &index})
	if err != nil || event.GetReceipt() == "" {
		t.Errorf("GetEvent: %v, %v", event, err)
	}
	if _, err := histories.GetHistory(t.Context(), &v1.GetHistoryRequest{Id: "operator", Kind: "operator"}); err != nil {
		t.Errorf("GetHistory: %v", err)
	}
	// Nor does it, to a caller in the same program, whatever that says it is.
	admin := provenance.Caller{Admin: true}
	if _, _, err := h.service.AddParticipant(t.Context(), admin, provenance.NewParticipant{Name: "Mill"}); !errors.Is(err, provenance.ErrMirror) {
		t.Errorf("AddParticipant: %v", err)
	}
	if _, err := h.service.Log(t.Context(), provenance.Caller{Participant: "farm"}, provenance.Submission{}); !errors.Is(err, provenance.ErrMirror) {
		t.Errorf("Log: %v", err)
	}
	if _, err := h.service.Authenticate(of.admin); !errors.Is(err, provenance.ErrMirror) {
		t.Errorf("Authenticate: %v", err)
	}
	if _, err := h.service.Validate(t.Context(), provenance.Caller{Participant: "farm"}, provenance.Submission{}); !errors.Is(err, provenance.ErrMirror) {
		t.Errorf("Validate: %v", err)
	}
	for _, r := range h.service.LogBatch(t.Context(), provenance.Caller{Participant: "farm"}, []provenance.Submission{{}}) {
		if !errors.Is(r.Err, provenance.ErrMirror) {
			t.Errorf("LogBatch: %v", r.Err)
		}
	}
}
