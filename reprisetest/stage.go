package reprisetest

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/alicebob/miniredis/v2"
)

// A stage is what one scene is played on: a key, a Redis, the processes over it, and what has happened
// so far. Its methods are for the scene's own goroutine, unless they say otherwise.
type stage struct {
	*testing.T
	subject Subject
	redis   *miniredis.Miniredis // whose clock stands still
	down    atomic.Bool
	key     string
	before  map[string]int // the counts of Effects

	processes []*process
	requests  int        // that have been made
	open      []*request // whose answer has not been looked at
	replies   int        // of scripts; guarded by moved.L
	moved     *sync.Cond // a request has returned, or a script has replied

	history history
	answer  *request // the first one that was answered
}

func newStage(t *testing.T, subject Subject) *stage {
	t.Helper()
	s := &stage{T: t, subject: subject, redis: miniredis.NewMiniRedis(), key: newKey(), moved: sync.NewCond(new(sync.Mutex))}
	s.before = subject.Effects(t)
	return s
}

// newKey looks like a UUID of version 4 (RFC 9562 §5.4), which every dialect takes.
func newKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// close lets all go on that was stopped. The requests of a dead process have no client any more, so
// that none begins to work now; and what ended before it died has been counted.
func (s *stage) close() {
	s.down.Store(false)
	for _, q := range s.open {
		q.hangUp()
	}
	for _, p := range s.processes {
		p.resume()
	}
	for _, q := range s.open {
		q.await()
	}
	for _, p := range s.processes {
		_ = p.client.Close()
	}
	s.redis.Close()
}

// request makes the scene's request, the same each time.
func (s *stage) request() *http.Request { return s.subject.Request(s.key) }

// anotherRequest makes another request under the scene's key.
func (s *stage) anotherRequest() *http.Request {
	if s.subject.Another != nil {
		return s.subject.Another(s.key)
	}
	r := s.request()
	body := []byte(`{"reprisetest":"another body"}`)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.Header.Del("Content-Length")
	return r
}

// send sends the scene's request and waits until all is done.
func (s *stage) send(p *process) *request {
	s.Helper()
	q := s.start(p, s.request())
	s.look(q)
	s.history.addf("request %d goes to process %s, which answers %v", q.number, p.name, q)
	return q
}

// sendAnother sends another request under the scene's key.
func (s *stage) sendAnother(p *process) {
	s.Helper()
	q := s.start(p, s.anotherRequest())
	q.another = true
	s.look(q)
	s.history.addf("request %d, another one under the same key, goes to process %s, which answers %v", q.number, p.name, q)
}

// sendStopped sends the scene's request to a process that is to stop at a point, and waits until it
// does. It may not come there: then the request is done.
func (s *stage) sendStopped(p *process, at point) *request {
	s.Helper()
	p.stop(at)
	q := s.start(p, s.request())
	select {
	case <-p.stopped:
		s.history.addf("request %d goes to process %s, which gets the key and stops %s", q.number, p.name, at)
	case <-q.returned:
		s.look(q)
		s.history.addf("request %d goes to process %s, which answers %v without having come to where it would stop: %s",
			q.number, p.name, q, at)
	}
	return q
}

// sendAndHangUp sends the scene's request, whose client hangs up when the handler begins, or has ended
// at the latest. The process stops when the handler has ended.
func (s *stage) sendAndHangUp(p *process) *request {
	s.Helper()
	p.mu.Lock()
	p.works = func(q *request) { q.hangUp() }
	p.mu.Unlock()
	q := s.sendStopped(p, ended)
	q.hangUp()
	s.history.addf("the client of request %d has hung up when the handler began", q.number)
	return q
}

// goOn lets a process that has stopped go on, until all is done.
func (s *stage) goOn(q *request) {
	if q.process.resume(); s.isOpen(q) {
		s.look(q)
		s.history.addf("process %s goes on, and answers request %d with %v", q.process.name, q.number, q)
	}
}

// crowd sends the scene's request n times at once, to each process in turn. The one that gets the key
// is held until all others have been told by Redis that it has, so that none comes too late.
func (s *stage) crowd(n int, processes ...*process) {
	s.Helper()
	for _, p := range processes {
		p.stop(granted)
	}
	s.tell(func() { s.replies = 0 })
	all := make([]*request, n)
	for i := range all {
		all[i] = s.start(processes[i%len(processes)], s.request())
	}
	s.moved.L.Lock()
	for s.replies < n && returned(all) < n-1 {
		s.moved.Wait()
	}
	s.moved.L.Unlock()
	for _, p := range processes {
		p.resume()
	}
	counts := map[string]int{}
	for _, q := range all {
		s.look(q)
		counts[q.String()]++
	}
	s.history.addf("requests %d to %d go to %d processes at once, and are answered:", all[0].number, all[n-1].number, len(processes))
	s.history.addCounts(counts)
}

func returned(all []*request) (n int) {
	for _, q := range all {
		if isClosed(q.returned) {
			n++
		}
	}
	return n
}

// tell does what crowd waits for. Any goroutine may call it.
func (s *stage) tell(do func()) {
	s.moved.L.Lock()
	defer s.moved.L.Unlock()
	do()
	s.moved.Broadcast()
}

// die ends a process that has stopped: nothing of it will reach Redis before all is counted.
func (s *stage) die(p *process) { s.history.addf("process %s dies", p.name) }

// lapse lets one lease's time go by in Redis.
func (s *stage) lapse() {
	s.redis.FastForward(lease)
	s.history.addf("the lease in Redis runs out")
}

func (s *stage) forget() {
	s.redis.FlushAll()
	s.history.addf("Redis forgets everything")
}

func (s *stage) setDown(down bool) {
	s.down.Store(down)
	s.history.addf("Redis %s", map[bool]string{true: "goes down", false: "is there again"}[down])
}

// effects returns what the scene has done to the world so far.
func (s *stage) effects() map[string]int {
	s.Helper()
	return difference(s.before, s.subject.Effects(s.T))
}
