package httpclient

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reprise-go/reprise/dialect"
)

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
		{"409 in progress, as draft-07 has it, without Retry-After", says(409, draftInProgress, "Content-Type: application/problem+json"), 2},
		{"409 in progress, as Credicorp says it", says(409, credicorpInProgress), 2},
		{"409 in progress, as BlueSnap says it", says(409, blueSnapXML, "Content-Type: application/xml"), 2},
		{"409 in progress, as Stripe says it", says(409, stripeInUse), 2},
		{"409 in progress, and not to be tried again", says(409, stripeInUse, "X-Should-Retry: false"), 1},
		{"409 in progress, and replayed by whoever stored it", says(409, stripeInUse, "Idempotency-Replayed: true"), 1},
		{"409 for another request, with Retry-After", says(409, credicorpReused, "Retry-After: 1"), 1},
		{"500 that is for the operator", says(500, `{"error":{"code":"unreadable"}}`), 1},
		{"425", says(425, ""), 2},
		{"429", says(429, ""), 2},
		{"500", says(500, ""), 2},
		{"502", says(502, ""), 2},
		{"503", says(503, ""), 2},
		{"504", says(504, ""), 2},
		{"408", says(408, ""), 2},
		{"520", says(520, ""), 2},
		{"521", says(521, ""), 2},
		{"522", says(522, ""), 2},
		{"523", says(523, ""), 2},
		{"524", says(524, ""), 2},
		{"530", says(530, ""), 2},
		{"525", says(525, ""), 1},
		{"500 replayed", says(500, "", "Idempotency-Replayed: true"), 1},
		{"500 replayed, as Stripe says it", says(500, "", "Idempotent-Replayed: true"), 1},
		{"500 with the key's echo", says(500, "", "Idempotency-Key: k"), 2},
		{"503 replayed", says(503, "", "Idempotency-Replayed: true"), 1},
		{"501", says(501, ""), 1},
		{"200", says(200, ""), 1},
		{"307", says(307, ""), 1},
		{"400", says(400, ""), 1},
		{"401", says(401, "", "Retry-After: 1"), 1},
		{"422", says(422, "", "Retry-After: 1"), 1},
		{"503, and not to be tried again", says(503, "", "X-Should-Retry: false"), 1},
		{"503, and not to be tried again, as Stripe says it", says(503, "", "Stripe-Should-Retry: false"), 1},
		{"503, and not to be tried again, with white space as over HTTP/2", says(503, "", "X-Should-Retry:  False\t"), 1},
		{"503 of a replay, with white space as over HTTP/2", says(503, "", "Idempotency-Replayed:  true "), 1},
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

// Many servers and gateways send the key back with every answer, so an echo alone proves nothing.
// If the server is known to send it back on replays only, the echo is a marker, with or without
// quotes around the key.
func TestEcho(t *testing.T) {
	for _, tc := range []struct {
		name     string
		edit     func(*Transport)
		answer   scene
		replayed bool
	}{
		{"of a server that nobody knows", func(*Transport) {}, says(402, "", "Idempotency-Key: k"), false},
		{"of another dialect", func(tr *Transport) { tr.Dialect = dialect.Problem{} }, says(402, "", "Idempotency-Key: k"), false},
		{"BlueSnap's", func(tr *Transport) { tr.Dialect = dialect.BlueSnap{} }, says(402, "", "Idempotency-Key: k"), true},
		{"BlueSnap's, with strict keys", func(tr *Transport) { tr.Dialect, tr.Quoted = dialect.BlueSnap{}, true }, says(402, "", "Idempotency-Key: k"), true},
		{"BlueSnap's, in quotes", func(tr *Transport) { tr.Dialect = dialect.BlueSnap{} }, says(402, "", `Idempotency-Key: "k"`), true},
		{"BlueSnap's, of another key", func(tr *Transport) { tr.Dialect = dialect.BlueSnap{} }, says(402, "", "Idempotency-Key: K"), false},
		{"BlueSnap's, whose name doesn't follow ours", func(tr *Transport) { tr.Dialect, tr.Header = dialect.BlueSnap{}, "X-Key" }, says(402, "", "Idempotency-Key: k"), true},
		{"a gateway's before BlueSnap, which stores no 502", func(tr *Transport) { tr.Dialect = dialect.BlueSnap{} }, says(502, "", "Idempotency-Key: k"), false},
		{"no echo but a dialect of one's own", func(tr *Transport) { tr.Dialect = cached{} }, says(500, "", "X-From: store"), true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			play(t, func(t *testing.T, tr *Transport, s *stage) {
				tr.MaxTries = 1
				tc.edit(tr)
				resp, err := tr.RoundTrip(order(WithKey(t.Context(), "k"), "order"))
				if err != nil || ReplyOf(resp).Replayed != tc.replayed {
					t.Errorf("got %+v, %v, want it replayed: %v", ReplyOf(resp), err, tc.replayed)
				}
			}, tc.answer)
		})
	}
}

// cached is a dialect with a marker of its own.
type cached struct{ dialect.Problem }

func (cached) Marker(string) (name, value string) { return "X-From", "store" }

// half is a scene whose answer breaks off.
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

func TestValidateNamesEveryField(t *testing.T) {
	bad := Transport{
		Methods: []string{"a b", "post"}, Header: "a b", Timeout: -1, TryTimeout: -1, MaxTries: -1, Backoff: -1,
		MaxBackoff: -2, MaxBuffer: -1, MaxResponse: maxBuffer + 1,
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
	if !strings.Contains(err.Error(), `Methods: got "post"`) {
		t.Errorf("a method that no request has is let through:\n%v", err)
	}
	if _, ok := errors.AsType[*ConfigError](err); !ok {
		t.Errorf("%T is no *ConfigError", err)
	}
	if err := new(Transport).Validate(); err != nil {
		t.Errorf("the zero value: %v", err)
	}
	for _, header := range []string{"Host", "content-length", "Transfer-Encoding", "Trailer", "Connection"} {
		if err := (&Transport{Header: header}).Validate(); err == nil {
			t.Errorf("%s can carry no key: net/http leaves it out, or makes its own", header)
		}
	}
	if err := (&Transport{Backoff: time.Minute}).Validate(); err != nil {
		t.Errorf("a Backoff above the default of MaxBackoff: %v", err)
	}
}

// Many goroutines may use one Transport, each with its own key.
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
