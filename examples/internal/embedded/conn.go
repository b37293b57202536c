package embedded

import (
	"io"
	"net"
	"sync"
)

// A conn keeps what is written until the other end reads it, as a network does. A net.Pipe by itself
// holds nothing: whoever writes many commands at once would wait for a Redis that waits, with the first
// replies, for whoever writes.
type conn struct {
	net.Conn // one end of a net.Pipe

	mu      sync.Mutex
	changed *sync.Cond
	unsent  []byte
	closed  bool
}

func newConn(pipe net.Conn) net.Conn {
	c := &conn{Conn: pipe}
	c.changed = sync.NewCond(&c.mu)
	go c.send()
	return c
}

func (c *conn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return 0, io.ErrClosedPipe
	}
	c.unsent = append(c.unsent, b...)
	c.changed.Signal()
	return len(b), nil
}

// send writes to the pipe what is unsent, until the connection is closed.
func (c *conn) send() {
	for {
		c.mu.Lock()
		for len(c.unsent) == 0 && !c.closed {
			c.changed.Wait()
		}
		b, closed := c.unsent, c.closed
		c.unsent = nil
		c.mu.Unlock()
		if closed {
			return
		}
		if _, err := c.Conn.Write(b); err != nil {
			c.Close()
		}
	}
}

// Close loses what is unsent.
func (c *conn) Close() error {
	c.mu.Lock()
	c.closed = true
	c.changed.Signal()
	c.mu.Unlock()
	return c.Conn.Close()
}
