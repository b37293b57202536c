package httpadapter

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"sync"
)

// A recorder is the ResponseWriter of a handler under a key. It holds the answer back until it is
// stored, unless the handler flushes or the answer outgrows the limit: then the answer passes
// through, and is recorded for as long as it fits.
//
// The handler has a header map of its own. What is in it counts when it writes the status, as with
// net/http; after that only trailers do. A goroutine that it leaves behind can go on changing the map:
// the one that is sent is w's, which the handler never sees.
type recorder struct {
	w     http.ResponseWriter
	limit int64
	marks bool        // an answer that outgrew the limit says so; false in shadow mode
	outer http.Header // what was set before the handler ran

	mu      sync.Mutex  // a goroutine that the handler leaves behind may write, and is refused
	own     http.Header // the handler's
	header  http.Header // what the handler had set when it wrote the status
	status  int         // 0 until then
	length  int64       // Content-Length as the handler announced it, or -1
	written int64
	tooLong bool // more was to be written, and then nothing more is
	body    []byte

	passing  bool // the client has begun to get the answer
	overflow bool // the answer outgrew the limit, or is not all here, and body holds nothing
	over     bool // the handler has returned
}

func (c *recorder) begin(w http.ResponseWriter, limit int64, marks bool) {
	*c = recorder{w: w, limit: limit, marks: marks, outer: w.Header()}
	if c.own = c.outer.Clone(); c.own == nil { // values too: a handler may change them in place
		c.own = http.Header{}
	}
}

// Header begins as what outer handlers set, so that the handler sees that and can remove it.
func (c *recorder) Header() http.Header {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return http.Header{}
	}
	return c.own
}

// WriteHeader keeps the status, and the headers as they are now.
func (c *recorder) WriteHeader(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writeHeader(status)
}

func (c *recorder) writeHeader(status int) {
	if c.status != 0 || c.over {
		return
	}
	if status >= 100 && status < 200 && status != http.StatusSwitchingProtocols {
		// Informational: passed on with the headers as they are now, never stored.
		h := c.w.Header()
		before := maps.Clone(h)
		replace(h, c.own.Clone())
		c.w.WriteHeader(status)
		replace(h, before)
		return
	}
	if status < 100 || status > 999 {
		panic(fmt.Sprintf("httpadapter: invalid WriteHeader code %v", status)) // as net/http does
	}
	c.status = status
	c.header = c.own.Clone()
	c.length = -1
	if announced := c.header.Get("Content-Length"); announced != "" {
		if n, err := strconv.ParseInt(announced, 10, 64); err == nil {
			c.length = n
		}
	}
}

// Write keeps what fits, and passes it on if the client gets the answer already.
func (c *recorder) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return 0, http.ErrHandlerTimeout
	}
	if c.status == 0 {
		c.writeHeader(http.StatusOK)
	}
	switch {
	case len(b) == 0:
		return 0, nil
	case !bodyAllowed(c.status):
		return 0, http.ErrBodyNotAllowed
	case c.tooLong, c.length >= 0 && c.written+int64(len(b)) > c.length:
		c.tooLong = true
		return 0, http.ErrContentLength
	}
	c.written += int64(len(b))
	fits := !c.overflow && int64(len(c.body)+len(b)) <= c.limit
	if fits {
		c.body = append(c.body, b...)
	} else if !c.overflow {
		c.overflow = true
		if !c.passing {
			if c.marks {
				c.header[storedHeader] = []string{"false"}
			}
			c.pass(b)
		}
		c.body = nil
	}
	if c.passing {
		n, err := c.w.Write(b)
		if err = c.unsent(err); err != nil {
			return n, err
		}
	}
	return len(b), nil
}

// unsent returns what a handler is told of an answer that no longer reaches its client. As long as the record has all
// of it that is nothing, as for an answer that is held back: the handler would stop, and what it has written by then
// would be stored and replayed for the whole. In shadow mode, where it is to notice nothing of us, no record has the
// answer then.
func (c *recorder) unsent(err error) error {
	if err == nil || c.marks && !c.overflow {
		return nil
	}
	c.overflow, c.body = true, nil
	return err
}

// ReadFrom writes all that src has. Hiding itself keeps io.Copy from coming back here.
func (c *recorder) ReadFrom(src io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{c}, src)
}

// pass lets the client have what there is so far; next is what it gets after that.
func (c *recorder) pass(next []byte) {
	c.passing = true
	c.sniff(next)
	if _, typed := c.header["Content-Type"]; !typed {
		c.header["Content-Type"] = nil // nor may net/http find one in a replay, which has the body at once
	}
	c.outer = maps.Clone(c.outer)
	replace(c.w.Header(), c.header)
	c.w.WriteHeader(c.status)
	if len(c.body) > 0 {
		c.w.Write(c.body)
	}
}

// FlushError sends what there is to the client: from here on the answer passes through. It is what
// [http.ResponseController] calls.
func (c *recorder) FlushError() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return http.ErrHandlerTimeout
	}
	if !c.canFlush() {
		return http.ErrNotSupported
	}
	if c.status == 0 {
		c.writeHeader(http.StatusOK)
	}
	if !c.passing {
		c.pass(nil)
	}
	return c.unsent(http.NewResponseController(c.w).Flush())
}

// Flush is FlushError for those who know only http.Flusher.
func (c *recorder) Flush() { _ = c.FlushError() }

// canFlush looks for what ResponseController would flush: an answer that can't be sent early is
// still held back.
func (c *recorder) canFlush() bool {
	for w := c.w; ; {
		switch v := w.(type) {
		case interface{ FlushError() error }, http.Flusher:
			return true
		case interface{ Unwrap() http.ResponseWriter }:
			w = v.Unwrap()
		default:
			return false
		}
	}
}

// Hijack is refused: what is written to a connection of its own can't be recorded.
func (c *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, fmt.Errorf("httpadapter: hijacking a request with a key: %w", http.ErrNotSupported)
}

// Unwrap gives [http.ResponseController] the deadlines of the connection.
func (c *recorder) Unwrap() http.ResponseWriter { return c.w }
