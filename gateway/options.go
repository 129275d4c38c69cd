package gateway

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tallyroot/tallyroot/provenance"
)

// Options is what a Server is made from. Only Service must be set.
type Options struct {
	// Service is what the server gives access to.
	Service *provenance.Service
	// Pages answers every path that is not the API's; nil: 404.
	Pages http.Handler
	// Ready gives reasons why the service is not ready beside its own; it is
	// asked for every /readyz and may be nil.
	Ready func() error
	// TLS is the configuration with which Serve takes connections; nil means
	// plain text, HTTP/1.1 and HTTP/2 with prior knowledge.
	TLS *tls.Config
	// Logger gets one record a request: failures of the server as errors,
	// refused requests as information, the rest as debug, and what is refused
	// because the service takes nothing now as well, but for one a minute.
	// nil: slog.Default().
	Logger *slog.Logger
	// Registry is where the metrics are kept, and what /metrics shows: what others
	// register there too. The log's own need ObserveLog. nil: a registry of its own.
	Registry *prometheus.Registry
	// Limits bounds what one client can take; what is zero has its default.
	Limits Limits
}

// Limits bounds requests and connections. A field that is zero has the default
// that stands beside it; a negative rate means no limit.
type Limits struct {
	EventBytes  int // body of one event, in bytes: 1 MiB
	BatchBytes  int // body of a batch: 32 MiB
	BatchEvents int // events in a batch: 10,000
	AdminBytes  int // any other body: 64 KiB
	HeaderBytes int // request line and header: 32 KiB

	HeaderTimeout time.Duration // from the connection's first byte to the end of the header: 10 s
	ReadTimeout   time.Duration // to the end of the body: 60 s
	WriteTimeout  time.Duration // from the header's end to the end of the answer: 150 s
	IdleTimeout   time.Duration // between two requests of a connection: 120 s
	DrainTimeout  time.Duration // for requests under way when the server stops: 15 s

	WaitDefault time.Duration // for a checkpoint, when the request does not say: 10 s
	WaitMax     time.Duration // for a checkpoint, at most: 60 s

	// ClientRate and ClientBurst bound the requests of one address (of one
	// /64 in IPv6), a second and at once: 500 and 2,000. Connections from the
	// machine itself share one address and are not counted, so behind a proxy
	// on the same machine the proxy has to count.
	ClientRate  float64
	ClientBurst int
	// TokenRate and TokenBurst bound the requests with one token: 20,000 a
	// second, and as many at once.
	TokenRate  float64
	TokenBurst int
	// Clients is how many addresses and tokens are remembered for that, the
	// least recent forgotten first: 16,384 each.
	Clients int

	// BodyBytes bounds the bodies over 64 KiB that are held at the same time,
	// all clients' together: 64 MiB. What would be over it has to wait (503).
	BodyBytes int
	// AnswerBytes bounds, in the same way, what the entries of the histories and
	// journeys take that are being answered: 384 MiB.
	AnswerBytes int
	Connections int // open at the same time, further ones wait: 8,192

	Streams int // concurrent requests on one HTTP/2 connection: 250
	Listed  int // events in one answer of the list: 1,000
	Entries int // entries in one answer of a history: 1,000
}

func (l Limits) withDefaults() Limits {
	set(&l.EventBytes, 1<<20)
	set(&l.BatchBytes, 32<<20)
	set(&l.BatchEvents, 10_000)
	set(&l.AdminBytes, 64<<10)
	set(&l.HeaderBytes, 32<<10)
	set(&l.HeaderTimeout, 10*time.Second)
	set(&l.ReadTimeout, 60*time.Second)
	set(&l.WriteTimeout, 150*time.Second)
	set(&l.IdleTimeout, 120*time.Second)
	set(&l.DrainTimeout, 15*time.Second)
	set(&l.WaitDefault, 10*time.Second)
	set(&l.WaitMax, 60*time.Second)
	set(&l.ClientRate, 500)
	set(&l.ClientBurst, 2000)
	set(&l.TokenRate, 20_000)
	set(&l.TokenBurst, 20_000)
	set(&l.Clients, 16_384)
	set(&l.BodyBytes, 64<<20)
	set(&l.AnswerBytes, 384<<20)
	set(&l.Connections, 8192)
	set(&l.Streams, 250)
	set(&l.Listed, 1000)
	set(&l.Entries, 1000)
	return l
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
