package replay

import (
	"errors"

	"github.com/reprise-go/reprise/internal/fault"
	"github.com/reprise-go/reprise/internal/ratelog"
	"github.com/reprise-go/reprise/lock"
)

// What is logged of requests, each kind at most once a minute. docs/failures.md says what to do about
// each.
var (
	logRefused   = ratelog.Error("replay.refused", "replay: Redis can't be asked, and requests are refused")
	logUnguarded = ratelog.Error("replay.unguarded", "replay: Redis is down, and requests run without a claim")
	logUnseen    = ratelog.Error("replay.unseen", "replay: Redis can't be asked, and shadow mode sees no duplicates")
	logWaits     = ratelog.Warn("replay.waits", "replay: answers can't be stored yet, and their clients wait")
	logNotStored = ratelog.Error("replay.not-stored", "replay: an answer could not be stored; a retry will run again")
	logForgotten = ratelog.Warn("replay.unconfirmed", "replay: an answer is stored, but a failover may forget it")
	logNested    = ratelog.Error("replay.nested", "replay: work asks for its own key, and is refused")
	logForeign   = ratelog.Error("replay.unreadable", "replay: a value under a key can't be read; it is left as it is")
)

func (e *Engine) logFault(line ratelog.Line, err error) { e.log.Write(line, causeOf(err)) }

func causeOf(err error) string {
	if errors.Is(err, lock.ErrUnconfirmed) {
		return "too few replicas confirmed"
	}
	return fault.Cause(err)
}
