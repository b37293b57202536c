package board_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/reprise-go/reprise/cmd/reprise/internal/board"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

func TestPagesLoadNothingFromElsewhere(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/", "/key/" + w.record("k", "v"), "/key/none", "/nowhere", "/board.css", "/board.js", "/icon.svg"} {
		r := w.ask(path, nil)
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
			"X-Content-Type-Options":  "nosniff",
			"Referrer-Policy":         "same-origin",
			"Cache-Control":           "no-store",
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %s: got %q, want %q", path, name, got, want)
			}
		}
		for _, bad := range []string{" style=", " onclick", "javascript:", "src=\"http", "<script>"} {
			if strings.Contains(r.body, bad) && strings.Contains(r.Header.Get("Content-Type"), "html") {
				t.Errorf("%s has %s", path, bad)
			}
		}
	}
}

// Nothing is done by GET or HEAD, whatever the query says.
func TestGetDoesNothing(t *testing.T) {
	w := newWorld(t)
	record, claim := w.record("done", "v"), w.leave("left")
	mark := w.ask("/key/"+record, nil).mark(t)
	for _, path := range []string{"/key/" + record + "/forget", "/key/" + claim + "/release", "/key/" + record + "/reveal"} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			r, err := http.NewRequestWithContext(t.Context(), method, w.url+path+"?mark="+mark, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := w.client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		}
	}
	if n := len(w.redis.Keys()); n != 2 || len(w.done) > 0 {
		t.Errorf("%d keys and %d acts, want 2 and none", n, len(w.done))
	}
}

func TestOtherSitesAreRefused(t *testing.T) {
	w := newWorld(t)
	digest := w.record("done", "v")
	form := url.Values{"mark": {w.ask("/key/"+digest, nil).mark(t)}}
	for _, path := range []string{"/key/" + digest + "/forget", "/key/" + digest + "/reveal", "/find"} {
		w.ask(path, form, "Origin", "https://evil.example").wants(t, http.StatusForbidden, "another site")
		w.ask(path, form, "Sec-Fetch-Site", "cross-site").wants(t, http.StatusForbidden, "another site")
	}
	if n := len(w.redis.Keys()); n != 1 {
		t.Errorf("%d keys, want the record", n)
	}
	w.ask("/key/"+digest+"/forget", form, "Sec-Fetch-Site", "same-origin").wants(t, http.StatusOK, "Forgotten")
}

// Another site may lead somebody here, and have a browser do nothing else: to look costs a walk.
func TestOtherSitesCantLook(t *testing.T) {
	w := newWorld(t)
	f := &fake{Engine: w.engine, nodes: func() ([]lock.Node, error) { return nil, nil }, entries: func() ([]replay.Entry, error) { return nil, nil }}
	w.serve(f)
	link := []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}
	frame := []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}
	image := []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}
	for what, asked := range map[string]struct {
		path    string
		headers []string
	}{
		"an image":                        {"/", image},
		"an image of another port's page": {"/", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}},
		"a key's page as an image":        {"/key/" + strings.Repeat("0", 64), image},
		"a frame":                         {"/", frame},
		"a page ahead of time":            {"/", append(slices.Clone(link), "Sec-Purpose", "prefetch")},
		"a stream":                        {"/events", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors"}},
		"a stream by a link":              {"/events", link},
		"a stream of an old browser":      {"/events", []string{"Origin", "https://evil.example"}},
	} {
		t.Log(what)
		w.ask(asked.path, nil, asked.headers...).wants(t, http.StatusForbidden, "another site")
	}
	if n := f.looks.Load(); n > 0 {
		t.Errorf("it has looked %d times", n)
	}
	w.ask("/", nil, link...).wants(t, http.StatusOK)
	w.ask("/", nil, "Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate").wants(t, http.StatusOK)
	w.ask("/events", nil, "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors").wants(t, http.StatusOK)
}

// A name that leads to loopback is a foreign page's.
func TestHostIsLoopback(t *testing.T) {
	w := newWorld(t)
	for host, status := range map[string]int{
		"evil.example": 403, "evil.example:7474": 403, "127.0.0.1.evil.example": 403, "10.0.0.1:7474": 403, "": 200, // Go fills it in
		"localhost:7474": 200, "127.0.0.1": 200, "[::1]:7474": 200, "127.8.0.1:1": 200,
	} {
		w.ask("/key/"+strings.Repeat("0", 64), nil, "Host", host).wants(t, status)
	}
}

func TestToken(t *testing.T) {
	w := newWorld(t, func(c *board.Config) { c.Token = "a-token-of-24-characters" })
	digest := w.record("done", "v")
	for _, path := range []string{"/", "/events", "/key/" + digest, "/?token=wrong", "/?token="} {
		r := w.ask(path, nil, "Cookie", w.cookie()+"=a-token-of-24-characters")
		r.wants(t, http.StatusUnauthorized, "asks for its token")
		if strings.Contains(r.body, "6379") {
			t.Errorf("%s tells where Redis is", path)
		}
	}
	w.ask("/key/"+digest+"/forget", url.Values{}).wants(t, http.StatusUnauthorized)
	w.ask("/board.css", nil).wants(t, http.StatusOK)
	for _, path := range []string{"/", "/board.css", "/token"} {
		for _, site := range []string{"same-origin", "cross-site"} {
			r := w.ask(path, url.Values{}, "Sec-Fetch-Site", site)
			if r.StatusCode < 400 || strings.Contains(r.body, "6379") || strings.Contains(r.body, "/find") {
				t.Errorf("POST %s from %s: %d:\n%s", path, site, r.StatusCode, r.body)
			}
		}
	}

	enter := func(r reply, to string) string {
		t.Helper()
		r.wants(t, http.StatusSeeOther)
		c := r.Header.Get("Set-Cookie")
		if !strings.Contains(c, "; HttpOnly") || !strings.Contains(c, "; SameSite=Strict") || strings.Contains(c, "a-token") {
			t.Errorf("cookie %q", c)
		}
		if got := r.Header.Get("Location"); got != to {
			t.Errorf("leads to %q, want %q", got, to)
		}
		c, _, _ = strings.Cut(c, ";")
		return c
	}
	c := enter(w.ask("/?token=a-token-of-24-characters", nil), "/")
	enter(w.ask("/key/"+digest+"?token=a-token-of-24-characters", nil), "/key/"+digest)
	enter(w.ask("//evil.example/?token=a-token-of-24-characters", nil), "/evil.example/")
	enter(w.ask("/token", url.Values{"token": {"a-token-of-24-characters"}}), "/")
	w.ask("/token", url.Values{"token": {"wrong"}}).wants(t, http.StatusUnauthorized, "not the token")
	// With a token, the board may have any name.
	w.ask("/key/"+digest, nil, "Cookie", c, "Host", "board.internal").wants(t, http.StatusOK, digest)
}

// cookie is the name of the board's.
func (w *world) cookie() string {
	w.Helper()
	r := w.ask("/?token=a-token-of-24-characters", nil)
	name, _, found := strings.Cut(r.Header.Get("Set-Cookie"), "=")
	if !found {
		w.Fatalf("no cookie; status %d", r.StatusCode)
	}
	return name
}

// A browser has one jar for all ports of a host: each board finds its own cookie there, which opens no
// other, be its token the same.
func TestCookieIsOfOneBoard(t *testing.T) {
	token := func(c *board.Config) { c.Token = "a-token-of-24-characters" }
	one, other := newWorld(t, token), newWorld(t, token)
	login := func(w *world) string {
		t.Helper()
		c, _, _ := strings.Cut(w.ask("/token", url.Values{"token": {"a-token-of-24-characters"}}).Header.Get("Set-Cookie"), ";")
		return c
	}
	first, second := login(one), login(other)
	for _, w := range []*world{one, other} {
		w.ask("/", nil, "Cookie", first+"; "+second).wants(t, http.StatusOK)
	}
	_, value, _ := strings.Cut(first, "=")
	other.ask("/", nil, "Cookie", other.cookie()+"="+value).wants(t, http.StatusUnauthorized)
}
