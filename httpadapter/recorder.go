package httpadapter

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A recorder is the ResponseWriter of a handler under a key. It holds the answer back until it is
// stored, unless the handler flushes or the answer outgrows MaxResponse: then the answer is
// streamed to the client, and is recorded for as long as it fits.
//
// The handler has a header map of its own. As with net/http, what is in it counts when the status
// is written; after that only trailers do. A goroutine that the handler leaves behind can go on
// changing that map: the one that is sent is net/http's, which the handler never sees.
type recorder struct {
	x     *exchange
	outer http.Header // what was set before the handler ran

	mu      sync.Mutex  // A goroutine that the handler leaves behind may write, and is refused.
	own     http.Header // the handler's
	header  http.Header // what the handler had set when it wrote the status
	status  int         // 0 until then
	length  int64       // Content-Length as the handler announced it, or -1
	written int64
	tooLong bool // The handler tried to write more than it announced, and may write no more.
	body    []byte

	streaming bool // The client has begun to get the answer.
	overflow  bool // The answer outgrew the limit, or is not all here, and body holds nothing.
	closed    bool // The handler has returned.
}

func (c *recorder) start(x *exchange) {
	*c = recorder{x: x, outer: x.w.Header()}
	// The values are cloned too: a handler may change them in place.
	if c.own = c.outer.Clone(); c.own == nil {
		c.own = http.Header{}
	}
}

// close refuses what a goroutine that the handler has left behind, by a panic perhaps, writes from
// now on.
func (c *recorder) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
}

// Header begins as what outer handlers have set, so that the handler sees that and can remove it.
func (c *recorder) Header() http.Header {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
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
	if c.status != 0 || c.closed {
		return
	}
	if status >= 100 && status < 200 && status != http.StatusSwitchingProtocols {
		c.inform(status)
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

// inform passes an informational answer on with the headers as they are now. It is never stored.
func (c *recorder) inform(status int) {
	h := c.x.w.Header()
	before := maps.Clone(h)
	replace(h, c.own.Clone())
	c.x.w.WriteHeader(status)
	replace(h, before)
}

// Write keeps what fits, and passes it on if the answer is streamed.
func (c *recorder) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
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
	c.keep(b)
	if c.streaming {
		n, err := c.x.w.Write(b)
		if err = c.unsent(err); err != nil {
			return n, err
		}
	}
	return len(b), nil
}

// keep appends to the body what fits. With the first byte that doesn't, streaming begins.
func (c *recorder) keep(b []byte) {
	switch {
	case c.overflow:
	case int64(len(c.body)+len(b)) <= c.x.adapter.cfg.MaxResponse:
		c.body = append(c.body, b...)
	default:
		c.overflow = true
		if !c.streaming {
			c.stream(b)
		}
		c.body = nil
	}
}

// ReadFrom writes all that src has. The wrapper keeps io.Copy from calling ReadFrom again.
func (c *recorder) ReadFrom(src io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{c}, src)
}

// Hijack is refused: what is written to a connection of its own can't be recorded.
func (c *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, fmt.Errorf("httpadapter: hijacking a request with a key: %w", http.ErrNotSupported)
}

// Unwrap gives [http.ResponseController] the deadlines of the connection.
func (c *recorder) Unwrap() http.ResponseWriter { return c.x.w }

// finish ends the recording and returns the answer.
func (c *recorder) finish() record {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.status == 0 {
		c.writeHeader(http.StatusOK)
	}
	c.closed = true
	if !c.streaming {
		c.sniff(nil)
	}
	trailer := c.trailer()
	if c.streaming {
		// The prefix tells them from headers wherever the map is read once more, as by
		// http.TimeoutHandler.
		h := c.x.w.Header()
		for name, values := range trailer {
			h[http.TrailerPrefix+name] = values
		}
	}
	return record{Status: c.status, Header: c.difference(), Body: c.body, Trailer: trailer}
}

// isShort reports whether the answer is less than was announced.
func (c *recorder) isShort() bool { return bodyAllowed(c.status) && c.written < c.length }

// sniff finds the content type as net/http would, from what there is so far and what comes next, so
// that the record has it and every replay is the same.
func (c *recorder) sniff(next []byte) {
	_, typed := c.header["Content-Type"]
	encoded := c.header.Get("Content-Encoding") != ""
	if typed || encoded {
		return
	}
	const enough = 512 // for http.DetectContentType
	start := c.body
	if missing := enough - len(start); missing > 0 && len(next) > 0 {
		start = slices.Concat(start, next[:min(missing, len(next))])
	}
	if len(start) > 0 {
		c.header["Content-Type"] = []string{http.DetectContentType(start)}
	}
}

// trailer collects what the handler set after the body: fields under http.TrailerPrefix, and those
// that it announced in Trailer.
func (c *recorder) trailer() http.Header {
	var t http.Header
	add := func(name string, values []string) {
		if t == nil {
			t = http.Header{}
		}
		t[name] = append(t[name], values...)
	}
	for key, values := range c.own {
		if name, ok := strings.CutPrefix(key, http.TrailerPrefix); ok {
			add(http.CanonicalHeaderKey(name), values)
			delete(c.header, key)
		}
	}
	for _, list := range c.header["Trailer"] {
		for name := range strings.SplitSeq(list, ",") {
			name = http.CanonicalHeaderKey(strings.TrimSpace(name))
			if values := c.own[name]; len(values) > 0 {
				add(name, values)
			}
		}
	}
	if !bodyAllowed(c.status) {
		return nil // There is no end of a body to send them at.
	}
	return t
}

// difference returns what of the header the handler itself has set; a name that it took away has no
// values. What outer handlers set, they will set again for a replay, for their own reasons and with
// their own values.
func (c *recorder) difference() http.Header {
	set := c.header
	if len(c.outer) > 0 {
		set = maps.Clone(set)
	}
	for name, before := range c.outer {
		if values, ok := set[name]; !ok {
			set[name] = nil
		} else if slices.Equal(before, values) {
			delete(set, name)
		}
	}
	delete(set, "Trailer") // Those that have values are announced, and no others.
	return set
}

// replace makes h the same as by.
func replace(h, by http.Header) {
	clear(h)
	maps.Copy(h, by)
}
