package grpcadapter

import (
	"strconv"

	"google.golang.org/grpc/metadata"

	"github.com/reprise-go/reprise/replay"
)

// The header metadata of our own, by which an answer says how it came about. No record keeps it.
const (
	replayedKey = "idempotency-replayed" // true: it was stored before, or comes of an earlier attempt's effect
	storedKey   = "idempotency-stored"   // false: no retry gets it; unconfirmed: a failover may forget it
	shadowKey   = "idempotency-shadow"   // in shadow mode, the outcome that there would have been
	attemptKey  = "idempotency-attempt"  // of a fresh answer, if Config.AttemptMetadata is set
)

var ownMetadata = []string{replayedKey, storedKey, shadowKey, attemptKey}

// Replayed tells from a call's header metadata (grpc.Header) whether its answer was stored before or
// comes of an earlier attempt's effect, or is fresh.
func Replayed(header metadata.MD) bool {
	values := header.Get(replayedKey)
	return len(values) == 1 && values[0] == "true"
}

// marks returns our own metadata for an answer. It is the one place for it, and it is asked when
// the answer is about to be sent: metadata that were set any earlier would stay when another call's
// record is given in place of this answer.
func (x *exchange) marks(result replay.Result) metadata.MD {
	var marks metadata.MD
	switch {
	case result.Replayed:
		return metadata.Pairs(replayedKey, "true")
	case result.Repeated && x.toStore(): // After the effect, the handler can still fail: no replay.
		marks = metadata.Pairs(replayedKey, "true")
	case x.adapter.cfg.AttemptMetadata && result.Attempt > 0:
		marks = metadata.Pairs(attemptKey, strconv.Itoa(result.Attempt))
	}
	if o, ok := replay.ShadowFrom(x.working); ok && x.access != Hide {
		return metadata.Join(marks, shadowMark(string(o)))
	}
	switch {
	case x.adapter.shadow || !x.toStore():
	case !result.Stored:
		marks = metadata.Join(marks, metadata.Pairs(storedKey, "false"))
	case result.Unconfirmed:
		marks = metadata.Join(marks, metadata.Pairs(storedKey, "unconfirmed"))
	}
	return marks
}

// shadowMark is apart from marks for a call that passes without a recorder.
func shadowMark(outcome string) metadata.MD { return metadata.Pairs(shadowKey, outcome) }
