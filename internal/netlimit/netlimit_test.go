package netlimit

import (
	"errors"
	"net"
	"testing"
)

func TestListener(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := Listener(inner, 1).(*listener)
	accepted := make(chan net.Conn, 2)
	ended := make(chan error, 1)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				ended <- err
				return
			}
			accepted <- c
		}
	}()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	a, b := dial(), dial()
	defer a.Close()
	defer b.Close()
	first := <-accepted
	select {
	case <-accepted:
		t.Fatal("a second connection is taken beside the first")
	default:
	}
	if len(l.free) != 1 {
		t.Errorf("%d connections are counted", len(l.free))
	}
	first.Close()
	first.Close() // counts once
	second := <-accepted
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v", err)
	}
	second.Close()
	if len(l.free) != 0 {
		t.Errorf("%d connections are counted after all closed", len(l.free))
	}
}
