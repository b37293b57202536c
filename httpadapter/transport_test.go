package httpadapter

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// These tests have a Base that plays a script, and time of their own. Transports over the real adapter are in the
// module integration.

// A stage answers the tries of a call one after the other, the last scene for all that come later.
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

// waits are the pauses between tries.
func (s *stage) waits() (all []time.Duration) {
	for i := 1; i < len(s.times); i++ {
		all = append(all, s.times[i].Sub(s.times[i-1]))
	}
	return all
}

// says answers with a status, a body and header lines.
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

// hangs as a server does that never answers.
func hangs(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

var (
	errReset   = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	created    = says(201, `{"id":1}`)
)

// play runs test in a bubble, over a stage with these scenes.
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

// want checks the answer and reads it.
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

func TestWhatIsTriedAgain(t *testing.T) {
	for _, tc := range []struct {
		name  string
		first scene
		tries int
	}{
		{"a network error", fails(errReset), 2},
		{"no connection", fails(errRefused), 2},
		{"an early end", fails(io.ErrUnexpectedEOF), 2},
		{"half an answer", half, 2},
		{"409 with Retry-After", says(409, "", "Retry-After: 1"), 2},
		{"409 with Retry-After-Ms", says(409, "", "Retry-After-Ms: 1"), 2},
		{"409 without", says(409, ""), 1},
		{"409 with one that nobody can read", says(409, "", "Retry-After: soon"), 1},
		{"425", says(425, ""), 2},
		{"429", says(429, ""), 2},
		{"500", says(500, ""), 2},
		{"502", says(502, ""), 2},
		{"503", says(503, ""), 2},
		{"504", says(504, ""), 2},
		{"500 replayed", says(500, "", "Idempotency-Replayed: true"), 1},
		{"500 replayed, as Stripe says it", says(500, "", "Idempotent-Replayed: true"), 1},
		{"500 replayed, as BlueSnap says it", says(500, "", "Idempotency-Key: k"), 1},
		{"500 with another key's echo", says(500, "", "Idempotency-Key: other"), 2},
		{"503 replayed", says(503, "", "Idempotency-Replayed: true"), 1},
		{"501", says(501, ""), 1},
		{"200", says(200, ""), 1},
		{"307", says(307, ""), 1},
		{"400", says(400, ""), 1},
		{"401", says(401, "", "Retry-After: 1"), 1},
		{"408", says(408, ""), 1},
		{"422", says(422, "", "Retry-After: 1"), 1},
		{"503, and not to be tried again", says(503, "", "X-Should-Retry: false"), 1},
		{"503, and not to be tried again, as Stripe says it", says(503, "", "Stripe-Should-Retry: false"), 1},
		{"409, to be tried again", says(409, "", "X-Should-Retry: true"), 2},
		{"409, to be tried again, as Stripe says it", says(409, "", "Stripe-Should-Retry: true"), 2},
		{"400, to be tried again", says(400, "", "X-Should-Retry: true"), 2},
		{"200, to be tried again", says(200, "", "X-Should-Retry: true"), 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			play(t, func(t *testing.T, tr *Transport, s *stage) {
				resp, err := tr.RoundTrip(order(WithKey(t.Context(), "k"), "order"))
				if err != nil {
					t.Fatal(err)
				}
				if reply := ReplyOf(resp); reply.Tries != tc.tries || len(s.tries) != tc.tries || reply.Key != "k" {
					t.Errorf("%d tries, told of %+v, want %d", len(s.tries), reply, tc.tries)
				}
				if resp.Body.Close(); s.open != 0 {
					t.Errorf("%d bodies of answers are still open", s.open)
				}
			}, tc.first, created)
		})
	}
}

// half is an answer that breaks off.
func half(*http.Request) (*http.Response, error) {
	body := io.MultiReader(strings.NewReader(`{"id"`), broken{})
	return &http.Response{StatusCode: 201, Header: http.Header{}, ContentLength: 8, Body: io.NopCloser(body)}, nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestEveryTryIsTheSameRequest(t *testing.T) {
	play(t, func(t *testing.T, tr *Transport, s *stage) {
		r := order(t.Context(), "the same bytes")
		r.Header.Set("Authorization", "secret")
		before := r.Header.Clone()
		resp, err := tr.RoundTrip(r)
		want(t, resp, err, 201, `{"id":1}`)
		key := ReplyOf(resp).Key
		if !uuidV4.MatchString(key) {
			t.Errorf("key %q, want a UUID of version 4", key)
		}
		for i, try := range s.tries {
			if s.bodies[i] != "the same bytes" || try.ContentLength != 14 || try.Header.Get("Authorization") != "secret" ||
				!slices.Equal(try.Header["Idempotency-Key"], []string{key}) {
				t.Errorf("try %d: %q, %d, %v", i+1, s.bodies[i], try.ContentLength, try.Header)
			}
			if try == r {
				t.Error("Base got the caller's own request")
			}
		}
		if len(s.tries) != 4 || len(before) != len(r.Header) || r.Header.Get("Idempotency-Key") != "" {
			t.Errorf("%d tries, and the caller's header is %v", len(s.tries), r.Header)
		}
		if resp.Request.URL != r.URL {
			t.Error("the answer doesn't know its request, which redirects need")
		}
	}, fails(errReset), says(503, ""), fails(errRefused), created)
}

var uuidV4 = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestNewKey(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		if k := NewKey(); !uuidV4.MatchString(k) || seen[k] {
			t.Fatalf("%q is no UUID of version 4, or not new", k)
		} else {
			seen[k] = true
		}
	}
}

func TestWhoseKey(t *testing.T) {
	for _, tc := range []struct {
		name          string
		tr            Transport
		ctx           string // by WithKey
		header        string // the caller's
		field, theKey string // what is sent, and told of; empty: a new one
	}{
		{name: "a new one"},
		{name: "the context's", ctx: "c", field: "c", theKey: "c"},
		{name: "the header's", ctx: "c", header: "h", field: "h", theKey: "h"},
		{name: "the header's, quoted by the caller", header: `"a\"b"`, field: `"a\"b"`, theKey: `a"b`},
		{name: "quoted by us", tr: Transport{Quoted: true}, ctx: `a"\ b`, field: `"a\"\\ b"`, theKey: `a"\ b`},
		{name: "the header's is not quoted", tr: Transport{Quoted: true}, header: "h", field: "h", theKey: "h"},
		{name: "in another header", tr: Transport{Header: "x-request-key"}, ctx: "c", field: "c", theKey: "c"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := &stage{scenes: []scene{created}}
			tc.tr.Base = s
			r := order(WithKey(t.Context(), tc.ctx), "order")
			name := "Idempotency-Key"
			if tc.tr.Header != "" {
				name = http.CanonicalHeaderKey(tc.tr.Header)
			}
			if tc.header != "" {
				r.Header.Set(name, tc.header)
			}
			resp, err := tc.tr.RoundTrip(r)
			want(t, resp, err, 201, `{"id":1}`)
			got := s.tries[0].Header.Get(name)
			if tc.field == "" {
				tc.field, tc.theKey = got, got
			}
			if got != tc.field || got == "" || ReplyOf(resp).Key != tc.theKey {
				t.Errorf("sent %q, told of %q, want %q, %q", got, ReplyOf(resp).Key, tc.field, tc.theKey)
			}
		})
	}
}

func TestWhatTakesNoPart(t *testing.T) {
	for name, edit := range map[string]func(*http.Request){
		"GET":            func(r *http.Request) { r.Method = "GET" },
		"PUT":            func(r *http.Request) { r.Method = "PUT" },
		"an upgrade":     func(r *http.Request) { r.Header.Set("Upgrade", "websocket") },
		"another scheme": func(r *http.Request) { r.URL.Scheme = "unix" },
		"no host":        func(r *http.Request) { r.URL.Host = "" },
	} {
		t.Run(name, func(t *testing.T) {
			s := &stage{scenes: []scene{says(503, "")}}
			r := order(t.Context(), "order")
			edit(r)
			resp, err := (&Transport{Base: s}).RoundTrip(r)
			if want(t, resp, err, 503, ""); len(s.tries) != 1 || s.tries[0] != r || ReplyOf(resp) != (Reply{}) {
				t.Errorf("it took part: %d tries, %+v", len(s.tries), ReplyOf(resp))
			}
		})
	}
	s := &stage{scenes: []scene{says(503, ""), created}}
	r := order(t.Context(), "order")
	r.Method = "PUT"
	resp, err := (&Transport{Base: s, Methods: []string{"PUT"}}).RoundTrip(r)
	want(t, resp, err, 201, `{"id":1}`)
}

func TestBadRequestsAreNotSent(t *testing.T) {
	for _, tc := range []struct {
		name string
		tr   Transport
		key  string
		edit func(*http.Request)
		want string
	}{
		{name: "a control character in the key", key: "a\nb", want: "httpadapter: Idempotency-Key is malformed: want visible ASCII characters, as Quoted is not set"},
		{name: "a space in the key", key: "a b", want: "httpadapter: Idempotency-Key is malformed: want visible ASCII characters, as Quoted is not set"},
		{name: "a quoted key beyond ASCII", tr: Transport{Quoted: true}, key: "é", want: "httpadapter: Idempotency-Key is malformed: want printable ASCII characters"},
		{name: "a header that net/http refuses", edit: func(r *http.Request) { r.Header.Set("X-A", "secret\n") }, want: "httpadapter: the value of the header X-A has a control character"},
		{name: "a header's name that net/http refuses", edit: func(r *http.Request) { r.Header["a b"] = []string{""} }, want: `httpadapter: "a b" is no header name`},
		{name: "bad settings", tr: Transport{MaxTries: -1, Methods: []string{"GET", "POST"}}, want: "httpadapter: Methods: got \"GET\", want methods other than GET, HEAD, OPTIONS and TRACE\nMaxTries: got \"-1\", want 1 or more"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := &stage{scenes: []scene{created}}
			tc.tr.Base = s
			body := &closing{Reader: strings.NewReader("order")}
			r := order(WithKey(t.Context(), tc.key), "")
			r.Body = body
			if tc.edit != nil {
				tc.edit(r)
			}
			resp, err := tc.tr.RoundTrip(r)
			if resp != nil || err == nil || err.Error() != tc.want || len(s.tries) > 0 || !body.closed {
				t.Errorf("got %v, %v, %d tries, body closed: %v\nwant %s", resp, err, len(s.tries), body.closed, tc.want)
			}
			if errors.Is(err, ErrOutcomeUnknown) {
				t.Error("nothing was sent, and the outcome is said to be unknown")
			}
		})
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

func TestValidateNamesEveryField(t *testing.T) {
	bad := Transport{
		Methods: []string{"a b"}, Header: "a b", Timeout: -1, TryTimeout: -1, MaxTries: -1, Backoff: -1,
		MaxBackoff: -2, MaxBuffer: -1, MaxResponse: maxLimit + 1,
	}
	err := bad.Validate()
	if err == nil {
		t.Fatal("no fault")
	}
	for _, name := range []string{"Methods", "Header", "Timeout", "TryTimeout", "MaxTries", "Backoff", "MaxBackoff", "MaxBuffer", "MaxResponse"} {
		if !regexp.MustCompile("(?m)^" + name + ": ").MatchString(err.Error()) {
			t.Errorf("nothing of %s in\n%v", name, err)
		}
	}
	if _, ok := errors.AsType[*ConfigError](err); !ok {
		t.Errorf("%T is no *ConfigError", err)
	}
	if err := new(Transport).Validate(); err != nil {
		t.Errorf("the zero value: %v", err)
	}
	if err := (&Transport{Backoff: time.Minute}).Validate(); err != nil {
		t.Errorf("a Backoff above the default of MaxBackoff: %v", err)
	}
}

// One Transport serves many goroutines, each with its own key.
func TestConcurrentCalls(t *testing.T) {
	play(t, func(t *testing.T, tr *Transport, s *stage) {
		var wg sync.WaitGroup
		keys := make([]string, 50)
		for i := range keys {
			wg.Go(func() {
				resp, err := tr.RoundTrip(order(t.Context(), "order "+strconv.Itoa(i)))
				if want(t, resp, err, 201, "order "+strconv.Itoa(i)); err == nil {
					keys[i] = ReplyOf(resp).Key
				}
			})
		}
		wg.Wait()
		slices.Sort(keys)
		if n := len(slices.Compact(keys)); n != 50 {
			t.Errorf("%d keys for 50 calls", n)
		}
	}, func() scene {
		var mu sync.Mutex
		seen := map[string]bool{}
		return func(r *http.Request) (*http.Response, error) {
			key := r.Header.Get("Idempotency-Key")
			mu.Lock()
			defer mu.Unlock()
			if !seen[key] {
				seen[key] = true
				return nil, errReset
			}
			body, _ := r.GetBody()
			b := new(bytes.Buffer)
			_, _ = b.ReadFrom(body)
			return says(201, b.String())(r)
		}
	}())
}
