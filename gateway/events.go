package gateway

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/durationpb"

	v1 "github.com/tallyroot/tallyroot/proto/tallyroot/v1"
	"github.com/tallyroot/tallyroot/provenance"
)

// events serves tallyroot.v1.EventService.
type events struct {
	v1.UnimplementedEventServiceServer
	*Server
}

func (s *events) LogEvent(ctx context.Context, req *v1.LogEventRequest) (*v1.LogEventResponse, error) {
	// Before the token: while the back end is away, so may be what knows tokens.
	if err := s.service.Takes(); err != nil {
		return nil, fail(ctx, err)
	}
	caller, err := s.caller(ctx)
	if err != nil {
		return nil, fail(ctx, err)
	}
	sub, err := one(req.GetEvent(), s.limits)
	if err != nil {
		return nil, fail(ctx, err)
	}
	ctx, cancel, err := s.waiting(ctx, req.GetTimeout())
	if err != nil {
		return nil, fail(ctx, err)
	}
	defer cancel()
	logged, err := s.service.Log(ctx, caller, sub)
	if err != nil {
		return nil, fail(ctx, err)
	}
	answerStatus(ctx, loggedStatus(logged))
	resp := &v1.LogEventResponse{EventId: logged.EventID, Warnings: logged.Warnings}
	resp.Index, resp.LeafHash, resp.Receipt = place(&logged)
	return resp, nil
}

func (s *events) LogEvents(ctx context.Context, req *v1.LogEventsRequest) (*v1.LogEventsResponse, error) {
	// As a whole: each of them would be answered so.
	if err := s.service.Takes(); err != nil {
		return nil, fail(ctx, err)
	}
	caller, err := s.caller(ctx)
	if err != nil {
		return nil, fail(ctx, err)
	}
	if err := mayLog(caller); err != nil {
		return nil, fail(ctx, err)
	}
	subs, err := many(req.GetEvents(), s.limits)
	if err != nil {
		return nil, fail(ctx, err)
	}
	ctx, cancel, err := s.waiting(ctx, req.GetTimeout())
	if err != nil {
		return nil, fail(ctx, err)
	}
	defer cancel()
	results := s.service.LogBatch(ctx, caller, subs)
	resp := &v1.LogEventsResponse{Results: make([]*v1.LogEventResult, len(results))}
	for i := range results {
		resp.Results[i] = result(ctx, &results[i].Logged, results[i].Err, loggedStatus(results[i].Logged))
	}
	return resp, nil
}

func (s *events) ValidateEvents(ctx context.Context, req *v1.ValidateEventsRequest) (*v1.ValidateEventsResponse, error) {
	caller, err := s.caller(ctx)
	if err != nil {
		return nil, fail(ctx, err)
	}
	if err := mayLog(caller); err != nil {
		return nil, fail(ctx, err)
	}
	subs, err := either(req.GetEvents(), s.limits)
	if err != nil {
		return nil, fail(ctx, err)
	}
	resp := &v1.ValidateEventsResponse{Results: make([]*v1.LogEventResult, len(subs))}
	for i, sub := range subs {
		if err := ctx.Err(); err != nil {
			return nil, fail(ctx, err)
		}
		logged, err := s.service.Validate(ctx, caller, sub)
		logged.Pending = true // no place
		resp.Results[i] = result(ctx, &logged, err, http.StatusOK)
	}
	return resp, nil
}

func (s *events) GetEvent(ctx context.Context, req *v1.GetEventRequest) (*v1.Event, error) {
	var event provenance.Event
	var err error
	switch {
	case req.Index != nil && (req.Id != "" || req.Participant != ""):
		err = invalid("index", "it stands beside id or participant; name the event by id (and participant) or by index")
	case req.Index != nil:
		event, err = s.service.EventAt(ctx, *req.Index)
	case req.Id == "":
		err = invalid("id", "is missing; name an event by ?id= or by ?index=")
	default:
		event, err = s.service.Event(ctx, req.Id, req.Participant)
	}
	if err != nil {
		return nil, fail(ctx, err)
	}
	return eventMessage(&event), nil
}

func (s *events) ListEvents(ctx context.Context, req *v1.ListEventsRequest) (*v1.ListEventsResponse, error) {
	limit, err := pageSize(req.GetLimit(), 100, s.limits.Listed)
	if err != nil {
		return nil, fail(ctx, err)
	}
	recent, err := s.service.Recent(ctx, req.GetParticipant(), limit)
	if err != nil {
		return nil, fail(ctx, err)
	}
	resp := &v1.ListEventsResponse{Events: make([]*v1.Event, len(recent))}
	for i := range recent {
		resp.Events[i] = eventMessage(&recent[i])
	}
	return resp, nil
}

// waiting bounds how long the request waits for a checkpoint.
func (s *Server) waiting(ctx context.Context, timeout *durationpb.Duration) (context.Context, context.CancelFunc, error) {
	wait := s.limits.WaitDefault
	if timeout != nil {
		wait = timeout.AsDuration()
		if !timeout.IsValid() || wait < 0 || wait > s.limits.WaitMax {
			return ctx, nil, invalid("timeout", fmt.Sprintf("%v is not from 0s to %v", wait, s.limits.WaitMax))
		}
	}
	ctx, cancel := context.WithTimeout(ctx, max(wait, time.Millisecond))
	return ctx, cancel, nil
}

// mayLog refuses a batch as a whole when no event of it could be taken.
func mayLog(caller provenance.Caller) error {
	switch {
	case caller.Admin:
		return fmt.Errorf("%w: events are logged with the token of a participant, not with the operator's", provenance.ErrForbidden)
	case caller.Participant == "":
		return errNoToken
	}
	return nil
}

func pageSize(limit int32, fallback, most int) (int, error) {
	switch {
	case limit == 0:
		return min(fallback, most), nil
	case limit < 0 || int(limit) > most:
		return 0, invalid("limit", fmt.Sprintf("%d is not from 1 to %d", limit, most))
	}
	return int(limit), nil
}

func loggedStatus(l provenance.Logged) int {
	switch {
	case l.Pending:
		return http.StatusAccepted
	case l.Existed:
		return http.StatusOK
	}
	return http.StatusCreated
}

// answerStatus says how a LogEvent ended: as the status of REST's answer, and
// over gRPC in the header metadata "tallyroot-status".
func answerStatus(ctx context.Context, code int) {
	x := exchangeOf(ctx)
	if x == nil || x.grpc {
		// Only a stream that is gone refuses a header: then nobody reads it.
		_ = grpc.SetHeader(ctx, metadata.Pairs("tallyroot-status", fmt.Sprint(code)))
		return
	}
	x.status = code
}

// place is where a logged event stands; all nil while it is pending.
func place(l *provenance.Logged) (index *uint64, leafHash []byte, receipt *string) {
	if l.Pending {
		return nil, nil, nil
	}
	text := string(l.Receipt)
	return &l.Index, l.LeafHash[:], &text
}

func result(ctx context.Context, logged *provenance.Logged, err error, code int) *v1.LogEventResult {
	if err != nil {
		st := statusOf(err)
		fail(ctx, err) // for the log
		return &v1.LogEventResult{Status: int32(httpStatus(st)), Error: st.Proto()}
	}
	r := &v1.LogEventResult{Status: int32(code), EventId: &logged.EventID, Warnings: logged.Warnings}
	r.Index, r.LeafHash, r.Receipt = place(logged)
	return r
}

func eventMessage(e *provenance.Event) *v1.Event {
	m := &v1.Event{Entry: e.Entry, Index: e.Index, EventId: e.EventID, LeafHash: e.LeafHash[:], Participant: e.Participant}
	if e.Receipt != nil {
		text := string(e.Receipt)
		m.Receipt = &text
	}
	for _, o := range e.Others {
		m.Others = append(m.Others, &v1.Event_Place{Index: o.Index, Participant: o.Participant})
	}
	return m
}
