package httpadapter

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// finish ends the recording and returns the answer.
func (c *recorder) finish() response {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.status == 0 {
		c.writeHeader(http.StatusOK)
	}
	c.over = true
	if !c.passing {
		c.sniff(nil)
	}
	trailer := c.trailer()
	if c.passing {
		// By this prefix they are told from headers wherever the map is read once more, as by http.TimeoutHandler.
		h := c.w.Header()
		for name, values := range trailer {
			h[http.TrailerPrefix+name] = values
		}
	}
	return response{Status: c.status, Header: c.difference(), Body: c.body, Trailer: trailer}
}

// end refuses whatever a goroutine that the handler has left behind, by a panic perhaps, writes from now on.
func (c *recorder) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
}

// short reports whether the answer is less than was announced.
func (c *recorder) short() bool { return bodyAllowed(c.status) && c.written < c.length }

// sniff finds the content type as net/http would, from all of what there is and what is next, so that
// the record has it and every replay is the same.
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
		return nil // there is no end of a body to send them at
	}
	return t
}

// difference returns what of the header the handler set itself, a name that it took away without
// values. What outer handlers set they will set again for a replay, for their own reasons and with
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
	delete(set, "Trailer") // those that have values are announced, and no others
	return set
}

// replace makes h the same as by.
func replace(h, by http.Header) {
	clear(h)
	maps.Copy(h, by)
}
