package httpadapter

import (
	"net/http"
	"strconv"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/replay"
)

// The header fields of our own, by which an answer says how it came about. No record keeps them.
// (The other answers, the refusals, have the fields of package refusal.)
const (
	storedHeader  = "Idempotency-Stored"  // false: no retry gets it; unconfirmed: a failover may forget it
	shadowHeader  = "Idempotency-Shadow"  // in shadow mode, the outcome that there would have been
	attemptHeader = "Idempotency-Attempt" // of a fresh answer, if Config.AttemptHeader is set
)

var ownHeaders = []string{storedHeader, shadowHeader, attemptHeader}

// mark sets our own fields and the dialect's marker. It is the one place for them, and it is called
// with the header that is about to be sent, when nothing else will be added. A field set any
// earlier would be seen by the handler, could get into the record, or would stay when another
// request's record is given in place of this answer.
func (x *exchange) mark(h http.Header, status int, result replay.Result) {
	// After a repeated effect the handler can still fail. That answer is no replay: a retry may get
	// another.
	repeated := result.Repeated && x.toStore()
	if result.Replayed || repeated {
		name, value := x.adapter.cfg.Dialect.Marker(x.key)
		h[http.CanonicalHeaderKey(name)] = []string{value}
		if d, ok := x.adapter.cfg.Dialect.(dialect.ReplayDialect); ok {
			d.MarkReplay(status, h)
		}
	}
	if result.Replayed {
		return
	}
	if x.adapter.cfg.AttemptHeader && result.Attempt > 0 && !repeated {
		h[attemptHeader] = []string{strconv.Itoa(result.Attempt)}
	}
	if o, ok := replay.ShadowFrom(x.working); ok && x.access != Hide {
		markShadow(h, string(o))
	}
	switch {
	case x.adapter.shadow || !x.toStore():
	case !result.Stored:
		h[storedHeader] = []string{"false"}
	case result.Unconfirmed:
		h[storedHeader] = []string{"unconfirmed"}
	}
}

// markShadow is apart from mark for a request that passes without a recorder.
func markShadow(h http.Header, outcome string) { h[shadowHeader] = []string{outcome} }
