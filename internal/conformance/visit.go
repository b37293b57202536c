package conformance

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A visit asks one row of one target, and collects the differences.
type visit struct {
	*Contract
	ctx    context.Context
	target *Target
	diffs  []string
}

// ask sends the request, in the dialect's form, under keys as they go over the wire.
func (v *visit) ask(r request) answer {
	if v.accept != "" {
		r.header = append([]string{"Accept", v.accept}, r.header...)
	}
	return v.target.send(v.ctx, r)
}

// pay sends the usual request under a key.
func (v *visit) pay(key string, header ...string) answer {
	return v.ask(request{key: []string{v.key(key)}, header: header})
}

// other sends another request under the key.
func (v *visit) other(key string) answer {
	return v.ask(request{key: []string{v.key(key)}, body: otherBody})
}

// differ notes a difference; step says in which request, if the row has several.
func (v *visit) differ(step, what, want, got string) {
	v.diffs = append(v.diffs, fmt.Sprintf("%s: %s\n  want %s\n  got  %s", step, what, want, got))
}

func (v *visit) status(step string, got answer, want int) {
	if got.err != nil {
		v.differ(step, "status", strconv.Itoa(want), got.err.Error())
	} else if got.status != want {
		v.differ(step, "status", strconv.Itoa(want), fmt.Sprintf("%d with %s", got.status, quoted(got.body)))
	}
}

// short is enough of a body to see whose it is.
func short(body string) string { return body[:min(len(body), 300)] }

func quoted(s string) string { return strconv.Quote(short(s)) }

// lines are a header's field lines as text: contract headers have one, or none.
func lines(h http.Header, name string) string {
	var all []string
	for _, value := range h.Values(name) {
		all = append(all, strconv.Quote(value))
	}
	return cmp.Or(strings.Join(all, " and "), "none")
}

// one requires one field line, or none if want is empty.
func (v *visit) one(step string, h http.Header, name, want string) {
	text := "none"
	if want != "" {
		text = strconv.Quote(want)
	}
	if got := lines(h, name); got != text {
		v.differ(step, name, text, got)
	}
}

// refused requires the answer that the contract has for an outcome: status, headers, body.
func (v *visit) refused(step string, got answer, o outcome, key string) {
	status, body, err := v.render(o, key, v.target.Page)
	if err != nil {
		v.differ(step, "the golden file", "the contract's words", err.Error())
		return
	}
	v.status(step, got, status)
	if got.err != nil {
		return
	}
	retry := strconv.FormatBool(o.retry)
	v.one(step, got.header, "Content-Type", v.contentType)
	v.one(step, got.header, "Cache-Control", "no-store")
	v.one(step, got.header, "X-Content-Type-Options", "nosniff")
	v.one(step, got.header, "X-Should-Retry", retry)
	v.one(step, got.header, "Content-Length", strconv.Itoa(len(body)))
	v.one(step, got.header, "Content-Language", v.language)
	v.one(step, got.header, v.marker, "")
	if v.hint != "" {
		v.one(step, got.header, v.hint, retry)
	}
	link := ""
	if v.target.Page != "" {
		link = "<" + v.target.Page + `>; rel="describedby"; type="text/html"`
	}
	v.one(step, got.header, "Link", link)
	if !o.retry {
		v.one(step, got.header, "Retry-After", "")
	} else if s, err := strconv.Atoi(got.header.Get("Retry-After")); err != nil || s < 1 || s > 30 || len(got.header.Values("Retry-After")) != 1 {
		v.differ(step, "Retry-After", "1 to 30", lines(got.header, "Retry-After"))
	}
	if got.body != body {
		v.differ(step, "body", strconv.Quote(body), strconv.Quote(got.body))
	}
}

// fresh requires a success that is not marked as a replay.
func (v *visit) fresh(step string, got answer) {
	if !got.ok() {
		v.status(step, got, http.StatusCreated)
		return
	}
	v.unmarked(step, got)
	v.length(step, got)
}

func (v *visit) unmarked(step string, got answer) { v.one(step, got.header, v.marker, "") }

// length requires Content-Length to be that of the body, for which HTTP/1.1 has chunks otherwise.
func (v *visit) length(step string, got answer) {
	if got.err == nil && got.status != http.StatusNoContent && got.status != http.StatusNotModified {
		v.one(step, got.header, "Content-Length", strconv.Itoa(len(got.body)))
	}
}

// replays requires the stored answer: the status, headers and bytes of the first, and the marker.
func (v *visit) replays(step string, got, first answer, key string) {
	v.status(step, got, first.status)
	if got.err != nil || first.err != nil {
		return
	}
	v.one(step, got.header, v.marker, strings.ReplaceAll(v.value, "{KEY}", key))
	v.length(step, got)
	if v.marker == "Idempotent-Replayed" && got.status >= 500 { // Stripe's SDKs would send it again
		v.one(step, got.header, "Stripe-Should-Retry", "false")
	}
	names := maps.Clone(first.header)
	maps.Copy(names, got.header)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if was, is := lines(first.header, name), lines(got.header, name); name != v.marker && kept(name) && is != was {
			v.differ(step, name, was, is)
		}
	}
	if got.body != first.body {
		v.differ(step, "body", quoted(first.body), quoted(got.body))
	}
}

// notKept are the headers that no record has to keep; those that end so stand for all that begin so.
var notKept = []string{
	"Connection", "Keep-Alive", "Proxy-*", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Date", "Age", "Content-Length",
	"Set-Cookie", "Www-Authenticate", "Authentication-Info", "Retry-After", "Ratelimit*", "X-Ratelimit-*", "Server-Timing",
	"Alt-Svc", "Via", "Clear-Site-Data", "Traceparent", "Tracestate", "X-Request-Id", "Request-Id", "Access-Control-*",
	"X-Should-Retry", "Stripe-Should-Retry", "Retry-After-Ms",
}

func kept(name string) bool {
	return !slices.ContainsFunc(notKept, func(pattern string) bool {
		prefix, all := strings.CutSuffix(pattern, "*")
		return name == pattern || all && strings.HasPrefix(name, prefix)
	})
}

// firstDelay and lastDelay are how long requests that must meet in flight stay there.
const (
	firstDelay = 500 * time.Millisecond
	lastDelay  = 16 * firstDelay
)

// meet asks for something that needs requests to be in flight at once, again and with twice the time
// if they did not meet: a machine may be too busy for the first. The differences are those of the
// last try.
func (v *visit) meet(first time.Duration, ask func(delay time.Duration) (met bool)) {
	before := len(v.diffs)
	for delay := first; !ask(delay) && delay < lastDelay; delay *= 2 {
		v.diffs = v.diffs[:before]
	}
}

// twice sends a request two times at once and returns the answers as they come.
func (v *visit) twice(key string, header ...string) <-chan answer {
	answers := make(chan answer, 2)
	for range 2 {
		go func() { answers <- v.pay(key, header...) }()
	}
	return answers
}
