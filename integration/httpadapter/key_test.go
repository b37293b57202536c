package httpadapter_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/replay"
)

var errNobody = errors.New("nobody")

// requires makes keys required.
func requires(c *httpadapter.Config) { c.RequireKey = true }

func TestKeyFaults(t *testing.T) {
	for _, tc := range []struct {
		name string
		edit func(*http.Request)
		code string
		says string
	}{
		{"missing", withoutKey, "missing", "Idempotency-Key"},
		{"empty", key(""), "invalid", "1 to 255"},
		{"malformed", key("a,b"), "invalid", "1 to 255"},
		{"half a string", key(`"abc`), "invalid", "1 to 255"},
		{"too long", key(strings.Repeat("k", 256)), "invalid", "1 to 255"},
		{"two", header("Idempotency-Key", "a", "b"), "invalid", "one field line"},
		{"two that agree", header("Idempotency-Key", "a", "a"), "invalid", "one field line"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				s := newSite(t, f, writes(201, "no"), setup{http: requires})
				a := s.post("order", tc.edit)
				a.isProblem(t, 400, tc.code, "")
				if !strings.Contains(a.body, tc.says) {
					t.Errorf("%s does not say %q", a.body, tc.says)
				}
				s.ran(0)
				if got := s.Trips(); len(got) != 0 {
					t.Errorf("it takes %q to refuse", got)
				}
			})
		})
	}
}

func TestAliasHeaders(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, writes(201, "created"), setup{http: func(c *httpadapter.Config) {
			c.Headers = []string{"Idempotency-Key", "x-idempotency-key"}
			c.RequireKey = true
		}})
		alias := header("X-Idempotency-Key", rawKey)
		fresh := s.post("order")
		s.post("order", withoutKey, alias).replays(t, fresh)
		s.post("order", alias).replays(t, fresh)
		s.post("order", header("X-Idempotency-Key", "other")).isProblem(t, 400, "invalid", "")
		s.ran(1)
	})
}

// "abc" in quotes and abc without are one key, but not where only the standard's form is accepted.
func TestKeyForms(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, writes(201, "created"))
		fresh := s.post("order")
		s.post("order", key(`"`+rawKey+`"`)).replays(t, fresh)
		s.post("order", key(`"`+rawKey+`";p=1`)).replays(t, fresh)
		strict := newSite(t, f, writes(201, "no"), setup{http: func(c *httpadapter.Config) { c.Syntax = dialect.Strict }})
		strict.post("order").isProblem(t, 400, "invalid", "")
		strict.post("order", key(`"`+rawKey+`"`)).replays(t, fresh)
	})
}

// What doesn't take part passes, and Redis is not asked.
func TestPassing(t *testing.T) {
	for _, tc := range []struct {
		name string
		edit func(*http.Request)
		runs int32
	}{
		{"GET", method("GET"), 2},
		{"HEAD", method("HEAD"), 2},
		{"PUT, by default", method("PUT"), 2},
		{"POST without a key", withoutKey, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
					if _, ok := replay.AttemptFrom(r.Context()); ok {
						t.Error("there is an attempt")
					}
					writes(200, "")(w, r)
				})
				for range 2 {
					s.post("", tc.edit).isFresh(t, 200, "")
				}
				s.ran(tc.runs)
				if got := s.Trips(); len(got) != 0 {
					t.Errorf("it takes %q", got)
				}
			})
		})
	}
}

func TestMethodsThatTakePart(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, writes(200, "done"))
		fresh := s.post("order", method("PATCH"))
		s.post("order", method("PATCH")).replays(t, fresh)
		s.post("order").isProblem(t, 422, "reused", "") // the method is part of the request

		s = newSite(t, f, writes(200, "done"), setup{http: func(c *httpadapter.Config) { c.Methods = []string{"PUT"} }})
		fresh = s.post("order", method("PUT"), key("put"))
		s.post("order", method("PUT"), key("put")).replays(t, fresh)
		s.post("order").isFresh(t, 200, "done") // POST doesn't take part now
	})
}

func TestScopes(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) { writes(201, "for "+r.Header.Get("X-Tag"))(w, r) })
		one := s.post("order", header("X-Tag", "one"))
		two := s.post("order", header("X-Tag", "two"), header("X-Account", "two"))
		two.isFresh(t, 201, "for two")
		s.post("order").replays(t, one)
		s.post("order", header("X-Account", "two")).replays(t, two)
		s.ran(2)

		for _, values := range [][]string{nil, {""}, {"one", "two"}, {"one", "one"}} {
			s.Trips()
			s.post("order", header("X-Account", values...)).isProblem(t, 400, "unscoped", "")
			if got := s.Trips(); len(got) != 0 {
				t.Errorf("%q: it takes %q", values, got)
			}
		}
		s.ran(2)

		s = newSite(t, f, writes(201, "no"), setup{http: func(c *httpadapter.Config) {
			c.Scope = httpadapter.ScopeFunc(func(r *http.Request) (string, error) { return r.URL.Host, errNobody })
		}})
		s.post("order").isProblem(t, 400, "unscoped", "")
		s = newSite(t, f, writes(201, "done"), setup{http: func(c *httpadapter.Config) { c.Scope = httpadapter.GlobalScope }})
		fresh := s.post("order", header("X-Account"))
		s.post("order", header("X-Account", "anyone")).replays(t, fresh)
	})
}
