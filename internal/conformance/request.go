package conformance

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// A Target is one API, on one server or on several that are a fleet.
type Target struct {
	Servers []string // base URLs
	Path    string   // of a resource that a POST with a key creates
	Header  http.Header
	Body    string
	Tenant  string // the header that says whose key it is; empty if none does
	Page    string // the documentation URL that errors link to; empty if there is none

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

// Patience is for one request, and longer than any that is in flight for a while on purpose. A server
// that has hung for so long, so many times, is not asked any more.
const (
	Patience    = time.Minute
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
func (t *Target) send(ctx context.Context, r request) answer {
	if t.timeouts.Load() >= maxTimeouts {
		return answer{err: errHangs}
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.timeout, Patience))
	defer cancel()
	got := t.sendOnce(ctx, r)
	if errors.Is(got.err, context.DeadlineExceeded) {
		t.timeouts.Add(1)
	}
	return got
}

func (t *Target) sendOnce(ctx context.Context, r request) answer {
	server := t.Servers[int(t.turn.Add(1))%len(t.Servers)]
	method := cmp.Or(r.method, http.MethodPost)
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader(cmp.Or(r.body, t.Body))
	}
	req, err := http.NewRequestWithContext(ctx, method, server+cmp.Or(r.path, t.Path)+r.query, body)
	if err != nil {
		return answer{err: err}
	}
	for name, values := range t.Header {
		req.Header[name] = values
	}
	if t.Tenant != "" {
		req.Header.Set(t.Tenant, cmp.Or(r.tenant, tenant))
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

// AskDemo finds out what the target can be asked for, from the page that examples/payments has. The error is
// that of a server that gives no answer at all.
func (t *Target) AskDemo(ctx context.Context) error {
	got := t.send(ctx, request{method: http.MethodGet, path: "/demo"})
	if got.status != http.StatusOK {
		return got.err
	}
	for line := range strings.Lines(got.body) {
		if name, _, ok := strings.Cut(line, ": "); ok && strings.HasPrefix(name, "X-Demo-") {
			t.demo = append(t.demo, name)
		}
	}
	return nil
}

// Servers are the base URLs of a list with commas.
func Servers(list string) (servers []string, err error) {
	for server := range strings.SplitSeq(list, ",") {
		u, err := url.Parse(server)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, fmt.Errorf("got %q, want http://HOST:PORT", server)
		}
		servers = append(servers, strings.TrimSuffix(server, "/"))
	}
	return servers, nil
}

// Payments is what examples/payments is asked, on servers of any address.
func Payments() *Target {
	return &Target{
		Path:   "/payments",
		Header: http.Header{"Content-Type": {"application/json"}},
		Body:   `{"amount":1999,"currency":"GBP"}`,
		Tenant: "X-Account",
	}
}

// newKey is a key that nobody has used, in characters that all dialects accept.
func newKey() string { return rand.Text() }
