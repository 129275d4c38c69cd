package gateway

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
)

// load bounds the bytes of large bodies that are held at the same time, all
// clients' together. Small ones are not counted: the number of connections
// bounds those.
type load struct {
	limit int64
	held  atomic.Int64
}

// smallBody is the size in bytes up to which a body is taken without being
// counted, and read into memory set aside at once.
const smallBody = 64 << 10

// take counts n bytes, unless that would be too many. What is alone is always
// taken.
func (l *load) take(n int64) (give func(), ok bool) {
	if n <= smallBody {
		return func() {}, true
	}
	if held := l.held.Add(n); held > l.limit && held != n {
		l.held.Add(-n)
		return nil, false
	}
	return func() { l.held.Add(-n) }, true
}

// grow counts what a body that held so many bytes has grown to, as take does.
func (l *load) grow(held *int64, to int64) bool {
	more := to - *held
	if all := l.held.Add(more); all > l.limit && all != to {
		l.held.Add(-more)
		return false
	}
	*held = to
	return true
}

// answerCost is what a byte of an entry takes while it is being answered: itself,
// and its base64 in the answer.
const answerCost = 3

// holdAnswer counts the entries of an answer until it is sent.
func (s *Server) holdAnswer(ctx context.Context, entries int) error {
	give, ok := s.answers.take(answerCost * int64(entries))
	if !ok {
		return busy().Err()
	}
	if x := exchangeOf(ctx); x != nil {
		x.after(give)
	} else {
		give()
	}
	return nil
}

// limitListener takes so many connections at a time; further ones wait to be
// accepted.
type limitListener struct {
	net.Listener
	free   chan struct{}
	closed chan struct{}
	once   sync.Once
}

func newLimitListener(l net.Listener, n int) *limitListener {
	return &limitListener{Listener: l, free: make(chan struct{}, n), closed: make(chan struct{})}
}

func (l *limitListener) Accept() (net.Conn, error) {
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
	return &limitedConn{Conn: c, release: func() { <-l.free }}, nil
}

func (l *limitListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	once    sync.Once
	release func()
}

func (c *limitedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.release)
	return err
}
