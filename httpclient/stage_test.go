package httpclient

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// These tests use a Base that plays a script, and a fake clock. The tests of Transport with the
// real adapter are in integration/httpclient.

// A stage is a Base. Its scenes answer the tries of a call in order; the last one answers all later
// tries.
type stage struct {
	scenes []scene

	mu     sync.Mutex
	tries  []*http.Request
	bodies []string
	times  []time.Time
	open   int // bodies of answers that have not been closed
}

type scene func(*http.Request) (*http.Response, error)

func (s *stage) RoundTrip(r *http.Request) (*http.Response, error) {
	var b []byte
	if r.Body != nil {
		var err error
		if b, err = io.ReadAll(r.Body); err != nil {
			r.Body.Close()
			return nil, err
		}
		r.Body.Close()
	}
	s.mu.Lock()
	play := s.scenes[min(len(s.tries), len(s.scenes)-1)]
	s.tries, s.bodies, s.times = append(s.tries, r), append(s.bodies, string(b)), append(s.times, time.Now())
	s.mu.Unlock()
	resp, err := play(r)
	if resp != nil {
		s.mu.Lock()
		s.open++
		s.mu.Unlock()
		resp.Request, resp.Body = r, &counted{ReadCloser: resp.Body, s: s}
	}
	return resp, err
}

type counted struct {
	io.ReadCloser
	s    *stage
	once sync.Once
}

func (c *counted) Close() error {
	c.once.Do(func() {
		c.s.mu.Lock()
		defer c.s.mu.Unlock()
		c.s.open--
	})
	return c.ReadCloser.Close()
}

// waits returns the pauses between tries.
func (s *stage) waits() (all []time.Duration) {
	for i := 1; i < len(s.times); i++ {
		all = append(all, s.times[i].Sub(s.times[i-1]))
	}
	return all
}

// says returns a scene that answers with a status, a body and header lines.
func says(status int, body string, lines ...string) scene {
	return func(*http.Request) (*http.Response, error) {
		h := http.Header{"Content-Type": {"application/json"}}
		for _, line := range lines {
			name, value, _ := strings.Cut(line, ": ")
			h.Set(name, value)
		}
		return &http.Response{
			StatusCode: status, Header: h, ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body)),
		}, nil
	}
}

func fails(err error) scene { return func(*http.Request) (*http.Response, error) { return nil, err } }

// hangs is a scene of a server that never answers.
func hangs(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

var (
	errReset   = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	created    = says(201, `{"id":1}`)
)

// play runs test on a fake clock, over a stage with these scenes.
func play(t *testing.T, test func(t *testing.T, tr *Transport, s *stage), scenes ...scene) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &stage{scenes: scenes}
		test(t, &Transport{Base: s}, s)
	})
}

func order(ctx context.Context, body string) *http.Request {
	r, err := http.NewRequestWithContext(ctx, "POST", "http://api.test/orders", strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	return r
}

// want reads the answer, and fails the test unless it has the status and the body.
func want(t *testing.T, resp *http.Response, err error, status int, body string) {
	t.Helper()
	if err != nil {
		t.Fatalf("got %v, want an answer", err)
	}
	b, err := io.ReadAll(resp.Body)
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
	if resp.StatusCode != status || string(b) != body || err != nil {
		t.Errorf("got %d %q, %v, want %d %q", resp.StatusCode, b, err, status, body)
	}
}

type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error {
	c.closed = true
	return nil
}
