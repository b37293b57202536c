package board

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

const token = "a-token-of-24-characters"

// at is the board's address by another name.
func (s *site) at(name string) string { return strings.Replace(s.url, "127.0.0.1", name, 1) }

// login shows the token.
func (b *tab) login(url string) {
	b.t.Helper()
	b.expect("status of 401", "Opener-Policy header has been ignored", "Password forms should have")
	b.visit(url)
	b.do(chromedp.SendKeys(chromedp.CSS(`input[name=token]`), token))
	b.follow("form.confirm button")
	b.says("#pulse", "live: ")
}

// To a browser a name that isn't of loopback is without TLS no secure context: it sends less of where
// a request comes from, and the forms work all the same.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	s := newSite(t, "--token", token)
	digest := s.leave(t, "k")
	b := open(t, wide, false)
	b.login(s.at("board.internal") + "/")
	b.do(chromedp.SendKeys(chromedp.CSS(`input[name=scope]`), "acme"), chromedp.SendKeys(chromedp.CSS(`input[name=key]`), "k"))
	b.follow(".find button")
	b.says("h1", digest)
	b.follow(`a[href$="/release"]`)
	b.follow("form.confirm button")
	b.says(".result", "Released.")
}

// Two boards on one host let each other's operator be.
func TestTwoBoards(t *testing.T) {
	t.Parallel()
	one, other := newSite(t, "--token", token), newSite(t, "--token", token)
	b := open(t, narrow, true)
	b.login(one.at("two.internal") + "/")
	b.login(other.at("two.internal") + "/")
	b.visit(one.at("two.internal") + "/")
	b.says("#pulse", "live: ")
}

// A page of another site has no walk begun, by an image, a frame, a stream or a request; a link from
// it leads to the board.
func TestOtherSitesCantLook(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<title>evil</title><a href="%[1]s/">link</a><img src="%[1]s/"><iframe src="%[1]s/"></iframe>
<script>tried = 0; new EventSource("%[1]s/events").onerror = () => tried++;
fetch("%[1]s/", { mode: "no-cors" }).catch(() => 0).finally(() => tried++);</script>`, s.url)
	}))
	t.Cleanup(evil.Close)
	b := open(t, wide, false)
	b.expect("status of 403", "Failed to load resource", "blocked by CORS policy", "frame-ancestors")
	b.visit(strings.Replace(evil.URL, "127.0.0.1", "evil.internal", 1))
	b.until("all is refused", `tried >= 2 && document.readyState === "complete"`)
	if stats := s.redis.Admin.Info(t.Context(), "commandstats").Val(); strings.Contains(stats, "cmdstat_scan:") {
		t.Error("the board has walked the keys")
	}
	b.follow("a")
	b.says("#pulse", "live: ")
}

// Claims of a program that locks by itself below the prefix are rows of their own, which go with them.
func TestKeysWithoutDigest(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	names := []string{"job-1", "job-2", "job-3"}
	for _, name := range names {
		s.foreign(t, name, "L1 1 1790000000000000 1800000 f "+strings.Repeat("0", 32))
	}
	b := open(t, wide, false)
	b.visit(s.url + "/")
	b.says("#pulse", "live: 3 in flight")
	rows := func(want string) {
		t.Helper()
		b.until(want, fmt.Sprintf(`[...document.querySelectorAll("#in-flight tbody th")].map((e) => e.innerText).sort().join() === %q`, want))
	}
	rows("reprise:job-1,reprise:job-2,reprise:job-3")
	s.client.Del(t.Context(), s.engine.Config().Prefix+":job-2")
	rows("reprise:job-1,reprise:job-3")
}
