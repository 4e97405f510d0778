package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// Endpoint is where a connection goes.
type Endpoint struct {
	Address string      // HOST:PORT
	TLS     *tls.Config // nil: plain HTTP
}

const (
	dialTimeout = 3 * time.Second
	readBuffer  = 16 << 10
	maxBody     = 1 << 20
)

// Conn is one kept-alive HTTP/1.1 connection. It is not safe for concurrent use.
type Conn struct {
	c    net.Conn
	r    *bufio.Reader
	body []byte
	stop func() bool // the closing at the end of the context
}

// Dial opens a connection, which is closed when ctx ends.
func Dial(ctx context.Context, e Endpoint) (*Conn, error) {
	limited, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var c net.Conn
	var err error
	if e.TLS != nil {
		cfg := e.TLS.Clone()
		cfg.NextProtos = []string{"http/1.1"}
		c, err = (&tls.Dialer{Config: cfg}).DialContext(limited, "tcp", e.Address)
	} else {
		c, err = (&net.Dialer{}).DialContext(limited, "tcp", e.Address)
	}
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Close() }) // whoever uses it sees the error
	return &Conn{c: c, r: bufio.NewReaderSize(c, readBuffer), stop: stop}, nil
}

// Close closes the connection.
func (c *Conn) Close() error {
	c.stop()
	return c.c.Close()
}

// errClosing says that the server will close the connection after its answer.
var errClosing = errors.New("the server closes the connection")

// Do sends a request as it is and reads the answer: its status and its body,
// which is good until the next call. With errClosing the answer is good, and the
// connection is not; with any other error the connection is not either.
func (c *Conn) Do(request []byte, timeout time.Duration) (status int, body []byte, err error) {
	if err := c.c.SetDeadline(time.Now().Add(timeout)); err != nil {
		return 0, nil, err
	}
	if _, err := c.c.Write(request); err != nil {
		return 0, nil, err
	}
	return c.read()
}

func (c *Conn) read() (status int, body []byte, err error) {
	line, err := c.line()
	if err != nil {
		return 0, nil, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, nil, errors.New("the answer is no HTTP/1.1")
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, nil, errors.New("the answer has no status")
	}
	length, chunked, closing := int64(-1), false, false
	for {
		line, err = c.line()
		if err != nil {
			return 0, nil, err
		}
		if len(line) == 0 {
			break
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case !ok:
			return 0, nil, errors.New("the answer has a bad header")
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.ParseInt(string(value), 10, 64); err != nil || length < 0 {
				return 0, nil, errors.New("the answer has a bad Content-Length")
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = bytes.EqualFold(value, []byte("chunked"))
		case bytes.EqualFold(name, []byte("Connection")):
			closing = bytes.EqualFold(value, []byte("close"))
		}
	}
	switch {
	case chunked:
		err = c.readChunks()
	case length > maxBody:
		err = errTooLong
	case length >= 0:
		err = c.readBody(int(length))
	default:
		err = errors.New("the answer has no length")
	}
	if err == nil && closing {
		err = errClosing
	}
	return status, c.body, err
}

var errTooLong = fmt.Errorf("the answer is longer than %d bytes", maxBody)

// line reads up to the next line break, without it.
func (c *Conn) line() ([]byte, error) {
	line, err := c.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return nil, errTooLong
	}
	if err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(line[:len(line)-1], []byte("\r")), nil
}

func (c *Conn) readBody(n int) error {
	if cap(c.body) < n {
		c.body = make([]byte, n)
	}
	c.body = c.body[:n]
	_, err := io.ReadFull(c.r, c.body)
	return err
}

// readChunks reads a chunked body (RFC 9112, 7.1).
func (c *Conn) readChunks() error {
	c.body = c.body[:0]
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		size, _, _ := bytes.Cut(line, []byte(";"))
		n, err := strconv.ParseUint(string(bytes.TrimSpace(size)), 16, 32)
		if err != nil {
			return errors.New("the answer has a bad chunk")
		}
		if n == 0 {
			for { // trailers
				if line, err = c.line(); err != nil || len(line) == 0 {
					return err
				}
			}
		}
		if uint64(len(c.body))+n > maxBody {
			return errTooLong
		}
		at := len(c.body)
		c.body = append(c.body, make([]byte, n)...)
		if _, err := io.ReadFull(c.r, c.body[at:]); err != nil {
			return err
		}
		if line, err = c.line(); err != nil {
			return err
		}
		if len(line) != 0 {
			return errors.New("the answer has a bad chunk")
		}
	}
}
