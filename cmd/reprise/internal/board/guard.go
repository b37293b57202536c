package board

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// policy lets a page load what this server has, and nothing else: no inline script or style.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// cookie is the name of what a browser keeps of the token.
const cookie = "reprise_board"

// maxForm bounds the body of a request, in bytes. A key has 64 KiB at most in its URL-encoded form.
const maxForm = 256 << 10

// guarded is who may ask for what.
func (b *Board) guarded(next http.Handler) http.Handler {
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		b.trouble(w, http.StatusForbidden, "Refused: another site has sent this", "Nothing was done. Use the board's own pages.", nil)
	}))
	next = origin.Handler(b.admitted(next))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
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
		kept, err := r.Cookie(cookie)
		_, isAsset := assets[strings.TrimPrefix(r.URL.Path, "/")]
		shown := r.URL.Query().Get("token")
		if r.Method == http.MethodPost && r.URL.Path == "/token" {
			shown = r.PostFormValue("token")
		}
		switch {
		case b.cfg.Token == "":
			next.ServeHTTP(w, r)
		case shown != "" && same(sessionOf(shown), b.session):
			http.SetCookie(w, &http.Cookie{Name: cookie, Value: b.session, Path: "/", HttpOnly: true,
				Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode})
			http.Redirect(w, r, withoutToken(r.URL), http.StatusSeeOther)
		case shown == "" && err == nil && same(kept.Value, b.session), isAsset:
			next.ServeHTTP(w, r)
		default:
			b.askForToken(w, shown != "")
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

// sessionOf is what a cookie holds: no token, and the same after a restart with the same token.
func sessionOf(token string) string {
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte("reprise board"))
	return hex.EncodeToString(mac.Sum(nil))
}

func same(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }
