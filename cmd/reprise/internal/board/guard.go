package board

import (
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// policy lets a page load what this server has, and nothing else: no inline script or style.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// maxForm bounds the body of a request, in bytes. A key has 64 KiB at most in its URL-encoded form.
const maxForm = 256 << 10

// guarded is who may ask for what.
func (b *Board) guarded(next http.Handler) http.Handler {
	next = b.fromHere(b.admitted(next))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin") // with no-referrer a browser says "Origin: null" of the board's own forms
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if b.cfg.Token == "" && !isLoopback(r.Host) {
			http.Error(w, "Host: want 127.0.0.1, [::1] or localhost: this board has no token, and answers on loopback alone",
				http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// fromHere refuses what another site has a browser send. That is so for a GET, too: to look costs Redis
// a walk, and there are only so many streams.
func (b *Board) fromHere(next http.Handler) http.Handler {
	origin := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asPost := *r // a GET would pass
		asPost.Method = http.MethodPost
		if origin.Check(&asPost) != nil && !isLink(r) {
			b.refuse(w, http.StatusForbidden, "refused", "Refused: another site has sent this", nil)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isLink tells whether a browser opens a page where it is seen, as by a link from another site: not in
// a frame, not ahead of time, and not the stream, which is no page.
func isLink(r *http.Request) bool {
	return r.Method == http.MethodGet && r.URL.Path != "/events" && r.Header.Get("Sec-Fetch-Mode") == "navigate" &&
		r.Header.Get("Sec-Fetch-Dest") == "document" && r.Header.Get("Sec-Purpose") == ""
}

// isLoopback tells whether a Host header names this machine to itself.
func isLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.IsLoopback()
}

// admitted lets those pass who have shown the token: once as ?token= or in the form of the page that
// asks for it, and since then by a cookie. The style of that page is for all.
func (b *Board) admitted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kept, err := r.Cookie(b.cookie)
		shown := r.URL.Query().Get("token")
		if r.Method == http.MethodPost && r.URL.Path == "/token" {
			shown = r.PostFormValue("token")
		}
		switch {
		case b.cfg.Token == "":
			next.ServeHTTP(w, r)
		case shown != "" && same(shown, b.cfg.Token):
			http.SetCookie(w, &http.Cookie{Name: b.cookie, Value: b.session, Path: "/", HttpOnly: true,
				Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode})
			http.Redirect(w, r, withoutToken(r.URL), http.StatusSeeOther)
		case shown == "" && err == nil && same(kept.Value, b.session), isAsset(r):
			next.ServeHTTP(w, r)
		default:
			b.refuse(w, http.StatusUnauthorized, "token", "Token", shown != "")
		}
	})
}

// withoutToken is where to go once the token has been shown: never to another host.
func withoutToken(u *url.URL) string {
	if u.Path == "/token" {
		return "/"
	}
	return "/" + strings.TrimLeft(u.EscapedPath(), "/\\")
}

// isAsset tells whether somebody reads what the page that asks for the token is drawn with.
func isAsset(r *http.Request) bool {
	_, known := assets[strings.TrimPrefix(r.URL.Path, "/")]
	return known && (r.Method == http.MethodGet || r.Method == http.MethodHead)
}

// same compares in a time that tells nothing of where they differ.
func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
