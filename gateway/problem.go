package gateway

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/tallyroot/tallyroot/provenance"
)

// Errors go out as google.rpc.Status, over gRPC and in REST's JSON alike. What
// a status code cannot say stands in the details: BadRequest names the fields,
// ErrorInfo the limit or the conflict, RetryInfo how long to wait.

// errorDomain is the domain of ErrorInfo's reasons.
const errorDomain = "tallyroot"

// Reasons of ErrorInfo. The first five have an HTTP status that no gRPC code
// stands for.
const (
	reasonTooLarge   = "TOO_LARGE"              // metadata: what, unit, size, limit; size is absent when it is not known
	reasonMediaType  = "UNSUPPORTED_MEDIA_TYPE" // metadata: contentType
	reasonMethod     = "METHOD_NOT_ALLOWED"
	reasonMirror     = "MIRROR"
	reasonSlow       = "REQUEST_TIMEOUT"
	reasonConflict   = "CONFLICT" // metadata: index
	reasonRate       = "RATE_LIMIT"
	reasonUnderWay   = "UNDER_WAY"
	reasonNotIndexed = "NOT_INDEXED"
	retryUnderWay    = time.Second
	retryUnavailable = 2 * time.Second
	retryNotIndexed  = 5 * time.Second
)

// internalText is all that a client is told of a failure on this side.
const internalText = "this failed on the server's side; the operator finds the cause under the request's id (X-Request-Id)"

// problem makes a status with details.
func problem(code codes.Code, message string, details ...protoadapt.MessageV1) *status.Status {
	st := status.New(code, message)
	if len(details) == 0 {
		return st
	}
	with, err := st.WithDetails(details...)
	if err != nil { // a detail that cannot be encoded: there is none here
		return st
	}
	return with
}

func info(reason string, metadata ...string) *errdetails.ErrorInfo {
	e := &errdetails.ErrorInfo{Reason: reason, Domain: errorDomain}
	for i := 0; i+1 < len(metadata); i += 2 {
		if e.Metadata == nil {
			e.Metadata = map[string]string{}
		}
		e.Metadata[metadata[i]] = metadata[i+1]
	}
	return e
}

func retryIn(d time.Duration) *errdetails.RetryInfo {
	return &errdetails.RetryInfo{RetryDelay: durationpb.New(d)}
}

func tooLarge(what, unit string, size, limit int) *status.Status {
	message := fmt.Sprintf("%s has %d %s; the limit is %d", what, size, unit, limit)
	metadata := []string{"what", what, "unit", unit, "limit", strconv.Itoa(limit), "size", strconv.Itoa(size)}
	if size < 0 {
		message = fmt.Sprintf("%s has more than %d %s, which is the limit", what, limit, unit)
		metadata = metadata[:6]
	}
	return problem(codes.InvalidArgument, message, info(reasonTooLarge, metadata...))
}

// busy is for what can be sent again in a moment.
func busy() *status.Status {
	return problem(codes.Unavailable, "too many large requests are being served; wait and send this one again", retryIn(retryUnavailable))
}

// invalid is one field that is wrong.
func invalid(field, description string) error {
	return problem(codes.InvalidArgument, field+": "+description, &errdetails.BadRequest{
		FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: field, Description: description}},
	}).Err()
}

// statusOf says what the domain's error is to a client. Codes of Internal and
// Unknown hide the cause: it is for the log.
func statusOf(err error) *status.Status {
	// This package's own. A status deeper in err is the back end's, and a cause.
	if st, ok := err.(interface{ GRPCStatus() *status.Status }); ok {
		return st.GRPCStatus()
	}
	var (
		refused     *provenance.Refused
		large       *provenance.TooLarge
		conflict    *provenance.Conflict
		unavailable *provenance.Unavailable
	)
	switch {
	case errors.As(err, &refused):
		return refusal(refused)
	case errors.As(err, &large):
		return tooLarge(large.What, large.Unit, large.Size, large.Limit)
	case errors.As(err, &conflict):
		return problem(codes.AlreadyExists, conflict.Error(), info(reasonConflict, "index", strconv.FormatUint(conflict.Index, 10)))
	case errors.Is(err, provenance.ErrMirror):
		return problem(codes.Unimplemented, err.Error(), info(reasonMirror))
	case errors.Is(err, provenance.ErrUnauthenticated):
		return problem(codes.Unauthenticated, err.Error())
	case errors.Is(err, provenance.ErrForbidden):
		return problem(codes.PermissionDenied, err.Error())
	case errors.Is(err, provenance.ErrUnderWay):
		return problem(codes.NotFound, err.Error(), info(reasonUnderWay), retryIn(retryUnderWay))
	case errors.Is(err, provenance.ErrNotFound):
		return problem(codes.NotFound, err.Error())
	case errors.Is(err, provenance.ErrExists):
		return problem(codes.AlreadyExists, err.Error())
	case errors.As(err, &unavailable):
		return problem(codes.Unavailable, unavailable.Why+"; send it again in "+span(unavailable.After), retryIn(unavailable.After))
	case errors.Is(err, provenance.ErrNotIndexed):
		return problem(codes.Unavailable, provenance.ErrNotIndexed.Error(), info(reasonNotIndexed), retryIn(retryNotIndexed))
	case errors.Is(err, provenance.ErrUnavailable):
		return problem(codes.Unavailable, err.Error(), retryIn(retryUnavailable))
	case errors.Is(err, context.Canceled):
		return problem(codes.Canceled, "the request was given up")
	case errors.Is(err, context.DeadlineExceeded):
		return problem(codes.DeadlineExceeded, "this took too long; ask again", retryIn(retryUnavailable))
	}
	return problem(codes.Internal, internalText)
}

// refusal names every field. The message alone is enough for one problem.
func refusal(refused *provenance.Refused) *status.Status {
	bad := &errdetails.BadRequest{}
	for _, p := range refused.Problems {
		description := p.Wrong
		if p.Want != "" {
			description += "; " + p.Want
		}
		bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{Field: p.Path, Description: description})
	}
	message := "this is refused"
	switch n := len(refused.Problems); {
	case n == 1:
		message = refused.Problems[0].String()
	case n > 1:
		message = fmt.Sprintf("%d problems, all in the details; the first: %s", n, refused.Problems[0])
	}
	return problem(codes.InvalidArgument, message, bad)
}

// httpStatus is the status line for a gRPC status: the usual mapping, but for
// the reasons that HTTP has a number for.
func httpStatus(st *status.Status) int {
	for _, d := range st.Details() {
		if e, ok := d.(*errdetails.ErrorInfo); ok && e.Domain == errorDomain {
			switch e.Reason {
			case reasonTooLarge:
				return http.StatusRequestEntityTooLarge
			case reasonMediaType:
				return http.StatusUnsupportedMediaType
			case reasonMethod, reasonMirror:
				return http.StatusMethodNotAllowed
			case reasonSlow:
				return http.StatusRequestTimeout
			}
		}
	}
	return runtime.HTTPStatusFromCode(st.Code())
}

// writeProblem answers a REST request with the status as JSON.
func (s *Server) writeProblem(w http.ResponseWriter, r *http.Request, st *status.Status) {
	body, err := marshalJSON(st.Proto())
	if err != nil { // a detail of an unknown type, from outside this package
		body = []byte(`{"code":13,"message":"the error could not be written down"}`)
	}
	h := w.Header()
	h.Del("Trailer")
	h.Del("Transfer-Encoding")
	h.Set("Content-Type", contentJSON)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	code := httpStatus(st)
	if code == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="tallyroot"`)
	}
	for _, d := range st.Details() {
		if retry, ok := d.(*errdetails.RetryInfo); ok {
			seconds := math.Ceil(retry.RetryDelay.AsDuration().Seconds())
			h.Set("Retry-After", strconv.Itoa(int(max(seconds, 1))))
		}
	}
	w.WriteHeader(code)
	if r.Method != http.MethodHead {
		w.Write(body)
	}
}

// fail makes the answer of an RPC from the domain's error, and keeps the cause
// of a failure on this side for the log.
func fail(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	st := statusOf(err)
	if x := exchangeOf(ctx); x != nil && (st.Code() == codes.Internal || st.Code() == codes.Unknown || st.Code() == codes.Unavailable) {
		var unavailable *provenance.Unavailable
		if errors.As(err, &unavailable) && unavailable.Err != nil {
			err = unavailable.Err
		}
		x.because(err)
	}
	return st.Err()
}
