package httpclient

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/internal/derive"
)

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

// Within work under a key, every attempt makes a call under one key.
func TestDerivedKey(t *testing.T) {
	attempt := func() context.Context { // as the engine makes it
		return context.WithValue(t.Context(), derive.SourceKey{}, derive.Source{RedisKey: "reprise:0123"})
	}
	sent := func(ctx context.Context) string {
		t.Helper()
		s := &stage{scenes: []scene{created}}
		resp, err := (&Transport{Base: s}).RoundTrip(order(ctx, "order"))
		want(t, resp, err, 201, `{"id":1}`)
		return s.tries[0].Header.Get("Idempotency-Key")
	}
	charge := sent(WithDerivedKey(attempt(), "charge"))
	if again := sent(WithDerivedKey(attempt(), "charge")); again != charge || len(charge) != 36 {
		t.Errorf("attempt 1 sends %q, attempt 2 %q", charge, again)
	}
	if mail := sent(WithDerivedKey(attempt(), "mail")); mail == charge {
		t.Error("two names have one key")
	}

	for name, ctx := range map[string]context.Context{
		"outside of work": WithDerivedKey(t.Context(), "charge"),
		"without a name":  WithDerivedKey(attempt(), ""),
	} {
		s := &stage{scenes: []scene{created}}
		_, err := (&Transport{Base: s}).RoundTrip(order(ctx, "order"))
		if !errors.Is(err, ErrNoDerivedKey) || len(s.tries) > 0 {
			t.Errorf("%s: %v after %d tries, want ErrNoDerivedKey and none", name, err, len(s.tries))
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
		{name: "the header's, with white space around it, which no server counts", header: " h\t", field: " h\t", theKey: "h"},
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

func TestBadRequestsAreNotSent(t *testing.T) {
	for _, tc := range []struct {
		name string
		tr   Transport
		key  string
		edit func(*http.Request)
		want string
	}{
		{name: "a control character in the key", key: "a\nb", want: "dialect: Idempotency-Key is malformed: want visible ASCII characters, as Quoted is not set"},
		{name: "a space in the key", key: "a b", want: "dialect: Idempotency-Key is malformed: want visible ASCII characters, as Quoted is not set"},
		{name: "a quoted key beyond ASCII", tr: Transport{Quoted: true}, key: "é", want: "dialect: Idempotency-Key is malformed: want printable ASCII characters"},
		{name: "two keys", edit: func(r *http.Request) { r.Header["Idempotency-Key"] = []string{"a", "b"} },
			want: "dialect: Idempotency-Key is one of several: want one field line"},
		{name: "one key twice", edit: func(r *http.Request) { r.Header["Idempotency-Key"] = []string{"a", "a"} },
			want: "dialect: Idempotency-Key is one of several: want one field line"},
		{name: "a key after nothing", edit: func(r *http.Request) { r.Header["Idempotency-Key"] = []string{"", "b"} },
			want: "dialect: Idempotency-Key is one of several: want one field line"},
		{name: "nothing for a key", key: "c", edit: func(r *http.Request) { r.Header["Idempotency-Key"] = []string{""} },
			want: "dialect: Idempotency-Key is malformed: want a key, or no such header"},
		{name: "blanks for a key", edit: func(r *http.Request) { r.Header["Idempotency-Key"] = []string{" \t"} },
			want: "dialect: Idempotency-Key is malformed: want a key, or no such header"},
		{name: "a key under another spelling", edit: func(r *http.Request) { r.Header["idempotency-key"] = []string{"a"} },
			want: "dialect: Idempotency-Key is malformed: want its name spelled Idempotency-Key in the Header, as Set does"},
		{name: "a key under two spellings", edit: func(r *http.Request) {
			r.Header["Idempotency-Key"], r.Header["idempotency-key"] = []string{"a"}, []string{"a"}
		}, want: "dialect: Idempotency-Key is one of several: want one field line"},
		{name: "a header that net/http refuses", edit: func(r *http.Request) { r.Header.Set("X-A", "secret\n") }, want: "httpclient: the value of the header X-A has a control character"},
		{name: "a header's name that net/http refuses", edit: func(r *http.Request) { r.Header["a b"] = []string{""} }, want: `httpclient: "a b" is no header name`},
		{name: "bad settings", tr: Transport{MaxTries: -1, Methods: []string{"GET", "POST"}}, want: "httpclient: Methods: got \"GET\", want methods in upper case other than GET, HEAD, OPTIONS and TRACE, each once\nMaxTries: got \"-1\", want 1 or more"},
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
			if fault, ok := errors.AsType[*dialect.KeyError](err); ok != strings.HasPrefix(tc.want, "dialect: Idempotency-Key is ") || ok && fault.Header != "Idempotency-Key" {
				t.Errorf("it is a %T", err)
			}
			if errors.Is(err, ErrOutcomeUnknown) {
				t.Error("nothing was sent, and the outcome is said to be unknown")
			}
		})
	}
}

// Whatever a request has under the key's name: it is sent as it is, or nothing is sent.
func FuzzKeyIsNeverAltered(f *testing.F) {
	f.Add("Idempotency-Key", "a", "idempotency-key", "b", "c", false)
	f.Add("Idempotency-Key", "", "Idempotency-Key", "b", "", true)
	f.Add("IDEMPOTENCY-KEY", "a", "X", "", "c", false)
	f.Add("Idempotency-Key", " \t", "X", "", "c", true)
	f.Add("Idempotency-Key", `"a";x=1`, "X", "", "c", true)
	f.Add("Idempotency-Key", "a, b", "X", "\x00", "c", false)
	f.Add("X", "", "Y", "", "a\nb", false)
	f.Add("X", "", "Y", "", `two "words`, true)
	f.Fuzz(func(t *testing.T, name1, value1, name2, value2, given string, quoted bool) {
		r := order(WithKey(t.Context(), given), "order")
		r.Header[name1] = append(r.Header[name1], value1)
		r.Header[name2] = append(r.Header[name2], value2)
		under := func(h http.Header) (all []string) {
			for name, values := range h {
				if http.CanonicalHeaderKey(name) == "Idempotency-Key" {
					all = append(all, values...)
				}
			}
			return all
		}
		carried := under(r.Header)
		s := &stage{scenes: []scene{created}}
		resp, err := (&Transport{Base: s, Quoted: quoted}).RoundTrip(r)
		if err != nil {
			if len(s.tries) > 0 || errors.Is(err, ErrOutcomeUnknown) {
				t.Errorf("%v after %d tries", err, len(s.tries))
			}
			return
		}
		sent, key := under(s.tries[0].Header), ReplyOf(resp).Key
		switch {
		case len(sent) != 1 || len(carried) > 0 && sent[0] != carried[0] || len(carried) > 1:
			t.Errorf("carried %q, sent %q", carried, sent)
		case len(carried) == 0 && given != "" && key != given:
			t.Errorf("given %q, told of %q", given, key)
		}
		// A server that takes both forms of keys, as far as it can take this one, finds the key
		// that the caller is told of.
		if got, err := dialect.Lenient.Parse(sent); err == nil && got != key {
			t.Errorf("sent %q, which is %q, told of %q", sent, got, key)
		}
	})
}
