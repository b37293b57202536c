package httpadapter

import (
	"maps"
	"net/http"

	"github.com/reprise-go/reprise/replay"
)

// stream lets the client have what there is so far; next is what it will get after that.
func (c *recorder) stream(next []byte) {
	c.streaming = true
	c.sniff(next)
	if _, typed := c.header["Content-Type"]; !typed {
		// Nor may net/http find one in a replay, which has the body at once.
		c.header["Content-Type"] = nil
	}
	c.outer = maps.Clone(c.outer) // It is the map that is about to be replaced.
	h := c.x.w.Header()
	replace(h, c.header)
	// Of the result, only these are known before the handler has returned.
	attempt, _ := replay.AttemptFrom(c.x.working)
	c.x.verdict = c.x.adapter.verdict(c.status, c.header, c.body)
	c.x.mark(h, c.status, replay.Result{
		Stored:   !c.overflow,
		Repeated: replay.RepeatedFrom(c.x.working),
		Attempt:  attempt.Number,
	})
	c.x.w.WriteHeader(c.status)
	if len(c.body) > 0 {
		c.x.w.Write(c.body)
	}
}

// unsent returns what a handler is told of a part of its answer that could not be sent to the
// client: nothing, as long as the record has the whole answer, just as if it were held back. Told
// otherwise, the handler would stop, and what it has written by then would be stored and replayed
// for the whole.
//
// In shadow mode the handler is to notice nothing of the adapter, so it is told, and the record has
// no answer.
func (c *recorder) unsent(err error) error {
	if err == nil || !c.x.adapter.shadow && !c.overflow {
		return nil
	}
	c.overflow, c.body = true, nil
	return err
}

// FlushError sends what there is to the client: from here on the answer is streamed.
// [http.ResponseController] calls it.
func (c *recorder) FlushError() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return http.ErrHandlerTimeout
	}
	if !c.canFlush() {
		return http.ErrNotSupported
	}
	if c.status == 0 {
		c.writeHeader(http.StatusOK)
	}
	if !c.streaming {
		c.stream(nil)
	}
	return c.unsent(http.NewResponseController(c.x.w).Flush())
}

// Flush is FlushError for those who know only http.Flusher.
func (c *recorder) Flush() { _ = c.FlushError() }

// canFlush looks for what ResponseController would flush: an answer that can't be sent early is
// still held back.
func (c *recorder) canFlush() bool {
	for w := c.x.w; ; {
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
