package httpadapter_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/replay"
)

// raised raises the caps over 4 MiB.
var raised = setup{
	replay: func(c *replay.Config) { c.Cache.MaxDecoded = 32 << 20 },
	http:   func(c *httpadapter.Config) { c.MaxBody, c.MaxResponse = 8<<20, 8<<20 },
}

// twice asks two sites for the same, and returns what the first answered.
func twice(t *testing.T, h http.HandlerFunc, setups ...setup) (fresh answer) {
	t.Helper()
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		t.Helper()
		a, b := newSite(t, f, h, setups...), newSite(t, f, h, setups...)
		fresh = a.post("order")
		if fresh.err != nil || fresh.header[replayed] != nil {
			t.Errorf("fresh: %v\n%.1000s", fresh.err, fresh.text())
		}
		b.post("order").replays(t, fresh)
		a.ran(1)
		b.ran(0)
	})
	return fresh
}

func TestReplayEqualsFreshForBodiesOfAllSizes(t *testing.T) {
	for _, size := range []int{0, 1, 1 << 10, 300 << 10, 4 << 20} {
		for name, body := range map[string]string{"noise": bubble.Noise(size), "text": strings.Repeat("t", size)} {
			t.Run(fmt.Sprint(size, name), func(t *testing.T) {
				fresh := twice(t, func(w http.ResponseWriter, r *http.Request) {
					for b := range slices.Chunk([]byte(body), 7000) {
						if n, err := w.Write(b); n != len(b) || err != nil {
							t.Errorf("wrote %d, %v", n, err)
						}
					}
				}, raised)
				if fresh.status != 200 || fresh.body != body || fresh.header.Get("Content-Length") != strconv.Itoa(size) {
					t.Errorf("got %d bytes, %v", len(fresh.body), fresh.header)
				}
			})
		}
	}
}

func TestReplayEqualsFreshForOddAnswers(t *testing.T) {
	for name, tc := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"nothing is written": {func(http.ResponseWriter, *http.Request) {}, "200\nContent-Length: 0\n\n"},
		"only a status":      {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(202) }, "202\nContent-Length: 0\n\n"},
		"204":                {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, "204\n\n"},
		"304": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Etag", `"1"`)
			w.WriteHeader(304)
		}, "304\nEtag: \"1\"\n\n"},
		"a body for 204": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(204)
			if n, err := w.Write([]byte("x")); n != 0 || err != http.ErrBodyNotAllowed {
				t.Errorf("wrote %d, %v", n, err)
			}
		}, "204\n\n"},
		"two statuses": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(201)
			w.WriteHeader(404)
		}, "201\nContent-Length: 0\n\n"},
		"a status after the body": {func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "text")
			w.WriteHeader(404)
		}, "200\nContent-Length: 4\nContent-Type: text/plain; charset=utf-8\n\ntext"},
		"a header after the status": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Before", "1")
			w.WriteHeader(201)
			w.Header().Set("X-After", "1")
			w.Header().Del("X-Before")
		}, "201\nContent-Length: 0\nX-Before: 1\n\n"},
		"a type that is sniffed": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>", "<p>") },
			"200\nContent-Length: 9\nContent-Type: text/html; charset=utf-8\n\n<html><p>"},
		"no type, on purpose": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			fmt.Fprint(w, "<html>")
		}, "200\nContent-Length: 6\n\n<html>"},
		"a length that is right": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "4")
			fmt.Fprint(w, "text")
		}, "200\nContent-Length: 4\nContent-Type: text/plain; charset=utf-8\n\ntext"},
		"a length that is none": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "four")
			fmt.Fprint(w, "text")
		}, "200\nContent-Length: 4\nContent-Type: text/plain; charset=utf-8\n\ntext"},
		"more than the length says": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "4")
			fmt.Fprint(w, "text")
			if n, err := w.Write([]byte("more")); n != 0 || err != http.ErrContentLength {
				t.Errorf("wrote %d, %v", n, err)
			}
		}, "200\nContent-Length: 4\nContent-Type: text/plain; charset=utf-8\n\ntext"},
		"many values, and odd names": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["x-odd"] = []string{"a", "b"}
			w.Header()["X-Empty"] = []string{""}
			w.Header()["X-None"] = nil
			w.Header().Set("X-Bytes", "\xff\xfe")
			w.WriteHeader(400)
		}, "400\nContent-Length: 0\nX-Bytes: \xff\xfe\nX-Empty: \nX-Odd: a\nX-Odd: b\n\n"},
		"a handler's own encoding": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			fmt.Fprint(w, "not really")
		}, "200\nContent-Encoding: br\nContent-Length: 10\n\nnot really"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := twice(t, tc.handler).text(); got != tc.want {
				t.Errorf("got\n%s\nwant\n%s", got, tc.want)
			}
		})
	}
}

// An answer that breaks off before its announced end is no answer.
func TestShortAnswerIsBrokenOff(t *testing.T) {
	for name, flush := range map[string]bool{"held back": false, "flushed": true} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				short := true
				s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Length", "8")
					fmt.Fprint(w, "half")
					if flush {
						w.(http.Flusher).Flush()
					}
					if !short {
						fmt.Fprint(w, "half")
					}
				})
				s.post("order").isBroken(t)
				if e := s.last(); e.Outcome != replay.WorkPanicked {
					t.Errorf("event %+v", e)
				}
				short = false
				fresh := s.post("order")
				fresh.isFresh(t, 200, "halfhalf")
				s.post("order").replays(t, fresh)
				s.ran(2)
			})
		})
	}
}

func TestRecordOutlivesTheServer(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a := newSite(t, f, writes(201, "created"))
		fresh := a.post("order")
		a.Down()
		time.Sleep(day - time.Minute)
		b := newSite(t, f, writes(201, "no"))
		b.post("order").replays(t, fresh)
		time.Sleep(2 * time.Minute)
		b.post("order").isFresh(t, 201, "no")
	})
}
