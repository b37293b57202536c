package conformance

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// A target is one API, on one server or on several that are a fleet.
type target struct {
	servers []string // base URLs
	path    string   // of a resource that a POST with a key creates
	header  http.Header
	body    string
	tenant  string        // the header that says whose key it is; empty if none does
	page    string        // the documentation URL that errors link to; empty if there is none
	demo    []string      // the X-Demo headers that it heeds
	timeout time.Duration // of one request

	turn, timeouts atomic.Int64
}

// otherBody is what comes under a key that belongs to another request. No handler should get it.
const otherBody = `{"amount":2999,"currency":"GBP"}`

const (
	tenant      = "conformance"
	otherTenant = "conformance-2"
)

// patience is for one request, and longer than any that is in flight for a while on purpose. A server
// that has hung for so long, so many times, is not asked any more.
const (
	patience    = time.Minute
	maxTimeouts = 3
)

var errHangs = errors.New("not asked: the server hangs")

// client opens a connection for each request, since Go sends one that has a key again when a
// connection that it has used before breaks. It asks before it sends a body that is too large, so
// that the answer doesn't race with the rest of the body.
var client = &http.Client{
	Transport: &http.Transport{
		DisableKeepAlives:     true,
		DisableCompression:    true,
		ExpectContinueTimeout: 2 * time.Second,
	},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// A request is what a test asks for. Zero fields mean the target's usual.
type request struct {
	method string   // POST
	path   string   // the target's
	query  string   // none; it begins with a question mark
	key    []string // field lines of Idempotency-Key, as they go over the wire
	tenant string
	body   string
	header []string // names and values
	length int64    // what is announced of the body: -1 for nothing
}

// An answer is what came back: a status and the rest, or an error.
type answer struct {
	status int // 0 with an error
	header http.Header
	body   string
	err    error
}

func (a answer) ok() bool { return a.status/100 == 2 }

// send asks the next server of the target.
func (t *target) send(r request) answer {
	if t.timeouts.Load() >= maxTimeouts {
		return answer{err: errHangs}
	}
	ctx, cancel := context.WithTimeout(context.Background(), cmp.Or(t.timeout, patience))
	defer cancel()
	got := t.sendOnce(ctx, r)
	if errors.Is(got.err, context.DeadlineExceeded) {
		t.timeouts.Add(1)
	}
	return got
}

func (t *target) sendOnce(ctx context.Context, r request) answer {
	server := t.servers[int(t.turn.Add(1))%len(t.servers)]
	method := cmp.Or(r.method, http.MethodPost)
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader(cmp.Or(r.body, t.body))
	}
	req, err := http.NewRequestWithContext(ctx, method, server+cmp.Or(r.path, t.path)+r.query, body)
	if err != nil {
		return answer{err: err}
	}
	for name, values := range t.header {
		req.Header[name] = values
	}
	if t.tenant != "" {
		req.Header.Set(t.tenant, cmp.Or(r.tenant, tenant))
	}
	for i := 0; i < len(r.header); i += 2 {
		req.Header.Set(r.header[i], r.header[i+1])
	}
	if len(r.key) > 0 {
		req.Header["Idempotency-Key"] = r.key
	}
	if r.length != 0 {
		req.ContentLength = r.length
	}
	resp, err := client.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{err: err}
	}
	return answer{status: resp.StatusCode, header: resp.Header, body: string(b)}
}

// askDemo finds out what the target can be asked for, from the page that examples/payments has.
func (t *target) askDemo() {
	got := t.send(request{method: http.MethodGet, path: "/demo"})
	if got.status != http.StatusOK {
		return
	}
	for line := range strings.Lines(got.body) {
		if name, _, ok := strings.Cut(line, ": "); ok && strings.HasPrefix(name, "X-Demo-") {
			t.demo = append(t.demo, name)
		}
	}
}

// newKey is a key that nobody has used, in characters that all dialects accept.
func newKey() string { return rand.Text() }
