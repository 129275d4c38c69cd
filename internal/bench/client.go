package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// client is one keep-alive HTTP/1.1 connection that costs as little as it can:
// the load generator shares the machine with what it measures.
type client struct {
	conn   net.Conn
	in     *bufio.Reader
	host   string
	token  string
	header []byte
	body   []byte
}

func dial(host, token string) (*client, error) {
	conn, err := net.Dial("tcp", host)
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, in: bufio.NewReaderSize(conn, 64<<10), host: host, token: token}, nil
}

func (c *client) close() { c.conn.Close() }

// do sends one request and gives status and body; the body is good until the
// next call.
func (c *client) do(method, path, contentType string, body []byte) (int, []byte, error) {
	h := append(c.header[:0], method...)
	h = append(append(h, ' '), path...)
	h = append(append(h, " HTTP/1.1\r\nHost: "...), c.host...)
	if body != nil {
		h = append(append(h, "\r\nContent-Type: "...), contentType...)
		h = append(append(h, "\r\nAuthorization: Bearer "...), c.token...)
		h = append(h, "\r\nContent-Length: "...)
		h = strconv.AppendInt(h, int64(len(body)), 10)
	}
	h = append(h, "\r\n\r\n"...)
	c.header = append(h, body...)
	if _, err := c.conn.Write(c.header); err != nil {
		return 0, nil, err
	}
	return c.answer()
}

func (c *client) answer() (status int, body []byte, err error) {
	line, err := c.in.ReadString('\n')
	if err != nil {
		return 0, nil, err
	}
	if len(line) < 12 {
		return 0, nil, fmt.Errorf("odd status line %q", line)
	}
	if status, err = strconv.Atoi(line[9:12]); err != nil {
		return 0, nil, err
	}
	length, chunked := 0, false
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return 0, nil, err
		}
		if len(line) <= 2 {
			break
		}
		name, value, _ := strings.Cut(string(line), ":")
		switch {
		case strings.EqualFold(name, "Content-Length"):
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return 0, nil, err
			}
		case strings.EqualFold(name, "Transfer-Encoding"):
			chunked = true
		}
	}
	if chunked {
		body, err = c.chunks()
		return status, body, err
	}
	if cap(c.body) < length {
		c.body = make([]byte, length)
	}
	body = c.body[:length]
	_, err = io.ReadFull(c.in, body)
	return status, body, err
}

func (c *client) chunks() ([]byte, error) {
	out := c.body[:0]
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return nil, err
		}
		size, err := strconv.ParseInt(strings.TrimSpace(line), 16, 32)
		if err != nil {
			return nil, err
		}
		at := len(out)
		out = append(out, make([]byte, size+2)...)
		if _, err := io.ReadFull(c.in, out[at:]); err != nil {
			return nil, err
		}
		out = out[:at+int(size)]
		if size == 0 {
			c.body = out
			return out, nil
		}
	}
}
