package replay

import (
	"errors"
	"log/slog"

	"github.com/reprise-go/reprise/internal/fault"
	"github.com/reprise-go/reprise/lock"
)

// What is logged of requests, each kind at most once a minute. docs/failures.md says what to do about
// each.
const (
	logRefused   = "replay: Redis can't be asked, and requests are refused"
	logUnguarded = "replay: Redis is down, and requests run without a claim"
	logUnseen    = "replay: Redis can't be asked, and shadow mode sees no duplicates"
	logWaits     = "replay: answers can't be stored yet, and their clients wait"
	logNotStored = "replay: an answer could not be stored; a retry will run again"
	logForgotten = "replay: an answer is stored, but a failover may forget it"
	logNested    = "replay: work asks for its own key, and is refused"
	logForeign   = "replay: a value under a key can't be read; it is left as it is"
)

func (e *Engine) logFault(level slog.Level, text string, err error) {
	e.log.Write(level, text, causeOf(err))
}

func causeOf(err error) string {
	if errors.Is(err, lock.ErrUnconfirmed) {
		return "too few replicas confirmed"
	}
	return fault.Cause(err)
}
