package gateway

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	v1 "github.com/tallyroot/tallyroot/proto/tallyroot/v1"
	"github.com/tallyroot/tallyroot/provenance"
)

// newREST makes the REST side: grpc-gateway's routes, calling the RPCs in the
// process.
func (s *Server) newREST() (http.Handler, error) {
	mux := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, codec{}),
		runtime.WithIncomingHeaderMatcher(func(string) (string, bool) { return "", false }),
		runtime.WithOutgoingHeaderMatcher(func(string) (string, bool) { return "", false }),
		runtime.WithOutgoingTrailerMatcher(func(string) (string, bool) { return "", false }),
		runtime.WithDisableHTTPMethodOverride(),
		runtime.WithDisablePathLengthFallback(),
		runtime.WithWriteContentLength(),
		runtime.WithForwardResponseOption(keepOut),
		runtime.WithErrorHandler(func(ctx context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
			s.writeProblem(w, r, statusOf(err))
		}),
		runtime.WithRoutingErrorHandler(func(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, code int) {
			s.writeProblem(w, r, routingProblem(r, code))
		}),
	)
	ctx := context.Background()
	// The mux tries what was registered last first: events are last.
	for _, register := range []func() error{
		func() error { return v1.RegisterParticipantServiceHandlerServer(ctx, mux, s.participants) },
		func() error { return v1.RegisterHistoryServiceHandlerServer(ctx, mux, s.histories) },
		func() error { return v1.RegisterLogServiceHandlerServer(ctx, mux, s.proofs) },
		func() error { return v1.RegisterEventServiceHandlerServer(ctx, mux, s.events) },
	} {
		if err := register(); err != nil {
			return nil, err
		}
	}
	rules := bodyRules(s.limits)
	other := bodyRule{"the request", s.limits.AdminBytes, []string{contentJSON}, false}
	queries := newQueryRules()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if st := queries.check(r.URL); st != nil {
			drain(r)
			s.writeProblem(w, r, st)
			return
		}
		if s.service.Mirrors() && asksForMore(r) {
			drain(r)
			s.writeProblem(w, r, statusOf(provenance.ErrMirror))
			return
		}
		switch r.Method {
		case http.MethodGet:
			r.Body = http.NoBody
		case http.MethodHead:
			r = r.WithContext(r.Context()) // a copy: net/http's own still says HEAD, and sends no body
			r.Method, r.Body = http.MethodGet, http.NoBody
		case http.MethodPost:
			rule, ok := rules[r.URL.Path]
			if !ok {
				if !strings.HasPrefix(r.URL.Path, "/v1/participants") {
					r.Body = http.NoBody // no such POST: the mux says so
					break
				}
				rule = other
			}
			body, give, st := s.takeBody(w, r, rule)
			if st != nil {
				drain(r)
				s.writeProblem(w, r, st)
				return
			}
			defer give()
			r.Body = body
		}
		r.Header.Del("Grpc-Timeout") // grpc-gateway would keep its timer after the request
		mux.ServeHTTP(w, r)
	}), nil
}

// takeBody reads a POST's body. Every POST needs a token, so nothing is read
// from the public, and nothing large from whoever has no good one; and nothing
// from anybody that cannot be logged now.
func (s *Server) takeBody(w http.ResponseWriter, r *http.Request, rule bodyRule) (_ *requestBody, give func(), _ *status.Status) {
	if rule.logs {
		if err := s.service.Takes(); err != nil {
			return nil, nil, status.Convert(fail(r.Context(), err))
		}
	}
	size := r.ContentLength
	if size < 0 {
		size = int64(rule.limit)
	}
	token, err := bearer(r.Header["Authorization"])
	if err == nil && token == "" {
		err = errNoToken
	}
	if err == nil && size > smallBody {
		_, err = s.service.Authenticate(token)
	}
	if err != nil {
		return nil, nil, status.Convert(fail(r.Context(), err))
	}
	give, ok := s.bodies.take(min(size, int64(rule.limit)))
	if !ok {
		return nil, nil, busy()
	}
	body, st := readBody(w, r, rule)
	if st != nil {
		give()
		return nil, nil, st
	}
	return body, give, nil
}

// keepOut keeps answers out of caches: what is read here changes with the log.
// The status of an answer stands in its exchange already.
func keepOut(_ context.Context, w http.ResponseWriter, _ proto.Message) error {
	w.Header().Set("Cache-Control", "no-store")
	return nil
}

func routingProblem(r *http.Request, code int) *status.Status {
	switch code {
	case http.StatusMethodNotAllowed:
		return problem(codes.Unimplemented, fmt.Sprintf("%s is not for %s; see /docs", r.URL.Path, r.Method), info(reasonMethod))
	case http.StatusNotFound:
		return problem(codes.NotFound, fmt.Sprintf("there is nothing at %.200q; see /docs", r.URL.Path))
	}
	return problem(codes.InvalidArgument, fmt.Sprintf("the path %.200q cannot be read; see /docs", r.URL.Path))
}

// codec turns REST bodies into messages and back. An event's body is taken as
// the bytes that it is: JSON that passes through a decoder is no longer what was
// sent.
type codec struct{}

func (codec) ContentType(any) string { return contentJSON }

func (codec) Marshal(v any) ([]byte, error) {
	m, ok := v.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("%T is no message", v)
	}
	return marshalJSON(m)
}

func (codec) Unmarshal(data []byte, v any) error {
	m, ok := v.(proto.Message)
	if !ok {
		return fmt.Errorf("%T is no message", v)
	}
	return protojson.Unmarshal(data, m)
}

func (c codec) NewDecoder(r io.Reader) runtime.Decoder {
	return runtime.DecoderFunc(func(v any) error {
		body, ok := r.(*requestBody)
		if !ok {
			return io.EOF // no body
		}
		if raw, ok := v.(**httpbody.HttpBody); ok {
			*raw = &httpbody.HttpBody{ContentType: body.contentType, Data: body.data}
			return nil
		}
		if len(body.data) == 0 {
			return io.EOF
		}
		return c.Unmarshal(body.data, v)
	})
}

func (c codec) NewEncoder(w io.Writer) runtime.Encoder {
	return runtime.EncoderFunc(func(v any) error {
		b, err := c.Marshal(v)
		if err != nil {
			return err
		}
		_, err = w.Write(b)
		return err
	})
}
