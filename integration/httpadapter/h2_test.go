package httpadapter_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/integration/bubble"
)

var http2 = setup{http2: true}

// Over HTTP/2, where white space around a field's value is not trimmed for us and streams share a
// connection, an answer and its replay are what they are over HTTP/1.
func TestHTTP2(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
			if r.ProtoMajor != 2 {
				t.Errorf("by %s", r.Proto)
			}
			w.Header().Set("Link", "</a.css>")
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Trailer", "X-Sum")
			w.WriteHeader(201)
			n, err := io.Copy(w, strings.NewReader("an answer"))
			if n != 9 || err != nil {
				t.Errorf("copied %d, %v", n, err)
			}
			w.Header().Set("X-Sum", "9")
		}, http2)
		first, again := s.post("order"), s.post("order", key(" "+rawKey+" "))
		if first.status != 201 || first.body != "an answer" || first.trailer.Get("X-Sum") != "9" || len(first.early) == 0 {
			t.Errorf("got %s, early %v", first.text(), first.early)
		}
		if again.status != 201 || again.body != first.body || again.trailer.Get("X-Sum") != "9" || again.header.Get(replayed) != "true" {
			t.Errorf("replayed %s", again.text())
		}
		s.ran(1)
		s.post("another").isProblem(t, 422, "reused", "")
		newSite(t, f, writes(201, "no")).post("order").isReplay(t, 201, "an answer")
	})
}

func TestHTTP2Streams(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		next := make(chan struct{})
		s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			for i := range 3 {
				fmt.Fprintf(w, "data: %d\n\n", i)
				if err := http.NewResponseController(w).Flush(); err != nil {
					t.Error(err)
				}
				<-next // the client has it
			}
		}, http2)
		resp, err := s.client.Do(s.request(bg, "order"))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			event := make([]byte, len("data: 0\n\n"))
			if _, err := io.ReadFull(resp.Body, event); err != nil || string(event) != fmt.Sprintf("data: %d\n\n", i) {
				t.Errorf("got %q, %v", event, err)
			}
			next <- struct{}{}
		}
		if rest, err := io.ReadAll(resp.Body); len(rest) > 0 || err != nil {
			t.Errorf("got %q, %v", rest, err)
		}
		synctest.Wait() // until it is stored
		s.post("order").isReplay(t, 200, "data: 0\n\ndata: 1\n\ndata: 2\n\n")
		s.ran(1)
	})
}

// A copy that outgrows the cap passes, in memory that doesn't grow with it.
func TestCopyOverTheCap(t *testing.T) {
	for name, protocol := range map[string]setup{"HTTP/1": {}, "HTTP/2": http2} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				const size = 5 << 20
				s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Type", "text/plain")
					from, ok := w.(io.ReaderFrom)
					if !ok {
						t.Fatal("no ReaderFrom, as net/http has")
					}
					if n, err := from.ReadFrom(io.LimitReader(endless{}, size)); n != size || err != nil {
						t.Errorf("copied %d, %v", n, err)
					}
				}, protocol, setup{http: func(c *httpadapter.Config) { c.MaxResponse = 1000 }})
				a := s.post("order")
				if a.status != 200 || len(a.body) != size || a.header.Get("Idempotency-Stored") != "false" {
					t.Errorf("got %d, %d bytes, %v", a.status, len(a.body), a.header)
				}
				s.post("order").isProblem(t, 409, "replay-unavailable", "")
				s.ran(1)
			})
		})
	}
}

// endless is as many letters as one reads.
type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'a'
	}
	return len(b), nil
}
