package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/reprise-go/reprise/httpadapter"
)

// idempotent makes what comes after it in a route's chain safe to retry. Recovery, authentication
// and rate limits belong before it. A middleware that turns c.Errors into answers belongs after it:
// what is written once idempotent has returned, the client gets and no retry does.
func idempotent(a *httpadapter.Adapter) gin.HandlerFunc {
	return func(c *gin.Context) {
		client, request := &eager{c.Writer}, c.Request
		ran, returned := false, false
		defer func() {
			if !returned && client.Written() {
				// A panic in mid-answer, by which the adapter breaks off too: gin.Recovery keeps
				// that to itself, and the client would take what it has for the whole.
				http.NewResponseController(client).SetWriteDeadline(time.Unix(1, 0))
			}
		}()
		rest := func(w http.ResponseWriter, r *http.Request) {
			ran = true
			if w == client { // a method, or a lack of key, that the adapter takes no part in
				c.Next()
				return
			}
			answer := &recorded{ResponseWriter: w, work: r.Context(), status: client.Status(), size: unwritten}
			c.Writer, c.Request = answer, r
			// gin uses c again when the request is over, and Recovery may yet answer.
			defer func() { c.Writer, c.Request = client.ResponseWriter, request }()
			errs := len(c.Errors)
			c.Next()
			if len(c.Errors) > errs && answer.status < http.StatusBadRequest {
				answer.WriteHeader(http.StatusInternalServerError) // unless written: an error is no empty 200 to keep
			}
			answer.WriteHeaderNow() // c.Status alone has written nothing yet
		}
		a.Handler(http.HandlerFunc(rest)).ServeHTTP(client, request)
		if returned = true; !ran {
			c.Abort() // the adapter has answered, and gin would go on to the handler
		}
	}
}

// eager is gin's writer with net/http's contract, that WriteHeader is final, for the adapter to
// write to: gin's own puts it off, and would send headers that are set later.
type eager struct{ gin.ResponseWriter }

func (w *eager) WriteHeader(status int) {
	w.ResponseWriter.WriteHeader(status)
	w.ResponseWriter.WriteHeaderNow()
}

// Unwrap leads http.ResponseController to the connection.
func (w *eager) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// recorded is the other way round: the adapter's writer with gin's contract, for handlers to write
// to.
type recorded struct {
	http.ResponseWriter
	work         context.Context
	status, size int
}

const unwritten = -1 // a size, as gin has it

var _ gin.ResponseWriter = (*recorded)(nil)

func (w *recorded) Status() int                 { return w.status }
func (w *recorded) Size() int                   { return w.size }
func (w *recorded) Written() bool               { return w.size != unwritten }
func (w *recorded) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader may be asked again until something is written: the last status counts.
func (w *recorded) WriteHeader(status int) {
	if status > 0 && !w.Written() {
		w.status = status
	}
}

func (w *recorded) WriteHeaderNow() {
	if !w.Written() {
		w.size = 0
		w.ResponseWriter.WriteHeader(w.status)
	}
}

func (w *recorded) Write(b []byte) (int, error) {
	w.WriteHeaderNow()
	n, err := w.ResponseWriter.Write(b)
	w.size += n
	return n, err
}

func (w *recorded) WriteString(s string) (int, error) {
	w.WriteHeaderNow()
	n, err := io.WriteString(w.ResponseWriter, s)
	w.size += n
	return n, err
}

// Flush sends what there is, and from there on the answer streams.
func (w *recorded) Flush() {
	w.WriteHeaderNow()
	http.NewResponseController(w.ResponseWriter).Flush()
}

// CloseNotify tells of the end of the work's context, not of the client's: c.Stream must not stop
// short, and be stored so, because one client hung up.
func (w *recorded) CloseNotify() <-chan bool {
	gone := make(chan bool, 1)
	context.AfterFunc(w.work, func() { gone <- true })
	return gone
}

// Hijack is refused by the adapter: what goes over a connection of its own can't be replayed.
func (w *recorded) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// Pusher is nil, as where there is no HTTP/2: a replay can't push again.
func (w *recorded) Pusher() http.Pusher { return nil }
