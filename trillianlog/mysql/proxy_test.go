package mysql_test

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/internal/mariadb"
)

// proxy stands between the back end and the database, and can do to a COMMIT what
// a network does.
type proxy struct {
	listener net.Listener
	to       string
	next     atomic.Pointer[fate] // of the next COMMIT; nil: nothing happens to it
	all      sync.WaitGroup
}

// fate is what happens to a COMMIT. The one who sent it is cut off in the end.
type fate struct {
	hold  <-chan struct{} // how long nothing happens at all, if it is not nil
	lost  bool            // it does not arrive
	after time.Duration   // otherwise: when it does, after the sender was cut off
}

func newProxy(t *testing.T, s *mariadb.Server) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, to: s.Config("").Addr}
	p.all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p.all.Go(func() { p.serve(conn) })
		}
	})
	t.Cleanup(func() { l.Close() })
	return p
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	}()
	for {
		// A packet: its length in three bytes, a number, and the text.
		head := make([]byte, 4)
		if _, err := io.ReadFull(client, head); err != nil {
			return
		}
		body := make([]byte, binary.LittleEndian.Uint32([]byte{head[0], head[1], head[2], 0}))
		if _, err := io.ReadFull(client, body); err != nil {
			return
		}
		if string(body) == "\x03COMMIT" {
			if f := p.next.Swap(nil); f != nil {
				if f.hold != nil {
					<-f.hold
				}
				_ = client.Close()
				if !f.lost {
					time.Sleep(f.after)
					_, _ = server.Write(append(head, body...))
					// As a server does that has not noticed yet.
					_, _ = server.Read(make([]byte, 1))
				}
				return
			}
		}
		if _, err := server.Write(append(head, body...)); err != nil {
			return
		}
	}
}
