package gateway

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	v1 "github.com/tallyroot/tallyroot/proto/tallyroot/v1"
)

// metrics are the server's own numbers; their names and labels are part of what
// operators build on. All labels come from fixed sets.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	inFlight prometheus.Gauge
	panics   prometheus.Counter

	series sync.Map // of seriesKey: *series
}

type seriesKey struct {
	route, method string
	code          int
}

type series struct {
	requests prometheus.Counter
	seconds  prometheus.Observer
}

func newMetrics(r *prometheus.Registry) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tallyroot_requests_total",
			Help: "Requests answered, by route, method and status (HTTP's; of gRPC the gRPC code).",
		}, []string{"route", "method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "tallyroot_request_seconds",
			Help:    "Time from a request's header to the end of its answer.",
			Buckets: []float64{.0005, .001, .002, .004, .008, .016, .032, .064, .128, .256, .512, 1, 2, 5, 10, 30, 60},
		}, []string{"route"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "tallyroot_requests_in_flight", Help: "Requests being served."}),
		panics:   prometheus.NewCounter(prometheus.CounterOpts{Name: "tallyroot_panics_total", Help: "Requests that ended in a panic: each is a mistake in the program."}),
	}
	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.inFlight, m.panics} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// observe counts one request. The series are looked up once each: a vector's
// own look-up costs more than the rest of the counting.
func (m *metrics) observe(route, method string, code int, took time.Duration) {
	key := seriesKey{route, methodLabel(method), code}
	known, ok := m.series.Load(key)
	if !ok {
		known, _ = m.series.LoadOrStore(key, &series{
			m.requests.WithLabelValues(key.route, key.method, strconv.Itoa(code)),
			m.seconds.WithLabelValues(key.route),
		})
	}
	s := known.(*series)
	s.requests.Inc()
	s.seconds.Observe(took.Seconds())
}

func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodOptions:
		return method
	}
	return "other"
}

// route is the label for a path, from a fixed set.
func (s *Server) route(path string) string {
	switch {
	case s.exactRoutes[path]:
		return path
	case strings.HasPrefix(path, "/log/"):
		return "/log/"
	case strings.HasPrefix(path, "/index/"):
		return "/index/"
	case strings.HasPrefix(path, "/v1/participants/"):
		return "/v1/participants/"
	case strings.HasPrefix(path, "/v1/"):
		return "/v1/"
	}
	return "page"
}

// exactRoutes are the paths that are labels of their own.
func exactRoutes() map[string]bool {
	routes := map[string]bool{
		"/healthz": true, "/readyz": true, "/metrics": true, "/openapi.json": true, "/docs": true, "/qr": true, "/log/checkpoint": true, "/index/checkpoint": true,
		"/v1/events": true, "/v1/events:batch": true, "/v1/events:validate": true, "/v1/event": true, "/v1/history": true, "/v1/journey": true,
		"/v1/participants": true, "/v1/proof/inclusion": true, "/v1/proof/consistency": true,
	}
	for _, d := range []grpc.ServiceDesc{v1.EventService_ServiceDesc, v1.HistoryService_ServiceDesc, v1.ParticipantService_ServiceDesc, v1.LogService_ServiceDesc} {
		for _, m := range d.Methods {
			routes["/"+d.ServiceName+"/"+m.MethodName] = true
		}
	}
	return routes
}

// grpcCode reads the code that a gRPC answer ended with.
func grpcCode(h http.Header) int {
	for _, name := range []string{"Grpc-Status", http.TrailerPrefix + "Grpc-Status"} {
		if n, err := strconv.Atoi(h.Get(name)); err == nil {
			return n
		}
	}
	return int(codes.Unknown)
}
