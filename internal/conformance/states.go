package conformance

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

func askDone(v *visit) {
	key := newKey()
	first := v.pay(key)
	v.fresh("first", first)
	for i := range 3 { // a fleet of three answers as one
		v.replays(fmt.Sprintf("retry %d", i+1), v.pay(key), first, key)
	}
}

func askTenants(v *visit) {
	key := newKey()
	wire := []string{v.key(key)}
	first := v.pay(key)
	v.fresh("one tenant", first)
	second := v.ask(request{key: wire, tenant: otherTenant})
	v.fresh("another", second)
	v.fresh("a third, with another request", v.ask(request{key: wire, tenant: "conformance-3", body: otherBody}))
	v.replays("the one again", v.pay(key), first, key)
	v.replays("the other again", v.ask(request{key: wire, tenant: otherTenant}), second, key)
}

func askReused(v *visit) {
	key := newKey()
	wire := []string{v.key(key)}
	first := v.pay(key)
	v.fresh("first", first)
	v.refused("another body", v.other(key), reused, key)
	v.refused("another media type", v.pay(key, "Content-Type", "text/plain"), reused, key)
	v.refused("another query", v.ask(request{key: wire, query: "?q=1"}), reused, key)
	v.replays("the first again", v.pay(key), first, key)
}

// askSame: the order of a query's pairs, a media type's parameters, and who asks or how it came here
// don't make another request.
func askSame(v *visit) {
	key := newKey()
	wire := []string{v.key(key)}
	first := v.ask(request{key: wire, query: "?a=1&b=2", header: []string{"Content-Type", "text/plain"}})
	v.fresh("first", first)
	for _, header := range [][]string{
		{"Content-Type", "text/plain; charset=utf-8"},
		{"Content-Type", "TEXT/Plain"},
		{"Content-Type", "text/plain", "User-Agent", "another"},
	} {
		v.replays(header[1], v.ask(request{key: wire, query: "?b=2&a=1", header: header}), first, key)
	}
}

// askReusedInProgress: it comes before in progress, since to wait would never help.
func askReusedInProgress(v *visit) {
	v.meet(firstDelay, func(delay time.Duration) bool {
		key := newKey()
		answers := v.twice(key, "X-Demo-Delay", delay.String())
		<-answers // that which is refused, so that the other is in flight
		got := v.other(key)
		met := len(answers) == 0
		v.refused("another body", got, reused, key)
		v.fresh("the first", <-answers)
		return met
	})
}

func askInProgress(v *visit) {
	v.meet(firstDelay, func(delay time.Duration) bool {
		key := newKey()
		answers := v.twice(key, "X-Demo-Delay", delay.String())
		got, first := <-answers, <-answers
		v.refused("the duplicate", got, inProgress, key)
		v.fresh("the first", first)
		v.replays("a retry", v.pay(key), first, key)
		return !got.ok()
	})
}

// askLost has two requests at once, too: here the second waits, and gets the key when the first's
// lease has run out. The first, deaf to that, comes with an answer that can't be stored any more,
// while the second has none yet.
func askLost(v *visit) {
	v.meet(5*firstDelay, func(delay time.Duration) bool {
		key := newKey()
		answers := v.twice(key, "X-Demo-Delay", delay.String(), "X-Demo-Deaf", "1")
		late, heir := <-answers, <-answers
		v.refused("the one that was late", late, inProgress, key)
		// It may be marked as a replay: a database that remembers effects has the late one's.
		if !heir.ok() {
			v.status("the one that took over", heir, http.StatusCreated)
		}
		v.replays("a retry", v.pay(key), heir, key)
		busy := late.status == http.StatusServiceUnavailable || heir.status == http.StatusServiceUnavailable // too much so for so short a lease
		return !late.ok() && !busy
	})
}

func askUnknown(v *visit) {
	key := newKey()
	if died := v.pay(key, "X-Demo-Panic", "1"); died.err == nil {
		v.differ("the attempt that dies", "answer", "none", strconv.Itoa(died.status))
	}
	v.refused("another body", v.other(key), reused, key)
	v.refused("a retry", v.pay(key), outcomeUnknown, key)
	v.refused("and again", v.pay(key), outcomeUnknown, key)
}

func askNotKept(v *visit) {
	key := newKey()
	size := []string{"X-Demo-Body-Size", strconv.Itoa(limit + 1)}
	first := v.pay(key, size...)
	if !first.ok() || len(first.body) != limit+1 {
		v.differ("the first", "answer", "1048577 bytes", fmt.Sprintf("%d, %d bytes, %v", first.status, len(first.body), first.err))
	}
	v.unmarked("the first", first)
	v.one("the first", first.header, "Idempotency-Stored", "false")
	v.refused("a retry", v.pay(key, size...), replayUnavailable, key)
	v.refused("another body", v.other(key), reused, key)

	key = newKey()
	size[1] = strconv.Itoa(limit)
	first = v.pay(key, size...)
	v.fresh("an answer of the limit", first)
	v.replays("a retry of that", v.pay(key), first, key)
}

func askUnavailable(v *visit) {
	key := newKey()
	v.refused("a request", v.pay(key), unavailable, key)
	v.refused("without a key", v.ask(request{}), keyMissing, "")
	if got := v.ask(request{method: http.MethodGet}); !got.ok() {
		v.status("a GET", got, http.StatusOK)
	}
}

// askFinal, askPassing and askFailures ask for a status and then for the usual: what is stored comes
// again, what is not gives way.
func askFinal(v *visit) { v.stored(true, 200, 202, 303, 400, 402, 404, 410, 422) }

func askPassing(v *visit) { v.stored(v.storesAll, 401, 403, 408, 409, 421, 423, 425, 429) }

func askFailures(v *visit) { v.stored(v.storesAll, 500, 502, 503, 504) }

func (v *visit) stored(want bool, statuses ...int) {
	for _, status := range statuses {
		key := newKey()
		first := v.pay(key, "X-Demo-Status", strconv.Itoa(status))
		step := strconv.Itoa(status)
		v.status(step, first, status)
		v.unmarked(step, first)
		again := v.pay(key)
		if want {
			v.replays(step+", a retry", again, first, key)
			continue
		}
		v.fresh(step+", a retry", again)
		v.replays(step+", another", v.pay(key), again, key)
	}
}
