package integration

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/reprise-go/reprise/httpadapter"
)

// statement answers with a body of the length and kind that its request asks for, a status, headers
// and trailers, all of them different for every run.
type statement struct{ runs atomic.Int64 }

func (s *statement) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	run := uint64(s.runs.Add(1))
	size, _ := strconv.Atoi(r.Header.Get("X-Answer"))
	body := noise(size, run)
	if strings.HasSuffix(r.Header.Get("Idempotency-Key"), "-text") {
		body = bytes.Repeat(fmt.Appendf(nil, `{"run":%d},`, run), size/10+1)[:size]
	}
	h := w.Header()
	h.Set("Content-Type", "application/vnd.statement")
	h.Set("Location", fmt.Sprintf("/statements/%d", run))
	h["Warning"] = []string{"first", "second, with a comma", ""}
	trailers := strings.HasPrefix(r.Header.Get("Idempotency-Key"), "trailers")
	if trailers {
		h.Set("Trailer", "X-Digest, X-Lines")
	}
	w.WriteHeader(http.StatusAccepted)
	for len(body) > 0 { // as handlers do, in pieces
		n, _ := w.Write(body[:min(len(body), 100_000)])
		body = body[n:]
	}
	if trailers {
		h.Set("X-Digest", fmt.Sprint("run-", run))
		h.Set("X-Lines", "0")
		h.Set(http.TrailerPrefix+"X-Late", fmt.Sprint(run))
	}
}

// noise doesn't compress.
func noise(size int, seed uint64) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(b)
	return b
}

func TestReplaysAreEqualToTheByte(t *testing.T) {
	handler := &statement{}
	f := newFleet(t, plan{handler: handler, http: httpadapter.Config{MaxResponse: 8 << 20, MaxBody: 8 << 20}})
	runs := 0
	for _, size := range []int{0, 1 << 10, 300 << 10, 4 << 20} {
		for _, form := range []string{"plain-noise", "trailers-text"} {
			t.Run(fmt.Sprint(size, "-", form), func(t *testing.T) {
				q := request{
					key:    strings.Replace(form, "-", fmt.Sprint("-", size, "-"), 1),
					answer: strconv.Itoa(size),
					body:   string(noise(size, 1)), // requests are as large as answers
				}
				first := f.send(t, f.machines[runs%3], q)
				runs++
				if first.status != http.StatusAccepted || len(first.body) != size || first.replayed() {
					t.Fatalf("first answer: %s", first)
				}
				if strings.HasPrefix(form, "trailers") && first.trailer.Get("X-Late") == "" {
					t.Fatalf("the handler's trailers got lost: %s", first)
				}
				for _, m := range f.machines {
					replays(t, first, f.send(t, m, q))
				}
				if n := handler.runs.Load(); n != int64(runs) {
					t.Errorf("the handler ran %d times for %d requests", n, runs)
				}
			})
		}
	}
}

// An answer over the cap reaches its client whole, and nothing runs a second time.
func TestAnswerTooLargeToKeepNeverRunsTwice(t *testing.T) {
	handler := &statement{}
	f := newFleet(t, plan{handler: handler, http: httpadapter.Config{MaxResponse: 1 << 10}})
	q := request{key: "too-large", answer: strconv.Itoa(300 << 10)}
	first := f.send(t, f.machines[0], q)
	if first.status != http.StatusAccepted || len(first.body) != 300<<10 || first.header.Get("Idempotency-Stored") != "false" {
		t.Errorf("first answer: %s", first)
	}
	for _, m := range f.machines {
		refused(t, f.send(t, m, q), http.StatusConflict, "replay-unavailable")
	}
	if n := handler.runs.Load(); n != 1 {
		t.Errorf("the handler ran %d times", n)
	}
}
