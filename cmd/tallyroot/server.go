package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/tallyroot/tallyroot/gateway"
	"github.com/tallyroot/tallyroot/gateway/web"
	"github.com/tallyroot/tallyroot/provenance"
	"github.com/tallyroot/tallyroot/trillianlog"
)

// A serverConfig says what openServer opens.
type serverConfig struct {
	Log       provenance.Config // without Backend and Credentials, which Place opens
	Place     *place
	Listen    string
	Listener  net.Listener // takes the place of Listen; openServer closes it after an error
	PublicURL string       // without a slash at its end; "" is the address that is listened at
	TLS       *tls.Config
	Limits    gateway.Limits
	Ready     func() error // reasons of its own for not being ready; may be nil
	// Those witnesses of the index policy, by name, of whom readers are told that they
	// rebuild the index.
	IndexVerifiers []string
}

// A server is the whole service in this process: the log and its gateway, on a
// port that takes connections once Run is called.
type server struct {
	Service *provenance.Service
	// PublicURL is where shoppers reach it.
	PublicURL string
	place     *openPlace
	gateway   *gateway.Server
	listener  net.Listener
	tls       bool
	heapFloor []byte // see tuneMemory
	before    func() // is called before the log is closed; may be nil
}

// openServer takes the port, then opens the log: whoever has the port has told
// everybody else so before a minute is spent.
func openServer(ctx context.Context, c serverConfig) (_ *server, err error) {
	s, err := newServer(ctx, c)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	metrics := prometheus.NewRegistry()
	if err := c.Place.countErrors(metrics); err != nil {
		return nil, err
	}
	if s.place, err = c.Place.open(ctx, c.Log.Origin); err != nil {
		return nil, err
	}
	if err := s.place.showPool(metrics); err != nil {
		return nil, err
	}
	c.Log.Backend, c.Log.Credentials = s.place.serving(c.Log.LastCheckpoint), s.place.Credentials
	if c.Log.Hooks, err = gateway.ObserveLog(metrics); err != nil {
		return nil, err
	}
	if c.Log.OnIndexPublish, err = gateway.ObserveIndex(metrics); err != nil {
		return nil, err
	}
	if s.Service, err = provenance.Open(ctx, c.Log); err != nil {
		return nil, explainOpen(err, c.Log.Dir)
	}
	return s, s.openGateway(c, metrics)
}

// openGateway puts the service's gateway together.
func (s *server) openGateway(c serverConfig, metrics *prometheus.Registry) error {
	pages, err := web.New(web.Options{Service: s.Service, PublicURL: s.PublicURL, IndexVerifiers: c.IndexVerifiers, Logger: c.Log.Logger})
	if err != nil {
		return err
	}
	s.gateway, err = gateway.New(gateway.Options{
		Service: s.Service, Pages: pages, Ready: c.Ready, TLS: c.TLS, Logger: c.Log.Logger, Limits: c.Limits,
		Registry: metrics,
	})
	return err
}

// newServer takes the port.
func newServer(ctx context.Context, c serverConfig) (_ *server, err error) {
	s := &server{listener: c.Listener, tls: c.TLS != nil, PublicURL: c.PublicURL, heapFloor: tuneMemory()}
	if s.listener == nil {
		if s.listener, err = listen(ctx, c.Listen); err != nil {
			return nil, err
		}
	}
	if s.PublicURL == "" {
		s.PublicURL = s.URL()
	}
	return s, nil
}

// listen takes a port.
func listen(ctx context.Context, address string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen at %s: %w; say another address with --listen HOST:PORT", address, err)
	}
	return listener, nil
}

// URL is where the server listens.
func (s *server) URL() string { return listenedURL(s.listener, s.tls) }

// listenedURL is where a listener takes connections. A wildcard address is shown as
// this machine.
func listenedURL(l net.Listener, tls bool) string {
	address := l.Addr().(*net.TCPAddr)
	host := address.IP.String()
	if address.IP.IsUnspecified() {
		host = "localhost"
	}
	scheme := "http"
	if tls {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, fmt.Sprint(address.Port))
}

// Run serves until ctx ends, lets what is under way finish, and closes the log.
func (s *server) Run(ctx context.Context) error {
	err := s.gateway.Serve(ctx, s.listener)
	if s.before != nil {
		s.before()
	}
	return errors.Join(err, s.close())
}

func (s *server) close() error {
	err := s.listener.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	if s.Service != nil {
		err = errors.Join(err, s.Service.Close())
	}
	if s.place != nil {
		err = errors.Join(err, s.place.Close())
	}
	return err
}

// explainOpen adds what to do to an error that has a command of its own.
func explainOpen(err error, dir string) error {
	if errors.Is(err, trillianlog.ErrNoLastCheckpoint) {
		return fmt.Errorf("%w (--last-checkpoint names another place for it; the command is `tallyroot recover --data %s`)", err, dir)
	}
	return err
}
