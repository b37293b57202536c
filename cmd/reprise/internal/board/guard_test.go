package board_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/reprise-go/reprise/cmd/reprise/internal/board"
)

func TestPagesLoadNothingFromElsewhere(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/", "/key/" + w.record("k", "v"), "/key/none", "/nowhere", "/board.css", "/board.js", "/icon.svg"} {
		r := w.ask(path, nil)
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
			"X-Content-Type-Options":  "nosniff",
			"Referrer-Policy":         "no-referrer",
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
		r := w.ask(path, nil, "Cookie", "reprise_board=a-token-of-24-characters")
		r.wants(t, http.StatusUnauthorized, "asks for its token")
		if strings.Contains(r.body, "6379") {
			t.Errorf("%s tells where Redis is", path)
		}
	}
	w.ask("/key/"+digest+"/forget", url.Values{}).wants(t, http.StatusUnauthorized)
	w.ask("/board.css", nil).wants(t, http.StatusOK)

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
