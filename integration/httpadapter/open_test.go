package httpadapter_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/replay"
)

var failOpen = setup{http: func(c *httpadapter.Config) { c.OnStoreDown = replay.RunUnguarded }}

// Failing open is for a Redis that can't be asked: not for one that has answered what can't be read here.
func TestFailOpenDoesNotGuess(t *testing.T) {
	keyed := setup{http: func(c *httpadapter.Config) { c.Fingerprint.Keys = [][]byte{[]byte("0123456789abcdef")} }}
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		h := newHold()
		first := newSite(t, f, h.then(writes(201, "done")), keyed).start(bg, "order")
		<-h.begun
		s := newSite(t, f, writes(201, "again"), failOpen)
		s.post("order").isProblem(t, 503, "unavailable", "1")
		close(h.gate)
		first().isFresh(t, 201, "done")
		s.post("order").isProblem(t, 503, "unavailable", "1")
		s.ran(0)
	})
}

// Nor for those who waited for a holder when Redis went away.
func TestFailOpenKnowsTheHolder(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		h := newHold()
		first := newSite(t, f, h.then(writes(201, "done"))).start(bg, "order")
		<-h.begun
		s := newSite(t, f, writes(201, "again"), failOpen, setup{replay: waiting(time.Minute)})
		var waits []func() answer
		for range 5 {
			waits = append(waits, s.start(bg, "order"))
		}
		synctest.Wait()
		time.Sleep(100 * time.Millisecond)
		s.Down()
		for _, wait := range waits {
			wait().isProblem(t, 503, "unavailable", "1")
		}
		s.ran(0)
		s.Up()
		close(h.gate)
		first().isFresh(t, 201, "done")
	})
}

// Nor where Redis has said that there is an answer, and goes away before it can be fetched: a long one
// takes a second trip.
func TestFailOpenKnowsOfALongAnswer(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		long := bubble.Noise(100 << 10)
		newSite(t, f, writes(201, long)).post("order").isFresh(t, 201, long)
		s := newSite(t, f, writes(201, "again"), failOpen)
		s.On("begin", bubble.Meanwhile(func() { s.On("GET", bubble.Fault{Meanwhile: s.Down}) }))
		s.post("order").isProblem(t, 503, "unavailable", "1")
		s.ran(0)
		s.Up()
		s.post("order").isReplay(t, 201, long)
	})
}

// A form that a middleware has parsed before us is a body that we can't tell from another.
func TestParsedFormOfUnknownLength(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		parsing := setup{around: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_ = r.FormValue("csrf")
				next.ServeHTTP(w, r)
			})
		}}
		s := newSite(t, f, writes(201, "paid"), parsing)
		s.post("", func(r *http.Request) {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Body, r.GetBody, r.ContentLength = io.NopCloser(strings.NewReader("amount=1")), nil, -1
		}).isProblem(t, 400, "body-incomplete", "")
		s.ran(0)
	})
}
