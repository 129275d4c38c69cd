// Package netlimit bounds how many connections a server has open.
package netlimit

import (
	"net"
	"sync"
)

// Listener lets at most n connections be open at the same time; further ones wait
// to be accepted. Closing it ends a wait.
func Listener(l net.Listener, n int) net.Listener {
	return &listener{Listener: l, free: make(chan struct{}, n), closed: make(chan struct{})}
}

type listener struct {
	net.Listener
	free   chan struct{} // holds a token for each open connection
	closed chan struct{}
	once   sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case l.free <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.free
		return nil, err
	}
	return &conn{Conn: c, release: func() { <-l.free }}, nil
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type conn struct {
	net.Conn
	once    sync.Once
	release func()
}

func (c *conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.release)
	return err
}
